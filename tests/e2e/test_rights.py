"""Rights that end while sockets are open: the very next event is withheld, in every process.

All changes are made by one program beside two servers, one after the other, each followed at
once by the event that tells of it. Who lost something must not have the events from its own
change on. The next change waits until all others have dealt with that event: what a change
finds on its way is judged by the rights after it, and who lost nothing must have everything.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Container
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.changes_of_rights import (
    BY_TOKEN,
    CHANGES,
    CLOSED_CATEGORY,
    PREAMBLE,
    SET_UP,
    TOLD,
    UNTOLD,
)
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
from tests.e2e.shell import Shell

# A socket that lost everything is closed within this time: it is promised.
SECONDS_TO_CLOSE = 2

ORDER = list(TOLD)
OPEN = ORDER[: ORDER.index(CLOSED_CATEGORY)]  # those whose events in II all may see


class BearerClient(Client):
    """A client that has no cookie and says who it is in connection_init's payload."""

    token = ""

    async def send(self, **message: Any) -> None:
        if message["type"] == "connection_init":
            message["payload"] = {**message["payload"], "authorization": f"Bearer {self.token}"}
        await super().send(**message)


# (who, what they watch, by which subprotocol)
Key = tuple[str, str | None, str]


@dataclass
class Watcher:
    """What one subscription was told, and when and how it ended.

    Args:
        news: set whenever there is more.
    """

    news: asyncio.Event
    told: list[tuple[str, str]] = field(default_factory=list)
    seen_at: dict[str, float] = field(default_factory=dict)
    closed: int | None = None
    closed_at: float = 0
    codes: list[str] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        return self.closed is not None or bool(self.codes)

    async def watch(self, client: Client, op_id: str) -> None:
        """Note what comes, until the socket's end."""
        try:
            while True:
                self._note(await client.receive(op_id, seconds=None))
        except Closed as closed:
            self.closed, self.closed_at = closed.code, time.monotonic()
            self.news.set()

    def _note(self, message: dict[str, Any]) -> None:
        payload = message["payload"]
        if message["type"] == "error":
            errors = payload["errors"] if isinstance(payload, dict) else payload
            self.codes += [error["extensions"]["code"] for error in errors]
        else:
            patient = payload["data"]["onNewPatient"]["patient"]
            self.told.append((patient["name"], patient["category"]["code"]))
            self.seen_at.setdefault(patient["name"], time.monotonic())
        self.news.set()


class WaitedInVain(Exception):
    """Something did not happen."""


class Story:
    """All watchers, after everything has happened."""

    def __init__(self, server: Server, neighbour: Server) -> None:
        self.homes = {TRANSPORT_WS: server, LEGACY: neighbour}
        self.server = server
        self.watchers: dict[Key, Watcher] = {}
        self.answers: dict[str, Any] = {}
        self.waited_in_vain = ""
        self._news = asyncio.Event()

    async def happen(self) -> None:
        async with AsyncExitStack() as stack:
            self._shell = await stack.enter_async_context(Shell(self.server, PREAMBLE))
            self.credentials = json.loads(await self._shell.run(SET_UP))
            for home in self.homes.values():
                for who, held in self.credentials.items():
                    home.sessions[who] = {"sessionid": held["session"]}
            clients = await self._open(stack)
            try:
                await self._take_away()
                await self._give()
                await self._take_away_in_silence()
                await self._ask(clients)
            except WaitedInVain as reason:
                # What happened until then is for the tests to judge.
                self.waited_in_vain = str(reason)

    async def _open(self, stack: AsyncExitStack) -> dict:
        clients = {}
        for subprotocol in SUBPROTOCOLS:
            for who in self.credentials:
                client = await stack.enter_async_context(self._client(who, subprotocol))
                clients[who, subprotocol] = client
                watched = {CLOSED_CATEGORY: ["II"], "keeper": [None, "I", "III"]}
                for category in watched.get(who, [None]):
                    watcher = Watcher(self._news)
                    self.watchers[who, category, subprotocol] = watcher
                    subscription = await client.subscribe(ON_NEW_PATIENT, category=category)
                    task = asyncio.create_task(watcher.watch(client, subscription.op_id))
                    stack.callback(task.cancel)
        return clients

    # ---- what happens

    async def _take_away(self) -> None:
        """Have each of TOLD lose everything, and all others hear of it; in II, until it is shut."""
        for who, code in TOLD.items():
            await self._shell.run(f"change({who!r}, {code!r}, ['III', 'II'])")
            await self._told_of(who, "III")
            if who in OPEN:
                await self._told_of(who, "II")
            await self._end_of(who)

    async def _give(self) -> None:
        """Open categories, to all and to one; shut one to all but that one."""
        await self._shell.run("register('before', 'XIII', 'XIV'); register('open', 'I')")
        await self._told_of("open", "I")
        await self._shell.run("category['XIII'].viewers.clear(); register('opened to all', 'XIII')")
        await self._told_of("opened to all", "XIII")
        join = "User.objects.get(username='joiner').groups.add(insiders)"
        await self._shell.run(f"{join}; register('joined', 'XIV')")
        await self._told_of("joined", "XIV", by=["joiner"])
        await self._shell.run("category['I'].viewers.add(insiders); register('shut', 'I')")
        await self._told_of("shut", "I", by=["joiner"])
        await self._end_of("keeper", "I")

    async def _take_away_in_silence(self) -> None:
        for who, code in UNTOLD.items():
            await self._shell.run(f"change({who!r}, {code!r}, ['III'])")
            await self._end_of(who)
            await self._told_of(who, "III")
        await self._shell.run("register('end', 'IV')")
        await self._told_of("end", "IV")

    async def _end_of(self, who: str, category: str | None = None) -> None:
        """Wait for the end of somebody's watching, of all or of one category."""
        await self._until(
            f"{who} has ended",
            lambda key, watcher: (
                watcher.has_ended or key[0] != who or category not in (None, key[1])
            ),
        )

    async def _told_of(self, name: str, code: str, by: Container[str] | None = None) -> None:
        """Wait until all who still watch that category (those of `by`) were told of the event."""
        await self._until(
            f"{name} was told of in {code}",
            lambda key, watcher: (
                (name, code) in watcher.told
                or watcher.has_ended
                or key[1] not in (None, code)
                or (by is not None and key[0] not in by)
            ),
        )

    async def _until(self, what: str, is_so_for: Callable[[Key, Watcher], bool]) -> None:
        """Wait until it is so for all watchers; raise WaitedInVain with those it never is for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                while self._all_but(is_so_for):
                    self._news.clear()
                    await self._news.wait()
        if late := self._all_but(is_so_for):
            raise WaitedInVain(f"{what}, but not for {late}")

    def _all_but(self, is_so_for: Callable[[Key, Watcher], bool]) -> list[Key]:
        return [key for key, watcher in self.watchers.items() if not is_so_for(key, watcher)]

    # ---- who watches

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


def test_everything_happened(story):
    assert story.waited_in_vain == ""


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
