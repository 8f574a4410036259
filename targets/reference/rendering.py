"""Answers as AWS lays them out: XML with two spaces for each level, or JSON where only that is accepted.

Layout, namespaces and headers: observed.yaml, proto-success-layout, proto-error-layout, proto-json-success.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from specs.contract import XML_NAMESPACE
from targets.reference.model import HttpAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# An element: its text, a number, a moment, or its children in order. None is left out.
Leaf = str | int | datetime
Tree = Leaf | dict[str, "Tree | None"]
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every answer is marked with."""

    request_id: str
    extended_id: str
    now: datetime


def extended_id(region: str, now: datetime, nonce: str) -> str:
    """Return an x-amz-sts-extended-request-id (observed.yaml, proto-extended-request-id)."""
    text = f"1:{region}:S:{int(now.timestamp() * 1000)}:R:{nonce}"
    return base64.b64encode(text.encode()).decode()


def success(action: str, wrapper: str, result: dict[str, Tree | None], stamp: Stamp, *, as_json: bool) -> HttpAnswer:
    """Render what an operation returned."""
    tree: dict[str, Tree | None] = {wrapper: result, "ResponseMetadata": {"RequestId": stamp.request_id}}
    if as_json:
        return document(200, json_text({f"{action}Response": tree}), stamp, content_type="application/json")
    return document(200, xml_text(f"{action}Response", tree, XML_NAMESPACE), stamp)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What a refusal says."""

    status: int
    code: str
    message: str | None
    namespace: str = XML_NAMESPACE
    type: str = "Sender"


def failure(error: ErrorBody, stamp: Stamp, *, as_json: bool) -> HttpAnswer:
    """Render a refusal."""
    tree: dict[str, Tree | None] = {
        "Error": {"Type": error.type, "Code": error.code, "Message": error.message},
        "RequestId": stamp.request_id,
    }
    if as_json:
        return document(error.status, json_text(tree), stamp, content_type="application/json")
    return document(error.status, xml_text("ErrorResponse", tree, error.namespace), stamp)


def document(status: int, body: str, stamp: Stamp, *, content_type: str = "text/xml") -> HttpAnswer:
    """Put a body into an answer with the headers that AWS sends."""
    data = body.encode("utf-8")
    headers = (*identified(stamp), ("Content-Type", content_type), *framed(data, stamp.now))
    return HttpAnswer(status, headers, data)


def identified(stamp: Stamp) -> tuple[tuple[str, str], ...]:
    """Return the headers that name the request."""
    return (
        ("x-amzn-RequestId", stamp.request_id),
        ("x-amz-sts-extended-request-id", stamp.extended_id),
    )


def framed(body: bytes, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return the headers that every answer has."""
    return ("Content-Length", str(len(body))), ("Date", format_datetime(now.astimezone(UTC), usegmt=True))


def xml_text(root: str, tree: Mapping[str, Tree | None], namespace: str) -> str:
    """Lay a document out: no declaration, two spaces a level, one line break at the end."""
    lines: list[str] = []
    _element(lines, root, dict(tree), "", f' xmlns="{namespace}"')
    return "\n".join(lines) + "\n"


def _element(lines: list[str], name: str, value: Tree, indent: str, attributes: str = "") -> None:
    if not isinstance(value, dict):
        lines.append(f"{indent}<{name}{attributes}>{_escaped(_written(value))}</{name}>")
        return
    lines.append(f"{indent}<{name}{attributes}>")
    for child, inner in value.items():
        if inner is not None:
            _element(lines, child, inner, indent + "  ")
    lines.append(f"{indent}</{name}>")


def _written(value: Leaf) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)


def _escaped(text: str) -> str:
    """Escape for XML; what XML 1.0 cannot hold becomes U+FFFD."""
    return escape(_UNPRINTABLE.sub("\ufffd", text), {"\r": "&#xD;"})


def json_text(tree: Mapping[str, Tree | None]) -> str:
    """Write JSON as AWS does: names in alphabetical order, moments as seconds since 1970."""
    return json.dumps(_plain(dict(tree)), separators=(",", ":"), sort_keys=True)


def _plain(value: Tree) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    return int(value.timestamp()) if isinstance(value, datetime) else value


def bare(status: int, body: bytes, headers: Iterable[tuple[str, str]], stamp: Stamp, *, named: bool) -> HttpAnswer:
    """Answer by HTTP's means alone: a redirect, nothing there, too large."""
    ids = identified(stamp) if named else ()
    return HttpAnswer(status, (*ids, *headers, *framed(body, stamp.now)), body)
