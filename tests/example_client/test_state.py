import json
import os

import pytest

from example_client.errors import ExitCode, OutputLost, Usage
from example_client.state import StateFile, Watched, opened, read_state, server_of, state_text

FIELDS = ("onNewPatient", "onPatientChanged")
SERVER = "wss://ward.example:443/graphql/"
ALL = Watched(SERVER, None, FIELDS)
SECOND = Watched(SERVER, "II", FIELDS)
CURSORS = {"onNewPatient": "N", "onPatientChanged": "C"}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state.json")


def refusal(path, watched):
    with pytest.raises(Usage) as refused, opened(path, watched) as state:
        state.load()
    assert refused.value.exit_code == ExitCode.USAGE
    return str(refused.value)


@pytest.mark.parametrize("watched", [ALL, SECOND])
def test_what_is_saved_is_what_is_loaded(path, watched):
    with opened(path, watched) as state:
        assert state.load() == {}
        state.save({**CURSORS, "onNewPatient": "before"})
        state.save(CURSORS)
    with opened(path, watched) as state:
        assert state.load() == CURSORS


def test_a_file_is_there_whole_or_not_at_all(path, monkeypatch):
    def fail(number):
        raise OSError(28, "No space left on device")

    state = StateFile(path, ALL)
    state.save(CURSORS)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputLost, match=r"state\.json: No space left on device; what was printed"):
        state.save({"onNewPatient": "later"})
    assert state.load() == CURSORS


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (SECOND, "category II at wss://ward.example:443/graphql/"),
        (Watched("ws://h:80/", None, FIELDS), "all categories at ws://h:80/"),
    ],
)
def test_the_state_of_another_watch_is_refused_and_left_alone(path, other, text):
    StateFile(path, other).save(CURSORS)
    line = refusal(path, ALL)
    assert line == f"the state file {path} is of {text}, not of {ALL}: name another"
    assert StateFile(path, other).load() == CURSORS


def test_the_state_of_other_subscriptions_is_refused(path):
    StateFile(path, ALL).save({"onBell": "B"})
    assert "name another" in refusal(path, ALL)


GOOD = json.loads(state_text(ALL, CURSORS))


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello", "[]", "{}", '{"form": 1'),
        json.dumps({**GOOD, "form": 2}),
        json.dumps({**GOOD, "cursors": ["N"]}),
        json.dumps({**GOOD, "cursors": {"onNewPatient": None}}),
        json.dumps({**GOOD, "server": 1}),
        json.dumps({**GOOD, "category": 1}),
        json.dumps({name: value for name, value in GOOD.items() if name != "category"}),
    ],
)
def test_another_file_is_refused_and_left_alone(path, text):
    with open(path, "w") as file:
        file.write(text)
    assert refusal(path, ALL) == f"{path} is no state file of watch: name another, or remove it"
    with open(path) as file:
        assert file.read() == text


def test_a_file_that_is_no_text_is_refused(path):
    with open(path, "wb") as file:
        file.write(b"\xff\xfe")
    assert refusal(path, ALL) == f"cannot use the state file {path}: it is no text"


def test_a_folder_that_is_missing_is_refused_at_once(tmp_path):
    path = str(tmp_path / "missing" / "state.json")
    assert refusal(path, ALL) == f"cannot use the state file {path}: No such file or directory"


def test_a_file_is_one_watchs_at_a_time(path):
    with opened(path, ALL):
        assert refusal(path, ALL) == f"the state file {path} is in use by another watch"
    with opened(path, ALL) as state:
        state.save(CURSORS)


def test_a_state_holds_cursors_and_what_they_are_of_and_nothing_else():
    assert set(GOOD) == {"form", "server", "category", "cursors"}
    assert read_state(state_text(ALL, CURSORS), "file", ALL) == CURSORS


@pytest.mark.parametrize(
    "url",
    [
        *("https://ward.example/graphql/", "wss://ward.example/graphql/"),
        *("HTTPS://Ward.Example/graphql/", "wss://ward.example:443/graphql/"),
    ],
)
def test_one_server_has_one_name(url):
    assert server_of(url) == SERVER


@pytest.mark.parametrize(
    "url", ["http://ward.example/graphql/", "wss://ward.example:1/graphql/", "wss://w/graphql/"]
)
def test_another_server_has_another_name(url):
    assert server_of(url) != SERVER
