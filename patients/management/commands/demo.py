"""`manage.py demo`: what `make run` does before it starts the server."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from patients import demo


class Command(BaseCommand):
    """Set the demo up, once, and say where to go."""

    help = (
        "Make demo staff and demo patients, unless that was done before, and print where to go. "
        "Refused with DEBUG off, and on an address that other machines can reach."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where the server will listen")
        parser.add_argument("--port", default=8000, type=int, help="the server's port")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        try:
            demo.require_safe(host)
            is_new = demo.set_up()
        except demo.Refused as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database refused ({type(error).__name__}): run `manage.py migrate` first."
            ) from None
        self.stdout.write(_welcome(_address(host, port), is_new))


def _address(host: str, port: int) -> str:
    name = host.removeprefix("[").removesuffix("]")
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _welcome(address: str, is_new: bool) -> str:
    data = "new demo data" if is_new else "the data of last time"
    return (
        f"Wardcast, with {data}:\n"
        f"  GraphiQL  {address}/graphql/\n"
        f"  Admin     {address}/admin/\n"
        f"  Log-ins   {demo.SUPERUSER} / {demo.SUPERUSER}    may do everything\n"
        f"            {demo.NURSE} / {demo.NURSE}  may view patients\n"
        f"  Client    export WARDCAST_URL={address.replace('http', 'ws', 1)}/graphql/"
    )
