from hypothesis import given
from hypothesis import strategies as st

from example_client.backoff import Backoff

SHORTEST, LONGEST = 0.5, 30.0
ALMOST_ONE = 1 - 2**-53


def delays(backoff, count):
    return [backoff.next_delay() for _ in range(count)]


def test_delays_double_up_to_the_longest():
    backoff = Backoff(SHORTEST, LONGEST, randomly=lambda: 0)
    assert delays(backoff, 8) == [0.5, 1, 2, 4, 8, 15, 15, 15]


def test_jitter_spreads_a_delay_over_twice_its_shortest():
    backoff = Backoff(SHORTEST, LONGEST, randomly=lambda: 0.5)
    assert delays(backoff, 3) == [0.75, 1.5, 3]


@given(st.floats(0, ALMOST_ONE), st.integers(1, 2000))
def test_every_delay_is_within_its_bounds(jitter, attempts):
    backoff = Backoff(SHORTEST, LONGEST, randomly=lambda: jitter)
    assert all(SHORTEST <= delay <= LONGEST for delay in delays(backoff, attempts))


def test_reset_begins_again():
    backoff = Backoff(SHORTEST, LONGEST, randomly=lambda: 0)
    delays(backoff, 4)
    backoff.reset()
    assert delays(backoff, 2) == [0.5, 1]


def test_two_clients_do_not_come_back_together():
    assert delays(Backoff(), 5) != delays(Backoff(), 5)
