"""A broadcast's payload comes out as it went in, or is refused without showing a value."""

import datetime
import decimal
import enum
import math
import traceback
import uuid
import zoneinfo

import msgpack
import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from hypothesis import example, given
from hypothesis import strategies as st

from live.log import payload
from live.log.payload import PayloadError, pack, unpack
from patients.models import Patient

SECRET = "Ada Lovelace"

moments = st.datetimes(timezones=st.none() | st.timezones(), allow_imaginary=False)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    # In a zone that has folds, Python would call some of them equal to nothing.
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.dates()
    | st.times()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
keys = st.text(st.characters(exclude_categories=["Cs"])) | st.integers(0, 2**63) | st.uuids()
values = st.recursive(
    scalars, lambda part: st.lists(part) | st.dictionaries(keys, part), max_leaves=20
)


def packed_model(label, names, values):
    """Return what a process with other fields in its models would have sent."""
    data = msgpack.packb([label, names, values])
    return bytes([payload.VERSION]) + msgpack.packb(msgpack.ExtType(payload.MODEL, data))


# ---- what comes out is what went in


@given(values)
def test_any_value_comes_out_as_it_went_in(value):
    restored = unpack(pack(value))
    assert restored == value
    assert type(restored) is type(value)


@given(moments)
@example(datetime.datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")))
@example(datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")))
@example(datetime.datetime(1900, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Amsterdam")))
def test_a_datetime_keeps_its_instant_its_offset_and_its_face(moment):
    restored = unpack(pack(moment))
    assert restored.utcoffset() == moment.utcoffset()
    assert restored.replace(tzinfo=None, fold=0) == moment.replace(tzinfo=None, fold=0)
    if moment.tzinfo is not None:
        # Compared in one zone: between zones, Python calls no time in a fold equal.
        utc = datetime.UTC
        assert restored.astimezone(utc) == moment.astimezone(utc)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-Infinity", "-0.00", "1E+400", "0.10"])
def test_a_decimal_keeps_its_digits_and_sign(text):
    assert str(unpack(pack(decimal.Decimal(text)))) == text


def test_a_float_may_be_no_number():
    assert math.isnan(unpack(pack(float("nan"))))


def test_a_time_keeps_its_offset():
    time = datetime.time(8, 15, tzinfo=datetime.UTC)
    assert unpack(pack(time)) == time


def test_a_tuple_arrives_as_a_list_and_a_choice_as_its_value():
    class Ward(enum.StrEnum):
        EAST = "east"

    assert unpack(pack((1, Ward.EAST))) == [1, "east"]


# ---- models


def test_an_unsaved_model_keeps_its_fields_and_has_no_key():
    user = unpack(pack(User(username="ada", date_joined=datetime.datetime(2026, 1, 1))))
    assert (type(user), user.pk, user.username) == (User, None, "ada")
    assert user.date_joined == datetime.datetime(2026, 1, 1)


@pytest.mark.django_db
def test_a_saved_model_comes_without_a_query(django_assert_num_queries):
    user = User.objects.create_user("ada", email="ada@example.org")
    with django_assert_num_queries(0):
        restored = unpack(pack({"users": [user]}))["users"][0]
        assert restored == user
        assert restored.email == user.email
        assert restored.date_joined == user.date_joined
    restored.refresh_from_db()
    assert restored._state.adding is False


@pytest.mark.django_db
def test_a_deferred_field_is_not_read_to_be_packed_and_stays_deferred(django_assert_num_queries):
    User.objects.create_user("ada", email="ada@example.org")
    user = User.objects.defer("email").get()
    with django_assert_num_queries(0):
        restored = unpack(pack(user))
    assert restored.get_deferred_fields() == {"email"}
    with django_assert_num_queries(1):
        assert restored.email == "ada@example.org"


@pytest.mark.django_db
def test_a_relation_is_packed_by_its_key_only():
    permission = Permission.objects.select_related("content_type").first()
    restored = unpack(pack(permission))
    assert restored.content_type_id == permission.content_type_id
    assert "content_type" not in restored._state.fields_cache


def test_a_models_own_from_db_is_called(monkeypatch):
    seen = []
    original = User.from_db.__func__

    def from_db(cls, db, names, values):
        seen.append(list(names))
        return original(cls, db, names, values)

    monkeypatch.setattr(User, "from_db", classmethod(from_db))
    assert unpack(pack(User(username="ada"))).username == "ada"
    assert "username" in seen[0]


def test_a_field_that_only_the_sender_has_does_not_shift_the_others():
    expires = datetime.datetime(2026, 1, 1).isoformat()
    sent = packed_model(
        "sessions.session", ["session_key", "added_later", "session_data"], ["k", "new", "d"]
    )
    session = unpack(sent)
    assert (session.session_key, session.session_data) == ("k", "d")
    assert session.get_deferred_fields() == {"expire_date"}
    renamed = packed_model(
        "sessions.session", ["session_key", "contents", "expire_date"], ["k", "d", expires]
    )
    assert unpack(renamed).get_deferred_fields() == {"session_data"}


def test_fields_in_another_order_are_taken_by_name():
    sent = packed_model("sessions.session", ["session_data", "session_key"], ["d", "k"])
    session = unpack(sent)
    assert isinstance(session, Session)
    assert (session.session_key, session.session_data) == ("k", "d")


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ({"birth_date": "1980-01-02"}, {"birth_date": datetime.date(1980, 1, 2)}),
        (
            {"admitted_at": "2026-01-02T03:04:05+02:00"},
            {"admitted_at": datetime.datetime(2026, 1, 2, 1, 4, 5, tzinfo=datetime.UTC)},
        ),
        (
            {"admitted_at": "2026-01-02 03:04"},
            {"admitted_at": datetime.datetime(2026, 1, 2, 2, 4, tzinfo=datetime.UTC)},
        ),
        ({"id": "7", "category_id": "8"}, {"id": 7, "category_id": 8}),
        ({"name": "1980-01-02", "reason": "7"}, {"name": "1980-01-02", "reason": "7"}),
    ],
)
def test_a_string_is_packed_as_what_a_save_makes_of_it(settings, values, stored):
    settings.TIME_ZONE = "Europe/Paris"
    patient = unpack(pack(Patient(**values)))
    assert {name: getattr(patient, name) for name in stored} == stored


# ---- what cannot be packed


def endless():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"ward": {SECRET}}, "payload['ward'] (set)"),
        ({"list": [1, [object()]]}, "payload['list'][1][0] (object)"),
        ({"number": 2**64}, "payload['number'] (int)"),
        ({"half": f"{SECRET}\ud800"}, "payload['half'] (str)"),
        ({1: object()}, "payload[…] (object)"),
        ({"by pair": {("a", SECRET): 1}}, "payload['by pair'] (dict)"),
        ([{("a", SECRET): 1}], "payload[0] (dict)"),
        (User(username="ada", first_name={SECRET}), "payload.first_name (set)"),
        ({"user": User(last_name=object())}, "payload['user'].last_name (object)"),
        (User(date_joined=SECRET), "payload (User)"),
    ],
)
def test_what_cannot_be_packed_is_named_by_its_place_only(value, place):
    with pytest.raises(PayloadError) as caught:
        pack(value)
    assert str(caught.value) == f"A broadcast's {place} cannot be packed"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_value_that_has_no_end_is_refused():
    with pytest.raises(PayloadError):
        pack(endless())


