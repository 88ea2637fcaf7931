"""What the log does not hold."""

import logging
import logging.config
import sys

import pytest

from server.logs import FramesOnly, WithoutQueryString


def record(message="%(path)s", args=None, exc_info=None):
    return logging.LogRecord("x", logging.ERROR, "x.py", 1, message, args and (args,), exc_info)


def test_an_exceptions_text_is_not_written():
    try:
        raise ValueError("Ada Lovelace")
    except ValueError:
        written = FramesOnly("{message}", style="{").format(record("failed", None, sys.exc_info()))
    assert "Ada" not in written
    assert written.endswith("ValueError")
    assert "test_an_exceptions_text_is_not_written" in written


def test_a_query_string_is_cut():
    line = record(args={"path": "/graphql/?query=Ada", "status": 200})
    assert WithoutQueryString().filter(line)
    assert line.getMessage() == "/graphql/"


@pytest.mark.parametrize("args", [None, {"status": 200}])
def test_lines_without_an_address_are_left_alone(args):
    line = record("hello", args)
    assert WithoutQueryString().filter(line)
    assert line.getMessage() == "hello"


def test_the_settings_write_no_exceptions_text(settings, capsys):
    logging.config.dictConfig(settings.LOGGING)
    try:
        raise ValueError("Ada Lovelace")
    except ValueError:
        logging.getLogger("django.request").exception("failed")
    written = capsys.readouterr().err
    assert "failed" in written
    assert "Ada" not in written
