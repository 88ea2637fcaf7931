import { SubscriptionClient } from "subscriptions-transport-ws";
import WebSocket from "ws";
import { logIn, withCookie } from "../session.mjs";

const [url = "http://127.0.0.1:8000/graphql/", category = "IX"] = process.argv.slice(2);
const cookie = await logIn(url, "nurse", "nurse");

const client = new SubscriptionClient(
  url.replace("http", "ws"),
  { reconnect: true, connectionParams: { confirmSubscriptions: true } },
  withCookie(WebSocket, cookie),
);
const { data } = await new Promise((next, error) =>
  client.request({ query: "{ position }" }).subscribe({ next, error }), // resume (1)
);
const variables = { category, after: data.position }; // resume (2)

const subscription = client
  .request({
    query: `subscription ($category: String, $after: String) {
      onNewPatient(category: $category, after: $after) { cursor message patient { name } }
    }`,
    variables,
  })
  .subscribe({
    next: ({ data, errors }) => {
      if (errors) return console.error("failed:", errors);
      if (!data) return console.log("ready"); // the confirmation that was asked for
      console.log(JSON.stringify(data.onNewPatient));
      variables.after = data.onNewPatient.cursor; // resume (3)
    },
    error: (error) => console.error("failed:", error),
  });
