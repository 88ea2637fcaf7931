"""Eight processes commit in random order: whoever resumes by a number skips nobody."""

import pytest

from tests.e2e.faults.ledger import errors_in, expected_by
from tests.e2e.faults.trial import trial
from tests.e2e.faults.verdict import CLEAN, judge

pytestmark = pytest.mark.asyncio(loop_scope="package")

WRITERS = 8
EACH = 15
# Much longer than what a transaction takes by itself: the order of the commits is another
# than that in which they began.
PAUSE_SECONDS = 0.02
ORDINALS = range(5_000_000, 5_000_000 + WRITERS * EACH)


async def write_and_follow(staff, source, after, **options):
    """Return the ordinals that a reader of `source` gets while eight processes write."""
    _, reader, foreman, *_ = staff
    await reader.order("read_on", source=source, after=after)
    await reader.answer("following")
    how = {"processes": WRITERS, "each": EACH, "first": ORDINALS[0], "pause": PAUSE_SECONDS}
    await foreman.order("concurrently", **how, **options)
    while "ended" not in (answer := await foreman.next_answer()):
        pass
    assert answer["ended"] == [0] * WRITERS
    await staff[0].entries()  # once all have their numbers
    await reader.order("stop")
    return await reader.answer("received")


async def test_nobody_who_resumes_skips_one(pair, pair_staff):
    async with trial(pair, pair_staff, 2, patience=60, rate=0, pace=0) as running:
        await running.watch(3, category=None, is_slow=False, cut_every=5)
        received = await write_and_follow(pair_staff, "log", running.start)
        assert await running.everyone_has_everything() is not None
        rows = [row for row in await running.observer.rows() if row.ordinal in ORDINALS]
    committed = [entry.ordinal for entry in running.entries if entry.ordinal is not None]
    assert sorted(committed) == list(ORDINALS)
    assert committed != sorted(committed), "they committed in turn, which shows nothing"
    assert errors_in(running.entries, rows, committed) == []
    assert judge(committed, received) == CLEAN
    for watcher in running.watchers:
        expected = expected_by(running.entries, watcher.category)
        assert judge(expected, watcher.received) == CLEAN
    assert running.watchers[-1].endings["1006"] >= len(committed) // 5 - 1


async def test_a_log_numbered_by_a_sequence_is_caught(pair, pair_staff):
    """The same reader and the same verdict, on numbers that are given before the commit."""
    await pair_staff[0].order("create_plain")
    await pair_staff[0].answer("created")
    received = await write_and_follow(pair_staff, "plain", 0, plain=True)
    verdict = judge(ORDINALS, received)
    assert verdict.lost, "no event was skipped: the test above would not see it either"
    assert not verdict.duplicated
