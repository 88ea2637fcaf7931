"""Cohorts of clients that remember, as the tests give events to them."""

import asyncio

from live.concurrency.scheduler import Scheduler
from live.fanout.cohort import Cohort
from live.fanout.event_buffer import EventBuffer
from live.fanout.member import Member
from tests.live.engine import Client, make_event

SECRET = "Ada Lovelace"


class Behind:
    """Keeps those who fell behind where they are; a test looks at them, or lets them read."""

    def __init__(self):
        self.members = []

    def __call__(self, member, cohort):
        cohort.send_back(member, asyncio.get_running_loop().create_future())
        self.members.append(member)

    @property
    def since(self):
        return [member.since for member in self.members]


def make(run, **options):
    """Return a cohort of nobody yet."""
    return Cohort("key", run, EventBuffer(), Behind(), Scheduler(), **options)


def add(cohort, count=1, since=0, takes=None):
    """Add members to `cohort`; return their clients."""
    clients = [Client() if takes is None else Client(takes) for _ in range(count)]
    for client in clients:
        member = Member(client, frozenset({"g"}), cohort.source, since)
        client.on_end = lambda member=member: cohort.remove(member)
        cohort.add(member)
    return clients


def give(cohort, *numbers, ends=False):
    """Have the cohort take events, as the hub does."""
    for number in numbers:
        cohort.take(make_event(number, ends=ends))
        cohort.source.position = number


def member_of(cohort, client):
    return next(member for member in cohort.live if member.receiver is client)
