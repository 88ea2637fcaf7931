"""Races that hooks force, and that every end of a subscription is told to it once."""

import asyncio
import time

import pytest

from live.concurrency.threads import in_worker_thread
from live.fanout.hub import Hub
from live.log import counter, records
from live.log.append import write
from live.socket.protocol import SUBPROTOCOLS, TRANSPORT_WS
from tests.live.engine import until
from tests.live.stage import SUBSCRIPTION, USER, OnEvent, Socket, payload_of, settled

pytestmark = pytest.mark.django_db(transaction=True)


async def tell(record):
    """Have every hub hear of a record."""
    await in_worker_thread(write)(record)


# ---- races of one operation


async def test_complete_right_after_subscribe(stage, subprotocol):
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        await socket.start(SUBSCRIPTION)
        await socket.complete()
        if socket.is_legacy:
            assert await socket.receive() == {"type": "complete", "id": "1"}
        await socket.nothing_more()
        await OnEvent.broadcast(group="all", payload=1)
        await socket.nothing_more()
    assert stage.count("subscribe") == stage.count("unsubscribed")


@pytest.mark.parametrize("hook", ["on_operation", "authorize", "subscribe"])
async def test_complete_in_the_middle_of_subscribing(stage, subprotocol, hook):
    stage.hold(hook)
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        await socket.start(SUBSCRIPTION)
        await stage.reached(hook)
        await socket.complete()
        if socket.is_legacy:
            assert await socket.receive() == {"type": "complete", "id": "1"}
        else:
            await socket.send(type="ping")
            assert (await socket.receive())["type"] == "pong"
        stage.release(hook)
        await socket.nothing_more()
        await OnEvent.broadcast(group="all", payload=1)
        await socket.nothing_more()
    # Who has lost interest by then is not even asked for.
    times = 0 if hook == "on_operation" else 1
    assert stage.count("subscribe") == stage.count("unsubscribed") == times


async def test_an_id_used_again_while_its_first_operation_is_ending(stage, subprotocol):
    stage.hold("held", "unsubscribed")
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.start("{ held }")
        await stage.reached("held")
        await socket.complete()
        if socket.is_legacy:
            await socket.receive()
        await socket.watch()
        stage.release("held")
        await OnEvent.broadcast(group="all", payload=1)
        event = await socket.receive()
        assert event["payload"] == {"data": {"onEvent": {"value": 1}}}
        await socket.complete()
        if socket.is_legacy:
            await socket.receive()
        await stage.reached("unsubscribed")
        await socket.watch()  # the first one's hook still runs
        stage.release("unsubscribed")
        await socket.nothing_more()
    assert stage.count("unsubscribed") == 2


async def test_a_query_completed_before_its_result_has_none(stage, subprotocol):
    stage.hold("held")
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        await socket.start("{ held }")
        await stage.reached("held")
        await socket.complete()
        stage.release("held")
        if socket.is_legacy:
            assert await socket.receive() == {"type": "complete", "id": "1"}
        await socket.nothing_more()


# ---- every end is told to the subscription once


async def by_complete(socket, stage):
    await socket.complete()


async def by_completing_twice(socket, stage):
    await socket.complete()
    await socket.complete()


async def by_disconnect(socket, stage):
    await socket.leave()


async def by_complete_and_disconnect(socket, stage):
    await socket.complete()
    await socket.leave()


async def by_the_server(socket, stage):
    await OnEvent.unsubscribe(group="all")
    assert await socket.receive() == {"type": "complete", "id": "1"}


async def by_the_server_twice_and_disconnect(socket, stage):
    await OnEvent.unsubscribe()
    await OnEvent.unsubscribe(group="all")
    await socket.leave()


async def by_lost_rights(socket, stage):
    stage.forbidden = True
    await tell(records.rights(None))
    error = await socket.receive()
    assert error["type"] == "error"
    assert (await socket.closed())[0] == 4403