def test_a_value_nested_too_deeply_is_refused():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(PayloadError):
        pack(value)


# ---- what cannot be unpacked


@given(st.binary(max_size=1) | st.integers(0, 255).map(lambda version: bytes([version, 0xC0])))
def test_another_version_is_refused_and_named(packed):
    if packed[:1] == bytes([payload.VERSION]):
        return
    with pytest.raises(PayloadError, match=r"version (none|[0-9]+) is not 1"):
        unpack(packed)


SAMPLE = pack(
    {
        "user": User(username=SECRET, date_joined=datetime.datetime(2026, 1, 1)),
        "list": [decimal.Decimal("1.5"), uuid.UUID(int=7), datetime.date(2026, 1, 1), b"x"],
    }
)


@given(
    st.lists(
        st.tuples(st.integers(1, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=4
    ),
    st.integers(0, len(SAMPLE)),
)
def test_damaged_bytes_give_a_payload_error_or_a_value(changes, length):
    damaged = bytearray(SAMPLE)
    for index, byte in changes:
        damaged[index] = byte
    refused(bytes(damaged[: max(length, 1)]))


@given(st.binary())
def test_any_bytes_give_a_payload_error_or_a_value(data):
    refused(bytes([payload.VERSION]) + data)


@given(st.integers(-128, 127), st.binary() | scalars.map(lambda v: pack(v)[1:]))
def test_any_extension_gives_a_payload_error_or_a_value(code, data):
    extension = bytes([0xC7, min(len(data), 255), code % 256]) + data[:255]
    refused(bytes([payload.VERSION]) + extension)


@pytest.mark.parametrize(
    "packed",
    [
        packed_model(5, [], []),
        packed_model(None, [], []),
        packed_model("no.such", [], []),
        packed_model("sessions.session", ["session_key"], []),
        packed_model("sessions.session", ["session_key"], ["a", "b"]),
        packed_model("sessions.session", 5, []),
        bytes([payload.VERSION]) + msgpack.packb(msgpack.ExtType(payload.DECIMAL, SECRET.encode())),
        bytes([payload.VERSION])
        + msgpack.packb(msgpack.ExtType(payload.DATETIME, SECRET.encode())),
        bytes([payload.VERSION]) + msgpack.packb(msgpack.ExtType(99, b"")),
        bytes([payload.VERSION]) + b"\x91" * 100_000,
        SAMPLE[:-1],
        SAMPLE + b"\x00",
    ],
)
def test_what_is_damaged_is_refused_without_showing_a_value(packed):
    assert refused(packed)


def refused(packed):
    """Unpack; return whether that was refused, as it has to be where it is not taken."""
    try:
        unpack(packed)
    except PayloadError as caught:
        shown = "".join(traceback.format_exception(caught))
    else:
        return False
    assert SECRET not in shown
    return True


def test_models_in_models_without_end_are_refused():
    data = b""
    for _ in range(2_000):
        data = msgpack.packb(msgpack.ExtType(payload.MODEL, data))
    assert refused(bytes([payload.VERSION]) + data)
