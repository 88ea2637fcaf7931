"""Both subprotocols over real sockets: the documentation's tables, garbage, times and ends."""

import asyncio
import json
import subprocess
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.clients import LEGACY, SUBPROTOCOLS, TIMEOUT, TRANSPORT_WS, Browser
from tests.e2e.programs import JAVASCRIPT, require_npm_clients
from tests.e2e.servers import Server
from tests.garbage import frames
from tests.protocol_table import (
    ON_NEW_PATIENT,
    Case,
    close_codes,
    matches,
    message_cases,
    operation_cases,
)

KINDS = ("daphne", "uvicorn")
MARKER = "Zzyzx-Marker"
PROBE = {"probe": True}


@pytest.fixture(scope="module", params=KINDS)
def server(request, tmp_path_factory):
    """A real server of each kind, with staff and no patients."""
    running = Server(tmp_path_factory.mktemp(request.param), kind=request.param)
    yield running.prepare().start()
    running.stop()


class Socket:
    """A WebSocket that knows the subprotocols' messages and nothing more."""

    def __init__(self, http: aiohttp.ClientSession, server: Server, subprotocol: str) -> None:
        self._connecting = http.ws_connect(
            server.ws_url, protocols=[subprotocol], autoclose=True, max_msg_size=0
        )
        self.is_legacy = subprotocol == LEGACY

    async def __aenter__(self):
        self._wire = await self._connecting
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._wire.close()

    async def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            if isinstance(frame, bytes):
                await self._wire.send_bytes(frame)
            else:
                await self._wire.send_str(frame)

    async def send_message(self, **message: Any) -> None:
        await self.send(json.dumps(message))

    async def start(self, id: str, payload: dict[str, Any]) -> None:
        kind = "start" if self.is_legacy else "subscribe"
        await self.send_message(id=id, type=kind, payload=payload)

    async def receive(self, count: int) -> list[Any]:
        """Return the next `count` messages; fewer where the server closes before."""
        messages = []
        async with asyncio.timeout(TIMEOUT):
            while len(messages) < count:
                frame = await self._wire.receive()
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    self._last = frame
                    break
                messages.append(frame.json())
        return messages

    async def until_closed(self) -> tuple[list[Any], int | None, str]:
        """Return all messages up to the close, its code and its reason."""
        messages = await self.receive(10_000)
        if self._last.type is aiohttp.WSMsgType.CLOSE:
            # `close_code` would tell whether the client's own close came through.
            return messages, self._last.data, self._last.extra or ""
        return messages, self._wire.close_code, ""

    async def go_on_to(self, before: str) -> None:
        """Bring the connection to what the table's column says."""
        if before == "new":
            return
        await self.send_message(type="connection_init")
        await self.receive(2 if self.is_legacy else 1)
        if before == "subscribed":
            await self.start("1", ON_NEW_PATIENT)

    async def probe(self) -> list[Any]:
        """Return what was sent before the answer to a message that is answered at once."""
        kind = "probe" if self.is_legacy else "ping"
        await self.send_message(id="probe", type=kind, payload=PROBE)
        messages = []
        while not messages or not self._answers_probe(messages[-1]):
            received = await self.receive(1)
            assert received, f"the server closed with {self._wire.close_code}"
            messages += received
        return messages[:-1]

    def _answers_probe(self, message: dict[str, Any]) -> bool:
        if self.is_legacy:
            return message.get("id") == "probe"
        # Before the acknowledgement no payload is echoed.
        return message in ({"type": "pong", "payload": PROBE}, {"type": "pong"})


async def test_each_message_has_the_effect_that_the_table_says(server):
    wrong = {}
    async with Browser(server, "nurse") as browser:
        for case in message_cases():
            async with Socket(browser.http, server, case.subprotocol) as socket:
                await socket.go_on_to(case.before)
                await socket.send(*case.sends)
                seen = await outcome(socket, case)
            if not matches(seen[0], case.answers) or seen[1:] != expected_close(case, server):
                wrong[str(case)] = seen
    assert wrong == {}


async def outcome(socket: Socket, case: Case) -> tuple[list[Any], int | None, str]:
    if case.code:
        return await socket.until_closed()
    return await socket.receive(len(case.answers)) + await socket.probe(), None, ""


