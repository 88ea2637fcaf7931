// What the tests ask of a client, whichever it is: one JSON line on stdin, one line as the answer.
import { createInterface } from "node:readline";

export async function obey({ run, unsubscribe, close }) {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log("answer " + JSON.stringify(await attempt(run, JSON.parse(line))));
  }
  unsubscribe();
  await close();
}

// Clients tell of an error in the answer in different ways; the code is what counts.
async function attempt(run, operation) {
  try {
    const { data, errors } = await run(operation);
    return { data, codes: errors?.map((error) => error.extensions.code) };
  } catch (error) {
    const errors = error.errors ?? error.graphQLErrors ?? error;
    if (!Array.isArray(errors) || !errors.length) throw error;
    return { codes: errors.map((each) => each.extensions?.code) };
  }
}

export const obeyApollo =
  (client, gql) =>
  ({ query, variables }) =>
    query.trimStart().startsWith("mutation")
      ? client.mutate({ mutation: gql(query), variables })
      : client.query({ query: gql(query), variables, fetchPolicy: "no-cache" });
