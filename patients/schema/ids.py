"""Relay's global ids."""

import graphene
from graphene.relay import Node
from graphql_relay import from_global_id

from live.errors import BadInput


def patient_pk(global_id: str) -> int:
    """Return the primary key in a Patient's global id; raise BadInput on any other string."""
    try:
        type_name, key = from_global_id(global_id)
        if type_name == "Patient":
            return int(key)
    except ValueError:  # UnicodeDecodeError and binascii.Error are ValueErrors
        pass
    raise BadInput("The id is not that of a patient.")


def check_node_id(info: graphene.ResolveInfo, global_id: str) -> None:
    """Raise BadInput unless `global_id` is well-formed, and names a type that has ids.

    (Graphene raises exceptions for it that are not written for clients.)
    """
    try:
        type_name, _ = from_global_id(global_id)
    except ValueError:
        type_name = ""
    kind = getattr(info.schema.get_type(type_name), "graphene_type", None)
    if Node not in getattr(getattr(kind, "_meta", None), "interfaces", ()):
        raise BadInput("The id is not that of anything here.")
