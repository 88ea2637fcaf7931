"""What an operation selects below a field, so that resolvers read no more than that."""

from graphql import GraphQLObjectType, GraphQLResolveInfo, get_named_type
from graphql.execution.collect_fields import collect_sub_fields


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
