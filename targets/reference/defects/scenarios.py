"""Defects of what holds over several calls and several principals: specs/sts/scenarios/."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from targets.reference import authorize
from targets.reference.defects import edits
from targets.reference.defects.registry import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Values
    from targets.reference.model import Caller
    from targets.reference.service import Service

    Apply = Callable[[Service], None]

_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _chaining()
    yield from _trust()
    yield from _calls_without_permission()


def _chaining() -> Iterator[Defect]:
    rule = "assume-role.duration-seconds.role-chaining"
    yield Defect(rule, "not-limited", "a role session may ask for as long as the role allows", _no_chaining_limit)
    yield Defect(rule, "one-too-narrow", "a role session may ask for 3599 seconds", _one_too_narrow)
    rule = "assume-role.transitive-tag-keys.pass-on"
    yield Defect(rule, "lost", "no tag reaches the next session", _operations("inherited", lambda _caller: ()))
    yield Defect(rule, "session-tags-unread", "session tags are no tags of the principal", _without_session_tags)
    yield Defect(
        "assume-role.transitive-tag-keys.none", "all-pass-on", "every session tag reaches the next session",
        _operations("inherited", lambda caller: caller.session.tags if caller.session else ()),
    )  # fmt: skip
    yield Defect(
        "assume-role.tags.inherit-conflict", "replaced", "a tag of the request replaces an inherited one",
        edits.without("operations", "check_inherited"),
    )  # fmt: skip
    yield Defect(
        "assume-role.source-identity.persists", "forgotten", "the source identity of a session is forgotten",
        _operations("source_identity", lambda _caller, values: values.get("SourceIdentity")),
    )  # fmt: skip


def _operations(name: str, other: Callable[..., Any]) -> Apply:
    return lambda service: edits.substitute(service.operations, name, other)


def _no_chaining_limit(service: Service) -> None:
    def check(_caller: Caller, role: Any, values: Values) -> None:
        service.operations.check_role_maximum(role, values["DurationSeconds"])

    edits.substitute(service.operations, "check_duration", check)


def _one_too_narrow(service: Service) -> None:
    check = service.operations.check_duration

    def shorter(caller: Caller, role: Any, values: Values) -> None:
        more = 1 if caller.session is not None else 0
        check(caller, role, {**values, "DurationSeconds": values["DurationSeconds"] + more})

    edits.substitute(service.operations, "check_duration", shorter)


def _without_session_tags(service: Service) -> None:
    caller_of = service.authenticator.caller_of
    edits.substitute(
        service.authenticator, "caller_of", lambda session: caller_of(replace(session, tags=()))
    )


def _trust() -> Iterator[Defect]:
    yield Defect(
        "assume-role.duration-seconds.role-max", "not-limited", "the maximum of a role is not looked at",
        edits.without("operations", "check_role_maximum"),
    )  # fmt: skip
    yield Defect(
        "assume-role.trust.same-account-identity", "account-suffices", "whoever is of the trusted account may come",
        _asked(lambda caller, values: (replace(caller, policies=(_ALL,)), values)),
    )  # fmt: skip
    yield Defect(
        "assume-role.trust.same-account-principal", "policy-always-needed",
        "the caller needs a policy of its own, whomever the trust policy names", _policy_needed,
    )  # fmt: skip
    yield Defect(
        "assume-role.role-session-name.enforceable", "key-unknown", "any session name is the one demanded",
        _with_value("RoleSessionName", "expected"),
    )  # fmt: skip
    rule = "assume-role.source-identity.condition-key"
    yield Defect(
        rule, "any-will-do", "any source identity is the one demanded",
        _asked(lambda caller, v: (caller, {**v, "SourceIdentity": "alice"} if "SourceIdentity" in v else v)),
    )  # fmt: skip
    yield Defect(
        rule, "not-missed", "without a source identity the one demanded is taken",
        _asked(lambda caller, values: (caller, {"SourceIdentity": "alice", **values})),
    )  # fmt: skip
    yield Defect("assume-role.tags.permission", "not-needed", "tags need no right of their own", _untagged)
    yield Defect(
        "assume-role.session-policy.intersection", "not-read", "session policies are not looked at",
        _asked(lambda caller, values: (_unbound(caller), values)),
    )  # fmt: skip


def _asked(change: Callable[[Caller, Values], tuple[Caller, Values]]) -> Apply:
    """Let the decision who may assume a role be made about another caller or other members."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def changed(caller: Caller, role: Any, arn: Any, values: Values, *more: Any, **named: Any) -> None:
            caller, values = change(caller, values)
            check(caller, role, arn, values, *more, **named)

        edits.substitute(service.operations, "check_may_assume", changed)

    return apply


def _with_value(name: str, value: str) -> Apply:
    return _asked(lambda caller, values: (caller, {**values, name: value}))


def _unbound(caller: Caller) -> Caller:
    return replace(caller, session=replace(caller.session, policies=None)) if caller.session else caller


def _policy_needed(service: Service) -> None:
    check = service.operations.check_may_assume

    def both(caller: Caller, role: Any, arn: Any, *more: Any, **named: Any) -> None:
        check(caller, role, arn, *more, **named)
        context = authorize.context_of(caller, now=service.clock.now())
        authorize.permitted(caller, "sts:AssumeRole", arn.text, context)

    edits.substitute(service.operations, "check_may_assume", both)


def _untagged(service: Service) -> None:
    check = service.operations.check_may_assume

    def without(caller: Caller, role: Any, arn: Any, values: Values, restriction: Any, **named: Any) -> None:
        check(caller, role, arn, values, replace(restriction, tags=()), **named)

    edits.substitute(service.operations, "check_may_assume", without)


def _calls_without_permission() -> Iterator[Defect]:
    for rule, name in (
        ("get-caller-identity.no-permission", "get_caller_identity"),
        ("get-session-token.caller.no-permission-needed", "get_session_token"),
    ):
        yield Defect(rule, "needs-a-policy", "a policy must allow the call", _permitted(name, ()))
    for rule, name in (
        ("get-caller-identity.explicit-deny", "get_caller_identity"),
        ("get-session-token.caller.policy-cannot-control", "get_session_token"),
    ):
        yield Defect(rule, "denied", "an explicit deny stops the call", _permitted(name, (_ALL,)))


def _permitted(method: str, more: tuple[str, ...]) -> Apply:
    """Hold the caller's policies, and `more` of them, against a call."""
    action = "sts:" + "".join(word.capitalize() for word in method.split("_"))

    def apply(service: Service) -> None:
        act = getattr(service.operations, method)

        def asked(caller: Caller, values: Values) -> Any:
            held = replace(caller, policies=(*caller.policies, *more))
            authorize.permitted(held, action, "*", authorize.context_of(caller, now=service.clock.now()))
            return act(caller, values)

        edits.substitute(service.operations, method, asked)

    return apply
