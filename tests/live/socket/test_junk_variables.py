"""Variables that a document does not declare make no cohort of their own, and are not kept."""

import json

import pytest

from live.fanout.hub import Hub
from tests.live.notes import NOTES, Desk, OnNote, connect

pytestmark = pytest.mark.django_db(transaction=True)


async def test_junk_variables_share_a_run():
    Desk.clear()
    async with connect() as wire:
        for number in range(5):
            assert await wire.subscribe(NOTES, str(number), junk=["x" * 100, number]) == []
        assert len(Hub.current()._cohorts) == 1
        assert "xxx" not in json.dumps([repr(key) for key in Hub.current()._cohorts])
        await OnNote.broadcast_async(payload="told")
        assert [(await wire.event())["event"]["text"] for _ in range(5)] == ["told"] * 5
