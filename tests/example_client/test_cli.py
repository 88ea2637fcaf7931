import getpass
import io
import warnings

import pytest

from example_client import cli, output
from example_client.errors import ExitCode, OutputLost, Usage
from example_client.output import Output


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for variable in ("WARDCAST_URL", "WARDCAST_USER", "WARDCAST_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def prompt(monkeypatch):
    """Return a function that decides what happens where the password is asked for."""

    def set_answer(answer):
        monkeypatch.setattr(getpass, "getpass", answer)

    return set_answer


def raising(error):
    def ask(text):
        raise error

    return ask


def test_the_password_is_asked_for(prompt):
    prompt(lambda text: f"<{text}>")
    assert cli.password_of("ann") == "<Password of ann: >"


def test_the_environments_password_is_not_asked_for(prompt, monkeypatch):
    prompt(raising(AssertionError("asked")))
    monkeypatch.setenv("WARDCAST_PASSWORD", "")
    assert cli.password_of("ann") == ""


def test_nobody_has_no_password(prompt):
    prompt(raising(AssertionError("asked")))
    assert cli.password_of(None) == ""


def test_a_prompt_that_would_show_what_is_typed_is_refused(prompt):
    prompt(lambda text: warnings.warn("echo", getpass.GetPassWarning, stacklevel=2))
    with pytest.raises(Usage, match="WARDCAST_PASSWORD"):
        cli.password_of("ann")


def test_no_password_is_wrong_usage(prompt, capsys):
    prompt(raising(EOFError()))
    assert cli.main(["--user", "ann", "patients"]) == ExitCode.USAGE
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.startswith("error: no password")


def test_ctrl_c_at_the_prompt_is_quiet(prompt, capsys):
    prompt(raising(KeyboardInterrupt()))
    assert cli.main(["--user", "ann", "patients"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_full_disk_is_an_error_that_is_told(capsys):
    with open("/dev/full", "w") as full:
        broken = Output(as_json=True, stdout=full)
        with pytest.raises(OutputLost) as lost:
            broken.patient({})
    assert cli.report(lost.value, Output(as_json=True)) == ExitCode.OUTPUT_LOST
    message = "error: cannot write the output: No space left on device\n"
    assert capsys.readouterr() == ("", message)


def test_a_terminal_that_lacks_a_character_gets_an_escape(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(output.sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.use_any_character(as_json=False)
    Output(as_json=False)._result("Zoë")
    assert raw.getvalue() == b"Zo\\xeb\n"


def test_json_is_utf_8_whatever_the_terminal_is(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(output.sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    output.use_any_character(as_json=True)
    Output(as_json=True).patient({"name": "Zoë \ud800"})
    assert raw.getvalue() == '{"name": "Zoë \\ud800"}\n'.encode()
