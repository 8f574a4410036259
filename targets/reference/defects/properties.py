"""Defects that only properties notice: no value at a bound and no plain request meets them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from targets.reference import constraints
from targets.reference.defects import edits
from targets.reference.defects.acts import reworked
from targets.reference.defects.exchanges import met, page, read_as, with_header
from targets.reference.defects.registry import Defect
from targets.reference.model import Refused
from targets.reference.reading import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Member, Values
    from targets.reference.model import Caller, HttpAnswer, HttpRequest
    from targets.reference.operations import Result
    from targets.reference.reading import Query
    from targets.reference.service import Service

    Apply = Callable[[Service], None]

# By operation: the start of its rules, its method, and the member that names the session.
_OPERATIONS = {
    "AssumeRole": ("assume-role.property", "assume_role", "RoleSessionName"),
    "AssumeRoleWithSAML": ("assume-role-with-saml.property", "assume_role_with_saml", ""),
    "AssumeRoleWithWebIdentity": (
        "assume-role-with-web-identity.property", "assume_role_with_web_identity", "RoleSessionName",
    ),
    "GetFederationToken": ("get-federation-token.property", "get_federation_token", "Name"),
    "GetSessionToken": ("get-session-token.property", "get_session_token", ""),
}  # fmt: skip
_TAGGED = ("AssumeRole", "GetFederationToken")
_FREE_TEXTS = frozenset({"RoleSessionName", "Name", "ExternalId", "SourceIdentity"})
_HOUR = 3600
_SIGNED_ANEW = frozenset({"SAMLAssertion", "WebIdentityToken"})  # of equal requests
_SECRET = ("AccessKeyId", "SecretAccessKey", "SessionToken")
_REFUSED = "The request is not understood."


def defects() -> Iterator[Defect]:
    """Yield them."""
    for operation in _OPERATIONS:
        yield from _of_any(operation)
        if operation != "GetSessionToken":
            yield from _of_policies(operation)
        if operation != "AssumeRoleWithSAML":
            yield from _of_violations(operation)
        if _OPERATIONS[operation][2]:
            yield from _of_names(operation)
    for operation in _TAGGED:
        yield from _of_tags(operation)
    yield from _of_assume_role()


def _of_any(operation: str) -> Iterator[Defect]:
    rule, method, _ = _OPERATIONS[operation]
    yield Defect(
        f"{rule}.valid", "whole-hours", "a session of more than an hour lasts whole hours",
        _lasting(method, lambda seconds: seconds - seconds % _HOUR if seconds > _HOUR else seconds),
    )  # fmt: skip
    yield Defect(
        f"{rule}.by-get", "no-duration", "a GET request that tells a duration is refused",
        _refused(operation, lambda query: query.http.method == "GET" and "DurationSeconds" in query.parameters),
    )  # fmt: skip
    yield Defect(
        f"{rule}.with-more", "dotted", "an unknown parameter with a dot in its name is refused",
        _refused(operation, lambda query: any(re.match(r"X.*\.", name) for name in query.parameters)),
    )  # fmt: skip
    yield Defect(
        f"{rule}.fresh", "kept-by-duration", "equal requests that tell a duration are given the same credentials",
        _cached(operation),
    )  # fmt: skip
    if operation == "AssumeRole":  # whose Action is sent last by another case
        return
    yield Defect(
        f"{rule}.rearranged", "action-last", "a request whose action comes last is refused",
        _refused(operation, lambda query: list(query.parameters)[-1] == "Action"),
    )  # fmt: skip


def _of_policies(operation: str) -> Iterator[Defect]:
    rule = _OPERATIONS[operation][0]
    yield Defect(
        f"{rule}.valid", "statement-in-list", "a policy whose one statement is in no list is refused",
        _refused(operation, _lone_statement, "malformed-policy-document"),
    )  # fmt: skip
    yield Defect(
        f"{rule}.by-get", "no-policy", "a GET request with a policy is refused",
        _refused(operation, lambda query: query.http.method == "GET" and "Policy" in query.parameters),
    )  # fmt: skip
    yield Defect(
        f"{rule}.rearranged", "lower-case-escapes", "percent escapes in lower case are not decoded",
        read_as(lambda request: _without_lower(request) if _action(request) == operation else request),
    )  # fmt: skip


def _of_violations(operation: str) -> Iterator[Defect]:
    rule = _OPERATIONS[operation][0]
    if operation == "GetSessionToken":
        yield Defect(
            f"{rule}.one-broken", "sign-lost", "the sign of a number of three digits or more is overlooked",
            edits.parameters(operation, lambda given: {name: _unsigned(text) for name, text in given.items()}),
        )  # fmt: skip
    else:
        yield Defect(
            f"{rule}.one-broken", "far-too-long", "a text that is more than ten characters too long is cut",
            edits.parameters(operation, _each_text(operation, _cut)),
        )  # fmt: skip
    if operation in _TAGGED:
        yield Defect(
            f"{rule}.one-broken", "start-alone", "sixteen characters of a text are held against its pattern",
            edits.parameters(operation, _each_text(operation, _mended)),
        )  # fmt: skip
    yield Defect(
        f"{rule}.several-broken", "cancelled-out", "what is too much and what is too little cancel each other out",
        _cancelling(operation),
    )  # fmt: skip


def _of_names(operation: str) -> Iterator[Defect]:
    rule, method, name = _OPERATIONS[operation]
    yield Defect(
        f"{rule}.valid", "equals-after-at", f"a {name} with = after @ is refused",
        _refused(operation, lambda query: bool(re.search("@.*=", query.parameters.get(name, "")))),
    )  # fmt: skip
    yield Defect(
        f"{rule}.valid", "digit-cut", f"a {name} that begins with a digit lacks it in the ARN",
        reworked(method, _without_digit),
    )  # fmt: skip


def _of_tags(operation: str) -> Iterator[Defect]:
    rule, method = _OPERATIONS[operation][:2]
    letter, name = ("\u2028", "line-separator") if operation == "AssumeRole" else ("\u3000", "wide-space")
    yield Defect(
        f"{rule}.valid", f"{name}-in-tag", f"500 for a tag value with U+{ord(letter):04X}",
        met(lambda request: _action(request) == operation and _tagged(request, letter), page(500)),
    )  # fmt: skip
    yield Defect(
        f"{rule}.longer-policy", "many-smaller", "a policy of more than three statements packs smaller",
        reworked(method, _smaller),
    )  # fmt: skip


def _of_assume_role() -> Iterator[Defect]:
    rule = _OPERATIONS["AssumeRole"][0]
    yield Defect(
        f"{rule}.valid", "source-identity-folded", "the source identity is told in small letters",
        edits.element("AssumeRole", ("SourceIdentity",), lambda text: text and str(text).lower()),
    )  # fmt: skip
    yield Defect(
        f"{rule}.transitive-packed", "second-counts", "marking two tags transitive adds one to the packed size",
        reworked("assume_role", _larger),
    )  # fmt: skip
    yield Defect(
        f"{rule}.request-ids", "run-out", "after a hundred requests the RequestId stays the same",
        _running_out("AssumeRole"),
    )  # fmt: skip


# How


def _refused(operation: str, when: Callable[[Query], bool], refusal: str = "constraint-violation") -> Apply:
    """Refuse requests that there is no reason to refuse."""

    def apply(service: Service) -> None:
        check = service.check_operation

        def checked(query: Query) -> None:
            check(query)
            if query.action == operation and when(query):
                raise Refused(refusal, _REFUSED)

        edits.substitute(service, "check_operation", checked)

    return apply


def _lone_statement(query: Query) -> bool:
    try:
        document = json.loads(query.parameters.get("Policy", ""))
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("Statement"), dict)


def _lasting(method: str, change: Callable[[int], int]) -> Apply:
    """Let sessions last another time than was asked for, in seconds."""

    def apply(service: Service) -> None:
        operation = getattr(service.operations, method)

        def shorter(caller: Caller, values: Values) -> Result:
            found: Result = operation(caller, {**values, "DurationSeconds": change(values["DurationSeconds"])})
            return found

        edits.substitute(service.operations, method, shorter)

    return apply


def _cached(operation: str) -> Apply:
    """Keep the credentials of requests that tell another duration than the default."""
    method = _OPERATIONS[operation][1]

    def apply(service: Service) -> None:
        kept: dict[str, dict[str, Any]] = {}
        usual = service.members[operation]["DurationSeconds"].default

        def again(_caller: Caller, values: Values, found: Result) -> Result:
            made: Any = found["Credentials"]
            if values["DurationSeconds"] == usual:
                return found
            key = repr({name: value for name, value in values.items() if name not in _SIGNED_ANEW})
            secret = kept.setdefault(key, {name: made[name] for name in _SECRET})
            return {**found, "Credentials": {**made, **secret}}

        reworked(method, again)(service)

    return apply


def _action(request: HttpRequest) -> str:
    return _read(request).get("Action", "")


def _read(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of a request: of the form, or of the query string."""
    return decode(request.body or request.target.partition("?")[2].encode("latin-1"))


