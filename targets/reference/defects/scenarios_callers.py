"""Defects of what depends on who calls: MFA, root, a second account, access keys, expiry; and of encoded messages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pyotp import TOTP

from targets.reference import authorize
from targets.reference.arns import parse_arn
from targets.reference.authentication import Proof
from targets.reference.defects import acts, edits
from targets.reference.defects.claims import ALLOW_ALL, ANYBODY
from targets.reference.defects.registry import Defect
from targets.reference.model import Caller, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.arns import Arn
    from targets.reference.constraints import Values
    from targets.reference.model import Role, Session
    from targets.reference.operations import Result
    from targets.reference.reading import Query
    from targets.reference.service import Service
    from targets.reference.signature import Claim

    Apply = Callable[[Service], None]

_HOUR = 3600
_STEPS = 120  # of codes, thirty seconds each


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _mfa_of_roles()
    yield from _mfa_of_sessions()
    yield from _root_durations()
    yield from _root()
    yield from _accounts()
    yield from _policy_arns()
    yield from _key_info()
    yield from _keys()
    yield from _expiry()
    yield from _rights()
    yield from _messages()


# MFA


def _mfa_of_roles() -> Iterator[Defect]:
    rule = "assume-role.mfa.denied"
    yield Defect(rule, "any-code", "any code of a device is taken", _proved(lambda v: "TokenCode" in v))
    yield Defect(rule, "old-code", "a code is good for an hour", _without_a_window)
    rule = "assume-role.mfa.condition-key"
    yield Defect(rule, "not-read", "the condition holds for everybody", _deciding_with(mfa=True))
    yield Defect(rule, "never-met", "the condition holds for nobody", _deciding_with(mfa=False))
    rule = "assume-role.mfa.params"
    yield Defect(rule, "device-suffices", "a device without a code is taken", _proved_without("TokenCode"))
    yield Defect(rule, "code-suffices", "a code without a device is taken", _proved_without("SerialNumber"))
    rule = "assume-role.mfa.incomplete"
    yield Defect(rule, "device-suffices", "a device without a code is taken", _proved_without("TokenCode"))
    yield Defect(rule, "code-suffices", "a code without a device is taken", _proved_without("SerialNumber"))
    for operation in ("assume-role", "get-session-token"):
        rule = f"{operation}.serial-number.virtual"
        yield Defect(rule, "anybodys", "the device of anybody proves MFA", _proved_by_anybody)
        yield Defect(rule, "arn-unknown", "devices are known by other names than their ARNs", _devices_unknown)


def _proved(enough: Callable[[Values], bool]) -> Apply:
    """Take MFA for proved by less than a code that the device shows."""
    return lambda service: edits.substitute(
        service.operations, "check_mfa", lambda _caller, values: enough(values)
    )


def _proved_without(member: str) -> Apply:
    other = {"TokenCode": "SerialNumber", "SerialNumber": "TokenCode"}[member]

    def apply(service: Service) -> None:
        check = service.operations.check_mfa

        def checked(caller: Caller, values: Values) -> bool:
            return True if other in values and member not in values else check(caller, values)

        edits.substitute(service.operations, "check_mfa", checked)

    return apply


def _without_a_window(service: Service) -> None:
    check = service.operations.check_mfa

    def shown(caller: Caller, values: Values) -> bool:
        user = service.iam.user(caller.principal.arn)
        device = service.iam.mfa_device(user, values["SerialNumber"]) if user is not None else None
        if device is None:
            return False
        totp, now = TOTP(device.seed), service.clock.now()
        return any(values["TokenCode"] == totp.at(now, counter_offset=-steps) for steps in range(_STEPS))

    def checked(caller: Caller, values: Values) -> bool:
        try:
            return check(caller, values)
        except Refused:
            if not shown(caller, values):
                raise
            return True

    edits.substitute(service.operations, "check_mfa", checked)


def _deciding_with(*, mfa: bool) -> Apply:
    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def decided(*args: Any, **named: Any) -> None:
            check(*args, **{**named, "mfa": mfa})

        edits.substitute(service.operations, "check_may_assume", decided)

    return apply


def _proved_by_anybody(service: Service) -> None:
    check = service.operations.check_mfa

    def checked(caller: Caller, values: Values) -> bool:
        try:
            return check(caller, values)
        except Refused as refused:
            if "associated with this user" not in (refused.message or ""):
                raise
            return True

    edits.substitute(service.operations, "check_mfa", checked)


def _devices_unknown(service: Service) -> None:
    check = service.operations.check_mfa

    def checked(caller: Caller, values: Values) -> bool:
        serial = values.get("SerialNumber")
        renamed = {"SerialNumber": serial.rpartition("/")[2]} if serial is not None else {}
        return check(caller, {**values, **renamed})

    edits.substitute(service.operations, "check_mfa", checked)


def _mfa_of_sessions() -> Iterator[Defect]:
    rule = "get-session-token.mfa.wrong-code"
    yield Defect(rule, "any-code", "any code of a device is taken", _proved(lambda v: "TokenCode" in v))
    yield Defect(rule, "old-code", "a code is good for an hour", _without_a_window)
    yield Defect(rule, "code-demanded", "no session is handed out without a code", _code_demanded)
    yield Defect(
        f"{rule}.message", "in-other-words", "a wrong code is refused in other words",
        edits.wording("mfa-failed", lambda _: "The code is wrong."),
    )  # fmt: skip
    rule = "get-session-token.mfa.window"
    yield Defect(rule, "none", "the code that is shown is the only one taken", _within(0))
    yield Defect(rule, "ten-minutes", "codes of ten minutes before and after are taken", _within(20))
    yield Defect(
        "get-session-token.mfa.single-use", "forgotten", "which codes were taken is not remembered", _forgetful
    )
    rule = "get-session-token.mfa.code-missing-later"
    yield Defect(rule, "always", "every session counts as one made with a code", _proved(lambda _values: True))
    yield Defect(rule, "lost", "a session forgets that it was made with a code", _sessions(_without_mfa))
    yield Defect(rule, "code-demanded", "no session is handed out without a code", _code_demanded)
    rule = "get-session-token.serial-number.when"
    yield Defect(
        rule, "condition-unread", "conditions of the caller's own policies are not looked at",
        _callers(lambda caller: _with_policies(caller, r',"Condition":\{[^{}]*\{[^{}]*\}\}', "")),
    )  # fmt: skip
    yield Defect(rule, "lost", "a session forgets that it was made with a code", _sessions(_without_mfa))


def _within(steps: int) -> Callable[[Service], None]:
    return lambda service: setattr(service.operations.mfa, "window", steps)


def _forgetful(service: Service) -> None:
    edits.substitute(service.operations.mfa, "remember", lambda _use: None)


def _code_demanded(service: Service) -> None:
    message = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    acts.refused("get_session_token", "mfa-failed", message, lambda _caller, v: "TokenCode" not in v)(service)


def _sessions(change: Callable[[Session], Session]) -> Apply:
    """Read other sessions out of tokens than were put in."""

    def apply(service: Service) -> None:
        read = service.authenticator.session_of
        edits.substitute(service.authenticator, "session_of", lambda token: change(read(token)))

    return apply


def _without_mfa(session: Session) -> Session:
    return replace(session, mfa=False)


def _callers(change: Callable[[Caller], Caller]) -> Apply:
    """Let the decision who may assume a role be made about another caller."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def decided(caller: Caller, *more: Any, **named: Any) -> None:
            check(change(caller), *more, **named)

        edits.substitute(service.operations, "check_may_assume", decided)

    return apply


