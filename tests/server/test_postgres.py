"""PostgreSQL bounds what our connections may wait for; a server's statements as well."""

import pytest

from server import postgres

POSTGRES = "django.db.backends.postgresql"


def test_options_come_before_those_of_the_address():
    database = {"ENGINE": POSTGRES, "OPTIONS": {"options": "-c lock_timeout=1s"}}
    postgres.with_options(database, "-c lock_timeout=10s")
    # PostgreSQL takes the last.
    assert database["OPTIONS"]["options"] == "-c lock_timeout=10s -c lock_timeout=1s"


def test_a_servers_statements_have_a_bound():
    database = {"ENGINE": POSTGRES}
    postgres.with_options(database, postgres.OPTIONS)
    postgres.bound_statements(database, 2.5)
    assert database["OPTIONS"]["options"] == f"-c statement_timeout=2500 {postgres.OPTIONS}"


@pytest.mark.parametrize(
    ("engine", "options"), [("django.db.backends.sqlite3", "-c jit=off"), (POSTGRES, "")]
)
def test_another_database_or_an_empty_setting_has_none(engine, options):
    database = {"ENGINE": engine}
    postgres.with_options(database, options)
    postgres.bound_statements(database, 30)
    assert "OPTIONS" not in database
