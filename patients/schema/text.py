"""Strings that no database takes."""

from typing import Any

from live.errors import BadInput


def check_text(**arguments: Any) -> None:
    """Raise BadInput that names the argument which is no Unicode text; others than strings pass.

    JSON's escapes can spell half a surrogate pair. (What else a database refuses, such as NUL,
    the forms name.)
    """
    for name, value in arguments.items():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise BadInput(f"{name} has half a surrogate pair, which is no text.") from None
