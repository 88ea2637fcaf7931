"""Every change of rights is told to the hubs."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction

from live.identity import revocation
from live.identity.tokens import issue_token, revoke_token
from live.log import records, store
from live.log.records import Kind


@pytest.fixture
def told(monkeypatch, db):
    """What was told to the hubs: sets of users, None for everybody."""
    users = []

    def write(record):
        assert (record.kind, record.groups) == (Kind.RIGHTS, ())
        users.append(None if record.body is None else set(record.body))

    monkeypatch.setattr(revocation, "write", write)
    return users


@pytest.fixture
def group(db):
    return Group.objects.create(name="group")


CHANGES = {
    "saved": lambda user, group: user.save(),
    "password": lambda user, group: (user.set_password("x"), user.save()),
    "inactive": lambda user, group: (setattr(user, "is_active", False), user.save()),
    "group added": lambda user, group: user.groups.add(group),
    "group added from its side": lambda user, group: group.user_set.add(user),
    "permission added": lambda user, group: user.user_permissions.add(1),
    "permission set": lambda user, group: user.user_permissions.set([1, 2]),
    "permission added from its side": lambda user, group: Permission.objects.get(pk=1).user_set.add(
        user
    ),
    "deleted": lambda user, group: user.delete(),
    "deleted in bulk": lambda user, group: User.objects.filter(pk=user.pk).delete(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_one_user_is_told_of_that_one(told, nurse, visitor, group, change):
    told.clear()
    key = nurse.pk
    CHANGES[change](nurse, group)
    assert told
    assert all(users == {key} for users in told)


def test_what_a_log_in_writes_takes_nothing_away(told, nurse):
    told.clear()
    nurse.save(update_fields=["last_login"])
    assert told == []


def test_a_new_user_has_no_sockets(told):
    User.objects.create_user("new")
    assert told == []


GROUP_CHANGES = {
    "permission removed": lambda group: group.permissions.remove(1),
    "permissions cleared": lambda group: group.permissions.clear(),
    "deleted": lambda group: group.delete(),
    "deleted in bulk": lambda group: Group.objects.filter(pk=group.pk).delete(),
    "members removed": lambda group: group.user_set.set([]),
}


@pytest.mark.parametrize("change", GROUP_CHANGES)
def test_a_change_of_a_group_is_told_of_its_members(told, nurse, visitor, group, change):
    group.permissions.add(1)
    group.user_set.add(nurse)
    told.clear()
    GROUP_CHANGES[change](group)
    assert told == [{nurse.pk}]


@pytest.mark.parametrize(
    "change",
    [
        lambda group: group.user_set.clear(),
        lambda group: Permission.objects.get(pk=1).group_set.clear(),
        lambda group: Permission.objects.get(pk=1).delete(),
    ],
)
def test_where_it_is_not_known_whose_they_were_everybody_is_looked_at(told, nurse, group, change):
    group.permissions.add(1)
    group.user_set.add(nurse)
    told.clear()
    change(group)
    assert None in told


def test_a_token_that_ends_is_told(told, nurse):
    told.clear()
    token, _ = issue_token(user=nurse, expires_in=None)
    assert told == []
    revoke_token(token=token)
    assert told == [{nurse.pk}]
    token.delete()
    assert told == [{nurse.pk}] * 2


def test_a_session_that_ends_is_told(told, client, nurse, visitor):
    client.force_login(nurse)
    client.get("/login/")
    told.clear()
    client.logout()
    assert told == [{nurse.pk}]


def test_a_session_of_nobody_is_no_change(told, client):
    client.session.save()
    client.session.flush()
    assert told == []


def test_an_empty_set_of_users_is_told_to_nobody(told):
    revocation.rights_changed([])
    assert told == []


@pytest.mark.django_db(transaction=True)
def test_a_change_is_a_record_of_the_log_as_its_transaction_is(unsent, nurse):
    before = store.end().number
    unsent.clear()
    with transaction.atomic():
        nurse.save()
        assert unsent == []
    with transaction.atomic():
        nurse.save()
        transaction.set_rollback(True)
    [(number, packed)] = store.read(before + 1, before + 9)
    assert records.unpack(packed) == records.rights([nurse.pk])
    [message] = unsent
    assert (message["last"], message["records"]) == (number, [packed])
