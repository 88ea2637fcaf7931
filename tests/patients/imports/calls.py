"""Imports as clients ask for them, and exports to import."""

import threading

from django.utils import timezone

from patients.imports.models import ImportRun
from tests.patients.asking import data
from tests.patients.importers.exports import encounter, patient, write_export

SECONDS = 60
IMPORT = """
  mutation ($directory: String, $upload: ID, $chapters: String, $skipBad: Boolean) {
    importPatients(directory: $directory, upload: $upload, chapters: $chapters, skipBad: $skipBad) {
      id importRun { id state finished }
    }
  }
"""
UPLOAD = """
  mutation ($file: ImportFile!, $content: String!, $upload: ID) {
    uploadImportFile(file: $file, content: $content, upload: $upload) { upload }
  }
"""
RUN = """
  query ($id: ID!) {
    importRun(id: $id) {
      id state done total rejected created updated unchanged finished error
      startedAt finishedAt rejects { file line reason }
    }
  }
"""
PROGRESS = 'subscription { onImportProgress(id: "%s") { done } }'


def export(folder):
    return write_export(
        folder,
        [patient("ann"), patient("ben"), patient("cid")],
        [encounter("ann", REASONCODE="7"), encounter("ben", STOP=""), encounter("cid")],
    )


def spoil(folder):
    path = folder / "patients.csv"
    path.write_text(path.read_text().replace("1970-01-31", "31 January", 1))


def start(user, **variables):
    """Start an import; return its id."""
    return data(user, IMPORT, **variables)["importPatients"]["id"]


def ended(user, run):
    """Return an import when it has ended."""
    for thread in threading.enumerate():
        if thread.name == "import":
            thread.join(SECONDS)
    found = data(user, RUN, id=run)["importRun"]
    assert found["finished"], found
    return found


def message(response):
    (error,) = response["errors"]
    return error["message"]


def silent(**fields):
    long_ago = timezone.now() - timezone.timedelta(hours=1)
    return ImportRun.objects.create(**{"state": "writing", "alive_at": long_ago, **fields})
