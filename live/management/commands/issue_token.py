"""`manage.py issue_token`: an access token for a program."""

import re
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from live.identity.tokens import issue_token

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    """Prints the secret alone on stdout, so that it can be piped into a vault or a file."""

    help = "Issue an access token for USER and print its secret, this once, on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="the user name the program acts as")
        parser.add_argument(
            "--expires", metavar="TIME", help="30m, 8h or 7d from now; without it, never"
        )
        parser.add_argument("--label", default="", help="what uses the token, for the admin's list")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _active_user(options["user"])
        expires_in = None if options["expires"] is None else parse_duration(options["expires"])
        try:
            token, secret = issue_token(user=user, label=options["label"], expires_in=expires_in)
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(secret)
        end = "never" if token.expires_at is None else f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
        self.stderr.write(
            f"Access token {token.pk} for {user.get_username()}; expires: {end}.\n"
            "Send it as: Authorization: Bearer SECRET\n"
            "It is shown only now; the admin lists and revokes it.",
            str,  # as it is: stderr's own style is red
        )


def parse_duration(text: str) -> timedelta:
    """Return the time that "30m", "8h" or "7d" names; raise CommandError for anything else."""
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if match is None or int(match[1]) == 0:
        raise CommandError(
            f"--expires {text!r} is not a time: write a number above 0 and m, h or d, such as 8h."
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _active_user(username: str) -> User:
    users = get_user_model()
    try:
        user = users._default_manager.get_by_natural_key(username)
    except users.DoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None
    if not user.is_active:
        raise CommandError(f"The user {username!r} is inactive, and a token would open nothing.")
    return user
