"""How django-axes counts failed log-ins, and how many are too many.

server/settings.py refers to this file: AXES_HANDLER and AXES_USERNAME_CALLABLE. The limits are in
LOGIN_FAILURE_LIMITS.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

# Part of the digests that are stored: another salt would forget the failures so far.
_SALT = "live.login_failures"

Credentials = dict[str, Any] | None


class Failures(NamedTuple):
    """The failures of one browser at one address with one name, and the time of the last."""

    ip_address: str
    failures_since_start: int
    attempt_time: datetime


class LoginThrottle(AxesDatabaseHandler):
    """Axes' database handler, with a limit for each count (LOGIN_FAILURE_LIMITS)."""

    def get_failures(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """Return the failures, scaled to AXES_FAILURE_LIMIT, the only limit that Axes has.

        A count at its own limit becomes AXES_FAILURE_LIMIT; a lower count becomes less.
        """
        return max(
            _total(failures) * settings.AXES_FAILURE_LIMIT // limit
            for failures, limit in self._counts(request, credentials)
        )

    def reset_user_attempts(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """Delete, after a success, the failures of this user from this address only.

        Axes would delete all of the address: somebody with one account could reset the count
        of the guesses at all others.
        """
        of_both, *_others = self.filter_user_attempts(request, credentials)
        return of_both.delete()[0]

    def lock_ends(self, request: HttpRequest, credentials: Credentials = None) -> datetime | None:
        """Return when the last lock on this log-in ends, None if it is not locked."""
        cool_off = get_cool_off(request)
        assert cool_off is not None, "AXES_COOLOFF_TIME is not set: locks would never end"
        times = (_last_that_locks(*count) for count in self._counts(request, credentials))
        return max((time + cool_off for time in times if time is not None), default=None)

    def _counts(
        self, request: HttpRequest, credentials: Credentials
    ) -> Iterator[tuple[list[Failures], int]]:
        """Yield for each limit the failures that count towards it, latest first, and the limit."""
        counts = self.get_user_attempts(request, credentials)
        limits = settings.LOGIN_FAILURE_LIMITS.items()
        for attempts, (parameters, limit) in zip(counts, limits, strict=True):
            if limit:
                failures = attempts.order_by("-attempt_time").values_list(*Failures._fields)
                latest_first = list(map(Failures._make, failures))
                if "ip_address" not in parameters:
                    latest_first = _capped_by_address(latest_first, settings.AXES_FAILURE_LIMIT)
                yield latest_first, limit


def _total(failures: Iterable[Failures]) -> int:
    return sum(row.failures_since_start for row in failures)


def _capped_by_address(failures: Iterable[Failures], most: int) -> list[Failures]:
    """Return `failures` with at most `most` of each address, the first ones.

    Attempts at the same time all pass before the first of them sets a lock. However many there
    are, one address must not lock a user out everywhere.
    """
    counted: Counter[str] = Counter()
    capped = []
    for row in failures:
        count = min(row.failures_since_start, most - counted[row.ip_address])
        counted[row.ip_address] += count
        capped.append(row._replace(failures_since_start=count))
    return capped


def _last_that_locks(latest_first: Iterable[Failures], limit: int) -> datetime | None:
    """Return the time of the failure whose expiry ends the lock, None without a lock."""
    total = 0
    for row in latest_first:
        total += row.failures_since_start
        if total >= limit:
            return row.attempt_time
    return None


@receiver(pre_save, sender=AccessAttempt)
def _store_no_form(instance: AccessAttempt, **_: Any) -> None:
    """Store nothing of the form and the URL's query: `?next=` may quote a patient's name."""
    instance.get_data = instance.post_data = ""


def attempted_name(request: HttpRequest, credentials: Credentials) -> str | None:
    """Return the name to count a failure for: a user's, or a digest of any other text.

    People type passwords and patients' names into the wrong field. A digest serves to count
    by, does not disclose the text, and has a length that fits.
    """
    users = get_user_model()
    name = (credentials or {}).get(users.USERNAME_FIELD)
    if not name or users._default_manager.filter(**{users.USERNAME_FIELD: name}).exists():
        return name
    return "unknown-" + salted_hmac(_SALT, name, algorithm="sha256").hexdigest()
