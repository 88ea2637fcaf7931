"""A real nginx before a server, as an installation has one."""

import contextlib
import getpass
import re
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.ports import free_port
from tests.e2e.servers import ROOT
from tests.e2e.services import Service, running

# What it passes on is what docs/operations.md says. All its files are in the test's folder.
CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/bodies;
  proxy_temp_path {folder}/answers;
  fastcgi_temp_path {folder}/unused-fastcgi;
  uwsgi_temp_path {folder}/unused-uwsgi;
  scgi_temp_path {folder}/unused-scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://{server};
      {documented}
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(program: str, folder: Path, server: str) -> Iterator[int]:
    """Start `program` (nginx's path) before `server` ("host:port"); yield its port."""
    port = free_port()
    folder.mkdir()
    # As root, its workers would be a user's who may not enter the folder.
    user = f"user {getpass.getuser()};" if getpass.getuser() == "root" else ""
    file = folder / "nginx.conf"
    values = {"folder": folder, "user": user, "port": port, "server": server}
    file.write_text(CONFIGURATION.format(documented=_documented(), **values))
    command = [program, "-p", folder, "-c", file, "-e", folder / "error.log"]
    with running(Service(command, port, folder)):
        yield port


def _documented() -> str:
    page = (ROOT / "docs" / "operations.md").read_text()
    return re.search(r"```nginx\n(.*?)```", page, re.DOTALL)[1]
