"""What the server keeps is for its own user."""

import sqlite3
import stat
from contextlib import closing

from server.private_files import make_private, touch_private
from server.secrets import demo_secret_key


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_closed_to_others(tmp_path):
    made, found = tmp_path / "made" / "deep", tmp_path / "found"
    found.mkdir(mode=0o755)
    for folder in (made, found):
        make_private(folder)
        make_private(folder)
        assert rights(folder) == 0o700


def test_a_database_and_what_sqlite_puts_beside_it_are_read_by_nobody_else(tmp_path):
    file = tmp_path / "new" / "db.sqlite3"
    touch_private(file)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE patients (name)")
        found = list(file.parent.iterdir())
        assert len(found) == 3
        assert {rights(path) for path in found} == {0o600}


def test_a_database_that_is_there_stays_as_it_is(tmp_path):
    file = tmp_path / "db.sqlite3"
    file.write_bytes(b"data")
    file.chmod(0o640)
    touch_private(file)
    assert (file.read_bytes(), rights(file)) == (b"data", 0o640)


def test_the_demos_key_is_kept_in_a_closed_folder(tmp_path):
    folder = tmp_path / "var"
    assert demo_secret_key(folder) == demo_secret_key(folder)
    assert rights(folder) == 0o700
