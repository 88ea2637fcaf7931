"""Looks at all sockets now and then: their times, and identities that ended without a signal."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.db import DataError
from django.utils import timezone

from live.concurrency.outage import Outage, report
from live.concurrency.scheduler import Rank, Scheduler
from live.concurrency.threads import Pool, in_worker_thread
from live.conf import conf
from live.identity.identify import TOKEN_ID, user_id
from live.models import AccessToken

logger = logging.getLogger(__name__)

# Seconds between two looks at the sockets' times: what a timeout is late at the most.
BEAT_SECONDS = 0.5
FAILED = "The look at the sockets failed"
# Seconds beyond RECHECK_EVERY after which a look is too old: until the next one, whoever has been
# logged out meanwhile must get no events.
GRACE_SECONDS = 2
# Identities that are asked for in one go: what the queries for them take is short.
IDENTITIES_AT_ONCE = 500
# What a query raises because of a value in it: a key that is none. One such value fails the
# query for all; a database that is away raises others, which say nothing of the sockets.
UNASKABLE = (TypeError, ValueError, OverflowError, DataError)


class Beating(Protocol):
    """What is needed of a socket."""

    scope: dict[str, Any]

    def beat(self, now: float) -> None: ...

    def rights_changed(self, user_ids: frozenset[int] | None) -> None: ...

    def look_is_old(self) -> None: ...

    def fail(self, error: Exception) -> None: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a socket's identity stands on."""

    user_id: int
    session_key: str | None
    token_id: int | None
    # The stored hash, which a session rests on; None where the identity outlives a change.
    password: str | None = field(default=None, repr=False)


class Housekeeping:
    """The two looks at a hub's sockets, each a task of its own: pings wait for no database.

    What fails is logged, and tried again.
    """

    def __init__(self, sockets: set[Any], scheduler: Scheduler) -> None:
        self._sockets, self._scheduler = sockets, scheduler
        # Counted in beats, since no time has passed for a loop that was held up.
        self._beats = self._looked_at = 0

    async def beat_for_ever(self) -> None:
        """Look at the sockets' times until cancelled."""
        await self._for_ever(self._beat, lambda: BEAT_SECONDS)

    async def check_identities_for_ever(self) -> None:
        """Look at who is behind the sockets until cancelled."""
        await self._for_ever(self._check_identities, lambda: max(BEAT_SECONDS, conf.RECHECK_EVERY))

    async def _for_ever(
        self, look: Callable[["Crowd"], Awaitable[None]], seconds: Callable[[], float]
    ) -> None:
        fault = Outage(logger, FAILED, "The look at the sockets works again")
        while True:
            await asyncio.sleep(seconds())
            try:
                await look(Crowd(self._scheduler, list(self._sockets)))
            except Exception as error:
                report(error, fault)
            else:
                fault.succeeded()

    async def _beat(self, crowd: "Crowd") -> None:
        self._beats += 1
        is_old = (self._beats - self._looked_at) * BEAT_SECONDS > conf.RECHECK_EVERY + GRACE_SECONDS
        if is_old:
            self._looked_at = self._beats  # each socket is asked to look for itself, now
        now = time.monotonic()
        async for socket in crowd:
            try:
                socket.beat(now)
                if is_old:
                    socket.look_is_old()
            except Exception as error:
                # One socket's fault must not keep the others open beyond their time.
                logger.error("%s: %s", FAILED, type(error).__name__)

    async def _check_identities(self, crowd: "Crowd") -> None:
        began = self._beats
        await _check_identities(crowd)
        self._looked_at = max(self._looked_at, began)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Sockets that are looked at in pieces: iterating, the loop has its turn now and then."""

    scheduler: Scheduler
    sockets: Sequence[Beating]

    async def __aiter__(self) -> AsyncIterator[Beating]:
        await self.scheduler.turn(Rank.HOUSEKEEPING)
        for socket in self.sockets:
            if self.scheduler.is_over:
                await self.scheduler.turn(Rank.HOUSEKEEPING)
            yield socket


async def _check_identities(crowd: Crowd) -> None:
    some: dict[Credentials, list[Beating]] = {}
    async for socket in crowd:
        held = _held_by(socket)
        if held is not None:
            some.setdefault(held, []).append(socket)
        if len(some) >= IDENTITIES_AT_ONCE:
            await _check(some, crowd.scheduler)
            some = {}
    await _check(some, crowd.scheduler)


def _held_by(socket: Beating) -> Credentials | None:
    try:
        held = credentials(socket.scope)
        hash(held)  # they are looked at by it
        return held
    except Exception as error:
        # Who is behind it cannot be told: it alone is closed, and the others are looked at.
        socket.fail(error)
        return None


async def _check(held: dict[Credentials, list[Beating]], scheduler: Scheduler) -> None:
    if not held:
        return
    try:
        found = await in_worker_thread(find_ended, Pool.ENDED)(set(held))
    except UNASKABLE as error:
        await _check_singly(held, scheduler, error)
        return
    for ended in found:
        async for socket in Crowd(scheduler, held[ended]):
            socket.rights_changed(None)


async def _check_singly(
    held: dict[Credentials, list[Beating]], scheduler: Scheduler, error: Exception
) -> None:
    """Close the sockets for whose identity the database cannot be asked, and check the others."""
    if len(held) > 1:
        for one, sockets in held.items():
            await _check({one: sockets}, scheduler)
        return
    for sockets in held.values():
        for socket in sockets:
            socket.fail(error)


def credentials(scope: dict[str, Any]) -> Credentials | None:
    """Return what the identity behind a socket stands on, None for nobody.

    Raises TypeError where what a resolver put there is no user.
    """
    user = user_id(scope)
    if user is None:
        return None
    if not isinstance(scope["user"], AbstractBaseUser):
        raise TypeError(f"a socket's user is a {type(scope['user']).__name__}")
    token = scope.get(TOKEN_ID)
    session = scope.get("session")
    key = session.session_key if token is None and session is not None else None
    return Credentials(user, key, token, scope["user"].password if key is not None else None)


def find_ended(held: Iterable[Credentials]) -> set[Credentials]:
    """Return those credentials that do not stand any more: three queries for all. Sync."""
    held = set(held)
    users = get_user_model().objects.filter(pk__in={c.user_id for c in held}, is_active=True)
    active = dict(users.values_list("pk", "password"))
    keys = {c.session_key for c in held if c.session_key is not None}
    sessions = Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now())
    alive = set(sessions.values_list("pk", flat=True))
    token_ids = {c.token_id for c in held if c.token_id is not None}
    tokens = AccessToken.objects.valid().filter(pk__in=token_ids)
    valid = set(tokens.values_list("pk", flat=True))
    return {
        c
        for c in held
        if c.user_id not in active
        or (c.password is not None and c.password != active[c.user_id])
        or (c.session_key is not None and c.session_key not in alive)
        or (c.token_id is not None and c.token_id not in valid)
    }
