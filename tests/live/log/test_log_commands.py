"""`manage.py prune_events` and `manage.py new_epoch`."""

import io
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone

from live.identity.tokens import issue_token
from live.log import store
from live.log.cursor import Cursor
from live.models import AccessToken
from tests.live.log.writing import age, append, held

pytestmark = pytest.mark.django_db(transaction=True)


def run(*command):
    """Run a command; return what it printed."""
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ([], [3, 4]),
        (["--older-than", "7d"], [3, 4]),
        (["--older-than", "9d"], [2, 3, 4]),
        (["--older-than", "100d"], [1, 2, 3, 4]),
        (["--older-than", "2880m"], [4]),
        (["--older-than", "48h"], [4]),
        (["--older-than", "100h"], [3, 4]),
        (["--older-than", "0m"], []),
    ],
)
def test_what_is_older_is_pruned(arguments, kept):
    append(*"abcd")
    for number, days in ((1, 10), (2, 8), (3, 3)):
        age(number, days=days)
    assert run("prune_events", *arguments).startswith(f"{4 - len(kept)} events deleted.\n")
    assert [number for number, _ in held()] == kept
    assert store.end().number == 4


@pytest.mark.parametrize("text", ["7", "d", "-1d", "7w", "7 d", "1.5h", "", "999999d", "٧d"])
def test_what_is_no_age_is_refused_and_nothing_pruned(text):
    append("a")
    age(1, days=100)
    with pytest.raises(CommandError, match="is not an age such as 7d, 12h or 30m"):
        run("prune_events", f"--older-than={text}")
    assert len(held()) == 1


def test_the_longest_age_it_takes():
    append("a")
    age(1, days=36500)
    assert run("prune_events", "--older-than", "99999d").startswith("0 events deleted.\n")


def test_what_has_expired_goes_too_and_nothing_else(visitor):
    hour = timedelta(hours=1)
    for label in ("expired", "valid", "revoked"):
        issue_token(user=visitor, label=label, expires_in=hour)
    issue_token(user=visitor, label="for ever", expires_in=None)
    AccessToken.objects.filter(label="expired").update(expires_at=timezone.now())
    AccessToken.objects.filter(label="revoked").update(revoked_at=timezone.now())
    for key, ends in (("old", -hour), ("new", hour)):
        Session.objects.create(session_key=key, expire_date=timezone.now() + ends)
    out = run("prune_events")
    assert (
        out == "0 events deleted.\n1 expired access tokens deleted.\n1 expired sessions deleted.\n"
    )
    labels = set(AccessToken.objects.values_list("label", flat=True))
    assert labels == {"valid", "revoked", "for ever"}
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]


def test_a_new_epoch_keeps_the_records_and_expires_the_cursors():
    before = append("one")
    assert "new epoch" in run("new_epoch")
    end = store.end()
    assert (end.epoch != before.epoch, end.number) == (True, 1)
    assert not store.extent().reaches(before)
    assert append("two") == Cursor(end.epoch, 2)
    assert held() == [(1, "one"), (2, "two")]
