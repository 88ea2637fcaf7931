"""Category II, which only insiders see, and who is in and out."""

import pytest
from django.contrib.auth.models import Group

from patients.models import Patient
from tests.conftest import make_user


@pytest.fixture
def insiders(categories):
    """The only group that sees category II."""
    group = Group.objects.create(name="insiders")
    categories["II"].viewers.add(group)
    return group


@pytest.fixture
def hidden(insiders, categories):
    """A patient whom insiders see only."""
    return Patient.objects.create(
        name="Hidden Jane", category=categories["II"], reason="secret", external_id="H-1"
    )


@pytest.fixture
def open_patient(categories):
    return Patient.objects.create(name="Open Joe", category=categories["I"], external_id="O-1")


@pytest.fixture
def insider(insiders):
    user = make_user("insider", *(f"{verb}_patient" for verb in ("view", "add", "change")))
    user.groups.add(insiders)
    return user


@pytest.fixture
def superuser():
    return make_user("root", is_superuser=True, is_staff=True)
