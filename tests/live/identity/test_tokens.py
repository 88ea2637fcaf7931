"""Access tokens: what opens something, for how long, and what of it is stored."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from live.errors import BadInput
from live.identity.tokens import (
    bearer_secret,
    find_token,
    issue_token,
    revoke_token,
    token_is_valid,
)
from live.models import AccessToken

HOUR = timedelta(hours=1)


def issue(user, **fields):
    """Return a new token and its secret; `fields` overwrite what is stored."""
    token, secret = issue_token(user=user, expires_in=HOUR)
    AccessToken.objects.filter(pk=token.pk).update(**fields)
    return token, secret


def test_a_secret_finds_its_token_and_user(nurse, django_assert_num_queries):
    token, secret = issue_token(user=nurse, label="ward board", expires_in=HOUR)
    AccessToken.objects.update(last_used_at=timezone.now())
    with django_assert_num_queries(1):
        found = find_token(secret)
        assert found == token
        assert found.user == nurse
    assert found.label == "ward board"
    assert token_is_valid(token.pk)


def test_the_secret_is_random_recognisable_and_not_stored(nurse):
    token, secret = issue_token(user=nurse, expires_in=None)
    assert secret.startswith("wct_")
    assert len(secret) == len("wct_") + 43  # 256 bits in base64
    assert secret != issue_token(user=nurse, expires_in=None)[1]
    row = AccessToken.objects.filter(pk=token.pk).values().get()
    assert row["digest"] == hashlib.sha256(secret.encode()).hexdigest()
    assert not any(secret[4:] in str(value) for value in row.values())


def test_neither_str_nor_repr_hold_the_digest(nurse):
    token, _ = issue_token(user=nurse, expires_in=None)
    assert token.digest not in f"{token} {token!r}"


def test_a_token_without_expiry_stays(nurse):
    token, secret = issue_token(user=nurse, expires_in=None)
    assert token.expires_at is None
    assert find_token(secret) == token
    assert token.state == "valid"


@pytest.mark.parametrize(("field", "state"), [("expires_at", "expired"), ("revoked_at", "revoked")])
def test_an_expired_or_revoked_token_opens_nothing(nurse, field, state):
    token, secret = issue(nurse, **{field: timezone.now()})
    assert find_token(secret) is None
    assert not token_is_valid(token.pk)
    token.refresh_from_db()
    assert token.state == state


def test_an_inactive_users_token_opens_nothing(nurse):
    token, secret = issue(nurse)
    nurse.is_active = False
    nurse.save()
    assert find_token(secret) is None
    assert not token_is_valid(token.pk)


def test_a_deleted_users_tokens_go_too(nurse):
    token, secret = issue(nurse)
    nurse.delete()
    assert find_token(secret) is None
    assert not token_is_valid(token.pk)


def test_revoking_keeps_the_first_date(nurse):
    token, _ = issue(nurse)
    revoke_token(token=token)
    first = AccessToken.objects.get(pk=token.pk).revoked_at
    assert first is not None
    revoke_token(token=token)
    assert AccessToken.objects.get(pk=token.pk).revoked_at == first


def test_use_is_noted_once_an_hour(nurse):
    token, secret = issue(nurse)
    find_token(secret)
    token.refresh_from_db()
    noted = token.last_used_at
    assert noted is not None
    find_token(secret)
    token.refresh_from_db()
    assert token.last_used_at == noted
    AccessToken.objects.update(last_used_at=noted - 2 * HOUR)
    find_token(secret)
    token.refresh_from_db()
    assert token.last_used_at >= noted


@pytest.mark.parametrize("secret", ["", "wct_", "x" * 47, "wct_" + "ü" * 43, "wct_" + "A" * 44])
def test_what_cannot_be_a_secret_is_not_looked_up(db, secret, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert find_token(secret) is None


def test_an_unknown_secret_finds_nothing(nurse):
    _, secret = issue(nurse)
    assert find_token(secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None


@pytest.mark.parametrize("expires_in", [timedelta(), -HOUR, timedelta.max])
def test_an_impossible_expiry_is_refused(nurse, expires_in):
    with pytest.raises(ValueError, match="expire"):
        issue_token(user=nurse, expires_in=expires_in)
    assert not AccessToken.objects.exists()


def test_a_label_that_does_not_fit_is_refused(nurse):
    with pytest.raises(ValueError, match="at most 100"):
        issue_token(user=nurse, label="x" * 101, expires_in=None)
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_without_its_case(scheme):
    assert bearer_secret(f"{scheme} wct_abc-._~+/123==") == "wct_abc-._~+/123=="


@pytest.mark.parametrize("header", ["", "Basic dXNlcjpwYXNz", "BearerX abc", "Token abc", "abc"])
def test_another_scheme_is_not_ours(header):
    assert bearer_secret(header) is None


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b", "bearer a,b", "Bearer é"])
def test_bearer_with_anything_but_one_token_is_bad_input(header):
    with pytest.raises(BadInput, match=r"must read: Bearer TOKEN$"):
        bearer_secret(header)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_lets_a_tokens_holder_read(nurse, caplog):
    if connection.vendor != "sqlite":
        pytest.skip("the pragma is SQLite's")
    token, secret = issue_token(user=nurse, expires_in=None)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            assert find_token(secret) == token
        finally:
            cursor.execute("PRAGMA query_only = OFF")
    assert [message.split(":")[0] for message in caplog.messages] == ["A token's use was not noted"]
