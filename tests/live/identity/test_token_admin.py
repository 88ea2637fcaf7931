"""Access tokens in the admin: seen and ended, never made, never with their digest."""

from datetime import timedelta

import pytest
from django.db.models.signals import post_delete, post_save
from django.urls import reverse
from django.utils import timezone

from live.identity.tokens import find_token, issue_token
from live.models import AccessToken

LIST = "/admin/live/accesstoken/"


@pytest.fixture
def tokens(nurse, doctor):
    """One valid token of the nurse and one expired token of the doctor, with their secrets."""
    valid = issue_token(user=nurse, label="ward board", expires_in=None)
    expired = issue_token(user=doctor, label="importer", expires_in=timedelta(hours=1))
    AccessToken.objects.filter(pk=expired[0].pk).update(expires_at=timezone.now())
    return valid, expired


@pytest.fixture
def told():
    """The ids of the tokens whose saving or deleting sent a signal."""
    ids = []

    def note(instance, **_):
        ids.append(instance.pk)

    for signal in (post_save, post_delete):
        signal.connect(note, sender=AccessToken)
    yield ids
    for signal in (post_save, post_delete):
        signal.disconnect(note, sender=AccessToken)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", {"ward board", "importer"}),
        ("?q=nurse", {"ward board"}),
        ("?q=importer", {"importer"}),
        ("?state=valid", {"ward board"}),
        ("?state=expired", {"importer"}),
        ("?state=revoked", set()),
    ],
)
def test_the_list_is_searched_and_filtered(admin_client, tokens, address, shown):
    result = admin_client.get(LIST + address).context["cl"].result_list
    assert {token.label for token in result} == shown


def test_no_page_shows_the_digest_or_makes_a_token(admin_client, tokens):
    (token, _), _ = tokens
    page = reverse("admin:live_accesstoken_change", args=[token.pk])
    history = reverse("admin:live_accesstoken_history", args=[token.pk])
    for address in (LIST, page, history):
        response = admin_client.get(address)
        assert response.status_code == 200
        assert token.digest not in response.content.decode()
    assert admin_client.get(LIST + "add/").status_code == 403


def test_only_the_label_can_be_changed(admin_client, tokens):
    (token, secret), _ = tokens
    page = reverse("admin:live_accesstoken_change", args=[token.pk])
    changes = {"label": "board 3", "digest": "0" * 64, "user": "1", "expires_at_0": "2020-01-01"}
    assert admin_client.post(page, changes).status_code == 302
    token.refresh_from_db()
    assert token.label == "board 3"
    assert find_token(secret) == token


def test_the_action_revokes_and_sends_a_signal_for_each(admin_client, tokens, told):
    (valid, secret), (expired, _) = tokens
    chosen = {"action": "revoke", "_selected_action": [valid.pk, expired.pk]}
    response = admin_client.post(LIST, chosen, follow=True)
    assert "2 tokens were revoked." in response.content.decode()
    assert sorted(told) == sorted([valid.pk, expired.pk])
    assert find_token(secret) is None


def test_deleting_a_token_ends_it_and_sends_a_signal(admin_client, tokens, told):
    (token, secret), _ = tokens
    page = reverse("admin:live_accesstoken_delete", args=[token.pk])
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    assert find_token(secret) is None
    assert told == [token.pk]


def test_one_who_may_only_view_cannot_revoke(client, tokens):
    from tests.conftest import make_user

    (token, secret), _ = tokens
    client.force_login(make_user("auditor", "view_accesstoken", is_staff=True))
    assert client.get(LIST).status_code == 200
    client.post(LIST, {"action": "revoke", "_selected_action": [token.pk]})
    assert find_token(secret) == token
