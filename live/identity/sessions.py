"""Who is behind a session: Django's own way, for many sockets at once."""

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
    """Return the session with this key, read, and its user; AnonymousUser without either."""
    # NUL is in no key, and PostgreSQL would refuse it for the others of the batch too.
    if not key or "\0" in key:
        return _store()(), AnonymousUser()
    return await _loader.load(key)


def find_sessions(keys: Iterable[str]) -> list[tuple[SessionBase, Any]]:
    """Return what `find_session` does for each of `keys`. Sync.

    Two queries for all, where sessions are in Django's database and users of its ModelBackend.
    """
    sessions = [_store()(key) for key in keys]
    if _store().load is DatabaseStore.load:
        _read(sessions)
    users = _stored_users(sessions)
    return [(session, _user_in(session, users)) for session in sessions]


# In Channels' thread, as its own middleware: our pool may be full of somebody's slow queries.
_loader: Loader[str, tuple[SessionBase, Any]] = Loader(database_sync_to_async(find_sessions))


def _store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


def _read(sessions: list[Any]) -> None:
    """Read all that there are; a session that is not there loses its key, as Django has it."""
    stored = _store().get_model_class().objects.filter(expire_date__gt=timezone.now())
    keys = {session.session_key for session in sessions}
    data = dict(stored.filter(session_key__in=keys).values_list("session_key", "session_data"))
    for session in sessions:
        found = data.get(session.session_key)
        # What its own `load` would return; without it, each would read itself later.
        session._session_cache = session.decode(found) if found is not None else {}
        if found is None:
            session._session_key = None


def _stored_users(sessions: list[SessionBase]) -> dict[Any, Any]:
    """Return by primary key the users whose backend would read them one by one."""
    keys = [_user_key(session) for session in sessions if _is_of_the_model_backend(session)]
    return get_user_model()._default_manager.in_bulk(keys) if keys else {}


def _is_of_the_model_backend(session: SessionBase) -> bool:
    backend = _backend(session)
    return backend is not None and type(backend).get_user is ModelBackend.get_user


def _backend(session: SessionBase) -> Any:
    """Return the authentication backend that somebody logged in with, if it is still in use."""
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
        # Each socket has its own, as resolvers may change what they are given.
        user = copy.copy(users.get(_user_key(session)))
        user = user if user is not None and backend.user_can_authenticate(user) else None
    else:
        user = backend.get_user(_user_key(session))
    if user is not None and not _is_verified(session, user):
        session.flush()
        user = None
    return user or AnonymousUser()


def _is_verified(session: SessionBase, user: Any) -> bool:
    """Whether the password is still the one that the session began with.

    Where SECRET_KEY was changed, Django gives the session a new key at the next request; a
    socket could not tell its client, so here the session stays as it is.
    """
    if not hasattr(user, "get_session_auth_hash"):
        return True
    held = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(held, each) for each in hashes)
