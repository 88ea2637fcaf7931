import { gettext, interpolate } from "./i18n.js";

/**
 * What the page knows of its connection, shown in a status element: its text says the state in the
 * reader's language, its `data-state` names it for the style sheet.
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
    if (this.#element.dataset.state !== "disconnected") this.#show("connecting", gettext("connecting"));
  }

  connected() {
    this.#show("connected", gettext("connected"));
  }

  lost() {
    this.#show("disconnected", gettext("disconnected – retrying"));
  }

  /** @param {string} whatToDo why, and how the reader gets on */
  end(whatToDo) {
    const text = gettext("disconnected – %(whatToDo)s");
    this.#show("disconnected", interpolate(text, { whatToDo }, true));
    this.#ended = true;
  }

  #show(state, text) {
    if (this.#ended || this.#element.textContent === text) return;
    this.#element.textContent = text;
    this.#element.dataset.state = state;
  }
}
