"""Who may import, and who may know of an import."""

import pytest
from asgiref.sync import sync_to_async as to_thread
from django.contrib.auth.models import AnonymousUser, Group

from patients.imports import background, runner
from patients.imports.models import ImportRun
from patients.models import DiseaseCategory, Patient
from patients.schema.import_progress import import_id
from server.asgi import Consumer
from tests.conftest import make_user
from tests.live.wire import Wire
from tests.patients.asking import ask, codes
from tests.patients.imports.calls import IMPORT, PROGRESS, RUN, UPLOAD, ended, start

pytestmark = pytest.mark.django_db(transaction=True)

FORBIDDEN = ["FORBIDDEN"]


def people():
    rights = ("add_patient", "change_patient")
    return {
        "anonymous": (None, ["UNAUTHENTICATED"]),
        "not staff": (make_user("clerk", *rights), FORBIDDEN),
        "may not add": (make_user("changer", "change_patient", is_staff=True), FORBIDDEN),
        "may not change": (make_user("adder", "add_patient", is_staff=True), FORBIDDEN),
    }


@pytest.mark.parametrize("who", ["anonymous", "not staff", "may not add", "may not change"])
async def test_others_may_do_nothing(db, registrar, root, who):
    user, expected = (await to_thread(people)())[who]
    run = import_id((await to_thread(ImportRun.objects.create)(started_by=registrar)).pk)
    for query, variables in (
        (IMPORT, {"directory": "march"}),
        (UPLOAD, {"file": "PATIENTS", "content": "x"}),
        (RUN, {"id": run}),
    ):
        assert codes(await to_thread(ask)(user, query, **variables)) == expected
    async with Wire(Consumer.as_asgi(), user or AnonymousUser()) as wire:
        assert await wire.subscribe(PROGRESS % run) == expected
    assert await to_thread(ImportRun.objects.count)() == 1


async def test_anothers_import_is_one_that_does_not_exist(db, registrar):
    other = await to_thread(make_user)("other", is_superuser=True, is_staff=True)
    run = await to_thread(ImportRun.objects.create)(started_by=registrar)
    answers = []
    async with Wire(Consumer.as_asgi(), other) as wire:
        for number, pk in enumerate((run.pk, run.pk + 1, 10**30)):
            answers.append(await to_thread(ask)(other, RUN, id=import_id(pk)))
            assert await wire.subscribe(PROGRESS % import_id(pk), str(number)) == ["NOT_FOUND"]
    assert answers[0] == answers[1] == answers[2]
    assert codes(answers[0]) == ["NOT_FOUND"]
    upload = {"file": "PATIENTS", "content": "x", "upload": import_id(run.pk)}
    assert codes(await to_thread(ask)(other, UPLOAD, **upload)) == ["NOT_FOUND"]
    assert codes(await to_thread(ask)(other, IMPORT, upload=import_id(run.pk))) == ["NOT_FOUND"]


def test_who_does_not_see_a_category_may_not_write_to_it(registrar, root):
    group = Group.objects.create(name="psychiatry")
    DiseaseCategory.objects.get(code="V").viewers.add(group)
    assert codes(ask(registrar, IMPORT, directory="march")) == FORBIDDEN
    registrar.groups.add(group)
    assert ended(registrar, start(registrar, directory="march"))["created"] == 3


def test_a_right_that_was_taken_away_while_it_waited_stops_it(registrar, root, monkeypatch):
    monkeypatch.setattr(background, "hand_over", lambda run: None)
    run = start(registrar, directory="march")
    registrar.user_permissions.clear()
    runner.perform(ImportRun.objects.get().pk)
    assert ImportRun.objects.get().error == "You do not have permission to do this."
    assert codes(ask(registrar, RUN, id=run)) == FORBIDDEN
    assert not Patient.objects.exists()
