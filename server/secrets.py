"""The demo's secret key."""

import secrets
from pathlib import Path

from server.private_files import make_private


def demo_secret_key(folder: Path) -> str:
    """Return the key kept in `folder`, where sessions outlive a restart; made at first."""
    path = folder / "demo-secret-key"
    if not path.exists():
        make_private(folder)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()
