"""What the log may not hold."""

import logging
from typing import Any


class WithoutQueryString(logging.Filter):
    """Cuts addresses in access lines at the `?`: a query may search for a patient by name."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict) and "path" in record.args:
            record.args = {**record.args, "path": _path_only(record.args["path"])}
        return True


def _path_only(path: Any) -> str:
    return str(path).split("?", 1)[0]
