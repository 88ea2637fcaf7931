"""What the client behind a socket may do now, looked at again whenever that may have changed."""

import asyncio
from typing import TYPE_CHECKING, Any

from live.concurrency import outage
from live.concurrency.threads import in_worker_thread
from live.identity import identify
from live.socket.protocol import Close, CloseCode

if TYPE_CHECKING:
    from live.socket.consumer import LiveConsumer

# Between two attempts to look while the database is away.
RETRY_SECONDS = 0.5


class Rights:
    """One socket's looks at its user's rights; until one is done, its events wait."""

    __slots__ = ("_looking", "_socket", "looks")

    def __init__(self, socket: "LiveConsumer") -> None:
        self._socket = socket
        self.looks = 0  # how often they have come to be looked at again
        self._looking: asyncio.Task[None] | None = None

    def changed(self, user_ids: frozenset[int] | None) -> None:
        """Look again if it is about the socket's user (None: about anybody)."""
        mine = identify.user_id(self._socket.scope)
        if user_ids is None or mine in user_ids:
            self._look_again(was=mine)

    def user_changed(self, before: Any) -> None:
        """An operation ended in which `before` was the user, who logged in or out meanwhile."""
        # Or was looked at again meanwhile, which must not be forgotten: see `_reauthorize`.
        mine = identify.user_id(self._socket.scope)
        self._look_again(was=mine if mine == getattr(before, "pk", None) else None)

    async def settled(self) -> None:
        """Return when it is known what the user may do: not while that is being looked at."""
        while self._looking and not self._looking.done():
            await asyncio.wait([self._looking])

    def stop(self) -> None:
        """Look no further."""
        if self._looking:
            self._looking.cancel()

    def _look_again(self, was: int | None) -> None:
        self.looks += 1
        self._socket.suspend_all()
        self.stop()
        self._looking = self._socket.spawn(self._look(was))

    async def _look(self, was: int | None) -> None:
        """See who is behind the socket now; `was` is the user that must still be."""
        while True:
            try:
                if await self._reauthorize(was):
                    return
                was = None  # somebody logged in or out meanwhile: whoever it is now
            except outage.DATABASE_ERRORS as error:
                outage.database.goes_on(error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:
                # What is withheld would stay so, and nobody would know.
                self._socket.fail(error)
                return

    async def _reauthorize(self, was: int | None) -> bool:
        """Return False where somebody logged in or out meanwhile, of whom nothing is known."""
        socket = self._socket
        before = socket.scope.get("user")
        if was is not None and identify.user_id(socket.scope) != was:
            return False
        user = await in_worker_thread(identify.present_user)(socket.scope)
        if socket.scope.get("user") is not before:
            return False
        socket.scope["user"] = user
        socket.belong()
        if was is not None and user.pk != was:
            socket.close_with(Close(CloseCode.FORBIDDEN, "Forbidden"))
            return True
        watched = socket.quota.subscriptions
        for operation in list(socket.operations.values()):
            await operation.reauthorize()
        if watched and not socket.quota.subscriptions and was is not None:
            socket.close_with(Close(CloseCode.FORBIDDEN, "Forbidden"))
        return True
