"""Files that other users of the machine must not read: the database holds patients."""

import os
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make `folder`, or close it, so that only this user may enter it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_mode & 0o077 and status.st_uid == os.getuid():
        folder.chmod(0o700)


def touch_private(file: Path) -> None:
    """Make `file`, if it is not there, such that only this user may read it.

    SQLite gives the files beside its database the same rights.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)
