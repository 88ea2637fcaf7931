"""Cursors: what is given comes back, anything else is refused; and what comes next."""

import base64
import string
import struct
import zlib

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from live.errors import BadCursor, CursorExpired
from live.log.cursor import Cursor, Step, decode, encode, step

numbers = st.integers(0, 2**64 - 1)
cursors = st.builds(Cursor, numbers, numbers)
ALPHABET = string.ascii_letters + string.digits + "-_"


@given(cursors)
def test_a_cursor_comes_back(cursor):
    assert decode(encode(cursor)) == cursor


@given(cursors)
def test_it_needs_no_escaping_in_a_url(cursor):
    assert len(encode(cursor)) == 36
    assert set(encode(cursor)) <= set(ALPHABET)


@hypothesis_settings(max_examples=20)  # each is some 2,000 texts
@given(cursors)
@example(Cursor(2**64 - 1, 2**64 - 1))
def test_every_change_of_one_character_is_refused(cursor):
    text = encode(cursor)
    for place, was in enumerate(text):
        for character in sorted({*ALPHABET, "+", "/", "=", " ", "\n", "é"} - {was}):
            refuse(text[:place] + character + text[place + 1 :])


@given(cursors, st.integers(0, 34))
def test_two_characters_that_changed_places_are_refused(cursor, place):
    text = encode(cursor)
    first, second = text[place : place + 2]
    if first != second:
        refuse(text[:place] + second + first + text[place + 2 :])


@given(st.text(max_size=40))
@example("")
@example("=" * 36)
@example("A" * 34 + "==")
@example("\ud800" * 36)
def test_what_is_no_cursor_is_refused(text):
    refuse(text)


@given(st.text(ALPHABET, min_size=36, max_size=36))
def test_what_only_looks_like_one_is_refused(text):
    refuse(text)


@given(cursors, st.text(ALPHABET + " \n=", min_size=1, max_size=4))
def test_what_has_more_around_it_is_refused(cursor, more):
    for text in (encode(cursor) + more, more + encode(cursor), encode(cursor)[:-1]):
        refuse(text)


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr("live.log.cursor.VERSION", 3)
    later = encode(Cursor(1, 2))
    monkeypatch.undo()
    assert base64.urlsafe_b64decode(later)[0] == 3
    refuse(later)


def test_a_cursor_of_a_release_that_did_not_sign_them_is_too_old():
    place = struct.pack("!BQQ", 1, 5, 7)
    unsigned = base64.urlsafe_b64encode(place + struct.pack("!I", zlib.crc32(place))).decode()
    with pytest.raises(CursorExpired):
        decode(unsigned)


def test_nobody_makes_a_cursor_without_the_key(settings):
    made = encode(Cursor(5, 7))
    settings.SECRET_KEY = "another" * 10
    refuse(made)
    settings.SECRET_KEY_FALLBACKS = ["no" * 30]
    refuse(made)


def test_a_cursor_outlives_a_change_of_the_key(settings):
    made = encode(Cursor(5, 7))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert decode(made) == Cursor(5, 7)


def refuse(text):
    """Assert that `text` is no cursor, and that the error does not quote it."""
    with pytest.raises(BadCursor) as caught:
        decode(text)
    assert caught.value.message == BadCursor.default_message
    assert caught.value.extensions["code"] == "BAD_CURSOR"


# ---- what comes next

counts = st.integers(0, 50)


@given(position=counts, first=st.integers(1, 50), length=counts)
def test_what_is_told_is_next_old_or_leaves_a_gap(position, first, length):
    """`length` 0 is a doorbell: it says how far the log is, and brings nothing."""
    last = first + length - 1
    told, had = set(range(first, last + 1)), set(range(1, position + 1))
    reached = set(range(1, last + 1))
    without_gap = Step.NEXT if reached <= had | told else Step.GAP
    expected = Step.OLD if reached <= had else without_gap
    assert step(position, first, last) is expected
