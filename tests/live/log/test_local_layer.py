"""The embedded layer: every loop and process of this machine hears every message, in order."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import stat
import sys
import tempfile
import threading

import pytest
from channels.exceptions import ChannelFull

from live.log import local_layer
from live.log.local_layer import LocalChannelLayer

READER = """
import asyncio, json, sys
from live.log.local_layer import LocalChannelLayer

async def main(namespace, count):
    layer = LocalChannelLayer(namespace, capacity=100_000)
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    print("ready", flush=True)
    got = [(await layer.receive(channel))["n"] for _ in range(int(count))]
    await layer.group_discard("g", channel)
    print(json.dumps(got), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
WRITER = """
import asyncio, sys
from live.log.local_layer import LocalChannelLayer

async def main(namespace, name, count):
    layer = LocalChannelLayer(namespace)
    for number in range(int(count)):
        await layer.group_send("g", {"type": "t", "n": [name, number]})

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The temporary folder, short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="w") as path:
        monkeypatch.setattr(tempfile, "tempdir", path)
        monkeypatch.setenv("TMPDIR", path)
        yield path


@pytest.fixture
async def layer(folder):
    layer = LocalChannelLayer("n", capacity=100_000)
    yield layer
    await layer.close()


async def join(layer):
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    return channel


async def receive(layer, channel, count):
    async with asyncio.timeout(20):
        return [(await layer.receive(channel))["n"] for _ in range(count)]


def message(number):
    return {"type": "t", "n": number}


@contextlib.asynccontextmanager
async def process(script, *arguments):
    """Run a script of this project in another process; kill it at the end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def line(child):
    async with asyncio.timeout(20):
        return (await child.stdout.readline()).decode().strip()


def sockets(layer):
    return sorted(layer._folder().iterdir())


# ---- processes


async def test_two_processes_hear_each_other(layer):
    channel = await join(layer)
    async with process(READER, "n", 3) as child:
        assert await line(child) == "ready"
        for number in range(3):
            await layer.group_send("g", message(number))
        assert json.loads(await line(child)) == [0, 1, 2]
        assert await child.wait() == 0
    # It left nothing behind.
    assert len(sockets(layer)) == 1
    assert await receive(layer, channel, 3) == [0, 1, 2]


async def test_each_writers_order_arrives_from_several_processes(layer):
    channel = await join(layer)
    async with process(WRITER, "n", "a", 200) as one, process(WRITER, "n", "b", 200) as other:
        got = await receive(layer, channel, 400)
        assert (await one.wait(), await other.wait()) == (0, 0)
    for name in ("a", "b"):
        assert [number for writer, number in got if writer == name] == list(range(200))


async def test_another_namespace_hears_nothing(layer):
    channel = await join(layer)
    async with process(WRITER, "other", "a", 3) as child:
        assert await child.wait() == 0
    await layer.group_send("g", message("own"))
    assert await receive(layer, channel, 1) == ["own"]


async def test_a_killed_neighbours_socket_is_removed(layer, caplog):
    async with process(READER, "n", 1) as child:
        assert await line(child) == "ready"
        assert len(sockets(layer)) == 1
        child.send_signal(signal.SIGKILL)
        await child.wait()
    assert len(sockets(layer)) == 1
    channel = await join(layer)
    await layer.group_send("g", message(1))
    assert len(sockets(layer)) == 1
    assert await receive(layer, channel, 1) == [1]
    assert caplog.text == ""


async def test_a_socket_that_is_about_to_listen_is_left_alone(layer):
    """Between bind and listen it refuses, as a dead one does."""
    path = layer._folder() / f"{os.getppid()}-bound"
    import socket

    with contextlib.closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(path))
        await layer.group_send("g", message(1))
        assert path.exists()


async def test_a_neighbour_that_hangs_holds_up_no_one_for_long(layer, monkeypatch, caplog):
    monkeypatch.setattr(local_layer, "NEIGHBOUR_TIMEOUT_SECONDS", 0.2)
    channel = await join(layer)
    async with process(READER, "n", 1) as child:
        assert await line(child) == "ready"
        child.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(5):
            await layer.group_send("g", message("Ada Lovelace"))
    assert await receive(layer, channel, 1) == ["Ada Lovelace"]
    assert "did not take a broadcast: TimeoutError" in caplog.text
    assert "Ada Lovelace" not in caplog.text


async def test_what_is_no_message_harms_nobody(layer, caplog):
    channel = await join(layer)
    for nonsense in (b"", b"\xff\xff", b"\x93Ada Lovelace"):
        reader, writer = await asyncio.open_unix_connection(sockets(layer)[0])
        writer.write(nonsense)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    await layer.group_send("g", message(1))
    assert await receive(layer, channel, 1) == [1]
    assert "Ada Lovelace" not in caplog.text


