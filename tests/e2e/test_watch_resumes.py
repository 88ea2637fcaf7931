"""A `watch` prints every event once, whoever is killed meanwhile: the server or itself."""

import json
import signal
import time

import pytest

from tests.e2e.command_line import SECONDS, run, watches
from tests.e2e.registry import registry

KINDS = ("NEW", "UPDATED")
# In words, in the order of the alphabet; which of the two the server refuses first is chance.
TOLD_OF = ["changes of patients", "new patients"]


@pytest.fixture
def watch(server):
    with watches(server) as start:
        yield start


@pytest.fixture(scope="module")
def clerk(server):
    with registry(server) as running:
        running.finish()
        yield running


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state.json"


def patients(code, *names):
    return [f"{code} {name}" for name in names]


def numbered(prefix, count):
    return [f"{prefix} {number:03}" for number in range(count)]


def read(watching, last, found=None):
    """Return the names in the lines up to both of those about the patient `last`, by kind."""
    found = found or {kind: [] for kind in KINDS}
    while not all(last in names for names in found.values()):
        add(found, json.loads(watching.event()))
    return found


def both(names):
    """Return what `read` has where all of them were told of in this order."""
    return dict.fromkeys(KINDS, names)


def add(found, event):
    found[event["kind"]].append(event["patient"]["name"])


def kill(server):
    server.process.kill()
    server.process.wait()


# ---- the server ends


def test_nothing_is_missed_nor_repeated_while_the_server_is_killed_again_and_again(
    server, clerk, watch
):
    watching = watch("--json", "--category", "I")
    names = numbered("survivor", 90)
    found = {kind: [] for kind in KINDS}
    for start in range(0, 90, 30):
        clerk.begin(*patients("I", *names[start : start + 15]))
        for _ in range(7):
            add(found, json.loads(watching.event()))
        kill(server)
        clerk.begin(*patients("I", *names[start + 15 : start + 30]))
        watching.status("trying again in")
        server.start()
        watching.status("connected again")
    read(watching, names[-1], found)
    assert found == both(names)


def test_what_happens_before_the_first_event_arrives_is_not_missed(server, clerk, watch):
    watching = watch("--json", "--category", "II")
    kill(server)
    clerk.register(*patients("II", "Ada", "Bo"))
    server.start()
    assert read(watching, "Bo") == both(["Ada", "Bo"])
    assert watching.status("connected again").endswith("from where it stopped")


# ---- the watch ends


def kept(state, event):
    """Return when the state file says that `event` was printed."""
    deadline = time.monotonic() + SECONDS
    while event["cursor"] not in state.read_text():
        assert time.monotonic() < deadline, f"the event was not remembered: {state.read_text()}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_a_watch_goes_on_where_it_was_ended(server, clerk, watch, state, how, code):
    arguments = ("--json", "--category", "III", "--state", str(state))
    first = watch(*arguments)
    clerk.register(*patients("III", "Ann", "Bea"))
    events = [json.loads(first.event()) for _ in range(4)]
    kept(state, events[-1])
    assert first.end(how) == (code, [], [])

    clerk.register(*patients("III", "Cy", "Di"))
    second = watch(*arguments)
    clerk.register(*patients("III", "Eve"))
    assert read(second, "Eve") == both(["Cy", "Di", "Eve"])


def test_one_that_was_killed_before_its_first_event_misses_nothing(server, clerk, watch, state):
    arguments = ("--json", "--category", "IV", "--state", str(state))
    watch(*arguments).end(signal.SIGKILL)
    clerk.register(*patients("IV", "Ann"))
    assert read(watch(*arguments), "Ann") == both(["Ann"])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_in_the_midst_of_a_burst_it_repeats_nothing(server, clerk, watch, state, how):
    printed = ended_again_and_again(clerk, watch, state, how, f"burst {how}")
    names = numbered(f"burst {how}", 120)
    found = {kind: [] for kind in KINDS}
    for event in printed:
        add(found, event)
    assert found == both(names)


