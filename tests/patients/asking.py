"""Operations over HTTP, as somebody."""

import json
from typing import Any

from django.test import Client
from graphql_relay import to_global_id


def ask(user: Any, query: str, **variables: Any) -> dict[str, Any]:
    """Return the response to an operation of `user` (None: nobody)."""
    client = Client()
    if user is not None:
        client.force_login(user)
    body = json.dumps({"query": query, "variables": variables})
    response = client.post("/graphql/", body, content_type="application/json")
    assert response.headers["Content-Type"].startswith("application/json")
    return response.json()


def data(user: Any, query: str, **variables: Any) -> Any:
    """Return the data of an operation that has no error."""
    response = ask(user, query, **variables)
    assert "errors" not in response, response
    return response["data"]


def codes(response: dict[str, Any]) -> list[str]:
    """Return the codes of a response's errors."""
    return [error["extensions"]["code"] for error in response.get("errors", [])]


def id_of(patient: Any) -> str:
    """Return a patient's global id; also one's that is not stored, by primary key."""
    return to_global_id("Patient", getattr(patient, "pk", patient))
