"""Sends an HTML form as a browser would: with what the page filled in, its CSRF token included."""

from html.parser import HTMLParser

import aiohttp
from yarl import URL

from tests.e2e.clients import Browser

Value = str | list[str]


class _Form(HTMLParser):
    """Collects what the fields of the page's POST form hold."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Value] = {}
        self._inside = False
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            # The page's header has a form of its own, to log out.
            self._inside = given.get("method") == "post" and given.get("id") != "logout-form"
        elif not self._inside:
            return
        elif tag == "input" and given.get("type") not in ("submit", "checkbox", "radio", "button"):
            self.values[given.get("name") or ""] = given.get("value") or ""
        elif tag in ("select", "textarea"):
            self._select = given.get("name") or ""
            self.values[self._select] = ""
        elif tag == "option" and "selected" in given and self._select:
            self.values[self._select] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


async def submit_form(browser: Browser, path: str, **values: Value) -> None:
    """Load the page at `path` and send its form with `values`; it must be taken (a redirect)."""
    url = f"http://{browser.server.host}{path}"
    async with browser.http.get(url) as page:
        assert page.status == 200, f"{path}: {page.status}"
        form = _Form()
        form.feed(await page.text())
    unknown = values.keys() - form.values.keys() - {"_selected_action", "post"}
    assert not unknown, f"the form at {path} has no {unknown}"
    data = aiohttp.FormData()
    for name, value in {**form.values, **values}.items():
        for one in [value] if isinstance(value, str) else value:
            data.add_field(name, one)
    async with browser.http.post(URL(url), data=data, allow_redirects=False) as answer:
        assert answer.status == 302, f"the form was not taken:\n{await answer.text()}"
