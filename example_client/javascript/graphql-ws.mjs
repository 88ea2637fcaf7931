import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { logIn, withCookie } from "./session.mjs";

const [url = "http://127.0.0.1:8000/graphql/", category = "IX"] = process.argv.slice(2);
const cookie = await logIn(url, "nurse", "nurse");

const client = createClient({
  url: url.replace("http", "ws"),
  webSocketImpl: withCookie(WebSocket, cookie),
  connectionParams: { confirmSubscriptions: true },
  retryAttempts: Infinity,
  shouldRetry: () => true, // also where nothing listens, as while a server starts again
});
const { value } = await client.iterate({ query: "{ position }" }).next(); // resume (1)
const variables = { category, after: value.data.position }; // resume (2)

const unsubscribe = client.subscribe(
  {
    query: `subscription ($category: String, $after: String) {
      onNewPatient(category: $category, after: $after) { cursor message patient { name } }
    }`,
    variables,
  },
  {
    next: ({ data, errors }) => {
      if (errors) return console.error("failed:", errors);
      if (!data) return console.log("ready"); // the confirmation that was asked for
      console.log(JSON.stringify(data.onNewPatient));
      variables.after = data.onNewPatient.cursor; // resume (3)
    },
    error: (error) => console.error("failed:", error),
    complete: () => {},
  },
);
