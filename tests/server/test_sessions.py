"""A cookie that is no session's key is nobody's, whatever the database makes of its characters."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["a\0bcdefghijk", "ä" * 32, "' OR 1=1 --", "a" * 7 + " b", ""])
def test_no_query_asks_for_what_is_no_key(key):
    client = Client()
    client.cookies["sessionid"] = key
    with CaptureQueriesContext(connection) as asked:
        response = client.get("/login/")
    assert response.status_code == 200
    assert not [query for query in asked if "django_session" in query["sql"]]


def test_a_key_of_djangos_is_one(nurse):
    client = Client()
    client.force_login(nurse)
    answer = client.get("/graphql/", {"query": "{ me { username } }"})
    assert answer.json()["data"]["me"] == {"username": "nurse"}
