"""From a case's request to the bytes that go out: values put in, encoded, signed by botocore's SigV4.

What is wrong with a signature on purpose is wrong only in that: everything else is computed as it should.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from generators.expectation import fill
from targets.aws import in_partition
from targets.percent import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generators.case import Request
    from specs.model import Signing
    from targets.credentials import Credentials
    from targets.endpoint import Endpoint

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]", re.ASCII)  # a tab is fine in a header
_ELSEWHERE = "us-gov-west-1"
Pairs = tuple[tuple[str, str], ...]


class Unsendable(ValueError):  # noqa: N818 - what the request is
    """A request with a control character where HTTP has no room for one; the text does not show it."""


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A request as bytes-to-be: what is sent, and when it claims to have been made."""

    method: str
    target: str  # path and query, as in the request line
    headers: Pairs
    body: bytes
    made_at: datetime  # UTC, by the real clock

    def __repr__(self) -> str:
        # Headers, query and body carry tokens and signatures.
        return f"<{self.method} {self.target.partition('?')[0]}, {len(self.body)} bytes>"

    @property
    def text(self) -> str:
        """All of the request that an answer may repeat: as it is sent, and with its escapes undone."""
        sent = "\n".join((self.target, *(value for _, value in self.headers), self.body.decode("latin-1")))
        return f"{sent}\n{unquote_plus(sent)}" if "%" in sent else sent

    def to_bytes(self) -> bytes:
        """Return the request in HTTP/1.1. Raises Unsendable for what would break out of its line."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        if any(_CONTROL.search(line) for line in lines):
            raise Unsendable("not sent: a control character in its request line or headers")
        return "\r\n".join((*lines, "", "")).encode("latin-1", errors="replace") + self.body


@dataclass(frozen=True, slots=True)
class Signer:
    """What signatures of a run are made with."""

    endpoint: Endpoint
    region: str
    service: str = "sts"


class _Auth(SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    """botocore's SigV4, with the Host header left out of the signed ones if that is the case's point."""

    host_signed = True

    def headers_to_sign(self, request: AWSRequest) -> Any:
        headers = super().headers_to_sign(request)
        if not self.host_signed:
            del headers["host"]
        return headers


def filled(request: Request, values: Mapping[str, str], partition: str = "aws") -> Request:
    """Put the run's values for the placeholders of a case's request, and ARNs of the run into its partition.

    What comes of it is sent as it is: a value that looks like a placeholder itself is none. Raises KeyError for
    unknown placeholders.
    """
    pairs = ((n, None if v is None else fill(in_partition(v, partition), values)) for n, v in request.parameters)
    return replace(request, parameters=tuple(pairs))


def prepare(request: Request, signer: Signer, credentials: Credentials | None, now: datetime) -> Prepared:
    """Encode and sign `request` as it is (see `filled`); `credentials` None leaves it unsigned."""
    pairs = list(request.parameters)
    path = signer.endpoint.path + request.path
    query, body = "", b""
    if request.send == "query":
        query = encode(pairs, "%20", request.encoding)
    else:
        form = (encode(pairs, request.space, request.encoding).encode(), request.raw_body.encode("latin-1"))
        body = _padded(b"&".join(filter(None, form)), request.body_bytes)
    query = "&".join(filter(None, (query, request.raw_query)))
    headers = [("Host", signer.endpoint.authority), *request.headers]
    if request.content_type is not None:
        headers.append(("Content-Type", request.content_type))
    unsigned = Prepared(request.method, _target(path, query), tuple(headers), body, now)
    signed = unsigned
    if credentials is not None and request.signing.by != "none":
        signed = _signed(unsigned, signer, credentials, request.signing)
    if signed.body or signed.method in {"POST", "PUT", "PATCH"}:
        signed = replace(signed, headers=(*signed.headers, ("Content-Length", str(len(signed.body)))))
    return signed


def encode(pairs: list[tuple[str, str | None]], space: str, encoding: str = "") -> str:
    """Percent-encode parameters; a None value is sent as the bare name. `encoding` as in Request."""
    parts = []
    for name, value in pairs:
        encoded = escaped(name, encoding)
        if value is not None:
            encoded += "=" + escaped(value, encoding).replace("%20", space)
        parts.append(encoded)
    return "&".join(parts)


def _padded(body: bytes, size: int | None) -> bytes:
    if size is None:
        return body
    body += b"&Padding="
    return body + b"x" * (size - len(body))


def _target(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _signed(unsigned: Prepared, signer: Signer, credentials: Credentials, signing: Signing) -> Prepared:
    """Sign in the way that `signing` asks for, then spoil what it wants spoilt."""
    if signing.by == "query":
        signed = _presigned(unsigned, signer, credentials, signing)
    else:
        signed = _header_signed(unsigned, signer, credentials, signing)
    if signing.alter == "body-after-signing":
        return replace(signed, body=signed.body + b"&Unknown=altered")
    if signing.alter == "header-and-query":
        again = _header_signed(unsigned, signer, credentials, signing)
        extra = tuple(pair for pair in again.headers if pair not in signed.headers)
        return replace(signed, headers=(*signed.headers, *extra))
    return signed


def _times(unsigned: Prepared, signing: Signing) -> tuple[str, str]:
    """Return the time of the signature and that of its scope."""
    moment = unsigned.made_at + timedelta(seconds=signing.skew_seconds)
    scope = moment - timedelta(days=2) if signing.alter == "scope-date" else moment
    return moment.strftime(_STAMP), scope.strftime(_STAMP)


def scope_region(signing: Signing, region: str) -> str:
    """Return the region of the credential scope for a target in `region`: one that a case names is another."""
    return _ELSEWHERE if signing.region == region else signing.region or region


def _auth(signer: Signer, credentials: Credentials, signing: Signing) -> _Auth:
    keys = BotoCredentials(credentials.access_key_id, credentials.secret_access_key)
    auth = _Auth(keys, signing.service or signer.service, scope_region(signing, signer.region))
    auth.host_signed = signing.alter != "host-not-signed"
    return auth


def _signature(
    auth: _Auth, request: AWSRequest, stamp: str, scope_stamp: str, body: bytes
) -> str:
    request.context["timestamp"] = scope_stamp
    request.data = body
    canonical = auth.canonical_request(request)
    # The scope may carry another date than the request; the second line is the request's.
    to_sign = auth.string_to_sign(request, canonical).replace(scope_stamp, stamp, 1)
    return str(auth.signature(to_sign, request))


def _header_signed(
    unsigned: Prepared, signer: Signer, credentials: Credentials, signing: Signing
) -> Prepared:
    stamp, scope_stamp = _times(unsigned, signing)
    if signing.alter == "date-format":  # 2026-01-31T23:59:59Z instead of 20260131T235959Z
        stamp = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}"
    auth = _auth(signer, credentials, signing)
    headers = [*unsigned.headers]
    if signing.date_header == "date":
        headers.append(("Date", stamp))
    else:
        headers.append(("X-Amz-Date", stamp))
    if signing.date_header == "both-differ":
        old = unsigned.made_at - timedelta(days=1)
        headers.append(("Date", old.strftime("%a, %d %b %Y %H:%M:%S GMT")))
    if credentials.session_token is not None:
        headers.append(("X-Amz-Security-Token", credentials.session_token))
    if signing.alter == "unsigned-payload":
        headers.append(("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"))
    request = _aws_request(unsigned, signer, headers)
    signature = _signature(auth, request, stamp, scope_stamp, unsigned.body)
    names = auth.signed_headers(auth.headers_to_sign(request))
    authorization = _authorization(auth.scope(request), names, signature, signing)
    if signing.alter == "drop-date":
        headers = [pair for pair in headers if pair[0] not in {"X-Amz-Date", "Date"}]
    return replace(unsigned, headers=(*headers, ("Authorization", authorization)))


def _aws_request(unsigned: Prepared, signer: Signer, headers: list[tuple[str, str]]) -> AWSRequest:
    url = f"{signer.endpoint.scheme}://{signer.endpoint.authority}{unsigned.target}"
    request = AWSRequest(method=unsigned.method, url=url)
    for name, value in headers:
        request.headers[name] = value
    return request


def _authorization(scope: str, names: str, signature: str, signing: Signing) -> str:
    parts = {"credential": f"Credential={scope}", "signed-headers": f"SignedHeaders={names}",
             "signature": f"Signature={signature}"}  # fmt: skip
    spoil: dict[str, Callable[[], object]] = {
        "drop-credential": lambda: parts.pop("credential"),
        "drop-signed-headers": lambda: parts.pop("signed-headers"),
        "drop-signature": lambda: parts.pop("signature"),
        "not-key-value": lambda: parts.update(credential=scope),
        "credential-parts": lambda: parts.update(credential=f"Credential={_four_parts(scope)}"),
        "signature-flipped": lambda: parts.update(signature=f"Signature={_flipped(signature)}"),
    }
    spoil.get(signing.alter or "", dict)()
    algorithm = "AWS3-HMAC-SHA256" if signing.alter == "algorithm" else _ALGORITHM
    return f"{algorithm} {', '.join(parts.values())}"


def _four_parts(scope: str) -> str:
    key, date, _region, service, end = scope.rsplit("/", 4)
    return "/".join((key, date, service, end))


def _flipped(signature: str) -> str:
    return signature[:-1] + ("0" if signature[-1] != "0" else "1")


def _presigned(unsigned: Prepared, signer: Signer, credentials: Credentials, signing: Signing) -> Prepared:
    stamp, scope_stamp = _times(unsigned, signing)
    auth = _auth(signer, credentials, signing)
    request = _aws_request(unsigned, signer, [*unsigned.headers])
    request.context["timestamp"] = scope_stamp
    scope = auth.scope(request)
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA512" if signing.alter == "algorithm" else _ALGORITHM,
        "X-Amz-Credential": scope,
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(signing.expires_seconds or 60),
        "X-Amz-SignedHeaders": auth.signed_headers(auth.headers_to_sign(request)),
    }
    if credentials.session_token is not None:
        parameters["X-Amz-Security-Token"] = credentials.session_token
    dropped = {
        "drop-credential": "X-Amz-Credential",
        "drop-signed-headers": "X-Amz-SignedHeaders",
        "drop-date": "X-Amz-Date",
        "drop-algorithm": "X-Amz-Algorithm",
    }.get(signing.alter or "")
    parameters.pop(dropped or "", None)
    joint = "&" if "?" in unsigned.target else "?"
    target = unsigned.target + joint + encode(list(parameters.items()), "%20")
    request = _aws_request(replace(unsigned, target=target), signer, [*unsigned.headers])
    signature = _signature(auth, request, stamp, scope_stamp, unsigned.body)
    if signing.alter != "drop-signature":
        target += f"&X-Amz-Signature={signature}"
    return replace(unsigned, target=target)