def _with_policies(caller: Caller, pattern: str, other: str) -> Caller:
    return replace(caller, policies=tuple(re.sub(pattern, other, text) for text in caller.policies))


# Root


def _root_durations() -> Iterator[Defect]:
    for method in ("get_session_token", "get_federation_token"):
        rule = f"{method.replace('_', '-')}.duration-seconds.root-clamp"
        yield Defect(rule, "not-cut", "root gets as long as it asks for", _lasting(method, _as_asked))
        yield Defect(
            rule, "refused", "root is refused more than an hour",
            acts.refused(method, "constraint-violation", "DurationSeconds is too long for root", _over_an_hour),
        )  # fmt: skip
        yield Defect(rule, "always-an-hour", "root gets an hour, always", _lasting(method, lambda _v: _HOUR))
        yield Defect(rule, "all-cut", "users are cut to an hour, too", _lasting(method, _at_most_an_hour, root=False))
    yield Defect(
        "get-session-token.duration.root-default", "as-of-users", "root's session lasts as long as a user's",
        _lasting("get_session_token", _as_asked),
    )  # fmt: skip


def _as_asked(values: Values) -> int:
    return int(values["DurationSeconds"])


def _at_most_an_hour(values: Values) -> int:
    return min(_as_asked(values), _HOUR)


