"""The state machine of both subprotocols, alone: the documentation's table, and any order."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from live.socket.close_codes import Close, CloseCode
from live.socket.protocol import (
    LEGACY_WS,
    SUBPROTOCOLS,
    TRANSPORT_WS,
    Action,
    Connection,
    Ignore,
    Initialise,
    Reply,
    Start,
    State,
    Stop,
    encode,
)
from tests.garbage import frames, messages
from tests.protocol_table import (
    ON_NEW_PATIENT,
    Case,
    close_codes,
    matches,
    message_cases,
    operation_cases,
)

ACK = {"server": "Wardcast", "version": "0", "ping": 20}


class Application:
    """An application without I/O: admits everyone at once, and its operations never end."""

    def __init__(self, subprotocol: str) -> None:
        self.connection = Connection(subprotocol)
        self.sent: list[Any] = []
        self.closed: Close | None = None

    def receive(self, frame: str | bytes) -> None:
        if self.closed:
            return
        match self.connection.receive(frame if isinstance(frame, str) else None):
            case Close() as close:
                self.closed = close
            case Reply(message):
                self._send(message)
            case Initialise():
                self._send(self.connection.acknowledge(ACK))
                if self.connection.is_legacy:
                    self._send(self.connection.ping())
            case Stop(_, reply):
                if reply is not None:
                    self._send(reply)

    def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(json.loads(encode(message).encode()))

    def go_on_to(self, before: str) -> None:
        """Bring the connection to what the table's column says."""
        if before in ("acknowledged", "subscribed"):
            self.receive('{"type": "connection_init"}')
        if before == "subscribed":
            kind = "start" if self.connection.is_legacy else "subscribe"
            self.receive(json.dumps({"id": "1", "type": kind, "payload": ON_NEW_PATIENT}))
        self.sent.clear()


@pytest.mark.parametrize("case", message_cases(), ids=str)
def test_the_state_machine_does_what_the_table_says(case: Case):
    application = Application(case.subprotocol)
    application.go_on_to(case.before)
    for frame in case.sends:
        application.receive(frame)
    assert matches(application.sent, case.answers), application.sent
    closed = application.closed and (application.closed.code, application.closed.reason)
    assert closed == (case.code and (case.code, case.reason))


def test_every_row_of_the_tables_has_a_name_of_its_own():
    names = [str(case) for case in message_cases() + operation_cases()]
    assert len(names) == len(set(names))


def test_every_close_code_is_documented_by_its_name():
    documented = {int(code): name for code, name, *_ in close_codes()}
    assert documented == {code.value: code.name for code in CloseCode}


def test_a_reason_fits_into_a_close_frame():
    reasons = [case.reason for case in message_cases() if case.code]
    assert reasons
    assert all(0 < len(reason.encode()) <= 123 for reason in reasons)


# ---- between connection_init and its answer


def init(subprotocol: str) -> Connection:
    connection = Connection(subprotocol)
    assert connection.receive('{"type": "connection_init"}') == Initialise({})
    return connection


def start(connection: Connection, id: str) -> Action:
    kind = "start" if connection.is_legacy else "subscribe"
    return connection.receive(
        json.dumps({"id": id, "type": kind, "payload": {"query": "{ __typename }"}})
    )


def test_a_current_client_must_wait_for_the_ack():
    action = start(init(TRANSPORT_WS), "1")
    assert isinstance(action, Close)
    assert action.code == CloseCode.UNAUTHORIZED


def test_a_legacy_client_sends_its_operations_right_behind_the_init():
    connection = init(LEGACY_WS)
    assert start(connection, "1") == Start("1", {"query": "{ __typename }"})
    assert connection.running == {"1"}
    assert connection.receive('{"id": "1", "type": "stop"}') == Stop(
        "1", {"type": "complete", "id": "1"}
    )


def test_a_second_init_while_the_first_is_looked_at():
    second = init(TRANSPORT_WS).receive('{"type": "connection_init"}')
    assert isinstance(second, Close)
    assert second.code == CloseCode.TOO_MANY_REQUESTS
    assert init(LEGACY_WS).receive('{"type": "connection_init"}') == Ignore()


def test_a_rejection_is_told_to_a_legacy_client_before_the_close():
    message, close = init(LEGACY_WS).reject()
    assert message == {
        "type": "connection_error",
        "payload": {"message": "The connection was refused."},
    }
    assert close.code == CloseCode.FORBIDDEN
    message, close = init(TRANSPORT_WS).reject()
    assert message is None
    assert close.code == CloseCode.FORBIDDEN


