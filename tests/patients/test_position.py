"""The position of a page of patients: a subscription after it leaves nothing out."""

import pytest

from live.log import store
from live.log.cursor import decode
from patients.models import Patient
from tests.patients.asking import data

PAGE = "{ patients { position edges { node { name } } } }"
pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_written_while_the_page_is_read_is_told_after_its_position(
    doctor, categories, monkeypatch
):
    read_position = store.position

    def then_write():
        position = read_position()
        Patient.objects.create(name="Meanwhile", category=categories["I"])
        return position

    monkeypatch.setattr(store, "position", then_write)
    page = data(doctor, PAGE)["patients"]
    assert [edge["node"]["name"] for edge in page["edges"]] == ["Meanwhile"]
    assert store.end().number == decode(page["position"]).number + 1


def test_nobody_reads_a_position_that_is_not_asked_for(doctor, categories, monkeypatch):
    monkeypatch.setattr(store, "position", lambda: pytest.fail("the position was read"))
    assert data(doctor, "{ patients { edges { node { name } } } }") == {"patients": {"edges": []}}
