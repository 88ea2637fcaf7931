"""Records: what is packed comes back, and what is none is an error without a quotation."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.log import records
from live.log.records import Kind, Record

SECRET = "Ada Lovelace"
groups = st.lists(st.text(max_size=20), max_size=4)
keys = st.lists(st.integers(0, 2**63 - 1), max_size=4)
made = st.one_of(
    st.builds(records.event, groups, st.binary(max_size=200)),
    st.builds(records.unsubscribe, groups),
    st.builds(records.rights, st.none() | keys),
    st.builds(records.kick, keys),
)


@given(made)
def test_a_record_comes_back(record):
    assert records.unpack(records.pack(record)) == record


def test_the_numbers_of_the_kinds_are_for_ever():
    """They are stored: whoever changes one makes yesterday's log say something else."""
    stored = {"NONE": 0, "EVENT": 1, "UNSUBSCRIBE": 2, "RIGHTS": 3, "KICK": 4}
    assert {kind.name: kind.value for kind in Kind} == stored


def test_everybodys_rights_are_not_nobodys():
    everybody, nobody = (records.unpack(records.pack(records.rights(x))) for x in (None, []))
    assert (everybody.body, nobody.body) == (None, ())


BROKEN = {
    "empty": b"",
    "text": SECRET.encode(),
    "cut off": records.pack(records.event(["a"], SECRET.encode()))[:-1],
    "with more behind it": records.pack(records.event(["a"], SECRET.encode())) + b"\x00",
    "too short": msgpack.packb([1, [SECRET]]),
    "too long": msgpack.packb([1, [SECRET], b"", None, 0]),
    "an exclusion that is no name": msgpack.packb([1, [SECRET], b"", 7]),
    "no list": msgpack.packb(7),
    "a kind of a later release": msgpack.packb([99, [SECRET], SECRET]),
    "a kind that is no number": msgpack.packb([SECRET, [], None]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_record_is_an_error_that_quotes_nothing(case):
    with pytest.raises(ValueError, match=r"^The record is damaged \(\w+\)$") as caught:
        records.unpack(BROKEN[case])
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_value_error(packed):
    try:
        record = records.unpack(packed)
    except ValueError:
        return
    assert isinstance(record, Record)
