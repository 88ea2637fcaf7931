"""Media types, parameters and status codes of GraphQL over HTTP."""

import pytest
from graphql import ExecutionResult, GraphQLError
from hypothesis import example, given
from hypothesis import strategies as st

from live.errors import BadInput, Forbidden, NotFound, Unauthenticated
from live.http import protocol
from live.http.protocol import ANSWERS, GRAPHQL_RESPONSE, HTML, JSON

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
APOLLO = "application/graphql-response+json,application/json;q=0.9"
RECOMMENDED = f"{GRAPHQL_RESPONSE}; charset=utf-8, {JSON}; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        (" , ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("Application/JSON", JSON),
        (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        (RECOMMENDED, GRAPHQL_RESPONSE),
        (APOLLO, GRAPHQL_RESPONSE),
        (f"{JSON}, {GRAPHQL_RESPONSE}", JSON),
        (f"{JSON};q=0.5, {GRAPHQL_RESPONSE};q=0.6", GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE};q=0.1, */*;q=0.2", JSON),
        (f"*/*, {GRAPHQL_RESPONSE}", GRAPHQL_RESPONSE),
        (f"{JSON};q=0, */*", GRAPHQL_RESPONSE),
        (f"{JSON};charset=UTF-8", JSON),
        (f"{JSON};charset=latin-1", None),
        (f"{JSON};profile=other", None),
        (f"{JSON};q=0", None),
        ("*/*;q=0", None),
        ("text/html", None),
        ("*/json", None),
        ("nonsense", None),
        (f"{JSON};a*=nonsense'en'b, {GRAPHQL_RESPONSE}", GRAPHQL_RESPONSE),
    ],
)
def test_the_accept_header_chooses_the_media_type(accept, chosen):
    assert protocol.negotiate(accept, ANSWERS) == chosen


@given(header=st.text(alphabet="aj*/;,=q0.5 '\"%\\-é\n", max_size=40))
@example(header="application/json;q=")
def test_any_accept_header_is_read(header):
    assert protocol.negotiate(header, ANSWERS) in (*ANSWERS, None)


def test_a_page_is_for_those_who_name_it():
    offers = (*ANSWERS, HTML)
    assert protocol.negotiate(BROWSER, offers) == HTML
    assert protocol.negotiate("*/*", offers) == JSON
    assert protocol.negotiate("text/html;q=0.5, application/json", offers) == JSON
    assert protocol.negotiate("text/html;q=0, */*", offers) == JSON


@pytest.mark.parametrize(
    "header",
    [
        "application/json",
        "Application/Json",
        "application/json; charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json; charset=utf8",
        "application/json; boundary=anything",
    ],
)
def test_a_body_is_json_in_utf_8(header):
    assert protocol.check_content_type(header) is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json; a*=nonsense'en'b",
    ],
)
def test_another_body_is_refused_with_415(header):
    with pytest.raises(protocol.UnsupportedMediaType) as refusal:
        protocol.check_content_type(header)
    assert protocol.refused([refusal.value], JSON).status == 415
    assert protocol.refused([refusal.value], JSON).headers == {"Accept": JSON}


def test_a_body_becomes_a_request():
    body = '{"query": "query Q { a }", "operationName": "Q", "variables": {"n": "Zoë"}}'
    request = protocol.read_body(body.encode())
    assert request.query == "query Q { a }"
    assert request.operation_name == "Q"
    assert request.variables == {"n": "Zoë"}


def test_optional_parameters_may_be_null():
    body = b'{"query": "{a}", "operationName": null, "variables": null, "extensions": null}'
    request = protocol.read_body(body)
    assert (request.operation_name, request.variables) == (None, {})


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b'{ "not a JSON', "JSON"),
        ('{"query": "{a}"}'.encode("utf-16"), "JSON in UTF-8"),
        (b'{"query": "\xff"}', "JSON in UTF-8"),
        (b'{"query": "{a}", "variables": {"n": NaN}}', "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'[{"query": "{a}"}]', "object"),
        (b'"{a}"', "object"),
        (b"null", "object"),
        (b"{}", "query"),
        (b'{"qeury": "{a}"}', "query"),
        (b'{"query": ["{a}"]}', "query"),
        (b'{"query": "{a}", "operationName": 0}', "operationName"),
        (b'{"query": "{a}", "operationName": ["A"]}', "operationName"),
        (b'{"query": "{a}", "variables": []}', "variables"),
        (b'{"query": "{a}", "variables": false}', "variables"),
        (b'{"query": "{a}", "extensions": "x"}', "extensions"),
        (b'{"query": "{a}", "extensions": 0}', "extensions"),
        (b'{"query": "{a}", "extensions": false}', "extensions"),
        (b'{"query": "{a}", "extensions": []}', "extensions"),
    ],
)
def test_a_malformed_body_is_named(body, named):
    with pytest.raises(protocol.Malformed) as refusal:
        protocol.read_body(body)
    assert named in refusal.value.message