def test_killed_in_the_midst_of_a_burst_it_repeats_one_line_at_the_most(
    server, clerk, watch, state
):
    """The line that it had printed, and could not note down: its cursor is the one before."""
    printed = ended_again_and_again(clerk, watch, state, signal.SIGKILL, "killed")
    found = {kind: [] for kind in KINDS}
    last = dict.fromkeys(KINDS)
    repeated = 0
    for event in printed:
        # The two subscriptions come back apart, so the other one's lines may stand in between.
        if event["cursor"] == last[event["kind"]]:
            repeated += 1
        else:
            add(found, event)
        last[event["kind"]] = event["cursor"]
    assert found == both(numbered("killed", 120))
    assert repeated <= 3


def ended_again_and_again(clerk, watch, state, how, prefix):
    """Return what a watch prints that is ended three times, each in the midst of a burst."""
    arguments = ("--json", "--category", "V", "--state", str(state))
    names = numbered(prefix, 120)
    watching = watch(*arguments)
    printed = []
    for start in (0, 40, 80):
        clerk.begin(*patients("V", *names[start : start + 40]))
        printed += [json.loads(watching.event()) for _ in range(5)]
        _, rest, _ = watching.end(how)
        printed += map(json.loads, rest)
        watching = watch(*arguments)
    while about(names[-1], printed) != {*KINDS}:
        printed.append(json.loads(watching.event()))
    return printed


def about(name, printed):
    """Return the kinds of the events about the patient called `name`."""
    return {event["kind"] for event in printed if event["patient"]["name"] == name}


# ---- where it cannot go on


@pytest.fixture
def pruned(server, clerk, watch, state):
    """The arguments of a watch with a place that the server's log no longer reaches."""
    arguments = ("--json", "--category", "VI", "--state", str(state))
    watch(*arguments).end()
    clerk.register(*patients("VI", "Gone"))
    server.manage("prune_events", "--older-than", "0m")
    return arguments


def test_where_events_are_gone_it_says_so_and_goes_on_from_now(clerk, watch, pruned):
    watching = watch(*pruned, until="watching category VI")
    *lost, _ = watching.said
    assert sorted(line.split(" may be missing here: ")[0] for line in lost) == TOLD_OF
    for line in lost:
        assert line.endswith("(CURSOR_EXPIRED); going on from now, `patients` lists who is there")
    clerk.register(*patients("VI", "Eve"))
    assert read(watching, "Eve") == both(["Eve"])
    watching.end()
    watch(*pruned, until="from where it stopped")


def test_a_strict_watch_ends_there_and_does_so_again(server, pruned):
    for _ in range(2):
        done = run(server, "watch", *pruned, "--strict", user="nurse")
        assert (done.returncode, done.stdout) == (6, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(tuple(f"error: {what} may be missing here" for what in TOLD_OF))
        assert line.endswith("(CURSOR_EXPIRED)")


# ---- what is none of its state


def test_a_state_file_is_of_one_category_and_server(server, watch, state):
    watch("--category", "VII", "--state", str(state)).end()
    before = state.read_text()
    of = f"of category VII at ws://{server.host}/graphql/, not of"
    for arguments, other in (
        ([], f"all categories at ws://{server.host}/graphql/"),
        (
            ["--category", "VII", "--url", "ws://127.0.0.1:1/graphql/"],
            "category VII at ws://127.0.0.1:1/graphql/",
        ),
    ):
        done = run(server, "watch", "--state", str(state), *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: the state file {state} is {of} {other}: name another\n"
    assert state.read_text() == before


def test_two_watches_do_not_share_a_state_file(server, watch, state):
    watch("--state", str(state))
    done = run(server, "watch", "--state", str(state))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: the state file {state} is in use by another watch\n"


def test_a_refused_watch_leaves_no_state(server, state):
    done = run(server, "watch", "--category", "XC", "--state", str(state))
    assert done.returncode == 1
    assert not state.exists()
