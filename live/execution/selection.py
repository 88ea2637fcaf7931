"""What an operation selects below a field, so that resolvers read no more than that."""

from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields


def root_fields(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
) -> int:
    """Return how many fields of the root an operation runs, aliases and fragments spread.

    One where it cannot be told: a variable of its `@skip` is missing, and it will not run.
    """
    root = schema.get_root_type(operation.operation)
    assert root is not None, "the document is valid"
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    try:
        return len(collect_fields(schema, fragments, variables, root, operation.selection_set))
    except GraphQLError:
        return 1


def selects(info: GraphQLResolveInfo, name: str) -> bool:
    """Whether the field `name` of the object that `info`'s field returns will be resolved.

    Fragments, aliases, `@skip` and `@include` are taken into account. The field's type must
    be an object type, or a list of them: of an interface nobody knows yet which object it is.
    Raises TypeError for another.
    """
    kind = get_named_type(info.return_type)
    if not isinstance(kind, GraphQLObjectType):
        raise TypeError(f"{info.field_name} returns no object type")
    asked = (info.schema, info.fragments, info.variable_values, kind, info.field_nodes)
    return any(nodes[0].name.value == name for nodes in collect_sub_fields(*asked).values())
