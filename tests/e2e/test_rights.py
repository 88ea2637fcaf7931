"""Rights that end while sockets are open: the very next event is withheld, in every process.

All changes are made by one program beside two servers, one after the other, each followed by
the event that tells of it. Who lost something must not have the events from its own change on;
who lost nothing must have them all.
"""

import asyncio
import contextlib
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.clients import (
    LEGACY,
    ON_NEW_PATIENT,
    SUBPROTOCOLS,
    TIMEOUT,
    TRANSPORT_WS,
    Client,
    Closed,
)
from tests.e2e.servers import Server

# A socket that lost everything is closed within this time: it is promised.
SECONDS_TO_CLOSE = 2

# Who loses everything, and how. `user` is theirs, `group` one that only they are in.
TOLD = {
    "logged out": "browser.post('/logout/')",
    "logged out by mutation": "browser.post('/graphql/', LOGOUT, 'application/json')",
    "deactivated": "user.is_active = False; user.save()",
    "password changed": "user.set_password('other'); user.save()",
    "permission removed": "user.user_permissions.clear()",
    "permission taken from the user's side": "VIEW.user_set.remove(user)",
    "no superuser any more": "user.is_superuser = False; user.save()",
    "left the group": "user.groups.clear()",
    "removed from the group": "group.user_set.remove(user)",
    "group lost the permission": "group.permissions.clear()",
    "group deleted": "group.delete()",
    "groups deleted in bulk": "Group.objects.filter(name=who).delete()",
    "category closed to all but a group": "closing.viewers.add(insiders)",
    "token revoked": "revoke_token(token=token)",
    "token deleted": "token.delete()",
    "token's end brought forward": "token.expires_at = timezone.now(); token.save()",
    "user deleted": "user.delete()",
    "kicked": "call_command('kick', who, stdout=io.StringIO())",
}
# No signal tells of these: the servers find out by looking.
UNTOLD = {
    "session deleted by SQL": "sql('DELETE FROM django_session WHERE session_key = %s', session)",
    "deactivated by SQL": "sql('UPDATE auth_user SET is_active = false WHERE id = %s', user.pk)",
    "password changed by SQL": "sql('UPDATE auth_user SET password = 0 WHERE id = %s', user.pk)",
    "token deleted by SQL": "sql('DELETE FROM live_accesstoken WHERE id = %s', token.pk)",
    "token expired": "AccessToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())",
}
CHANGES = {**TOLD, **UNTOLD}
BY_GROUP = [name for name in CHANGES if "group" in name and "category" not in name]
BY_TOKEN = [name for name in CHANGES if "token" in name]
CLOSED_CATEGORY = "category closed to all but a group"

PREAMBLE = """
import io, json
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from live.models import AccessToken
from live.tokens import issue_token, revoke_token
from patients.models import DiseaseCategory, Patient
VIEW = Permission.objects.get(codename="view_patient")
LOGOUT = {"query": "mutation { logout { ok } }"}
category = {c.code: c for c in DiseaseCategory.objects.all()}
def sql(statement, value):
    connection.cursor().execute(statement, [value])
"""
SET_UP = """
from django.contrib.auth.hashers import make_password
from django.conf import settings
hashed = make_password("password")
def session_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
credentials = {}
for who in {**TOLD, **UNTOLD}:
    user = User.objects.create(username=who, password=hashed)
    if who in BY_GROUP:
        group = Group.objects.create(name=who)
        group.permissions.add(VIEW)
        user.groups.add(group)
    elif "superuser" in who:
        user.is_superuser = True
        user.save()
    else:
        user.user_permissions.add(VIEW)
    credentials[who] = {"session": session_of(user)}
    if who in BY_TOKEN:
        credentials[who]["token"] = issue_token(user=user, expires_in=None)[1]
insiders = Group.objects.create(name="insiders")
category["XIII"].viewers.add(insiders)
category["XIV"].viewers.add(insiders)
for who in ("witness", "keeper", "joiner"):
    user = User.objects.create(username=who, password=hashed)
    user.user_permissions.add(VIEW)
    credentials[who] = {"session": session_of(user)}
print(json.dumps(credentials))
"""
CHANGE = """
insiders = Group.objects.get(name="insiders")
closing = category["II"]
def make(who, change):
    user = User.objects.get(username=who)
    group = user.groups.first()
    token = user.access_tokens.first()
    session = credentials[who]["session"]
    browser = Client(headers={"host": "127.0.0.1"})
    browser.cookies["sessionid"] = session
    exec(change, {**globals(), **locals()})
    Patient.objects.create(name=who, category=category["III"])
for who, change in TOLD.items():
    make(who, change)
    Patient.objects.create(name=who, category=closing)
Patient.objects.create(name="before", category=category["XIII"])
Patient.objects.create(name="before", category=category["XIV"])
Patient.objects.create(name="open", category=category["I"])
category["XIII"].viewers.clear()
Patient.objects.create(name="opened to all", category=category["XIII"])
User.objects.get(username="joiner").groups.add(insiders)
Patient.objects.create(name="joined", category=category["XIV"])
category["I"].viewers.add(insiders)
Patient.objects.create(name="shut", category=category["I"])
for who, change in UNTOLD.items():
    make(who, change)
Patient.objects.create(name="end", category=category["IV"])
"""