def expected_close(case: Case, server: Server) -> tuple[int | None, str]:
    """Return the close of a row; Daphne has no way to send a reason."""
    return case.code, case.reason if server.kind == "uvicorn" else ""


async def test_each_operation_has_the_answers_that_the_table_says(server):
    wrong = {}
    async with Browser(server, "nurse") as browser:
        for case in operation_cases():
            async with Socket(browser.http, server, case.subprotocol) as socket:
                await socket.go_on_to(case.before)
                await socket.send(*case.sends)
                answers = await socket.receive(len(case.answers))
                # The id is free again, and nothing comes between.
                await socket.start("1", {"query": "{ __typename }"})
                after = await socket.receive(2)
            if not matches(answers, case.answers):
                wrong[str(case)] = answers
            assert after[0]["payload"] == {"data": {"__typename": "Query"}}, case
            assert after[1] == {"type": "complete", "id": "1"}, case
    assert wrong == {}


@pytest.mark.parametrize("offered", [[], ["graphql"], ["GRAPHQL-WS"]])
async def test_a_handshake_without_a_known_subprotocol_is_refused(server, offered):
    async with Browser(server) as browser:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.http.ws_connect(server.ws_url, protocols=offered)
    assert refused.value.status == 403


async def test_a_message_too_big_closes_its_socket(server):
    async with Browser(server) as browser, Socket(browser.http, server, TRANSPORT_WS) as socket:
        await socket.go_on_to("acknowledged")
        await socket.send_message(type="ping", payload={"a": "x" * 300_000})
        _, code, reason = await socket.until_closed()
    assert code == 4413
    assert reason == ("Message is too big" if server.kind == "uvicorn" else "")


# ---- garbage


def samples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Return examples of a strategy, the same each time."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


def garbage() -> list[list[str | bytes]]:
    """Return what hostile sockets send, one list for each, with the marker in all of them."""
    marked = [
        json.dumps({"type": MARKER, "id": MARKER, MARKER: MARKER}),
        f'{{"type": "{MARKER}',
        MARKER,
        json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {MARKER}"}}),
        json.dumps({"type": "connection_init", "payload": {"authorization": [MARKER]}}),
    ]
    requests = [
        {"query": f"{{ {MARKER.replace('-', '_')} }}"},
        {"query": MARKER, "variables": {MARKER: MARKER}, "operationName": MARKER},
        {"query": "{ __typename }", "variables": MARKER},
    ]
    marked += [
        json.dumps({"id": MARKER, "type": kind, "payload": request})
        for kind in ("subscribe", "start")
        for request in requests
    ]
    init = '{"type":"connection_init"}'
    sockets: list[list[str | bytes]] = [[init, text] for text in marked]
    sockets += [[text] for text in marked]
    for sample in samples(st.lists(frames, min_size=1, max_size=6), 40):
        sockets.append([init, *filter(None, map(as_frame, sample)), MARKER])
    return sockets


def as_frame(sample: str | None) -> str | bytes | None:
    """Return what can be sent; a text with half a surrogate pair cannot."""
    if sample is None:
        return MARKER.encode() + b"\xff\x00"
    try:
        sample.encode()
    except UnicodeEncodeError:
        return None
    return sample


async def send_all(server: Server, http: Any, subprotocol: str, frames: list[str | bytes]) -> bool:
    """Send frames on a socket of its own; return whether the server closed it."""
    async with Socket(http, server, subprotocol) as socket:
        try:
            await socket.send(*frames)
            if "authorization" in str(frames[0]):
                await socket.until_closed()  # not before the token has been looked for
            await socket.probe()
        except (AssertionError, ConnectionError, aiohttp.ClientError):
            return True
    return False


async def test_garbage_harms_nobody_and_leaves_no_trace(server):
    before = len(server.log)
    async with (
        Browser(server, "nurse") as browser,
        Socket(browser.http, server, TRANSPORT_WS) as witness,
    ):
        await witness.go_on_to("subscribed")
        closed = []
        for subprotocol in SUBPROTOCOLS:
            for sent in garbage():
                closed.append(await send_all(server, browser.http, subprotocol, sent))
                assert await witness.probe() == []
    assert server.process.poll() is None
    log = server.log[before:]
    assert MARKER not in log
    assert MARKER.replace("-", "_") not in log
    assert "Traceback" not in log
    own_lines = [line for line in log.splitlines() if " live." in line]
    assert sum(closed) > 0
    assert own_lines == [], "a socket that its client had closed is no news above DEBUG"


