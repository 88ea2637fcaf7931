"""Chat rooms over HTTP: who may read and write which, pages of what was written, bad input."""

import logging

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from graphql_relay import to_global_id

from careteam.models import ChatMessage, Room
from patients.models import DiseaseCategory
from tests.conftest import make_user
from tests.patients.asking import ask, codes, data

pytestmark = pytest.mark.django_db(transaction=True)

HISTORY = """query ($chatroom: String!, $last: Int, $before: ID) {
  history(chatroom: $chatroom, last: $last, before: $before) { id chatroom text sender sentAt }
}"""
SEND = """mutation ($chatroom: String!, $text: String!) {
  sendChatMessage(chatroom: $chatroom, text: $text) { ok }
}"""
NODE = "query ($id: ID!) { node(id: $id) { ... on ChatMessage { text } } }"
SECRET = "Jane Roe has measles"


@pytest.fixture
def insiders(categories):
    """The only group that sees category II."""
    group = Group.objects.create(name="insiders")
    categories["II"].viewers.add(group)
    return group


@pytest.fixture
def insider(insiders):
    user = make_user("insider", "view_patient")
    user.groups.add(insiders)
    return user


def send(user, chatroom, text="Hi"):
    """Write in a room; return the codes of the errors."""
    return codes(ask(user, SEND, chatroom=chatroom, text=text))


def history(user, chatroom, **page):
    return data(user, HISTORY, chatroom=chatroom, **page)["history"]


def texts(user, chatroom, **page):
    return [message["text"] for message in history(user, chatroom, **page)]


# ---- reading and writing


def test_what_is_written_is_read(visitor, nurse):
    assert data(visitor, SEND, chatroom="coffee", text="  Hi\nall! ") == {
        "sendChatMessage": {"ok": True}
    }
    (message,) = history(nurse, "coffee")
    assert (message["chatroom"], message["text"]) == ("coffee", "Hi\nall!")
    assert message["sender"] == "visitor"
    assert message["sentAt"] == ChatMessage.objects.get().sent_at.isoformat()


def test_a_room_is_made_by_writing_to_it_only(visitor):
    assert texts(visitor, "coffee") == []
    assert not Room.objects.exists()
    assert send(visitor, "coffee") == []
    assert send(visitor, "coffee") == []
    assert Room.objects.get().name == "coffee"


def test_all_spellings_are_one_room_under_its_first_name(visitor):
    send(visitor, " Coffee ", "one")
    send(visitor, "COFFEE", "two")
    assert texts(visitor, "coffee") == ["one", "two"]
    assert {message["chatroom"] for message in history(visitor, "coFFee")} == {"Coffee"}


def test_a_message_stays_when_its_sender_goes(visitor, nurse):
    send(visitor, "coffee")
    visitor.delete()
    assert history(nurse, "coffee")[0]["sender"] == "visitor"


def test_pages_go_back_to_the_first_message(visitor):
    room = Room.objects.create(name="coffee")
    other = Room.objects.create(name="tea")
    for number in range(250):
        ChatMessage.objects.create(room=room, sender="visitor", text=str(number))
        if number % 10 == 0:
            ChatMessage.objects.create(room=other, sender="visitor", text="tea")
    newest = history(visitor, "coffee")
    assert [message["text"] for message in newest] == [str(n) for n in range(150, 250)]
    page, read = newest, []
    while page:
        read = [message["text"] for message in page] + read
        assert len(read) <= 250
        page = history(visitor, "coffee", last=60, before=page[0]["id"])
    assert read == [str(number) for number in range(250)]
    assert texts(visitor, "coffee", last=0) == []


def test_what_is_written_between_two_pages_moves_neither(visitor):
    for text in ("one", "two", "three"):
        send(visitor, "coffee", text)
    before = history(visitor, "coffee", last=1)[0]["id"]
    send(visitor, "coffee", "four")
    assert texts(visitor, "coffee", before=before) == ["one", "two"]
    ChatMessage.objects.get(text="three").delete()
    assert texts(visitor, "coffee", before=before) == ["one", "two"]


def test_a_message_is_a_node(visitor):
    send(visitor, "coffee", "Hi")
    (message,) = history(visitor, "coffee")
    assert data(visitor, NODE, id=message["id"]) == {"node": {"text": "Hi"}}
    for missing in ("999", "x", "9" * 30):
        assert data(visitor, NODE, id=to_global_id("ChatMessage", missing)) == {"node": None}


# ---- bad input


