"""All that people read has its French: marked, translated, and compiled as it was written."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.utils.functional import Promise
from django.utils.translation.trans_real import DjangoTranslation

from tests.conftest import require_program

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("server", "live", "patients", "careteam")
APPS = ("live", "patients", "careteam")
PAGES = ("templates", *(f"{name}/templates" for name in APPS))
CATALOGUES = sorted(path for path in ROOT.glob("*/locale/fr/LC_MESSAGES/*.po"))
NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", "dist", "samples")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A copy of the project whose catalogues have all that is marked now."""
    require_program("xgettext", "gettext")
    folder = tmp_path_factory.mktemp("collected")
    for name in (*PACKAGES, "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
    shutil.copy(ROOT / "manage.py", folder)
    command = [sys.executable, "manage.py", "makemessages", "-l", "fr", "--no-location"]
    for domain in (["-d", "django"], ["-d", "djangojs", "-e", "js,jsx"]):
        subprocess.run([*command, *domain], cwd=folder, check=True, capture_output=True)
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
    names = [str(path.relative_to(ROOT)) for path in CATALOGUES]
    wanted = [f"{name}/locale/fr/LC_MESSAGES/django.po" for name in PACKAGES]
    assert names == sorted([*wanted, "server/locale/fr/LC_MESSAGES/djangojs.po"])


each_catalogue = pytest.mark.parametrize(
    "po", CATALOGUES, ids=lambda path: f"{path.relative_to(ROOT).parts[0]}-{path.stem}"
)


@each_catalogue
def test_all_that_is_marked_has_its_french(collected, tmp_path, po):
    """In the catalogue, or in Django's own, whose texts need no second translation."""
    marked = collected / po.relative_to(ROOT)
    subprocess.run(["msgen", "-o", tmp_path / "all.po", marked], check=True)
    compile_catalogue(tmp_path / "all.po", tmp_path / "all.mo")
    french = DjangoTranslation("fr", domain=po.stem)._catalog
    assert [key for key in messages(tmp_path / "all.mo") if key not in french] == []


@each_catalogue
def test_what_is_compiled_is_what_is_written(tmp_path, po):
    require_program("msgfmt", "gettext")
    compile_catalogue(po, tmp_path / "new.mo")
    assert messages(tmp_path / "new.mo") == messages(po.with_suffix(".mo"))


# ---- what nobody marked


def unmarked(texts) -> list[str]:
    """Return those of (name, text) that are plain text, where a marked one is looked up lazily."""
    return [name for name, text in texts if text and not isinstance(text, Promise)]


def labels_of_models():
    """Yield what Django's admin shows of the models that it knows."""
    for model in admin.site._registry:
        meta = model._meta
        if meta.app_label in APPS:
            yield f"{meta.label}", meta.verbose_name
            yield f"{meta.label}, plural", meta.verbose_name_plural
            for field in meta.concrete_fields:
                if not field.auto_created:
                    yield f"{meta.label}.{field.name}", field.verbose_name
                    yield f"{meta.label}.{field.name}, help", field.help_text
                    yield from (
                        (f"{meta.label}.{field.name}", text) for _, text in field.choices or ()
                    )


def labels_of_admins():
    """Yield what the admin's classes add to that."""
    for model, model_admin in admin.site._registry.items():
        name = type(model_admin).__name__
        if model._meta.app_label in APPS:
            yield f"{name}.search_help_text", model_admin.search_help_text
            yield from ((f"{name}.fieldsets", title) for title, _ in model_admin.fieldsets or ())
            for column in (*model_admin.list_display, *model_admin.actions):
                shown = getattr(model_admin, str(column), None) or getattr(model, str(column), None)
                if callable(shown):
                    yield f"{name}.{column}", getattr(shown, "short_description", "without")


def test_no_label_of_the_admin_is_left_in_english():
    assert unmarked(labels_of_models()) == []
    assert unmarked(labels_of_admins()) == []
    assert unmarked((name, apps.get_app_config(name).verbose_name) for name in APPS) == []


TEMPLATES = sorted(path for folder in PAGES for path in (ROOT / folder).rglob("*.html"))
TEMPLATES = [path for path in TEMPLATES if "node_modules" not in path.parts]
# What is the same in every language.
NAMES = {"Wardcast", "GraphiQL", "Wardcast – GraphiQL", "· Wardcast", "make assets"}
# Attributes that a browser shows or a screen reader reads.
READ = r'\b(?:aria-label|title|alt|placeholder)="([^"{]*)"'


@pytest.mark.parametrize("page", TEMPLATES, ids=lambda page: page.name)
def test_no_text_of_a_page_is_left_in_english(page):
    text = page.read_text()
    found = re.findall(READ, text)
    plain = re.sub(
        r"{%\s*blocktranslate.*?endblocktranslate\s*%}|{%.*?%}|{{.*?}}", "", text, flags=re.S
    )
    plain = re.sub(r"<!--.*?-->|{#.*?#}", "", plain, flags=re.S)
    found += [part.strip() for part in re.split(r"<[^>]*>", plain)]
    assert [text for text in found if re.search(r"[^\W\d_]{2}", text) and text not in NAMES] == []


SCRIPTS = sorted((ROOT / "templates/graphene/src").glob("*.js*"))
TRANSLATED = r"gettext\((?:\s*(?:\"[^\"]*\"|'[^']*')\s*\+?)+,?\s*\)"
# Strings of several words, text between JSX's tags, and attributes that are read.
SAID = (r"\"([^\"\n]*\w \w[^\"\n]*)\"", r">\s*([^\W\d_][\w ,.:’'!?-]*)\s*</", READ)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_text_of_a_script_is_left_in_english(script):
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", script.read_text(), flags=re.S | re.M)
    code = re.sub(r"`[^`]*`", "``", code)  # GraphQL documents
    code = re.sub(TRANSLATED, "", code)
    assert [text for pattern in SAID for text in re.findall(pattern, code)] == []
