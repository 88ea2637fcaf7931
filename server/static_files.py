"""Static files: served by the application itself, and checked before it starts."""

import re

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage, Error
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from servestatic.middleware import ServeStaticMiddleware
from servestatic.responders import MissingFileError

# The parts of GraphiQL import each other by names that Vite gives them, after what is in them.
_NAMED_BY_VITE = re.compile(r"/graphene/(assets|chunks|workers)/[\w.-]+-[\w-]{8}\.\w+$")


class StaticFiles(ServeStaticMiddleware):
    """ServeStatic's middleware, which knows Vite's names too."""

    def immutable_file_test(self, path: str, url: str) -> bool:
        """Whether the file at `url` never changes: its name has a hash of what is in it."""
        return bool(_NAMED_BY_VITE.search(url)) or super().immutable_file_test(path, url)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # With DEBUG on, ServeStatic raises for a missing file: a 500 and a traceback.
        try:
            return await super().__call__(request)
        except MissingFileError:
            raise Http404 from None


def check_collected() -> list[CheckMessage]:
    """Check that `collectstatic` has run, where pages name files by what is in them.

    No system check, since those run before `collectstatic` too.
    """
    if getattr(staticfiles_storage, "hashed_files", True):
        return []  # all collected; or a storage that needs no collecting
    text = f"No static files are collected in {settings.STATIC_ROOT}: every page would fail."
    return [Error(text, hint="Run `python manage.py collectstatic --noinput`.", id="server.E001")]
