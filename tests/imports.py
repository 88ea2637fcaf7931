"""What the project's files import of each other, wherever in a file."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def files_of(package, root=ROOT):
    """Return {dotted name: path} of all of a package's files."""
    return {_dotted(path.relative_to(root)): path for path in (root / package).rglob("*.py")}


def imports_of(path, names):
    """Yield those of the dotted names that a file imports.

    Imports for types only (TYPE_CHECKING) and within functions count like others.
    """
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                file = f"{node.module}.{alias.name}"
                yield from {file if file in names else node.module} & set(names)


def import_graph(package, root=ROOT):
    """Return {file: files of the same package that it imports}, by dotted names."""
    files = files_of(package, root)
    return {name: set(imports_of(path, files)) - {name} for name, path in files.items()}


def _dotted(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
