"""A cache keeps within both of its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from live.concurrency.bounded_cache import BoundedCache


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12))))
def test_the_newest_within_the_bounds_are_kept(steps):
    cache, kept = BoundedCache(), {}
    for key, weight in steps:
        cache.keep(key, (key, weight), weight, most=3, most_weight=10)
        kept.pop(key, None)
        kept[key] = weight
        while kept and (len(kept) > 3 or sum(kept.values()) > 10):
            del kept[next(iter(kept))]
        assert len(cache) == len(kept)
        assert [cache[key] for key in kept] == list(kept.items())
    for key in list(kept):
        assert cache.pop(key) == (key, kept.pop(key))
        assert key not in cache
    assert (len(cache), cache._weight, cache.pop("none")) == (0, 0, None)
