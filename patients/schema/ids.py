"""Relay's global ids of patients."""

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
