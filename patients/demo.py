"""The demo set-up: staff whose passwords everybody knows, and patients who do not exist.

It is for a machine of one's own: `require_safe` refuses anything else.
"""

import datetime
import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.utils import timezone

from patients.models import DiseaseCategory, Patient

if TYPE_CHECKING:
    from faker import Faker

# The same people on every machine, so that a screenshot or a bug report can be followed.
SEED = 1
LOCALES = ["en_GB", "fr_FR", "es_ES"]
LONGEST_STAY_DAYS = 10

# Both log-ins have their name for a password. Only forms check passwords against
# AUTH_PASSWORD_VALIDATORS, and these would fail: they are meant to be known, which is why
# the demo is not set up where anybody else could reach it.
SUPERUSER, NURSE = "demo", "nurse"


class Refused(Exception):
    """The demo may not be set up here; the text says why."""


class Case(NamedTuple):
    """Why a made-up patient is in the hospital, and who that can happen to (ages in years)."""

    category: str
    reason: str
    youngest: int = 20
    oldest: int = 90
    sex: str = ""  # Patient.Sex; blank is any


CASES = [
    Case("I", "Sepsis"),
    Case("I", "Measles", 1, 12),
    Case("II", "Malignant neoplasm of breast", 35, 85, "female"),
    Case("II", "Malignant neoplasm of colon", 45, 88),
    Case("III", "Iron deficiency anaemia"),
    Case("IV", "Diabetic ketoacidosis", 12, 60),
    Case("IV", "Thyrotoxic crisis", 25, 70),
    Case("V", "Severe depressive episode", 18, 75),
    Case("VI", "Status epilepticus", 3, 70),
    Case("VI", "Migraine with aura", 18, 60),
    Case("VII", "Acute angle-closure glaucoma", 50, 85),
    Case("VIII", "Vestibular neuritis", 30, 70),
    Case("IX", "Acute myocardial infarction", 45, 92),
    Case("IX", "Atrial fibrillation", 60, 95),
    Case("IX", "Cerebral infarction", 55, 92),
    Case("X", "Pneumonia", 1, 95),
    Case("X", "Acute exacerbation of COPD", 50, 88),
    Case("X", "Status asthmaticus", 5, 45),
    Case("XI", "Acute appendicitis", 8, 50),
    Case("XI", "Gallstones with acute cholecystitis", 30, 80),
    Case("XII", "Cellulitis of lower leg", 40, 85),
    Case("XIII", "Lumbar disc herniation", 28, 65),
    Case("XIV", "Acute kidney injury", 40, 90),
    Case("XIV", "Torsion of testis", 10, 25, "male"),
    Case("XV", "Pre-eclampsia", 19, 42, "female"),
    Case("XVI", "Prematurity", 0, 0),
    Case("XVII", "Ventricular septal defect", 0, 4),
    Case("XVIII", "Chest pain, cause unknown", 25, 80),
    Case("XIX", "Fracture of neck of femur", 68, 95),
    Case("XIX", "Concussion", 6, 60),
    Case("XXI", "Observation after a fall", 70, 95),
]


def require_safe(host: str) -> None:
    """Raise Refused with DEBUG off, or where `host` can be reached from other machines."""
    if not settings.DEBUG:
        raise Refused("The demo's passwords are known to all: it is set up with DEBUG on only.")
    if not is_loopback(host):
        raise Refused(
            f"The demo's passwords are known to all: it is set up on this machine's own address "
            f"only (127.0.0.1, ::1, localhost), not on {host!r}."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`, an address or a name."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


@transaction.atomic
def set_up() -> bool:
    """Make the demo's staff and patients; return False, having done nothing, if it was done.

    The superuser is the mark of that, so that demo patients who were deleted stay away.
    """
    if User.objects.filter(username=SUPERUSER).exists():
        return False
    make_staff()
    make_patients()
    return True


def make_staff() -> None:
    """Make a superuser, and a nurse who may view patients and change nothing.

    A nurse who is there already, with a password of their own, is left alone.
    """
    User.objects.create_superuser(SUPERUSER, password=SUPERUSER)
    if not User.objects.filter(username=NURSE).exists():
        nurse = User.objects.create_user(NURSE, password=NURSE, is_staff=True)
        nurse.user_permissions.add(
            Permission.objects.get(content_type__app_label="patients", codename="view_patient")
        )


def make_patients() -> list[Patient]:
    """Make a patient for each case whose category there is, some of them discharged."""
    # Only the first run of all needs it, and it takes longer to import than the rest to run.
    from faker import Faker

    categories = {category.code: category for category in DiseaseCategory.objects.all()}
    patients = draw_patients(Faker(LOCALES), categories, timezone.now())
    taken = set(Patient.objects.exclude(external_id="").values_list("external_id", flat=True))
    return Patient.objects.bulk_create(p for p in patients if p.external_id not in taken)


def draw_patients(
    fake: "Faker", categories: dict[str, DiseaseCategory], now: datetime.datetime
) -> list[Patient]:
    """Return a patient, not saved, for each case that has one of `categories` (by code).

    The same ones whatever `now` is; only their dates move along with it.
    """
    fake.seed_instance(SEED)
    now = now.replace(second=0, microsecond=0)
    return [
        _patient(fake, number, case, categories[case.category], now)
        for number, case in enumerate(CASES, start=1)
        if case.category in categories
    ]


def _patient(
    fake: "Faker", number: int, case: Case, category: DiseaseCategory, now: datetime.datetime
) -> Patient:
    sex = case.sex or fake.random_element([Patient.Sex.FEMALE, Patient.Sex.MALE])
    minutes = fake.random_int(60, LONGEST_STAY_DAYS * 24 * 60)
    admitted_at = now - datetime.timedelta(minutes=minutes)
    patient = Patient(
        name=_name(fake, sex),
        sex=sex,
        birth_date=_birth_date(fake, case, admitted_at),
        category=category,
        reason=case.reason,
        external_id=f"DEMO-{number:03}",
        admitted_at=admitted_at,
    )
    if number % 4 == 0:
        stay = (now - admitted_at) * fake.random_int(30, 90) / 100
        patient.status = Patient.Status.DISCHARGED
        patient.discharged_at = admitted_at + stay
    return patient


def _name(fake: "Faker", sex: str) -> str:
    local = fake[fake.random_element(LOCALES)]
    first = local.first_name_female() if sex == Patient.Sex.FEMALE else local.first_name_male()
    return f"{first} {local.last_name()}"


def _birth_date(fake: "Faker", case: Case, admitted_at: datetime.datetime) -> datetime.date:
    # Nobody comes on the day of birth: it has no hour, so that might be before birth.
    youngest = case.youngest * 365 + 1
    days = fake.random_int(youngest, max(youngest, case.oldest * 365))
    return timezone.localdate(admitted_at) - datetime.timedelta(days=days)
