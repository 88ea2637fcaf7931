"""From the cursor that a client comes back with to the event after which it goes on."""

from live.concurrency.single_flight import SingleFlight
from live.concurrency.threads import Pool, in_worker_thread
from live.errors import CursorExpired
from live.fanout.event_buffer import EventBuffer
from live.log import store
from live.log.cursor import decode
from live.log.store import Extent


class Resume:
    """Looks for clients' places in the log: in `buffer`, or in the database."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer
        self._extent = in_worker_thread(store.extent, Pool.LOG)
        self._looks: SingleFlight[Extent] = SingleFlight()

    async def find(self, after: str) -> int:
        """Return the number of the event that the cursor `after` stands behind.

        Raises BadCursor, or CursorExpired where the log does not have all that came after.
        """
        cursor = decode(after)
        if cursor.epoch == self._buffer.epoch and self._buffer.holds(cursor.number):
            return cursor.number
        # Clients that come together share one read; a cursor newer than that read needs another.
        found = (await self._looks.do(None, self._extent)).reaches(cursor)
        if not found and not (await self._extent()).reaches(cursor):
            raise CursorExpired()
        return cursor.number
