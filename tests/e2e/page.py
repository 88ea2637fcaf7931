"""A page that teaches by building something: its marked blocks are carried out as they stand."""

import re
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]+?) -->\n\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    """A block of code: what is to be done with it, to which file, and its text."""

    what: str
    where: str
    code: str


def blocks(page: str) -> list[Block]:
    """Return a page's blocks in their order; one without a mark is an error."""
    found = []
    for match in BLOCK.finditer(page):
        assert match["mark"], f"a block without a mark:\n{match['code']}"
        what, _, where = match["mark"].partition(": ")
        found.append(Block(what, where, match["code"]))
    return found


def write(folder: Path, block: Block) -> None:
    """Make or change a file below `folder` as a block says: file, continued, method, changed."""
    name, _, class_name = block.where.partition(" ")
    path = folder / name
    if block.what == "file":
        assert not path.exists(), f"{name} is there already"
        path.write_text(block.code)
    elif block.what == "continued":
        path.write_text(f"{path.read_text()}\n\n{block.code}")
    elif block.what == "method":
        path.write_text(with_method(path.read_text(), class_name, block.code))
    elif block.what == "changed":
        path.write_text(patched(path.read_text(), block.code))
    else:
        raise AssertionError(f"nobody knows what {block.what!r} is")


def with_method(text: str, class_name: str, method: str) -> str:
    """Return Python's `text` with a method at the end of a class."""
    found = re.search(rf"^class {class_name}\b.*\n(?:[ \n].*\n?|\n)*?(?=\n*(?:^\S|\Z))", text, re.M)
    assert found, f"there is no class {class_name}"
    return f"{text[: found.end()].rstrip()}\n\n{method}{text[found.end() :]}"


def patched(text: str, diff: str) -> str:
    """Return `text` with a diff's one hunk in the one place where it fits."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"not in one place:\n{before}"
    return text.replace(before, after)
