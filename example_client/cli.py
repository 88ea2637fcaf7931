"""The program: from the command line to an exit code."""

import argparse
import asyncio
import contextlib
import getpass
import os
import warnings
from collections.abc import Sequence

from example_client import commands
from example_client.arguments import make_parser
from example_client.ending import OrderlyEnd
from example_client.errors import ClientError, ExitCode, OutputLost, Usage
from example_client.importing import Import
from example_client.operations import WATCHED
from example_client.output import Output, use_any_character
from example_client.session import Endpoint, connected
from example_client.state import Watched, opened, server_of
from example_client.watch import Watch

COMMANDS: dict[str, commands.Command] = {
    "patients": commands.patients,
    "categories": commands.categories,
    "create": commands.create,
    "discharge": commands.discharge,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; wrong usage exits from argparse."""
    arguments = make_parser().parse_args(argv)
    use_any_character(as_json=arguments.json)
    output = Output(as_json=arguments.json)
    end = OrderlyEnd()
    try:
        endpoint = Endpoint(
            arguments.url, arguments.user, password_of(arguments.user), arguments.ca
        )
        asyncio.run(run(endpoint, arguments, output, end))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except asyncio.CancelledError:
        end.complete()
    except ClientError as error:
        return report(error, output)
    return ExitCode.OK


async def run(
    endpoint: Endpoint, arguments: argparse.Namespace, output: Output, end: OrderlyEnd
) -> None:
    """Run the command that the arguments name."""
    if arguments.command == "watch":
        await watch(endpoint, arguments, output, end)
    if arguments.command == "import":
        await Import(endpoint, arguments, output).run()
        return
    async with connected(endpoint) as client:
        command = COMMANDS[arguments.command]
        await commands.run_with_hint(command, client, arguments, output)


async def watch(
    endpoint: Endpoint, arguments: argparse.Namespace, output: Output, end: OrderlyEnd
) -> None:
    """Watch, with the state file where one is named; never returns."""
    category, strict = arguments.category, arguments.strict
    if arguments.state is None:
        await Watch(endpoint, category, output, strict=strict).run()
    fields = tuple(subscription.field for subscription in WATCHED)
    with opened(arguments.state, Watched(server_of(endpoint.url), category, fields)) as state:
        end.install()
        await Watch(endpoint, category, output, state=state, strict=strict).run()


def report(error: ClientError, output: Output) -> int:
    """Print an error and return its exit code."""
    # A pipe whose reader is gone is an ordinary end: `watch | head -1`.
    if not isinstance(error.__cause__, BrokenPipeError):
        with contextlib.suppress(OutputLost):
            output.error(error.lines)
    return error.exit_code


def password_of(user: str | None) -> str:
    """Return the user's password, from the environment or a prompt; "" without a user.

    Raises Usage where there is neither.
    """
    if user is None:
        return ""
    password = os.environ.get("WARDCAST_PASSWORD")
    if password is not None:
        return password
    try:
        with warnings.catch_warnings():
            # getpass would read from stdin, and show what is typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(f"Password of {user}: ")
    except (EOFError, getpass.GetPassWarning):
        raise Usage("no password: set WARDCAST_PASSWORD, or type it on a terminal") from None
