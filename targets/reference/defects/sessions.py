"""Defects that only whole programs of sessions notice, and those that only odd requests do."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from targets.reference.defects import edits
from targets.reference.defects.exchanges import met, page
from targets.reference.defects.registry import Defect
from targets.reference.reading import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.arns import Arn
    from targets.reference.constraints import Values
    from targets.reference.model import Caller, HttpAnswer, HttpRequest, Role, Session
    from targets.reference.operations import Restriction, Result
    from targets.reference.service import Service

    Apply = Callable[[Service], None]
    Tags = tuple[tuple[str, str], ...]

_HOUR = 3600
_INDEX = re.compile(r"\.member\.\d{11,}")
_PAGE = b"<html><body><h1>Bad Request</h1></body></html>"


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _of_chains()
    yield from _of_sessions()
    yield from _of_odd_requests()


# Sessions

_RULE = "assume-role.property.sessions"


def _of_chains() -> Iterator[Defect]:
    yield Defect(
        _RULE, "tag-wears-out", "a transitive tag is lost in the fourth session of a chain",
        _by_depth("inherited", lambda found, depth: () if depth > 3 else found),  # noqa: PLR2004 - as it says
    )  # fmt: skip
    yield Defect(
        _RULE, "source-identity-cut", "the source identity ends at a sign in the fourth session of a chain",
        _by_depth("source_identity", lambda found, depth: found[:3] if found and depth > 2 else found),  # noqa: PLR2004
    )  # fmt: skip
    yield Defect(
        _RULE, "limit-forgotten", "a session that bears a source identity may chain for more than an hour",
        _unlimited(lambda session: session.source_identity is not None),
    )  # fmt: skip
    yield Defect(
        _RULE, "tag-overridden", "an inherited tag may be set again by a session that bears a source identity",
        _overriding,
    )  # fmt: skip


def _by_depth(name: str, change: Callable[..., object]) -> Apply:
    """Change what a session takes over from its caller, by how many sessions there were before."""

    def apply(service: Service) -> None:
        depths: dict[str, int] = {}
        assume, taken_over = service.operations.assume_role, getattr(service.operations, name)

        def counted(caller: Caller, values: Values) -> Result:
            result = assume(caller, values)
            credentials = result["Credentials"]
            assert isinstance(credentials, dict)  # noqa: S101 - of every session
            depths[str(credentials["AccessKeyId"])] = depths.get(caller.access_key_id, 0) + 1
            return result

        def changed(caller: Caller, *more: object) -> object:
            return change(taken_over(caller, *more), depths.get(caller.access_key_id, 0))

        edits.substitute(service.operations, "assume_role", counted)
        edits.substitute(service.operations, name, changed)

    return apply


def _unlimited(when: Callable[[Session], bool]) -> Apply:
    def apply(service: Service) -> None:
        check = service.operations.check_duration

        def checked(caller: Caller, role: Role, values: Values) -> None:
            if caller.session is not None and when(caller.session):
                service.operations.check_role_maximum(role, values["DurationSeconds"])
            else:
                check(caller, role, values)

        edits.substitute(service.operations, "check_duration", checked)

    return apply


def _overriding(service: Service) -> None:
    """Inherited tags are told from others by nothing but the caller, so the check is left out for some callers."""
    assume, check = service.operations.assume_role, service.operations.check_inherited

    def assumed(caller: Caller, values: Values) -> Result:
        is_lax = caller.session is not None and caller.session.source_identity is not None
        service.operations.check_inherited = (lambda *_: None) if is_lax else check  # type: ignore[method-assign]
        return assume(caller, values)

    edits.substitute(service.operations, "assume_role", assumed)


def _of_sessions() -> Iterator[Defect]:
    yield Defect(
        _RULE, "federated-root", "a federated user of the name root may assume roles",
        _let_in(lambda caller: caller.principal.arn.endswith(":federated-user/root")),
    )  # fmt: skip
    yield Defect(
        _RULE, "policy-outvoted", "session tags make the session policy of their session count for nothing",
        _let_in(lambda caller: caller.session is not None and bool(caller.session.tags and caller.session.policies)),
    )  # fmt: skip
    yield Defect(
        _RULE, "chained-name", "a session that a role session asked for is called by the name of that one",
        _called_after_caller,
    )  # fmt: skip


def _let_in(when: Callable[[Caller], bool]) -> Apply:
    """Take some callers for others of their account, who may do all that roles let them."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def checked(
            caller: Caller, role: Role | None, arn: Arn, values: Values, restriction: Restriction, *, mfa: bool
        ) -> None:
            if when(caller):
                session = replace(caller.session, policies=None) if caller.session else None
                kind = replace(caller.principal, kind="assumed-role")
                caller = replace(caller, principal=kind, session=session)
            check(caller, role, arn, values, restriction, mfa=mfa)

        edits.substitute(service.operations, "check_may_assume", checked)

    return apply


