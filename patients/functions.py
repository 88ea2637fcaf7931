"""Database functions."""

import sys
from typing import Any

from django.db.models import Func, Value

# What str.strip() takes away. SQL's TRIM alone knows the space only, and a name of one
# no-break space is as blank as one of spaces.
WHITE_SPACE = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace())


class Strip(Func):
    """The text without the white space around it, as Python's str.strip() has it."""

    function = "TRIM"

    def __init__(self, text: Any, **extra: Any) -> None:
        super().__init__(text, Value(WHITE_SPACE), **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL's TRIM of given characters is called BTRIM."""
        return self.as_sql(compiler, connection, function="BTRIM", **context)
