"""Cursors: what is given comes back, anything else is refused; and what comes next."""

import base64
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from live.errors import BadCursor
from live.log.cursor import Cursor, Step, decode, encode, step

numbers = st.integers(0, 2**64 - 1)
cursors = st.builds(Cursor, numbers, numbers)
ALPHABET = string.ascii_letters + string.digits + "-_"


@given(cursors)
def test_a_cursor_comes_back(cursor):
    assert decode(encode(cursor)) == cursor


@given(cursors)
def test_it_needs_no_escaping_in_a_url(cursor):
    assert len(encode(cursor)) == 28
    assert set(encode(cursor)) <= set(ALPHABET)


@settings(max_examples=20)  # each is some 2,000 texts
@given(cursors)
@example(Cursor(2**64 - 1, 2**64 - 1))
def test_every_change_of_one_character_is_refused(cursor):
    text = encode(cursor)
    for place, was in enumerate(text):
        for character in sorted({*ALPHABET, "+", "/", "=", " ", "\n", "é"} - {was}):
            refuse(text[:place] + character + text[place + 1 :])


@given(cursors, st.integers(0, 26))
def test_two_characters_that_changed_places_are_refused(cursor, place):
    text = encode(cursor)
    first, second = text[place : place + 2]
    if first != second:
        refuse(text[:place] + second + first + text[place + 2 :])


@given(st.text(max_size=40))
@example("")
@example("=" * 28)
@example("A" * 26 + "==")
@example("\ud800" * 28)
def test_what_is_no_cursor_is_refused(text):
    refuse(text)


@given(st.text(ALPHABET, min_size=28, max_size=28))
def test_what_only_looks_like_one_is_refused(text):
    refuse(text)


@given(cursors, st.text(ALPHABET + " \n=", min_size=1, max_size=4))
def test_what_has_more_around_it_is_refused(cursor, more):
    for text in (encode(cursor) + more, more + encode(cursor), encode(cursor)[:-1]):
        refuse(text)


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr("live.log.cursor.VERSION", 2)
    later = encode(Cursor(1, 2))
    monkeypatch.undo()
    assert base64.urlsafe_b64decode(later)[0] == 2
    refuse(later)


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
