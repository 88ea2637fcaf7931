/**
 * What the page knows of its connection, shown in a status element: its text is the state, its
 * `data-state` the state's first word, for the style sheet.
 */
export class ConnectionState {
  #element;
  #ended = false;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  get isConnected() {
    return this.#element.dataset.state === "connected";
  }

  /** Whether the client has given up; only a new page connects again. */
  get isEnded() {
    return this.#ended;
  }

  /** The first attempt; later ones stay "retrying", so no screen reader announces each of them. */
  connecting() {
    if (this.#element.dataset.state !== "disconnected") this.#show("connecting");
  }

  connected() {
    this.#show("connected");
  }

  lost() {
    this.#show("disconnected – retrying");
  }

  /** @param {string} whatToDo why, and how the reader gets on */
  end(whatToDo) {
    this.#show(`disconnected – ${whatToDo}`);
    this.#ended = true;
  }

  #show(text) {
    if (this.#ended || this.#element.textContent === text) return;
    this.#element.textContent = text;
    this.#element.dataset.state = text.split(" ", 1)[0];
  }
}
