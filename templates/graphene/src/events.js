const LIMIT = 200;

/** The newest things subscriptions delivered, newest first, bounded; a React external store. */
export class EventLog {
  #state = { entries: [], total: 0 };
  #listeners = new Set();
  #lastId = 0;

  /** @param {object} result a subscription's GraphQL result */
  add(result) {
    const text = JSON.stringify(result.errors ? result : result.data);
    this.#append({ text, isNote: false }, 1);
  }

  /** @param {string} text a remark of the page itself, which does not count as an event */
  addNote(text) {
    this.#append({ text, isNote: true }, 0);
  }

  clear() {
    this.#set({ entries: [], total: 0 });
  }

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  getSnapshot = () => this.#state;

  #append(entry, counted) {
    const { entries, total } = this.#state;
    const added = { ...entry, id: ++this.#lastId, at: new Date() };
    this.#set({ entries: [added, ...entries].slice(0, LIMIT), total: total + counted });
  }

  #set(state) {
    this.#state = state;
    this.#listeners.forEach((listener) => listener());
  }
}
