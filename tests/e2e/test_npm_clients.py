"""The clients that integration developers use, as npm has them, against a real server."""

import json
from pathlib import Path

import pytest

from tests.e2e.clients import CREATE_PATIENT, Browser
from tests.e2e.programs import JAVASCRIPT, program, require_npm_clients, write_program

OBEY = Path(__file__).parent / "npm" / "obey.mjs"
# How each program's client runs another operation, and ends: what `obey` is given.
CLIENTS = {
    "graphql-ws.mjs": """
        async run(operation) {
          for await (const result of client.iterate(operation)) return result;
        },
        unsubscribe,
        close: () => client.dispose(),
    """,
    "apollo.mjs": """
        run: obeyApollo(client, gql),
        unsubscribe: () => subscription.unsubscribe(),
        close: () => socket.dispose(),
    """,
    "legacy/subscriptions-transport-ws.mjs": """
        run: (operation) =>
          new Promise((next, error) => client.request(operation).subscribe({ next, error })),
        unsubscribe: () => subscription.unsubscribe(),
        close: () => client.close(),
    """,
    "legacy/apollo.mjs": """
        run: obeyApollo(client, gql),
        unsubscribe: () => subscription.unsubscribe(),
        close: () => socket.close(),
    """,
}
ME = "query { me { username } }"
LOGIN = 'mutation { login(username: "demo", password: "demo") { ok } }'


def patient(name: str, category: str) -> dict:
    return {"input": {"name": name, "category": category}}


@pytest.fixture(params=CLIENTS)
async def client(request, server, tmp_path):
    """A client that watches category IX, as nurse, and runs what it is told to."""
    node = require_npm_clients()
    code = (JAVASCRIPT / request.param).read_text()
    code += f'import {{ obey, obeyApollo }} from "{OBEY}";\n'
    code += f"await obey({{{CLIENTS[request.param]}}});"
    file = write_program(tmp_path, request.param, code)
    async with program(node, file, server.url, "IX") as running:
        assert await running.line() == "ready"
        yield running


OF_THE_CLIENT = {"__typename", "cursor"}


def plain(value):
    """Return `value` without what Apollo asks for by itself, and without cursors."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: plain(item) for name, item in value.items() if name not in OF_THE_CLIENT}


async def ask(client, query, variables=None):
    """Run an operation over the client's socket."""
    await client.say(json.dumps({"query": query, "variables": variables}))
    said = await client.line()
    assert said.startswith("answer "), said
    return plain(json.loads(said.removeprefix("answer ")))


async def test_a_subscription_gets_its_categorys_patients(server, client):
    async with Browser(server, "demo") as browser:
        for name, category in (("Ada", "IX"), ("Bo", "X"), ("Cy", "IX")):
            await browser.post(CREATE_PATIENT, patient(name, category))
    assert [plain(json.loads(await client.line())) for _ in range(2)] == [
        {"message": f"New patient added: {name}", "patient": {"name": name}}
        for name in ("Ada", "Cy")
    ]
    assert await client.end() == 0, client.printed


async def test_queries_and_mutations_go_over_the_socket(client):
    assert (await ask(client, ME))["data"] == {"me": {"username": "nurse"}}
    assert (await ask(client, CREATE_PATIENT, patient("Di", "IX")))["codes"] == ["FORBIDDEN"]

    assert (await ask(client, LOGIN))["data"] == {"login": {"ok": True}}
    created = (await ask(client, CREATE_PATIENT, patient("Di", "X")))["data"]["createPatient"]
    assert created["errors"] == []
    assert created["patient"]["id"]
    assert await client.end() == 0, client.printed


@pytest.mark.parametrize("path", CLIENTS)
async def test_a_program_runs_where_it_lies(server, path):
    node = require_npm_clients()
    async with program(node, JAVASCRIPT / path, server.url) as running:
        assert await running.line() == "ready"


async def test_apollo_queries_and_writes_over_http_with_the_sessions_cookie(server):
    node = require_npm_clients()
    async with program(node, JAVASCRIPT / "apollo-http.mjs", server.url, "IX") as running:
        assert await running.line() == "New patient added: Ada Example"
        assert await running.end() == 0, running.printed
