"""No files of a package import each other in a circle."""

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.imports import import_graph


def assert_no_circle(graph):
    """Fail with the files of a circle, each of which imports or is imported by the next."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' - '.join(error.args[1])}")


@pytest.mark.parametrize("package", ["live", "patients", "careteam", "server", "example_client"])
def test_no_files_import_each_other(package):
    graph = import_graph(package)
    assert any(graph.values())
    assert_no_circle(graph)


@pytest.mark.parametrize(
    "back",
    [
        "from ward import bed\n",
        "import ward.bed\n",
        "from ward.bed import Bed\n",
        "if TYPE_CHECKING:\n    from ward.bed import Bed\n",
        "def late():\n    from ward.bed import Bed\n",
    ],
)
def test_a_circle_is_found(tmp_path, back):
    ward = tmp_path / "ward"
    ward.mkdir()
    (ward / "bed.py").write_text("from ward import room\n")
    (ward / "room.py").write_text(back)
    with pytest.raises(pytest.fail.Exception, match="a circle"):
        assert_no_circle(import_graph("ward", tmp_path))
