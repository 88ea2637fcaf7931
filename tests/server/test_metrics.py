"""The metrics' page: for staff, and with nothing of a patient or client in it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from prometheus_client import REGISTRY, generate_latest

from live import metrics
from live.errors import LiveError, format_error
from live.identity.tokens import issue_token, revoke_token
from tests.conftest import make_user

pytestmark = pytest.mark.django_db(transaction=True)

# Every label, with what its values look like: none is what a client or patient sent.
LABELS = {"task": "[a-z]+", "code": r"\d{4}|[A-Z_]+|other", "limit": r"[a-z_]+"}


@pytest.fixture
def staff():
    return make_user("staff", is_staff=True)


def log_in(user):
    client = Client()
    if user:
        client.force_login(user)
    return client


def test_staff_see_the_metrics(staff):
    response = log_in(staff).get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    text = response.content.decode()
    for name in ("sockets", "subscriptions", "limits_exceeded_total", "closes_total"):
        assert f"wardcast_{name}" in text


def counted(code):
    return metrics.errors.labels(code=code)._value.get()


def test_what_clients_are_told_is_counted_by_its_code(nurse):
    before = {code: counted(code) for code in ("BAD_INPUT", "UNAUTHENTICATED")}
    for query in ("{ nothing }", "{ patients { totalCount } }"):
        Client().post("/graphql/", {"query": query}, content_type="application/json")
    after = {code: counted(code) for code in before}
    assert {code: after[code] - before[code] for code in before} == dict.fromkeys(before, 1)


def test_an_applications_own_codes_are_one_value():
    class Own(LiveError):
        code = "ADA_LOVELACE"

    before = counted("other")
    format_error(Own("No."))
    assert counted("other") == before + 1
    assert "ADA_LOVELACE" not in generate_latest().decode()


def test_every_metric_is_in_the_documents():
    documented = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
    for metric in REGISTRY.collect():
        if metric.name.startswith("wardcast_"):
            assert metric.name in documented


def test_others_do_not(nurse, visitor):
    for user in (None, nurse, visitor):
        response = log_in(user).get("/metrics")
        assert response.status_code == 403
        assert b"wardcast" not in response.content


def test_an_inactive_member_of_staff_does_not(staff):
    client = log_in(staff)
    User.objects.update(is_active=False)
    assert client.get("/metrics").status_code == 403


def test_a_collector_comes_with_a_token(staff, nurse):
    token, secret = issue_token(user=staff, expires_in=timedelta(hours=1))
    header = {"authorization": f"Bearer {secret}"}
    assert Client(headers=header).get("/metrics").status_code == 200
    revoke_token(token=token)
    assert Client(headers=header).get("/metrics").status_code == 403
    _, secret = issue_token(user=nurse, expires_in=None)
    header = {"authorization": f"Bearer {secret}"}
    assert Client(headers=header).get("/metrics").status_code == 403


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Bearer a b", "Basic dTpw"])
def test_a_bad_token_is_refused_whoever_is_logged_in(staff, header):
    client = log_in(staff)
    response = client.get("/metrics", headers={"authorization": header})
    assert response.status_code == (200 if header.startswith("Basic") else 403)


def test_no_label_holds_what_a_client_sent():
    import re

    ours = [metric for metric in REGISTRY.collect() if metric.name.startswith("wardcast_")]
    assert {metrics.limits._name, metrics.closes._name} <= {metric.name for metric in ours}
    for metric in ours:
        for sample in metric.samples:
            for label, value in sample.labels.items():
                assert re.fullmatch(LABELS[label], value), (metric.name, label, value)