async def by_a_kick(socket, stage):
    await tell(records.kick([1]))
    assert (await socket.closed())[0] == 4403


async def by_too_many_messages(socket, stage):
    for _ in range(10):
        await socket.complete("2")
    assert await socket.closed() == (4429, "Too many messages")


async def by_silence(socket, stage):
    (session,) = Hub.current().sockets
    for now in (1e9, 2e9, 3e9):
        session.beat(now)
    assert [(await socket.receive())["type"] for _ in range(2)] == ["ping", "ping"]
    assert await socket.closed() == (4410, "Pings are not answered")


async def by_another_log(socket, stage):
    await in_worker_thread(counter.start_new_epoch)()
    await OnEvent.broadcast(group="all", payload=1)
    assert await socket.closed() == (4412, "Events were lost")


ENDS = [
    by_complete,
    by_completing_twice,
    by_disconnect,
    by_complete_and_disconnect,
    by_the_server,
    by_the_server_twice_and_disconnect,
    by_lost_rights,
    by_a_kick,
    by_too_many_messages,
    by_another_log,
]


@pytest.fixture
def present(monkeypatch):
    """Let the user behind each socket be there for good, without a database."""
    monkeypatch.setattr("live.identity.identify.present_user", lambda scope: USER)
    monkeypatch.setattr("live.fanout.housekeeping.find_ended", lambda held: set())


@pytest.mark.parametrize("fails", [False, True], ids=["", "hook-fails"])
@pytest.mark.parametrize(
    ("subprotocol", "end"),
    [(each, end) for each in SUBPROTOCOLS for end in ENDS] + [(TRANSPORT_WS, by_silence)],
)
async def test_unsubscribed_is_called_once(stage, present, settings, subprotocol, end, fails):
    settings.LIVE = {"MESSAGES_AT_ONCE": 10, "MESSAGES_PER_SECOND": 0}
    stage.raises.update({"unsubscribed"} if fails else ())
    async with Socket(subprotocol=subprotocol, user=USER) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch()
        await end(socket, stage)
        await stage.reached("unsubscribed")
        await settled()
    assert stage.count("unsubscribed") == 1
    assert not Hub.current().sockets
    assert not Hub.current()._cohorts


@pytest.mark.parametrize("hook", ["on_connect", "on_operation", "authorize", "subscribe"])
async def test_a_socket_that_goes_in_the_middle_of_subscribing(stage, hook):
    stage.hold(hook)
    async with Socket() as socket:
        if hook == "on_connect":
            await socket.send(type="connection_init")
        else:
            await socket.init()
            await socket.start(SUBSCRIPTION)
        await stage.reached(hook)
        await socket.leave()
        assert not Hub.current().sockets
        stage.release(hook)
        await settled()
    assert stage.count("subscribe") == stage.count("unsubscribed")
    assert not Hub.current()._cohorts


@pytest.mark.parametrize("goes", [True, False], ids=["goes", "completes"])
async def test_an_end_while_the_hub_joins_the_channel_layer(stage, monkeypatch, goes):
    stage.hold("listening")
    monkeypatch.setattr(Hub, "listening", lambda hub: stage.enter("listening"))
    async with Socket() as socket:
        await socket.init()
        await socket.start(SUBSCRIPTION)
        await stage.reached("listening")
        await (socket.leave() if goes else socket.complete())
        await stage.reached("unsubscribed")
        stage.release("listening")
        await settled()
    assert stage.count("unsubscribed") == 1


async def test_an_end_before_the_hub_joins_a_layer_that_cannot_be_joined(stage, monkeypatch):
    stage.hold("subscribe")
    stage.raises.add("listening")
    monkeypatch.setattr(Hub, "listening", lambda hub: stage.enter("listening"))
    async with Socket() as socket:
        await socket.init()
        await socket.start(SUBSCRIPTION)
        await stage.reached("subscribe")
        await socket.leave()
        stage.release("subscribe")
        await settled()
    assert stage.count("unsubscribed") == 1


