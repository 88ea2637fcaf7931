"""The command line: options, commands, and what they accept."""

import argparse
import os
import ssl
from collections.abc import Mapping
from datetime import date, datetime
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8000/graphql/"
SCHEMES = ("http", "https", "ws", "wss")

DESCRIPTION = "Watch and write a Wardcast server's patients over its GraphQL WebSocket."
EPILOG = """\
environment:
  WARDCAST_URL       the server's address, for --url
  WARDCAST_USER      the user to log in as, for --user
  WARDCAST_PASSWORD  the password; without it, it is asked for on the terminal

exit codes:
  0    done
  1    the server refused the request or the input; nothing was written
  2    wrong usage
  3    the server cannot be reached, does not answer, or is no GraphQL WebSocket endpoint
  4    the log-in was refused, or the user may not do this
  5    the output (or watch's state file) cannot be written, for example because its reader
       went away
  6    watch --strict: the server no longer has the events that come next
  130  interrupted with Ctrl-C

Results go to stdout, everything else to stderr.
"""


def url(text: str) -> str:
    """Check a server's address."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise argparse.ArgumentTypeError(
            f"not an address such as {DEFAULT_URL} (with {', '.join(SCHEMES)})"
        )
    if parts.username is not None or parts.password is not None:
        raise argparse.ArgumentTypeError(
            "no user or password in an address: use --user and WARDCAST_PASSWORD"
        )
    return text


def user_name(text: str) -> str:
    """Check a user's name: an empty one is a script's unset variable, not nobody."""
    if not text:
        raise argparse.ArgumentTypeError("empty; leave the option out to be anonymous")
    return text


def ca_file(text: str) -> str:
    """Check a file of certificates that are trusted, in PEM."""
    try:
        ssl.create_default_context(cafile=text)
    except (OSError, ValueError) as error:
        what = "no certificates in PEM" if isinstance(error, ssl.SSLError) else str(error)
        raise argparse.ArgumentTypeError(f"cannot be used: {what}") from None
    return text


def birth_date(text: str) -> date:
    """Read an ISO 8601 date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("not a date such as 1984-05-31") from None


def moment(text: str) -> datetime:
    """Read an ISO 8601 date and time; without an offset it is the local time here."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            "not a time such as 2026-05-31T14:30 or 2026-05-31T14:30:00+02:00"
        ) from None


def count(text: str) -> int:
    """Read a number of patients."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("not a whole number from 1 up")
    return int(text)


def make_parser(environment: Mapping[str, str] = os.environ) -> argparse.ArgumentParser:
    """Return the parser, with defaults from `environment`."""
    parser = argparse.ArgumentParser(
        prog="python -m example_client",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_global_options(parser)
    parser.set_defaults(
        url=environment.get("WARDCAST_URL") or DEFAULT_URL,
        user=environment.get("WARDCAST_USER") or None,
        ca=None,
        json=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_watch(commands)
    _add_patients(commands)
    _command(commands, "categories", "list the disease categories' codes and names")
    _add_create(commands)
    _add_discharge(commands)
    _add_import(commands)
    return parser


def _add_global_options(parser: argparse.ArgumentParser) -> None:
    # Without defaults: those of a command's parser would overwrite what stood before the command.
    options = parser.add_argument_group("global options (before or after the command)")
    options.add_argument(
        "--url",
        type=url,
        default=argparse.SUPPRESS,
        help=f"the GraphQL endpoint; http, https, ws or wss (default: {DEFAULT_URL})",
    )
    options.add_argument(
        "--user",
        type=user_name,
        default=argparse.SUPPRESS,
        help="log in as this user; without it, anonymous",
    )
    options.add_argument(
        "--ca",
        type=ca_file,
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="trust the certificates in this PEM file too, for example a hospital's own authority",
    )
    options.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print one JSON object a line",
    )


def _command(commands: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
    )
    _add_global_options(parser)
    return parser


def _add_watch(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "watch", "print what happens to patients until Ctrl-C")
    parser.add_argument("--category", help="a disease category's code; without it, all")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="keep there how far it has come, and go on from there at the next start; what was"
        " written to a pipe counts as printed",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with exit code 6, rather than go on, where the server no longer has all events"
        " since the last one printed",
    )


def _add_patients(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "patients", "list patients, the newest admission first")
    parser.add_argument("--category", help="a disease category's code")
    parser.add_argument("--status", choices=("admitted", "discharged"))
    parser.add_argument("--search", help="words in name or reason, or an external id")
    parser.add_argument("--first", type=count, metavar="N", help="so many at most")


def _add_create(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "create", "register a patient")
    parser.add_argument("--name", required=True)
    parser.add_argument("--category", required=True, help="a disease category's code")
    parser.add_argument("--birth-date", type=birth_date, metavar="YYYY-MM-DD")
    parser.add_argument("--sex", choices=("male", "female", "other", "unknown"))
    parser.add_argument("--reason", help="why the patient was admitted")
    parser.add_argument("--external-id", help="the patient's id elsewhere; unique")


def _add_discharge(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "discharge", "discharge a patient")
    parser.add_argument("id", metavar="ID", help="as `patients` and `create` print it")
    parser.add_argument(
        "--at", type=moment, metavar="TIME", help="ISO 8601, local without an offset; now without"
    )


def _add_import(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands, "import", "import patients.csv and encounters.csv, as Synthea has them"
    )
    parser.add_argument(
        "directory",
        metavar="DIRECTORY",
        help="where they lie, below the server's import root; with --upload, on this machine",
    )
    parser.add_argument(
        "--upload", action="store_true", help="send the files to the server from here"
    )
    parser.add_argument(
        "--chapters",
        metavar="FILE",
        help="the table of each reason's ICD-10 chapter: a path below the import root, or with "
        "--upload one of this machine, as DIRECTORY is",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="write the good rows although there are bad ones"
    )
