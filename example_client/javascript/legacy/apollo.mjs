import { ApolloClient, ApolloLink, gql, InMemoryCache, Observable } from "@apollo/client/core/index.js";
import { WebSocketLink } from "@apollo/client/link/ws/index.js";
import { SubscriptionClient } from "subscriptions-transport-ws";
import WebSocket from "ws";
import { logIn, withCookie } from "../session.mjs";

const [url = "http://127.0.0.1:8000/graphql/", category = "IX"] = process.argv.slice(2);
const cookie = await logIn(url, "nurse", "nurse");

const socket = new SubscriptionClient(
  url.replace("http", "ws"),
  { reconnect: true, connectionParams: { confirmSubscriptions: true } },
  withCookie(WebSocket, cookie),
);
const resume = new ApolloLink((operation, forward) =>
  Observable.from(forward(operation)).map((result) => {
    const cursor = result.data?.onNewPatient?.cursor;
    if (cursor) operation.variables.after = cursor; // resume (3)
    return result;
  }),
);
// Queries and mutations may go over the same socket.
const link = resume.concat(new WebSocketLink(socket));
const client = new ApolloClient({ link, cache: new InMemoryCache() });
const { data } = await client.query({ query: gql`{ position }` }); // resume (1)

const subscription = client
  .subscribe({
    query: gql`
      subscription ($category: String, $after: String) {
        onNewPatient(category: $category, after: $after) { cursor message patient { name } }
      }
    `,
    variables: { category, after: data.position }, // resume (2)
    fetchPolicy: "no-cache", // an event is told once, and no entity to keep
  })
  .subscribe({
    // The confirmation that was asked for has no data: from then on nothing is missed.
    next: ({ data }) => console.log(data ? JSON.stringify(data.onNewPatient) : "ready"),
    error: (error) => console.error("failed:", error),
  });
