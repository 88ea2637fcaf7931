"""Failed log-ins: who is slowed, who is not, until when, and what is kept of it."""

import logging
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from axes.exceptions import AxesBackendRequestParameterRequired
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth import authenticate as django_authenticate
from django.test import AsyncClient, Client

from live.errors import RateLimited
from live.identity.login_throttle import authenticate
from live.identity.socket_request import socket_request

WARD, OFFICE = "192.0.2.1", "192.0.2.2"
FORM = "/login/"


@pytest.fixture(autouse=True)
def _small_limits(settings):
    """Fewer failures, as each costs a password hash: 2 of a pair, 6 of an address, 4 of a user."""
    keys = list(settings.LOGIN_FAILURE_LIMITS)
    settings.LOGIN_FAILURE_LIMITS = dict(zip(keys, (2, 6, 4), strict=True))
    settings.AXES_FAILURE_LIMIT = 2
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def socket_scope(address=WARD, **fields):
    """The scope of a socket from `address`."""
    scope = {
        "type": "websocket",
        "path": "/graphql/",
        "query_string": b"",
        "headers": [(b"user-agent", b"board/1")],
        "client": (address, 50000),
    }
    return {**scope, **fields}


def log_in(username, password, address=WARD, **fields):
    """Try a log-in over a socket from `address`."""
    request = socket_request(socket_scope(address, **fields))
    return authenticate(request, username=username, password=password)


def fail(username, times, address=WARD):
    """Fail `times`, with whatever answer."""
    for _ in range(times):
        with suppress(RateLimited):
            assert log_in(username, "wrong", address) is None


def age(by, **which):
    """Let the failures so far lie `by` longer in the past."""
    for attempt in AccessAttempt.objects.filter(**which):
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=attempt.attempt_time - by)


# ---- who is slowed


def test_the_right_password_is_refused_after_too_many_failures(nurse):
    assert log_in("nurse", "wrong") is None
    with pytest.raises(RateLimited):  # the failure that reaches the limit says so
        log_in("nurse", "wrong")
    with pytest.raises(RateLimited) as refused:
        log_in("nurse", "nurse")
    assert refused.value.extensions["code"] == "RATE_LIMITED"


def test_the_user_gets_in_from_elsewhere_and_others_from_here(nurse, doctor):
    fail("nurse", 2)
    assert log_in("nurse", "nurse", OFFICE) == nurse
    assert log_in("doctor", "doctor") == doctor


def test_an_address_that_tries_many_users_is_refused_for_all(nurse, doctor):
    for name in ("a", "b", "c"):
        fail(name, 2)
    with pytest.raises(RateLimited):
        log_in("doctor", "doctor")
    assert log_in("doctor", "doctor", OFFICE) == doctor


def test_a_user_tried_from_many_addresses_is_refused_everywhere(nurse):
    fail("nurse", 2, "198.51.100.1")
    assert log_in("nurse", "nurse") == nurse
    fail("nurse", 2, "198.51.100.2")
    fail("nurse", 2, "198.51.100.3")
    with pytest.raises(RateLimited):
        log_in("nurse", "nurse")


def test_one_address_locks_nobody_out_elsewhere_however_long_it_tries(nurse):
    fail("nurse", 20)
    assert log_in("nurse", "nurse", OFFICE) == nurse


def test_nor_does_it_with_many_tries_at_once(nurse):
    """Those that are under way when the lock is set are counted beyond it."""
    fail("nurse", 2)
    AccessAttempt.objects.update(failures_since_start=50)
    assert log_in("nurse", "nurse", OFFICE) == nurse


def test_another_browser_is_no_fresh_start(nurse):
    for agent in (b"one", b"two"):
        with suppress(RateLimited):
            log_in("nurse", "wrong", headers=[(b"user-agent", agent)])
    with pytest.raises(RateLimited):
        log_in("nurse", "nurse", headers=[(b"user-agent", b"three")])


def test_a_success_forgets_this_users_failures_here(nurse):
    fail("nurse", 1)
    client = Client(REMOTE_ADDR=WARD)
    assert client.post(FORM, {"username": "nurse", "password": "nurse"}).status_code == 302
    fail("nurse", 1)
    assert log_in("nurse", "nurse") == nurse


def test_a_success_does_not_forget_the_failures_with_other_users(nurse, doctor):
    fail("doctor", 1)
    Client(REMOTE_ADDR=WARD).post(FORM, {"username": "nurse", "password": "nurse"})
    fail("doctor", 1)
    with pytest.raises(RateLimited):
        log_in("doctor", "doctor")


def test_a_limit_of_zero_is_none(nurse, settings):
    settings.LOGIN_FAILURE_LIMITS = {**settings.LOGIN_FAILURE_LIMITS, ("ip_address",): 0}
    for name in "abcd":
        fail(name, 2)
    assert log_in("nurse", "nurse") == nurse


# ---- until when


def test_a_lock_ends_when_it_said(nurse, settings):
    begun = time.monotonic()
    fail("nurse", 2)
    with pytest.raises(RateLimited) as refused:
        log_in("nurse", "nurse")
    seconds = refused.value.extensions["retryAfter"]
    passed = time.monotonic() - begun
    # The 15 minutes of the settings, in whole seconds.
    assert 899 - passed <= seconds <= 900
    age(timedelta(seconds=seconds))
    assert log_in("nurse", "nurse") == nurse


