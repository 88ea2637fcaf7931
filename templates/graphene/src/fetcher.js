import { findOperation } from "./operation.js";
import { Sink } from "./sink.js";

const AGAIN = "Subscribed again; events in between may be missing.";

/**
 * GraphiQL's fetcher over one socket client: each operation, introspection included, becomes an
 * observable of its results. What a subscription delivers is also added to the event log.
 *
 * @param {import("graphql-ws").Client} client
 * @param {import("./connection-state.js").ConnectionState} state
 * @param {import("./events.js").EventLog} events
 * @returns {import("@graphiql/toolkit").Fetcher}
 */
export function createSocketFetcher(client, state, events) {
  const senders = { mutation: sendMutation, subscription: sendSubscription };

  return ({ query, variables, operationName }) => ({
    subscribe(observer) {
      const operation = findOperation(query, operationName);
      const payload = { query, variables, operationName: operation.operationName };
      const sink = new Sink(observer);
      const stop = start(senders[operation.kind] ?? sendQuery, payload, sink);
      return {
        unsubscribe() {
          sink.close();
          stop();
        },
      };
    },
  });

  function start(send, payload, sink) {
    return state.isEnded ? refuse(sink, "Disconnected: reload the page.") : send(payload, sink);
  }

  function sendQuery(payload, sink) {
    return client.subscribe(payload, sink);
  }

  /** Sent once or not at all: after a lost connection the client would send it a second time. */
  function sendMutation(payload, sink) {
    if (!state.isConnected) return refuse(sink, "Not connected: the mutation was not sent.");
    const unlisten = client.on("closed", () => {
      stop();
      sink.error([{ message: "Connection lost before the answer: look whether the mutation ran." }]);
    });
    const dispose = client.subscribe(payload, {
      next: sink.next,
      error: (failure) => {
        unlisten();
        sink.error(failure);
      },
      complete: () => {
        unlisten();
        sink.complete();
      },
    });
    const stop = () => {
      unlisten();
      dispose();
    };
    return stop;
  }

  /** The client subscribes anew after a lost connection, and each time the server confirms it. */
  function sendSubscription(payload, sink) {
    let confirmed = false;
    const next = (result) => {
      if (isConfirmation(result)) {
        events.addNote(confirmed ? AGAIN : "Subscribed.");
        confirmed = true;
        return;
      }
      // A refusal comes before any confirmation, and is no event.
      if (confirmed || !result.errors) events.add(result);
      sink.next(result);
    };
    return client.subscribe(payload, { next, error: sink.error, complete: sink.complete });
  }
}

/** An empty result tells that the subscription runs; see `confirmSubscriptions` in client.js. */
function isConfirmation({ data, errors }) {
  return data === null && !errors;
}

/** Later, because GraphiQL does not expect an answer while it subscribes. */
function refuse(sink, message) {
  queueMicrotask(() => sink.error([{ message }]));
  return () => {};
}
