"""What every test may use: staff with different rights, categories, and clean engine state."""

import os
import shutil

import pytest


def require_program(name: str, package: str) -> str:
    """Return the path of program `name`; skip the test without it, or fail where CI=true."""
    path = shutil.which(name)
    if path is None:
        missing = f"{name} is missing: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Make the database for tests, and have each that commits leave it as it was."""
    from tests.database import restore_after_each_test

    with pytest.MonkeyPatch.context() as monkeypatch:
        with django_db_blocker.unblock():
            restore_after_each_test(monkeypatch)
        yield


@pytest.fixture(autouse=True)
def _own_channel_layer(settings, tmp_path):
    """Give each test a layer that no other process, such as a running demo, hears."""
    layer = {**settings.CHANNEL_LAYERS["default"]}
    layer["CONFIG"] = {**layer["CONFIG"], "namespace": str(tmp_path)}
    settings.CHANNEL_LAYERS = {"default": layer}


@pytest.fixture(autouse=True)
def _own_worker_threads():
    """End the test's worker threads, and with them their database connections."""
    yield
    from live.concurrency.threads import end_workers
    from live.log.announcer import end_announcer

    end_workers()
    end_announcer()


@pytest.fixture(autouse=True)
def _nothing_recalled():
    """Forget what the test before left of users who may have had the same keys."""
    from live.concurrency import outage
    from live.identity import rate_limits, rights_cache

    rights_cache.clear()
    rate_limits.reset()
    for each in (outage.database, outage.writes, outage.channel_layer):
        each.succeeded()


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hash passwords in microseconds: what makes the real hash slow is not under test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def make_user(username: str, *permissions: str, **fields):
    """Return a new user with `permissions` ("view_patient") and the password `username`."""
    from django.contrib.auth.models import Permission, User

    user = User.objects.create_user(username, password=username, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def doctor(db):
    """May do everything to patients."""
    rights = [f"{verb}_patient" for verb in ("view", "add", "change", "delete")]
    return make_user("doctor", *rights)


@pytest.fixture
def nurse(db):
    """May view patients, not change them."""
    return make_user("nurse", "view_patient")


@pytest.fixture
def visitor(db):
    """Is logged in, and may do nothing."""
    return make_user("visitor")


@pytest.fixture
def categories(db):
    """ICD-10's chapters, by code."""
    from patients.models import DiseaseCategory

    return {category.code: category for category in DiseaseCategory.objects.all()}


@pytest.fixture
def statements(monkeypatch):
    """What is sent to the database, whichever thread sends it, but for looks at the event log.

    The hub has those of its own accord, at its start and then once a second.
    """
    from django.db.backends.utils import CursorWrapper

    sent: list[str] = []
    execute = CursorWrapper.execute

    def noting(cursor, sql, params=None):
        if 'FROM "live_log' not in sql:
            sent.append(sql)
        return execute(cursor, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", noting)
    return sent
