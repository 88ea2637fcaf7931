"""The snippets in the pages that users read, by the programs that they are parts of."""

import re
import textwrap
from pathlib import Path

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
