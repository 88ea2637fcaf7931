"""An event's payload is unpacked once, however many look."""

import pytest

from live.log import events
from live.log.events import Event
from live.log.payload import PayloadError
from tests.live.engine import make_event


def test_a_payload_is_unpacked_once_however_many_look(monkeypatch):
    calls = []
    monkeypatch.setattr(events, "unpack", lambda packed: calls.append(packed) or [1])
    event = make_event(1)
    assert event.payload is event.payload
    assert len(calls) == 1


def test_a_damaged_payload_is_an_error_at_each_look():
    event = Event(1, frozenset(), b"\x00damaged")
    for _ in range(2):
        with pytest.raises(PayloadError):
            event.payload  # noqa: B018
