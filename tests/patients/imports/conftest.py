"""Who imports, and from where."""

import pytest

from tests.conftest import make_user
from tests.patients.imports.calls import export


@pytest.fixture
def registrar(db):
    """Staff who may import."""
    return make_user("registrar", "add_patient", "change_patient", is_staff=True)


@pytest.fixture
def root(tmp_path, settings):
    """The import root, with an export of three patients in `march`."""
    settings.IMPORT_ROOT = str(tmp_path / "imports")
    (tmp_path / "imports").mkdir()
    export(tmp_path / "imports" / "march")
    return tmp_path / "imports"
