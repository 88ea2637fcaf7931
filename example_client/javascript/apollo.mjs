import { ApolloClient, ApolloLink, gql, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import { tap } from "rxjs";
import WebSocket from "ws";
import { logIn, withCookie } from "./session.mjs";

const [url = "http://127.0.0.1:8000/graphql/", category = "IX"] = process.argv.slice(2);
const cookie = await logIn(url, "nurse", "nurse");

const socket = createClient({
  url: url.replace("http", "ws"),
  webSocketImpl: withCookie(WebSocket, cookie),
  connectionParams: { confirmSubscriptions: true }, // see socket.on("message") below
  retryAttempts: Infinity,
  shouldRetry: () => true, // also where nothing listens, as while a server starts again
});
const resume = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      const cursor = data?.onNewPatient?.cursor;
      if (cursor) operation.variables.after = cursor; // resume (3)
    }),
  ),
);
// Queries and mutations may go over the same socket.
const link = resume.concat(new GraphQLWsLink(socket));
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
  .subscribe(({ data, error }) => {
    if (error) console.error("failed:", error);
    else console.log(JSON.stringify(data.onNewPatient));
  });

// The confirmation that was asked for has no data, and Apollo 4 passes on no result without:
// it is seen on the socket. From then on nothing is missed.
socket.on("message", ({ type, payload }) => {
  if (type === "next" && payload.data === null) console.log("ready");
});