async def test_text_that_is_not_utf8_closes_its_socket_only(server):
    async with (
        Browser(server) as browser,
        Socket(browser.http, server, TRANSPORT_WS) as witness,
        Socket(browser.http, server, TRANSPORT_WS) as socket,
    ):
        await witness.go_on_to("acknowledged")
        await socket._wire._writer.send_frame(b"\xff\xfe", aiohttp.WSMsgType.TEXT)
        _, code, _ = await socket.until_closed()
        assert code == {"daphne": 1006, "uvicorn": 1007}[server.kind]  # 1006: cut off
        assert await witness.probe() == []


# ---- times and ends


@pytest.fixture(params=KINDS)
def quick_server(request, tmp_path):
    """A server whose times are short; it has no database, which nobody's sockets need."""
    live = {"SEND_PING_EVERY": 0.1, "CONNECTION_INIT_WAIT_TIMEOUT": 0.1, "IDLE_TIMEOUT": 600}
    running = Server(
        tmp_path,
        kind=request.param,
        environment={"LIVE": json.dumps(live), "CHECK_AT_START": "off"},
    )
    yield running.start()
    running.stop()


async def test_sockets_that_are_late_or_silent_are_closed_and_the_others_at_the_stop(quick_server):
    async with (
        Browser(quick_server) as browser,
        Socket(browser.http, quick_server, TRANSPORT_WS) as late,
        Socket(browser.http, quick_server, TRANSPORT_WS) as silent,
        Socket(browser.http, quick_server, LEGACY) as legacy,
    ):
        await silent.go_on_to("acknowledged")
        await legacy.go_on_to("acknowledged")
        assert (await late.until_closed())[:2] == ([], 4408)
        assert (await silent.until_closed())[:2] == ([{"type": "ping"}] * 2, 4410)
        assert await legacy.receive(3) == [{"type": "ka"}] * 3
        await asyncio.to_thread(quick_server.stop)
        _, code, _ = await legacy.until_closed()
        assert code == {"daphne": 1006, "uvicorn": 1012}[quick_server.kind]


# ---- what npm's client does when the server closes

REACTIONS = """
import { createClient } from "graphql-ws";

function socketThatCloses(code, opened) {
  return class {
    static CONNECTING = 0; static OPEN = 1; static CLOSING = 2; static CLOSED = 3;
    constructor() { opened.count += 1; setTimeout(() => this.open()); }
    open() { this.readyState = 1; this.onopen({}); }
    end() { this.readyState = 3; this.onclose({ code, reason: "" }); }
    send(text) {
      const { type } = JSON.parse(text);
      const answer = () => this.onmessage({ data: '{"type":"connection_ack"}' });
      if (type === "connection_init") setTimeout(answer);
      if (type === "subscribe" && opened.count === 1) setTimeout(() => this.end());
      if (type === "subscribe" && opened.count === 2) opened.again();
    }
    close() {}
  };
}

const reactions = {};
for (const code of JSON.parse(process.argv[1])) {
  reactions[code] = await new Promise((resolve) => {
    const opened = { count: 0, again: () => resolve("comes back") };
    const webSocketImpl = socketThatCloses(code, opened);
    const client = createClient({ url: "ws://x", webSocketImpl, retryWait: async () => {} });
    const complete = () => resolve("completes"), error = () => resolve("gives up");
    const sink = { next() {}, complete, error };
    client.subscribe({ query: "subscription { a }" }, sink);
  });
}
console.log(JSON.stringify(reactions));
process.exit();
"""


def test_npms_client_reacts_to_each_close_code_as_documented():
    node = require_npm_clients()
    documented = {code: reaction for code, _, _, reaction in close_codes()}
    done = subprocess.run(
        [node, "--input-type=module", "-e", REACTIONS, json.dumps(list(map(int, documented)))],
        cwd=JAVASCRIPT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == documented