def _without_lower(request: HttpRequest) -> HttpRequest:
    """Have percent escapes with small letters stand for themselves."""
    return replace(request, body=re.sub(rb"%(?=[a-f][0-9a-f]|[0-9][a-f])", b"%25", request.body))


def _unsigned(text: str) -> str:
    return text[1:] if re.fullmatch("-[0-9]{3,}", text) else text


def _each_text(operation: str, change: Callable[[Member, str], str]) -> Callable[[dict[str, str]], dict[str, str]]:
    """Change what names and tags, and nothing that must be read: ARNs, policies, tokens."""
    table = constraints.tables()[operation]

    def of(name: str) -> Member | None:
        tag = re.fullmatch(r"Tags\.member\.[0-9]+\.(Key|Value)", name)
        if tag is None:
            return table[name] if name in _FREE_TEXTS and name in table else None
        item = table["Tags"].item
        return item.fields[tag[1]] if item is not None else None

    def changed(name: str, text: str) -> str:
        member = of(name)
        return text if member is None else change(member, text)

    return lambda given: {name: changed(name, text) for name, text in given.items()}


def _cut(member: Member, text: str) -> str:
    return text[: member.max_length] if member.max_length and len(text) > member.max_length + 10 else text


def _mended(member: Member, text: str) -> str:
    """Replace what the pattern does not admit, but for the start."""
    return text[:16] + "".join(c if _admitted(member.pattern, c) else "a" for c in text[16:])


