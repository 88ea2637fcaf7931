"""The endpoint over HTTP: methods, negotiation, cross-site requests, and the form of errors."""

import json

import pytest
from django.test import Client
from graphql import ExecutionResult

from live.http import views
from live.http.protocol import GRAPHQL_RESPONSE, JSON

URL = "/graphql/"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ME = "{ me { username } }"
LOGOUT = "mutation { logout { ok } }"


@pytest.fixture
def client(db):
    return Client(enforce_csrf_checks=True)


def post(client, query, accept=GRAPHQL_RESPONSE, **headers):
    body = json.dumps({"query": query})
    return client.post(URL, body, content_type=JSON, headers={"accept": accept, **headers})


def csrf_headers(client):
    """Fetch a CSRF cookie as a browser does; return it as the header that repeats it."""
    client.get("/login/")
    return {"x-csrftoken": client.cookies["csrftoken"].value}


def codes(response):
    """Check the form of a refusal and return the codes of its errors."""
    assert response["Content-Type"] in (
        f"{JSON}; charset=utf-8",
        f"{GRAPHQL_RESPONSE}; charset=utf-8",
    )
    assert "data" not in response.json()
    return [error["extensions"]["code"] for error in response.json()["errors"]]


@pytest.mark.parametrize("media_type", [JSON, GRAPHQL_RESPONSE])
def test_an_answer_has_the_type_that_was_asked_for(client, media_type):
    response = post(client, ME, accept=media_type)
    assert response.status_code == 200
    assert response["Content-Type"] == f"{media_type}; charset=utf-8"
    assert response.json() == {"data": {"me": None}}


def test_an_answer_is_kept_by_no_cache(client):
    response = post(client, ME)
    assert response["Cache-Control"] == "no-store"
    assert "Accept" in response["Vary"]


def test_a_query_may_come_by_get(client, settings):
    settings.LIVE = {"INTROSPECTION": "everyone"}
    response = client.get(URL, {"query": "query Q($n: String!) { __type(name: $n) { name } }"})
    assert codes(response) == ["BAD_INPUT"]
    parameters = {
        "query": "query Q($n: String!) { __type(name: $n) { name } }",
        "variables": '{"n": "Query"}',
        "operationName": "Q",
    }
    response = client.get(URL, parameters)
    assert response.json() == {"data": {"__type": {"name": "Query"}}}


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_empty_operation_name_names_no_operation(client, method):
    parameters = {"query": ME, "operationName": ""}
    if method == "get":
        response = client.get(URL, parameters, headers={"accept": GRAPHQL_RESPONSE})
    else:
        accept = {"accept": GRAPHQL_RESPONSE}
        response = client.post(URL, parameters, content_type=JSON, headers=accept)
    assert (response.status_code, codes(response)) == (400, ["BAD_INPUT"])


def test_a_head_request_is_a_get_without_the_body(client):
    response = client.head(URL, {"query": ME})
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_mutation_by_get_is_refused_and_does_not_run(client, monkeypatch, method):
    ran = []

    async def run(schema, document, request, *_):
        ran.append(request.query)
        return ExecutionResult({})

    monkeypatch.setattr(views, "run", run)
    response = getattr(client, method)(URL, {"query": LOGOUT})
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert ran == []
    assert post(client, LOGOUT).status_code == 200
    assert ran == [LOGOUT]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_another_method_is_refused_with_those_that_are_allowed(client, method):
    response = getattr(client, method)(URL)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    if method != "trace":
        assert codes(response) == ["BAD_INPUT"]


def test_options_tells_the_methods(client):
    response = client.options(URL)
    assert (response.status_code, response["Allow"]) == (200, "GET, HEAD, OPTIONS, POST")


def test_a_client_that_takes_no_json_is_told_what_there_is(client):
    response = post(client, ME, accept="image/png")
    assert response.status_code == 406
    assert codes(response) == ["BAD_INPUT"]
    assert JSON in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
)
def test_a_body_of_another_type_is_refused(client, content_type):
    response = client.generic("POST", URL, json.dumps({"query": ME}), content_type)
    assert response.status_code == 415
    assert codes(response) == ["BAD_INPUT"]