# ---- what goes out


def test_half_a_surrogate_is_sent_as_an_escape():
    assert encode({"a": "\ud800é"}) == '{"a":"\\ud800\\u00e9"}'
    assert encode({"a": "é😀"}) == '{"a":"é😀"}'


def test_what_json_does_not_have_is_not_sent():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": float("nan")})


def test_errors_are_a_list_for_current_clients_and_an_object_for_legacy_ones():
    errors = [{"message": "One."}, {"message": "Two."}]
    assert Connection(TRANSPORT_WS).error("1", errors)["payload"] == errors
    assert Connection(LEGACY_WS).error("1", errors)["payload"] == {
        "message": "One.",
        "errors": errors,
    }


# ---- anything, in any order


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SUBPROTOCOLS), st.lists(frames, max_size=8))
def test_nothing_a_client_sends_raises(subprotocol: str, sent: list[str | None]):
    connection = Connection(subprotocol)
    for frame in sent:
        action = connection.receive(frame)
        assert isinstance(action, Action)
        match action:
            case Initialise(payload):
                assert isinstance(payload, dict)
                connection.acknowledge(ACK)
            case Reply(message):
                json.loads(encode(message).encode(), parse_constant=pytest.fail)
            case Close(code, reason):
                assert code in CloseCode
                assert len(reason) <= 123
            case Start(id, payload):
                assert isinstance(id, str)
                assert isinstance(payload["query"], str)
                connection.error(id, [{"message": ""}])


MARKER = "Zzyzx Marker"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SUBPROTOCOLS), messages)
def test_a_reason_does_not_repeat_what_was_sent(subprotocol: str, message: dict[str, Any]):
    connection = Connection(subprotocol)
    text = json.dumps({**message, MARKER: MARKER, "type": MARKER, "payload": {MARKER: MARKER}})
    for frame in (text, text[:-1], MARKER, json.dumps([MARKER])):
        match connection.receive(frame):
            case Close(_, said):
                assert MARKER not in said
            case Reply(answer):
                assert MARKER not in json.dumps(answer["payload"])
            case other:
                pytest.fail(f"a malformed message led to {other}")


class AnyOrder(RuleBasedStateMachine):
    """Valid messages in every order, beside a simple model of what must follow."""

    ids = Bundle("ids")

    @initialize(subprotocol=st.sampled_from(SUBPROTOCOLS))
    def open(self, subprotocol: str) -> None:
        self.connection = Connection(subprotocol)
        self.running: set[str] = set()
        self.state = State.NEW

    def _send(self, **message: Any) -> Action:
        return self.connection.receive(json.dumps(message))

    @rule(target=ids, id=st.sampled_from("abc"))
    def choose(self, id: str) -> str:
        return id

    @rule()
    def init(self) -> None:
        action = self._send(type="connection_init")
        if self.state is State.NEW:
            assert isinstance(action, Initialise)
            self.state = State.INITIALISING
        elif self.connection.is_legacy:
            assert action == Ignore()
        else:
            assert isinstance(action, Close)
            assert action.code == 4429

    @rule()
    def admit(self) -> None:
        if self.state is State.INITIALISING:
            assert self.connection.acknowledge({})["type"] == "connection_ack"
            self.state = State.ACKNOWLEDGED

    @rule(id=ids)
    def start(self, id: str) -> None:
        action = start(self.connection, id)
        legacy = self.connection.is_legacy
        may = self.state is State.ACKNOWLEDGED or (legacy and self.state is State.INITIALISING)
        if may and id not in self.running:
            assert isinstance(action, Start)
            self.running.add(id)
        elif legacy:
            assert isinstance(action, Reply)
            assert (action.message["type"], action.message["id"]) == ("error", id)
        else:
            assert isinstance(action, Close)
            assert action.code == (4409 if may else 4401)

    @rule(id=ids)
    def complete(self, id: str) -> None:
        action = self._send(id=id, type="stop" if self.connection.is_legacy else "complete")
        assert isinstance(action, Stop if id in self.running else Ignore)
        self.running.discard(id)

    @rule(id=ids)
    def finish(self, id: str) -> None:
        self.connection.finish(id)
        self.running.discard(id)

    @rule()
    def ping(self) -> None:
        action = self._send(type="ping")
        assert isinstance(action, Reply)
        expected = "connection_error" if self.connection.is_legacy else "pong"
        assert action.message["type"] == expected

    @invariant()
    def what_runs_is_what_was_started_and_has_not_ended(self) -> None:
        assert self.connection.running == self.running
        assert self.connection.state is self.state


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
