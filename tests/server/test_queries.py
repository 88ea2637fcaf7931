"""How many queries to the database a page of patients costs: as many for ten as for a hundred."""

import re

import pytest
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient, Client

from live.fanout.hub import Hub
from patients.models import Patient
from server.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)  # the worker threads' connections see it

PAGE = """
  {
    patients(first: 100) {
      totalCount
      pageInfo { hasNextPage }
      edges { node { id name birthDate sex status reason admittedAt category { code name } } }
    }
  }
"""
# What is read for a page, in order.
TABLES = [
    *("django_session", "auth_user"),  # who asks
    *("auth_permission", "auth_permission"),  # what that user, and the user's groups, may
    "patients_diseasecategory",  # which categories are restricted to others
    *("patients_patient", "patients_patient"),  # the count and the page, categories included
]
SECONDS = 60


@pytest.fixture
def session(nurse):
    """The key of a session of nurse's."""
    browser = Client()
    browser.force_login(nurse)
    return browser.cookies["sessionid"].value


async def admit(categories, count: int) -> None:
    """Register patients, spread over all categories."""
    every = list(categories.values())
    await Patient.objects.abulk_create(
        Patient(name=f"Patient {n}", category=every[n % len(every)]) for n in range(count)
    )


async def over_http(session: str, query: str) -> dict:
    client = AsyncClient()
    client.cookies["sessionid"] = session
    return (await client.get("/graphql/", {"query": query})).json()["data"]


async def connect(*headers: tuple[bytes, bytes]) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), *headers]
    subprotocols = ["graphql-transport-ws"]
    socket = WebsocketCommunicator(application, "/graphql/", headers, subprotocols)
    assert (await socket.connect(SECONDS))[0]
    return socket


async def over_websocket(session: str, query: str) -> dict:
    # A process's first socket makes its hub listen, which looks at everybody once more.
    first = await connect()
    await Hub.current().listening()
    socket = await connect((b"cookie", f"sessionid={session}".encode()))
    await socket.send_json_to({"type": "connection_init"})
    assert (await socket.receive_json_from(SECONDS))["type"] == "connection_ack"
    await socket.send_json_to({"type": "subscribe", "id": "1", "payload": {"query": query}})
    message = await socket.receive_json_from(SECONDS)
    await socket.disconnect(timeout=SECONDS)
    await first.disconnect(timeout=SECONDS)
    return message["payload"]["data"]


@pytest.mark.parametrize("ask", [over_http, over_websocket])
async def test_a_page_takes_as_many_queries_for_ten_as_for_a_hundred(
    categories, session, statements, ask
):
    async def cost(admitted: int, expected: int) -> list[str]:
        await admit(categories, admitted)
        statements.clear()
        page = (await ask(session, PAGE))["patients"]
        assert page["totalCount"] == len(page["edges"]) == expected
        assert {edge["node"]["category"]["code"] for edge in page["edges"]} <= set(categories)
        return [re.sub(r"\d+", "N", sql) for sql in statements]  # LIMIT is the page's size

    await ask(session, PAGE)  # fills the caches that only a first request finds empty
    ten = await cost(10, expected=10)
    hundred = await cost(90, expected=100)
    assert hundred == ten
    assert [re.search(r'FROM "(\w+)"', sql)[1] for sql in hundred] == TABLES


@pytest.mark.parametrize("ask", [over_http, over_websocket])
async def test_a_page_whose_total_nobody_asks_for_is_not_counted(
    categories, session, statements, ask
):
    await admit(categories, 3)
    query = "{ patients(first: 2) { edges { node { name } } pageInfo { hasNextPage } } }"
    await ask(session, query)
    statements.clear()
    page = (await ask(session, query))["patients"]
    assert (len(page["edges"]), page["pageInfo"]["hasNextPage"]) == (2, True)
    assert [re.search(r'FROM "(\w+)"', sql)[1] for sql in statements] == TABLES[:-1]
