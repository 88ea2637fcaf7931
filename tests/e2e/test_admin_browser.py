"""The admin of patients in a real browser: what fits on a screen, and a discharge undone."""

import re

import pytest
from playwright.sync_api import expect

NAMES = ["Ann", "Ben", "Cid"]
PATIENTS = """
from patients.models import DiseaseCategory, Patient
from django.utils import timezone
now = timezone.now()
for number, category in enumerate(DiseaseCategory.objects.all()):
    Patient.objects.create(
        name="María del Carmen García-Fernández y Rodríguez",
        category=category,
        external_id=f"b58731cc-2d8b-4c2d-b327-{number:012}",
        **({"status": "discharged", "discharged_at": now} if number % 2 else {}),
        admitted_at=now,
    )
own = DiseaseCategory.objects.create(code="MRSA-ISOLATION", name="Isolation " * 20)
Patient.objects.create(name="W" * 100, category=own, external_id="X" * 100)
"""
# How wide each is, and has room to be; and how high the rows are.
WIDTHS = """() => ['html', '#content', '.results', '#changelist-filter']
    .map(part => document.querySelector(part))
    .filter(part => part.scrollWidth > part.clientWidth)
    .map(part => part.id || part.className || part.tagName)"""
HEIGHTS = """rows => rows.map(row => row.offsetHeight)"""
# Three lines of text, and the space around them.
HIGHEST_ROW = 70


@pytest.fixture
def tab(server, chromium):
    """A tab of the superuser's."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.goto(f"http://{server.host}/admin/")
    tab.get_by_label("Username:").fill("demo")
    tab.get_by_label("Password:").fill("demo")
    tab.get_by_role("button", name="Log in").click()
    yield tab
    context.close()


@pytest.fixture(scope="module")
def crowded(server):
    """Patients of every chapter, and such as no column is wide enough for."""
    server.shell(PATIENTS)


def address(server, rest=""):
    return f"http://{server.host}/admin/patients/patient/{rest}"


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("width", [1280, 1440])
def test_the_list_fits_with_the_menu_and_the_filters(server, crowded, tab, width, language):
    tab.set_viewport_size({"width": width, "height": 800})
    tab.set_extra_http_headers({"Accept-Language": language})
    tab.goto(address(server))
    expect(tab.locator("#changelist-filter")).to_be_visible()
    expect(tab.locator("#nav-sidebar")).to_be_visible()
    assert tab.evaluate(WIDTHS) == []
    usual = tab.locator("#result_list tbody tr", has_text="María")
    assert usual.count() == 22
    assert max(usual.evaluate_all(HEIGHTS)) <= HIGHEST_ROW


def test_the_full_name_of_a_category_is_its_short_ones_title(server, crowded, tab):
    tab.goto(address(server, "?q=María"))
    short = tab.locator("td.field-in_category").get_by_text("III Blood, immunity", exact=True)
    expect(short).to_have_attribute("title", re.compile("^Diseases of the blood and .* mechanism$"))


@pytest.mark.parametrize("page", ["1/change/", "add/"])
def test_the_form_fits(server, crowded, tab, page):
    tab.goto(address(server, page))
    assert tab.evaluate("document.scrollingElement.scrollWidth") == 1280
    select = tab.get_by_label("Category:").bounding_box()
    assert select["x"] + select["width"] < 1280


# ---- discharging


def stay_of(tab, name):
    """Return the status that the list shows."""
    row = tab.locator("#result_list tbody tr", has=tab.get_by_role("link", name=name, exact=True))
    return row.locator("td.field-status")


def choose(tab, action, names):
    for name in names:
        row = tab.locator("#result_list tbody tr", has=tab.get_by_role("link", name=name))
        row.get_by_role("checkbox").check()
    tab.get_by_label("Action:").select_option(label=action)
    tab.get_by_role("button", name="Go").click()


@pytest.fixture
def three(server):
    """Three who were just admitted."""
    server.shell(
        "from patients.models import DiseaseCategory, Patient\n"
        f"for name in {NAMES}:\n"
        "    Patient.objects.create(name=name, category=DiseaseCategory.objects.first())\n"
    )
    yield
    server.shell(
        f"from patients.models import Patient; Patient.objects.filter(name__in={NAMES}).delete()"
    )


def test_a_discharge_asks_and_is_undone(server, three, tab):
    tab.goto(address(server))
    choose(tab, "Discharge selected patients", ["Ann", "Ben"])
    expect(tab.get_by_text("Discharge 2 patients, now?")).to_be_visible()
    people = tab.get_by_role("list", name="Discharge 2 patients, now?")
    expect(people.get_by_role("listitem")).to_contain_text(["Ben", "Ann"])
    tab.get_by_role("button", name="Discharge 2 patients").click()

    expect(tab.locator(".messagelist")).to_contain_text("2 patients were discharged.")
    expect(stay_of(tab, "Ann")).to_have_text("discharged")
    expect(stay_of(tab, "Cid")).to_have_text("admitted")
    tab.get_by_role("link", name="Undo this discharge").click()
    expect(tab.get_by_text("Undo the discharge of 2 patients?")).to_be_visible()
    tab.get_by_role("button", name="Admit 2 patients again").click()

    expect(tab.locator(".messagelist")).to_contain_text("2 patients are admitted again.")
    for name in NAMES:
        expect(stay_of(tab, name)).to_have_text("admitted")
    tab.get_by_role("link", name="Ann", exact=True).click()
    tab.get_by_role("link", name="History").click()
    expect(tab.get_by_text("Changed Status and Discharged at. (admin)")).to_have_count(2)


def test_whoever_does_not_mean_it_goes_back_to_the_same_list(server, three, tab):
    filtered = address(server, "?q=Ann")
    tab.goto(filtered)
    choose(tab, "Discharge selected patients", ["Ann"])
    tab.get_by_role("link", name="No, take me back").click()
    tab.wait_for_url(filtered)
    expect(stay_of(tab, "Ann")).to_have_text("admitted")
