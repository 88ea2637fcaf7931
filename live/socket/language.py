"""The language that a connection asked for."""

from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header


def language_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the best supported language for ASGI `headers` (pairs of bytes).

    Accept-Language is read as RFC 9110, section 12.5.4 has it; without one, or with none
    that is supported, it is `settings.LANGUAGE_CODE`.
    """
    accepted = ",".join(v.decode("latin-1") for k, v in headers if k.lower() == b"accept-language")
    for code, quality in parse_accept_lang_header(accepted):
        if code == "*" or not quality:
            break  # they come by quality; one of 0 is not acceptable
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
