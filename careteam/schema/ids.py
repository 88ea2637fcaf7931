"""Relay's global ids."""

from graphql_relay import from_global_id

from live.errors import BadInput


def key_in(global_id: str, type_name: str) -> int:
    """Return the primary key in a global id of this type; raise BadInput on any other string."""
    try:
        found, key = from_global_id(global_id)
        if found == type_name:
            return int(key)
    except ValueError:  # UnicodeDecodeError and binascii.Error are ValueErrors
        pass
    raise BadInput(f"The id is not that of a {type_name}.")


def node_key(key: str) -> int | None:
    """Return the primary key in a global id's second part, None where it is none."""
    try:
        return int(key)
    except ValueError:  # no number, or of more digits than Python reads
        return None