def test_going_on_does_not_prolong_a_lock(nurse):
    begun = time.monotonic()
    fail("nurse", 2)
    age(timedelta(minutes=10))
    fail("nurse", 3)
    with pytest.raises(RateLimited, match="in 5 minutes") as refused:
        log_in("nurse", "nurse")
    passed = time.monotonic() - begun
    assert 299 - passed <= refused.value.extensions["retryAfter"] <= 300


def test_the_wait_is_for_as_many_failures_as_must_be_forgotten(nurse):
    """Six of an address are too many: when the oldest two are forgotten, four are left."""
    for minutes, name in ((12, "a"), (7, "b"), (2, "c")):
        fail(name, 2)
        age(timedelta(minutes=minutes), failures_since_start=2, username=_stored_name())
    with pytest.raises(RateLimited, match="in 3 minutes"):
        log_in("nurse", "nurse")


def _stored_name():
    return AccessAttempt.objects.order_by("-id").first().username


def test_one_minute_is_not_one_minutes(nurse):
    fail("nurse", 2)
    age(timedelta(minutes=14, seconds=30))
    with pytest.raises(RateLimited, match=r"in 1 minute\.$"):
        log_in("nurse", "nurse")


# ---- what a stranger learns


def test_the_answers_are_the_same_for_a_user_that_does_not_exist(nurse):
    def answers(name):
        for password in ("wrong", "wrong", "right?"):
            try:
                yield log_in(name, password)
            except RateLimited as refused:
                yield refused.message, refused.extensions["code"]

    assert list(answers("nurse")) == list(answers("nobody"))


def test_an_inactive_user_is_as_unknown(nurse):
    nurse.is_active = False
    nurse.save()
    assert log_in("nurse", "nurse") is None


@pytest.mark.parametrize("text", ["nurse\0", "nurse\ud800"])
def test_what_no_database_holds_is_nobody(nurse, text):
    assert log_in(text, "x") is None
    assert log_in("nurse", text) is None
    assert not AccessAttempt.objects.exists()


def test_a_very_long_name_is_nobody_and_counted(db):
    fail("x" * 10_000, 2)
    attempt = AccessAttempt.objects.get()
    assert len(attempt.username) <= 255
    assert attempt.failures_since_start == 2


# ---- what is kept


def everything_stored():
    return str([*AccessAttempt.objects.values(), *AccessLog.objects.values()])


def test_neither_passwords_nor_the_form_are_kept_or_logged(nurse, caplog):
    caplog.set_level(logging.DEBUG)
    client = Client(REMOTE_ADDR=WARD)
    address = FORM + "?next=/admin/patients/patient/?q=Vanderbilt"
    client.post(address, {"username": "nurse", "password": "s3cret", "next": "/Vanderbilt"})
    client.post(address, {"username": "s3cret", "password": "nurse"})
    stored, logged = everything_stored(), caplog.text
    assert AccessAttempt.objects.count() == 2
    assert "nurse" in stored  # an administrator must see who is locked
    for text in ("s3cret", "Vanderbilt"):
        assert text not in stored
        assert text not in logged
    assert "nurse" not in logged
    assert WARD in logged


def test_successful_log_ins_are_not_kept(nurse):
    Client().post(FORM, {"username": "nurse", "password": "nurse"})
    assert not AccessLog.objects.exists()
    assert not AccessAttempt.objects.exists()


# ---- forms


@pytest.fixture
def locked(nurse):
    """The nurse may not try again from the ward."""
    fail("nurse", 2)


GOOD = {"username": "nurse", "password": "nurse"}


@pytest.mark.parametrize("address", [FORM, "/admin/login/?next=/admin/"])
def test_a_locked_form_answers_with_our_page(locked, address):
    client = Client(REMOTE_ADDR=WARD, HTTP_ACCEPT="text/html,*/*;q=0.8")
    response = client.post(address, GOOD)
    assert response.status_code == 429
    assert 890 < int(response["Retry-After"]) <= 900
    assert "no-store" in response["Cache-Control"]
    assert "registration/locked_out.html" in [template.name for template in response.templates]
    page = response.content.decode()
    assert "Try again in 15 minutes." in page
    assert f'href="{address}"' in page
    assert "sessionid" not in client.cookies


async def test_the_same_behind_the_asynchronous_handler(transactional_db):
    await sync_to_async(fail)("nobody", 2, "127.0.0.1")
    response = await AsyncClient().post(FORM, {"username": "nobody", "password": "x"})
    assert response.status_code == 429
    assert "Try again in 15 minutes." in response.content.decode()


def test_a_program_gets_json(locked):
    client = Client(REMOTE_ADDR=WARD, HTTP_ACCEPT="application/json")
    response = client.post(FORM, GOOD)
    assert response.status_code == 429
    [error] = response.json()["errors"]
    assert error["extensions"] == {
        "code": "RATE_LIMITED",
        "retryAfter": int(response["Retry-After"]),
    }


def test_the_form_itself_and_those_who_are_in_are_left_alone(locked, nurse):
    client = Client(REMOTE_ADDR=WARD)
    assert client.get(FORM).status_code == 200
    client.force_login(nurse)
    assert client.get("/admin/").status_code == 302


def test_a_socket_without_an_address_is_counted_too(nurse):
    scope = socket_scope(client=None)
    for _ in range(2):
        with suppress(RateLimited):
            authenticate(socket_request(scope), username="nurse", password="wrong")
    with pytest.raises(RateLimited):
        authenticate(socket_request(scope), username="nurse", password="nurse")


def test_a_log_in_without_a_request_is_an_error_not_a_hole(nurse):
    with pytest.raises(AxesBackendRequestParameterRequired):
        django_authenticate(None, username="nurse", password="nurse")