@cache
def _admitted(pattern: str | None, text: str) -> bool:
    try:
        constraints.validate({"Text": constraints.Member("string", pattern=pattern)}, {"Text": text})
    except Refused:
        return False
    return True


def _cancelling(operation: str) -> Apply:
    """Grant a request that breaks as many bounds above as below."""

    def apply(service: Service) -> None:
        validate = service.validate
        boundless = {name: _boundless(member) for name, member in service.members[operation].items()}

        def balanced(action: str, given: Any) -> Values:
            try:
                return validate(action, given)
            except Refused as found:
                counts = [(found.message or "").count(f"{which} than or equal") for which in ("less", "greater")]
                if action != operation or counts[0] != counts[1] or not counts[0]:
                    raise
                return {**constraints.validate(boundless, given), "DurationSeconds": 900}

        edits.substitute(service, "validate", balanced)

    return apply


def _boundless(member: Member) -> Member:
    item = _boundless(member.item) if member.item is not None else None
    fields = {name: _boundless(inner) for name, inner in member.fields.items()}
    return constraints.Member(member.type, member.required, default=member.default, item=item, fields=fields)


def _without_digit(_caller: Caller, _values: Values, found: Result) -> Result:
    user = "FederatedUser" if "FederatedUser" in found else "AssumedRoleUser"
    told: Any = found[user]
    return {**found, user: {**told, "Arn": re.sub(r"/[0-9](?=[^/]*\Z)", "/", told["Arn"])}}


def _tagged(request: HttpRequest, letter: str) -> bool:
    return any(letter in value for name, value in _read(request).items() if re.fullmatch(r"Tags\..*\.Value", name))


def _smaller(_caller: Caller, values: Values, found: Result) -> Result:
    size: Any = found["PackedPolicySize"]
    many = 3
    return {**found, "PackedPolicySize": size // 2} if _statements(values.get("Policy")) > many else found


def _statements(policy: str | None) -> int:
    found = json.loads(policy)["Statement"] if policy is not None else []
    return len(found) if isinstance(found, list) else 1


def _larger(_caller: Caller, values: Values, found: Result) -> Result:
    size: Any = found["PackedPolicySize"]
    return {**found, "PackedPolicySize": size + 1} if len(values.get("TransitiveTagKeys") or ()) > 1 else found


def _running_out(operation: str) -> Apply:
    """Have a hundred RequestIds."""

    def apply(service: Service) -> None:
        told: list[str] = []

        def again(request: HttpRequest, found: HttpAnswer) -> HttpAnswer:
            own = re.search(rb"<RequestId>([^<]+)</RequestId>", found.body)
            if own is None or _action(request) != operation:
                return found
            if len(told) < 100:  # noqa: PLR2004 - as the defect says
                told.append(own[1].decode())
                return found
            repeated = replace(found, body=found.body.replace(own[1], told[-1].encode()))
            return with_header(repeated, "x-amzn-RequestId", told[-1])

        edits.answer(again)(service)

    return apply