class BearerClient(Client):
    """A client that has no cookie and says who it is in connection_init's payload."""

    token = ""

    async def send(self, **message: Any) -> None:
        if message["type"] == "connection_init":
            message["payload"] = {**message["payload"], "authorization": f"Bearer {self.token}"}
        await super().send(**message)


@dataclass
class Watcher:
    """What one subscription was told, and when and how it ended."""

    told: list[tuple[str, str]] = field(default_factory=list)
    seen_at: dict[str, float] = field(default_factory=dict)
    closed: int | None = None
    closed_at: float = 0
    codes: list[str] = field(default_factory=list)

    async def watch(self, subscription: Any) -> None:
        """Note what comes until the last event of all, or the socket's end."""
        with contextlib.suppress(Closed):
            while ("end", "IV") not in self.told:
                self._note(await subscription._client.receive(subscription.op_id))

    async def watch_until_closed(self, subscription: Any) -> None:
        """Note what comes until the socket's end, and when that is."""
        try:
            while True:
                self._note(await subscription._client.receive(subscription.op_id))
        except Closed as closed:
            self.closed, self.closed_at = closed.code, time.monotonic()

    async def watch_until_refused(self, subscription: Any) -> None:
        """Note what comes until this one subscription is ended with an error."""
        while not self.codes:
            self._note(await subscription._client.receive(subscription.op_id))

    def _note(self, message: dict[str, Any]) -> None:
        payload = message["payload"]
        if message["type"] == "error":
            errors = payload["errors"] if isinstance(payload, dict) else payload
            self.codes += [error["extensions"]["code"] for error in errors]
            return
        patient = payload["data"]["onNewPatient"]["patient"]
        self.told.append((patient["name"], patient["category"]["code"]))
        self.seen_at.setdefault(patient["name"], time.monotonic())


class Story:
    """All watchers, by (who, what they watch, subprotocol), after everything has happened."""

    def __init__(self, server: Server, neighbour: Server) -> None:
        self.homes = {TRANSPORT_WS: server, LEGACY: neighbour}
        self.server = server
        self.watchers: dict[tuple[str, str | None, str], Watcher] = {}
        self.answers: dict[str, Any] = {}

    def prelude(self) -> str:
        names = {"TOLD": TOLD, "UNTOLD": UNTOLD, "BY_GROUP": BY_GROUP, "BY_TOKEN": BY_TOKEN}
        return PREAMBLE + "".join(f"{name} = {value!r}\n" for name, value in names.items())

    async def happen(self) -> None:
        code = self.prelude() + SET_UP
        self.credentials = json.loads(await asyncio.to_thread(self.server.shell, code))
        for home in self.homes.values():
            for who, held in self.credentials.items():
                home.sessions[who] = {"sessionid": held["session"]}
        async with AsyncExitStack() as stack:
            clients, tasks = await self._open(stack)
            code = f"{self.prelude()}credentials = {self.credentials!r}\n{CHANGE}"
            await asyncio.to_thread(self.server.shell, code)
            await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT)
            await self._ask(clients)

    async def _open(self, stack: AsyncExitStack) -> tuple[dict, list]:
        clients, tasks = {}, []
        for subprotocol in SUBPROTOCOLS:
            for who in self.credentials:
                client = await stack.enter_async_context(self._client(who, subprotocol))
                clients[who, subprotocol] = client
                watched = {CLOSED_CATEGORY: ["II"], "keeper": [None, "I", "III"]}
                for category in watched.get(who, [None]):
                    watcher = self.watchers[who, category, subprotocol] = Watcher()
                    subscription = await client.subscribe(ON_NEW_PATIENT, category=category)
                    if category == "III":
                        continue  # its end is not told: the keeper's answer shows that it runs
                    watch = watcher.watch_until_closed if who in CHANGES else watcher.watch
                    if (who, category) == ("keeper", "I"):
                        watch = watcher.watch_until_refused
                    tasks.append(asyncio.create_task(watch(subscription)))
        return clients, tasks

    def _client(self, who: str, subprotocol: str) -> Client:
        home = self.homes[subprotocol]
        if who not in BY_TOKEN:
            return Client(home, who, subprotocol)
        token = self.credentials[who]["token"]
        if subprotocol == LEGACY:
            return Client(home, None, subprotocol, {"Authorization": f"Bearer {token}"})
        client = BearerClient(home, None, subprotocol)
        client.token = token
        return client

    async def _ask(self, clients: dict) -> None:
        keeper = clients["keeper", TRANSPORT_WS]
        query = "{ patients { totalCount edges { node { category { code } } } } }"
        self.answers["patients"] = (await keeper.execute(query))["patients"]
        query = "{ diseaseCategories { code } }"
        answer = (await keeper.execute(query))["diseaseCategories"]
        self.answers["categories"] = {category["code"] for category in answer}


