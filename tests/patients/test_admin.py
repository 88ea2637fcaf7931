"""The admin: who may do what, what a list costs, and what a change tells."""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from patients import admin
from patients.models import Patient
from tests.patients.watching import CHANGED, NEW, Watch

LIST = reverse("admin:patients_patient_changelist")
ADD = reverse("admin:patients_patient_add")
LAST = "Last One"

pytestmark = pytest.mark.django_db


@pytest.fixture
def patients(categories):
    """Ann, Ben and Cid; Cid is discharged."""
    now = timezone.now()
    return Patient.objects.bulk_create(
        [
            Patient(name="Ann", category=categories["I"], sex="female", external_id="A-1"),
            Patient(name="Ben", category=categories["II"], sex="male", reason="Broken leg"),
            Patient(
                name="Cid",
                category=categories["II"],
                status="discharged",
                admitted_at=now - datetime.timedelta(days=2),
                discharged_at=now - datetime.timedelta(days=1),
            ),
        ]
    )


def staff(user):
    user.is_staff = True
    user.save()
    return user


@pytest.fixture
def doctors(client, doctor):
    """The browser of staff who may do everything to patients."""
    client.force_login(staff(doctor))
    return client


@pytest.fixture
def nurses(client, nurse):
    """The browser of staff who may view patients only."""
    client.force_login(staff(nurse))
    return client


def page(patient):
    return reverse("admin:patients_patient_change", args=[patient.pk])


def listed(response):
    return [patient.name for patient in response.context["cl"].result_list]


def form_of(patient=None, **changes):
    """Return what a browser sends for the form of `patient`, or of a new one, with changes."""
    at = patient.admitted_at if patient else timezone.now()
    left = patient.discharged_at if patient else None
    return {
        "name": patient.name if patient else "Eve",
        "birth_date": "1980-05-06",
        "sex": patient.sex if patient else "female",
        "category": patient.category_id if patient else "",
        "reason": patient.reason if patient else "",
        "external_id": patient.external_id if patient else "",
        "status": patient.status if patient else "admitted",
        "admitted_at_0": f"{at:%Y-%m-%d}",
        "admitted_at_1": f"{at:%H:%M:%S}",
        "discharged_at_0": f"{left:%Y-%m-%d}" if left else "",
        "discharged_at_1": f"{left:%H:%M:%S}" if left else "",
        **changes,
    }


def by_name():
    return {p.name: p for p in Patient.objects.all()}


# ---- who may


def test_a_nurse_sees_patients_and_cannot_change_them(nurses, patients):
    assert listed(nurses.get(LIST)) == ["Ben", "Ann", "Cid"]
    response = nurses.get(page(patients[0]))
    assert response.status_code == 200
    assert b'name="_save"' not in response.content
    assert nurses.post(page(patients[0]), form_of(patients[0], name="X")).status_code == 403
    assert nurses.get(ADD).status_code == 403
    assert Patient.objects.get(pk=patients[0].pk).name == "Ann"


def test_a_visitor_sees_nothing(client, visitor, patients):
    client.force_login(staff(visitor))
    assert client.get(LIST).status_code == 403


def test_who_is_no_staff_has_to_log_in(client, doctor, patients):
    client.force_login(doctor)
    assert client.get(LIST).status_code == 302


# ---- lists


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=ann", ["Ann"]),
        ("q=A-1", ["Ann"]),
        ("q=broken", ["Ben"]),
        ("status__exact=discharged", ["Cid"]),
        ("sex__exact=male", ["Ben"]),
        ("q=nobody", []),
    ],
)
def test_search_and_filters(doctors, patients, query, names):
    assert listed(doctors.get(f"{LIST}?{query}")) == names


def test_the_filter_by_category(doctors, patients, categories):
    response = doctors.get(f"{LIST}?category__id__exact={categories['II'].pk}")
    assert listed(response) == ["Ben", "Cid"]


def test_the_filter_by_admission(doctors, patients):
    changelist = doctors.get(LIST).context["cl"]
    (by_day,) = (spec for spec in changelist.filter_specs if spec.title == "admitted at")
    _, today, *_ = by_day.choices(changelist)
    assert listed(doctors.get(LIST + today["query_string"])) == ["Ben", "Ann"]


def queries(client, capture, url=LIST):
    client.get(url)
    with capture() as captured:
        client.get(url)
    return [query["sql"] for query in captured.captured_queries]


