"""All that is marked for translation has its French, and is compiled as it was written."""

import gettext
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils.translation import trans_real

from tests.conftest import require_program

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("server", "live", "patients", "careteam")
TRANSLATED = sorted(path.parent for path in ROOT.glob("*/locale/fr/LC_MESSAGES/django.po"))
NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", "dist")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A copy of the project whose catalogues have all that is marked now."""
    require_program("xgettext", "gettext")
    folder = tmp_path_factory.mktemp("collected")
    for name in (*PACKAGES, "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
    shutil.copy(ROOT / "manage.py", folder)
    command = [sys.executable, "manage.py", "makemessages", "-l", "fr", "--no-location"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def messages(mo: Path) -> dict:
    """Return a compiled catalogue's messages."""
    with mo.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog
    return {key: text for key, text in catalogue.items() if key}


def compile_catalogue(po: Path, mo: Path) -> None:
    """Compile a catalogue; what is fuzzy, or has other placeholders than its text, is an error."""
    command = ["msgfmt", "--check-format", "--statistics", "-o", mo, po]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert "fuzzy" not in said, said


def test_the_packages_have_catalogues():
    assert [path.relative_to(ROOT).parts[0] for path in TRANSLATED] == sorted(PACKAGES)


each_catalogue = pytest.mark.parametrize(
    "folder", TRANSLATED, ids=lambda path: path.relative_to(ROOT).parts[0]
)


@each_catalogue
def test_all_that_is_marked_has_its_french(collected, tmp_path, folder):
    """In the catalogue, or in Django's own, whose texts need no second translation."""
    po = collected / folder.relative_to(ROOT) / "django.po"
    subprocess.run(["msgen", "-o", tmp_path / "all.po", po], check=True)
    compile_catalogue(tmp_path / "all.po", tmp_path / "all.mo")
    french = trans_real.translation("fr")._catalog
    assert [key for key in messages(tmp_path / "all.mo") if key not in french] == []


@each_catalogue
def test_what_is_compiled_is_what_is_written(tmp_path, folder):
    require_program("msgfmt", "gettext")
    compile_catalogue(folder / "django.po", tmp_path / "django.mo")
    assert messages(tmp_path / "django.mo") == messages(folder / "django.mo")
