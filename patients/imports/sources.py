"""Where an import's files lie: in a directory of the server's, or in what was uploaded."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from live.errors import BadInput
from patients.imports.models import ImportRun, UploadedPart

File = UploadedPart.File
LONGEST_NAME = 255  # as long as the model's fields
NO_DIRECTORY = "There is no such directory below the import root."


def find_directory(directory: str) -> Path:
    """Return the directory of this name below IMPORT_ROOT, its symbolic links resolved.

    Raises BadInput where no root is set, and where there is no such directory or it lies
    elsewhere: the answer does not tell which, since it would tell what else the disk holds.
    """
    if not settings.IMPORT_ROOT:
        raise BadInput("This server imports from no directory: IMPORT_ROOT is not set.")
    root = Path(settings.IMPORT_ROOT).resolve()
    path = _resolved(root / directory) if len(directory) <= LONGEST_NAME else None
    if path is None or not path.is_relative_to(root) or not path.is_dir():
        raise BadInput(NO_DIRECTORY)
    return path


def find_file(directory: Path, name: str) -> Path:
    """Return the file `name` of a directory; raise BadInput where there is none below the root."""
    path = _resolved(directory / name) if len(name) <= LONGEST_NAME else None
    root = Path(settings.IMPORT_ROOT).resolve()
    if path is None or not path.is_relative_to(root) or not path.is_file():
        raise BadInput(f"There is no file {Path(name).name!r} in this directory.")
    return path


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # absent, a loop of links, a NUL in the name
        return None


def check_directory(directory: str, chapters: str) -> None:
    """Raise BadInput unless everything that an import reads is there."""
    folder = find_directory(directory)
    for name in (File.PATIENTS, File.ENCOUNTERS, *([chapters] if chapters else [])):
        find_file(folder, str(name))


def check_upload(run: ImportRun) -> None:
    """Raise BadInput unless both files were uploaded."""
    uploaded = set(run.parts.values_list("file", flat=True))
    for file in (File.PATIENTS, File.ENCOUNTERS):
        if file not in uploaded:
            raise BadInput(f"The file {file.value!r} was not uploaded.")


@contextlib.contextmanager
def opened(run: ImportRun) -> Iterator[tuple[Path, Path | None]]:
    """Give the folder of an import's files, and its table of chapters.

    Raises BadInput where they are gone, or are not what they were.
    """
    if run.directory:
        # Once more: links may have changed since it was started.
        check_directory(run.directory, run.chapters)
        folder = find_directory(run.directory)
        yield folder, folder / run.chapters if run.chapters else None
        return
    check_upload(run)
    with tempfile.TemporaryDirectory(prefix="wardcast-import-") as name:
        _unpack(run, Path(name))
        table = Path(name) / File.CHAPTERS
        yield Path(name), table if table.exists() else None


def _unpack(run: ImportRun, folder: Path) -> None:
    for part in run.parts.iterator(chunk_size=10):
        with (folder / File(part.file)).open("ab") as file:
            file.write(part.content)
