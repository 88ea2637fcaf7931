"""The admin's history of an object: who changed it, and by which door.

The entries are Django's own (`LogEntry`). Its admin writes one for each change that is made
there; whatever else writes for a user makes its entries here, in the transaction of its change,
so that one that rolls back leaves none. They hold an object's text and the names of its fields,
as Django's do, and no field's value.
"""

import json
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop, override

from live.context import Context
from live.identity import identify

OVER_HTTP = gettext_noop("GraphQL over HTTP")
OVER_A_SOCKET = gettext_noop("GraphQL over a socket")
ADMIN = gettext_noop("admin")

# Where an entry's message has its door: Django reads the other keys, and leaves this one alone.
_BY = "by"


class Author(NamedTuple):
    """Who changes something, and by which door.

    The door is English text, marked with `gettext_noop`; who reads the history has it in their
    own language. `token` names the access token that the client came with, "" without one.
    """

    user_id: int
    door: str
    token: str = ""


def author_of(context: Context) -> Author:
    """Return who is behind an operation; its user is logged in."""
    door = OVER_HTTP if context.channels_scope is None else OVER_A_SOCKET
    return Author(context.user.pk, door, identify.token_name(context))


def author_in_admin(request: Any) -> Author:
    """Return who uses the admin, for what its actions write for many objects at once."""
    return Author(request.user.pk, ADMIN)


# ---- writing


def added(author: Author, instance: Model) -> LogEntry:
    """Return an entry for an object that was made."""
    return _entry(author, instance, ADDITION, {"added": {}})


def changed(author: Author, instance: Model, fields: Collection[str]) -> LogEntry:
    """Return an entry for an object whose fields of these names were changed."""
    return _entry(author, instance, CHANGE, _change_of(type(instance), fields))


def deleted(author: Author, instance: Model) -> LogEntry:
    """Return an entry for an object that is about to be deleted: it still has its key."""
    return _entry(author, instance, DELETION, {})


def write(entries: Iterable[LogEntry]) -> None:
    """Write entries, in one statement; call it in the transaction of the changes."""
    LogEntry.objects.bulk_create(entries)


def _change_of(model: type[Model], fields: Collection[str]) -> dict[str, Any]:
    """Return a part of an entry's message: that the fields of these names were changed."""
    with override(None):
        return {"changed": {"fields": [_label(model, name) for name in fields]}}


def _label(model: type[Model], name: str) -> str:
    """Return a field's label, as a form has it, in the present language."""
    return capfirst(str(model._meta.get_field(name).verbose_name))  # type: ignore[union-attr]


def _entry(author: Author, instance: Model, flag: int, change: dict[str, Any]) -> LogEntry:
    by = {"door": author.door, **({"token": author.token} if author.token else {})}
    return LogEntry(
        user_id=author.user_id,
        content_type_id=ContentType.objects.get_for_model(instance).pk,
        object_id=str(instance.pk),
        object_repr=str(instance)[:200],
        action_flag=flag,
        change_message=json.dumps([{**change, _BY: by}]),
    )


# ---- reading


class HistoryAdmin(admin.ModelAdmin):
    """An admin whose history pages tell by which door each change came."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show an object's history, as Django's; its template asks each entry for its message."""
        response = super().history_view(request, object_id, extra_context)
        for entry in (getattr(response, "context_data", None) or {}).get("action_list", ()):
            entry.get_change_message = partial(told, entry)
        return response


def told(entry: LogEntry) -> str:
    """Return what was changed and by which door, in the present language."""
    parts = _parts(entry.change_message)
    by = next((part[_BY] for part in parts if _BY in part), {"door": ADMIN})
    texts = {"change": _change(entry, parts), "door": gettext(by["door"])}
    if "token" not in by:
        return gettext("%(change)s (%(door)s)") % texts
    texts["token"] = by["token"]
    return gettext("%(change)s (%(door)s, access token %(token)s)") % texts


def _parts(message: str) -> list[dict[str, Any]]:
    try:
        parts = json.loads(message)
    except ValueError:  # an entry may also hold plain text
        return []
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _change(entry: LogEntry, parts: list[dict[str, Any]]) -> str:
    """Return Django's own words for a change, with the fields' labels in the present language."""
    if entry.is_deletion():
        return gettext("Deleted.")
    if not parts:
        return LogEntry.get_change_message(entry)
    labels = _present_labels(entry)
    for part in parts:
        if "changed" in part and "name" not in part["changed"]:
            fields = part["changed"]["fields"]
            part["changed"]["fields"] = [labels.get(field, field) for field in fields]
    return LogEntry(change_message=json.dumps(parts)).get_change_message()


def _present_labels(entry: LogEntry) -> dict[str, str]:
    """Return the present label of each field of the object, by the label that entries hold."""
    if entry.content_type_id is None:
        return {}
    model = ContentType.objects.get_for_id(entry.content_type_id).model_class()
    if model is None:
        return {}
    names = [field.name for field in model._meta.get_fields() if hasattr(field, "verbose_name")]
    with override(None):
        stored = [_label(model, name) for name in names]
    return dict(zip(stored, (_label(model, name) for name in names), strict=True))
