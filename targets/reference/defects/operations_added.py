"""Defects of the operations that the current model adds: AssumeRoot and GetWebIdentityToken."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from targets.reference.defects import acts, edits
from targets.reference.defects.registry import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Values
    from targets.reference.model import Caller, Principal
    from targets.reference.service import Service

    Apply = Callable[[Service], None]

_ROOT, _TOKEN = "assume-root", "get-web-identity-token"
_METHOD = "get_web_identity_token"
_OTHER_WORDS = "The request is not good."


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _root_sessions()
    yield from _requests()
    yield from _tokens()
    yield from _callers()
    yield from _wording()


def _root_sessions() -> Iterator[Defect]:
    yield Defect(
        f"{_ROOT}.target-principal.form", "any-principal", "that a principal is no root user is a matter of rights",
        edits.refusal("root-target-invalid", status=403, code="AccessDenied"),
    )  # fmt: skip
    yield Defect(
        f"{_ROOT}.task-policy-arn.form", "any-policy", "that a policy is of no task is a matter of rights",
        edits.refusal("root-task-policy-invalid", status=403, code="AccessDenied"),
    )  # fmt: skip
    yield Defect(
        f"{_ROOT}.duration-seconds.zero", "refused", "a duration of nothing violates a constraint",
        acts.refused(
            "assume_root", "constraint-violation", "1 validation error detected",
            lambda _, values: values["DurationSeconds"] == 0,
        ),
    )  # fmt: skip


def _requests() -> Iterator[Defect]:
    rule = f"{_TOKEN}.signing-algorithm.supported"
    yield Defect(
        rule, "not-looked-at", "whatever else is asked for, tokens are signed with RS256",
        acts.given(_METHOD, lambda values: values if _is_es384(values) else {**values, "SigningAlgorithm": "RS256"}),
    )  # fmt: skip
    yield Defect(rule, "es384-unknown", "there is no other algorithm than RS256", _refused(_is_es384))
    rule = f"{_TOKEN}.audience.free-text"
    yield Defect(
        rule, "urls-alone", "an audience must be a URL",
        _refused(lambda values: not all(one.startswith("https://") for one in values["Audience"])),
    )  # fmt: skip
    yield Defect(
        rule, "once", "an audience may stand once",
        _refused(lambda values: len(set(values["Audience"])) < len(values["Audience"])),
    )  # fmt: skip
    rule = f"{_TOKEN}.tags.distinct"
    yield Defect(rule, "spellings-differ", "Team and team are two keys", _without("check_distinct"))
    yield Defect(
        f"{_TOKEN}.tags.aws-prefix", "reserved", "tags may not begin with aws and a colon",
        _refused(lambda values: any(tag["Key"].startswith("aws:") for tag in values.get("Tags") or ())),
    )  # fmt: skip
    yield Defect(
        f"{_TOKEN}.error.jwt-payload-too-large", "server-fault", "a token too large is a fault of the server",
        edits.refusal("jwt-payload-too-large", status=500, code="InternalFailure"),
    )  # fmt: skip


def _is_es384(values: Values) -> bool:
    return bool(values["SigningAlgorithm"] == "ES384")


def _refused(when: Callable[[Values], bool]) -> Apply:
    message = "1 validation error detected"
    return acts.refused(_METHOD, "constraint-violation", message, lambda _, values: when(values))


def _without(check: str) -> Apply:
    return edits.without("operations", check)


def _tokens() -> Iterator[Defect]:
    rule = f"{_TOKEN}.token"
    yield Defect(
        rule, "always-rs256", "tokens are signed with RS256, whatever is asked for",
        acts.given(_METHOD, lambda values: {**values, "SigningAlgorithm": "RS256"}),
    )  # fmt: skip
    yield Defect(
        rule, "first-audience", "a token is for the first audience alone",
        acts.given(_METHOD, lambda values: {**values, "Audience": values["Audience"][:1]}),
    )  # fmt: skip
    rule = f"{_TOKEN}.token.key-id"
    yield Defect(rule, "none", "the header names no key", _with_header(lambda header: header.pop("kid")))
    yield Defect(rule, "no-type", "the header names no type", _with_header(lambda header: header.pop("typ")))


def _with_header(change: Callable[[dict[str, Any]], Any]) -> Apply:
    def changed(token: str) -> str:
        encoded, rest = token.split(".", 1)
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        change(header)
        return f"{base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip('=')}.{rest}"

    return edits.element("GetWebIdentityToken", ("WebIdentityToken",), changed)


def _callers() -> Iterator[Defect]:
    rule = f"{_TOKEN}.permission"
    yield Defect(rule, "not-needed", "no right is needed", _as_root(lambda _caller, _values: True))
    yield Defect(
        rule, "tags-for-all", "tags need no right of their own", _as_root(lambda _, values: bool(values.get("Tags")))
    )
    rule = f"{_TOKEN}.caller"
    yield Defect(rule, "federated-taken", "federated users have tokens", _without("check_no_federated_user"))
    yield Defect(
        rule, "sessions-refused", "sessions of GetSessionToken have a refusal of another kind",
        acts.refused(
            _METHOD, "unknown-key", "The security token included in the request is invalid.",
            lambda caller, _: caller.session is not None and caller.session.origin == "session-token",
        ),
    )  # fmt: skip
    yield Defect(
        f"{_TOKEN}.duration-seconds.session", "outliving", "a token may outlive the session",
        _without("check_escalation"),
    )  # fmt: skip


def _as_root(when: Callable[[Caller, Values], bool]) -> Apply:
    """Give the token to whoever asks as if root did."""

    def apply(service: Service) -> None:
        operation = service.operations.get_web_identity_token
        root = service.authenticator.root_callers()[0]

        def granted(caller: Caller, values: Values) -> Any:
            return operation(root if when(caller, values) and _is_user(caller.principal) else caller, values)

        edits.substitute(service.operations, _METHOD, granted)

    return apply


def _is_user(principal: Principal) -> bool:
    return principal.kind == "user"


def _wording() -> Iterator[Defect]:
    for rule, names in (
        (f"{_ROOT}.error.wording", ("root-target-invalid", "root-task-policy-invalid")),
        (f"{_TOKEN}.error.wording", ("signing-algorithm-unsupported",)),
        (f"{_TOKEN}.error.message", ("federated-user-not-supported", "session-duration-escalation")),
    ):
        for name in names:
            yield Defect(rule, name, f"{name} is told in other words", edits.wording(name, lambda _: _OTHER_WORDS))
    yield Defect(
        f"{_TOKEN}.permission.message", "no-reason", "a denial does not tell why",
        edits.wording("access-denied", lambda text: (text or "").partition(" because")[0].partition(" with")[0]),
    )  # fmt: skip
