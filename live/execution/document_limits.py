"""Bounds on what a client may ask for, without any I/O.

A document's cost is counted after its fragments are spread, as execution would spread
them, but each fragment is counted once: nesting that grows exponentially costs us linear
time to refuse.
"""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from live.errors import QueryTooComplex

# Fragments in fragments. They cost stack, here and in validation, but no depth of fields;
# generated clients nest a few.
MOST_NESTED_FRAGMENTS = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """What a selection asks for, fragments spread."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """Return the cost of two selections side by side."""
        return Cost(
            max(self.depth, other.depth), self.fields + other.fields, self.aliases + other.aliases
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one document may cost."""

    depth: int
    fields: int
    aliases: int


def check_document(document: DocumentNode, bounds: Bounds) -> None:
    """Raise QueryTooComplex, which names the bound, where the document goes beyond it."""
    cost = document_cost(document)
    for name in ("depth", "fields", "aliases"):
        allowed = getattr(bounds, name)
        if getattr(cost, name) > allowed:
            raise QueryTooComplex(f"The query's {name} may be {allowed} at most.", limit=name)


def document_cost(document: DocumentNode) -> Cost:
    """Return the cost of all operations of a document together.

    Raises QueryTooComplex where fragments are nested too deeply to count.
    """
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    counter = _Counter(fragments)
    total = Cost()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            total += counter.selection(definition.selection_set)
    return total


class _Counter:
    """Counts selections; remembers each fragment's cost."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, Cost] = {}
        self._nested = 0

    def selection(self, selection_set: SelectionSetNode | None) -> Cost:
        total = Cost()
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FieldNode):
                below = self.selection(node.selection_set)
                alias = 1 if node.alias else 0
                total += Cost(below.depth + 1, below.fields + 1, below.aliases + alias)
            elif isinstance(node, InlineFragmentNode):
                total += self.selection(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value)
        return total

    def _fragment(self, name: str) -> Cost:
        if name not in self._known:
            # Nothing while it is being counted: a cycle ends here, and validation names it.
            self._known[name] = Cost()
            definition = self._fragments.get(name)
            if definition:
                self._known[name] = self._definition(definition)
        return self._known[name]

    def _definition(self, definition: FragmentDefinitionNode) -> Cost:
        if self._nested >= MOST_NESTED_FRAGMENTS:
            message = f"The query's nested fragments may be {MOST_NESTED_FRAGMENTS} at most."
            raise QueryTooComplex(message, limit="depth")
        self._nested += 1
        cost = self.selection(definition.selection_set)
        self._nested -= 1
        return cost
