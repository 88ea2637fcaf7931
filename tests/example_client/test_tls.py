"""A server behind TLS: what is not trusted is said so, and a hospital's own authority can be."""

import ssl
import subprocess
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from example_client.arguments import make_parser
from example_client.errors import Unreachable
from example_client.transport import SUBPROTOCOL, Transport


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that signs itself, and its key, as two PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=ward",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def serving(certificate):
    async def answer(request):
        ws = web.WebSocketResponse(protocols=[SUBPROTOCOL])
        await ws.prepare(request)
        await ws.send_json({"type": "ping"})
        await ws.receive()
        return ws

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    application = web.Application()
    application.router.add_get("/graphql/", answer)
    async with TestServer(application) as plain:
        del plain
        server = TestServer(application, scheme="https")
        await server.start_server(ssl=context)
        try:
            yield f"wss://127.0.0.1:{server.port}/graphql/"
        finally:
            await server.close()


async def test_a_certificate_of_nobody_known_is_named(certificate):
    async with serving(certificate) as url:
        client = Transport(url)
        with pytest.raises(Unreachable, match=r"not trusted: self.signed.*--ca FILE"):
            await client.connect()
        await client.disconnect()


async def test_the_file_of_an_authority_makes_it_trusted(certificate):
    async with serving(certificate) as url:
        client = Transport(url, ca=str(certificate[0]))
        await client.connect()
        assert await client.receive() == {"type": "ping"}
        await client.disconnect()


async def test_a_server_without_tls_is_named(certificate):
    async def answer(request):
        return web.Response(text="plain")

    application = web.Application()
    application.router.add_get("/graphql/", answer)
    async with TestServer(application) as plain:
        client = Transport(f"wss://127.0.0.1:{plain.port}/graphql/")
        with pytest.raises(Unreachable, match="TLS failed"):
            await client.connect()
        await client.disconnect()


def test_the_file_is_looked_at_before_anything_else(certificate, tmp_path, capsys):
    parse = make_parser({}).parse_args
    assert parse(["--ca", str(certificate[0]), "categories"]).ca == str(certificate[0])
    assert parse(["categories"]).ca is None
    (tmp_path / "no.pem").write_text("no certificate")
    for path, words in (
        (tmp_path / "no.pem", "no certificates in PEM"),
        (tmp_path / "gone", "No such"),
    ):
        with pytest.raises(SystemExit):
            parse(["categories", "--ca", str(path)])
        assert words in capsys.readouterr().err
