// snippet
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

const subscription = client
  .request({
    query: `subscription ($category: String) {
      onNewPatient(category: $category) { message patient { name } }
    }`,
    variables: { category },
  })
  .subscribe({
    // The confirmation that was asked for has no data: from then on nothing is missed.
    next: ({ data }) => console.log(data ? JSON.stringify(data.onNewPatient) : "ready"),
    error: (error) => console.error("failed:", error),
  });
// end of snippet

import { obey } from "../obey.mjs";

await obey({
  run: (operation) =>
    new Promise((next, error) => client.request(operation).subscribe({ next, error })),
  unsubscribe: () => subscription.unsubscribe(),
  close: () => client.close(),
});
