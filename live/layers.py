"""The channel layer of the embedded default: in memory, and heard by this machine's processes.

Channels' in-memory layer ends at the process: what a shell or an import broadcasts never
reaches the server beside it. This one also listens on a Unix socket, one a process, in a
folder that only this user may enter, and sends each group message to its neighbours there.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import stat
import tempfile
import uuid
from pathlib import Path
from typing import Any

import msgpack
from channels.layers import InMemoryChannelLayer

logger = logging.getLogger(__name__)

# A neighbour that is stopped in a debugger must not hold up a writer for ever.
NEIGHBOUR_TIMEOUT_SECONDS = 5
DELIVERED = b"\x01"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


class LocalChannelLayer(InMemoryChannelLayer):
    """Groups within one machine, without a server.

    Args:
        namespace: processes with the same one hear each other; the database's name serves.
        Others as InMemoryChannelLayer's.
    """

    def __init__(self, namespace: str = "", **kwargs: Any) -> None:
        # The base class forgets memberships after a day; a ward board stays up for weeks.
        super().__init__(**{"group_expiry": 10 * 365 * 86_400, **kwargs})
        self._namespace = namespace
        self._home: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.AbstractServer | None = None
        self._path: Path | None = None

    async def group_add(self, group: str, channel: str) -> None:
        """Add `channel` to `group`; the first one makes this process listen."""
        await self._listen()
        await super().group_add(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send to the group's channels here and in the neighbouring processes.

        When it returns, each of them has the message in its queues: what one writer sends
        arrives in the order in which it was sent.
        """
        await self._send_at_home(group, message)
        for path in self._neighbours():
            await self._send_to(path, msgpack.packb([group, message]))

    async def _send_at_home(self, group: str, message: dict[str, Any]) -> None:
        send = super().group_send(group, message)
        if self._home in (None, asyncio.get_running_loop()) or self._home.is_closed():
            await send
        else:
            # Another thread's loop: asyncio's queues are not safe to fill from here.
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(send, self._home))

    # ---- neighbours

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        if self._home is loop or not hasattr(asyncio, "start_unix_server"):
            return
        self._home = loop
        self._path = self._folder() / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._server = await asyncio.start_unix_server(self._on_neighbour, self._path)

    async def _on_neighbour(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.closing(writer):
            group, message = msgpack.unpackb(await reader.read())
            await super().group_send(group, message)
            writer.write(DELIVERED)
            await writer.drain()

    def _neighbours(self) -> list[Path]:
        if not hasattr(asyncio, "open_unix_connection"):
            return []
        return [path for path in sorted(self._folder().iterdir()) if path != self._path]

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
            _remove(path)  # left behind by a process that was killed
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

    async def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()
            self._server = None
        if self._path:
            self._path.unlink(missing_ok=True)
            self._path = None
        self._home = None
