"""GraphiQL in a real browser, while the server is killed and started again."""

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.graphiql_page import TIMEOUT_MS, GraphiqlPage
from tests.e2e.programs import missing
from tests.e2e.registry import registry
from tests.e2e.servers import ROOT

RESUMING = """subscription Watch($after: String) {
  told: onNewPatient(category: "IX", after: $after) { place: cursor patient { name } }
}"""
FROM_NOW = """subscription Watch {
  told: onNewPatient(category: "IX") { patient { name } }
}"""
RESUMED = "Subscribed again after the last event; none is missing."
MAYBE_MISSING = "Subscribed again; events in between may be missing"


@pytest.fixture
def graphiql(server, chromium):
    """GraphiQL, where nurse has logged in."""
    if not (ROOT / "templates" / "graphene" / "dist" / "graphiql.js").exists():
        missing("GraphiQL is not built: make assets")
    context = chromium.new_context()
    page = GraphiqlPage(context.new_page(), f"http://{server.host}")
    page.open()
    page.log_in("nurse", "nurse")
    yield page
    context.close()


@pytest.fixture
def clerk(server):
    with registry(server) as running:
        running.finish()
        yield running


def patients(first, last):
    return [f"IX survivor {number:03}" for number in range(first, last)]


def kill(server, graphiql):
    """Kill the server, and see that the page shows it."""
    server.process.kill()
    server.process.wait()
    graphiql.wait_for_connection_state("disconnected – retrying")


def come_back(server, graphiql, note):
    """Start the server, and see what the page says of its subscription then."""
    notes = graphiql.page.locator(".events li.note")
    before = notes.count()
    server.start()
    graphiql.wait_for_connection_state("connected")
    expect(notes).to_have_count(before + 1, timeout=TIMEOUT_MS)
    expect(notes.first).to_contain_text(note)


def told_of(graphiql):
    """Return the names in the list of events, the oldest first."""
    events = [json.loads(text)["told"] for text in reversed(graphiql.events)]
    return [event["patient"]["name"] for event in events]


def test_with_cursor_and_after_each_event_comes_once_and_in_order(server, graphiql, clerk):
    graphiql.set_query(RESUMING)
    graphiql.subscribe()

    kill(server, graphiql)  # before the first event, too
    clerk.register(*patients(0, 5))
    come_back(server, graphiql, RESUMED)
    graphiql.wait_for_event_count(5)

    clerk.begin(*patients(5, 25))
    graphiql.wait_for_event("survivor 006")
    kill(server, graphiql)
    clerk.register(*patients(25, 30))
    come_back(server, graphiql, RESUMED)
    graphiql.wait_for_event_count(30)

    clerk.register(*patients(30, 31))  # what is repeated would come before it
    graphiql.wait_for_event("survivor 030")
    assert told_of(graphiql) == [f"survivor {number:03}" for number in range(31)]


def test_without_them_it_says_that_events_may_be_missing(server, graphiql, clerk):
    graphiql.set_query(FROM_NOW)
    graphiql.subscribe()
    kill(server, graphiql)
    clerk.register("IX unheard")
    come_back(server, graphiql, MAYBE_MISSING)
    clerk.register("IX heard")
    graphiql.wait_for_event("heard")
    assert told_of(graphiql) == ["heard"]
