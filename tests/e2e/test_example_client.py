"""The command line client as people run it, against a real server."""

import json
import os
import subprocess

import pytest

from tests.e2e.command_line import COMMAND, SECONDS, environment, run, watches
from tests.e2e.servers import ROOT, free_port


@pytest.fixture
def watch(server):
    with watches(server) as start:
        yield start


def register(server, *patients):
    """Save patients in another process, each "CODE NAME"."""
    server.shell(
        "from patients.models import *\n"
        f"for code, name in {[patient.split(' ', 1) for patient in patients]!r}:\n"
        "    category = DiseaseCategory.objects.get(code=code)\n"
        "    Patient.objects.create(name=name, category=category)\n"
    )


def names_stored(server, name):
    """Return how many patients called `name` there are."""
    code = f"from patients.models import *; print(Patient.objects.filter(name={name!r}).count())"
    return int(server.shell(code))


# ---- watch


def test_a_watch_shows_every_patient_in_order(server, watch):
    everyone = watch("--json")
    register(server, "I Ann", "II Bea", "I Cleo", "XXII Dot")
    events = everyone.until("Dot")
    assert [event["patient"]["name"] for event in events] == ["Ann", "Bea", "Cleo", "Dot"]
    assert {event["kind"] for event in events} == {"NEW"}


def test_a_watch_of_a_category_shows_exactly_its_patients(server, watch):
    second, third = watch("--json", "--category", "II"), watch("--json", "--category", "III")
    names = [f"{code} {code}-{number}" for number in range(5) for code in ("II", "I", "III")]
    register(server, *names, "II last", "III last")
    for watching, code in ((second, "II"), (third, "III")):
        found = [event["patient"]["name"] for event in watching.until("last")]
        assert found == [f"{code}-{number}" for number in range(5)] + ["last"]


def test_a_watch_shows_what_becomes_of_a_patient(server, watch):
    watching = watch("--json", "--category", "V")
    server.shell(
        "from patients.models import *\n"
        "one = Patient.objects.create(name='Eve', category=DiseaseCategory.objects.get(code='V'))\n"
        "one.reason = 'grief'; one.save()\n"
        "one.delete()\n"
    )
    events = [json.loads(watching.event()) for _ in range(3)]
    kinds = {event["kind"]: event["patient"] for event in events}
    assert set(kinds) == {"NEW", "UPDATED", "DELETED"}
    assert kinds["UPDATED"]["reason"] == "grief"
    assert kinds["NEW"]["id"] == kinds["DELETED"]["id"]


def test_a_readable_line_has_time_kind_category_name_and_id(server, watch):
    watching = watch("--category", "IX")
    created = json.loads(run(server, "create", *patient("Zoë Ünal", "IX"), "--json").stdout)
    time, *rest = watching.event().split()
    assert rest == ["NEW", "IX", "Zoë", "Ünal", created["id"]]
    assert len(time.split(":")) == 3


def test_ctrl_c_ends_a_watch_quietly(watch):
    assert watch().end() == (130, [], [])


