"""Signature Version 4 as STS checks it: in headers and in query strings.

botocore computes what the signature ought to be; here it is compared. The order of the checks and their
wording are AWS's (observed.yaml, the entries auth-*).
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from targets.reference.reading import Query

ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SCOPE_PARTS = 5
_WINDOW = 15  # minutes
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature."""

    access_key_id: str
    scope_date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str  # 20261231T235959Z
    moment: datetime  # the same
    token: str | None
    expires_seconds: int = 0  # of a presigned request


def claim_of(query: Query) -> Claim | None:
    """Read the signature; None if there is none.

    Raises:
        Refused: signed twice, not made to the rules, or not dated.
    """
    authorization = query.headers.get("authorization")
    algorithm = query.url_parameters.get("X-Amz-Algorithm")
    if authorization is not None and algorithm is not None:
        raise Refused("signed-twice")
    if authorization is not None:
        return _from_header(query, authorization)
    if algorithm is None:
        return None
    if algorithm != ALGORITHM:
        raise Refused("unknown-query-algorithm", "Request is missing Authentication Token")
    return _from_query(query.url_parameters)


def _from_header(query: Query, authorization: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise Refused("incomplete-signature", f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parts: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in rest.split(","))):
        name, sign, value = part.partition("=")
        if not sign:
            raise Refused(
                "incomplete-signature",
                f"'{part}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{_without_signature(authorization)}'.",
            )
        parts[name] = value
    stamp = query.headers.get("x-amz-date") or query.headers.get("date") or ""
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not stamp:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if missing:
        missing.append(f"Authorization={_without_signature(authorization)}")
        raise Refused("incomplete-signature", " ".join(missing))
    token = query.headers.get("x-amz-security-token")
    return _claim(parts["Credential"], parts["SignedHeaders"], parts["Signature"], stamp, token)


def _without_signature(authorization: str) -> str:
    """Name the header without what could be used again."""
    return re.sub(r"Signature=[^,\s]*", "Signature=...", authorization, flags=re.ASCII)


def _from_query(parameters: Mapping[str, str]) -> Claim:
    names = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    missing = [f"AWS query-string parameters must include '{name}'." for name in names if not parameters.get(name)]
    if missing:
        raise Refused(
            "incomplete-query-signature", f"{' '.join(missing)} Re-examine the query-string parameters."
        )
    credential, signature, signed_headers, stamp = (parameters[name] for name in names)
    expires = parameters.get("X-Amz-Expires", "0")
    seconds = int(expires) if re.fullmatch("[0-9]{1,7}", expires) else 0
    token = parameters.get("X-Amz-Security-Token")
    return _claim(credential, signed_headers, signature, stamp, token, expires=seconds)


def _claim(
    credential: str,
    signed_headers: str,
    signature: str,
    stamp: str,
    token: str | None,
    *,
    expires: int = 0,
) -> Claim:
    moment = _moment(stamp)
    if moment is None:
        raise Refused(
            "incomplete-signature",
            f"Date must be in ISO-8601 'basic format'. Got '{stamp}'. See http://en.wikipedia.org/wiki/ISO_8601",
        )
    parts = credential.rsplit("/", _SCOPE_PARTS - 1)
    if len(parts) != _SCOPE_PARTS:
        raise Refused(
            "incomplete-signature",
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'",
        )
    key, date, region, service, terminator = parts
    names = tuple(name.lower() for name in signed_headers.split(";"))
    return Claim(key, date, region, service, terminator, names, signature, stamp, moment, token, expires)


def _moment(stamp: str) -> datetime | None:
    """Read a date in the basic form of ISO 8601; None if it is none, or does not exist."""
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None


# What a claim is held against, in AWS's order; the key comes in between, see `authentication`.


def check_host_signed(claim: Claim) -> None:
    """Refuse if Host is not signed (observed.yaml, auth-host-not-signed)."""
    if not {"host", ":authority"} & set(claim.signed_headers):
        raise Refused(
            "host-not-signed", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )


