"""Signal receivers that tell every process's hub of a change of rights, on commit.

An application calls `rights_changed` itself when its own rules change.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete

from live.log import records
from live.log.append import write
from live.models import AccessToken


def rights_changed(user_ids: Iterable[int] | None) -> None:
    """Have the sockets of these users (None: of all) check their rights again. Sync.

    It is a record of the log, appended in the current transaction: no event that is committed
    later reaches a socket before it has checked.
    """
    users = None if user_ids is None else sorted(user_ids)
    if users != []:
        write(records.rights(users))


def connect() -> None:
    """Connect the receivers. Called once, when the apps are ready."""
    user = get_user_model()
    _receive(post_save, user, _user_saved)
    _receive(pre_delete, user, _user_saved)
    _receive(m2m_changed, user.groups.through, _membership_changed)
    _receive(m2m_changed, user.user_permissions.through, _membership_changed)
    _receive(m2m_changed, Group.permissions.through, _group_changed)
    _receive(pre_delete, Group, _group_deleted)
    _receive(pre_delete, Permission, _permission_deleted)
    _receive(post_delete, Session, _session_ended)
    _receive(post_save, AccessToken, _token_changed)
    _receive(post_delete, AccessToken, _token_changed)


def _receive(signal: Any, sender: Any, receiver: Any) -> None:
    signal.connect(receiver, sender=sender, dispatch_uid=f"live.{sender}.{receiver.__name__}")


def _user_saved(instance: Any, created: bool = False, update_fields: Any = None, **_: Any) -> None:
    # Each log-in updates the user's row, which changes no rights.
    if not created and update_fields != frozenset({"last_login"}):
        rights_changed([instance.pk])


def _membership_changed(
    instance: Any, action: str, reverse: bool, pk_set: Any = None, **_: Any
) -> None:
    """Handle a change of a user's groups or permissions, made from either side."""
    if action.startswith("post_"):
        # pk_set is None where the other side was cleared: the signal does not say whose they were.
        rights_changed([instance.pk] if not reverse else pk_set)


def _group_changed(instance: Any, action: str, reverse: bool, **_: Any) -> None:
    if action.startswith("post_"):
        rights_changed(None if reverse else _members([instance]))


def _group_deleted(instance: Group, **_: Any) -> None:
    rights_changed(_members([instance]))


def _permission_deleted(**_: Any) -> None:
    rights_changed(None)


def _members(groups: Iterable[Group]) -> list[int]:
    users = get_user_model().objects.filter(groups__in=list(groups))
    return list(users.values_list("pk", flat=True).distinct())


def _session_ended(instance: Session, **_: Any) -> None:
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id is not None:
        rights_changed([int(user_id)])


def _token_changed(instance: AccessToken, created: bool = False, **_: Any) -> None:
    if not created:
        rights_changed([instance.user_id])