# ---- the folder


async def test_only_this_user_may_enter_the_folder(layer):
    await join(layer)
    status = layer._folder().stat()
    assert stat.S_IMODE(status.st_mode) == 0o700
    assert status.st_uid == os.getuid()


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
async def test_a_folder_that_others_may_enter_is_not_used(layer, mode):
    layer._folder().chmod(mode)
    with pytest.raises(PermissionError, match="only this user"):
        await join(layer)


async def test_a_link_to_a_folder_is_not_used(layer, tmp_path):
    folder = layer._folder()
    folder.rmdir()
    tmp_path.chmod(0o700)
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        await join(layer)


# ---- one process


async def test_a_burst_arrives_completely_and_in_order(layer):
    channel = await join(layer)
    for number in range(10_000):
        await layer.group_send("g", message(number))
    assert await receive(layer, channel, 10_000) == list(range(10_000))


async def test_what_is_too_much_is_told_to_the_reader(folder):
    layer = LocalChannelLayer("n", capacity=2)
    channel = await join(layer)
    for number in range(3):
        await layer.group_send("g", message(number))
    with pytest.raises(ChannelFull):
        await layer.receive(channel)
    await layer.group_send("g", message("after"))
    assert await receive(layer, channel, 1) == ["after"]
    await layer.close()


async def test_the_wall_clock_drops_nothing(layer, monkeypatch):
    """A laptop that slept for a day goes on with what it had."""
    import channels.layers

    channel = await join(layer)
    await layer.group_send("g", message(1))
    now = channels.layers.time.time()
    monkeypatch.setattr(channels.layers.time, "time", lambda: now + 30 * 86_400)
    await layer.group_send("g", message(2))
    assert await receive(layer, channel, 2) == [1, 2]
    await layer.group_send("g", message(3))
    assert await receive(layer, channel, 1) == [3]


async def test_with_its_last_group_a_loop_stops_listening_and_may_start_again(layer):
    channel = await join(layer)
    assert len(sockets(layer)) == 1
    await layer.group_discard("g", channel)
    assert sockets(layer) == []
    again = await join(layer)
    await layer.group_send("g", message(1))
    assert await receive(layer, again, 1) == [1]


class Thread:
    """A thread with its own loop that reads from the layer."""

    def __init__(self, layer, count):
        self.layer, self.count = layer, count
        self.joined, self.got = threading.Event(), None
        self.thread = threading.Thread(target=lambda: asyncio.run(self.read()))

    async def read(self):
        channel = await join(self.layer)
        self.joined.set()
        try:
            self.got = await receive(self.layer, channel, self.count)
        finally:
            await self.layer.group_discard("g", channel)

    async def __aenter__(self):
        self.thread.start()
        assert await asyncio.to_thread(self.joined.wait, 10)
        return self

    async def __aexit__(self, *exception):
        await asyncio.to_thread(self.thread.join, 30)
        assert not self.thread.is_alive()


async def test_threads_with_their_own_loops_hear_everything_once_and_in_order(layer):
    channel = await join(layer)
    async with Thread(layer, 500) as one, Thread(layer, 500) as other:
        for number in range(500):
            await layer.group_send("g", message(number))
    assert one.got == other.got == list(range(500))
    await layer.group_send("g", message("last"))
    assert await receive(layer, channel, 501) == [*range(500), "last"]


async def test_a_thread_without_channels_may_send(layer):
    channel = await join(layer)

    def send():
        for number in range(100):
            asyncio.run(layer.group_send("g", message(number)))

    sender = threading.Thread(target=send)
    sender.start()
    assert await receive(layer, channel, 100) == list(range(100))
    await asyncio.to_thread(sender.join, 10)


async def test_a_loop_that_was_closed_is_forgotten(layer, caplog):
    def leave_without_a_word():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(join(layer))
        loop.close()

    await asyncio.to_thread(leave_without_a_word)
    assert len(sockets(layer)) == 1
    channel = await join(layer)
    await layer.group_send("g", message(1))
    assert await receive(layer, channel, 1) == [1]
    assert len(sockets(layer)) == 1
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_loop_that_stands_still_holds_up_no_one_for_long(layer, monkeypatch, caplog):
    monkeypatch.setattr(local_layer, "NEIGHBOUR_TIMEOUT_SECONDS", 0.2)
    loop = asyncio.new_event_loop()
    await asyncio.to_thread(loop.run_until_complete, join(layer))
    channel = await join(layer)
    async with asyncio.timeout(5):
        await layer.group_send("g", message(1))
    assert await receive(layer, channel, 1) == [1]
    assert "did not take a broadcast in time" in caplog.text
    await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0))
    loop.close()
