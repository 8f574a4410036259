"""Defects of sessions: their tags, policies and source identities, and what is demanded of who asks for one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from targets.reference.authentication import merged
from targets.reference.defects import acts, edits
from targets.reference.defects.claims import ALLOW_ALL
from targets.reference.defects.registry import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Values
    from targets.reference.model import Caller, Session
    from targets.reference.operations import Result
    from targets.reference.service import Service

    Apply = Callable[[Service], None]
    Pairs = tuple[tuple[str, str], ...]


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _sessions()
    yield from _durations()
    yield from _principal_tags()
    yield from _passing_tags()
    yield from _session_policies()
    yield from _source_identity()
    yield from _conditions()
    yield from _chain()
    yield from _trust()
    yield from _federated_users()


def _sessions() -> Iterator[Defect]:
    rule, role_id = "data-type.assumed-role-user.role-id-stable", ("AssumedRoleUser", "AssumedRoleId")
    numbers = count(1000)
    yield Defect(
        rule, "id-of-the-session", "each session has a role id of its own",
        edits.element("AssumeRole", role_id, lambda found: f"AROA{next(numbers):017}:{found.partition(':')[2]}"),
    )  # fmt: skip
    yield Defect(
        rule, "first-name-kept", "a role's id has the name of whichever session came first",
        edits.element("AssumeRole", role_id, lambda found: f"{found.partition(':')[0]}:one"),
    )  # fmt: skip
    yield Defect(
        "assume-role.policy.new-credentials", "handed-out-again",
        "who asks for the same with the same policy is given the same credentials", _handed_out_again,
    )  # fmt: skip
    rule = "assume-role.credentials.other-sts-allowed"
    for method in ("assume_role", "get_access_key_info", "get_caller_identity"):
        yield Defect(
            rule, method.replace("_", "-"), f"a role session may not call {method}",
            acts.refused(method, "access-denied", "No.", lambda caller, _values: _of_role(caller)),
        )  # fmt: skip
    yield Defect(
        rule, "beyond-its-rights", "a role session may assume roles, whatever its role's policy says",
        _asked(lambda caller, values: (_with(caller, ALLOW_ALL) if _of_role(caller) else caller, values)),
    )  # fmt: skip
    rule = "get-session-token.credentials.trusted-as-user"
    yield Defect(
        rule, "not-the-user", "the credentials of GetSessionToken are not those of the user that a role names",
        _asked(lambda caller, values: (_as_stranger(caller), values)),
    )  # fmt: skip
    yield Defect(
        rule, "any-user", "any credentials of GetSessionToken are those of the user that a role names", _any_user
    )


def _of_role(caller: Caller) -> bool:
    return caller.session is not None and caller.session.origin == "role"


def _of_user(caller: Caller) -> bool:
    return caller.session is not None and caller.session.origin == "session-token"


def _handed_out_again(service: Service) -> None:
    act, kept = service.operations.assume_role, dict[str, Any]()

    def again(caller: Caller, values: Values) -> Result:
        found: Result = act(caller, values)
        return kept.setdefault(repr((caller.principal, values)), found) if "Policy" in values else found

    edits.substitute(service.operations, "assume_role", again)


def _as_stranger(caller: Caller) -> Caller:
    if not _of_user(caller):
        return caller
    session_arn = caller.principal.arn.replace(":iam:", ":sts:")
    return replace(caller, principal=replace(caller.principal, arn=session_arn, user_id="AIDAUNKNOWN"))


def _any_user(service: Service) -> None:
    """Grant to the sessions of GetSessionToken what a role grants to a user by name."""
    check = service.operations.check_may_assume

    def checked(caller: Caller, role: Any, *more: Any, **named: Any) -> None:
        if role is None or not (_of_user(caller) and ":user/" in role.trust):
            check(caller, role, *more, **named)

    edits.substitute(service.operations, "check_may_assume", checked)


def _durations() -> Iterator[Defect]:
    rule = "assume-role.duration-seconds.role-max-range"
    yield Defect(rule, "an-hour-at-most", "no role may be set above an hour", _role_maximum(lambda _seconds: 3600))
    yield Defect(rule, "twelve-for-all", "every role is set to twelve hours", _role_maximum(lambda _seconds: 43200))
    rule = "assume-role.duration-seconds.administrator-setting"
    yield Defect(rule, "one-too-many", "a second more than the role's maximum is granted", _role_maximum(_one_more))
    yield Defect(rule, "cut", "a duration above the role's maximum is shortened", _cut)


def _one_more(seconds: int) -> int:
    return seconds + 1


def _role_maximum(change: Callable[[int], int]) -> Apply:
    def apply(service: Service) -> None:
        check = service.operations.check_role_maximum

        def checked(role: Any, seconds: int) -> None:
            check(replace(role, max_session_seconds=change(role.max_session_seconds)), seconds)

        edits.substitute(service.operations, "check_role_maximum", checked)

    return apply


def _cut(service: Service) -> None:
    edits.without("operations", "check_role_maximum")(service)
    make = service.operations._role_session

    def shorter(role: Any, name: str, seconds: int, origin: Any) -> Session:
        return make(role, name, min(seconds, role.max_session_seconds), origin)

    edits.substitute(service.operations, "_role_session", shorter)


def _principal_tags() -> Iterator[Defect]:
    rule = "assume-role.tags.override"
    yield Defect(rule, "role-wins", "the role's tag stands, whatever the session passes", _tagged(_role_wins))
    yield Defect(
        rule, "role-tags-lost", "the tags of a role are no tags of its sessions",
        _tagged(lambda _role, session: session),
    )  # fmt: skip
    rule = "assume-role.tags.case-override"
    yield Defect(
        rule, "role-wins", "the role's tag stands if its key is spelt otherwise",
        _tagged(lambda role, session: (*_role_wins(role, session), *(tag for tag in session if tag in role))),
    )  # fmt: skip
    yield Defect(
        rule, "both-lost", "where two keys differ in case, neither tag counts",
        _tagged(lambda role, session: tuple(tag for tag in (*role, *session) if not _differ(tag, role, session))),
    )  # fmt: skip
    yield Defect(
        "assume-role.tags.case-preserved", "lower-case", "the values of session tags are kept in lower case",
        _tagged(lambda role, session: merged(role, tuple((key, value.lower()) for key, value in session))),
    )  # fmt: skip


def _tagged(tags: Callable[[Pairs, Pairs], Pairs]) -> Apply:
    """Let a principal have other tags, made of those of its role or user and those of its session."""

    def apply(service: Service) -> None:
        caller_of = service.authenticator.caller_of

        def found(session: Session) -> Caller:
            own = caller_of(replace(session, tags=())).principal_tags
            return replace(caller_of(session), principal_tags=tags(own, session.tags))

        edits.substitute(service.authenticator, "caller_of", found)

    return apply


def _role_wins(role: Pairs, session: Pairs) -> Pairs:
    return merged(session, role)


def _differ(tag: tuple[str, str], role: Pairs, session: Pairs) -> bool:
    """Tell whether the role and the session have this key, each in a case of its own."""
    keys = {key for key, _ in (*role, *session) if key.lower() == tag[0].lower()}
    return len(keys) > 1


_UNICORN = (("Project", "Unicorn"),)
_TAGGING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:TagSession","Resource":"*"}]}'
_IDENTIFYING = _TAGGING.replace("TagSession", "SetSourceIdentity")
_FEDERATING = _TAGGING.replace("TagSession", "GetFederationToken")


def _passing_tags() -> Iterator[Defect]:
    yield Defect(
        "assume-role.tags.permission.caller", "trust-suffices", "that the role may be tagged is enough",
        _asked(lambda caller, values: (_with(caller, _TAGGING), values)),
    )  # fmt: skip
    rule = "assume-role.tags.permission.named"
    yield Defect(rule, "names-unread", "who may pass one tag may pass any", _with_tags(lambda _tags: _UNICORN))
    yield Defect(rule, "first-only", "the first tag alone is looked at", _with_tags(lambda tags: tags[:1]))
    yield Defect(
        "assume-role.transitive-tag-keys.permission", "not-needed", "what is brought along needs no right",
        _asked(lambda caller, values: (_in_session(caller, transitive=()), values)),
    )  # fmt: skip
    yield Defect(
        "assume-role.transitive-tag-keys.packed", "counted", "a transitive key counts as one more tag",
        acts.reworked("assume_role", _transitive_counted),
    )  # fmt: skip


def _transitive_counted(_caller: Caller, values: Values, found: Result) -> Result:
    size = found.get("PackedPolicySize")
    more = len(values.get("TransitiveTagKeys") or ())
    return {**found, "PackedPolicySize": size + more} if isinstance(size, int) else found


def _session_policies() -> Iterator[Defect]:
    yield Defect(
        "assume-role.session-policy.no-escalation", "adds-rights", "a session policy adds to the rights of a role",
        _asked(lambda caller, values: (_with(caller, *(_limits(caller) or ())), values)),
    )  # fmt: skip
    yield Defect(
        "assume-role.session-policy.resource", "resource-unread", "a session policy is about all roles",
        _limited(lambda policies: tuple(_edited(text, _on_everything) for text in policies)),
    )  # fmt: skip
    rule = "assume-role.session-policy.deny"
    yield Defect(
        rule, "deny-unread", "what a session policy denies is not looked at",
        _limited(lambda policies: tuple(_edited(text, _without_denial) for text in policies)),
    )  # fmt: skip
    yield Defect(
        rule, "deny-is-all", "a session policy that denies something denies everything",
        _limited(lambda policies: () if any('"Deny"' in text for text in policies) else policies),
    )  # fmt: skip
    rule = "assume-role.session-policy.managed"
    yield Defect(rule, "not-read", "managed session policies allow everything", _managed_unread)
    yield Defect(rule, "first-only", "the first session policy alone counts", _limited(lambda policies: policies[:1]))
    yield Defect(
        "assume-role.session-policy.managed-and-inline", "inline-alone",
        "beside an inline policy managed ones do not count", _limited(lambda policies: policies[:1]),
    )  # fmt: skip


def _source_identity() -> Iterator[Defect]:
    rule = "assume-role.source-identity.global-key"
    yield Defect(
        rule, "key-unknown", "a session's source identity is no condition key", _source_identity_unread
    )
    yield Defect(
        rule, "any-will-do", "any source identity of a session is the one demanded",
        _asked(lambda caller, values: (_in_session(caller, source_identity=_held(caller) and "alice"), values)),
    )  # fmt: skip
    yield Defect(
        rule, "not-missed", "a session without a source identity has the one demanded",
        _asked(lambda caller, values: (_in_session(caller, source_identity=_held(caller) or "alice"), values)),
    )  # fmt: skip
    yield Defect(
        "assume-role.source-identity.permission", "not-needed", "a source identity needs no right of its own",
        _asked(lambda caller, values: (caller, _less(values, "SourceIdentity"))),
    )  # fmt: skip
    yield Defect(
        "assume-role.source-identity.permission.caller", "trust-suffices",
        "that the role may be given a source identity is enough",
        _asked(lambda caller, values: (_with(caller, _IDENTIFYING), values)),
    )  # fmt: skip
    yield Defect(
        "assume-role.source-identity.permission.chained", "not-needed", "what is brought along needs no right",
        _asked(lambda caller, values: (_in_session(caller, source_identity=None), values)),
    )  # fmt: skip


    rule = "assume-role.source-identity.immutable"
    yield Defect(rule, "changed", "a session may change its source identity", _changeable)
    yield Defect(
        rule, "for-lack-of-a-right", "to change a source identity is refused as if a right were missing",
        edits.refusal("source-identity-set-already", status=403, code="AccessDenied"),
    )  # fmt: skip


def _changeable(service: Service) -> None:
    held = service.operations.source_identity

    def asked(caller: Caller, values: Values) -> str | None:
        wanted: str | None = values.get("SourceIdentity")
        return wanted or held(caller, values)

    edits.substitute(service.operations, "source_identity", asked)


def _source_identity_unread(service: Service) -> None:
    """Ask for the right to set it, but let no condition see it."""
    check = service.operations.check_may_assume

    def checked(caller: Caller, role: Any, arn: Any, values: Values, *more: Any, **named: Any) -> None:
        asked = values if _held(caller) is None else {**values, "SourceIdentity": _held(caller)}
        check(_in_session(caller, source_identity=None), role, arn, asked, *more, **named)

    edits.substitute(service.operations, "check_may_assume", checked)


def _conditions() -> Iterator[Defect]:
    rule = "assume-role.conditions.principal-tag"
    yield Defect(
        rule, "any-value", "any value of the caller's tag will do",
        _asked(lambda caller, values: (_blue(caller) if _has_team(caller) else caller, values)),
    )  # fmt: skip
    yield Defect(
        rule, "not-missed", "a caller without the tag will do",
        _asked(lambda caller, values: (caller if _has_team(caller) else _blue(caller), values)),
    )  # fmt: skip
    rule = "assume-role.conditions.request-tag"
    yield Defect(
        rule, "any-value", "any value of the tag will do",
        _with_tags(lambda tags: _UNICORN if "Project" in dict(tags) else tags),
    )  # fmt: skip
    yield Defect(
        rule, "any-tag", "any other tag will do",
        _with_tags(lambda tags: tags if "Project" in dict(tags) else tags and _UNICORN),
    )  # fmt: skip
    yield Defect(rule, "not-missed", "a request without tags will do", _with_tags(lambda tags: tags or _UNICORN))
    yield Defect(
        "assume-role.conditions.request-tag-of-caller", "variable-unread", "${...} in a trust policy is plain text",
        _trusting(lambda trust: trust.replace("${aws:PrincipalTag", "$ {aws:PrincipalTag")),
    )  # fmt: skip
    yield Defect(
        "assume-role.conditions.request-tag-of-caller", "any-will-do", "any value is that of the caller's tag",
        _asked(lambda caller, values: (replace(caller, principal_tags=_passed(values)), values)),
    )  # fmt: skip
    yield Defect(
        "assume-role.conditions.tag-keys", "first-only", "the first tag alone is looked at",
        _with_tags(lambda tags: tags[:1]),
    )  # fmt: skip
    rule = "assume-role.conditions.user-name"
    yield Defect(
        rule, "variable-unread", "${...} in a trust policy is plain text",
        _trusting(lambda trust: trust.replace("${aws:username", "$ {aws:username")),
    )  # fmt: skip
    yield Defect(
        rule, "any-name", "any session name is the caller's",
        _asked(lambda caller, values: (caller, {**values, "RoleSessionName": _name(caller)})),
    )  # fmt: skip
    yield from _transitive_keys()


def _transitive_keys() -> Iterator[Defect]:
    for name, says, change in (
        ("key-unknown", "which tags are transitive is no condition key", lambda _keys, _tags: []),
        ("all-tags", "the keys of all tags count as transitive", lambda _keys, tags: [key for key, _ in tags]),
        ("first-only", "the first transitive key alone is looked at", lambda keys, _tags: keys[:1]),
    ):
        yield Defect(
            "assume-role.conditions.transitive-tag-keys", name, says, _with_transitive(change)
        )


def _with_transitive(change: Callable[[list[str], Pairs], list[str]]) -> Apply:
    def changed(caller: Caller, values: Values) -> tuple[Caller, Values]:
        keys = change(list(values.get("TransitiveTagKeys") or ()), _passed(values))
        return caller, {**values, "TransitiveTagKeys": keys}

    return _asked(changed)


def _chain() -> Iterator[Defect]:
    rule = "assume-role.conditions.chain"
    yield Defect(
        rule, "any-source-identity", "any source identity is the one demanded",
        _asked(lambda caller, values: (_in_session(caller, source_identity=_held(caller) and "alice"), values)),
    )  # fmt: skip
    yield Defect(
        rule, "any-tag", "any value of a transitive tag is the one demanded",
        _tagged(lambda role, session: merged(role, tuple((key, "Unicorn") for key, _ in session))),
    )  # fmt: skip
    yield Defect(
        rule, "tags-lost", "no tag reaches the next session",
        lambda service: edits.substitute(service.operations, "inherited", lambda _caller: ()),
    )  # fmt: skip
    for name, says, member in (
        ("any-external-id", "of a role session any external id will do", {"ExternalId": "conformance"}),
        ("any-session-name", "of a role session any session name will do", {"RoleSessionName": "two"}),
    ):
        yield Defect("assume-role.conditions.chained-request", name, says, _asked_by_roles(member))
    yield Defect(
        "assume-role.transitive-tag-keys.pass-on", "one-hop", "a transitive tag reaches the next session only",
        _one_hop,
    )  # fmt: skip


def _asked_by_roles(member: Values) -> Apply:
    return _asked(lambda caller, values: (caller, {**values, **member} if _of_role(caller) else values))


def _trust() -> Iterator[Defect]:
    yield Defect(
        "assume-role.trust.explicit-deny", "name-suffices", "whom a trust policy names is not held by its own policy",
        _asked(lambda caller, values: (replace(caller, policies=()), values)),
    )  # fmt: skip
    rule = "assume-role.trust.identity-resource"
    yield Defect(rule, "resource-unread", "a policy is about all roles", _own(_on_everything))
    yield Defect(rule, "deny-unread", "what a policy denies is not looked at", _own(_without_denial))


def _federated_users() -> Iterator[Defect]:
    method = "get_federation_token"
    rule = "get-federation-token.permission"
    yield Defect(rule, "not-needed", "no policy need allow it", _called(method, lambda who: _with(who, _FEDERATING)))
    yield Defect(
        rule, "deny-unread", "what a policy denies is not looked at",
        _called(method, lambda who: _with_own(who, _without_denial)),
    )  # fmt: skip
    yield Defect(
        "get-federation-token.permission.resource", "resource-unread", "a policy is about all federated users",
        _called(method, lambda who: _with_own(who, _on_everything)),
    )  # fmt: skip
    rule = "get-federation-token.tags.permission"
    yield Defect(rule, "not-needed", "tags need no right", _called(method, lambda who: _with(who, _TAGGING)))
    yield Defect(
        rule, "names-unread", "who may pass one tag may pass any",
        _called(method, lambda who: _with_own(who, lambda statement: {**statement, "Condition": {}})),
    )  # fmt: skip
    for name, says, same in (
        ("refused", "a tag of the user cannot be overridden", lambda key, own: key in own),
        ("case-refused", "a tag of the user cannot be overridden in another case", _spelt_otherwise),
    ):
        yield Defect(
            "get-federation-token.tags.same-key", name, says,
            acts.refused(method, "duplicate-tag-keys", "Duplicate tag keys found.", _when_tagged(same)),
        )  # fmt: skip


def _spelt_otherwise(key: str, own: tuple[str, ...]) -> bool:
    return key not in own and key.lower() in {other.lower() for other in own}


def _when_tagged(same: Callable[[str, tuple[str, ...]], bool]) -> Callable[[Caller, Values], bool]:
    def when(caller: Caller, values: Values) -> bool:
        return any(same(key, tuple(own for own, _ in caller.principal_tags)) for key, _ in _passed(values))

    return when


# How decisions are made about something else


def _asked(change: Callable[[Caller, Values], tuple[Caller, Values]]) -> Apply:
    """Let the decision who may assume a role be made about another caller or other members."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def changed(caller: Caller, role: Any, arn: Any, values: Values, *more: Any, **named: Any) -> None:
            caller, values = change(caller, values)
            check(caller, role, arn, values, *more, **named)

        edits.substitute(service.operations, "check_may_assume", changed)

    return apply