def _is_root(caller: Caller, _values: Values) -> bool:
    return caller.principal.kind == "root"


def _over_an_hour(caller: Caller, values: Values) -> bool:
    return _is_root(caller, values) and values["DurationSeconds"] > _HOUR


def _lasting(method: str, seconds: Callable[[Values], int], *, root: bool = True) -> Apply:
    """Hand credentials out that end at another time: to root, or to all others."""

    def apply(service: Service) -> None:
        def ended(caller: Caller, values: Values, result: Result) -> Result:
            if _is_root(caller, values) is not root:
                return result
            end = service.clock.now() + timedelta(seconds=seconds(values))
            credentials: Any = result["Credentials"]
            return {**result, "Credentials": {**credentials, "Expiration": end}}

        acts.reworked(method, ended)(service)

    return apply


def _root() -> Iterator[Defect]:
    yield Defect(
        "get-federation-token.caller.root-allowed", "refused", "root may not call it",
        acts.refused("get_federation_token", "access-denied", "Root may not call it.", _is_root),
    )  # fmt: skip
    yield Defect(
        "assume-role.caller.root", "as-a-user", "root assumes roles as a user with all rights does",
        _callers(lambda caller: _as_user(caller) if caller.principal.kind == "root" else caller),
    )  # fmt: skip
    rule = "get-session-token.credentials.same-permissions"
    yield Defect(rule, "all", "a user's session may do anything", _callers(lambda c: _having(c, (ALLOW_ALL,))))
    yield Defect(rule, "none", "a user's session may do nothing", _callers(lambda c: _having(c, ())))
    yield Defect(
        rule, "nobodys", "root's session is not root's",
        acts.reworked("get_caller_identity", _of_nobody),
    )  # fmt: skip


def _as_user(caller: Caller) -> Caller:
    return replace(caller, principal=replace(caller.principal, kind="user"), policies=(ALLOW_ALL,))


def _having(caller: Caller, policies: tuple[str, ...]) -> Caller:
    is_users = caller.session is not None and caller.session.origin == "session-token"
    return replace(caller, policies=policies) if is_users else caller


def _of_nobody(caller: Caller, _values: Values, result: Result) -> Result:
    is_roots = caller.session is not None and caller.principal.kind == "root"
    return {**result, "Arn": ANYBODY.principal.arn} if is_roots else result


# A second account


