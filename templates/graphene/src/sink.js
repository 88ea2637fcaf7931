import { gettext, interpolate } from "./i18n.js";

/**
 * What graphql-ws tells of one operation, passed on to GraphiQL's observer: failures as a GraphQL
 * response (GraphiQL would show an Error with its stack), and nothing after the end. graphql-ws
 * ends an operation that was stopped while disconnected only when it is connected again, and
 * GraphiQL would take that for the end of whatever runs by then.
 */
export class Sink {
  #observer;

  /** @param {{ next: Function, complete: Function }} observer */
  constructor(observer) {
    this.#observer = observer;
  }

  next = (result) => this.#observer?.next(result);

  /** @param {object[] | CloseEvent | Event | Error} failure GraphQL errors, or why none came */
  error = (failure) => {
    this.next({ errors: Array.isArray(failure) ? failure : [{ message: describe(failure) }] });
    this.complete();
  };

  complete = () => {
    const observer = this.#observer;
    this.close();
    observer?.complete();
  };

  /** End it without a word. */
  close = () => {
    this.#observer = undefined;
  };
}

function describe({ code, reason, message }) {
  if (code === undefined) return message || gettext("The server cannot be reached.");
  const why = reason || gettext("no reason given");
  return interpolate(gettext("The connection was closed: %(why)s (%(code)s)."), { why, code }, true);
}
