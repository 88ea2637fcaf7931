"""`manage.py kick USER`: end a user's sockets, in every process."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from live.log import records
from live.log.append import write


class Command(BaseCommand):
    """Ends the sockets; whoever still may can come back at once: revoke or deactivate first."""

    help = "Close all sockets of a user. (To keep them out, deactivate the user first.)"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USER")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        users = get_user_model().objects.filter(username=username)
        user_ids = list(users.values_list("pk", flat=True))
        if not user_ids:
            raise CommandError(f"There is no user {username!r}.")
        write(records.kick(user_ids))
        self.stdout.write(f"The sockets of {username} are told to close.")
