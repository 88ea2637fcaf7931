"""Pages as a browser that prefers French has them."""

import pytest
from playwright.sync_api import expect

from tests.e2e.graphiql_page import GraphiqlPage
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT
from tests.e2e.together import register

SUBSCRIPTION = "subscription { onNewPatient { message patient { category { name } } } }"


@pytest.fixture
def page(chromium):
    if not (ROOT / "templates" / "graphene" / "dist" / "graphiql.js").exists():
        missing("GraphiQL is not built: make assets")
    context = chromium.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


def test_graphiqls_frame_and_its_events(server, page):
    graphiql = GraphiqlPage(page, f"http://{server.host}")
    page.goto(f"{graphiql.base_url}/graphql/")
    graphiql.wait_for_connection_state("connecté")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.get_by_role("link", name="Connexion").click()
    page.locator("input[name=username]").fill("nurse")
    page.locator("input[name=password]").fill("nurse")
    page.locator("input[name=password]").press("Enter")
    graphiql.wait_for_connection_state("connecté")
    expect(page.get_by_role("button", name="Déconnexion")).to_be_visible()
    expect(page.get_by_text("# Lancez ceci (Ctrl-Entrée)")).to_be_visible()

    graphiql.set_query(SUBSCRIPTION)
    graphiql.run()
    expect(page.get_by_text("Abonné.", exact=True)).to_be_visible()
    register(server, "Ada")
    expect(page.get_by_role("heading", name="Événements : 1")).to_be_visible()
    event = page.locator("section.events li:not(.note) > span").first.inner_text()
    assert "Nouveau patient ajouté : Ada" in event
    assert "Certaines maladies infectieuses et parasitaires" in event
    assert graphiql.console_errors == []


def test_the_admins_list(server, page):
    page.goto(f"http://{server.host}/admin/patients/patient/")
    page.locator("input[name=username]").fill("demo")
    page.locator("input[name=password]").fill("demo")
    page.locator("input[name=password]").press("Enter")
    for text in ("Nom", "Catégorie", "Statut"):
        column = page.locator("#changelist thead").get_by_text(text, exact=True)
        expect(column.first).to_be_visible()
    headers = page.locator("#changelist-filter summary").all_inner_texts()
    assert headers
    for english in ("By status", "By sex", "By category", "By admitted"):
        assert english not in " ".join(headers)
