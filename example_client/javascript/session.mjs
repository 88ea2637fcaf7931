// Only Node needs this: a browser keeps the session's cookie, and sends it by itself.
export async function logIn(url, username, password) {
  const query = `mutation ($username: String!, $password: String!) {
    login(username: $username, password: $password) { ok }
  }`;
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables: { username, password } }),
  });
  const { data } = await response.json();
  if (!data?.login?.ok) throw new Error(`${username} may not log in`);
  return response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ");
}

export const withCookie = (WebSocket, cookie) =>
  class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers: { Cookie: cookie } });
    }
  };
