"""Sockets of the whole application, in the test's own loop, as somebody."""

from typing import Any

from django.test import AsyncClient

from server.asgi import application
from tests.live.wire import Wire


class SocketOf:
    """A socket with a session of `user`; None is nobody."""

    def __init__(self, user: Any) -> None:
        self._user = user

    async def __aenter__(self) -> Wire:
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if self._user is not None:
            client = AsyncClient()
            await client.aforce_login(self._user)
            cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
            headers = ((b"cookie", cookie),)
        self._wire = Wire(application, headers=headers)
        return await self._wire.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        await self._wire.__aexit__(*exc)
