"""What the log may not hold."""

import logging
import traceback
from typing import Any


class FramesOnly(logging.Formatter):
    """Writes an exception's type and where it was raised, not its text: it may quote a row."""

    def formatException(self, ei: Any) -> str:
        kind, _, frames = ei
        places = [f"  {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(frames)]
        return "\n".join(["Traceback (most recent call last):", *places, kind.__qualname__])


class WithoutQueryString(logging.Filter):
    """Cuts addresses in access lines at the `?`: a query may search for a patient by name."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict) and "path" in record.args:
            record.args = {**record.args, "path": _path_only(record.args["path"])}
        return True


def _path_only(path: Any) -> str:
    return str(path).split("?", 1)[0]
