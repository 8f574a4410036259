"""Defects of the operations about roles: specs/sts/assume-role*.yaml."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specs.contract import kebab
from targets.reference.defects import acts, edits
from targets.reference.defects.registry import Defect
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.arns import Arn
    from targets.reference.constraints import Values
    from targets.reference.model import Caller, Role
    from targets.reference.operations import Restriction, Result
    from targets.reference.service import Service

_ABSENT = "arn:aws:iam::111122223333:role/absent"
_ARN = re.compile(r"arn:[a-z-]+:")
_SHORTEST = 20  # characters of an ARN
_SIZES = ("PackedPolicySize", "SessionTokenUtilization")


def defects() -> Iterator[Defect]:
    """Yield the defects of AssumeRole and its like."""
    yield from _requests()
    yield from _role_arns()
    yield from _assumed_role_user()
    yield from _credential_forms()
    yield from _answers()
    yield from _durations()
    yield from _source_identity()
    yield from _refusals_of_tags()
    yield from _saml()
    yield from _web_identity()


def _user(part: str, change: Callable[[str], str]) -> Callable[[Service], None]:
    return edits.element("AssumeRole", ("AssumedRoleUser", part), change)


def _credential(part: str, change: Callable[[Any], Any]) -> Callable[[Service], None]:
    return edits.element("AssumeRole", ("Credentials", part), change)


# Requests


def _capital_arn(given: dict[str, str]) -> dict[str, str]:
    if any(re.fullmatch(r"PolicyArns\.member\.\d+\.arn", name) for name in given):
        raise Refused(
            "constraint-violation",
            "1 validation error detected: Value null at 'policyArns.1.member.arn' failed to satisfy constraint: "
            "Member must not be null",
        )
    return given


def _requests() -> Iterator[Defect]:
    yield Defect(
        "assume-role.wire.request.arn-lowercase", "capital-wanted", "the key of a managed policy must be Arn",
        edits.parameters("AssumeRole", _capital_arn),
    )  # fmt: skip


def _unknown_is_invalid(service: Service) -> None:
    check = service.operations.check_may_assume

    def checked(
        caller: Caller, role: Role | None, arn: Arn, values: Values, restriction: Restriction, *, mfa: bool
    ) -> None:
        if role is None:
            raise Refused("malformed-arn", f"{arn.text} is invalid")
        check(caller, role, arn, values, restriction, mfa=mfa)

    edits.substitute(service.operations, "check_may_assume", checked)


def _made_up(values: Values) -> Result:
    """Return what an emulator that knows no roles answers; credentials are added."""
    arn = values["RoleArn"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    name = values.get("RoleSessionName", "conformance")
    user: Result = {"AssumedRoleId": f"AROAAAAAAAAAAAAAAAAAA:{name}", "Arn": f"{arn}/{name}"}
    return {"AssumedRoleUser": user, "Credentials": None}


def _role_arns() -> Iterator[Defect]:
    rule = "assume-role.role-arn.unknown"
    yield Defect(
        rule, "any-role", "a role that does not exist is assumed",
        acts.granted("assume_role", "role-not-assumable", lambda _: True, _made_up),
    )  # fmt: skip
    yield Defect(rule, "invalid", "the ARN of a role that does not exist is invalid", _unknown_is_invalid)
    yield Defect(
        f"{rule}.message", "no-names", "a denial names nothing",
        edits.wording("role-not-assumable", lambda _: "Access denied"),
    )  # fmt: skip
    rule = "assume-role.role-arn.form"
    yield Defect(
        rule, "words-name-a-role", "what does not begin with arn: names a role, which does not exist",
        edits.parameters("AssumeRole", _absent(lambda text: not text.startswith("arn:"))),
    )  # fmt: skip
    yield Defect(
        rule, "prefix-alone", "what begins with arn: is an ARN",
        edits.parameters("AssumeRole", _absent(lambda text: text.startswith("arn:") and not _ARN.match(text))),
    )  # fmt: skip
    yield Defect(
        f"{rule}.message", "value-not-named", "the refusal of what is no ARN does not name it",
        edits.wording("malformed-arn", lambda _: "Invalid ARN"),
    )  # fmt: skip


def _absent(when: Callable[[str], bool]) -> Callable[[dict[str, str]], dict[str, str]]:
    def change(given: dict[str, str]) -> dict[str, str]:
        text = given.get("RoleArn", "")
        return {**given, "RoleArn": _ABSENT} if len(text) >= _SHORTEST and when(text) else given

    return change


# Answers


def _with_path(_caller: Caller, values: Values, found: Result) -> Result:
    user = found["AssumedRoleUser"]
    assert isinstance(user, dict)  # noqa: S101 - of every answer
    path = values["RoleArn"].partition(":role/")[2]
    start, session = str(user["Arn"]).partition("assumed-role/")[0], values["RoleSessionName"]
    return {**found, "AssumedRoleUser": {**user, "Arn": f"{start}assumed-role/{path}/{session}"}}


def _small(arn: str) -> str:
    start, slash, name = arn.rpartition("/")
    return f"{start}{slash}{name.lower()}"


def _assumed_role_user() -> Iterator[Defect]:
    own = "assume-role.response"
    rows: tuple[tuple[str, str, str, str, Callable[[str], str]], ...] = (
        ("assume-role.role-session-name.in-arn", "small-letters", "the session name is in small letters in the ARN",
         "Arn", _small),
        (f"{own}.assumed-role-user.contains-session-name", "arn-without", "the ARN lacks the session name",
         "Arn", lambda arn: arn.rpartition("/")[0]),
        (f"{own}.assumed-role-user.contains-session-name", "id-without", "AssumedRoleId lacks the session name",
         "AssumedRoleId", lambda value: value.partition(":")[0]),
        ("assume-role.wire.response.arn-form", "of-iam", "the ARN of a session is one of iam",
         "Arn", lambda arn: arn.replace(":sts:", ":iam:")),
        ("data-type.assumed-role-user.assumed-role-id.form", "slash", "AssumedRoleId has a slash instead of a colon",
         "AssumedRoleId", lambda value: value.replace(":", "/")),
        (f"{own}.assumed-role-id.aroa", "short", "the id of a role has 16 characters after AROA",
         "AssumedRoleId", lambda value: f"{value[:20]}{value[21:]}"),
        (f"{own}.assumed-role-id.aroa", "aria", "the id of a role begins with ARIA",
         "AssumedRoleId", lambda value: f"ARIA{value[4:]}"),
    )  # fmt: skip
    for rule, name, says, part, change in rows:
        yield Defect(rule, name, says, _user(part, change))
    yield Defect(
        f"{own}.arn.path", "with-path", "the path of the role is part of the ARN of a session",
        acts.reworked("assume_role", _with_path),
    )  # fmt: skip


def _credential_forms() -> Iterator[Defect]:
    rule = "assume-role.response.credentials.form"
    yield Defect(
        rule, "small-letters", "the id of a temporary key has small letters",
        _credential("AccessKeyId", lambda value: f"ASIA{value[4:].lower()}"),
    )  # fmt: skip
    yield Defect(
        rule, "secret-short", "a secret key has 32 characters",
        _credential("SecretAccessKey", lambda value: value[:32]),
    )  # fmt: skip
    yield Defect(
        rule, "token-short", "a session token has 36 characters",
        _credential("SessionToken", lambda value: value[:36]),
    )  # fmt: skip
    yield Defect(
        "assume-role.response.expiration.seconds", "milliseconds", "Expiration has milliseconds",
        _credential("Expiration", lambda value: value.strftime("%Y-%m-%dT%H:%M:%S.000Z")),
    )  # fmt: skip


def _answers() -> Iterator[Defect]:
    rule = "assume-role.response.order"
    yield Defect(rule, "result-backwards", "Credentials come before AssumedRoleUser", acts.reordered("AssumeRole"))
    for part in ("Credentials", "AssumedRoleUser"):
        yield Defect(
            rule, f"{kebab(part)}-backwards", f"what {part} holds comes from the last to the first",
            acts.reordered("AssumeRole", part),
        )  # fmt: skip
    yield Defect(
        "assume-role.response.packed-policy-size.percentage", "of-something-else",
        "PackedPolicySize is one more than SessionTokenUtilization",
        edits.element("AssumeRole", ("PackedPolicySize",), lambda value: value + 1),
    )  # fmt: skip
    yield Defect(
        "assume-role.response.packed-policy-size.percentage", "characters",
        "PackedPolicySize and SessionTokenUtilization are told in characters",
        edits.result(
            "AssumeRole", lambda found: found | dict.fromkeys(_SIZES, found["SessionTokenSize"])
        ),
    )  # fmt: skip


def _durations() -> Iterator[Defect]:
    rule = "assume-role.duration-seconds.forms"
    for name, says, form in (
        ("plus-refused", "a plus sign makes no integer", r"\+.*"),
        ("zero-refused", "a leading zero makes no integer", r"0\d+"),
    ):
        yield Defect(rule, name, says, edits.parameters("AssumeRole", _refusing(form)))


def _refusing(form: str) -> Callable[[dict[str, str]], dict[str, str]]:
    def change(given: dict[str, str]) -> dict[str, str]:
        if re.fullmatch(form, given.get("DurationSeconds", "")):
            raise Refused("malformed-integer")
        return given

    return change


def _source_identity() -> Iterator[Defect]:
    def other(_caller: Caller, values: Values, found: Result) -> Result:
        return found if found["SourceIdentity"] is None else {**found, "SourceIdentity": values["RoleSessionName"]}

    yield Defect(
        "assume-role.response.source-identity.echo", "session-name", "SourceIdentity is the name of the session",
        acts.reworked("assume_role", other),
    )  # fmt: skip
    yield Defect(
        "assume-role.source-identity.no-aws-prefix", "colon-taken", "a source identity may hold colons",
        edits.member("AssumeRole", ("SourceIdentity",), lambda member: replace(member, pattern=r"[\w+=,.@:-]*")),
    )  # fmt: skip


def _refusals_of_tags() -> Iterator[Defect]:
    yield Defect(
        "assume-role.tags.case-insensitive.message", "in-other-words", "repeated tag keys are refused in other words",
        edits.wording("duplicate-tag-keys", lambda _: "Duplicate tag keys found."),
    )  # fmt: skip
    rule = "assume-role.transitive-tag-keys.in-tags"
    yield Defect(
        rule, "not-looked-at", "transitive tag keys may name no tag", edits.without("operations", "check_transitive")
    )
    yield Defect(
        f"{rule}.message", "in-other-words", "unknown transitive tag keys are refused in other words",
        edits.wording("transitive-key-unknown", lambda _: "Transitive tag keys must be among the tags."),
    )  # fmt: skip


# Federation


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _decoded(token: str) -> str:
    """Decode base64, or the second part of a JSON Web Token."""
    text = token.split(".")[1] if token.count(".") > 1 else token
    try:
        return base64.urlsafe_b64decode(f"{text}===").decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _saml() -> Iterator[Defect]:
    own, operation, method = "assume-role-with-saml", "AssumeRoleWithSAML", "assume_role_with_saml"
    yield Defect(
        f"{own}.error.invalid-identity-token", "unsigned-taken", "an assertion of nobody is taken",
        acts.granted(
            method, "invalid-identity-token", lambda values: _is_base64(values["SAMLAssertion"]), _made_up
        ),
    )  # fmt: skip
    yield Defect(
        f"{own}.saml-assertion.base64", "not-read", "an assertion that is not base64 is not read, and taken",
        acts.granted(
            method, "invalid-identity-token", lambda values: not _is_base64(values["SAMLAssertion"]), _made_up
        ),
    )  # fmt: skip
    yield Defect(
        f"{own}.caller-validated-by-token", "never-valid", "no assertion is valid",
        acts.refused(method, "invalid-identity-token", "Response signature invalid", lambda *_: True),
    )  # fmt: skip
    yield Defect(
        f"{own}.no-credentials", "signature-wanted", f"{operation} must be signed", acts.needs_signature(operation)
    )
    yield Defect(
        f"{own}.wire.request.authparams", "signature-refused", f"{operation} must not be signed",
        acts.refuses_signature(operation),
    )  # fmt: skip


def _web_identity() -> Iterator[Defect]:
    own, operation = "assume-role-with-web-identity", "AssumeRoleWithWebIdentity"
    method = "assume_role_with_web_identity"
    rule = f"{own}.error.invalid-identity-token"
    for name, says, is_jwt in (
        ("any-issuer", "a token of an issuer that is not known is taken", True),
        ("opaque", "a token that is no JSON Web Token is taken", False),
    ):
        yield Defect(
            rule, name, says,
            acts.granted(method, "invalid-identity-token", _jwt_is(wanted=is_jwt), _made_up),
        )  # fmt: skip
    yield Defect(
        f"{own}.caller-validated-by-token", "never-valid", "no token is valid",
        acts.refused(method, "invalid-identity-token", "Couldn't retrieve verification key", lambda *_: True),
    )  # fmt: skip
    rule = f"{own}.no-credentials"
    yield Defect(rule, "signature-wanted", f"{operation} must be signed", acts.needs_signature(operation))
    yield Defect(
        rule, "missing-token-is-signature", "a missing WebIdentityToken is taken for a missing signature",
        acts.needs_signature(operation, lambda query: "WebIdentityToken" not in query.parameters),
    )  # fmt: skip
    for name, aspect, says, pattern in (
        ("any", "allowed", "any host may be the ProviderId", r"[\w.-]+"),
        ("scheme-taken", "host-only", "a ProviderId may have a scheme", r"https?://.*"),
        ("port-taken", "host-only", "a ProviderId may have a port", r"[^/]+:\d+"),
    ):
        yield Defect(
            f"{own}.provider-id.{aspect}", name, f"{says}, and its token is taken",
            acts.granted(method, "unknown-provider", _provider_is(pattern), _made_up),
        )  # fmt: skip


def _jwt_is(*, wanted: bool) -> Callable[[Values], bool]:
    return lambda values: _decoded(values["WebIdentityToken"]).startswith("{") is wanted


def _provider_is(pattern: str) -> Callable[[Values], bool]:
    return lambda values: re.fullmatch(pattern, values.get("ProviderId", "")) is not None
