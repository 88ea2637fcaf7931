"""In autocommit, a row and the record that tells of it are written together, or neither."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group

from careteam.models import ChatMessage, Notice, Room
from live.identity.tokens import issue_token, revoke_token
from live.log import numbering, store
from live.log.append import one_batch
from live.models import AccessToken
from patients.models import DiseaseCategory, Patient

pytestmark = pytest.mark.django_db(transaction=True)


class LogIsAway(Exception):
    """What stands for the end of the process between a row and its record."""


@pytest.fixture
def room():
    return Room.objects.create(name="kitchen")


@pytest.fixture
def token(nurse):
    return issue_token(user=nurse, expires_in=None)[0]


@pytest.fixture
def log_away(monkeypatch):
    """Return a function from whose call on every append to the log fails."""

    def fail(*_):
        raise LogIsAway

    return lambda: monkeypatch.setattr(numbering, "append", fail)


# ---- saves

WRITES = {
    "a token is revoked": (AccessToken, lambda have: revoke_token(token=have("token"))),
    "a token is deleted": (AccessToken, lambda have: have("token").delete()),
    "a category is new": (
        DiseaseCategory,
        lambda have: DiseaseCategory.objects.create(code="X1", name="New"),
    ),
    "a category is renamed": (DiseaseCategory, lambda have: rename(have("categories")["I"])),
    "a category is deleted": (DiseaseCategory, lambda have: have("categories")["I"].delete()),
    "a category is restricted": (
        DiseaseCategory.viewers.through,
        lambda have: have("categories")["I"].viewers.add(have("group")),
    ),
    "a room is closed": (Room, lambda have: close(have("room"))),
    "a message is written": (
        ChatMessage,
        lambda have: ChatMessage.objects.create(room=have("room"), sender="Bo", text="Tea"),
    ),
    "a patient is admitted": (
        Patient,
        lambda have: Patient.objects.create(name="Ada", category=have("categories")["I"]),
    ),
}


def rename(category):
    category.name = "Another"
    category.save()


def close(room):
    room.closed = True
    room.save()


@pytest.fixture
def group():
    return Group.objects.create(name="insiders")


@pytest.mark.parametrize("write", WRITES)
def test_what_cannot_be_told_is_not_written(
    request, categories, room, token, group, log_away, write
):
    model, carry_out = WRITES[write]
    before = list(model.objects.order_by("pk").values())
    log_away()
    with pytest.raises(LogIsAway):
        carry_out(request.getfixturevalue)
    assert list(model.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_is_told(request, categories, room, token, group, write):
    model, carry_out = WRITES[write]
    before = list(model.objects.order_by("pk").values())
    end = store.end().number
    carry_out(request.getfixturevalue)
    assert list(model.objects.order_by("pk").values()) != before
    assert store.end().number > end


def test_a_rename_that_cannot_be_told_closes_no_room(categories, log_away):
    category = categories["I"]
    Room.objects.create(name=category.name)
    log_away()
    with pytest.raises(LogIsAway):
        rename(category)
    assert not Room.objects.filter(closed=True).exists()


# ---- the admin's actions


def run(admin_client, path, action, rows):
    # With the answer to a page that asks first.
    chosen = {"action": action, "_selected_action": [row.pk for row in rows], "post": "yes"}
    admin_client.post(f"/admin/{path}/", chosen)


def test_the_selected_tokens_are_revoked_together_or_not_at_all(admin_client, nurse, monkeypatch):
    tokens = [issue_token(user=nurse, expires_in=None)[0] for _ in range(2)]
    end = store.end().number
    noted = LogEntry.objects.log_actions

    def fail_at_the_second(user_id, queryset, *args, **kwargs):
        if queryset[0] == tokens[1]:
            raise LogIsAway
        return noted(user_id, queryset, *args, **kwargs)

    monkeypatch.setattr(LogEntry.objects, "log_actions", fail_at_the_second)
    with pytest.raises(LogIsAway):
        run(admin_client, "live/accesstoken", "revoke", tokens)
    assert AccessToken.objects.filter(revoked_at=None).count() == 2
    assert not LogEntry.objects.exists()
    assert store.end().number == end


@pytest.mark.parametrize("page", ["patients/patient", "careteam/notice"])
def test_what_an_action_changes_stands_in_the_history_or_is_not_changed(
    admin_client, categories, monkeypatch, page
):
    def fail(*args, **kwargs):
        raise LogIsAway

    action, row = {
        "patients/patient": (
            "discharge",
            lambda: Patient.objects.create(name="Ada", category=categories["I"]),
        ),
        "careteam/notice": ("publish", lambda: Notice.objects.create(title="Tea")),
    }[page]
    row = row()
    before, end = type(row).objects.values().get(), store.end().number
    monkeypatch.setattr(LogEntry.objects, "bulk_create", fail)
    with pytest.raises(LogIsAway):
        run(admin_client, page, action, [row])
    assert type(row).objects.values().get() == before
    assert store.end().number == end


# ---- within other transactions


def test_a_save_in_a_batch_is_told_at_the_batchs_end(token, categories):
    with one_batch():
        end = store.end().number
        revoke_token(token=token)
        rename(categories["I"])
        assert store.end().number == end
    assert store.end().number == end + 2
