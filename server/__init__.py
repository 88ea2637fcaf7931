"""The Django project."""

# Here, so that `shared_task` finds it in whatever process.
from server.celery import app as celery_app

__all__ = ["celery_app"]