def _accounts() -> Iterator[Defect]:
    rule = "assume-role.trust.cross-account"
    yield Defect(rule, "not-read", "across accounts the caller's own policy suffices", _across(_own_policy_suffices))
    yield Defect(rule, "never", "no role of another account may be assumed", _across(_nobody))
    yield Defect(rule, "account-suffices", "whoever is of the account of whom the role trusts may come", _any_of_them)
    rule = "assume-role.trust.cross-account-identity"
    yield Defect(rule, "trust-suffices", "the trust policy decides alone", _across_as(_with_all_rights))
    yield Defect(
        rule, "resource-unread", "the resources of the caller's own policy are not looked at",
        _across_as(lambda caller, _role: _with_policies(caller, r'"Resource":"[^"]*"', '"Resource":"*"')),
    )  # fmt: skip
    yield Defect(
        rule, "as-at-home", "whom the trust policy names needs no policy of their own, of whatever account",
        _across_as(_at_home),
    )  # fmt: skip


def _across(instead: Callable[[Service, Caller, Arn], None]) -> Apply:
    """Decide otherwise who may assume a role of another account."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def decided(caller: Caller, role: Role | None, arn: Arn, *more: Any, **named: Any) -> None:
            if role is None or caller.principal.account == role.account:
                check(caller, role, arn, *more, **named)
            else:
                instead(service, caller, arn)

        edits.substitute(service.operations, "check_may_assume", decided)

    return apply


def _own_policy_suffices(service: Service, caller: Caller, arn: Arn) -> None:
    authorize.permitted(caller, "sts:AssumeRole", arn.text, authorize.context_of(caller, now=service.clock.now()))


def _nobody(_service: Service, _caller: Caller, _arn: Arn) -> None:
    raise Refused("role-not-assumable", "The role belongs to another account.")


def _across_as(change: Callable[[Caller, Role], Caller]) -> Apply:
    """Decide about another caller who may assume a role of another account."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def decided(caller: Caller, role: Role | None, *more: Any, **named: Any) -> None:
            if role is not None and caller.principal.account != role.account:
                caller = change(caller, role)
            check(caller, role, *more, **named)

        edits.substitute(service.operations, "check_may_assume", decided)

    return apply


def _with_all_rights(caller: Caller, _role: Role) -> Caller:
    return replace(caller, policies=(ALLOW_ALL,))


def _at_home(caller: Caller, role: Role) -> Caller:
    """Return the caller as if of the role's account, but with the same ARN."""
    named = json.dumps(caller.principal.arn) in role.trust
    return replace(caller, principal=replace(caller.principal, account=role.account)) if named else caller


def _any_of_them(service: Service) -> None:
    check = service.operations.check_may_assume

    def decided(caller: Caller, role: Role | None, *more: Any, **named: Any) -> None:
        if role is not None:
            role = replace(role, trust=re.sub(r"(:iam::\d{12}):user/[^\"]*", r"\1:root", role.trust))
        check(caller, role, *more, **named)

    edits.substitute(service.operations, "check_may_assume", decided)


def _policy_arns() -> Iterator[Defect]:
    for operation in ("assume-role", "get-federation-token"):
        rule = f"{operation}.policy-arns.same-account"
        yield Defect(rule, "any", "a policy of any account will do", _policies_of_any_account)
    yield Defect(
        "assume-role.policy-arns.same-account", "callers", "policies are looked for in the caller's account",
        _policies_of_the_caller,
    )  # fmt: skip


def _policies_of_any_account(service: Service) -> None:
    find = service.operations.managed_policy
    edits.substitute(service.operations, "managed_policy", lambda arn, _account: find(arn, parse_arn(arn).account))


def _policies_of_the_caller(service: Service) -> None:
    find, act = service.operations.managed_policy, service.operations.assume_role
    callers = [""]

    def acted(caller: Caller, values: Values) -> Result:
        callers[0] = caller.principal.account
        return act(caller, values)

    edits.substitute(service.operations, "assume_role", acted)
    edits.substitute(service.operations, "managed_policy", lambda arn, _account: find(arn, callers[0]))


# Access keys


