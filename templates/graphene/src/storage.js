const OWNER = "wardcast:user";

/**
 * Where GraphiQL keeps what was typed: this browser tab's session storage.
 *
 * Not local storage, which is shared with any other GraphiQL of the origin (its text would hide
 * the examples) and stays on a shared machine, where a mutation's text can hold a patient's name.
 * For the same reason it is emptied when somebody other than its owner comes to the page.
 *
 * @param {string} user log-in name, "" for nobody
 * @returns {Storage | null} null, which keeps nothing, where the browser forbids storage
 */
export function openStorage(user) {
  try {
    const owner = sessionStorage.getItem(OWNER);
    if (owner && owner !== user) sessionStorage.clear();
    sessionStorage.setItem(OWNER, user);
    return sessionStorage;
  } catch {
    return null;
  }
}
