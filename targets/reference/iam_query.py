"""IAM's Query protocol, by the model that botocore ships: reading a request's members, writing an answer.

The model gives each member's constraints, each error's status and the order of elements; nothing of botocore's
code is used, so nothing of a user's own folders or environment is looked at.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from targets.reference.constraints import Member, validate
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERSION = "2010-05-08"
NAMESPACE = f"https://iam.amazonaws.com/doc/{VERSION}/"
_CODES = {"malformed-integer": "MalformedInput", "empty-integer": "MalformedInput"}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_READ_AS = {"integer": "integer", "list": "list", "structure": "structure"}


class Fault(Exception):  # noqa: N818 - as IAM calls it
    """IAM turns a request down."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Protocol:
    """What botocore's model says of IAM's operations."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._operations: Mapping[str, Any] = model["operations"]
        self._shapes: Mapping[str, Any] = model["shapes"]
        self._tables: dict[str, dict[str, Member]] = {}
        errors = (shape.get("error") for shape in self._shapes.values())
        self._statuses: dict[str, int] = {error["code"]: error["httpStatusCode"] for error in errors if error}

    def read(self, action: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return the input members of an operation of the model; raises Fault for all that break a constraint."""
        table = self._tables.get(action)
        if table is None:
            shape = self._operations[action].get("input")
            members = self._member(shape["shape"]).fields if shape else {}
            table = self._tables[action] = dict(members)
        try:
            return validate(table, parameters)
        except Refused as refused:
            code = _CODES.get(refused.refusal, "ValidationError")
            raise Fault(code, refused.message or "The input is malformed.") from None

    def write(self, action: str, result: Mapping[str, Any] | None, request_id: str) -> bytes:
        """Render what an operation of the model returned."""
        out = [f'<{action}Response xmlns="{NAMESPACE}">\n']
        output = self._operations[action].get("output")
        if output is not None:
            self._element(out, output.get("resultWrapper", f"{action}Result"), output["shape"], result or {})
        out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>\n")
        return "".join(out).encode()

    def fail(self, fault: Fault, request_id: str) -> tuple[int, bytes]:
        """Render a refusal, with its status."""
        status = self._statuses.get(fault.code, 400)
        kind = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004 - the first of the server's errors
        body = (
            f'<ErrorResponse xmlns="{NAMESPACE}">\n<Error><Type>{kind}</Type><Code>{fault.code}</Code>'
            f"<Message>{_escaped(fault.message)}</Message></Error>\n<RequestId>{request_id}</RequestId></ErrorResponse>\n"
        )
        return status, body.encode()

    def _member(self, name: str, *, required: bool = False) -> Member:
        shape = self._shapes[name]
        kind = shape["type"]
        low, high = shape.get("min"), shape.get("max")
        lengths = (None, None) if kind == "integer" else (low, high)
        item = self._member(shape["member"]["shape"]) if kind == "list" else None
        return Member(
            type=_READ_AS.get(kind, "string"),
            required=required,
            min_length=lengths[0],
            max_length=lengths[1],
            min=low if kind == "integer" else None,
            max=high if kind == "integer" else None,
            pattern="true|false" if kind == "boolean" else "|".join(shape.get("enum", ())) or shape.get("pattern"),
            item=item,
            fields={
                field: self._member(inner["shape"], required=field in shape.get("required", ()))
                for field, inner in shape.get("members", {}).items()
            },
        )

    def _element(self, out: list[str], name: str, shape_name: str, value: Any) -> None:
        shape = self._shapes[shape_name]
        out.append(f"<{name}>")
        if shape["type"] == "structure":
            for field, inner in shape["members"].items():
                if value.get(field) is not None:
                    self._element(out, field, inner["shape"], value[field])
        elif shape["type"] == "list":
            for entry in value:
                self._element(out, "member", shape["member"]["shape"], entry)
        else:
            out.append(_escaped(_written(shape_name, shape["type"], value)))
        out.append(f"</{name}>\n")


@cache
def protocol() -> Protocol:
    """Read the model that the installed botocore ships: some 20 ms, once in a process. It is never changed."""
    packed = resources.files("botocore").joinpath("data", "iam", VERSION, "service-2.json.gz").read_bytes()
    return Protocol(json.loads(gzip.decompress(packed)))


def _written(shape_name: str, kind: str, value: Any) -> str:
    if kind == "timestamp":
        moment: datetime = value
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "blob":
        return base64.b64encode(value).decode()
    # IAM percent-encodes policy documents, and clients decode them.
    return quote(value, safe="") if shape_name == "policyDocumentType" else str(value)


def _escaped(text: str) -> str:
    """Escape for XML; what XML 1.0 cannot hold becomes U+FFFD."""
    return escape(_UNPRINTABLE.sub("\ufffd", text), {"\r": "&#xD;"})
