"""Celery's application: `celery -A server worker` runs what takes minutes."""

import logging.config
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

from celery import Celery
from celery.signals import setup_logging, worker_init
from django.conf import settings

from server.startup import require_sound

app = Celery("wardcast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_as_the_server_does(**_: Any) -> None:
    """Keep Celery's own handlers away, which write exceptions' texts: one may quote a patient."""
    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def refuse_to_start_unsound(**_: Any) -> None:
    """End a worker whose settings or database are not as needed."""
    require_sound()
