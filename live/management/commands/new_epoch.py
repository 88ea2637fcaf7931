"""`manage.py new_epoch`: make all cursors given so far those of another log."""

from typing import Any

from django.core.management.base import BaseCommand

from live.log import counter


class Command(BaseCommand):
    """For a restored backup: its numbers would be given again, to other events."""

    help = "Give the event log a new epoch. Run it after a backup was restored, before the server."

    def handle(self, *args: Any, **options: Any) -> None:
        counter.start_new_epoch()
        self.stdout.write("The log has a new epoch: clients are told to load a snapshot.")
