import { getOperationAST, parse } from "graphql";

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
  return ({ query, variables, operationName }) => {
    const payload = { query, variables, operationName: operationName ?? undefined };
    const send = senders[operationKind(query, operationName)] ?? sendQuery;
    return {
      subscribe: (observer) => ({ unsubscribe: start(send, payload, observer) }),
    };
  };

  function start(send, payload, observer) {
    if (!state.isEnded) return send(payload, withReadableErrors(observer));
    return refuse(observer, "Disconnected. Reload the page.");
  }

  function sendQuery(payload, sink) {
    return client.subscribe(payload, sink);
  }

  /** Sent once or not at all: after a lost connection the client would send it a second time. */
  function sendMutation(payload, sink) {
    if (!state.isConnected) return refuse(sink, "Not connected: the mutation was not sent.");
    const stop = () => {
      unlisten();
      dispose();
    };
    const unlisten = client.on("closed", () => {
      stop();
      sink.error(
        new Error("The connection was lost before the answer. Look whether the mutation ran."),
      );
    });
    const dispose = client.subscribe(payload, {
      ...sink,
      complete: () => {
        unlisten();
        sink.complete();
      },
    });
    return stop;
  }

  function sendSubscription(payload, sink) {
    const unlisten = client.on("connected", () =>
      events.addNote("Connected again; events in between may be missing."),
    );
    const dispose = client.subscribe(payload, {
      ...sink,
      next: (result) => {
        events.add(result);
        sink.next(result);
      },
    });
    return () => {
      unlisten();
      dispose();
    };
  }
}

/** A document that does not parse has no kind: the server says what is wrong with it. */
function operationKind(query, operationName) {
  try {
    return getOperationAST(parse(query), operationName)?.operation;
  } catch {
    return undefined;
  }
}

/** Later, because GraphiQL does not expect an error while it subscribes. */
function refuse(sink, message) {
  queueMicrotask(() => sink.error(new Error(message)));
  return () => {};
}

/** An `error` message's errors are shown as a GraphQL response, a close event as a sentence. */
function withReadableErrors(observer) {
  return {
    next: (result) => observer.next(result),
    complete: () => observer.complete(),
    error: (error) => {
      if (!Array.isArray(error)) return observer.error(asError(error));
      observer.next({ errors: error });
      return observer.complete();
    },
  };
}

function asError(error) {
  if (error instanceof Error) return error;
  const { code, reason } = error ?? {};
  return new Error(["The connection was closed", code, reason].filter(Boolean).join(" – "));
}
