"""Notices: who may see, publish and watch them; published once, whoever does it how often."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from graphql_relay import to_global_id

from careteam.models import Notice
from careteam.services import notice_publish
from live.history import told
from tests.careteam.sockets import SocketOf
from tests.conftest import make_user
from tests.live.wire import Ended
from tests.live.wire import codes as socket_codes
from tests.patients.asking import ask, codes, data

pytestmark = pytest.mark.django_db(transaction=True)

NOTICES = """query ($first: Int, $after: ID) {
  notices(first: $first, after: $after) { id title body author publishedAt }
}"""
PUBLISH = """mutation ($id: ID!) {
  publishNotice(id: $id) { notice { id title publishedAt } }
}"""
NODE = "query ($id: ID!) { node(id: $id) { ... on Notice { title } } }"
WATCH = "subscription { onNoticePublished { id title body publishedAt } }"
LIST = reverse("admin:careteam_notice_changelist")

# Who there is: permissions, and fields of the user.
PEOPLE = {
    "user": ((), {}),
    "viewer": (("view_notice",), {}),
    "staff without publish": (("view_notice", "change_notice"), {"is_staff": True}),
    "publish without staff": (("view_notice", "publish_notice"), {}),
    "publish without view": (("publish_notice",), {"is_staff": True}),
    "publisher": (("view_notice", "publish_notice"), {"is_staff": True}),
    "superuser": ((), {"is_staff": True, "is_superuser": True}),
    "superuser without staff": ((), {"is_superuser": True}),
}
SEE = {
    "viewer",
    "staff without publish",
    "publish without staff",
    "publisher",
    "superuser",
    "superuser without staff",
}
MAY_PUBLISH = {"publisher", "superuser"}
EVERYBODY = ["anonymous", *PEOPLE]


@pytest.fixture
def who(request):
    """The user that the parameter names, None for nobody."""
    if request.param == "anonymous":
        return None
    permissions, fields = PEOPLE[request.param]
    return make_user(request.param, *permissions, **fields)


@pytest.fixture
def publisher(db):
    return make_user("publisher", "view_notice", "publish_notice", is_staff=True)


@pytest.fixture
def viewer(db):
    return make_user("viewer", "view_notice")


@pytest.fixture
def draft(db):
    return Notice.objects.create(title="Draft", body="Not yet")


@pytest.fixture
def published(db):
    notice = Notice.objects.create(title="Published", body="Read this")
    assert notice_publish(notice=notice)
    return notice


def id_of(notice):
    return to_global_id("Notice", getattr(notice, "pk", notice))


def titles(user, **page):
    return [notice["title"] for notice in data(user, NOTICES, **page)["notices"]]


everybody = pytest.mark.parametrize(
    ("who", "name"), [(name, name) for name in EVERYBODY], indirect=["who"], ids=EVERYBODY
)


def refusal(name):
    return ["UNAUTHENTICATED" if name == "anonymous" else "FORBIDDEN"]


# ---- the matrix: everybody × list, draft, publish, subscribe, admin


@everybody
def test_who_sees_the_list_and_drafts_in_it(who, name, draft, published):
    if name not in SEE:
        assert codes(ask(who, NOTICES)) == refusal(name)
        return
    expected = ["Draft", "Published"] if name in MAY_PUBLISH else ["Published"]
    assert titles(who) == expected


@everybody
def test_who_finds_one_by_its_id(who, name, draft, published):
    for notice, may in ((published, SEE), (draft, MAY_PUBLISH)):
        response = ask(who, NODE, id=id_of(notice))
        if name not in SEE:
            assert codes(response) == refusal(name)
        else:
            found = {"title": notice.title} if name in may else None
            assert response == {"data": {"node": found}}


@everybody
def test_who_publishes(who, name, draft):
    response = ask(who, PUBLISH, id=id_of(draft))
    draft.refresh_from_db()
    if name in MAY_PUBLISH:
        notice = response["data"]["publishNotice"]["notice"]
        assert (notice["id"], notice["title"]) == (id_of(draft), "Draft")
        assert notice["publishedAt"] == draft.published_at.isoformat()
    else:
        assert codes(response) == refusal(name)
        assert draft.published_at is None


def test_who_published_it_and_how_is_in_its_history(publisher, draft):
    for _ in range(2):
        data(publisher, PUBLISH, id=id_of(draft))
    entry = LogEntry.objects.get()
    assert (entry.user, entry.get_edited_object()) == (publisher, draft)
    assert told(entry) == "Changed Published. (GraphQL over HTTP)"


@everybody
async def test_who_is_told(who, name, draft):
    async with SocketOf(who) as wire:
        refused = await wire.subscribe(WATCH)
        if name not in SEE:
            assert refused == refusal(name)
            return
        assert refused == []
        await sync_to_async(notice_publish)(notice=draft)
        assert await wire.event() == {
            "onNoticePublished": {
                "id": id_of(draft),
                "title": "Draft",
                "body": "Not yet",
                "publishedAt": draft.published_at.isoformat(),
            }
        }


@everybody
def test_who_publishes_in_the_admin(who, name, draft, published):
    browser = Client()
    if who is not None:
        browser.force_login(who)
    response = browser.get(LIST)
    act(browser, draft)
    draft.refresh_from_db()
    assert (draft.published_at is not None) == (name in MAY_PUBLISH)
    if name in MAY_PUBLISH:
        assert set(response.context["cl"].result_list) == {draft, published}
    elif name == "staff without publish":
        assert set(response.context["cl"].result_list) == {published}
    else:
        assert response.status_code in (302, 403)


# ---- publishing happens once


async def test_a_second_time_changes_nothing_and_tells_nobody(viewer, publisher, draft):
    async with SocketOf(viewer) as wire:
        assert await wire.subscribe(WATCH) == []
        first = await sync_to_async(data)(publisher, PUBLISH, id=id_of(draft))
        assert await sync_to_async(data)(publisher, PUBLISH, id=id_of(draft)) == first
        browser = Client()
        await sync_to_async(browser.force_login)(publisher)
        assert await sync_to_async(act)(browser, draft) == ["1 was skipped: already published."]
        stale = Notice(pk=draft.pk, title="Stale")
        assert not await sync_to_async(notice_publish)(notice=stale)
        last = await Notice.objects.acreate(title="Last")
        await sync_to_async(notice_publish)(notice=last)
        assert (await wire.event())["onNoticePublished"]["title"] == "Draft"
        assert (await wire.event())["onNoticePublished"]["title"] == "Last"


def act(browser, *notices):
    """Choose the admin's action; return what the page then says."""
    chosen = {"action": "publish", "_selected_action": [notice.pk for notice in notices]}
    response = browser.post(LIST, chosen)
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_the_admins_action_publishes_those_that_are_not(publisher, draft, published):
    browser = Client()
    browser.force_login(publisher)
    other = Notice.objects.create(title="Another")
    before = published.published_at
    assert act(browser, draft, published, other) == [
        "2 notices were published.",
        "1 was skipped: already published.",
    ]
    published.refresh_from_db()
    assert published.published_at == before
    assert not Notice.objects.filter(published_at=None).exists()