def _called_after_caller(service: Service) -> None:
    assume = service.operations.assume_role

    def assumed(caller: Caller, values: Values) -> Result:
        if caller.session is not None and caller.session.origin == "role" and caller.session.transitive:
            values = {**values, "RoleSessionName": caller.principal.arn.rpartition("/")[2]}
        return assume(caller, values)

    edits.substitute(service.operations, "assume_role", assumed)


# Odd requests


def _of_odd_requests() -> Iterator[Defect]:
    failure = page(HTTPStatus.INTERNAL_SERVER_ERROR)
    refused_page = page(HTTPStatus.BAD_REQUEST, _PAGE, content_type="text/html")
    unavailable = page(HTTPStatus.SERVICE_UNAVAILABLE)
    rule = "assume-role.property.robust"
    yield Defect(
        rule, "line-separator", "a tag value with U+2028 is answered 500",
        _when("AssumeRole", lambda given: any("\u2028" in value for _, value in _tag_values(given)), failure),
    )  # fmt: skip
    yield Defect(
        rule, "quoted-raw", "a refusal that quotes a less-than sign quotes it as it is",
        edits.answer(_unescaped),
    )  # fmt: skip
    yield Defect(
        "get-caller-identity.property.robust", "nameless", "an empty parameter name is answered with a page of HTML",
        met(lambda request: b"GetCallerIdentity" in request.body and b"&=" in request.body, refused_page),
    )  # fmt: skip
    yield Defect(
        "get-federation-token.property.robust", "large-index", "an index of more than ten digits is answered 503",
        _when("GetFederationToken", lambda given: any(map(_INDEX.search, given)), unavailable),
    )  # fmt: skip
    yield Defect(
        "assume-role-with-web-identity.property.robust", "not-unicode", "a name that is no UTF-8 is answered 500",
        _when("AssumeRoleWithWebIdentity", lambda given: any("\ufffd" in name for name in given), failure),
    )  # fmt: skip
    yield Defect(
        "assume-role-with-saml.property.robust", "large", "a form of more than 20,000 bytes is answered with a page",
        met(
            lambda request: b"AssumeRoleWithSAML" in request.body and len(request.body) > 20_000,  # noqa: PLR2004
            page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _PAGE, content_type="text/html"),
        ),
    )  # fmt: skip


def _when(operation: str, odd: Callable[[dict[str, str]], bool], how: HttpAnswer) -> Apply:
    """Answer some requests for an operation before they are read."""

    def meant(request: HttpRequest) -> bool:
        query = request.target.partition("?")[2].encode("latin-1")
        given = {**decode(query), **decode(request.body)}
        return given.get("Action") == operation and odd(given)

    return met(meant, how)


def _tag_values(given: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in given.items() if re.fullmatch(r"Tags\.member\.\d+\.Value", name))


def _unescaped(request: HttpRequest, found: HttpAnswer) -> HttpAnswer:
    if b"AssumeRole" not in unquote_plus(request.body.decode("latin-1")).encode() or found.status == HTTPStatus.OK:
        return found
    return edits.with_body(found, found.body.decode().replace("&lt;", "<"))
