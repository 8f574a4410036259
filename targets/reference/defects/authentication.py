"""Defects of authentication: specs/sts/authentication.yaml."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from targets.reference.defects import claims, edits
from targets.reference.defects.registry import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from targets.reference.model import Principal, Session
    from targets.reference.reading import Query
    from targets.reference.signature import Claim

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_HALF_A_DAY = timedelta(hours=12)


def defects() -> Iterator[Defect]:
    """Yield the defects of all rules of authentication."""
    yield from _unsigned()
    yield from _keys()
    yield from _signatures()
    yield from _scopes()
    yield from _dates()
    yield from _headers()
    yield from _query_strings()
    yield from _date_headers()
    yield from _sessions()


def _unsigned() -> Iterator[Defect]:
    rule = "common.error.missing-authentication-token"
    for method in ("POST", "GET"):
        says = f"a {method} without a signature is taken"
        yield Defect(rule, f"unsigned-{method.lower()}-taken", says, claims.unsigned(method=method))
    rules = {
        "AssumeRole": "assume-role.wire.request.authparams",
        "GetFederationToken": "get-federation-token.wire.request.authparams",
        "GetSessionToken": "get-session-token.wire.request.authparams",
        "DecodeAuthorizationMessage": "decode-authorization-message.wire.request.authparams",
        "GetAccessKeyInfo": "get-access-key-info.authentication",
    }
    for operation, rule in rules.items():
        yield Defect(rule, "unsigned-taken", f"{operation} needs no signature", claims.unsigned(operation))


def _is_presigned(query: Query) -> bool:
    return "X-Amz-Algorithm" in query.url_parameters


def _keys() -> Iterator[Defect]:
    rule = "common.error.invalid-client-token-id"

    def is_long_term(query: Query) -> bool:
        return "Credential=AKIA" in query.headers.get("authorization", "")

    yield Defect(
        rule, "any-key", "an access key id that nobody has is good", claims.let_in("unknown-key", is_long_term)
    )
    yield Defect(
        rule, "any-key-presigned", "of a presigned request, an access key id that nobody has is good",
        claims.let_in("unknown-key", _is_presigned),
    )  # fmt: skip


def _signatures() -> Iterator[Defect]:
    rule = "common.authentication.signature"
    yield Defect(
        rule, "header-not-compared", "a signature in the header may be any",
        claims.uncompared(lambda claim, query: not _is_presigned(query) and claim.token is None),
    )  # fmt: skip
    yield Defect(
        rule, "presigned-not-compared", "a signature in the query string may be any",
        claims.uncompared(lambda _, query: _is_presigned(query)),
    )  # fmt: skip
    yield Defect(rule, "last-digit-ignored", "the last digit of a signature may be any", claims.digits_compared(63))
    yield Defect(
        rule, "session-not-compared", "a signature that comes with a session token may be any",
        claims.uncompared(lambda claim, _: claim.token is not None),
    )  # fmt: skip
    rule = "common.authentication.body"
    yield Defect(
        rule, "form-not-covered", "the signature of a form may be any",
        claims.uncompared(lambda _, query: query.http.method == "POST"),
    )  # fmt: skip
    yield Defect(
        rule, "unsigned-payload-taken", "a request that says UNSIGNED-PAYLOAD is taken",
        claims.uncompared(lambda _, query: query.headers.get("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"),
    )  # fmt: skip


def _own_region(claim: Claim, region: str, _service: str) -> Claim:
    return replace(claim, region=region)


def _own_service(claim: Claim, _region: str, service: str) -> Claim:
    return replace(claim, service=service)


def _foreign_unread(claim: Claim, region: str, service: str) -> Claim:
    return claim if claim.region == region else replace(claim, region=region, service=service)


def _scopes() -> Iterator[Defect]:
    yield Defect(
        "common.authentication.scope-region", "any-region", "the scope may name any region", claims.scope(_own_region)
    )
    rule = "get-caller-identity.wire.request.scope-service"
    yield Defect(rule, "any-service", "the scope may name any service", claims.scope(_own_service))
    yield Defect(
        rule, "foreign-scope-not-read", "the scope of another region may name any service",
        claims.scope(_foreign_unread),
    )  # fmt: skip
    rule = "common.parameter.x-amz-credential.format"
    yield Defect(
        rule, "region-left-out", "a scope without a region is one of the endpoint's region",
        claims.authorization(lambda text: re.sub(r"(=\w+/\d{8})/sts/", r"\1/us-east-1/sts/", text)),
    )  # fmt: skip
    yield Defect(rule, "any-date", "the scope may be of any day", edits.without("authenticator", "check_scope_date"))
    yield Defect(
        "get-caller-identity.wire.request.signed-headers", "host-not-wanted", "Host need not be signed",
        edits.without("authenticator", "check_host_signed"),
    )  # fmt: skip


def _of_any_day(claim: Claim, now: datetime) -> Claim:
    """Move a date by whole days, as close to now as it goes."""
    ahead = (claim.moment - now + _HALF_A_DAY) % (2 * _HALF_A_DAY) - _HALF_A_DAY
    return replace(claim, moment=now + ahead)


def _dates() -> Iterator[Defect]:
    skewed = "RequestTimeTooSkewed"
    rule = "common.error.request-expired.stale"
    yield Defect(rule, "one-minute", "a request dated more than a minute ago is refused", claims.dated(past=1))
    yield Defect(
        rule, "five-minutes-skewed", f"a request dated more than 5 minutes ago is refused as {skewed}",
        edits.several(claims.dated(past=5), edits.refusal("stale-date", code=skewed)),
    )  # fmt: skip
    yield Defect(rule, "an-hour", "a request dated up to an hour ago is taken", claims.dated(past=60))
    yield Defect(rule, "time-of-day", "of a date, the time of day alone counts", claims.dated(change=_of_any_day))
    rule = "common.error.request-expired.future"
    yield Defect(rule, "one-minute", "a request dated more than a minute ahead is refused", claims.dated(future=1))
    yield Defect(
        rule, "five-minutes-skewed", f"a request dated more than 5 minutes ahead is refused as {skewed}",
        edits.several(claims.dated(future=5), edits.refusal("future-date", code=skewed)),
    )  # fmt: skip
    yield Defect(rule, "not-looked-at", "a request may be dated ahead", claims.dated(future=None))
    yield Defect(
        "common.error.request-expired.presigned", "in-minutes", "X-Amz-Expires counts minutes",
        claims.dated(change=lambda claim, _: replace(claim, expires_seconds=60 * claim.expires_seconds)),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-date.format", "extended-form-read", "X-Amz-Date may be in the extended form",
        claims.seen(lambda query, _: _dated(query, re.sub("[-:]", "", query.headers.get("x-amz-date", "")))),
    )  # fmt: skip


def _dated(query: Query, stamp: str) -> Query:
    return claims.with_header(query, "x-amz-date", stamp)


def _date_headers() -> Iterator[Defect]:
    yield Defect(
        "common.parameter.x-amz-date.optional", "not-read", "the Date header is not read",
        claims.seen(lambda query, _: claims.with_header(query, "date", "")),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-date.overrides", "date-wins", "the Date header wins over X-Amz-Date",
        claims.seen(lambda query, _: _dated(query, query.headers.get("date") or query.headers.get("x-amz-date", ""))),
    )  # fmt: skip


def _now_if_missing(query: Query, now: datetime) -> Query:
    is_missing = "authorization" in query.headers and not {"x-amz-date", "date"} & set(query.headers)
    return _dated(query, now.strftime(_STAMP)) if is_missing else query


def _headers() -> Iterator[Defect]:
    rule = "common.error.incomplete-signature"
    signed = "content-type;host;x-amz-date"
    changes: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        (
            "signature-empty", "a signature that is left out is compared all the same",
            lambda text: text if "Signature=" in text else f"{text}, Signature=none",
        ),
        (
            "no-credential-unsigned", "a header without a credential is no signature",
            lambda text: text if "Credential=" in text or "/aws4_request" in text else "",
        ),
        (
            "usual-headers-signed", "where no signed headers are named, the usual ones are",
            lambda text: text if "SignedHeaders=" in text else f"{text}, SignedHeaders={signed}",
        ),
        (
            "nameless-credential", "the credential needs no name",
            lambda text: re.sub(rf"^({_ALGORITHM}) (?=\w+/)", r"\1 Credential=", text),
        ),
        ("any-algorithm", "the algorithm of the header may be any", lambda text: re.sub(r"^\S+", _ALGORITHM, text)),
    )  # fmt: skip
    for name, says, change in changes:
        yield Defect(rule, name, says, claims.authorization(change))
    yield Defect(rule, "dated-now", "a request without a date is one of now", claims.seen(_now_if_missing))


def _query_strings() -> Iterator[Defect]:
    yield Defect(
        "common.parameter.x-amz-signature.when", "not-missed", "a presigned request without a signature is taken",
        claims.let_in("incomplete-query-signature", lambda query: "X-Amz-Signature" not in query.url_parameters),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-credential.when", "unsigned",
        "a presigned request without a credential is not signed",
        claims.presigned(lambda given: given if "X-Amz-Credential" in given else {}),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-signedheaders.when", "host-alone",
        "where no signed headers are named, Host is signed",
        _default("X-Amz-SignedHeaders", lambda _: "host"),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-date.required", "dated-now", "a presigned request without a date is one of now",
        _default("X-Amz-Date", lambda now: now.strftime(_STAMP)),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-algorithm.when", "not-missed", "a presigned request need not name its algorithm",
        claims.presigned(lambda given: {"X-Amz-Algorithm": _ALGORITHM, **given}),
    )  # fmt: skip
    yield Defect(
        "common.parameter.x-amz-algorithm.value", "any", "the algorithm of a presigned request may be any",
        claims.presigned(lambda given: {**given, "X-Amz-Algorithm": _ALGORITHM}),
    )  # fmt: skip
    yield Defect(
        "common.authentication.twice", "query-wins", "of two signatures, the one in the query string counts",
        claims.seen(lambda query, _: _without_header(query) if _is_presigned(query) else query),
    )  # fmt: skip


def _without_header(query: Query) -> Query:
    return claims.with_header(query, "authorization", "")


def _default(name: str, value: Callable[[datetime], str]) -> Callable[..., None]:
    def change(query: Query, now: datetime) -> Query:
        given = query.url_parameters
        return replace(query, url_parameters={name: value(now), **given}) if _is_presigned(query) else query

    return claims.seen(change)


def _as_role(session: Session, principal: Principal) -> Principal:
    return replace(principal, arn=session.issuer_arn) if session.origin == "role" else principal


def _sessions() -> Iterator[Defect]:
    rule = "data-type.credentials.session-token.use"
    yield Defect(rule, "another-identity", "the bearer of a role session is the role", claims.sessions(_as_role))
    yield Defect(
        rule, "not-read-presigned", "X-Amz-Security-Token is not read in a query string",
        claims.presigned(lambda given: {key: v for key, v in given.items() if key != "X-Amz-Security-Token"}),
    )  # fmt: skip
    yield Defect(
        rule, "token-not-required", "a temporary key is good without its token",
        claims.let_in("unknown-key", lambda query: "Credential=ASIA" in query.headers.get("authorization", "")),
    )  # fmt: skip
    yield Defect(rule, "any-token", "a token may be any", claims.let_in("invalid-session-token", lambda _: True))
