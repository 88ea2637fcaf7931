"""A connection's language is what its Accept-Language header prefers among ours."""

import pytest

from live.socket.language import language_of


def header(value):
    return [(b"host", b"localhost"), (b"accept-language", value.encode("latin-1"))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr-CA", "fr"),
        ("fr-CA, en;q=0.8", "fr"),
        ("en;q=0.5, fr;q=0.9", "fr"),
        ("de, fr;q=0.2", "fr"),
        ("de", "en"),
        ("*", "en"),
        ("de, *;q=0.5, fr;q=0.1", "en"),
        ("", "en"),
        ("fr;q=0", "en"),
        ("fr;q=nonsense", "en"),
        ("\xe9\xe8;;,,=", "en"),
        ("x" * 5000, "en"),
        (", ".join(["de"] * 5000), "en"),
    ],
)
def test_the_best_supported_language_is_chosen(value, expected):
    assert language_of(header(value)) == expected


def test_no_header_is_the_servers_language(settings):
    assert language_of([]) == "en"
    settings.LANGUAGE_CODE = "fr"
    assert language_of([]) == "fr"
    assert language_of(header("de")) == "fr"


def test_the_headers_name_has_any_case_and_may_come_twice():
    assert language_of([(b"Accept-Language", b"fr")]) == "fr"
    assert language_of([(b"accept-language", b"de"), (b"accept-language", b"fr;q=0.5")]) == "fr"