def test_an_address_becomes_a_request():
    request = protocol.read_address(
        [
            ("query", ["query Q { a }"]),
            ("operationName", ["Q"]),
            ("variables", ['{"n": 1}']),
            ("extensions", ["{}"]),
            ("utm_source", ["mail", "web"]),
        ]
    )
    assert request.query == "query Q { a }"
    assert request.operation_name == "Q"
    assert request.variables == {"n": 1}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ([], "query"),
        ([("query", ["{a}", "{b}"])], "query is given more than once"),
        ([("query", ["{a}"]), ("variables", ["{"])], "variables is not JSON"),
        ([("query", ["{a}"]), ("variables", ["[]"])], "variables"),
        ([("query", ["{a}"]), ("extensions", ["nonsense"])], "extensions is not JSON"),
        ([("query", ["{a}"]), ("extensions", ["1"])], "extensions"),
    ],
)
def test_a_malformed_address_is_named(parameters, named):
    with pytest.raises(protocol.Malformed) as refusal:
        protocol.read_address(parameters)
    assert named in refusal.value.message


@pytest.mark.parametrize("media_type", ANSWERS)
def test_what_was_executed_is_200(media_type):
    error = GraphQLError("no", path=["a"], original_error=NotFound())
    for data in ({"a": 1}, {"a": None}, None):
        result = ExecutionResult(data, [error] if not (data and data["a"]) else None)
        answer = protocol.executed(result, media_type)
        assert (answer.status, answer.media_type) == (200, media_type)
        assert answer.body["data"] == data
        codes = [error["extensions"]["code"] for error in answer.body.get("errors", [])]
        assert codes == ([] if data and data["a"] else ["NOT_FOUND"])


def test_variables_that_do_not_fit_have_no_data_and_a_status_by_media_type():
    result = ExecutionResult(None, [GraphQLError("Variable '$id' of required type")])
    for media_type, status in ((JSON, 200), (GRAPHQL_RESPONSE, 400)):
        answer = protocol.executed(result, media_type)
        assert answer.status == status
        assert "data" not in answer.body
        assert answer.body["errors"][0]["extensions"]["code"] == "BAD_INPUT"


@pytest.mark.parametrize(
    ("error", "in_json", "in_graphql_response"),
    [
        (GraphQLError("Syntax Error"), 200, 400),
        (BadInput("no such operation"), 200, 400),
        (protocol.Malformed("no query"), 400, 400),
        (protocol.ContentTooLarge(), 413, 413),
        (protocol.NotAcceptable(), 406, 406),
        (Forbidden(), 403, 403),
        (RuntimeError("Jane Doe"), 500, 500),
    ],
)
def test_the_status_of_a_refusal(error, in_json, in_graphql_response):
    for media_type, status in ((JSON, in_json), (GRAPHQL_RESPONSE, in_graphql_response)):
        answer = protocol.refused([error], media_type)
        assert answer.status == status
        assert "data" not in answer.body
        assert "Jane" not in str(answer.body)


def test_nobody_is_told_how_to_log_in():
    answer = protocol.refused([Unauthenticated()], GRAPHQL_RESPONSE)
    assert (answer.status, answer.headers) == (401, {"WWW-Authenticate": "Bearer"})


def test_a_method_that_is_not_allowed_comes_with_those_that_are():
    answer = protocol.refused([protocol.MethodNotAllowed("POST it.", allow=["POST"])], JSON)
    assert (answer.status, answer.headers) == (405, {"Allow": "POST"})
    assert answer.body["errors"][0]["extensions"]["code"] == "BAD_INPUT"
