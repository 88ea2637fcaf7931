"""Subscribers to everything there is to hear, and what each of them has been told."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from tests.e2e.clients import (
    ON_NEW_PATIENT,
    ON_PATIENT_CHANGED,
    SUBPROTOCOLS,
    Browser,
    Client,
    Subscription,
    data_of,
)
from tests.e2e.servers import Server

EVERYTHING = "everything"
CATEGORIES = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI XXII"
CATEGORIES = CATEGORIES.split()

FIELDS = {"onNewPatient": ON_NEW_PATIENT, "onPatientChanged": ON_PATIENT_CHANGED}
MARKER = "Marker "

Told = dict[str, list[Any]]


def what_and_who(event: dict[str, Any]) -> str:
    """Return an event in words: "new Ada", "updated Ada", "discharged Ada", "deleted Ada"."""
    return f"{event.get('change', 'new').lower()} {event['patient']['name']}"


class Ward:
    """A subscriber to each disease category and one to everything, each on its own socket.

    Each has both subscriptions, and every other one speaks the legacy subprotocol.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._stack = AsyncExitStack()
        self._streams: dict[tuple[str, str], Subscription] = {}
        self._markers = itertools.count(1)

    async def __aenter__(self):
        self._writer = await self._stack.enter_async_context(Browser(self.server, "demo"))
        subprotocols = itertools.cycle(SUBPROTOCOLS)
        for who, subprotocol in zip([EVERYTHING, *CATEGORIES], subprotocols, strict=False):
            client = Client(self.server, "nurse", subprotocol)
            await self._stack.enter_async_context(client)
            arguments = {} if who == EVERYTHING else {"category": who}
            for field, query in FIELDS.items():
                self._streams[who, field] = await client.subscribe(query, **arguments)
        return self

    async def __aexit__(self, failure: type | None, *exc_info: object) -> None:
        try:
            if failure is None:
                assert await self.told() == {}, "told once more, or of what no test expected"
        finally:
            await self._stack.aclose()

    async def told(self, describe: Callable[[dict[str, Any]], Any] = what_and_who) -> Told:
        """Return what each subscriber was told since the last call; who was told nothing is absent.

        It first registers and deletes a marker in every category and reads up to that: so it
        is certain, without waiting for nothing to happen, that there was nothing else.

        Args:
            describe: makes of an event what is put into the lists.
        """
        mark = await self._mark()
        every = await asyncio.gather(*(self._read(key, mark) for key in self._streams))
        told: Told = defaultdict(list)
        for (who, _), events in zip(self._streams, every, strict=True):
            if events:
                told[who] += [describe(event) for event in events]
        return dict(told)

    async def _mark(self) -> str:
        """Register and delete one patient in every category; return their common name."""
        mark = f"{MARKER}{next(self._markers)}"
        created = await self._write_each(
            lambda code: f'createPatient(input: {{name: "{mark}", category: "{code}"}})'
        )
        await self._write_each(lambda code: f'deletePatient(input: {{id: "{created[code]}"}})')
        return mark

    async def _write_each(self, mutation_for: Callable[[str], str]) -> dict[str, str]:
        """Run one mutation for each category, in order; return the patients' ids."""
        fields = (f"{code}: {mutation_for(code)} {{ patient {{ id }} }}" for code in CATEGORIES)
        answer = await self._writer.post(f"mutation {{ {' '.join(fields)} }}")
        return {code: payload["patient"]["id"] for code, payload in data_of(answer).items()}

    async def _read(self, key: tuple[str, str], mark: str) -> list[dict[str, Any]]:
        who, field = key
        last = (mark, CATEGORIES[-1] if who == EVERYTHING else who)

        def is_last(event: dict) -> bool:
            patient = event[field]["patient"]
            return (patient["name"], patient["category"]["code"]) == last

        events = [event[field] for event in await self._streams[key].until(is_last)]
        return [event for event in events if not event["patient"]["name"].startswith(MARKER)]