@pytest.fixture
def capture():
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    return lambda: CaptureQueriesContext(connection)


def test_a_list_takes_as_many_queries_for_a_hundred_as_for_three(
    doctors, patients, categories, capture
):
    for_three = len(queries(doctors, capture))
    Patient.objects.bulk_create(
        Patient(name=f"P{n}", category=categories["III"]) for n in range(100)
    )
    assert len(queries(doctors, capture)) == for_three


def test_no_count_goes_over_all_rows(doctors, patients, capture):
    for url in (LIST, f"{LIST}?q=ann", f"{LIST}?status__exact=admitted"):
        counts = [sql for sql in queries(doctors, capture, url) if "COUNT(" in sql]
        assert len(counts) == 1
        assert f"LIMIT {admin.COUNT_LIMIT}" in counts[0]


def test_a_list_that_ends_before_the_patients_do_says_so(doctors, patients, monkeypatch):
    note = "search or filter for the others"
    assert note not in doctors.get(LIST).content.decode()
    monkeypatch.setattr(admin, "COUNT_LIMIT", 2)
    response = doctors.get(LIST)
    assert response.context["cl"].result_count == 2
    assert f"The first 2 are listed: {note}." in response.content.decode()


# ---- forms


def test_a_patient_is_added(doctors, categories):
    response = doctors.post(ADD, form_of(category=categories["I"].pk))
    assert response.status_code == 302
    assert Patient.objects.get().name == "Eve"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "discharged"},
        {"discharged_at_0": "2099-01-01", "discharged_at_1": "00:00:00"},
        {
            "status": "discharged",
            "discharged_at_0": "1999-01-01",
            "discharged_at_1": "00:00:00",
        },
        {"name": " \u00a0 "},
        {"birth_date": "2999-01-01"},
        {"external_id": "A-1"},
        {"sex": "m"},
        {"admitted_at_0": "yesterday"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_a_form_error_and_writes_nothing(doctors, patients, changes):
    before = list(Patient.objects.values())
    response = doctors.post(page(patients[1]), form_of(patients[1], **changes))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors
    assert list(Patient.objects.values()) == before


# What these are is obvious.
WITHOUT_HELP = {"name"}


@pytest.mark.parametrize("model", ["patient", "diseasecategory"])
def test_each_field_has_a_help_text_in_both_languages(admin_client, model):
    url = reverse(f"admin:patients_{model}_add")
    texts = []
    for language in ("en", "fr"):
        with override(language):
            response = admin_client.get(url, headers={"accept-language": language})
            form = response.context["adminform"].form
            texts.append({name: str(field.help_text) for name, field in form.fields.items()})
    english, french = texts
    assert {name for name, text in english.items() if not text} <= WITHOUT_HELP
    assert {name for name, text in english.items() if text and french[name] == text} == set()


def test_a_form_can_discharge(doctors, patients):
    at = timezone.now()
    data = form_of(
        patients[0],
        status="discharged",
        admitted_at_0="2020-01-01",
        discharged_at_0=f"{at:%Y-%m-%d}",
        discharged_at_1=f"{at:%H:%M:%S}",
    )
    assert doctors.post(page(patients[0]), data).status_code == 302
    assert by_name()["Ann"].status == "discharged"


# ---- what is told


@pytest.mark.django_db(transaction=True)
def test_each_change_is_told_once(doctors, doctor, patients, categories):
    with Watch(doctor, NEW) as new, Watch(doctor, CHANGED) as changed:
        doctors.post(ADD, form_of(category=categories["I"].pk))
        doctors.post(page(patients[0]), form_of(patients[0], reason="Cough"))
        doctors.post(page(patients[1]), form_of(patients[1], name=" "))  # refused
        delete = reverse("admin:patients_patient_delete", args=[patients[2].pk])
        doctors.post(delete, {"post": "yes"})
        doctors.post(page(patients[1]), form_of(by_name()["Ben"], name=LAST))
        doctors.post(ADD, form_of(category=categories["I"].pk, name=LAST))
        told = [(e["change"], e["patient"]["name"]) for e in changed.until(LAST)]
        assert new.names_until(LAST) == ["Eve"]
    assert told[0] == ("UPDATED", "Ann")
    assert told[1:] == [("DELETED", "Cid")]
