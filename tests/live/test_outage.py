"""An outage is logged when it begins and when it ends, however often somebody tries."""

import logging

import pytest

from live.outage import Outage

SECRET = "Ada Lovelace"
logger = logging.getLogger("live.test")


@pytest.mark.parametrize("back", [None, "It is back"])
def test_it_is_logged_once_each_way_and_without_the_errors_text(caplog, back):
    outage = Outage(logger, "It is away", back)
    outage.is_over()
    assert (outage.is_on, caplog.messages) == (False, [])
    for error in (OSError(SECRET), ValueError(SECRET)):
        outage.goes_on(error)
    assert (outage.is_on, caplog.messages) == (True, ["It is away: OSError"])
    outage.is_over()
    outage.is_over()
    assert (outage.is_on, caplog.messages[1:]) == (False, [back] if back else [])
    outage.goes_on(OSError(SECRET))
    assert caplog.messages[-1] == "It is away: OSError"
    assert len(caplog.messages) == (3 if back else 2)
