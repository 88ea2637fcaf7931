"""What the tests of coming back share."""

import pytest

from tests.live.notes import (
    Desk,
)
from tests.live.stage import settled


@pytest.fixture(autouse=True)
async def _desk():
    Desk.clear()
    yield
    await settled()


@pytest.fixture(params=[2000, 3], ids=["from memory", "from the database"])
def _kept(request, settings):
    """Answer from what the process remembers, or from what it has to read."""
    settings.LIVE = {"EVENTS_IN_MEMORY": request.param}
