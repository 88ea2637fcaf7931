// snippet
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { logIn, withCookie } from "./session.mjs";

const [url = "http://127.0.0.1:8000/graphql/", category = "IX"] = process.argv.slice(2);
const cookie = await logIn(url, "nurse", "nurse");

const client = createClient({
  url: url.replace("http", "ws"),
  webSocketImpl: withCookie(WebSocket, cookie),
  connectionParams: { confirmSubscriptions: true },
});

const unsubscribe = client.subscribe(
  {
    query: `subscription ($category: String) {
      onNewPatient(category: $category) { message patient { name } }
    }`,
    variables: { category },
  },
  {
    // The confirmation that was asked for has no data: from then on nothing is missed.
    next: ({ data }) => console.log(data ? JSON.stringify(data.onNewPatient) : "ready"),
    error: (error) => console.error("failed:", error),
    complete: () => {},
  },
);
// end of snippet

import { obey } from "./obey.mjs";

await obey({
  async run(operation) {
    for await (const result of client.iterate(operation)) return result;
  },
  unsubscribe,
  close: () => client.dispose(),
});
