"""A token bucket lets a burst through, and then its rate."""

from live.concurrency.token_bucket import TokenBucket


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_bucket_gives_its_burst_and_then_its_rate():
    clock = Clock()
    bucket = TokenBucket(rate=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 0.25
    assert not bucket.take()
    clock.now += 0.25
    assert bucket.take()


def test_a_bucket_never_holds_more_than_its_burst():
    clock = Clock()
    bucket = TokenBucket(rate=10, burst=2, clock=clock)
    clock.now += 3600
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_what_is_refused_costs_no_token():
    clock = Clock()
    bucket = TokenBucket(rate=1, burst=1, clock=clock)
    assert bucket.take()
    for _ in range(10):
        clock.now += 0.125
        if bucket.take():
            break
    assert clock.now == 101.0
