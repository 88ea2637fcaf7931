"""Imports in the admin."""

import pytest

from patients.imports import runner
from patients.imports.models import ImportRun
from patients.models import Patient
from tests.patients.imports.calls import silent

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_admin_shows_imports_and_changes_none(admin_client, registrar):
    run = silent(started_by=registrar, directory="march", attempt=1)
    page = "/admin/patients/importrun/"
    french = admin_client.get(page, headers={"Accept-Language": "fr"}).content.decode()
    assert "march" in french
    assert "échoué" in french, "as clients are shown it: its server is gone"
    assert admin_client.get(f"{page}{run.pk}/change/").status_code == 200
    assert admin_client.post(f"{page}{run.pk}/change/", {"directory": "x"}).status_code == 403
    assert admin_client.get(f"{page}add/").status_code == 403
    run.refresh_from_db()
    assert run.directory == "march"


def test_an_import_that_is_deleted_in_the_admin_stops(admin_client, registrar, root, monkeypatch):
    run = ImportRun.objects.create(started_by=registrar, directory="march")
    original = runner.PatientImport

    def deleted(*arguments):
        answer = admin_client.post(f"/admin/patients/importrun/{run.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 302
        return original(*arguments)

    monkeypatch.setattr(runner, "PatientImport", deleted)
    runner.perform(run.pk)
    assert not Patient.objects.exists()
    assert not ImportRun.objects.exists()
