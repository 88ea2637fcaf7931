from datetime import UTC, date, datetime

import pytest

from example_client.arguments import DEFAULT_URL, make_parser
from example_client.errors import ExitCode


def parse(*argv, **environment):
    return make_parser(environment).parse_args(argv)


def refusal(capsys, *argv, **environment):
    """Return the line that refuses the arguments."""
    with pytest.raises(SystemExit) as exit_:
        parse(*argv, **environment)
    assert exit_.value.code == ExitCode.USAGE
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    return stderr.splitlines()[-1]


def test_without_anything_it_is_the_local_server_and_nobody():
    arguments = parse("watch")
    assert (arguments.url, arguments.user, arguments.json) == (DEFAULT_URL, None, False)


def test_the_environment_gives_the_defaults():
    arguments = parse("watch", WARDCAST_URL="wss://ward.example/graphql/", WARDCAST_USER="ann")
    assert (arguments.url, arguments.user) == ("wss://ward.example/graphql/", "ann")


def test_options_overrule_the_environment():
    arguments = parse("--user", "bob", "watch", WARDCAST_USER="ann")
    assert arguments.user == "bob"


@pytest.mark.parametrize("first", [True, False])
def test_global_options_stand_before_or_after_the_command(first):
    options = ["--url", "ws://a/", "--user", "ann", "--json"]
    arguments = parse(*options, "watch") if first else parse("watch", *options)
    assert (arguments.url, arguments.user, arguments.json) == ("ws://a/", "ann", True)


@pytest.mark.parametrize("scheme", ["http", "https", "ws", "wss"])
def test_four_schemes_are_known(scheme):
    assert parse("--url", f"{scheme}://h:1/g", "watch").url == f"{scheme}://h:1/g"


@pytest.mark.parametrize("url", ["", "h:1", "ftp://h/", "http://", "http://h:99999/", "http://[/"])
def test_another_address_is_refused(capsys, url):
    assert "--url: not an address" in refusal(capsys, "--url", url, "watch")


def test_an_address_in_the_environment_is_checked_too(capsys):
    assert "--url: not an address" in refusal(capsys, "watch", WARDCAST_URL="nonsense")


def test_a_password_in_the_address_is_refused_and_not_repeated(capsys):
    line = refusal(capsys, "--url", "http://ann:s3cret@h/", "watch")
    assert "no user or password in an address" in line
    assert "s3cret" not in line


def test_there_is_no_option_for_the_password(capsys):
    assert "unrecognized" in refusal(capsys, "watch", "--password", "x")


def test_an_empty_user_is_refused_rather_than_anonymous(capsys):
    assert "--user: empty" in refusal(capsys, "--user", "", "watch")


@pytest.mark.parametrize("text", ["31.5.1984", "1984-02-30", "yesterday"])
def test_a_birth_date_is_iso(capsys, text):
    line = refusal(capsys, "create", "--name", "A", "--category", "I", "--birth-date", text)
    assert line.endswith("--birth-date: not a date such as 1984-05-31")


def test_a_patients_fields():
    arguments = parse(
        *("create", "--name", "A", "--category", "I", "--birth-date", "1984-05-31"),
        *("--sex", "other", "--reason", "r", "--external-id", "e"),
    )
    assert arguments.birth_date == date(1984, 5, 31)
    assert (arguments.sex, arguments.reason, arguments.external_id) == ("other", "r", "e")


def test_a_time_keeps_its_offset():
    at = parse("discharge", "x", "--at", "2026-05-31T14:30:00+02:00").at
    assert at == datetime(2026, 5, 31, 12, 30, tzinfo=UTC)


def test_a_time_without_an_offset_is_local():
    at = parse("discharge", "x", "--at", "2026-05-31T14:30").at
    assert at == datetime(2026, 5, 31, 14, 30).astimezone()
    assert at.tzinfo is not None


@pytest.mark.parametrize("text", ["noon", "2026-13-01", "0001-01-01T00:00-99:00"])
def test_another_time_is_refused(capsys, text):
    assert "--at: not a time" in refusal(capsys, "discharge", "x", "--at", text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_a_count_is_a_whole_number_from_one_up(capsys, text):
    assert "--first: not a whole number" in refusal(capsys, "patients", f"--first={text}")


def test_help_tells_exit_codes_and_environment(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    for code in ExitCode:
        assert f"\n  {code.value} " in text
    for variable in ("WARDCAST_URL", "WARDCAST_USER", "WARDCAST_PASSWORD"):
        assert f"\n  {variable} " in text


def test_an_import_is_of_a_directory_there_unless_it_is_uploaded():
    arguments = parse("import", "march")
    assert (arguments.directory, arguments.upload, arguments.chapters) == ("march", False, None)
    assert parse("import", "--upload", "--skip-bad", "march").skip_bad
