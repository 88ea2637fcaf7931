import { Kind, parse } from "graphql";

/**
 * The operation that is meant, by what the document says itself: GraphiQL's operation name lags
 * behind the editor for a moment, and still names the previous text's.
 *
 * @param {string} query a GraphQL document
 * @param {string | null | undefined} operationName as GraphiQL has it
 * @returns {{ kind?: "query" | "mutation" | "subscription", operationName?: string }} without a
 *   kind where the document says none, which the server then refuses in its own words
 */
export function findOperation(query, operationName) {
  const operations = operationsOf(query);
  const named = operations.find(({ name }) => name?.value === operationName);
  const meant = operations.length === 1 ? operations[0] : named;
  if (!meant) return { operationName: operationName ?? undefined };
  return { kind: meant.operation, operationName: meant.name?.value };
}

function operationsOf(query) {
  try {
    return parse(query).definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  } catch {
    return [];
  }
}
