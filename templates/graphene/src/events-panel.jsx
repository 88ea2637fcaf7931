import { useSyncExternalStore } from "react";

import { gettext, interpolate, language } from "./i18n.js";

/** GraphiQL's response shows the last event only; this lists them, from the first one on. */
export function EventsPanel({ events }) {
  const { entries, total } = useSyncExternalStore(events.subscribe, events.getSnapshot);
  if (entries.length === 0) return null;
  return (
    <section className="events" aria-labelledby="events-title">
      <header>
        <h2 id="events-title">{interpolate(gettext("Events: %(total)s"), { total }, true)}</h2>
        {total > entries.length && <span>{newest(entries.length)}</span>}
        <button type="button" onClick={() => events.clear()}>
          {gettext("Clear")}
        </button>
      </header>
      {/* A scrolling region must be reachable by keyboard. */}
      <ol tabIndex={0} aria-label={gettext("Newest events first")}>
        {entries.map((entry) => (
          <Entry key={entry.id} {...entry} />
        ))}
      </ol>
    </section>
  );
}

const newest = (count) => interpolate(gettext("the newest %(count)s"), { count }, true);

function Entry({ at, text, isNote }) {
  return (
    <li className={isNote ? "note" : undefined}>
      <time dateTime={at.toISOString()}>{at.toLocaleTimeString(language)}</time>
      <span>{text}</span>
    </li>
  );
}