def test_a_watch_ends_quietly_when_its_reader_is_gone(server, watch):
    read_end, write_end = os.pipe()
    watching = watch("--json", "--category", "X", stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    register(server, "X Ann")
    assert watching.process.wait(SECONDS) == 5
    assert [*iter(watching.stderr.get, None)] == []


# ---- patients, create, discharge


def patient(name, category, *more):
    """Return the arguments that describe a patient."""
    return ["--name", name, "--category", category, *more]


def test_create_registers_a_patient_with_everything_given(server):
    details = ["--birth-date", "1984-05-31", "--sex", "female", "--reason", "fever"]
    done = run(server, "--json", "create", *patient("Fay", "IV", *details, "--external-id", "F1"))
    assert (done.returncode, done.stderr) == (0, "")
    created = json.loads(done.stdout)
    assert created["category"] == {"code": "IV", "name": created["category"]["name"]}
    given = {"name": "Fay", "birthDate": "1984-05-31", "sex": "FEMALE", "reason": "fever"}
    assert created.items() >= {**given, "externalId": "F1", "status": "ADMITTED"}.items()
    listed = run(server, "--json", "patients", "--search", "F1")
    assert json.loads(listed.stdout) == created


def test_discharge_takes_a_time(server):
    created = json.loads(run(server, "--json", "create", *patient("Gus", "IV")).stdout)
    at = "2999-01-01T10:00:00+02:00"
    done = run(server, "--json", "discharge", created["id"], "--at", at)
    discharged = json.loads(done.stdout)
    assert discharged["status"] == "DISCHARGED"
    assert discharged["dischargedAt"] == "2999-01-01T08:00:00+00:00"


def test_discharging_twice_is_refused(server):
    created = json.loads(run(server, "--json", "create", *patient("Hal", "IV")).stdout)
    assert run(server, "discharge", created["id"]).returncode == 0
    again = run(server, "discharge", created["id"])
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "The patient is already discharged.\n"


def test_patients_lists_what_matches_and_tells_how_many_there_are(server):
    for name in ("Ida One", "Ida Two", "Ida Three"):
        run(server, "create", *patient(name, "VI"))
    done = run(server, "patients", "--category", "VI", "--status", "admitted", "--first", "2")
    assert done.returncode == 0
    assert [line.split()[-2:] for line in done.stdout.splitlines()] == [
        ["Ida", "Three"],
        ["Ida", "Two"],
    ]
    header, total = done.stderr.splitlines()
    assert header.split() == ["ID", "ADMITTED", "STATUS", "CAT.", "NAME,", "BIRTH,", "REASON"]
    assert total == "2 of 3 patients"


def test_the_categories_are_listed(server):
    listed = run(server, "categories").stdout.splitlines()
    assert len(listed) == 22
    assert listed[8].startswith("IX     Diseases of the circulatory system")


def test_a_category_that_is_none_is_refused_with_the_nearest(server):
    code, lines = refusal(run(server, "patients", "--category", "circulatory"))
    assert code == 1
    assert lines[0].startswith("did you mean IX  Diseases of the circulatory system")
    assert lines[-2:] == [
        "`categories` lists all",
        "error: There is no such disease category. (BAD_INPUT)",
    ]
    code, lines = refusal(run(server, "create", *patient("Kim", "ix")))
    assert code == 1
    assert any(line.startswith("did you mean IX  ") for line in lines)


# ---- refusals


def refusal(done):
    """Return exit code and stderr of a command that printed no result and no traceback."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()


def test_bad_input_is_told_by_field_and_nothing_is_written(server):
    code, lines = refusal(run(server, "create", *patient("Jo", "XC", "--birth-date", "2999-01-01")))
    assert code == 1
    assert set(lines) >= {
        "category: There is no such disease category.",
        "birthDate: The date of birth is in the future.",
    }
    others = [line for line in lines if not line.startswith(("category: ", "birthDate: "))]
    assert all(line.startswith(("did you mean X", "`categories`")) for line in others)
    assert names_stored(server, "Jo") == 0


def test_bad_flags_are_told_before_anything_is_sent(server):
    code, lines = refusal(run(server, "create", *patient("Kim", "I", "--birth-date", "31.5.84")))
    assert code == 2
    assert lines[-1].endswith("--birth-date: not a date such as 1984-05-31")
    assert names_stored(server, "Kim") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["discharge", "nonsense"], "error: The id is not that of a patient. (BAD_INPUT)"),
        (["discharge", "UGF0aWVudDo5OTk5OTk="], "error: There is no such patient. (NOT_FOUND)"),
        (["patients", "--first", "101"], "error: first may be 100 at most. (BAD_INPUT)"),
        (["watch", "--category", "XC"], "error: There is no such disease category. (BAD_INPUT)"),
    ],
)
def test_what_the_server_refuses_is_one_line(server, arguments, message):
    assert refusal(run(server, *arguments)) == (1, [message])


COMMANDS = (["watch"], ["patients"], ["create", *patient("Lea", "I")])


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nobody_is_told_to_log_in(server, arguments):
    done = run(server, *arguments, user=None)
    assert refusal(done) == (4, ["error: Log in first. (UNAUTHENTICATED, give --user)"])
    assert names_stored(server, "Lea") == 0


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_visitor_is_forbidden(server, arguments):
    done = run(server, *arguments, user="visitor")
    message = "error: You do not have permission to do this. (FORBIDDEN)"
    assert refusal(done) == (4, [message])
    assert names_stored(server, "Lea") == 0


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_wrong_password_is_refused_and_not_repeated(server, arguments):
    code, lines = refusal(run(server, *arguments, WARDCAST_PASSWORD="s3cret"))
    assert code == 4
    assert lines == ["error: the log-in was refused: no such user, or a wrong password"]


def test_without_a_terminal_the_password_must_be_in_the_environment(server):
    env = environment(server, "demo")
    del env["WARDCAST_PASSWORD"]
    done = subprocess.run(
        [*COMMAND, "patients"],
        cwd=ROOT,
        env=env,
        input="demo\n",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        start_new_session=True,  # and so without the terminal that the tests may have
        check=False,
    )
    code, lines = refusal(done)
    assert code == 2
    assert lines == ["error: no password: set WARDCAST_PASSWORD, or type it on a terminal"]


@pytest.mark.parametrize("command", ["watch", "patients"])
def test_a_closed_port_cannot_be_reached(server, command):
    url = f"http://127.0.0.1:{free_port()}/graphql/"
    done = run(server, command, "--url", url)
    assert refusal(done) == (3, [f"error: cannot reach {url} (Connection refused)"])


@pytest.mark.parametrize("command", ["watch", "patients"])
def test_another_page_is_no_endpoint(server, command):
    url = f"http://{server.host}/login/"
    code, lines = refusal(run(server, command, "--url", url))
    assert code == 3
    assert lines == [f"error: {url} is no GraphQL WebSocket endpoint (it answers with HTTP 403)"]


def test_the_address_may_be_that_of_a_websocket(server):
    assert run(server, "patients", "--url", server.ws_url).returncode == 0
