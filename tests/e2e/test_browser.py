"""What ward staff do, in a real browser: watch in GraphiQL, register a patient in the admin."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.graphiql_page import GraphiqlPage
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT

ARTEFACTS = ROOT / "test-artefacts"
SUBSCRIPTION = """subscription Watch {
  onNewPatient(category: "IX") {
    message
    patient { name category { code } }
  }
}"""


@pytest.fixture
def tabs(chromium):
    """A browser's profile of its own; all its tabs share one log-in."""
    if not (ROOT / "templates" / "graphene" / "dist" / "graphiql.js").exists():
        missing("GraphiQL is not built: make assets")
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


def register_in_admin(tab, server, name: str, category: str) -> None:
    """Fill the admin's form for a new patient, as a person does, and save it."""
    tab.goto(f"http://{server.host}/admin/patients/patient/add/")
    tab.get_by_label("Name:").fill(name)
    choice = tab.locator("select[name=category] option", has_text=re.compile(f"^{category} "))
    tab.locator("select[name=category]").select_option(label=choice.inner_text())
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator(".messagelist .success")).to_contain_text(name)


def test_a_patient_registered_in_the_admin_arrives_in_graphiql(server, tabs):
    graphiql = GraphiqlPage(tabs.new_page(), f"http://{server.host}")
    requests = []
    tabs.on("request", lambda request: requests.append(request.url))
    graphiql.open()
    graphiql.log_in("demo", "demo")
    graphiql.set_query(SUBSCRIPTION)
    graphiql.subscribe()

    admin = tabs.new_page()
    register_in_admin(admin, server, "Bo Bystander", "X")
    register_in_admin(admin, server, "Ada Example", "IX")

    graphiql.page.bring_to_front()
    graphiql.wait_for_event("New patient added: Ada Example")
    ARTEFACTS.mkdir(exist_ok=True)
    graphiql.screenshot(ARTEFACTS / "graphiql.png")
    (event,) = graphiql.events  # of category X it was told nothing
    assert '"code":"IX"' in re.sub(r"\s", "", event)

    assert graphiql.console_errors == []
    # Chromium calls no pages' requests a WebSocket's; the page object has those too.
    sockets = [url for method, url in graphiql.requests if method == "WEBSOCKET"]
    assert sockets
    elsewhere = [url for url in requests + sockets if not is_ours(url, server)]
    assert elsewhere == []


def is_ours(url: str, server) -> bool:
    """Whether the request stayed on our origin, or never left the browser."""
    return re.match(rf"(?:(?:http|ws)://{re.escape(server.host)}/|data:|blob:)", url) is not None


def test_operations_travel_over_the_socket_only(server, tabs):
    graphiql = GraphiqlPage(tabs.new_page(), f"http://{server.host}")
    graphiql.open()
    graphiql.log_in("nurse", "nurse")
    graphiql.set_query("{ me { username } }")
    graphiql.run()
    graphiql.wait_for_response('"username": "nurse"')
    posts = [url for method, url in graphiql.requests if method == "POST"]
    assert posts == [f"http://{server.host}/login/?next=/graphql/"]
