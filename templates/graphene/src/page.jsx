import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";

import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

import { createSocketClient } from "./client.js";
import { ConnectionState } from "./connection-state.js";
import { EventLog } from "./events.js";
import { EventsPanel } from "./events-panel.jsx";
import { EXAMPLES } from "./examples.js";
import { createSocketFetcher } from "./fetcher.js";
import { openStorage } from "./storage.js";

const root = document.getElementById("graphiql");
const state = new ConnectionState(document.getElementById("connection-state"));
const client = createSocketClient(root.dataset.endpoint, state);
const events = new EventLog();
const fetcher = createSocketFetcher(client, state, events);

createRoot(root).render(
  <>
    {/* No headers editor: a WebSocket operation carries no HTTP headers. */}
    <GraphiQL
      fetcher={fetcher}
      storage={openStorage(root.dataset.user)}
      defaultTabs={EXAMPLES}
      isHeadersEditorEnabled={false}
    />
    <EventsPanel events={events} />
  </>,
);
