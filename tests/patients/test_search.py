"""The search for patients: what it finds, and how much may be asked; PostgreSQL runs it too."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.errors import BadInput
from patients.models import Patient
from patients.search import MOST_CHARACTERS, MOST_WORDS, matching
from tests.patients.asking import ask

pytestmark = pytest.mark.django_db(transaction=True)

SEARCH = "query ($text: String) { patients(search: $text) { edges { node { name } } } }"
# Letters in two cases, what LIKE and trigrams treat apart, and a letter beyond ASCII.
LETTERS = "abAB1%_-\\'é李"
WORDS = st.text(LETTERS, min_size=1, max_size=5)
TEXTS = st.lists(WORDS, max_size=4).map(" ".join)


def add(category, name, reason="", external_id=""):
    values = {"reason": reason, "external_id": external_id, "category": category}
    return Patient.objects.create(name=name, **values)


def found(text):
    return {patient.name for patient in matching(Patient.objects.all(), text)}


def test_each_word_is_found_somewhere(categories):
    add(categories["I"], "Ada Lovelace", "Fever since Monday", "E-2041")
    for text in ("love", "LOVE fever", "ada e-204", "e-2041", "monday ada", "", "Ad", "a"):
        assert found(text) == {"Ada Lovelace"}, text
    for text in ("lovelaces", "ada bo", "204-", "qq"):
        assert found(text) == set(), text


def test_a_short_word_is_not_looked_for_in_reasons(categories):
    add(categories["I"], "Li Wei", "Fever", "E7")
    assert found("li") == found("Wei fev") == found("e7") == {"Li Wei"}
    assert found("fe") == set()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(WORDS, TEXTS), max_size=3), text=TEXTS)
def test_an_index_finds_no_other_patients_than_reading_all(categories, rows, text):
    Patient.objects.all().delete()
    for name, reason in rows:
        add(categories["I"], name, reason)
    assert found(text) == {name for name, reason in rows if has_all(name, reason, text)}


def has_all(name, reason, text):
    name, reason = folded(name), folded(reason)
    words = folded(text).split()
    return all(word in name or (len(word) > 2 and word in reason) for word in words)


def folded(text):
    """Return `text` as the database compares it: SQLite knows the case of ASCII only."""
    ascii_only = connection.vendor == "sqlite"
    return "".join(c.lower() if c.isascii() or not ascii_only else c for c in text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a " * MOST_WORDS, None),
        ("a " * (MOST_WORDS + 1), "search may have 10 words at most."),
        ("a" * MOST_CHARACTERS, None),
        ("a" * (MOST_CHARACTERS + 1), "search may have 200 characters at most."),
    ],
)
def test_a_search_has_bounds(nurse, text, error):
    answer = ask(nurse, SEARCH, text=text)
    assert [each["message"] for each in answer.get("errors", [])] == ([error] if error else [])
    if error:
        assert answer["errors"][0]["extensions"]["code"] == BadInput.code


def test_the_admin_says_what_is_wrong_with_a_search_that_is_too_long(admin_client, categories):
    add(categories["I"], "Ada")
    page = admin_client.get("/admin/patients/patient/", {"q": "a " * (MOST_WORDS + 1)})
    assert "A search may have 10 words and 200 characters at most." in page.text
    assert "Ada" not in page.text
    assert "Ada" in admin_client.get("/admin/patients/patient/", {"q": "ad"}).text


def test_postgresql_uses_its_indexes(categories):
    if connection.vendor != "postgresql":
        return  # SQLite has none: it reads all patients
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        plan = matching(Patient.objects.order_by(), "love").explain()
        cursor.execute("SET enable_seqscan = on")
    for place in ("name", "reason", "external_id"):
        assert f"patient_search_{place}" in plan