@pytest.fixture(scope="module")
def story(server):
    neighbour = Server(server.folder, environment={"SECRET_KEY": server.env["SECRET_KEY"]}).start()
    try:
        story = Story(server, neighbour)
        asyncio.run(story.happen())
        yield story
    finally:
        neighbour.stop()


ORDER = list(TOLD)
OPEN = ORDER[: ORDER.index(CLOSED_CATEGORY)]  # those whose events in II all may see


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
def test_whoever_lost_nothing_is_told_everything(story, subprotocol):
    first = [(who, code) for who in TOLD for code in ("III", "II") if code == "III" or who in OPEN]
    gains = [("open", "I"), ("opened to all", "XIII")]
    last = [*((who, "III") for who in UNTOLD), ("end", "IV")]
    assert story.watchers["witness", None, subprotocol].told == first + gains + last


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize("who", TOLD)
def test_the_next_event_is_withheld_from_who_lost_everything(story, who, subprotocol):
    in_ii_only = who == CLOSED_CATEGORY
    expected = [
        (name, code)
        for name in ORDER[: ORDER.index(who)]
        for code in (["II"] if in_ii_only else ["III", "II"])
        if code == "III" or name in OPEN
    ]
    assert story.watchers[who, "II" if in_ii_only else None, subprotocol].told == expected


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize("who", CHANGES)
def test_a_socket_that_lost_everything_is_closed_at_once(story, who, subprotocol):
    watcher = story.watchers[who, "II" if who == CLOSED_CATEGORY else None, subprotocol]
    assert watcher.closed == 4403
    witness = story.watchers["witness", None, subprotocol]
    assert watcher.closed_at - witness.seen_at[who] < SECONDS_TO_CLOSE


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
def test_a_socket_keeps_what_it_may_still_see(story, subprotocol):
    lost = story.watchers["keeper", "I", subprotocol]
    assert lost.told == [("open", "I")]
    assert lost.codes == ["BAD_INPUT"]
    everything = story.watchers["keeper", None, subprotocol].told
    assert ("open", "I") in everything
    assert ("shut", "I") not in everything
    assert everything[-1] == ("end", "IV")


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
def test_what_is_gained_is_seen_from_then_on(story, subprotocol):
    told = story.watchers["joiner", None, subprotocol].told
    assert [name for name, code in told if code == "XIII"] == ["opened to all"]
    assert [name for name, code in told if code == "XIV"] == ["joined"]
    witness = story.watchers["witness", None, subprotocol].told
    assert [name for name, code in witness if code == "XIV"] == []


def test_a_query_on_the_same_socket_has_the_new_rights(story):
    codes = {edge["node"]["category"]["code"] for edge in story.answers["patients"]["edges"]}
    assert codes == {"III", "IV", "XIII"}
    assert story.answers["patients"]["totalCount"] == len(CHANGES) + 3
    assert story.answers["categories"].isdisjoint({"I", "II", "XIV"})