async def test_who_may_no_longer_see_notices_is_not_told(viewer, draft):
    def take_away_and_publish():
        viewer.user_permissions.clear()
        notice_publish(notice=draft)

    async with SocketOf(viewer) as wire:
        assert await wire.subscribe(WATCH) == []
        await sync_to_async(take_away_and_publish)()
        refused = await wire.receive()
        assert socket_codes({"errors": wire.errors_in(refused)}) == ["FORBIDDEN"]
        with pytest.raises(Ended):
            await wire.receive()


# ---- lists and ids


def test_the_newest_is_first_and_pages_go_on_from_a_notice(publisher, viewer):
    for number in range(5):
        notice_publish(notice=Notice.objects.create(title=str(number)))
    Notice.objects.create(title="a draft"), Notice.objects.create(title="b draft")
    Notice.objects.filter(title__in="12").update(published_at="2020-01-01T00:00:00Z")
    assert titles(viewer) == ["4", "3", "0", "2", "1"]
    in_order = ["b draft", "a draft", "4", "3", "0", "2", "1"]
    assert titles(publisher) == in_order
    for size in (1, 2, 3):
        seen, after = [], None
        while page := data(publisher, NOTICES, first=size, after=after)["notices"]:
            seen += [notice["title"] for notice in page]
            assert len(seen) <= len(in_order)
            after = page[-1]["id"]
        assert seen == in_order


@pytest.mark.parametrize("page", [{"first": -1}, {"first": 101}, {"after": "x"}])
def test_a_bad_page_is_refused(viewer, page):
    assert codes(ask(viewer, NOTICES, **page)) == ["BAD_INPUT"]


def test_a_draft_is_no_place_in_the_list_of_who_sees_none(viewer, draft):
    hidden, missing = (ask(viewer, NOTICES, after=id_of(n)) for n in (draft, 999))
    assert codes(hidden) == ["BAD_INPUT"]
    assert hidden == missing


@pytest.mark.parametrize(
    ("id", "refused"),
    [(to_global_id("Notice", 999), ["NOT_FOUND"]), ("1", ["BAD_INPUT"]), ("", ["BAD_INPUT"])],
)
def test_what_is_no_notice_is_not_published(publisher, draft, id, refused):
    assert codes(ask(publisher, PUBLISH, id=id)) == refused


def test_a_notice_stays_when_its_author_goes(publisher, viewer):
    notice = Notice.objects.create(title="Mine", author=publisher)
    notice_publish(notice=notice)
    assert data(viewer, NOTICES)["notices"][0]["author"] == "publisher"
    publisher.delete()
    assert data(viewer, NOTICES)["notices"][0]["author"] is None
