# ruff: noqa: E402  the apps must be loaded before what uses them is imported
"""Make the database that each server gets a copy of; run as a process of its own.

Prints, as JSON, the session cookies: of the driver, who may do everything, and of the
subscribers, who may view patients.
"""

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

import django

django.setup()

from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission, User
from django.core.management import call_command

from patients.models import DiseaseCategory, Patient

CATEGORIES = 50
USERS = 100
ROWS = 500


def session_cookie(user: User) -> str:
    """Log `user` in; return the Cookie header's value."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return f"{settings.SESSION_COOKIE_NAME}={store.session_key}"


def make_users() -> list[User]:
    view = Permission.objects.get(codename="view_patient")
    users = [User.objects.create_user(f"user{number}") for number in range(USERS)]
    for user in users:
        user.user_permissions.add(view)
    return users


def make_patients() -> None:
    names = [f"B{number:02}" for number in range(CATEGORIES)]
    made = [DiseaseCategory(code=name, name=f"Benchmark {name}") for name in names]
    categories = DiseaseCategory.objects.bulk_create(made)
    rows = [Patient(name=f"Patient {n}", category=categories[n % 50]) for n in range(ROWS)]
    Patient.objects.bulk_create(rows)


def main() -> None:
    call_command("migrate", verbosity=0)
    make_patients()
    driver = User.objects.create_superuser("driver")
    cookies = {
        "driver": session_cookie(driver),
        "subscribers": [session_cookie(user) for user in make_users()],
    }
    json.dump(cookies, sys.stdout)


if __name__ == "__main__":
    main()
