"""A process beside a server that registers patients as it is told, one transaction each."""

import subprocess
import sys
from contextlib import contextmanager

from tests.e2e.servers import ROOT

REGISTER = """
import sys
from patients.models import DiseaseCategory, Patient
categories = {category.code: category for category in DiseaseCategory.objects.all()}
for line in sys.stdin:
    code, _, name = line.rstrip("\\n").partition(" ")
    if name:
        one = Patient.objects.create(name=name, category=categories[code])
        one.reason = "fever"
        one.save()
    else:
        print("done", flush=True)
"""


class Registry:
    """Registers patients, and changes each of them right after."""

    def __init__(self, process):
        self._process = process

    def begin(self, *patients):
        """Have patients registered, each "CODE NAME", and do not wait for it."""
        self._process.stdin.write("".join(f"{patient}\n" for patient in patients))
        self._process.stdin.flush()

    def finish(self):
        """Return when everything that was begun is committed."""
        self.begin("")
        assert self._process.stdout.readline() == "done\n", "the registry ended"

    def register(self, *patients):
        """Return when these are committed."""
        self.begin(*patients)
        self.finish()


@contextmanager
def registry(server):
    """Start a registry beside `server`, which may be killed and started meanwhile."""
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", REGISTER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=server.env, **pipes) as process:
        try:
            yield Registry(process)
        finally:
            process.kill()
