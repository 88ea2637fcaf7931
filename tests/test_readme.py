"""The snippets that users copy are parts of programs that the tests run."""

import pytest

from tests.shown_snippets import ROOT, marked_part, shown, snippets


def test_every_snippet_is_what_the_tests_run():
    for path, code in shown().items():
        assert code == marked_part(ROOT / path), f"what is shown differs from {path}"


def test_the_clients_that_the_tests_run_are_shown():
    names = ("apollo", "graphql-ws", "legacy/apollo", "legacy/subscriptions-transport-ws")
    assert {f"example_client/javascript/{name}.mjs" for name in names} <= shown().keys()


def test_a_mark_without_its_block_is_noticed():
    block = "<!-- snippet: a.mjs -->\n\n```js\nrun();\n```\n"
    assert snippets(block) == [("a.mjs", "run();")]
    with pytest.raises(AssertionError, match="2 marks, but 1"):
        snippets(block + "<!-- snippet: b.mjs -->\nprose")


@pytest.mark.parametrize("mark", ["// ", "# "])
def test_the_marked_part_of_a_file(tmp_path, mark):
    file = tmp_path / "program"
    file.write_text(f"before\n{mark}snippet\n  run(\n    1)\n{mark}end of snippet\nafter\n")
    assert marked_part(file) == "run(\n  1)"
    file.write_text("no marks")
    with pytest.raises(AssertionError, match="has not one marked part"):
        marked_part(file)
