import { Kind, parse } from "graphql";

/**
 * The operation that is meant, by what the document says itself: GraphiQL's operation name lags
 * behind the editor for a moment, and still names the previous text's.
 *
 * @param {string} query a GraphQL document
 * @param {string | null | undefined} operationName as GraphiQL has it
 * @returns {{ kind?: "query" | "mutation" | "subscription", operationName?: string,
 *   place?: { variable: string, field: string, cursor: string } }} without a kind where the document
 *   says none, which the server then refuses in its own words; `place` is where a subscription may
 *   go on: the variable of its `after`, and the keys in its results that lead to its `cursor`
 */
export function findOperation(query, operationName) {
  const operations = operationsOf(query);
  const named = operations.find(({ name }) => name?.value === operationName);
  const meant = operations.length === 1 ? operations[0] : named;
  if (!meant) return { operationName: operationName ?? undefined };
  return {
    kind: meant.operation,
    operationName: meant.name?.value,
    place: placeOf(meant.selectionSet.selections[0]),
  };
}

/** Where a field takes a cursor from a variable, and tells the next one. */
function placeOf(field) {
  const after = field.arguments?.find(({ name }) => name.value === "after")?.value;
  const cursor = field.selectionSet?.selections.find(({ name }) => name?.value === "cursor");
  if (after?.kind !== Kind.VARIABLE || cursor?.kind !== Kind.FIELD) return undefined;
  return { variable: after.name.value, field: keyOf(field), cursor: keyOf(cursor) };
}

const keyOf = ({ alias, name }) => (alias ?? name).value;

function operationsOf(query) {
  try {
    return parse(query).definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  } catch {
    return [];
  }
}
