"""`manage.py prune_events [--older-than 7d]`: delete old events, and what has expired."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from live.log import store
from live.models import AccessToken

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    """Deletes in small transactions; a client that was away longer has to load a snapshot."""

    help = (
        "Delete the events older than a time from the log, and the access tokens and sessions "
        "that have expired: run it daily."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=parse_age,
            default=timedelta(days=7),
            metavar="AGE",
            help="such as 7d, 12h or 30m; 7d by default",
        )

    def handle(self, *args: Any, older_than: timedelta, **options: Any) -> None:
        deleted = store.prune(timezone.now() - older_than)
        self.stdout.write(f"{deleted} events deleted.")
        now = timezone.now()
        tokens, _ = AccessToken.objects.filter(expires_at__lte=now).delete()
        sessions, _ = Session.objects.filter(expire_date__lte=now).delete()
        self.stdout.write(f"{tokens} expired access tokens deleted.")
        self.stdout.write(f"{sessions} expired sessions deleted.")


def parse_age(text: str) -> timedelta:
    """Return the age that `text` says; raise ArgumentTypeError for anything else."""
    match = re.fullmatch(r"([0-9]{1,5})([dhm])", text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not an age such as 7d, 12h or 30m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
