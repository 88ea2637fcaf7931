"""The seven requests in GraphiQL, and markup that stays text wherever somebody reads it."""

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.chat import ANSWERED, HERS, MAKE_USER, SENT, SUBSCRIBE
from tests.e2e.graphiql_page import GraphiqlPage
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT

# An element that the page could be asked for, were it markup; short enough for one line.
MARKUP = "<img id=planted src=x onerror=alert(1)>"
NEWEST = 'query newest { history(chatroom: "kittens", last: 1) { text } }'
PLANT = f"""
from django.contrib.auth.models import User
from careteam.models import Notice
from careteam.services import message_send
message_send(user=User.objects.get(username="user"), chatroom="kittens", text="{MARKUP}")
Notice.objects.create(title="{MARKUP}", body="{MARKUP}")
"""


@pytest.fixture(scope="module")
def kittens(server):
    """The server, with the user that the requests log in as."""
    if not (ROOT / "templates" / "graphene" / "dist" / "graphiql.js").exists():
        missing("GraphiQL is not built: make assets")
    server.shell(MAKE_USER)
    return server


@pytest.fixture
def browser(chromium):
    """A browser's profile of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


def graphiql(browser, server):
    """Return GraphiQL, open in a tab of its own."""
    page = GraphiqlPage(browser.new_page(), f"http://{server.host}")
    page.open()
    return page


def run(page, request, data):
    """Run a request; wait until the page shows this data, and nothing else, as its answer."""
    page.set_query(request)
    page.run()
    # The last brace is on a line of its own without a blank before it.
    page.wait_for_response(json.dumps({"data": data}, indent=2).removesuffix("\n}"))


def test_the_seven_requests_in_graphiql(kittens, browser):
    page, other = graphiql(browser, kittens), graphiql(browser, kittens)
    for request, data in ANSWERED:
        run(page, request, data)

    # As the library's README says: from a separate tab, which waits for events.
    other.page.bring_to_front()
    other.set_query(SUBSCRIBE)
    other.subscribe()
    page.page.bring_to_front()
    run(page, HERS, SENT)
    other.page.bring_to_front()
    other.wait_for_event("It's you!")
    assert [json.loads(event) for event in other.events] == [
        {"onNewChatMessage": {"text": "It's you!", "sender": "user"}}
    ]
    assert page.console_errors == other.console_errors == []


def test_markup_is_text_in_graphiql(kittens, browser):
    page = graphiql(browser, kittens)
    page.set_query(SUBSCRIBE)
    page.subscribe()
    kittens.shell(PLANT)
    page.wait_for_event(MARKUP)
    assert page.page.locator("#planted").count() == 0
    page.stop()
    page.set_query(NEWEST)
    page.run()
    page.wait_for_response(MARKUP)
    assert page.page.locator("#planted").count() == 0
    assert page.console_errors == []


@pytest.mark.parametrize("model", ["chatmessage", "notice"])
def test_markup_is_text_in_the_admin(kittens, browser, model):
    kittens.shell(PLANT)
    graphiql(browser, kittens).log_in("demo", "demo")
    tab = browser.new_page()
    tab.goto(f"http://{kittens.host}/admin/careteam/{model}/?q=planted")
    rows = tab.locator("#result_list")
    expect(rows).to_contain_text(MARKUP)
    assert tab.locator("#planted").count() == 0
    rows.locator("th a").first.click()
    expect(tab.locator("#content")).to_contain_text(MARKUP)
    assert tab.locator("#planted").count() == 0
