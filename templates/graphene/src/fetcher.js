import { findOperation } from "./operation.js";
import { Sink } from "./sink.js";

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
    const stop = sendListening(payload, sink, "closed", () => {
      stop();
      sink.error([{ message: "Connection lost before the answer: look whether the mutation ran." }]);
    });
    return stop;
  }

  function sendSubscription(payload, sink) {
    const next = (result) => {
      events.add(result);
      sink.next(result);
    };
    const { error, complete } = sink;
    return sendListening(payload, { next, error, complete }, "connected", () =>
      events.addNote("Connected again; events in between may be missing."),
    );
  }

  /** Send, and listen to an event of the client for as long as the operation runs. */
  function sendListening(payload, sink, event, listener) {
    const unlisten = client.on(event, listener);
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
    return () => {
      unlisten();
      dispose();
    };
  }
}

/** Later, because GraphiQL does not expect an answer while it subscribes. */
function refuse(sink, message) {
  queueMicrotask(() => sink.error([{ message }]));
  return () => {};
}
