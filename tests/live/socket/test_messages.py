"""The form of a client's messages: what is read, and what is said of the rest."""

import json
import sys

import pytest

from live.socket.messages import (
    LEGACY_TYPES,
    MAX_NESTING,
    TRANSPORT_WS_TYPES,
    Malformed,
    read_message,
)


def refused(text: str | None, *, legacy: bool = False) -> str:
    """Return the reason for which a frame's text is no message."""
    with pytest.raises(Malformed) as caught:
        read_message(text, legacy=legacy)
    return caught.value.reason


@pytest.mark.parametrize("legacy", [False, True])
def test_each_subprotocol_knows_its_own_types_only(legacy):
    known, other = (
        (LEGACY_TYPES, TRANSPORT_WS_TYPES) if legacy else (TRANSPORT_WS_TYPES, LEGACY_TYPES)
    )
    for kind in known:
        text = json.dumps({"type": kind, "id": "1", "payload": {"query": ""}})
        assert read_message(text, legacy=legacy).type == kind
        assert refused(text.replace(kind, kind.title()), legacy=legacy) == "Message type is unknown"
    for kind in other.keys() - known.keys():
        text = json.dumps({"type": kind, "id": "1", "payload": {"query": ""}})
        assert refused(text, legacy=legacy) == "Message type is unknown"


def test_a_request_is_read_as_it_was_sent():
    payload = {"query": "{ a }", "variables": {"b": 1}, "operationName": "c", "more": [1]}
    message = read_message(
        json.dumps({"type": "subscribe", "id": " é", "payload": payload}), legacy=False
    )
    assert (message.type, message.id, message.payload) == ("subscribe", " é", payload)


def test_a_type_without_an_id_has_none_whatever_was_sent():
    message = read_message('{"type": "ping", "id": 1}', legacy=False)
    assert (message.id, message.payload) == ("", None)


def test_a_malformed_message_keeps_its_id_for_the_answer():
    with pytest.raises(Malformed) as caught:
        read_message('{"type": "start", "id": "1", "payload": 1}', legacy=True)
    assert caught.value.id == "1"


def ping(value: str) -> str:
    return f'{{"type": "ping", "payload": {{"a": {value}}}}}'


def nested(depth: int) -> str:
    """Return a ping of arrays and objects that are `depth` deep in all."""
    return ping("[" * (depth - 2) + "]" * (depth - 2))


def test_nesting_is_bounded():
    assert read_message(nested(MAX_NESTING), legacy=False).type == "ping"
    assert refused(nested(MAX_NESTING + 1)) == "Message is nested too deeply"
    assert refused(nested(sys.getrecursionlimit() * 10)) == "Message is nested too deeply"


def test_many_brackets_side_by_side_are_not_nested():
    assert read_message(ping(json.dumps([[]] * 1000)), legacy=False).type == "ping"
    brackets = json.dumps({"type": "ping", "payload": {"a": "[{" * 1000}})
    assert read_message(brackets, legacy=False).type == "ping"


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e999", "-1e999"])
def test_numbers_that_could_not_be_sent_back_are_refused(number):
    assert refused(ping(number)) == "Message has a number that is too large"


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_pythons_own_constants_are_not_json(constant):
    assert refused(ping(constant)) == "Message is not JSON"


@pytest.mark.parametrize("number", [str(2**70), "1e308", "-0.0", "1E-999"])
def test_other_numbers_are_taken(number):
    assert read_message(ping(number), legacy=False).payload == {"a": json.loads(number)}


def test_a_malformed_message_says_nothing_of_itself():
    secret = "Ada Lovelace"
    for text in (secret, ping(secret), json.dumps({"type": secret, "payload": secret})):
        assert secret not in refused(text)