def _key_info() -> Iterator[Defect]:
    yield Defect(
        "get-access-key-info.other-account", "callers", "the caller's account is told, whosever the key is",
        acts.reworked("get_access_key_info", lambda caller, _values, _result: {"Account": caller.principal.account}),
    )  # fmt: skip
    yield Defect(
        "get-access-key-info.akia", "not-known", "keys that begin with AKIA are not known",
        acts.refused("get_access_key_info", "unknown-access-key", "Not known.", _begins_with_akia),
    )  # fmt: skip
    yield Defect(
        "get-access-key-info.no-state", "refused", "a key that is switched off is said not to exist", _off_unknown
    )
    rule = "get-access-key-info.deleted"
    yield Defect(rule, "no-account", "a deleted key is told to be of account 000000000000", _deleted_of_nobody)
    yield Defect(rule, "as-expired", "a deleted key is told to have expired", _deleted_as_expired)


def _begins_with_akia(_caller: Caller, values: Values) -> bool:
    return bool(values["AccessKeyId"].startswith("AKIA"))


def _off_unknown(service: Service) -> None:
    def is_off(_caller: Caller, values: Values) -> bool:
        key = service.iam.key(values["AccessKeyId"])
        return key is not None and not key.active

    acts.refused("get_access_key_info", "unknown-access-key", "Not active.", is_off)(service)


def _deleted_of_nobody(service: Service) -> None:
    def told(_caller: Caller, values: Values, result: Result) -> Result:
        return result if service.iam.key(values["AccessKeyId"]) is not None else {"Account": "000000000000"}

    acts.reworked("get_access_key_info", told)(service)


def _deleted_as_expired(service: Service) -> None:
    def is_gone(_caller: Caller, values: Values) -> bool:
        return service.iam.key(values["AccessKeyId"]) is None

    acts.refused("get_access_key_info", "expired-session", "The key has expired.", is_gone)(service)


def _orphans_work(service: Service) -> None:
    caller_of = service.authenticator.caller_of

    def found(session: Session) -> Caller:
        try:
            return caller_of(session)
        except Refused:
            return Caller(session.principal, session.access_key_id, session)

    edits.substitute(service.authenticator, "caller_of", found)


def _keys() -> Iterator[Defect]:
    yield Defect(
        "common.authentication.session-of-deleted-role", "works", "sessions outlive their role", _orphans_work
    )
    rule = "common.access-key.state"
    yield Defect(rule, "off-works", "a key that is switched off works on", _off_works)
    yield Defect(rule, "unknown-works", "keys that nobody has are not held against anything", _unknown_works)
    yield Defect(
        rule, "another-code", "keys that do not work are answered with AccessDenied",
        edits.refusal("unknown-key", code="AccessDenied"),
    )  # fmt: skip


def _off_works(service: Service) -> None:
    proof = service.authenticator.proof

    def proved(claim: Claim) -> Proof:
        key = service.iam.key(claim.access_key_id)
        if claim.token is not None or key is None or key.active:
            return proof(claim)
        who = replace(ANYBODY.principal, account=key.user.account, arn=key.user.arn, user_id=key.user.id)
        return Proof(replace(ANYBODY, principal=who, access_key_id=key.access_key_id), key.secret)

    edits.substitute(service.authenticator, "proof", proved)


def _unknown_works(service: Service) -> None:
    authenticate = service.authenticator.authenticate

    def anybody(query: Query, signed_for: str) -> Caller:
        try:
            return authenticate(query, signed_for)
        except Refused as refused:
            if refused.refusal != "unknown-key":
                raise
            return ANYBODY

    edits.substitute(service.authenticator, "authenticate", anybody)


# Expiry


def _expiry() -> Iterator[Defect]:
    rule = "data-type.credentials.expiration.meaning"
    yield Defect(rule, "not-looked-at", "sessions never end", edits.without("authenticator", "check_expiry"))
    yield Defect(rule, "fifteen-minutes", "every session ends after fifteen minutes", _sessions(_brief))
    for origin, whose in (("session-token", "GetSessionToken"), ("federation", "GetFederationToken")):
        yield Defect(rule, f"{origin}-endless", f"sessions of {whose} never end", _sessions(_endless(origin)))
    rule = "assume-role.error.expired-token"
    denied = edits.refusal("expired-session", code="AccessDenied")
    yield Defect(rule, "another-code", "the answer is AccessDenied", denied)
    yield Defect(rule, "roles-endless", "sessions of roles never end", _sessions(_endless("role")))


