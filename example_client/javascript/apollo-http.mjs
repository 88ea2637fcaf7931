// Queries and mutations over HTTP, subscriptions over the socket.
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { logIn, withCookie } from "./session.mjs";

const [uri = "http://127.0.0.1:8000/graphql/", category = "IX"] = process.argv.slice(2);
const cookie = await logIn(uri, "demo", "demo");

const socket = createClient({ url: uri.replace("http", "ws"), webSocketImpl: withCookie(WebSocket, cookie) });
// In a browser it is `document.cookie`, and the cookies go along by themselves.
const csrfToken = cookie.match(/csrftoken=([^;]+)/)[1];
const http = new HttpLink({ uri, headers: { "X-CSRFToken": csrfToken, Cookie: cookie } });
const isSubscription = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;
const link = ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http);
const client = new ApolloClient({ link, cache: new InMemoryCache() });

// After this position, so that the event of our own patient is not missed.
const { data } = await client.query({ query: gql`{ position }` });
await client.mutate({
  mutation: gql`
    mutation ($input: CreatePatientMutationInput!) {
      createPatient(input: $input) { patient { id } errors { field messages } }
    }
  `,
  variables: { input: { name: "Ada Example", category } },
});
client
  .subscribe({
    query: gql`
      subscription ($category: String, $after: String) {
        onNewPatient(category: $category, after: $after) { message }
      }
    `,
    variables: { category, after: data.position },
    fetchPolicy: "no-cache",
  })
  .subscribe(({ data, error }) => {
    console.log(error ?? data.onNewPatient.message);
    socket.dispose();
  });
