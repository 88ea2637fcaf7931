"""The engine's settings."""

import re
from pathlib import Path

import pytest

from live import conf as module
from live.conf import DEFAULTS, conf

SOURCE = Path(module.__file__).read_text()


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_holds_until_the_project_overrides_it(settings, name):
    settings.LIVE = {}
    assert getattr(conf, name) == DEFAULTS[name]
    settings.LIVE = {name: "other"}
    assert getattr(conf, name) == "other"


def test_a_project_without_the_setting_has_the_defaults(settings):
    del settings.LIVE
    assert DEFAULTS["MAX_QUERY_DEPTH"] == conf.MAX_QUERY_DEPTH


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(AttributeError, match="LIVE has no setting 'MAX_QUERY_DEPHT'"):
        _ = conf.MAX_QUERY_DEPHT


@pytest.mark.parametrize("name", [name for name in DEFAULTS if not name.endswith("PER_USER")])
def test_every_default_has_its_reason_above_it(name):
    lines = SOURCE.splitlines()
    at, *_ = [n for n, line in enumerate(lines) if line.lstrip().startswith(f'"{name}":')]
    while lines[at - 1].lstrip().startswith('"'):  # a pair shares its reason
        at -= 1
    assert re.match(r"\s+# (?!----)", lines[at - 1])


@pytest.mark.parametrize("name", [name for name, value in DEFAULTS.items() if value is not None])
def test_every_default_is_used_by_the_engine(name):
    engine = Path(module.__file__).parent
    sources = [*engine.rglob("*.py"), engine.parent / "server" / "accounts.py"]
    assert any(f"conf.{name}" in source.read_text() for source in sources)


# Those that are chosen from words.
WORDS = {"BROADCAST": "events", "INTROSPECTION": None}


def test_every_default_is_a_bound():
    """0 would switch off, or refuse all; none of them does by default."""
    assert {name: DEFAULTS[name] for name in WORDS} == WORDS
    assert all(value > 0 for name, value in DEFAULTS.items() if name not in WORDS)
