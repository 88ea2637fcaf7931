"""A subscription in a hub, as the engine's tests use it, and what the engine's gauges show."""

from live.fanout.member import Member
from tests.live.engine import Client


class Place:
    """A client, and its subscription in a hub; an end by the server takes it out.

    Args:
        since: the number of the last event that it has had; None is the hub's last.
        takes: notifications that its client has room for; None is any number.
        groups: their names, with spaces between.
        durable: whether its events come from the log, or past it.
    """

    def __init__(
        self, hub, run, since=None, takes=None, key="key", groups="g", limit=None, durable=True
    ):
        self.hub, self.run, self.key = hub, run, key
        self.client = Client() if takes is None else Client(takes)
        self.client.on_end = self.leave
        source = hub.source(durable)
        since = source.position if since is None else since
        self.member = Member(self.client, frozenset(groups.split()), source, since, limit)
        hub.join(self.member, key, run)

    @property
    def got(self):
        """The payloads of its notifications."""
        return self.client.got

    @property
    def is_live(self):
        """Whether it hears of events as they come, and does not read them."""
        return self.member.cohort is not None and self.member in self.member.cohort.live

    def suspend(self):
        """Have it wait, as while its rights are looked at."""
        self.hub.suspend(self.member)

    def readmit(self, key=None, run=None):
        """Have it go on."""
        self.hub.readmit(self.member, key or self.key, run or self.run)

    def leave(self):
        """Take it out."""
        self.hub.part(self.member)


def value(metric):
    """Return what a gauge or counter shows."""
    return metric._value.get()
