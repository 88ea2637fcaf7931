"""How the application reads static files."""

import sys
import threading

import pytest

SHEET = "server/page.css"


@pytest.fixture
def opened_by():
    """The threads that opened the sheet so far."""
    threads = []
    # A hook cannot be taken away again.
    recording = [True]

    def note(event, arguments):
        if recording[0] and event == "open" and str(arguments[0]).endswith(SHEET):
            threads.append(threading.get_ident())

    sys.addaudithook(note)
    yield threads
    recording[0] = False


async def test_no_file_is_read_on_the_event_loop(async_client, settings, opened_by):
    # Who does so lets all subscribers wait for the disk.
    settings.SERVESTATIC_AUTOREFRESH = settings.SERVESTATIC_USE_FINDERS = True
    response = await async_client.get(f"/static/{SHEET}")
    content = b"".join([part async for part in response.streaming_content])
    assert b".bar" in content
    assert opened_by
    assert threading.get_ident() not in opened_by
