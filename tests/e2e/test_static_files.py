"""A page's files as production serves them: collected, hashed, compressed, kept for a year."""

import gzip
import re
import urllib.error
import urllib.request

import pytest

from tests.e2e.graphiql_page import GraphiqlPage
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT, Server

# As in production, but without TLS.
PLAIN_HTTP = {"DEBUG": "off", "SECURE_COOKIES": "off", "SECURE_SSL_REDIRECT": "off"}
# Of all that GraphiQL's page loads; uncompressed it is more than 6 MB.
MOST_BYTES = 2_200_000
# Daphne shows no warnings: as an error, it shows this one too.
COMPLAINT = "StreamingHttpResponse must consume synchronous iterators"
HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$|-[\w-]{8}\.\w+$")
LAST_LOADED = [f"/workers/{language}.worker-" for language in ("editor", "graphql", "json")]
TIMEOUT_SECONDS = 20
YEAR_SECONDS = 31_536_000
# What the release before has left in STATIC_ROOT.
FORMER_PART = "graphene/chunks/page-0f0rmer_.js"


@pytest.fixture(scope="module", params=["daphne", "gunicorn"])
def production(request, tmp_path_factory):
    """A server with DEBUG off, whose static files were collected."""
    if not (ROOT / "templates" / "graphene" / "dist" / "graphiql.js").exists():
        missing("GraphiQL is not built: make assets")
    folder = tmp_path_factory.mktemp("production")
    environment = {
        **PLAIN_HTTP,
        "STATIC_ROOT": str(folder / "static"),
        "PYTHONWARNINGS": f"error:{COMPLAINT}",
    }
    server = Server(folder, kind=request.param, environment=environment).prepare()
    former = folder / "static" / FORMER_PART
    former.parent.mkdir(parents=True)
    former.write_text("export default 1;\n")
    server.manage("collectstatic", "--noinput")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A server as `make run` starts it; nobody has collected its files."""
    server = Server(tmp_path_factory.mktemp("demo"), kind="runserver").prepare().start()
    yield server
    server.stop()


def fetch(url, method="GET", **headers):
    """Return the status, the headers and the body of an answer, whatever the status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def style_sheet(server):
    """Return the address of the log-in page's style sheet."""
    _, _, page = fetch(f"http://{server.host}/login/")
    (path,) = re.findall(r'href="(/static/server/page[^"]*\.css)"', page.decode())
    return f"http://{server.host}{path}"


def test_graphiql_loads_compressed_files_that_may_be_kept(production, chromium):
    page = chromium.new_page()
    files = []
    page.on("response", lambda answer: "/static/" in answer.url and files.append(answer))
    graphiql = GraphiqlPage(page, f"http://{production.host}")
    graphiql.open()
    while not all(any(part in file.url for file in files) for part in LAST_LOADED):
        page.wait_for_event("response")
    assert graphiql.console_errors == []
    size = 0
    for answer in files:
        headers = answer.all_headers()
        assert answer.status == 200, answer.url
        assert HASHED.search(answer.url), answer.url
        assert "immutable" in headers["cache-control"], answer.url
        assert f"max-age={10 * YEAR_SECONDS}" in headers["cache-control"]
        if answer.url.endswith((".js", ".css")):
            assert headers["content-encoding"] == "gzip", answer.url
        assert "script-src 'self'" in headers["content-security-policy"]
        size += int(headers["content-length"])
    assert size < MOST_BYTES
    page.close()


def test_no_server_complains_of_how_files_are_sent(production):
    fetch(style_sheet(production))
    assert COMPLAINT not in production.log


def test_a_file_that_is_known_is_not_sent_again(production):
    url = style_sheet(production)
    _, headers, body = fetch(url)
    assert body
    conditions = {"If_None_Match": headers["ETag"]}, {"If_Modified_Since": headers["Last-Modified"]}
    for condition in conditions:
        status, headers, body = fetch(url, **condition)
        assert (status, body) == (304, b"")
        assert "immutable" in headers["Cache-Control"]


def test_who_takes_no_compression_gets_none_and_a_part_where_it_asks_for_one(production):
    url = style_sheet(production)
    _, headers, whole = fetch(url)
    assert headers["Content-Encoding"] is None
    assert headers["Vary"] == "Accept-Encoding"
    _, headers, compressed = fetch(url, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed) == whole
    status, headers, body = fetch(url, method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(whole)), b"")
    status, headers, part = fetch(url, Range="bytes=5-14")
    assert (status, part) == (206, whole[5:15])


@pytest.mark.parametrize(
    "path",
    [
        *("/static/nothing.css", "/static/../manage.py", "/static/"),
        "/static/staticfiles.json",  # it has the dates and owners of all files
    ],
)
def test_what_is_no_file_is_not_found(production, path):
    status, _, _ = fetch(f"http://{production.host}{path}")
    assert status == 404


def test_a_page_that_was_opened_before_an_update_still_finds_its_parts(production):
    status, headers, _ = fetch(f"http://{production.host}/static/{FORMER_PART}")
    assert status == 200
    assert "immutable" in headers["Cache-Control"]


def test_a_demos_file_has_the_headers_of_every_page(demo):
    status, headers, _ = fetch(f"http://{demo.host}/static/server/page.css")
    assert (status, headers["Cache-Control"]) == (200, "max-age=0, public")
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_demos_missing_file_is_not_found(demo):
    status, _, _ = fetch(f"http://{demo.host}/static/nothing.css")
    assert status == 404
    assert "Traceback" not in demo.log


def test_the_icon_that_browsers_ask_for_is_there(production):
    status, headers, _ = fetch(f"http://{production.host}/favicon.ico")
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
