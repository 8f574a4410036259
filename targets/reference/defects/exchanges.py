"""Ways to put something wrong into requests as they are read and answers as they are sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from targets.reference.defects import edits
from targets.reference.model import HttpAnswer, HttpRequest
from targets.reference.service import IAM_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from targets.reference.model import Caller
    from targets.reference.reading import Query
    from targets.reference.service import Service

    Apply = Callable[[Service], None]
    OfRequest = Callable[[HttpRequest], bool]
    OfAnswer = Callable[[HttpRequest, HttpAnswer], bool]


@dataclass(frozen=True, slots=True)
class _Disguised(HttpRequest):
    """A request as it is read, with the one that was sent and signed."""

    sent: HttpRequest | None = None


def read_as(change: Callable[[HttpRequest], HttpRequest]) -> Apply:
    """Read requests as though they had come otherwise; their signatures count as they were made."""

    def disguise(request: HttpRequest) -> HttpRequest:
        read = change(request)
        if read == request:
            return request
        return _Disguised(read.method, read.target, read.headers, read.body, sent=request)

    def apply(service: Service) -> None:
        authenticate = service.authenticator.authenticate

        def of_what_was_sent(query: Query, name: str) -> Caller:
            sent = query.http.sent if isinstance(query.http, _Disguised) else None
            if sent is not None:
                query = replace(query, http=sent, raw_query=sent.target.partition("?")[2])
            return authenticate(query, name)

        service.before.append(disguise)
        edits.substitute(service.authenticator, "authenticate", of_what_was_sent)

    return apply


def form_read_as(change: Callable[[bytes], bytes]) -> Apply:
    """Read the forms of STS as though they had come otherwise."""

    def changed(request: HttpRequest) -> HttpRequest:
        if request.method != "POST" or f"Version={IAM_VERSION}".encode() in request.body:
            return request
        return replace(request, body=change(request.body))

    return read_as(changed)


def met(when: OfRequest, how: HttpAnswer) -> Apply:
    """Answer some requests before they are read."""
    return edits.request(lambda request: how if when(request) else request)


def where(when: OfAnswer, change: Callable[[HttpAnswer], HttpAnswer]) -> Apply:
    """Change some answers after they are rendered."""
    return edits.answer(lambda request, found: change(found) if when(request, found) else found)


def page(status: int, body: bytes = b"", **headers: str) -> HttpAnswer:
    """Return an answer of HTTP's means alone."""
    named = tuple((name.replace("_", "-").title(), value) for name, value in headers.items())
    return HttpAnswer(status, (*named, ("Content-Length", str(len(body)))), body)


def header_of(request: HttpRequest, name: str) -> str:
    """Return the value of a header, '' if there is none."""
    return next((value for key, value in request.headers if key == name), "")


def with_header(found: HttpAnswer, name: str, value: str | None) -> HttpAnswer:
    """Return an answer with another header, or without it."""
    rest = tuple(pair for pair in found.headers if pair[0].lower() != name.lower())
    return replace(found, headers=rest if value is None else (*rest, (name, value)))


def granted(_request: HttpRequest, found: HttpAnswer) -> bool:
    """Whether this grants a request, in XML."""
    return found.status == HTTPStatus.OK and found.body.startswith(b"<")


def refused(_request: HttpRequest, found: HttpAnswer) -> bool:
    """Whether this refuses a request of the Query protocol, in XML."""
    return found.body.startswith(b"<ErrorResponse")


def either(request: HttpRequest, found: HttpAnswer) -> bool:
    """Whether this is an answer of the Query protocol, in XML."""
    return granted(request, found) or refused(request, found)


def worded(pattern: str, other: str) -> Callable[[str | None], str | None]:
    """Return what replaces text in a message."""
    return lambda message: None if message is None else re.sub(pattern, other, message, flags=re.DOTALL)