def _with_tags(change: Callable[[Pairs], Pairs]) -> Apply:
    """Let that decision be made about other tags of the request."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def changed(caller: Caller, role: Any, arn: Any, values: Values, passed: Any, **named: Any) -> None:
            check(caller, role, arn, values, replace(passed, tags=change(passed.tags)), **named)

        edits.substitute(service.operations, "check_may_assume", changed)

    return apply


def _trusting(change: Callable[[str], str]) -> Apply:
    """Let that decision be made with another trust policy."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def changed(caller: Caller, role: Any, *more: Any, **named: Any) -> None:
            check(caller, role and replace(role, trust=change(role.trust)), *more, **named)

        edits.substitute(service.operations, "check_may_assume", changed)

    return apply


def _limited(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Apply:
    """Let that decision be made with other session policies."""

    def changed(caller: Caller, values: Values) -> tuple[Caller, Values]:
        limits = _limits(caller)
        return (caller if limits is None else _in_session(caller, policies=change(limits))), values

    return _asked(changed)


def _own(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Apply:
    """Let that decision be made with other statements in the caller's own policies."""
    return _asked(lambda caller, values: (_with_own(caller, change), values))


def _called(method: str, change: Callable[[Caller], Caller]) -> Apply:
    """Let another caller call an operation."""

    def apply(service: Service) -> None:
        act = getattr(service.operations, method)
        edits.substitute(service.operations, method, lambda caller, values: act(change(caller), values))

    return apply


def _managed_unread(service: Service) -> None:
    edits.substitute(service.operations, "managed_policy", lambda _arn, _account: ALLOW_ALL)


def _one_hop(service: Service) -> None:
    """Forget which tags are transitive in the session that inherits them."""
    make, inherited = service.operations._credentials, service.operations.inherited
    brought = set[str]()

    def noted(caller: Caller) -> Pairs:
        found: Pairs = inherited(caller)
        brought.clear()
        brought.update(key for key, _ in found)
        return found

    edits.substitute(service.operations, "inherited", noted)
    edits.substitute(
        service.operations, "_credentials",
        lambda session: make(replace(session, transitive=tuple(set(session.transitive) - brought))),
    )  # fmt: skip


# Other callers


def _with(caller: Caller, *policies: str) -> Caller:
    return replace(caller, policies=(*caller.policies, *policies))


def _with_own(caller: Caller, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Caller:
    return replace(caller, policies=tuple(_edited(text, change) for text in caller.policies))


def _in_session(caller: Caller, **changes: Any) -> Caller:
    return caller if caller.session is None else replace(caller, session=replace(caller.session, **changes))


def _limits(caller: Caller) -> tuple[str, ...] | None:
    return caller.session.policies if caller.session else None


def _held(caller: Caller) -> str | None:
    return caller.session.source_identity if caller.session else None


def _has_team(caller: Caller) -> bool:
    return "Team" in dict(caller.principal_tags)


def _blue(caller: Caller) -> Caller:
    return replace(caller, principal_tags=(("Team", "Blue"),))


def _name(caller: Caller) -> str:
    return caller.principal.arn.rpartition("/")[2]


# Other texts


def _less(values: Values, name: str) -> Values:
    return {key: value for key, value in values.items() if key != name}


def _passed(values: Values) -> Pairs:
    return tuple((tag["Key"], tag["Value"]) for tag in values.get("Tags") or ())


def _edited(text: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> str:
    """Change the statements of a policy; what becomes None is left out, and so is a policy without any."""
    whole = json.loads(text)
    statements = whole["Statement"] if isinstance(whole["Statement"], list) else [whole["Statement"]]
    kept = [changed for one in statements if (changed := change(one)) is not None]
    return json.dumps({**whole, "Statement": kept}) if kept else _NOTHING


_NOTHING = _TAGGING.replace("sts:TagSession", "none:Nothing")


def _on_everything(statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, "Resource": "*"}


def _without_denial(statement: dict[str, Any]) -> dict[str, Any] | None:
    return None if statement["Effect"] == "Deny" else statement
