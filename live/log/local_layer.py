"""The channel layer of the embedded default: in memory, and heard by this machine's processes.

Channels' in-memory layer ends at the process: what a shell or an import broadcasts never
reaches the server beside it. This one also listens on a Unix socket, one for each event loop
that has groups, in a folder that only this user may enter, and sends each group message to
its neighbours there.
"""

import asyncio
import contextlib
import functools
import hashlib
import logging
import os
import stat
import tempfile
import uuid
from pathlib import Path
from typing import Any

import msgpack
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, InMemoryChannelLayer

logger = logging.getLogger(__name__)

# A neighbour that is stopped in a debugger must not hold up a writer for ever.
NEIGHBOUR_TIMEOUT_SECONDS = 5
DELIVERED = b"\x01"
# The in-memory layer takes a channel out of its groups when a message or a membership grows
# old, by the wall clock: a ward board stays up for weeks, a laptop sleeps for days.
NEVER_SECONDS = 10 * 365 * 86_400


class _Room(InMemoryChannelLayer):
    """One event loop's channels and groups; only that loop may touch it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "expiry": NEVER_SECONDS, "group_expiry": NEVER_SECONDS})
        self.server: asyncio.AbstractServer | None = None
        self.path: Path | None = None
        self._overflowed: set[str] = set()

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        try:
            await super().send(channel, message)
        except ChannelFull:
            # A group's sender is not told; so the reader is.
            self._overflowed.add(channel)
            raise

    async def receive(self, channel: str) -> dict[str, Any]:
        """Return the next message; raise ChannelFull, once, where one was dropped."""
        if channel in self._overflowed:
            self._overflowed.discard(channel)
            self.channels.pop(channel, None)
            raise ChannelFull(channel)
        message: dict[str, Any] = await super().receive(channel)
        return message

    def close_server(self) -> None:
        """Stop listening to neighbours."""
        if self.server:
            self.server.close()
            self.server = None
        if self.path:
            self.path.unlink(missing_ok=True)
            self.path = None


class LocalChannelLayer(BaseChannelLayer):
    """Groups within one machine, without a server.

    Args:
        namespace: processes with the same one hear each other; the database's name serves.
        capacity: messages that may wait on a channel; beyond it, `receive` raises
            ChannelFull, so that its reader knows. Messages do not expire.
    """

    extensions = ["groups", "flush"]

    def __init__(self, namespace: str = "", **kwargs: Any) -> None:
        super().__init__(**{"capacity": 100, "expiry": NEVER_SECONDS, **kwargs})
        self._namespace = namespace
        self._options = kwargs
        # Each thread's loop has a room of its own: asyncio's queues are not safe to fill
        # from another thread.
        self._rooms: dict[asyncio.AbstractEventLoop, _Room] = {}

    # ---- this loop's channels

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a new channel's name."""
        name: str = await self._room().new_channel(prefix)
        return name

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send to a channel of this event loop; raise ChannelFull where too much waits."""
        await self._room().send(channel, message)

    async def receive(self, channel: str) -> dict[str, Any]:
        """Return the next message of `channel`; raise ChannelFull where one was dropped."""
        return await self._room().receive(channel)

    async def group_add(self, group: str, channel: str) -> None:
        """Add `channel` to `group`; this loop listens to its neighbours from then on."""
        room = self._room()
        await self._listen(room)
        await room.group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Remove `channel` from `group`; with its last group, this loop stops listening."""
        room = self._room()
        await room.group_discard(group, channel)
        if not room.groups:
            room.close_server()

    async def flush(self) -> None:
        """Forget this loop's channels and groups."""
        await self._room().flush()

    async def close(self) -> None:
        """Stop listening."""
        for room in self._rooms.values():
            room.close_server()
        self._rooms.clear()

    def _room(self) -> _Room:
        self._forget_closed_loops()
        loop = asyncio.get_running_loop()
        if loop not in self._rooms:
            self._rooms[loop] = _Room(**self._options)
        return self._rooms[loop]

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in list(self._rooms) if loop.is_closed()]:
            room = self._rooms.pop(loop, None)
            if room:
                room.close_server()

    # ---- groups, here and in the neighbourhood

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send to the group's channels here and in the neighbouring threads and processes.

        When it returns, each of them has the message in its queues: what one writer sends
        arrives in the order in which it was sent.
        """
        self.require_valid_group_name(group)
        self._forget_closed_loops()
        for loop, room in list(self._rooms.items()):
            if loop is asyncio.get_running_loop():
                await room.group_send(group, message)
            elif group in room.groups:
                await self._send_to_loop(loop, room.group_send(group, message))
        for path in self._neighbours():
            await self._send_to(path, msgpack.packb([group, message]))

    async def _send_to_loop(self, loop: asyncio.AbstractEventLoop, sending: Any) -> None:
        try:
            async with asyncio.timeout(NEIGHBOUR_TIMEOUT_SECONDS):
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sending, loop))
        except TimeoutError:
            logger.error("A thread did not take a broadcast in time")
        except RuntimeError:  # its loop was closed meanwhile: nobody listens there any more
            sending.close()

    async def _listen(self, room: _Room) -> None:
        if room.path is not None or not hasattr(asyncio, "start_unix_server"):
            return
        room.path = self._folder() / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        on_neighbour = functools.partial(_on_neighbour, room)
        room.server = await asyncio.start_unix_server(on_neighbour, room.path)

    def _neighbours(self) -> list[Path]:
        if not hasattr(asyncio, "open_unix_connection"):
            return []
        ours = {room.path for room in list(self._rooms.values())}
        return [path for path in sorted(self._folder().iterdir()) if path not in ours]

    async def _send_to(self, path: Path, packed: bytes) -> None:
        try:
            async with asyncio.timeout(NEIGHBOUR_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(path)
                with contextlib.closing(writer):
                    writer.write(packed)
                    writer.write_eof()
                    if await reader.read() != DELIVERED:
                        raise ConnectionError("the neighbour did not confirm")
        except (ConnectionRefusedError, FileNotFoundError):
            _remove_if_dead(path)
        except OSError as error:  # TimeoutError and ConnectionError are OSErrors
            logger.error("A process did not take a broadcast: %s", type(error).__name__)

    def _folder(self) -> Path:
        """Return the folder of sockets; raise PermissionError if it is not ours alone."""
        # In the temporary folder, since a socket's path may have 104 bytes only on some systems.
        name = hashlib.sha256(self._namespace.encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"wardcast-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
        if status.st_uid != os.getuid() or not private:
            raise PermissionError(f"{folder} is not a folder that only this user may enter")
        return folder


async def _on_neighbour(
    room: _Room, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.closing(writer):
        try:
            group, message = msgpack.unpackb(await reader.read())
            await room.group_send(group, message)
        except Exception as error:
            # Unconfirmed, so the sender logs it too; the text may quote the message.
            logger.error("A neighbour's broadcast was not read: %s", type(error).__name__)
            return
        writer.write(DELIVERED)
        await writer.drain()


def _remove_if_dead(path: Path) -> None:
    """Remove what a killed process left behind, but no socket that is about to listen."""
    pid = path.name.partition("-")[0]
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        path.unlink(missing_ok=True)
    except PermissionError:
        pass
