"""A setting that is misspelt, of a wrong type or senseless is named before anything runs."""

import pytest
from django.core.checks import run_checks

from careteam.conf import AT_MOST as CARETEAM_AT_MOST
from careteam.conf import DEFAULTS as CARETEAM
from careteam.models import Room
from live.conf import AT_MOST, CHOICES, DEFAULTS, OFF_AT_ZERO
from live.settings_check import problems


def found(**given):
    return problems(
        "LIVE", given, DEFAULTS, choices=CHOICES, off_at_zero=OFF_AT_ZERO, at_most=AT_MOST
    )


def found_of_careteam(given):
    return problems("CARETEAM", given, CARETEAM, choices={}, at_most=CARETEAM_AT_MOST)


def test_the_defaults_are_sound():
    assert found(**DEFAULTS) == []
    assert found_of_careteam(CARETEAM) == []
    assert DEFAULTS.keys() >= CHOICES.keys() | OFF_AT_ZERO | AT_MOST.keys()
    assert CARETEAM_AT_MOST["MAX_ROOM_NAME_LENGTH"] == Room._meta.get_field("name").max_length


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"POLL_EVRY": 5}, "LIVE has no setting 'POLL_EVRY'. Did you mean 'POLL_EVERY'?"),
        ({"poll_every": 5}, "LIVE has no setting 'poll_every'. Did you mean 'POLL_EVERY'?"),
        ({"XYZ": 5}, "LIVE has no setting 'XYZ'."),
        ({"POLL_EVERY": "5"}, "LIVE['POLL_EVERY'] must be a number, not str."),
        ({"POLL_EVERY": None}, "LIVE['POLL_EVERY'] must be a number, not None."),
        ({"POLL_EVERY": True}, "LIVE['POLL_EVERY'] must be a number, not bool."),
        ({"POLL_EVERY": float("nan")}, "LIVE['POLL_EVERY'] must be a number, not nan."),
        ({"POLL_EVERY": float("inf")}, "LIVE['POLL_EVERY'] must be a number, not inf."),
        ({"POLL_EVERY": 0}, "LIVE['POLL_EVERY'] must be positive."),
        ({"SEND_PING_EVERY": -1}, "LIVE['SEND_PING_EVERY'] must not be negative."),
        ({"OUTBOX_SIZE": 1.5}, "LIVE['OUTBOX_SIZE'] must be a whole number, not float."),
        ({"BROADCAST": "bell"}, "LIVE['BROADCAST'] must be one of 'events', 'doorbell'."),
        (
            {"INTROSPECTION": True},
            "LIVE['INTROSPECTION'] must be one of None, 'everyone', 'staff', 'nobody'.",
        ),
        (
            {"CONNECTION_INIT_WAIT_TIMEOUT": 20, "IDLE_TIMEOUT": 15.5},
            "LIVE['CONNECTION_INIT_WAIT_TIMEOUT'] is 20, and must not be more than "
            "LIVE['IDLE_TIMEOUT'], which is 15.5.",
        ),
        (
            {"OUTBOX_SIZE": 9},
            "LIVE['NOTIFICATIONS_IN_OUTBOX'] is 128, and must not be more than "
            "LIVE['OUTBOX_SIZE'], which is 9.",
        ),
    ],
)
def test_each_problem_is_named(given, sentence):
    assert found(**given) == [sentence]


@pytest.mark.parametrize(
    "given",
    [
        {"POLL_EVERY": 0.5},
        {"SEND_PING_EVERY": 0},
        {"BROADCAST": "doorbell"},
        {"OUTBOX_SIZE": 128},
        {"CONNECTION_INIT_WAIT_TIMEOUT": 0, "IDLE_TIMEOUT": 1},
    ],
)
def test_what_makes_sense_passes(given):
    assert found(**given) == []


def test_all_problems_are_named_at_once_whatever_their_kind():
    sentences = found(POLL_EVRY=5, POLL_EVERY="5", BROADCAST=7, OUTBOX_SIZE=9)
    for told in ("'POLL_EVRY'", "['POLL_EVERY']", "['BROADCAST']", "['OUTBOX_SIZE']"):
        assert sum(told in sentence for sentence in sentences) == 1
    assert len(sentences) == 4
    assert found_of_careteam([1]) == ["CARETEAM must be a dictionary, not list."]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"ANONYMOUS_ROOMS": "kittens"},
            "CARETEAM['ANONYMOUS_ROOMS'] must be a list of names.",
        ),
        ({"ROOM_ACCESS": 7}, "CARETEAM['ROOM_ACCESS'] must be a text or None, not int."),
        (
            {"MAX_ROOM_NAME_LENGTH": 201},
            "CARETEAM['MAX_ROOM_NAME_LENGTH'] is 201, and must not be more than 200.",
        ),
        ({"MAX_TEXT": 7}, "CARETEAM has no setting 'MAX_TEXT'. Did you mean 'MAX_TEXT_LENGTH'?"),
    ],
)
def test_djangos_checks_have_both_dictionaries(settings, given, sentence):
    settings.LIVE, settings.CARETEAM = {"POLL_EVRY": 5}, given
    told = {message.msg for message in run_checks(tags=["live", "careteam"])}
    assert told == {"LIVE has no setting 'POLL_EVRY'. Did you mean 'POLL_EVERY'?", sentence}
