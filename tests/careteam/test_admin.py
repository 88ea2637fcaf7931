"""The admin: messages to search and read, rooms, notices, and markup that stays text."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from careteam.models import ChatMessage, Notice, Room
from careteam.services import message_send, notice_publish
from live.log import store
from tests.conftest import make_user

pytestmark = pytest.mark.django_db

MARKUP = "<script>alert('planted')</script>"
MESSAGES = reverse("admin:careteam_chatmessage_changelist")
ROOMS = reverse("admin:careteam_room_changelist")
NOTICES = reverse("admin:careteam_notice_changelist")


def page(kind, instance, action="change"):
    return reverse(f"admin:careteam_{kind}_{action}", args=[instance.pk])


@pytest.fixture
def insider(categories):
    """Sees category II, as only their group does."""
    group = Group.objects.create(name="insiders")
    categories["II"].viewers.add(group)
    user = make_user("insider", "view_patient")
    user.groups.add(group)
    return user


@pytest.fixture
def messages(insider, visitor):
    """One in the room II, one in an open room."""
    message_send(user=insider, chatroom="II", text="Jane Roe")
    message_send(user=visitor, chatroom="coffee", text="Any milk?")


@pytest.fixture
def staff(client):
    """The browser of staff who may do everything that the app's permissions allow."""
    kinds = ("chatmessage", "room", "notice")
    verbs = ("view", "add", "change", "delete")
    rights = [f"{verb}_{kind}" for kind in kinds for verb in verbs]
    client.force_login(make_user("staff", *rights, "publish_notice", "view_patient", is_staff=True))
    return client


def test_markup_is_text_everywhere(admin_client, visitor):
    message = message_send(user=visitor, chatroom=MARKUP, text=MARKUP)
    notice = Notice.objects.create(title=MARKUP, body=MARKUP)
    pages = [
        MESSAGES,
        f"{MESSAGES}?q=planted",
        page("chatmessage", message),
        page("chatmessage", message, "history"),
        ROOMS,
        page("room", message.room),
        page("room", message.room, "delete"),
        NOTICES,
        page("notice", notice),
        page("notice", notice, "delete"),
    ]
    for url in pages:
        response = admin_client.get(url)
        assert response.status_code == 200, url
        assert "<script>alert" not in response.text, url
    assert "&lt;script&gt;alert" in admin_client.get(MESSAGES).text


@pytest.mark.parametrize(
    ("search", "found"),
    [("milk", ["Any milk?"]), ("visitor", ["Any milk?"]), ("coffee", ["Any milk?"]), ("x", [])],
)
def test_messages_are_searched(admin_client, messages, search, found):
    response = admin_client.get(MESSAGES, {"q": search})
    assert [message.text for message in response.context["cl"].result_list] == found


def test_messages_are_not_written_here(admin_client, messages):
    message = ChatMessage.objects.last()
    assert "Any milk?" in admin_client.get(page("chatmessage", message)).text
    assert admin_client.post(page("chatmessage", message), {"text": "x"}).status_code == 403
    assert admin_client.get(reverse("admin:careteam_chatmessage_add")).status_code == 403
    assert ChatMessage.objects.count() == 2


@pytest.mark.parametrize("how", ["message", "list", "room"])
def test_staff_delete_what_does_harm_and_the_log_forgets_it(staff, messages, how):
    message = ChatMessage.objects.get(text="Any milk?")
    said_yes = {"post": "yes"}
    if how == "list":
        delete = {"action": "delete_selected", "_selected_action": [message.pk], **said_yes}
        staff.post(MESSAGES, delete)
    elif how == "room":
        staff.post(page("room", message.room, "delete"), said_yes)
    else:
        staff.post(page("chatmessage", message, "delete"), said_yes)
    assert [left.text for left in ChatMessage.objects.all()] == ["Jane Roe"]
    assert Room.objects.filter(name="coffee").exists() is (how != "room")
    logged = b"".join(packed for _, packed in store.read(1, 10))
    assert b"Jane Roe" in logged
    assert b"Any milk?" not in logged


def test_who_may_not_delete_messages_does_not(client, messages):
    client.force_login(make_user("reader", "view_chatmessage", "view_room", is_staff=True))
    message = ChatMessage.objects.get(text="Any milk?")
    assert client.post(page("chatmessage", message, "delete"), {"post": "yes"}).status_code == 403
    assert ChatMessage.objects.count() == 2


def test_rooms_that_one_may_not_use_are_not_there(staff, messages):
    assert [room.name for room in staff.get(ROOMS).context["cl"].result_list] == ["coffee"]
    for search in ("", "Jane", "insider", "II"):
        listed = staff.get(MESSAGES, {"q": search})
        assert "Jane Roe" not in listed.text
        assert listed.context["cl"].result_count == (search == "")
    hidden = ChatMessage.objects.get(text="Jane Roe")
    assert staff.get(page("chatmessage", hidden)).status_code == 302
    assert staff.get(page("room", hidden.room)).status_code == 302
    filtered = staff.get(MESSAGES, {"room__id__exact": hidden.room.pk}, follow=True)
    assert "Jane" not in filtered.text


@pytest.mark.parametrize(
    ("name", "says"), [("COFFEE", "Another room has this name."), ("\u200b", "no room&#x27;s name")]
)
def test_a_rooms_new_name_is_checked(staff, messages, name, says):
    tea = Room.objects.create(name="tea")
    response = staff.post(page("room", tea), {"name": name})
    assert says in response.text
    tea.refresh_from_db()
    assert tea.name == "tea"


def test_a_room_is_renamed_with_its_messages(staff, messages):
    room = Room.objects.get(name="coffee")
    assert staff.post(page("room", room), {"name": "Tea Room"}).status_code == 302
    room.refresh_from_db()
    assert (room.name, room.key) == ("Tea Room", "tea room")
    assert room.messages.count() == 1


# ---- notices


def test_who_makes_a_notice_is_its_author_and_it_is_a_draft(staff):
    staff.post(reverse("admin:careteam_notice_add"), {"title": "Hi", "body": "all"})
    notice = Notice.objects.get()
    assert (notice.title, notice.author.username, notice.published_at) == ("Hi", "staff", None)


def test_a_published_notice_stays_as_it_was_told(staff):
    notice = Notice.objects.create(title="Draft")
    assert staff.post(page("notice", notice), {"title": "Better", "body": ""}).status_code == 302
    notice_publish(notice=notice)
    assert notice.title == "Better"
    assert staff.get(page("notice", notice)).status_code == 200
    assert staff.post(page("notice", notice), {"title": "Worse", "body": ""}).status_code == 403


def test_who_may_not_publish_makes_no_notices(client):
    client.force_login(make_user("editor", "view_notice", "add_notice", is_staff=True))
    assert client.get(reverse("admin:careteam_notice_add")).status_code == 403


def test_the_admin_speaks_french(admin_client):
    Notice.objects.create(title="Bonjour")
    assert (
        "Publier les annonces" in admin_client.get(NOTICES, headers={"accept-language": "fr"}).text
    )
