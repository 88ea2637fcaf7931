"""Access tokens, for clients that keep no cookies.

A token's secret is 256 random bits. Only its SHA-256 is stored, without salt or stretching:
those slow down the guessing of passwords that people choose, and nobody guesses 256 bits.
OWASP's ASVS asks for a password hash below 112 bits of entropy only (4.0.3, section 2.6.2;
NIST SP 800-63B, section 5.1.2.2). An unsalted digest can be looked up by an index, and takes
microseconds on every request where a password hash takes tenths of a second.
"""

import hashlib
import logging
import re
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from live.errors import BadInput
from live.models import AccessToken

logger = logging.getLogger(__name__)

# By it, people and scanners for leaked secrets recognise a token.
PREFIX = "wct_"
_SECRET_BYTES = 32
_SECRET = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")

# RFC 6750, section 2.1; the scheme's case does not matter: RFC 9110, section 11.1.
_BEARER = re.compile(r"bearer +(?P<secret>[A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)

# An update at every request would cost more than the request, for a date that needs no precision.
_USE_NOTED_EVERY = timedelta(hours=1)


def issue_token(
    *, user: User, label: str = "", expires_in: timedelta | None
) -> tuple[AccessToken, str]:
    """Store a new token of `user`; return it with its secret, which is not stored.

    With `expires_in` None it never expires. Raises ValueError for a time that is not positive
    or beyond the year 9999, and for a label that is too long.
    """
    if len(label) > AccessToken.LABEL_LENGTH:
        raise ValueError(f"A label has at most {AccessToken.LABEL_LENGTH} characters.")
    if expires_in is not None and expires_in <= timedelta():
        raise ValueError("A token must expire later than now.")
    try:
        expires_at = None if expires_in is None else timezone.now() + expires_in
    except OverflowError:
        raise ValueError("A token must expire before the year 10000.") from None
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    token = AccessToken.objects.create(
        user=user, label=label, digest=_digest(secret), expires_at=expires_at
    )
    return token, secret


def find_token(secret: str) -> AccessToken | None:
    """Return the valid token with this secret, its user loaded, or None.

    None is for unknown, revoked and expired tokens and those of inactive users alike, so that a
    stranger learns nothing. Updates `last_used_at`, at most once an hour.
    """
    if not _SECRET.fullmatch(secret):
        return None
    valid = AccessToken.objects.valid().select_related("user")
    token = valid.filter(digest=_digest(secret)).first()
    if token is not None:
        _note_use(token)
    return token


def token_is_valid(token_id: int) -> bool:
    """Whether the token is still valid. Open sockets check again and again."""
    return AccessToken.objects.valid().filter(pk=token_id).exists()


def revoke_token(*, token: AccessToken) -> None:
    """End `token` now. One that is revoked already keeps its date."""
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])


def bearer_secret(header: str) -> str | None:
    """Return the secret in an Authorization header, None for another scheme than Bearer.

    Other schemes are left to proxies. Raises BadInput unless exactly one token follows Bearer:
    RFC 6750, section 3.1 calls that an invalid request.
    """
    if header.split(" ", 1)[0].lower() != "bearer":
        return None
    match = _BEARER.fullmatch(header)
    if match is None:
        raise BadInput("The authorization must read: Bearer TOKEN")
    return match["secret"]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _note_use(token: AccessToken) -> None:
    # No save(), whose signals would mean that the token's rights have changed.
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_NOTED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - _USE_NOTED_EVERY:
        try:
            AccessToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        except DatabaseError as error:
            # A database that is full, or a copy to read from, lets the token's holder read.
            logger.warning("A token's use was not noted: %s", type(error).__name__)
