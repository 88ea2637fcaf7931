"""What every response forbids the browser."""

import pytest
from django.contrib.staticfiles import finders

PAGES = ["/graphql/", "/login/", "/admin/login/", "/"]
BROWSER = {"accept": "text/html,*/*;q=0.8"}


def policy(response):
    """Return the Content-Security-Policy as a dict of sets."""
    directives = response["Content-Security-Policy"].split("; ")
    return {name: set(rest) for name, *rest in (directive.split() for directive in directives)}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_headers(client, path):
    response = client.get(path, headers=BROWSER)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_scripts_come_from_the_own_host_and_from_files_only(client, path):
    rules = policy(client.get(path, headers=BROWSER))
    assert rules["default-src"] == {"'none'"}
    assert rules["script-src"] == {"'self'"}
    assert rules["worker-src"] == {"'self'"}
    assert rules["connect-src"] == {"'self'"}
    assert rules["object-src"] == {"'none'"}
    assert rules["base-uri"] == {"'none'"}
    assert rules["form-action"] == {"'self'"}
    assert rules["frame-ancestors"] == {"'none'"}


@pytest.mark.django_db
def test_only_graphiql_may_write_styles(client):
    assert policy(client.get("/graphql/", headers=BROWSER))["style-src"] == {
        "'self'",
        "'unsafe-inline'",
    }
    assert policy(client.get("/login/"))["style-src"] == {"'self'"}
    assert policy(client.get("/admin/login/"))["style-src"] == {"'self'"}


@pytest.mark.django_db
def test_an_answer_has_the_strict_policy_too(client):
    response = client.get("/graphql/", {"query": "{ __typename }"})
    assert policy(response)["style-src"] == {"'self'"}


def test_static_files_have_the_policy_too(client, settings):
    # A worker goes by the policy of its own script, not by the page's.
    settings.SERVESTATIC_AUTOREFRESH = settings.SERVESTATIC_USE_FINDERS = True
    assert finders.find("server/page.css")
    response = client.get("/static/server/page.css")
    assert response.status_code == 200
    assert policy(response)["script-src"] == {"'self'"}
    assert "camera=()" in response["Permissions-Policy"]
