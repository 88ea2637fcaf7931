import { gettext } from "./i18n.js";
import { findOperation } from "./operation.js";
import { Sink } from "./sink.js";

const POSITION = { query: "{ position }" };
const LOST = gettext("Connection lost before the answer: look whether the mutation ran.");
const RESUMED = gettext("Subscribed again after the last event; none is missing.");
const AGAIN = gettext(
  "Subscribed again; events in between may be missing (select cursor, pass after: $after).",
);

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
      const stop = start(senders[operation.kind] ?? sendQuery, payload, sink, operation);
      return {
        unsubscribe() {
          sink.close();
          stop();
        },
      };
    },
  });

  function start(send, payload, sink, operation) {
    if (state.isEnded) return refuse(sink, gettext("Disconnected: reload the page."));
    return send(payload, sink, operation.place);
  }

  function sendQuery(payload, sink) {
    return client.subscribe(payload, sink);
  }

  /** Sent once or not at all: after a lost connection the client would send it a second time. */
  function sendMutation(payload, sink) {
    if (!state.isConnected) return refuse(sink, gettext("Not connected: the mutation was not sent."));
    const unlisten = client.on("closed", () => {
      stop();
      sink.error([{ message: LOST }]);
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

  /** One that can resume begins at the log's end, so that it has a place before its first event. */
  function sendSubscription(payload, sink, place) {
    if (!place || payload.variables?.[place.variable]) return follow(payload, sink, place);
    let stopped = false;
    let stop = client.subscribe(POSITION, {
      next: ({ data }) => keep(payload, place, data?.position),
      error: sink.error,
      complete: () => {
        if (!stopped) stop = follow(payload, sink, place);
      },
    });
    return () => {
      stopped = true;
      stop();
    };
  }

  /** The client subscribes anew after a lost connection, and each time the server confirms it. */
  function follow(payload, sink, place) {
    let confirmed = false;
    const next = (result) => {
      if (isConfirmation(result)) {
        const resumed = place && payload.variables?.[place.variable];
        events.addNote(confirmed ? (resumed ? RESUMED : AGAIN) : gettext("Subscribed."));
        confirmed = true;
        return;
      }
      if (place) keep(payload, place, result.data?.[place.field]?.[place.cursor]);
      // A refusal comes before any confirmation, and is no event.
      if (confirmed || !result.errors) events.add(result);
      sink.next(result);
    };
    return client.subscribe(payload, { next, error: sink.error, complete: sink.complete });
  }
}

/** What the client sends after a lost connection is the payload as it is then. */
function keep(payload, { variable }, cursor) {
  if (cursor) payload.variables = { ...payload.variables, [variable]: cursor };
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