def check_scope_date(claim: Claim) -> None:
    """Refuse a scope of another day than the request's (observed.yaml, auth-scope-date)."""
    if claim.scope_date != claim.stamp[:8]:
        raise Refused(
            "scope-date-differs",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.scope_date}' != '{claim.stamp[:8]}', from '{claim.stamp}'.",
        )


def check_scope(claim: Claim, region: str, service: str) -> None:
    """Refuse a scope that is not the endpoint's (observed.yaml, auth-wrong-region, auth-wrong-region-service)."""
    wrong_region = claim.region != region
    wrong_service = claim.service != service
    message = ""
    if wrong_region:
        message += "Credential should be scoped to a valid region. "
    if wrong_service:
        message += f"Credential should be scoped to correct service: '{service}'. "
    if claim.terminator != "aws4_request":
        message += "Credential should be scoped with a valid terminator: 'aws4_request'. "
    if message:
        both = "wrong-region-and-service" if wrong_region and wrong_service else ""
        raise Refused(both or ("wrong-region" if wrong_region else "wrong-service"), message)


def check_date(claim: Claim, now: datetime) -> None:
    """Refuse a date that is not near (Common Errors > RequestExpired; observed.yaml, auth-signature-expired).

    The end of a presigned request counts instead of its date, as the documents say.
    """
    window = timedelta(minutes=_WINDOW)
    if claim.moment + timedelta(seconds=claim.expires_seconds) < now - window:
        raise Refused(
            "stale-date",
            f"Signature expired: {claim.stamp} is now earlier than {_stamp(now - window)} "
            f"({_stamp(now)} - {_WINDOW} min.)",
        )
    if claim.moment > now + window:
        raise Refused(
            "future-date",
            f"Signature not yet current: {claim.stamp} is still later than {_stamp(now + window)} "
            f"({_stamp(now)} + {_WINDOW} min.)",
        )


def check_signature(claim: Claim, query: Query, secret: str) -> None:
    """Compare with what botocore computes for the same request (observed.yaml, auth-bad-signature)."""
    if not hmac.compare_digest(expected(claim, query, secret).encode(), claim.signature.encode("utf-8", "replace")):
        raise Refused("signature-mismatch", MISMATCH)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


class _Sigv4(SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    """botocore's SigV4 over the headers that the client says it signed, over its scope, and over the true body."""

    def __init__(self, claim: Claim, secret: str) -> None:
        super().__init__(Credentials(claim.access_key_id, secret), claim.service, claim.region)
        self._claim = claim

    def headers_to_sign(self, request: AWSRequest) -> Any:
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        return sha256(request.data).hexdigest()

    def canonical_request(self, request: AWSRequest) -> str:
        canonical = str(super().canonical_request(request))
        if "x-amz-content-sha256" in request.headers:
            # A body hash that the client names counts for nothing (observed.yaml, auth-unsigned-payload).
            canonical = f"{canonical.rpartition(chr(10))[0]}\n{self.payload(request)}"
        return canonical

    def credential_scope(self, _request: AWSRequest) -> str:
        claim = self._claim
        return f"{claim.scope_date}/{claim.region}/{claim.service}/{claim.terminator}"


def expected(claim: Claim, query: Query, secret: str) -> str:
    """Return the signature that `secret` makes for `query`.

    The path counts as /: whatever else was signed for does not match (observed.yaml, proto-non-root-path-query).
    """
    url = "http://signed/"
    if query.raw_query:
        parts = [part for part in query.raw_query.split("&") if not part.startswith("X-Amz-Signature=")]
        url += "?" + "&".join(parts)
    request = AWSRequest(method=query.http.method, url=url, data=query.http.body)
    for name, value in query.http.headers:
        if name in claim.signed_headers:
            request.headers[name] = value
    request.context["timestamp"] = claim.stamp
    auth = _Sigv4(claim, secret)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    request.context["timestamp"] = claim.scope_date
    return str(auth.signature(to_sign, request))
