"""The project's own pages: log-in, and the refusal of a request from a foreign page."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("media_type", ["application/json", "application/graphql-response+json"])
def test_a_program_gets_the_csrf_refusal_as_json(client, media_type):
    response = client.post("/login/", headers={"accept": media_type})
    assert response.status_code == 403
    assert response["Content-Type"] == f"{media_type}; charset=utf-8"
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["FORBIDDEN"]


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "*/*", "image/png"])
def test_others_get_it_as_a_page(client, accept):
    response = client.post("/login/", headers={"accept": accept})
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")
    assert "CSRF" in response.content.decode()
    assert "<style" not in response.content.decode()


def test_the_log_in_page_says_what_is_wrong(client, nurse):
    client.get("/login/")
    form = {"username": "nurse", "password": "wrong"}
    headers = {"x-csrftoken": client.cookies["csrftoken"].value}
    page = client.post("/login/", form, headers=headers).content.decode()
    assert '<div role="alert">' in page
    assert "nurse" in page  # the name stays, so that only the password is typed again
    assert "wrong" not in page


def test_the_log_in_page_speaks_french(client):
    page = client.get("/login/", headers={"accept-language": "fr"}).content.decode()
    assert '<html lang="fr">' in page
    assert "Connexion" in page


def test_a_page_that_names_no_icon_has_one_all_the_same(client):
    response = client.get("/favicon.ico")
    assert (response.status_code, response["Location"]) == (302, "/static/server/icon.svg")
