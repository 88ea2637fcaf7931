"""`manage.py issue_token`: the secret on stdout, everything else on stderr."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from live.identity.tokens import find_token
from live.models import AccessToken


def issue(*arguments):
    """Run the command; return what it wrote on stdout and on stderr."""
    stdout, stderr = StringIO(), StringIO()
    call_command("issue_token", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


def test_stdout_is_the_secret_alone(nurse):
    stdout, stderr = issue("nurse", "--label", "ward board")
    secret = stdout.removesuffix("\n")
    token = find_token(secret)
    assert token.user == nurse
    assert token.label == "ward board"
    assert token.expires_at is None
    assert "nurse; expires: never" in stderr
    assert secret not in stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", timedelta(minutes=30)),
        ("8h", timedelta(hours=8)),
        ("7d", timedelta(days=7)),
    ],
)
def test_durations(nurse, text, expected):
    before = timezone.now()
    _, stderr = issue("nurse", "--expires", text)
    expires_at = AccessToken.objects.get().expires_at
    assert before + expected <= expires_at <= timezone.now() + expected
    assert f"{expires_at:%Y-%m-%d %H:%M} UTC" in stderr


@pytest.mark.parametrize("text", ["", "8", "h", "0h", "-8h", "8 h", "8w", "1.5h", "9999999d", "٣h"])
def test_a_bad_duration_is_named(nurse, text):
    with pytest.raises(CommandError, match=r"--expires .* is not a time") as caught:
        issue("nurse", f"--expires={text}")
    assert repr(text) in str(caught.value)
    assert not AccessToken.objects.exists()


def test_an_unknown_user_is_named(db):
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        issue("nobody")


def test_an_inactive_user_is_named(nurse):
    nurse.is_active = False
    nurse.save()
    with pytest.raises(CommandError, match="'nurse' is inactive"):
        issue("nurse")
    assert not AccessToken.objects.exists()


def test_a_label_that_does_not_fit_is_refused(nurse):
    with pytest.raises(CommandError, match="at most 100 characters"):
        issue("nurse", "--label", "x" * 101)
