"""The faults: each makes one thing fail in the midst of a trial, and returns when that is over."""

import asyncio
import random
import signal

from tests.e2e.faults.trial import Fault, Trial

# Of the clients, the part that is cut at once; and how often.
CUT = 3
CUTS = 5


async def nothing(trial: Trial) -> None:
    """no fault, to compare with"""


async def server_killed(trial: Trial) -> None:
    """kill -9 of a server; it is started again"""
    victim = trial.installation.servers[-1]
    victim.kill()
    if len(trial.installation.servers) > 1:
        await trial.last_for(2)
    await trial.installation.start(victim)


async def server_restarted(trial: Trial) -> None:
    """a server stopped in an orderly way, and started again"""
    victim = trial.installation.servers[0]
    await asyncio.to_thread(victim.stop)
    await trial.installation.start(victim)


async def server_paused(trial: Trial) -> None:
    """SIGSTOP of a server for 10 s"""
    victim = trial.installation.servers[0]
    victim.pause()
    try:
        await trial.last_for(10)
    finally:
        victim.resume()


async def redis_restarted(trial: Trial) -> None:
    """restart of Redis"""
    await asyncio.to_thread(trial.installation.redis.restart)


async def redis_away(trial: Trial) -> None:
    """Redis stopped for 20 s"""
    redis = trial.installation.redis
    await asyncio.to_thread(redis.stop)
    try:
        await trial.last_for(20)
        # Events arrive by the log meanwhile, not when it is back.
        if await trial.everyone_has_everything() is None:
            trial.shortcomings.append("not all arrived while Redis was away")
    finally:
        await asyncio.to_thread(redis.start)


async def redis_paused(trial: Trial) -> None:
    """SIGSTOP of Redis for 10 s"""
    redis = trial.installation.redis
    redis.pause()
    try:
        await trial.last_for(10)
        if await trial.everyone_has_everything() is None:
            trial.shortcomings.append("not all arrived while Redis was paused")
    finally:
        redis.resume()


async def redis_flushed(trial: Trial) -> None:
    """FLUSHALL"""
    await asyncio.to_thread(trial.installation.redis.flush)


async def postgres_restarted(trial: Trial) -> None:
    """restart of PostgreSQL, -m fast"""
    await asyncio.to_thread(trial.installation.postgres.restart, signal.SIGINT)


async def postgres_crashed(trial: Trial) -> None:
    """restart of PostgreSQL, -m immediate"""
    await asyncio.to_thread(trial.installation.postgres.restart, signal.SIGQUIT)


async def clients_cut(trial: Trial) -> None:
    """a third of the clients cut, five times"""
    for _ in range(CUTS):
        for watcher in random.sample(trial.watchers, len(trial.watchers) // CUT):
            watcher.cut()
        await trial.more_committed(5)


async def clients_stalled(trial: Trial) -> None:
    """a tenth of the clients read nothing for 10 s"""
    slow = [watcher for watcher in trial.watchers if watcher.is_slow]
    for watcher in slow:
        watcher.stall()
    try:
        await trial.last_for(10)
    finally:
        for watcher in slow:
            watcher.go_on()


async def writer_killed(trial: Trial) -> None:
    """kill -9 of a writer before its commit"""
    await trial.spare.order("hold", ordinal=trial.next_ordinal())
    await trial.spare.answer("holding")
    await trial.spare.kill()


async def writer_killed_late(trial: Trial) -> None:
    """kill -9 of a writer right after its commit"""
    # With no event after it, nothing tells anybody that there is one.
    await trial.written()
    await trial.spare.order("die", ordinal=trial.next_ordinal())
    await trial.spare.wait_for_end()


async def numberer_killed(trial: Trial) -> None:
    """kill -9 of who gives a number, before its commit"""
    await _number_and_die(trial, committed=False)


async def numberer_killed_late(trial: Trial) -> None:
    """kill -9 of who gave a number, right after its commit"""
    await _number_and_die(trial, committed=True)


async def _number_and_die(trial: Trial, committed: bool) -> None:
    # With no event after it, nothing tells anybody that there is one.
    await trial.written()
    ordinal = trial.next_ordinal()
    await trial.spare.order("number_and_die", ordinal=ordinal, committed=committed)
    await trial.spare.wait_for_end()


async def writer_stopped(trial: Trial) -> None:
    """SIGSTOP of a writer in its transaction for 10 s"""
    await trial.spare.order("hold", ordinal=trial.next_ordinal())
    await trial.spare.answer("holding")
    trial.spare.pause()
    try:
        await trial.last_for(10)
        # Neither the others' commits nor their events wait for it.
        if await trial.everyone_has_everything() is None:
            trial.shortcomings.append("not all arrived while a writer was stopped")
    finally:
        await trial.spare.kill()


async def writers_at_once(trial: Trial) -> None:
    """32 more writers at once"""
    each = 10
    ordinals = [trial.next_ordinal() for _ in range(32 * each)]
    await trial.spare.order(
        "concurrently", processes=32, each=each, first=ordinals[0], pause=0.02 * trial.pace
    )
    while "ended" not in (answer := await trial.spare.next_answer()):
        if "committed" in answer:
            first, last = answer["committed"]
            await trial.note(range(first, last + 1), answer["at"])
    assert not any(answer["ended"])


EMBEDDED: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        *(nothing, server_killed, server_restarted, server_paused),
        *(clients_cut, clients_stalled, writer_killed, writer_killed_late),
    )
}
"""The faults of any installation."""

SERVICES: dict[str, Fault] = EMBEDDED | {
    fault.__name__: fault
    for fault in (
        *(redis_restarted, redis_away, redis_paused, redis_flushed),
        *(postgres_restarted, postgres_crashed),
        *(numberer_killed, numberer_killed_late, writer_stopped, writers_at_once),
    )
}
"""The faults of an installation with PostgreSQL and Redis."""
