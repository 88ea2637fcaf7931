"""The snippets that users copy are parts of programs that the tests run."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs/clients.md")

MARKED = re.compile(r"<!-- snippet: (?P<path>\S+) -->\s*\n```\w*\n(?P<code>.*?)^```", re.M | re.S)
MARK = re.compile(r"<!--\s*snippet\b")
BEGINNING, END = "snippet", "end of snippet"


def comment(line: str) -> str:
    """Return what a line says that is a comment in Python or JavaScript, else nothing."""
    found = re.fullmatch(r"\s*(?:#|//) ?(.*?)\s*", line)
    return found[1] if found else ""


def marked_part(path: Path) -> str:
    """Return the lines of a file between the comments `snippet` and `end of snippet`."""
    if path.suffix == ".mjs":  # a program that users run: all of it is shown
        return path.read_text().strip()
    lines = path.read_text().splitlines()
    marks = [comment(line) for line in lines]
    assert marks.count(BEGINNING) == marks.count(END) == 1, f"{path} has not one marked part"
    part = lines[marks.index(BEGINNING) + 1 : marks.index(END)]
    return textwrap.dedent("\n".join(part)).strip()


def snippets(markdown: str) -> list[tuple[str, str]]:
    """Return path and code of each marked block; a mark without a block is an error."""
    found = [(match["path"], match["code"].strip()) for match in MARKED.finditer(markdown)]
    marks = len(MARK.findall(markdown))
    assert marks == len(found), f"{marks} marks, but {len(found)} of them before a code block"
    return found


def shown() -> dict[str, str]:
    """Return the code of every snippet, by the path of the program that it is a part of."""
    return {path: code for page in PAGES for path, code in snippets(page.read_text())}


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
