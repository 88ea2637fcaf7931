"""The main job: wherever a patient is registered, exactly those who watch are told, once."""

import pytest

from tests.e2e.clients import ON_NEW_PATIENT, SUBPROTOCOLS, Client, Refused


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize(("user", "code"), [("visitor", "FORBIDDEN"), (None, "UNAUTHENTICATED")])
async def test_who_may_not_view_is_refused(server, subprotocol, user, code):
    async with Client(server, user, subprotocol) as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(ON_NEW_PATIENT, category="IX")
    assert refused.value.codes == [code]
