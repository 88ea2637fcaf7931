"""ICD-10's chapters have names in the reader's language; a hospital's own stay as they are."""

import json

import pytest
from django.test import Client

from patients.icd10 import CHAPTERS, name_in
from patients.models import Patient

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = "{ diseaseCategories { code name } }"


def names(user, language):
    """Return what a client of this language is told over HTTP, by code."""
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    body = json.dumps({"query": NAMES})
    answer = client.post("/graphql/", body, content_type="application/json").json()
    return {each["code"]: each["name"] for each in answer["data"]["diseaseCategories"]}


def test_a_client_has_the_chapters_in_its_language(nurse):
    assert names(nurse, "fr")["IX"] == "Maladies de l’appareil circulatoire"
    assert names(nurse, "en")["IX"] == "Diseases of the circulatory system"


def test_a_name_that_a_hospital_gave_is_nobodys_to_translate(nurse, categories):
    categories["IX"].name = "Heart centre"
    categories["IX"].save()
    # Another chapter's name is its own, too.
    categories["X"].name = categories["II"].name
    categories["X"].save()
    told = names(nurse, "fr")
    assert (told["IX"], told["X"]) == ("Heart centre", "Neoplasms")


def test_every_chapter_has_a_french_name():
    english = {code: name for code, name, _ in CHAPTERS}
    french = {code: name_in("fr", code, name) for code, name in english.items()}
    assert not set(french.values()) & set(english.values())
    assert len(set(french.values())) == 22


def test_the_admin_shows_the_chapters_in_french(admin_client):
    page = admin_client.get(
        "/admin/patients/diseasecategory/", headers={"accept-language": "fr"}
    ).text
    assert "Maladies de l’appareil circulatoire" in page
    assert "Diseases of" not in page
    form = admin_client.get("/admin/patients/patient/add/", headers={"accept-language": "fr"}).text
    assert "IX Maladies de l’appareil circulatoire" in form


def test_the_admins_list_has_names_in_its_readers_language(admin_client, categories):
    Patient.objects.create(name="Ann", category=categories["IX"])
    page = admin_client.get("/admin/patients/patient/", headers={"accept-language": "fr"})
    assert 'title="Maladies de l’appareil circulatoire"' in page.text
