"""Reading a request: from HTTP to the Query protocol, or to the answer that it earns before that.

The order is the one AWS was observed to have (observed.yaml, auth-order): framing, then path and form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from targets.reference.model import HttpRequest, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORM = "application/x-www-form-urlencoded"
_HOME = "https://aws.amazon.com/iam"
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Query:
    """A request of the Query protocol."""

    http: HttpRequest
    path: str
    raw_query: str
    headers: Mapping[str, str]  # by lower-case name; of one sent twice the values joined by a comma
    url_parameters: Mapping[str, str]  # of the query string alone, decoded
    parameters: Mapping[str, str]  # of query string and form, decoded; of one sent twice the first

    @property
    def action(self) -> str:
        """The operation asked for."""
        return self.parameters["Action"]

    @property
    def version(self) -> str | None:
        """The API version asked for; None if none is named."""
        return self.parameters.get("Version")

    @property
    def wants_json(self) -> bool:
        """Whether the answer is to be JSON."""
        return self.headers.get("accept", "").partition(";")[0].strip() == "application/json"


class Elsewhere(Exception):  # noqa: N818 - the name says where the request leads
    """No request of the Query protocol: answered by HTTP's means alone."""

    def __init__(
        self, status: int, body: bytes = b"", *, identified: bool = True, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.identified = identified  # whether the answer carries request ids
        self.headers = tuple(headers)


def check_size(request: HttpRequest, limit: int) -> None:
    """Raise Elsewhere for a body of more than `limit` bytes (observed.yaml, proto-body-limit-over)."""
    if len(request.body) > limit:
        raise Elsewhere(413, identified=False)


def read(request: HttpRequest) -> Query:
    """Read `request`.

    Raises:
        Elsewhere: it leads to the documentation, to nothing, or is not well-formed.
        Refused: the query string is malformed.
    """
    path, _, raw_query = request.target.partition("?")
    headers = _headers(request.headers)
    _preflight(request.method, headers)
    if _BROKEN_PERCENT.search(path):
        raise Elsewhere(400, identified=False)
    refuse_broken_query(raw_query)
    url_parameters = decode(raw_query.encode("latin-1"))
    parameters = dict(url_parameters)
    is_form = request.method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
    if is_form:
        for name, value in decode(request.body).items():
            parameters.setdefault(name, value)
    if path != "/" and "Action" not in parameters:
        raise Elsewhere(404, b"<UnknownOperationException/>\n")
    _classified(request.method, headers, is_form=is_form)
    if "Action" not in parameters:
        raise home(raw_query)
    return Query(request, path, raw_query, headers, url_parameters, parameters)


def home(raw_query: str = "") -> Elsewhere:
    """Lead to the documentation (observed.yaml, proto-missing-action)."""
    location = f"{_HOME}?{raw_query}" if raw_query else _HOME
    return Elsewhere(302, headers=[("Location", location)])


def _headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value.strip()}" if name in found else value.strip()
    return found


def _preflight(method: str, headers: Mapping[str, str]) -> None:
    """Answer a browser's question whether it may POST (observed.yaml, proto-cors-preflight)."""
    if method != "OPTIONS" or "origin" not in headers or "access-control-request-method" not in headers:
        return
    exposed = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date,smithy-protocol"
    raise Elsewhere(
        200,
        headers=[
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Expose-Headers", exposed),
            ("Access-Control-Max-Age", "172800"),
        ],
    )


def refuse_broken_query(raw_query: str) -> None:
    """Raise Refused for a broken percent escape (observed.yaml, auth-malformed-query)."""
    broken = _BROKEN_PERCENT.search(raw_query)
    if broken is None:
        return
    rest = raw_query[broken.start() :]
    if len(rest) < 3:  # noqa: PLR2004 - a percent sign and two digits
        raise Refused("malformed-query-string", "Incomplete trailing escape % sequence")
    raise Refused("malformed-query-string", f"Illegal hex character in escape % pattern: {rest[:3]}")


def _classified(method: str, headers: Mapping[str, str], *, is_form: bool) -> None:
    """Turn away what is neither a GET nor a form (observed.yaml, auth-bad-method, auth-bad-content-type)."""
    if method not in {"GET", "POST"}:
        raise home()
    if method == "POST" and not is_form:
        if "content-type" not in headers:
            raise home()
        page = b"<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>\n"
        raise Elsewhere(403, page, headers=[("Content-Type", "text/html")])


def decode(form: bytes) -> dict[str, str]:
    """Decode form or query parameters; of one sent twice the first counts."""
    found: dict[str, str] = {}
    seen = {b""}  # as they are spelled: a name that is repeated a million times is read once
    for part in form.split(b"&"):
        name, _, value = part.partition(b"=")
        if name not in seen or (not name and value):
            seen.add(name)
            found.setdefault(_text(name), _text(value))
    return found


def _text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", errors="replace")
