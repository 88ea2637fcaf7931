"""Staff who do not see a category do not meet its patients in the admin either."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from patients.models import Patient
from patients.services import patient_discharge
from tests.conftest import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff_client():
    rights = [f"{verb}_patient" for verb in ("view", "add", "change", "delete")]
    client = Client()
    client.force_login(make_user("staff", *rights, is_staff=True))
    return client


ADMIN = "/admin/patients/patient/"


@pytest.mark.parametrize(
    "search", ["", "?q=Jane", "?q=secret", "?q=H-1", "?status__exact=admitted"]
)
def test_the_admins_lists_leave_them_out(staff_client, hidden, open_patient, search):
    response = staff_client.get(ADMIN + search)
    assert response.status_code == 200
    assert "Hidden Jane" not in response.content.decode()
    assert response.context["cl"].result_count == (0 if "q=" in search else 1)


def test_the_admins_filter_by_a_hidden_category_finds_nobody(staff_client, hidden):
    response = staff_client.get(f"{ADMIN}?category__id__exact={hidden.category_id}")
    assert "Jane" not in response.content.decode()


def test_the_admins_filter_does_not_offer_a_hidden_category(staff_client, hidden):
    assert hidden.category.name not in staff_client.get(ADMIN).content.decode()


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_the_admins_pages_of_one_do_not_exist(staff_client, hidden, page):
    for method in (staff_client.get, staff_client.post):
        response = method(f"{ADMIN}{hidden.pk}/{page}/", follow=True)
        assert "Jane" not in response.content.decode()
        missing = method(f"{ADMIN}99999/{page}/", follow=True)
        assert response.status_code == missing.status_code
        assert response.redirect_chain == missing.redirect_chain
    assert Patient.objects.filter(pk=hidden.pk).exists()


def test_the_admins_form_does_not_offer_a_hidden_category(staff_client, hidden, open_patient):
    for page in ("add/", f"{open_patient.pk}/change/"):
        form = staff_client.get(ADMIN + page).context["adminform"].form
        assert "II" not in {c.code for c in form.fields["category"].queryset}
    values = {"name": "New", "category": hidden.category_id, "sex": "unknown"}
    response = staff_client.post(f"{ADMIN}add/", values)
    assert "category" in response.context["adminform"].form.errors
    assert not Patient.objects.filter(name="New").exists()


@pytest.mark.parametrize("answered", [{}, {"post": "yes"}])
@pytest.mark.parametrize("action", ["discharge", "delete_selected"])
def test_the_admins_actions_do_not_reach_them(staff_client, hidden, action, answered):
    values = {"action": action, "_selected_action": [hidden.pk], **answered}
    response = staff_client.post(ADMIN, values, follow=True)
    assert "Jane" not in response.content.decode()
    hidden.refresh_from_db()
    assert hidden.status == Patient.Status.ADMITTED


@pytest.mark.parametrize("answered", [{}, {"post": "yes"}])
def test_their_discharge_cannot_be_undone(staff_client, hidden, answered):
    patient_discharge(patient=hidden)
    hidden.refresh_from_db()
    at = hidden.discharged_at.isoformat()
    values = {"action": "undo_discharge", "_selected_action": [hidden.pk], **answered}
    values["discharge"] = f"{hidden.pk}@{at}"
    page = staff_client.get(f"{ADMIN}undo-discharge/", {"of": hidden.pk, "at": at}, follow=True)
    for response in (staff_client.post(ADMIN, values, follow=True), page):
        assert "Jane" not in response.content.decode()
    hidden.refresh_from_db()
    assert hidden.status == Patient.Status.DISCHARGED


def test_the_undo_of_a_hidden_one_tells_no_more_than_of_one_that_is_not_there(staff_client, hidden):
    patient_discharge(patient=hidden)
    hidden.refresh_from_db()
    pages = [
        staff_client.get(
            f"{ADMIN}undo-discharge/",
            {"of": key, "at": hidden.discharged_at.isoformat()},
            follow=True,
        )
        for key in (hidden.pk, 99999)
    ]
    told = [[str(message) for message in page.context["messages"]] for page in pages]
    assert told[0] == told[1] != []
    assert pages[0].redirect_chain == pages[1].redirect_chain


@pytest.mark.parametrize("by_action", [False, True])
def test_the_admin_says_why_the_last_viewers_stay(admin_client, categories, by_action):
    group = Group.objects.create(name="Oncology")
    categories["II"].viewers.add(group)
    url, data = f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}
    if by_action:
        url = "/admin/auth/group/"
        data |= {"action": "delete_selected", "_selected_action": [group.pk]}
    response = admin_client.post(url, data, follow=True)
    assert "these categories would be open to everybody: II Neoplasms" in response.text
    assert Group.objects.filter(pk=group.pk).exists()