def test_a_form_is_refused_before_anything_reads_it(client, nurse):
    client.force_login(nurse)
    response = client.post(URL, {"query": ME})
    assert response.status_code == 415
    assert codes(response) == ["BAD_INPUT"]


def test_a_body_beyond_the_limit_is_refused(client, settings):
    settings.LIVE = {"MAX_MESSAGE_BYTES": 100}
    short = {"query": ME, "extensions": {"padding": ""}}
    short["extensions"]["padding"] = "x" * (100 - len(json.dumps(short)))
    assert client.post(URL, short, content_type=JSON).json() == {"data": {"me": None}}
    short["extensions"]["padding"] += "x"
    response = client.post(URL, short, content_type=JSON)
    assert response.status_code == 413
    assert codes(response) == ["BAD_INPUT"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("{", 400),
        ("{ nothing }", 400),
        ("query A { me { username } } query B { me { username } }", 400),
        ("query Q($id: ID!) { patient(id: $id) { id } }", 400),
        ("subscription { onNewPatient { message } }", 400),
    ],
)
def test_what_cannot_run_is_refused_by_media_type(client, query, status):
    response = post(client, query, accept=GRAPHQL_RESPONSE)
    assert response.status_code == status
    assert set(codes(response)) == {"BAD_INPUT"}
    response = post(client, query, accept=JSON)
    assert response.status_code == 200
    assert set(codes(response)) == {"BAD_INPUT"}


def test_a_field_that_fails_leaves_the_rest(client, doctor):
    client.force_login(doctor)
    query = '{ me { username } patient(id: "x") { id } }'
    response = post(client, query, **csrf_headers(client))
    assert response.status_code == 200
    assert response.json()["data"] == {"me": {"username": "doctor"}, "patient": None}


def test_an_unforeseen_error_is_masked(client, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(views.protocol, "read_body", fail)
    response = post(client, ME)
    assert response.status_code == 500
    assert codes(response) == ["INTERNAL"]
    error_id = response.json()["errors"][0]["extensions"]["id"]
    assert error_id in caplog.text
    assert "Jane" not in response.content.decode() + caplog.text


def test_a_session_needs_the_csrf_token(client, nurse):
    client.force_login(nurse)
    response = post(client, ME)
    assert response.status_code == 403
    assert codes(response) == ["FORBIDDEN"]
    response = post(client, ME, **csrf_headers(client))
    assert response.json() == {"data": {"me": {"username": "nurse"}}}


def test_a_session_from_a_foreign_page_is_refused_with_its_token(client, nurse):
    client.force_login(nurse)
    response = post(client, ME, origin="https://evil.example", **csrf_headers(client))
    assert response.status_code == 403
    assert codes(response) == ["FORBIDDEN"]


def test_without_a_session_there_is_nothing_to_ride_on(client):
    assert post(client, ME, origin="https://evil.example").status_code == 200


def test_a_browser_gets_the_page(client):
    response = client.get(URL, headers={"accept": BROWSER})
    assert response["Content-Type"].startswith("text/html")
    assert "Wardcast" in response.content.decode()
    assert "Accept" in response["Vary"]


def test_a_browser_with_a_query_gets_the_answer(client):
    response = client.get(URL, {"query": ME}, headers={"accept": BROWSER})
    assert response.json() == {"data": {"me": None}}


def test_a_program_gets_no_page(client):
    response = client.get(URL, headers={"accept": "*/*"})
    assert response.status_code == 400
    assert codes(response) == ["BAD_INPUT"]


@pytest.mark.parametrize("scheme", ["Bearerx abc", "bearerabc", "Basic abc"])
def test_a_header_that_is_no_token_skips_no_csrf_check(nurse, scheme):
    client = Client(enforce_csrf_checks=True, headers={"authorization": scheme})
    client.force_login(nurse)
    response = client.post("/graphql/", {"query": "{ me }"}, content_type="application/json")
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
