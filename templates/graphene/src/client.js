import { createClient } from "graphql-ws";

import { gettext, interpolate } from "./i18n.js";

const PING_EVERY_MS = 20_000;
const PONG_WITHIN_MS = 5_000;
const LONGEST_RETRY_WAIT_MS = 10_000;
const FORBIDDEN = 4403;
const INIT_TIMEOUT = 4408;
const SILENT = 4499;

/**
 * The page's one GraphQL client: graphql-transport-ws on the page's own host, opened at once and
 * kept open. It comes back after every loss that a retry may mend.
 *
 * @param {string} endpoint path of the GraphQL endpoint, for example "/graphql/"
 * @param {import("./connection-state.js").ConnectionState} state is told of every change
 */
export function createSocketClient(endpoint, state) {
  const client = createClient({
    url: socketUrl(endpoint),
    // The server then sends an empty result as soon as a subscription misses nothing any more.
    connectionParams: { confirmSubscriptions: true },
    lazy: false,
    keepAlive: PING_EVERY_MS,
    retryAttempts: Infinity,
    retryWait: waitBeforeRetry,
    shouldRetry: mayBeMended,
    onNonLazyError: (event) => state.end(whatToDo(event)),
    on: {
      connecting: () => state.connecting(),
      connected: () => state.connected(),
      closed: () => state.lost(),
    },
  });
  terminateWhenSilent(client);
  return client;
}

function socketUrl(endpoint) {
  const url = new URL(endpoint, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Doubles from half a second; the random part keeps many pages from coming back at once. */
function waitBeforeRetry(retries) {
  const wait = Math.min(500 * 2 ** retries, LONGEST_RETRY_WAIT_MS);
  return new Promise((resolve) => setTimeout(resolve, wait * (0.75 + Math.random() / 2)));
}

/**
 * Not when the server turned the client or its operation away (4400 to 4498): the client would send
 * the same again, for ever. An error event has no code: that is how browsers report a server that
 * cannot be reached.
 */
function mayBeMended({ code }) {
  return !(code >= 4400 && code < SILENT) || code === INIT_TIMEOUT;
}

function whatToDo(event) {
  if (event?.code === FORBIDDEN) return gettext("access refused, log in again");
  const why = event?.reason || event?.message || gettext("closed");
  return interpolate(gettext("%(why)s, reload the page"), { why }, true);
}

/** A pulled network cable closes no socket: only the missing pong tells. */
function terminateWhenSilent(client) {
  let timer;
  client.on("ping", (received) => {
    if (!received) timer = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
  });
  client.on("pong", (received) => {
    if (received) clearTimeout(timer);
  });
  client.on("closed", () => clearTimeout(timer));
}
