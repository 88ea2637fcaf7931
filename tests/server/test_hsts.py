"""HSTS binds this host, and no other of the hospital's unless it is asked to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRINT = """
import django; django.setup()
from django.test import Client
response = Client().get("/accounts/login/", secure=True, headers={"host": "localhost"})
print(response.headers.get("Strict-Transport-Security"))
"""


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, "max-age=31536000"),
        (
            {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "on"},
            "max-age=31536000; includeSubDomains",
        ),
        (
            {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "on", "SECURE_HSTS_PRELOAD": "on"},
            "max-age=31536000; includeSubDomains; preload",
        ),
    ],
)
def test_other_hosts_are_bound_only_where_it_is_asked_for(environment, header):
    given = {**os.environ, "DEBUG": "off", "SECRET_KEY": "s" * 50, **environment}
    given["DJANGO_SETTINGS_MODULE"] = "server.settings"
    command = [sys.executable, "-c", PRINT]
    done = subprocess.run(
        command, cwd=ROOT, env=given, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == header
