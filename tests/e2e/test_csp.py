"""The pages under their Content-Security-Policy, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.e2e.graphiql_page import GraphiqlPage
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT

# Workers report on the console only; for a page the event names the directive as well.
REPORT = """addEventListener("securitypolicyviolation", ({effectiveDirective, blockedURI}) =>
  console.error(`Content Security Policy: ${effectiveDirective} ${blockedURI}`))"""


@pytest.fixture
def page(chromium):
    page = chromium.new_page()
    page.add_init_script(REPORT)
    page.problems = []
    page.on("console", lambda message: note(page.problems, message))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    page.close()


def note(problems, message):
    if message.type == "error":
        problems.append(message.text)


@pytest.fixture
def graphiql(page, server):
    if not (ROOT / "templates" / "graphene" / "dist" / "graphiql.js").exists():
        missing("GraphiQL is not built: make assets")
    return GraphiqlPage(page, f"http://{server.host}")


def test_graphiql_works(page, graphiql):
    graphiql.open()
    graphiql.log_in("nurse", "nurse")
    graphiql.set_query("{ me { username } }")
    graphiql.run()
    graphiql.wait_for_response("nurse")
    assert page.problems == []


def test_graphiqls_policy_stops_a_script_and_another_origin(page, graphiql):
    graphiql.open()
    ran = page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.injected = true";
          document.body.append(script);
          return Boolean(window.injected);
        }"""
    )
    assert not ran
    assert page.evaluate("fetch('http://127.0.0.2:9/').then(() => 'sent', () => 'stopped')") == (
        "stopped"
    )
    assert any("script-src" in problem for problem in page.problems)
    assert any("connect-src" in problem for problem in page.problems)


def test_the_log_in_page_works(page, server):
    page.goto(f"http://{server.host}/login/")
    button = page.get_by_role("button", name="Log in")
    assert button.evaluate("button => getComputedStyle(button).borderRadius") == "4px"
    page.locator("input[name=username]").fill("nurse")
    page.locator("input[name=password]").fill("wrong")
    button.click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.problems == []


def test_the_admin_works(page, server):
    page.goto(f"http://{server.host}/admin/")
    page.locator("input[name=username]").fill("demo")
    page.locator("input[name=password]").fill("demo")
    page.locator("input[type=submit]").click()
    expect(page.locator("#user-tools")).to_be_visible()
    for link in ("Users", "demo"):
        page.get_by_role("link", name=link, exact=True).click()
    # Its script turns the list of permissions into two, with a search: so scripts run.
    expect(page.locator("#id_user_permissions_input")).to_be_visible()
    page.locator("#id_user_permissions_input").fill("patient")
    page.locator("input[name=_continue]").click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert page.problems == []
