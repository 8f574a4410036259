"""Defects of the operations, each in a function: specs/sts/get-*.yaml, decode-authorization-message.yaml.

What several operations have alike is here for all of them; the operations about roles are in `operations_roles`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specs.contract import kebab, load
from targets.reference.defects import acts, edits
from targets.reference.defects.registry import Defect
from targets.reference.packing import packed_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Values
    from targets.reference.model import Caller, HttpAnswer, HttpRequest
    from targets.reference.operations import Result
    from targets.reference.service import Service

_METHODS = {
    "AssumeRole": "assume_role",
    "GetSessionToken": "get_session_token",
    "GetFederationToken": "get_federation_token",
}
_NO_ACCOUNT = "000000000000"


def defects() -> Iterator[Defect]:
    """Yield the defects of what operations have alike, and of those about users."""
    yield from _served()
    yield from _by_get()
    yield from _credentials()
    yield from _spaces()
    yield from _lifetimes()
    yield from _tags()
    yield from _policies()
    yield from _callers()
    yield from _identity()
    yield from _access_keys()
    yield from _messages()
    yield from _federation_tokens()


# What several operations have alike


def _served() -> Iterator[Defect]:
    for operation in load().operations:
        rule = f"{kebab(operation)}.wire.request.action"
        yield Defect(rule, "not-known", f"{operation} is not known", acts.unserved(operation))


def _by_get() -> Iterator[Defect]:
    for operation in (
        "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity",
        "GetAccessKeyInfo", "GetFederationToken", "GetSessionToken",
    ):  # fmt: skip
        rule = f"{kebab(operation)}.wire.request.get-query"
        yield Defect(rule, "post-only", f"{operation} is known by POST only", acts.unserved(operation, "GET"))


def _credential(operation: str, part: str, change: Callable[[Any], Any]) -> Callable[[Service], None]:
    return edits.element(operation, ("Credentials", part), change)


def _in_lines(text: str) -> str:
    """Break a text as the samples of the documents do."""
    return "\n".join((text[:20], text[20:]))


def _spaces() -> Iterator[Defect]:
    yield Defect(
        "get-session-token.duration-seconds.spaces", "taken-away", "white space around a duration is taken away",
        edits.parameters("GetSessionToken", lambda given: {name: text.strip() for name, text in given.items()}),
    )  # fmt: skip


def _credentials() -> Iterator[Defect]:
    for operation in _METHODS:
        own = kebab(operation)
        for part in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
            yield Defect(
                f"{own}.returns-credentials", f"empty-{kebab(part)}", f"{part} is empty",
                _credential(operation, part, lambda _: ""),
            )  # fmt: skip
        yield Defect(
            f"{own}.wire.response.asia", "akia", "temporary keys begin with AKIA",
            _credential(operation, "AccessKeyId", lambda value: f"AKIA{value[4:]}"),
        )  # fmt: skip
        yield Defect(
            f"{own}.wire.response.expiration", "no-zone", "Expiration names no time zone",
            _credential(operation, "Expiration", lambda value: value.strftime("%Y-%m-%dT%H:%M:%S")),
        )  # fmt: skip
        if operation != "AssumeRole":
            for part in ("SecretAccessKey", "SessionToken"):
                yield Defect(
                    f"{own}.wire.response.whitespace", f"{kebab(part)}-in-lines", f"{part} is broken into lines",
                    _credential(operation, part, _in_lines),
                )  # fmt: skip


def _lasting(least: int, most: int) -> Callable[[Values], Values]:
    return lambda values: {**values, "DurationSeconds": max(least, min(most, values["DurationSeconds"]))}


def _lifetimes() -> Iterator[Defect]:
    for operation, method in _METHODS.items():
        rule = f"{kebab(operation)}.duration-seconds.lifetime"
        hours = 1 if operation == "AssumeRole" else 12
        usual = hours * 3600
        says = f"credentials of {operation} last {hours} h"
        yield Defect(
            rule, "ignored", f"{says} whatever DurationSeconds says", acts.given(method, _lasting(usual, usual))
        )
        yield Defect(rule, "cut", f"{says} at most", acts.given(method, _lasting(0, usual)))


def _first_tag_only(given: dict[str, str]) -> dict[str, str]:
    """Take the first tag for every one, as whoever does not read the number."""
    first = {name: value for name, value in given.items() if name.startswith("Tags.member.1.")}
    return {
        name: first.get(re.sub(r"^Tags\.member\.\d+", "Tags.member.1", name), value) for name, value in given.items()
    }


def _case_matters(service: Service) -> None:
    check = service.operations.check_distinct

    def checked(tags: tuple[tuple[str, str], ...]) -> None:
        if len({key for key, _ in tags}) < len(tags):
            check(tags)

    edits.substitute(service.operations, "check_distinct", checked)


def _tags() -> Iterator[Defect]:
    for operation in ("AssumeRole", "GetFederationToken"):
        own = kebab(operation)
        yield Defect(
            f"{own}.wire.request.lists", "number-not-read", "every tag is read off Tags.member.1",
            edits.parameters(operation, _first_tag_only),
        )  # fmt: skip
        says = "tag keys may differ in case only"
        yield Defect(f"{own}.tags.case-insensitive", "case-matters", says, _case_matters)
        yield Defect(
            f"{own}.error.packed-policy-too-large", "tags-not-counted", "the packed size is that of policies alone",
            lambda service: edits.substitute(
                service.operations, "packed", lambda inline, arns, _tags: packed_percent(inline, arns, ())
            ),
        )  # fmt: skip


def _policies() -> Iterator[Defect]:
    says = "a session policy that is no JSON is taken"
    for operation in ("AssumeRole", "GetFederationToken"):
        rule = f"{kebab(operation)}.error.malformed-policy-document"
        yield Defect(rule, "not-json-taken", says, acts.policies_unread(lambda text: not text.startswith("{")))
    yield Defect(
        "assume-role.error.malformed-policy-document", "cut-off-taken",
        "of a session policy only the brace is looked at",
        acts.policies_unread(lambda text: text.startswith("{")),
    )  # fmt: skip


def _callers() -> Iterator[Defect]:
    own, taken = "get-federation-token.credentials.only-get-caller-identity", "sessions of {} may call {}"
    assume = "get-session-token.credentials.only-assume-role-and-gci"
    for rule, operation, origin, maker in (
        ("assume-role.credentials.no-get-session-token", "GetSessionToken", "role", "AssumeRole"),
        ("assume-role.credentials.no-get-federation-token", "GetFederationToken", "role", "AssumeRole"),
        ("get-session-token.caller.long-term-only", "GetSessionToken", "session-token", "GetSessionToken"),
        ("get-federation-token.caller.long-term-only", "GetFederationToken", "session-token", "GetSessionToken"),
        (assume, "GetFederationToken", "session-token", "GetSessionToken"),
        (own, "GetSessionToken", "federation", "GetFederationToken"),
        (own, "GetFederationToken", "federation", "GetFederationToken"),
        (own, "AssumeRole", "federation", "GetFederationToken"),
    ):
        yield Defect(
            rule, f"{kebab(operation)}-taken", taken.format(maker, operation),
            acts.any_session(_METHODS[operation], origin),
        )  # fmt: skip
    yield Defect(
        assume, "assume-role-refused",
        "sessions of GetSessionToken may not call AssumeRole",
        acts.refused(
            "assume_role", "session-credentials-not-accepted", "Cannot call AssumeRole with session credentials",
            lambda caller, _: caller.session is not None and caller.session.origin == "session-token",
        ),
    )  # fmt: skip


# Identity and keys


def _told(element: str, change: Callable[[str], str], *kinds: str) -> Callable[[Service], None]:
    """Tell another ARN, id or account of callers of these kinds, or of sessions of these origins; of all if none."""

    def changed(caller: Caller, _values: Values, found: Result) -> Result:
        origin = caller.session.origin if caller.session is not None else caller.principal.kind
        if kinds and origin not in kinds:
            return found
        return {**found, element: change(str(found[element]))}

    return acts.reworked("get_caller_identity", changed)


def _created(_request: HttpRequest, found: HttpAnswer) -> HttpAnswer:
    is_meant = found.status == 200 and b"<GetCallerIdentityResponse" in found.body  # noqa: PLR2004 - success
    return replace(found, status=201) if is_meant else found


def _identity() -> Iterator[Defect]:
    own = "get-caller-identity"
    rows: tuple[tuple[str, str, str, str, Callable[[str], str], tuple[str, ...]], ...] = (
        (f"{own}.whose", "always-one", "every caller is the user moto", "Arn",
         lambda arn: f"{arn[:26]}user/moto", ("user",)),
        (f"{own}.response.account.meaning", "with-hyphens", "accounts are told as the console shows them", "Account",
         lambda account: f"{account[:4]}-{account[4:8]}-{account[8:]}", ()),
        (f"{own}.response.form.user.arn", "of-sts", "the ARN of a user is one of sts", "Arn",
         lambda arn: arn.replace(":iam:", ":sts:"), ("user",)),
        (f"{own}.response.form.user.user-id", "name", "the id of a user is its name", "UserId",
         lambda _: "conformance", ("user",)),
        (f"{own}.response.user-id.aida", "short", "the id of a user has 16 characters after AIDA", "UserId",
         lambda value: value[:-1], ("user",)),
        (f"{own}.response.form.assumed-role.arn", "role", "the ARN of a role session is the role's", "Arn",
         lambda arn: arn.replace(":sts:", ":iam:").replace("assumed-role", "role").rpartition("/")[0], ("role",)),
        (f"{own}.response.form.assumed-role.user-id", "role", "the id of a role session is the role's", "UserId",
         lambda value: value.partition(":")[0], ("role",)),
        (f"{own}.response.form.federated-user.arn", "user", "the ARN of a federated user is a user's", "Arn",
         lambda arn: arn.replace(":sts:", ":iam:").replace("federated-user", "user"), ("federation",)),
        (f"{own}.response.form.federated-user.user-id", "name", "the id of a federated user is its name", "UserId",
         lambda value: value.partition(":")[2], ("federation",)),
        ("get-session-token.credentials.same-identity", "role-session",
         "the credentials of GetSessionToken stand for a role session", "Arn",
         lambda arn: f"{arn.replace(':iam:', ':sts:').replace(':user/', ':assumed-role/')}/session",
         ("session-token",)),
        ("assume-role.credentials.account", "no-account", f"a role session belongs to the account {_NO_ACCOUNT}",
         "Account", lambda _: _NO_ACCOUNT, ("role",)),
    )  # fmt: skip
    for rule, name, says, element, change, kinds in rows:
        yield Defect(rule, name, says, _told(element, change, *kinds))
    yield Defect(f"{own}.wire.response.status", "created", "success is status 201", edits.answer(_created))
    for element in ("Arn", "UserId", "Account"):
        yield Defect(
            f"{own}.wire.response.elements", f"no-{kebab(element)}", f"{element} is left out",
            edits.element("GetCallerIdentity", (element,), lambda _: None),
        )  # fmt: skip
    yield Defect(
        f"{own}.response.order", "backwards", "the elements come as Account, UserId, Arn",
        acts.reordered("GetCallerIdentity"),
    )  # fmt: skip


def _access_keys() -> Iterator[Defect]:
    own = "get-access-key-info"
    yield Defect(
        f"{own}.permission", "not-needed", "anybody may ask about keys", edits.without("operations", "check_may_ask")
    )
    yield Defect(
        f"{own}.returns-account", "always-one", f"every key belongs to {_NO_ACCOUNT}",
        edits.element("GetAccessKeyInfo", ("Account",), lambda _: _NO_ACCOUNT),
    )  # fmt: skip
    yield Defect(
        f"{own}.asia", "long-term-only", "temporary keys are not known",
        acts.refused(
            "get_access_key_info", "unknown-access-key", "The access key is invalid",
            lambda _, values: values["AccessKeyId"].startswith("ASIA"),
        ),
    )  # fmt: skip
    yield Defect(
        f"{own}.wire.response.elements", "with-hyphens", "accounts are told as the console shows them",
        edits.element("GetAccessKeyInfo", ("Account",), lambda value: f"{value[:4]}-{value[4:8]}-{value[8:]}"),
    )  # fmt: skip


# Authorization messages


def _charset_refused(request: HttpRequest) -> HttpRequest:
    if b"Action=DecodeAuthorizationMessage" not in request.body:
        return request
    headers = tuple(
        (name, "text/plain" if name == "content-type" and "charset" in value else value)
        for name, value in request.headers
    )
    return replace(request, headers=headers)


def _messages() -> Iterator[Defect]:
    own, method = "decode-authorization-message", "decode_authorization_message"
    yield Defect(
        f"{own}.error.invalid-authorization-message", "any-base64", "what is base64 is decoded, whoever made it",
        acts.granted(
            method, "invalid-authorization-message", lambda values: "\n" not in values["EncodedMessage"],
            lambda values: {"DecodedMessage": base64.b64decode(values["EncodedMessage"]).decode("latin-1")},
        ),
    )  # fmt: skip
    yield Defect(
        f"{own}.error.invalid-authorization-message", "line-breaks-violate", "line breaks violate a constraint",
        acts.refused(
            method, "constraint-violation", "1 validation error detected",
            lambda _, values: "\n" in values["EncodedMessage"],
        ),
    )  # fmt: skip
    yield Defect(
        f"{own}.wire.request.post-form", "charset-refused",
        "a form for DecodeAuthorizationMessage that names its charset is no form",
        edits.request(_charset_refused),
    )  # fmt: skip


# Federated users


def _federation_tokens() -> Iterator[Defect]:
    own, operation = "get-federation-token", "GetFederationToken"
    forms = f"{own}.response.federated-user.forms"
    yield Defect(
        forms, "arn-of-iam", "the ARN of a federated user is one of iam",
        edits.element(operation, ("FederatedUser", "Arn"), lambda arn: arn.replace(":sts:", ":iam:")),
    )  # fmt: skip
    yield Defect(
        forms, "id-is-name", "the id of a federated user is its name",
        edits.element(operation, ("FederatedUser", "FederatedUserId"), lambda value: value.partition(":")[2]),
    )  # fmt: skip
    yield Defect(
        f"{own}.response.packed-policy-size.present", "absent", "PackedPolicySize is left out",
        edits.element(operation, ("PackedPolicySize",), lambda _: None),
    )  # fmt: skip
    yield Defect(
        f"{own}.policy.none-no-permissions", "policy-required", "a session policy must be passed",
        acts.refused(
            "get_federation_token", "constraint-violation",
            "1 validation error detected: Value null at 'policy' failed to satisfy constraint: "
            "Member must not be null",
            lambda _, values: not {"Policy", "PolicyArns", "Tags"} & set(values),
        ),
    )  # fmt: skip
