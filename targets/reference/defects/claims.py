"""The ways to put something wrong into authentication: what is read of a signature, and what it is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from targets.reference import signature
from targets.reference.defects import edits
from targets.reference.model import Caller, Principal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from targets.reference.model import Session
    from targets.reference.reading import Query
    from targets.reference.service import Service
    from targets.reference.signature import Claim

_ACCOUNT = "111122223333"
ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
# Who calls where an emulator does not care: a user that may do everything.
ANYBODY = Caller(
    Principal("user", _ACCOUNT, f"arn:aws:iam::{_ACCOUNT}:user/anybody", "AIDAAAAAAAAAAAAAAAAAA"),
    "AKIAAAAAAAAAAAAAAAAA",
    policies=(ALLOW_ALL,),
)
_STAMP = "%Y%m%dT%H%M%SZ"


def seen(change: Callable[[Query, datetime], Query]) -> Callable[[Service], None]:
    """Read the signature off another request than the one that it is computed for."""

    def apply(service: Service) -> None:
        authenticator = service.authenticator
        claim_of = authenticator.claim_of
        edits.substitute(authenticator, "claim_of", lambda query: claim_of(change(query, authenticator.now())))

    return apply


def authorization(change: Callable[[str], str]) -> Callable[[Service], None]:
    """Read another Authorization header; '' is none."""

    def changed(query: Query, _now: datetime) -> Query:
        found = query.headers.get("authorization")
        return with_header(query, "authorization", change(found)) if found else query

    return seen(changed)


def presigned(change: Callable[[dict[str, str]], dict[str, str]]) -> Callable[[Service], None]:
    """Read other parameters of a presigned request."""

    def changed(query: Query, _now: datetime) -> Query:
        found = dict(query.url_parameters)
        return replace(query, url_parameters=change(found)) if "X-Amz-SignedHeaders" in found else query

    return seen(changed)


def with_header(query: Query, name: str, value: str) -> Query:
    """Return `query` with another value of a header; '' takes it away."""
    headers = {key: found for key, found in query.headers.items() if key != name}
    return replace(query, headers=headers | {name: value} if value else headers)


def unsigned(operation: str = "", method: str = "") -> Callable[[Service], None]:
    """Take requests without a signature: those for an operation, by a method."""

    def apply(service: Service) -> None:
        caller, claim_of = service.caller, service.authenticator.claim_of

        def found(query: Query) -> Caller | None:
            if not service.signed[query.action] or claim_of(query) is not None:
                return caller(query)
            is_meant = operation in ("", query.action) and method in ("", query.http.method)
            return ANYBODY if is_meant else caller(query)

        edits.substitute(service, "caller", found)

    return apply


def let_in(refusal: str, when: Callable[[Query], bool]) -> Callable[[Service], None]:
    """Let whoever would be refused for that reason in, as anybody."""

    def apply(service: Service) -> None:
        authenticate = service.authenticator.authenticate

        def found(query: Query, name: str) -> Caller:
            try:
                return authenticate(query, name)
            except Refused as refused:
                if refused.refusal == refusal and when(query):
                    return ANYBODY
                raise

        edits.substitute(service.authenticator, "authenticate", found)

    return apply


def uncompared(when: Callable[[Claim, Query], bool]) -> Callable[[Service], None]:
    """Leave out the comparison of signatures that..."""

    def apply(service: Service) -> None:
        check = service.authenticator.check_signature

        def compared(claim: Claim, query: Query, secret: str) -> None:
            if not when(claim, query):
                check(claim, query, secret)

        edits.substitute(service.authenticator, "check_signature", compared)

    return apply


def digits_compared(count: int) -> Callable[[Service], None]:
    """Compare that many digits of a signature only."""

    def apply(service: Service) -> None:
        def compared(claim: Claim, query: Query, secret: str) -> None:
            rest = signature.expected(claim, query, secret)[count:]
            signature.check_signature(replace(claim, signature=claim.signature[:count] + rest), query, secret)

        edits.substitute(service.authenticator, "check_signature", compared)

    return apply


def scope(change: Callable[[Claim, str, str], Claim]) -> Callable[[Service], None]:
    """Hold another scope than the claimed one against region and service, which `change` gets as well."""

    def apply(service: Service) -> None:
        check, region = service.authenticator.check_scope, service.authenticator.region
        edits.substitute(
            service.authenticator, "check_scope", lambda claim, name: check(change(claim, region, name), name)
        )

    return apply


def dated(
    *, past: int | None = 15, future: int | None = 15, change: Callable[[Claim, datetime], Claim] | None = None
) -> Callable[[Service], None]:
    """Take dates within these minutes, None is without limit; of the claim as `change` reads it."""

    def apply(service: Service) -> None:
        def check(claim: Claim) -> None:
            now = service.authenticator.now()
            read = claim if change is None else change(claim, now)
            ended = read.moment + timedelta(seconds=read.expires_seconds)
            if past is not None and ended < now - timedelta(minutes=past):
                raise Refused("stale-date", _words("expired", "earlier", read, now, "-", past))
            if future is not None and read.moment > now + timedelta(minutes=future):
                raise Refused("future-date", _words("not yet current", "later", read, now, "+", future))

        edits.substitute(service.authenticator, "check_date", check)

    return apply


def _words(state: str, side: str, claim: Claim, now: datetime, sign: str, minutes: int) -> str:
    limit = now + timedelta(minutes=minutes if sign == "+" else -minutes)
    adverb = "now" if sign == "-" else "still"
    return (
        f"Signature {state}: {claim.stamp} is {adverb} {side} than {limit.strftime(_STAMP)} "
        f"({now.strftime(_STAMP)} {sign} {minutes} min.)"
    )


def sessions(change: Callable[[Session, Principal], Principal]) -> Callable[[Service], None]:
    """Take the bearer of a session for another principal."""

    def apply(service: Service) -> None:
        caller_of = service.authenticator.caller_of

        def found(session: Session) -> Caller:
            caller = caller_of(session)
            return replace(caller, principal=change(session, caller.principal))

        edits.substitute(service.authenticator, "caller_of", found)

    return apply


