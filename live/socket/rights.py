"""What the client behind a socket may do now, looked at again whenever that may have changed."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from live.concurrency import outage
from live.concurrency.threads import Pool, in_worker_thread
from live.errors import is_unavailable
from live.identity import identify


class Owner(Protocol):
    """What depends on the rights: the socket's session."""

    scope: dict[str, Any]

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start work that goes on to its end."""

    def suspend(self) -> None:
        """Deliver nothing until `reauthorize`."""

    def user_changed(self) -> None:
        """The scope's user was replaced, by another one or by the same one read again."""

    async def reauthorize(self) -> bool:
        """Go on with what the user may still see; return False where nothing is left of it."""

    def forbid(self) -> None:
        """Close: the client lost its rights."""

    def fail(self, error: Exception) -> None:
        """Close: it cannot be known what the client may do."""


class Rights:
    """Checks the rights of one socket's user; the socket's events wait for a check to end."""

    __slots__ = ("_looking", "_owner", "looks")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.looks = 0  # the number of checks that were asked for
        self._looking: asyncio.Task[None] | None = None

    def changed(self, user_ids: frozenset[int] | None) -> None:
        """Check again if `user` is the socket's (None: anybody)."""
        mine = identify.user_id(self._owner.scope)
        if user_ids is None or mine in user_ids:
            self._look_again(was=mine)

    def look_is_old(self) -> None:
        """Check again, unless nobody is logged in or a check is under way."""
        mine = identify.user_id(self._owner.scope)
        if mine is not None and (self._looking is None or self._looking.done()):
            self._look_again(was=mine)

    def user_changed(self, before: Any) -> None:
        """An operation ended in which `before` was the user, who logged in or out meanwhile."""
        # Or was looked at again meanwhile, which must not be forgotten: see `_reauthorize`.
        mine = identify.user_id(self._owner.scope)
        self._look_again(was=mine if mine == getattr(before, "pk", None) else None)

    async def settled(self) -> None:
        """Return when it is known what the user may do: not during a check."""
        while self._looking and not self._looking.done():
            await asyncio.wait([self._looking])

    def stop(self) -> None:
        """Stop checking."""
        if self._looking:
            self._looking.cancel()

    def _look_again(self, was: int | None) -> None:
        self.looks += 1
        self._owner.suspend()
        self.stop()
        self._looking = self._owner.spawn(self._look(was))

    async def _look(self, was: int | None) -> None:
        """See who is behind the socket now; `was` is the user that must still be."""
        while True:
            try:
                if await self._reauthorize(was):
                    return
                was = None  # somebody logged in or out meanwhile: whoever it is now
            except Exception as error:
                if not is_unavailable(error):
                    # Otherwise its events would be withheld for ever, and nobody would know.
                    self._owner.fail(error)
                    return
                outage.database_failed(error)
                await asyncio.sleep(outage.RETRY_SECONDS)

    async def _reauthorize(self, was: int | None) -> bool:
        """Return False where somebody logged in or out meanwhile, of whom nothing is known."""
        scope = self._owner.scope
        before = scope.get("user")
        if was is not None and identify.user_id(scope) != was:
            return False
        user = await in_worker_thread(identify.present_user, Pool.RIGHTS)(scope)
        if scope.get("user") is not before:
            return False
        scope["user"] = user
        self._owner.user_changed()
        is_another = was is not None and user.pk != was
        keeps_something = not is_another and await self._owner.reauthorize()
        if was is not None and not keeps_something:
            self._owner.forbid()
        return True
