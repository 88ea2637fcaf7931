"""The verdicts see every fault that is planted, so that a clean one is worth something."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.faults.follow import follow
from tests.e2e.faults.ledger import Entry, Row, errors_in, expected_by
from tests.e2e.faults.verdict import CLEAN, Verdict, judge


def test_everything_once_and_in_order_is_clean():
    assert judge([3, 1, 2], [3, 1, 2]) == CLEAN


@pytest.mark.parametrize(
    ("received", "verdict"),
    [
        ([3, 2], Verdict(lost=[1])),
        ([], Verdict(lost=[3, 1, 2])),
        ([3, 1, 3, 2], Verdict(duplicated=[3])),
        ([3, 1, 2, 2, 2], Verdict(duplicated=[2, 2])),
        ([1, 3, 2], Verdict(out_of_order=[3])),
        ([2, 3, 1], Verdict(out_of_order=[3, 1])),
        ([3, 1, 2, 9], Verdict(foreign=[9])),
        ([2, 3, 2, 9], Verdict(lost=[1], duplicated=[2], out_of_order=[3], foreign=[9])),
    ],
)
def test_what_is_planted_is_found(received, verdict):
    assert judge([3, 1, 2], received) == verdict


@given(st.lists(st.integers(0, 50), unique=True, min_size=1), st.data())
def test_a_planted_fault_is_found_wherever_it_is(expected, data):
    at = data.draw(st.integers(0, len(expected) - 1))
    assert judge(expected, expected) == CLEAN
    assert judge(expected, expected[:at] + expected[at + 1 :]).lost == [expected[at]]
    assert judge(expected, [*expected, expected[at]]).duplicated == [expected[at]]
    if at:
        swapped = [*expected[: at - 1], expected[at], expected[at - 1], *expected[at + 1 :]]
        assert judge(expected, swapped).out_of_order == [expected[at - 1]]


ENTRIES = [Entry(5, 30, "I"), Entry(6, 10, "II"), Entry(7, None), Entry(8, 20, "I")]
ROWS = [Row(10, "II", 2.0, 1.5), Row(20, "I", 3.0, 2.5), Row(30, "I", 1.0, 0.5)]


def test_a_client_expects_its_category_in_the_order_of_the_log():
    assert expected_by(ENTRIES, None) == [30, 10, 20]
    assert expected_by(ENTRIES, "I") == [30, 20]


def test_a_log_of_what_was_committed_has_no_errors():
    assert errors_in(ENTRIES, ROWS, [10, 20]) == []


@pytest.mark.parametrize(
    ("entries", "rows", "told", "error"),
    [
        ([ENTRIES[0], *ENTRIES[2:]], ROWS, [], "number 7 follows 5"),
        ([*ENTRIES, Entry(9, 30, "I")], ROWS, [], "(30, 'I') is logged 2 times"),
        (ENTRIES, ROWS[1:], [], "(10, 'II') is logged, and not committed"),
        (ENTRIES[1:], ROWS, [], "(30, 'I') is committed, and not logged"),
        (ENTRIES, [Row(10, "III", 2.0), *ROWS[1:]], [], "(10, 'II') is logged, and not committed"),
        (ENTRIES, [Row(10, "II", 0.2), *ROWS[1:]], [], "10 was committed before 30 was begun"),
        (ENTRIES, ROWS, [40], "40 was told to be committed"),
    ],
)
def test_an_error_of_the_log_is_found(entries, rows, told, error):
    assert any(found.startswith(error) for found in errors_in(entries, rows, told))


class Table:
    """Numbered rows that become visible one after the other, in the order of their commits."""

    def __init__(self, commits):
        self.commits, self.visible = commits, []

    def read_after(self, number):
        """Commit one more, and return what is visible, as (number, ordinal)."""
        if self.commits:
            self.visible.append(self.commits.pop(0))
        return sorted(row for row in self.visible if row[0] > number)

    def is_complete(self):
        return not self.commits


def test_a_reader_of_numbers_in_commit_order_has_everything():
    ordinals = list(range(100))
    random.Random(1).shuffle(ordinals)
    table = Table(list(enumerate(ordinals, 1)))
    assert judge(ordinals, follow(table.read_after, table.is_complete)) == CLEAN


def test_a_reader_of_numbers_given_before_the_commit_skips_some():
    table = Table([(1, 10), (3, 30), (2, 20), (4, 40)])
    received = follow(table.read_after, table.is_complete)
    assert judge([10, 30, 20, 40], received) == Verdict(lost=[20])
