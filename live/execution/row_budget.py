"""How many rows a document may ask for, all its lists together, without any I/O."""

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
    type_from_ast,
)

from live.errors import QueryTooComplex

# The arguments that say how many rows a list has.
_PAGE = ("first", "last")
_CONNECTION = "Connection"  # the end of Relay's names


def check_rows(schema: GraphQLSchema, document: DocumentNode, most: int, page: int) -> None:
    """Raise QueryTooComplex where the valid `document` may ask for more than `most` rows.

    Args:
        page: the rows of a list whose arguments do not say how many, or by a variable.
    """
    counter = _Counter(schema, document, page)
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    # One of them is run.
    if max((counter.operation(operation) for operation in operations), default=0) > most:
        message = f"The query's rows may be {most} at most: ask for smaller pages."
        raise QueryTooComplex(message, limit="rows")


class _Counter:
    """Counts rows: a list in a list has its rows once for each row of the outer one."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, page: int) -> None:
        self._schema, self._page = schema, page
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        # Each fragment is counted once, though it may be spread in many places.
        self._known: dict[str, int] = {}

    def operation(self, operation: OperationDefinitionNode) -> int:
        root = self._schema.get_root_type(operation.operation)
        return self._selection(operation.selection_set, root)

    def _selection(
        self, selection_set: SelectionSetNode | None, kind: GraphQLNamedType | None
    ) -> int:
        total = 0
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FieldNode):
                total += self._field(node, kind)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = type_from_ast(self._schema, condition) if condition else kind
                total += self._selection(node.selection_set, inner)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value)
        return total

    def _fragment(self, name: str) -> int:
        if name not in self._known:
            definition = self._fragments[name]
            kind = type_from_ast(self._schema, definition.type_condition)
            self._known[name] = self._selection(definition.selection_set, kind)
        return self._known[name]

    def _field(self, node: FieldNode, kind: GraphQLNamedType | None) -> int:
        name = node.name.value
        if name.startswith("__") or not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            return 0  # introspection has bounds of its own
        returned = kind.fields[name].type
        named = get_named_type(returned)
        if named is None or not is_composite_type(named):
            return 0
        below = self._selection(node.selection_set, named)
        if named.name.endswith(_CONNECTION):
            return self._rows(node) * (1 + below)
        # A connection's edges are its rows, which are counted with it.
        is_list = is_list_type(returned.of_type if is_non_null_type(returned) else returned)
        if is_list and not kind.name.endswith(_CONNECTION):
            return self._rows(node) * (1 + below)
        return below

    def _rows(self, node: FieldNode) -> int:
        for argument in node.arguments:
            if argument.name.value in _PAGE and isinstance(argument.value, IntValueNode):
                return min(max(0, int(argument.value.value)), self._page)
        return self._page