async def test_a_layer_that_cannot_be_joined(stage, monkeypatch):
    stage.raises.add("listening")
    monkeypatch.setattr(Hub, "listening", lambda hub: stage.enter("listening"))
    async with Socket() as socket:
        await socket.init()
        await socket.start(SUBSCRIPTION)
        (error,) = payload_of("error", await socket.receive())
        assert error["extensions"]["code"] == "INTERNAL"
        await socket.nothing_more()
    assert stage.count("unsubscribed") == 1


async def test_an_audience_that_cannot_be_told(stage):
    stage.raises.add("audience")
    async with Socket() as socket:
        await socket.init()
        await socket.start("subscription { onShared { value } }")
        (error,) = payload_of("error", await socket.receive())
        assert (error["message"], error["extensions"]["code"]) == ("Internal error.", "INTERNAL")
        await socket.nothing_more()
    assert stage.count("unsubscribed") == 1


async def test_an_audience_that_cannot_be_told_any_more_ends_the_subscription(stage, present):
    async with Socket(user=USER) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch("subscription { onShared { value } }")
        stage.raises.add("audience")
        await tell(records.rights([1]))
        payload_of("error", await socket.receive())
        assert (await socket.closed())[0] == 4403
    assert stage.count("unsubscribed") == 1


class Holding:
    """An ASGI `send` that takes no more text frames once told so, until it is let."""

    def __init__(self):
        self.holds = False
        self._released = asyncio.Event()

    def release(self):
        """Take what was held, and all that comes."""
        self.holds = False
        self._released.set()

    def __call__(self, send):
        async def held(message):
            if self.holds and message["type"] == "websocket.send":
                await self._released.wait()
            await send(message)

        return held


async def test_a_client_that_takes_nothing_for_too_long_is_closed(stage):
    wire = Holding()
    async with Socket(send=wire) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch()
        (session,) = Hub.current().sockets
        wire.holds = True
        await OnEvent.broadcast(group="all", payload=1)
        await until(lambda: session.send_queue.stuck_for(time.monotonic()))
        session.beat(time.monotonic() + 59)
        assert not session.closed
        session.beat(time.monotonic() + 61)
        assert await socket.closed() == (4411, "The client does not read")
    assert stage.count("unsubscribed") == 1


async def test_a_client_that_asks_and_does_not_read_is_closed(stage, settings):
    settings.LIVE = {"OUTBOX_SIZE": 3}
    wire = Holding()
    async with Socket(send=wire) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch()
        wire.holds = True
        for _ in range(5):
            await socket.send(type="ping")
        assert await socket.closed() == (4411, "The client does not read")
    assert stage.count("unsubscribed") == 1


async def test_events_alone_close_nobody(stage, settings):
    settings.LIVE = {"OUTBOX_SIZE": 3}
    wire = Holding()
    async with Socket(send=wire) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch()
        wire.holds = True
        for number in range(10):
            await OnEvent.broadcast(group="all", payload=number)
        await until(lambda: Hub.current().log.position == 10)
        wire.release()
        for number in range(10):
            event = payload_of("next", await socket.receive())
            assert event == {"data": {"onEvent": {"value": number}}}
        await socket.nothing_more()


@pytest.mark.parametrize("payload", ["boom", "object", float("nan")])
async def test_a_failing_publish_is_told_and_harms_nothing_else(stage, subprotocol, payload):
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch("subscription { onEvent { value } }", "1")
        await socket.watch("subscription { onEvent { again: value } }", "2")
        await OnEvent.broadcast(group="all", payload=payload)
        await OnEvent.broadcast(group="all", payload="fine")
        messages = [await socket.receive() for _ in range(4)]
        assert stage.count("unsubscribed") == 0
    for id, field in (("1", "value"), ("2", "again")):
        failed, fine = (message["payload"] for message in messages if message["id"] == id)
        assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "Ada" not in str(failed)
        assert fine == {"data": {"onEvent": {field: "fine"}}}
