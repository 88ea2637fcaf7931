"""What people write: trimmed, bounded, and rooms whose names are one however they are spelt."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careteam.text import LONGEST_FOLDED, BadText, room_key, tidy_name, tidy_text

MARKUP = "<script>alert('1')</script> & \"so\" on"


@pytest.mark.parametrize("text", ["Hi all!", MARKUP, "two\nlines", "👩‍⚕️", "a\u200db"])
def test_a_text_stays_as_it_is(text):
    assert tidy_text(f" \n{text}\u00a0", 100) == text


@pytest.mark.parametrize("tidy", [tidy_text, tidy_name])
@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u00a0\u2003", "\u200b", " \u200b\u2060 "])
def test_nothing_to_see_is_blank(tidy, text):
    with pytest.raises(BadText, match="may not be blank"):
        tidy(text, 10)


@pytest.mark.parametrize("tidy", [tidy_text, tidy_name])
def test_a_bound_is_counted_after_trimming(tidy):
    assert tidy("  12345  ", 5) == "12345"
    with pytest.raises(BadText, match="may have 5 characters at most"):
        tidy("123456", 5)


@pytest.mark.parametrize("tidy", [tidy_text, tidy_name])
@pytest.mark.parametrize("text", ["a\0b", "\ud83d"])
def test_what_a_database_refuses_is_refused_before(tidy, text):
    with pytest.raises(BadText) as refused:
        tidy(text, 10)
    assert text not in str(refused.value)


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\x85b"])
def test_a_name_is_one_line(name):
    with pytest.raises(BadText, match="control character"):
        tidy_name(name, 10)


def test_a_name_is_composed():
    assert tidy_name("Se\u0301jour", 6) == "Séjour"


def test_a_name_that_stands_for_a_longer_one_is_refused():
    with pytest.raises(BadText, match="may have 10 characters at most"):
        tidy_name("\ufdfa" * 10, 10)


@pytest.mark.parametrize(
    "spelling", ["ix", "IX", "iX", "Ⅸ", "ⅸ", "ＩＸ", "i\u200bx", "I\u00adX", "\ufeffIX", " IX "]
)
def test_all_spellings_are_one_room(spelling):
    assert room_key(spelling) == room_key("IX")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("night  shift", "Night\u00a0shift"), ("Se\u0301jour", "SÉJOUR")],
)
def test_spellings_in_other_scripts(one, other):
    assert room_key(one) == room_key(other)


@pytest.mark.parametrize(("one", "other"), [("I", "II"), ("kittens", "kitten"), ("a b", "ab")])
def test_other_names_are_other_rooms(one, other):
    assert room_key(one) != room_key(other)


@given(st.text(st.characters(max_codepoint=sys.maxunicode), max_size=30))
def test_a_name_that_is_taken_has_a_key_that_fits(name):
    try:
        tidy = tidy_name(name, 20)
    except BadText:
        return
    assert 1 <= len(tidy) <= 20
    assert 1 <= len(room_key(tidy)) <= LONGEST_FOLDED * 20
    assert room_key(room_key(tidy)) == room_key(tidy) == room_key(name)
