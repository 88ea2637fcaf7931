import { useSyncExternalStore } from "react";

/** GraphiQL's response shows the last event only; this lists them, from the first one on. */
export function EventsPanel({ events }) {
  const { entries, total } = useSyncExternalStore(events.subscribe, events.getSnapshot);
  if (entries.length === 0) return null;
  return (
    <section className="events" aria-labelledby="events-title">
      <header>
        <h2 id="events-title">Events: {total}</h2>
        {total > entries.length && <span>the newest {entries.length}</span>}
        <button type="button" onClick={() => events.clear()}>
          Clear
        </button>
      </header>
      {/* A scrolling region must be reachable by keyboard. */}
      <ol tabIndex={0} aria-label="Newest events first">
        {entries.map((entry) => (
          <Entry key={entry.id} {...entry} />
        ))}
      </ol>
    </section>
  );
}

function Entry({ at, text, isNote }) {
  return (
    <li className={isNote ? "note" : undefined}>
      <time dateTime={at.toISOString()}>{at.toLocaleTimeString()}</time>
      <span>{text}</span>
    </li>
  );
}
