"""The GraphiQL page as a user sees it, driven by Playwright's sync API."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, WebSocket, expect

GRAPHQL_PATH = "/graphql/"
TIMEOUT_MS = 60_000
# A paste event of our own needs no clipboard permission and leaves the clipboard alone.
PASTE = """(input, text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  input.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}));
}"""
LOCAL_SCHEMES = {"data", "blob", "about"}


class GraphiqlPage:
    """One browser tab with GraphiQL; it also records what the tab asks of the network."""

    def __init__(self, page: Page, base_url: str) -> None:
        """Wrap a tab of a browser; `base_url` is the server's, "http://127.0.0.1:8000"."""
        self.page = page
        self.base_url = base_url.rstrip("/")
        self.requests: list[tuple[str, str]] = []
        """Method and URL of every request, with "WEBSOCKET" as the method of a socket."""
        self.frames_sent: list[dict] = []
        """Every message the page sent over a WebSocket, decoded."""
        self.console_errors: list[str] = []
        page.on("request", self._record_request)
        page.on("websocket", self._record_socket)
        page.on("console", self._record_console)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))

    def open(self) -> None:
        """Load the page and wait until the editor can be used and the socket is connected."""
        self.page.goto(self.base_url + GRAPHQL_PATH)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for the editor and for the connection."""
        expect(self._query_lines).to_be_visible(timeout=TIMEOUT_MS)
        self.wait_for_connection_state("connected")

    def log_in(self, username: str, password: str) -> None:
        """Follow the page's log-in link, fill Django's form, and come back to the page."""
        self.page.get_by_role("link", name="Log in").click()
        self.page.locator("input[name=username]").fill(username)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url(f"**{GRAPHQL_PATH}")
        self.wait_until_ready()

    def log_out(self) -> None:
        """Press the log-out button; where that leads is the server's choice."""
        self.page.get_by_role("button", name="Log out").click()

    @property
    def user_name(self) -> str | None:
        """The name in the header bar, or None when nobody is logged in."""
        name = self.page.locator("#user-name")
        return name.inner_text() if name.count() else None

    @property
    def connection_state(self) -> str:
        """The state as shown: "connecting", "connected", or "disconnected" and what follows."""
        return self.page.locator("#connection-state").inner_text()

    def wait_for_connection_state(self, state: str) -> None:
        """Wait until the state, as text, is this one."""
        expect(self.page.locator("#connection-state")).to_have_text(state, timeout=TIMEOUT_MS)

    @property
    def query(self) -> str:
        """The visible lines of the open tab's operation."""
        return _lines(self._query_lines)

    def open_tab(self, name: str) -> None:
        """Change to the editor tab of this operation name; GraphiQL stops what was running."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def set_query(self, text: str) -> None:
        """Paste over the open tab's operation: typed text would be indented and completed."""
        editor_input = self.page.locator(".graphiql-query-editor textarea")
        editor_input.focus()  # a click would first scroll Monaco's insides out of view
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.press("Delete")
        expect(self._query_lines).to_have_text("", timeout=TIMEOUT_MS)
        editor_input.evaluate(PASTE, text)
        first_line = text.strip().splitlines()[0]
        expect(self._query_lines).to_contain_text(first_line, timeout=TIMEOUT_MS)

    def run(self) -> None:
        """Run the open tab's operation."""
        self.page.get_by_role("button", name=re.compile("^Execute query")).click()

    def subscribe(self) -> None:
        """Run the open tab's subscription, and wait until the server has confirmed it."""
        notes = self._events.locator("li.note")
        before = notes.count()
        self.run()
        expect(notes).to_have_count(before + 1, timeout=TIMEOUT_MS)
        expect(notes.first).to_contain_text("Subscribed.")

    def stop(self) -> None:
        """Stop the running subscription."""
        self.page.get_by_role("button", name=re.compile("^Stop query")).click()

    @property
    def response(self) -> str:
        """The visible lines of the response."""
        return _lines(self._response_lines)

    def wait_for_response(self, text: str) -> None:
        """Wait until the visible part of the response contains this text.

        Blanks and line breaks count as one blank, since long lines are wrapped.
        """
        expect(self._response_lines).to_contain_text(text, timeout=TIMEOUT_MS)

    @property
    def events(self) -> list[str]:
        """What subscriptions delivered so far, newest first, one line of JSON each."""
        return self._events.locator("li:not(.note) > span").all_inner_texts()

    def wait_for_event(self, text: str) -> None:
        """Wait until an event with this text is in the list of events."""
        expect(self._events.get_by_text(text).first).to_be_visible(timeout=TIMEOUT_MS)

    def wait_for_event_count(self, count: int) -> None:
        """Wait until this many events have arrived since the page was loaded or cleared."""
        expect(self._events.get_by_role("heading")).to_have_text(
            f"Events: {count}", timeout=TIMEOUT_MS
        )

    @property
    def requests_elsewhere(self) -> list[str]:
        """URLs the page asked for that are not on the server's own host and port."""
        host = urlsplit(self.base_url).netloc
        parts = [urlsplit(url) for _, url in self.requests]
        return [p.geturl() for p in parts if p.scheme not in LOCAL_SCHEMES and p.netloc != host]

    def screenshot(self, path: str | Path) -> None:
        """Write a PNG of what the tab shows."""
        self.page.screenshot(path=path)

    @property
    def _query_lines(self) -> Locator:
        return self.page.locator(".graphiql-query-editor .view-lines")

    @property
    def _response_lines(self) -> Locator:
        return self.page.locator(".graphiql-response .view-lines")

    @property
    def _events(self) -> Locator:
        return self.page.get_by_role("region", name=re.compile("^Events"))

    def _record_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console_errors.append(message.text)

    def _record_request(self, request: Request) -> None:
        self.requests.append((request.method, request.url))

    def _record_socket(self, socket: WebSocket) -> None:
        self.requests.append(("WEBSOCKET", socket.url))
        socket.on("framesent", lambda frame: self.frames_sent.append(json.loads(frame)))


def _lines(editor: Locator) -> str:
    """Monaco shows blanks as no-break spaces and positions its lines, not orders them."""
    lines = editor.locator(".view-line").evaluate_all(
        "lines => lines.toSorted((a, b) => a.offsetTop - b.offsetTop).map(l => l.textContent)"
    )
    return "\n".join(lines).replace("\u00a0", " ")