@pytest.mark.parametrize(
    ("chatroom", "text", "names"),
    [
        ("coffee", " \u200b", "text may not be blank."),
        ("coffee", "x" * 2001, "text may have 2000 characters at most."),
        ("coffee", f"{SECRET}\0", "text has a NUL character."),
        ("coffee", f"{SECRET}\ud83d", "text has half a surrogate pair, which is no text."),
        ("\n", "Hi", "chatroom may not be blank."),
        ("x" * 81, "Hi", "chatroom may have 80 characters at most."),
        (f"{SECRET}\0", "Hi", "chatroom has a control character."),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(visitor, caplog, chatroom, text, names):
    caplog.set_level(logging.DEBUG)
    response = ask(visitor, SEND, chatroom=chatroom, text=text)
    assert codes(response) == ["BAD_INPUT"]
    assert response["errors"][0]["message"] == names
    assert not Room.objects.exists()
    assert "Jane" not in caplog.text


def test_the_bounds_are_settings(visitor, settings):
    settings.CARETEAM = {**settings.CARETEAM, "MAX_TEXT_LENGTH": 3, "MAX_ROOM_NAME_LENGTH": 4}
    assert send(visitor, "room", "abc") == []
    assert send(visitor, "room", "abcd") == ["BAD_INPUT"]
    assert send(visitor, "rooms", "abc") == ["BAD_INPUT"]


def test_no_setting_lets_in_what_the_database_has_no_room_for(visitor, settings):
    settings.CARETEAM = {**settings.CARETEAM, "MAX_ROOM_NAME_LENGTH": 1000}
    assert send(visitor, "x" * 200) == []
    assert send(visitor, "x" * 201) == ["BAD_INPUT"]


@pytest.mark.parametrize(
    "page",
    [{"last": -1}, {"last": 101}, {"before": "1"}, {"before": to_global_id("Patient", 1)}],
)
def test_a_bad_page_is_refused(visitor, page):
    assert codes(ask(visitor, HISTORY, chatroom="coffee", **page)) == ["BAD_INPUT"]


def test_the_database_takes_no_empty_text():
    room = Room.objects.create(name="coffee")
    with pytest.raises(IntegrityError), transaction.atomic():
        ChatMessage.objects.create(room=room, sender="visitor", text="")


# ---- who may


def test_nobody_in_particular_may_use_the_rooms_that_are_named_for_them(visitor, settings):
    settings.CARETEAM = {**settings.CARETEAM, "ANONYMOUS_ROOMS": ["Kittens"]}
    assert send(None, "kittens", "Hi all!") == []
    assert history(None, "kittens")[0]["sender"] == "Anonymous"
    assert texts(visitor, "kittens") == ["Hi all!"]
    for chatroom in ("kitten", "I", "coffee"):
        assert send(None, chatroom) == ["UNAUTHENTICATED"]
        assert codes(ask(None, HISTORY, chatroom=chatroom)) == ["UNAUTHENTICATED"]
    assert Room.objects.count() == 1


def test_without_the_setting_there_is_no_such_room(settings):
    settings.CARETEAM = {}
    assert send(None, "kittens") == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("chatroom", ["II", "ii", "Ⅱ", " II", "I\u200bI", "neoplasms"])
def test_a_room_named_after_a_category_is_for_those_who_may_see_that(
    insider, nurse, visitor, chatroom
):
    assert send(insider, chatroom, SECRET) == []
    assert texts(insider, chatroom) == [SECRET]
    id = history(insider, chatroom)[0]["id"]
    for outsider in (nurse, visitor):
        assert codes(ask(outsider, HISTORY, chatroom=chatroom)) == ["FORBIDDEN"]
        assert send(outsider, chatroom) == ["FORBIDDEN"]
        assert data(outsider, NODE, id=id) == {"node": None}
    assert data(None, NODE, id=id) == {"node": None}
    assert ChatMessage.objects.count() == 1


def test_a_room_of_an_open_category_is_for_those_who_may_view_patients(nurse, visitor, insider):
    assert send(nurse, "IX") == []
    assert texts(insider, "IX") == ["Hi"]
    assert send(visitor, "IX") == ["FORBIDDEN"]


def test_superusers_may_use_every_room(insiders):
    root = make_user("root", is_superuser=True)
    assert send(root, "II") == []


# ---- when what a room was named after goes


@pytest.fixture
def written(insider):
    """What insiders wrote in the room II."""
    assert send(insider, "II", SECRET) == []


@pytest.mark.parametrize("change", ["renamed", "deleted"])
def test_what_was_written_stays_closed_without_its_category(
    written, insider, nurse, categories, change
):
    if change == "renamed":
        categories["II"].code = "C00"
        categories["II"].save()
    else:
        categories["II"].delete()
    for user in (insider, nurse):
        assert codes(ask(user, HISTORY, chatroom="II")) == ["FORBIDDEN"]
        assert send(user, "II") == ["FORBIDDEN"]
    assert texts(make_user("root", is_superuser=True), "II") == [SECRET]


def test_a_category_that_keeps_its_name_keeps_its_room(written, insider, categories):
    categories["II"].name = "New growths"
    categories["II"].save()
    assert texts(insider, "II") == [SECRET]


def test_a_category_of_the_same_name_does_not_open_its_room(written, insider, categories):
    """It may be one that more people see."""
    DiseaseCategory.objects.create(code="other", name="ii")
    categories["II"].delete()
    assert codes(ask(insider, HISTORY, chatroom="II")) == ["FORBIDDEN"]


def test_a_room_that_was_there_before_its_category_is_closed_by_it(visitor, nurse):
    assert send(visitor, "Burns", "Hi") == []
    DiseaseCategory.objects.create(code="B", name="Burns")
    assert send(visitor, "Burns") == ["FORBIDDEN"]
    assert texts(nurse, "Burns") == ["Hi"]
