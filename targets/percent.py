"""Percent-encoding of parameters, in the ways that mean the same."""

from __future__ import annotations

import re
from urllib.parse import quote

_UNRESERVED = "-_.~"
_ESCAPE = re.compile("%[0-9A-F]{2}")


def escaped(text: str, encoding: str = "") -> str:
    """Escape what must be, in UTF-8; of `encoding` 'lower' with small letters, of 'all' every byte.

    Half a surrogate pair becomes bytes that are no UTF-8.
    """
    if encoding == "all":
        return "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))
    found = quote(text, safe=_UNRESERVED, errors="surrogatepass")
    return _ESCAPE.sub(lambda m: m[0].lower(), found) if encoding == "lower" else found
