"""Static files: served by the application itself, and checked before it starts."""

import re
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.checks import CheckMessage, Error
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from servestatic.middleware import ServeStaticMiddleware
from servestatic.responders import MissingFileError

# The parts of GraphiQL import each other by names that Vite gives them, after what is in them.
_NAMED_BY_VITE = re.compile(r"/graphene/(assets|chunks|workers)/[\w.-]+-[\w-]{8}\.\w+$")


class StaticFiles(ServeStaticMiddleware):
    """ServeStatic's middleware, which knows Vite's names too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # It has the dates and owners of all files, and is no page's.
        self.files.pop(f"{self.static_prefix}{ManifestStaticFilesStorage.manifest_name}", None)

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
    """Check that `collectstatic` has run for this release, where pages name files by contents.

    No system check, since those run before `collectstatic` too.
    """
    collected = getattr(staticfiles_storage, "hashed_files", None)
    if collected is None:
        return []  # a storage that needs no collecting
    missing = sorted(names() - collected.keys())
    if not missing:
        return []
    text = (
        f"{settings.STATIC_ROOT} lacks {len(missing)} of the static files, {missing[0]} among "
        "them: pages that name these would fail."
    )
    return [Error(text, hint="Run `python manage.py collectstatic --noinput`.", id="server.E001")]


def names() -> set[str]:
    """Return the names, as pages write them, of all files that `collectstatic` would collect."""
    return {
        f"{prefix}/{path}" if (prefix := getattr(storage, "prefix", None)) else path
        for finder in finders.get_finders()
        for path, storage in finder.list(StaticFilesConfig.ignore_patterns)
    }
