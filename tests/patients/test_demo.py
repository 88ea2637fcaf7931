"""The demo set-up: made once, known to all, and so on this machine only."""

import datetime
import io
import itertools

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from faker import Faker

from patients import demo
from patients.models import DiseaseCategory, Patient

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _debug(settings):
    settings.DEBUG = True


def run(**options):
    out = io.StringIO()
    call_command("demo", stdout=out, **options)
    return out.getvalue()


def rows():
    return list(Patient.objects.order_by("pk").values("pk", "external_id", "name", "status"))


def test_it_says_where_to_go_and_the_log_ins():
    out = run(host="127.0.0.1", port=8123)
    assert "http://127.0.0.1:8123/graphql/" in out
    assert "http://127.0.0.1:8123/admin/" in out
    assert "demo / demo" in out
    assert "nurse / nurse" in out
    assert "export WARDCAST_URL=ws://127.0.0.1:8123/graphql/\n" in out


def test_an_ipv6_address_is_bracketed():
    assert "http://[::1]:8000/admin/" in run(host="::1")


@pytest.mark.parametrize("name", ["demo", "nurse"])
def test_the_log_ins_work(client, name):
    run()
    client.post(reverse("admin:login"), {"username": name, "password": name})
    assert client.get(reverse("admin:patients_patient_changelist")).status_code == 200


def test_what_the_log_ins_may_do():
    run()
    everything, nurse = User.objects.get(username="demo"), User.objects.get(username="nurse")
    assert everything.is_superuser
    assert nurse.is_staff
    assert nurse.get_all_permissions() == {"patients.view_patient"}


def test_about_thirty_patients_of_all_kinds():
    run()
    patients = Patient.objects.select_related("category")
    assert 25 <= len(patients) <= 35
    assert len({p.category.code for p in patients}) >= 15
    assert len({p.name for p in patients}) == len(patients)
    assert {p.sex for p in patients} >= {"male", "female"}
    assert {p.status for p in patients} == {"admitted", "discharged"}
    for patient in patients:
        patient.full_clean()
        assert patient.birth_date < timezone.localdate(patient.admitted_at)
        assert patient.reason


def test_the_same_patients_on_every_machine():
    first = [p.name for p in demo.make_patients()]
    Patient.objects.all().delete()
    assert [p.name for p in demo.make_patients()] == first


# Clocks that are furthest from UTC, both ways, and one that is put forth and back in the year.
ZONES = ["Pacific/Kiritimati", "Pacific/Niue", "America/St_Johns"]
TIMES = ["00:00:00", "00:00:01", "01:30", "02:30", "12:00", "18:00", "23:59:59.999999"]
# A leap day, the year's last, and those on which St John's clocks are put forth and back.
SPECIAL = ["2028-02-29", "2027-12-31", "2027-03-14", "2027-11-07"]


def test_they_hold_on_every_day(monkeypatch, categories):
    """Two years, one of them a leap year, whatever is drawn: nobody comes before birth."""
    fake = Faker(demo.LOCALES)
    clocks = itertools.cycle(itertools.product(TIMES, ZONES))
    for number, day in enumerate(days(2027, 2028)):
        monkeypatch.setattr(demo, "SEED", number)
        check_at(fake, categories, day, *next(clocks))


def test_they_hold_at_every_hour_of_a_special_day(categories):
    fake = Faker(demo.LOCALES)
    for day, time, zone in itertools.product(SPECIAL, TIMES, ZONES):
        check_at(fake, categories, datetime.date.fromisoformat(day), time, zone)


def days(first_year, last_year):
    """Yield each date from the first year's first to the last year's last."""
    day = datetime.date(first_year, 1, 1)
    while day.year <= last_year:
        yield day
        day += datetime.timedelta(days=1)


def check_at(fake, categories, day, time, zone):
    with timezone.override(zone):
        at = datetime.datetime.combine(day, datetime.time.fromisoformat(time))
        now = timezone.make_aware(at).astimezone(datetime.UTC)
        patients = demo.draw_patients(fake, categories, now)
        assert len(patients) == len(demo.CASES)
        for patient in patients:
            came = timezone.localdate(patient.admitted_at)
            assert patient.birth_date < came, (now, zone, demo.SEED, patient.external_id)
            assert patient.admitted_at < (patient.discharged_at or now) <= now, (now, zone)


def test_a_second_run_keeps_the_data():
    run()
    nurse = User.objects.get(username="nurse")
    nurse.set_password("new")
    nurse.save()
    Patient.objects.filter(external_id="DEMO-001").update(name="Renamed")
    Patient.objects.filter(external_id="DEMO-002").delete()
    before = rows()
    out = run()
    assert rows() == before
    assert User.objects.count() == 2
    assert User.objects.get(username="nurse").check_password("new")
    assert "http://127.0.0.1:8000/graphql/" in out


def test_a_second_run_asks_the_database_one_thing(django_assert_num_queries):
    run()
    with django_assert_num_queries(3):  # a savepoint around the one question
        demo.set_up()


def test_a_nurse_who_is_there_already_is_left_alone(nurse):
    password = nurse.password
    run()
    nurse.refresh_from_db()
    assert nurse.password == password
    assert not nurse.is_staff


def test_what_a_hospital_has_already_stays(categories):
    Patient.objects.create(name="Ann", category=categories["I"], external_id="DEMO-001")
    run()
    assert Patient.objects.get(external_id="DEMO-001").name == "Ann"


def test_cases_of_a_category_that_is_gone_are_left_out():
    DiseaseCategory.objects.filter(code="IX").delete()
    run()
    assert Patient.objects.filter(external_id__startswith="DEMO-").count() > 20


def test_every_case_is_of_a_category_of_a_new_installation(categories):
    assert {case.category for case in demo.CASES} <= set(categories)


def test_it_is_refused_with_debug_off(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG"):
        run()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.1.evil.org"]
)
def test_it_is_refused_where_others_can_reach_it(host):
    with pytest.raises(CommandError, match="this machine's own address"):
        run(host=host)
    assert not User.objects.exists()
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.8.7", "::1", "[::1]", "localhost", "LOCALHOST"]
)
def test_it_runs_on_this_machines_own_address(host):
    run(host=host)
    assert User.objects.filter(username="demo").exists()


def test_all_or_nothing(monkeypatch):
    def fail():
        raise RuntimeError

    monkeypatch.setattr(demo, "make_patients", fail)
    with pytest.raises(RuntimeError):
        run()
    assert not User.objects.exists()
