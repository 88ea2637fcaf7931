"""The user of a session, as Django finds it, for many sockets at once."""

import copy
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from live.concurrency.loader import Loader


async def find_session(key: str | None) -> tuple[SessionBase, Any]:
    """Return the loaded session with this key, and its user or AnonymousUser."""
    # No key has a NUL, and PostgreSQL would refuse the whole batch for it.
    if not key or "\0" in key:
        return _store()(), AnonymousUser()
    return await _loader.load(key)


def find_sessions(keys: Iterable[str]) -> list[tuple[SessionBase, Any]]:
    """Return for each of `keys` what `find_session` does. Sync.

    It takes two queries for all if sessions are in the database and users of ModelBackend.
    """
    sessions = [_store()(key) for key in keys]
    if _store().load is DatabaseStore.load:
        _read(sessions)
    users = _stored_users(sessions)
    return [(session, _user_in(session, users)) for session in sessions]


# In Channels' thread, as Channels' own middleware: our pool may be busy with slow queries.
_loader: Loader[str, tuple[SessionBase, Any]] = Loader(database_sync_to_async(find_sessions))


def _store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


def _read(sessions: list[Any]) -> None:
    """Load `sessions` by one query. One that is not stored loses its key, as in Django."""
    stored = _store().get_model_class().objects.filter(expire_date__gt=timezone.now())
    keys = {session.session_key for session in sessions}
    data = dict(stored.filter(session_key__in=keys).values_list("session_key", "session_data"))
    for session in sessions:
        found = data.get(session.session_key)
        # What its own `load` would return. Otherwise each would make a query later.
        session._session_cache = session.decode(found) if found is not None else {}
        if found is None:
            session._session_key = None


def _stored_users(sessions: list[SessionBase]) -> dict[Any, Any]:
    """Return by primary key the users whose backend would make one query for each."""
    keys = [_user_key(session) for session in sessions if _is_of_the_model_backend(session)]
    return get_user_model()._default_manager.in_bulk(keys) if keys else {}


def _is_of_the_model_backend(session: SessionBase) -> bool:
    backend = _backend(session)
    return backend is not None and type(backend).get_user is ModelBackend.get_user


def _backend(session: SessionBase) -> Any:
    """Return the authentication backend of the log-in, None if it is no longer in the settings."""
    path: str = session.get(BACKEND_SESSION_KEY, "")
    in_use = SESSION_KEY in session and path in settings.AUTHENTICATION_BACKENDS
    return load_backend(path) if in_use else None


def _user_key(session: SessionBase) -> Any:
    return get_user_model()._meta.pk.to_python(session[SESSION_KEY])


def _user_in(session: SessionBase, users: dict[Any, Any]) -> Any:
    backend = _backend(session)
    if backend is None:
        return AnonymousUser()
    if _is_of_the_model_backend(session):
        # A copy for each socket, as resolvers may change it.
        user = copy.copy(users.get(_user_key(session)))
        user = user if user is not None and backend.user_can_authenticate(user) else None
    else:
        user = backend.get_user(_user_key(session))
    if user is not None and not _is_verified(session, user):
        session.flush()
        user = None
    return user or AnonymousUser()


def _is_verified(session: SessionBase, user: Any) -> bool:
    """Whether the password is still the one of the log-in.

    After a change of SECRET_KEY, Django gives the session a new key at the next request. A
    socket cannot send its client a new key, so here the session stays as it is.
    """
    if not hasattr(user, "get_session_auth_hash"):
        return True
    held = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(held, each) for each in hashes)