def _brief(session: Session) -> Session:
    return replace(session, expires=min(session.expires, session.issued + timedelta(minutes=15)))


def _endless(origin: str) -> Callable[[Session], Session]:
    def longer(session: Session) -> Session:
        more = timedelta(days=365 if session.origin == origin else 0)
        return replace(session, expires=session.expires + more)

    return longer


# Rights, and messages about those that are missing


def _rights() -> Iterator[Defect]:
    asked = {
        "common.error.access-denied-exception": "get_federation_token",
        "decode-authorization-message.permission": "decode_authorization_message",
    }
    for rule, method in asked.items():
        yield Defect(rule, "not-needed", "whoever has keys may call it", _asked(method, lambda _p: (ALLOW_ALL,)))
        yield Defect(rule, "deny-unread", "an explicit deny is not looked at", _asked(method, _without_denies))
        yield Defect(rule, "never", "nobody may call it", _asked(method, lambda _policies: ()))
    yield Defect(
        "common.error.access-denied-exception", "another-code", "the answer is ValidationError",
        edits.refusal("access-denied", status=400, code="ValidationError"),
    )  # fmt: skip
    yield Defect(
        "decode-authorization-message.permission.resource", "not-read", "the resource of the policy is not looked at",
        _asked("decode_authorization_message", _on_everything),
    )  # fmt: skip


def _asked(method: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Apply:
    """Hold other policies of the caller against a call."""

    def apply(service: Service) -> None:
        act = getattr(service.operations, method)

        def acted(caller: Caller, values: Values) -> Any:
            return act(replace(caller, policies=change(caller.policies)), values)

        edits.substitute(service.operations, method, acted)

    return apply


def _without_denies(policies: tuple[str, ...]) -> tuple[str, ...]:
    def allowing(text: str) -> str:
        document = json.loads(text)
        found = [one for one in document["Statement"] if one["Effect"] == "Allow"]
        return json.dumps({**document, "Statement": found})

    return tuple(allowing(text) for text in policies)


def _on_everything(policies: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(re.sub(r'"Resource":"[^"]*"', '"Resource":"*"', text) for text in policies)


def _messages() -> Iterator[Defect]:
    yield Defect(
        "decode-authorization-message.encoded-message.origin", "anything", "any text is taken for a message",
        acts.granted(
            "decode_authorization_message", "invalid-authorization-message", lambda _values: True,
            lambda values: {"DecodedMessage": values["EncodedMessage"]},
        ),
    )  # fmt: skip
    rule = "decode-authorization-message.content"
    for key, path in {
        "explicit-deny": ("explicitDeny",),
        "principal": ("context", "principal"),
        "action": ("context", "action"),
        "resource": ("context", "resource"),
        "conditions": ("context", "conditions"),
    }.items():
        yield Defect(f"{rule}.{key}", "left-out", f"{'/'.join(path)} is left out", _decoded(path))
    yield Defect(
        "decode-authorization-message.wire.response.json-keys", "statements-left-out",
        "matchedStatements is left out", _decoded(("matchedStatements",)),
    )  # fmt: skip


def _decoded(path: tuple[str, ...]) -> Apply:
    """Leave something out of decoded messages."""

    def without(tree: Any, rest: tuple[str, ...]) -> Any:
        inner = {rest[0]: without(tree[rest[0]], rest[1:])} if len(rest) > 1 else {}
        return {key: value for key, value in tree.items() if key != rest[0]} | inner

    def change(text: str) -> str:
        return json.dumps(without(json.loads(text), path))

    return edits.element("DecodeAuthorizationMessage", ("DecodedMessage",), change)
