"""Sessions as a state machine: what each may do, be called and carry, and programs of steps held against that.

A move says what a step tries; the model says what must come of it. The model knows only what documents or
observations settle: a move whose outcome they leave open is left out of the program, and so is one that other cases
tell about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from generators.case import plain_request
from generators.expectation import Expectation, shorten
from generators.given import Given
from generators.plain import DENY_ALL
from specs.contract import ROOT, place_of
from specs.loader import SpecError
from specs.model import CheckSpec, GivenSpec, PolicySpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from generators.case import Fixture, Parameters, Request
    from specs.contract import Contract
    from specs.model import RefusalSpec

_HOUR = 3600
_SHORT = 24  # characters of a name that stories show
_CHAINED = "at most an hour for a role session that a role session asks for"

# The roles of the machine: all trust the account, so that the caller's own rights decide, too.
_GIVEN = GivenSpec.model_validate(
    {
        "roles": {
            "open": {"allows": ["sts:*"], "max-session-duration": 43200},
            "wide": {"allows": ["sts:*"], "max-session-duration": 43200, "tags": {"Name": "wide"}},
            "unicorns": {"allows": ["sts:*"], "when": {"StringEquals": {"aws:PrincipalTag/Project": "Unicorn"}}},
            "dead-end": {"allows": ["sts:*"], "denies": ["sts:AssumeRole"]},
            "plain": {"allows": ["sts:*"], "grants": ["sts:AssumeRole"]},
        }
    }
)
ROLES = tuple(_GIVEN.roles)
_ALL = frozenset(ROLES)
_INSTEAD = {"open": "wide", "wide": "open"}  # for the sessions of the one: whether a role may assume itself is open
# Session policies by what is said of them: the policy, and the roles that it leaves to be assumed.
_POLICIES: dict[str, tuple[dict[str, object], frozenset[str]]] = {
    "that allows sts": ({"allows": ["sts:*"]}, _ALL),
    "without sts": ({"allows": ["s3:*"]}, frozenset()),
    "for open alone": ({"allows": [{"do": ["sts:*"], "on": ["$open"]}]}, frozenset({"open"})),
    "against unicorns": (
        {"allows": ["*"], "denies": [{"do": ["sts:AssumeRole"], "on": ["$unicorns"]}]}, _ALL - {"unicorns"},
    ),
}  # fmt: skip
POLICIES = tuple(_POLICIES)

# What the model relies on, with the rules whose cases tell whether a target keeps to it: where one of these is
# broken, no program tells it again.
_TOLD_BY: dict[str, tuple[str, ...]] = {
    "role session": ("assume-role.wire.request.action",),
    "tags": ("assume-role.wire.request.lists",),
    "policy": ("assume-role.policy.type", "assume-role.session-policy.managed-and-inline"),
    "lasts": ("assume-role.duration-seconds.lifetime", "assume-role.duration-seconds.default"),
    "called": ("assume-role.role-session-name.in-arn", "assume-role.wire.response.arn-form"),
    "federated user": (
        "get-federation-token.wire.request.action", "get-federation-token.response.federated-user.forms",
        "get-federation-token.duration-seconds.lifetime", "get-federation-token.duration-seconds.default",
    ),
    "session of the user": (
        "get-session-token.wire.request.action", "get-session-token.duration-seconds.lifetime",
        "get-session-token.duration-seconds.default", "get-session-token.credentials.only-assume-role-and-gci",
    ),
    "role session's identity": (
        "get-caller-identity.response.form.assumed-role.arn",
        "get-caller-identity.response.form.assumed-role.user-id",
    ),
    "federated user's identity": (
        "get-caller-identity.response.form.federated-user.arn",
        "get-caller-identity.response.form.federated-user.user-id",
    ),
    "user's identity": (
        "get-caller-identity.response.form.user.arn", "get-session-token.credentials.same-identity",
    ),
    "source identity": ("assume-role.response.source-identity.echo",),
    "source identity stays": ("assume-role.source-identity.persists",),
    "tag stays": (
        "assume-role.transitive-tag-keys.pass-on", "assume-role.transitive-tag-keys.none",
        "assume-role.conditions.principal-tag",
    ),
    "federated users assume nothing": ("get-federation-token.credentials.only-get-caller-identity",),
    "role sessions get no tokens": (
        "assume-role.credentials.no-get-session-token", "assume-role.credentials.no-get-federation-token",
    ),
    "sessions of the user get no tokens": (
        "get-session-token.caller.long-term-only", "get-federation-token.caller.long-term-only",
    ),
    "policy of the role": ("assume-role.trust.identity-resource",),
    "session policy": (
        "assume-role.session-policy.intersection", "assume-role.session-policy.resource",
        "assume-role.session-policy.deny",
    ),
    "right to tag": ("assume-role.tags.permission",),
    "right to a source identity": (
        "assume-role.source-identity.permission", "assume-role.source-identity.permission.chained",
    ),
    "inherited tag": ("assume-role.tags.inherit-conflict",),
    _CHAINED: ("assume-role.duration-seconds.role-chaining",),
    "maximum of the role": ("assume-role.duration-seconds.role-max",),
}  # fmt: skip
TOLD_BY = frozenset(rule for rules in _TOLD_BY.values() for rule in rules)


@dataclass(frozen=True, slots=True)
class Move:
    """What a step tries, before it is known who is there to try it."""

    call: str
    caller: int = 0  # 0: the user; 1: what the last step handed out that handed out any; 2: the one before; ...
    role: str = "open"
    name: str = "one"
    tags: tuple[tuple[str, str, bool], ...] = ()  # key, value, whether it is transitive
    source_identity: str = ""
    policy: str = ""  # a key of the session policies
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever may call, with what the model knows of them."""

    name: str  # in stories
    kind: str  # 'user', 'role session', 'federated user', 'session of the user'
    arn: str  # patterns
    user_id: str
    principal: str = ""  # of requests
    role: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[tuple[str, str], ...] = ()
    source_identity: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must come of a move."""

    request: Request
    does: str  # in words
    reasons: tuple[tuple[str, str], ...] = ()  # refusals, with what the model relies on; none: it is granted
    checks: tuple[tuple[str, CheckSpec], ...] = ()  # of what is granted, with what the model relies on
    rests_on: tuple[str, ...] = ()
    open: bool = False  # nothing settles it
    bearer: Bearer | None = None  # whom it hands credentials to


@dataclass
class Program:
    """Steps with their requests, what each must meet, and what people are told of them."""

    requests: list[Request] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)  # of steps that fail alike
    story: list[str] = field(default_factory=list)


_USER = Bearer("user", "user", r"arn:aws[a-z-]*:iam::${account}:.*", ".+")


class Machine:
    """The model of a target: what its sessions may do, as far as its cases do not show that they may not."""

    def __init__(self, contract: Contract, told: frozenset[str], *, restrain: bool) -> None:
        """`restrain`: on a real account, what is minted ends after 900 seconds."""
        self._contract = contract
        self._silent = frozenset(what for what, rules in _TOLD_BY.items() if told & frozenset(rules))
        self._restrain = restrain
        self._given = given()
        self._documents = {
            name: self._given.document(PolicySpec.model_validate(policy)) for name, (policy, _) in _POLICIES.items()
        }

    def program(self, moves: Sequence[Move]) -> Program:
        """Make a program of moves: those that can be judged."""
        made, bearers = Program(), [_USER]
        for move in moves:
            caller = bearers[-move.caller] if 0 < move.caller < len(bearers) else _USER
            number = len(made.requests) + 1
            outcome = self._outcome(move, caller, number)
            if self._restrain and not outcome.reasons:
                outcome = self._outcome(replace(move, duration=900), caller, number)
            if outcome.open or self._is_told(outcome):
                continue
            made.requests.append(replace(outcome.request, principal=caller.principal))
            made.expectations.append(self._expectation(outcome))
            came = " or ".join(dict.fromkeys(name for name, _ in outcome.reasons)) or "granted"
            made.labels.append(f"{move.call} by a {caller.kind}: {came.partition(' or ')[0]}")
            result = f" -> {outcome.bearer.name}" if outcome.bearer and not outcome.reasons else ""
            refused = f" (to be refused: {came})" if outcome.reasons else ""
            made.story.append(f"{number} {caller.name} {outcome.does}{result}{refused}")
            if outcome.bearer is not None and not outcome.reasons:
                bearers.append(outcome.bearer)
        return made

    def _is_told(self, outcome: Outcome) -> bool:
        relied_on = {*outcome.rests_on, *(what for _, what in outcome.reasons)}
        return bool(relied_on & self._silent)

    def _expectation(self, outcome: Outcome) -> Expectation:
        if not outcome.reasons:
            checks = tuple(check for what, check in outcome.checks if what not in self._silent)
            return Expectation("success", checks=checks)
        return Expectation("refusal", self._any_of(dict.fromkeys(name for name, _ in outcome.reasons)))

    def _any_of(self, names: dict[str, None]) -> RefusalSpec:
        """Return one refusal with the answers to all of several: nobody says which is told first."""
        refusals = [self._contract.refusals[name] for name in names]
        answers = tuple(dict.fromkeys(answer for refusal in refusals for answer in refusal.answers))
        return refusals[0].model_copy(update={"refusal": " or ".join(names), "answers": answers})

    def _outcome(self, move: Move, caller: Bearer, number: int) -> Outcome:
        if move.call == "AssumeRole":
            return self._assume(move, caller, number)
        if move.call == "GetFederationToken":
            return self._federate(move, caller, number)
        if move.call == "GetSessionToken":
            return self._take_token(move, caller, number)
        return self._ask(caller)

    # Who am I?

    def _ask(self, caller: Bearer) -> Outcome:
        what = {"role session": "role session's identity", "federated user": "federated user's identity"}
        relied_on = what.get(caller.kind, "user's identity")
        checks = (("Arn", caller.arn), ("UserId", caller.user_id), ("Account", "${account}"))
        return Outcome(
            plain_request("GetCallerIdentity", (), signed=True),
            "GetCallerIdentity",
            checks=tuple((relied_on, _text(f"GetCallerIdentityResult/{name}", text)) for name, text in checks),
        )

    # Roles

    def _assume(self, move: Move, caller: Bearer, number: int) -> Outcome:
        if move.role == caller.role:
            move = replace(move, role=_INSTEAD.get(move.role, move.role))
        name = re.escape(move.name)
        arn = rf"arn:aws[a-z-]*:sts::${{account}}:assumed-role/${{{self._key(move.role)}.name}}/{name}"
        inherited = {key.lower() for key, _ in caller.transitive}
        own = tuple((key, value) for key, value, _ in move.tags)
        marked = tuple((key, value) for key, value, is_transitive in move.tags if is_transitive)
        held = caller.source_identity
        new = Bearer(
            f"session {number}", "role session", arn, f"[^:]+:{name}", f"step-{number}", move.role,
            (*caller.transitive, *own), (*caller.transitive, *marked), move.source_identity or held, move.policy,
        )  # fmt: skip
        # Nobody settles the right to tags that are brought along, limits of what is no role session, trust in itself.
        is_open = (
            (move.role == "plain" and bool(inherited))
            or (caller.kind == "session of the user" and (move.duration or 0) > _HOUR)
            or move.role == caller.role
        )
        return Outcome(
            plain_request("AssumeRole", self._members(move), signed=True),
            f"AssumeRole {move.role}{_words(move)}",
            tuple(self._reasons(move, caller)),
            tuple(self._granted(move, new, held)),
            (
                "role session", *(("tags",) if own else ()), *(("policy",) if move.policy else ()),
                *(("source identity",) if move.source_identity else ()),
                *(("tag stays",) if move.role == "unicorns" else ()),
                *(("source identity stays",) if held else ()),
            ),
            is_open,
            new,
        )  # fmt: skip

    def _reasons(self, move: Move, caller: Bearer) -> Iterator[tuple[str, str]]:
        """Yield what speaks against a role session."""
        yield from _no_right(move, caller)
        held, asked = caller.source_identity, move.source_identity
        if {key.lower() for key, _, _ in move.tags} & {key.lower() for key, _ in caller.transitive}:
            yield "inherited-tag", "inherited tag"
        if move.role == "plain" and move.tags:
            yield "tag-session-denied", "right to tag"
        if move.role == "plain" and (held or asked):
            yield "source-identity-denied", "right to a source identity"
        if held and asked and held != asked:
            yield "source-identity-set-already", "source identity stays"
        seconds = move.duration or _HOUR
        if caller.kind == "role session" and seconds > _HOUR:
            yield "duration-over-chaining-limit", _CHAINED
        if seconds > _GIVEN.roles[move.role].max_session_duration:
            yield "duration-over-role-max", "maximum of the role"

    def _granted(self, move: Move, new: Bearer, held: str) -> Iterator[tuple[str, CheckSpec]]:
        at = "AssumeRoleResult"
        yield from _credentials(at, "role session", "lasts", move.duration or _HOUR)
        yield "called", _text(f"{at}/AssumedRoleUser/Arn", new.arn)
        yield "called", _text(f"{at}/AssumedRoleUser/AssumedRoleId", new.user_id)
        identity = re.escape(new.source_identity)
        none_set = CheckSpec(at=f"{at}/SourceIdentity", matches="", when_present=True)
        check = _text(f"{at}/SourceIdentity", identity) if identity else none_set
        yield "source identity stays" if held else "source identity", check

    def _members(self, move: Move) -> Parameters:
        found: list[tuple[str, str | None]] = [
            ("RoleArn", f"${{{self._key(move.role)}}}"), ("RoleSessionName", move.name),
        ]  # fmt: skip
        found += _tag_members(move)
        transitive = [key for key, _, is_transitive in move.tags if is_transitive]
        found += [(f"TransitiveTagKeys.member.{n}", key) for n, key in enumerate(transitive, 1)]
        if move.source_identity:
            found.append(("SourceIdentity", move.source_identity))
        return (*found, *self._limits(move))

    def _limits(self, move: Move) -> Iterator[tuple[str, str]]:
        if move.policy:
            yield "Policy", self._documents[move.policy]
        if move.duration is not None:
            yield "DurationSeconds", str(move.duration)

    def _key(self, role: str) -> str:
        return self._given.fixtures[role].key

    # Tokens of users

    def _federate(self, move: Move, caller: Bearer, number: int) -> Outcome:
        name = re.escape(move.name)
        arn = rf"arn:aws[a-z-]*:sts::${{account}}:federated-user/{name}"
        new = Bearer(
            f"session {number}", "federated user", arn, rf"${{account}}:{name}", f"step-{number}", policy=move.policy
        )
        at, what = "GetFederationTokenResult", "federated user"
        limits = dict(self._limits(move))
        if self._restrain:
            limits |= {"Policy": DENY_ALL}
        members = (("Name", move.name), *_tag_members(move), *limits.items())
        return Outcome(
            plain_request("GetFederationToken", members, signed=True),
            f"GetFederationToken{_words(move)}",
            tuple(_needs_long_term(caller)),
            (
                *_credentials(at, what, what, move.duration or 43200),
                (what, _text(f"{at}/FederatedUser/Arn", new.arn)),
                (what, _text(f"{at}/FederatedUser/FederatedUserId", new.user_id)),
            ),
            (what, *(("tags",) if move.tags else ())),
            bearer=new,
        )

    def _take_token(self, move: Move, caller: Bearer, number: int) -> Outcome:
        at, what = "GetSessionTokenResult", "session of the user"
        lasting = () if move.duration is None else (("DurationSeconds", str(move.duration)),)
        return Outcome(
            plain_request("GetSessionToken", lasting, signed=True),
            f"GetSessionToken{_words(move)}",
            tuple(_needs_long_term(caller)),
            tuple(_credentials(at, what, what, move.duration or 43200)),
            (what,),
            bearer=replace(_USER, name=f"session {number}", kind=what, principal=f"step-{number}"),
        )


def _no_right(move: Move, caller: Bearer) -> Iterator[tuple[str, str]]:
    """Yield why a caller may not assume a role at all."""
    if caller.kind == "federated user":
        yield "role-not-assumable", "federated users assume nothing"
    if caller.role == "dead-end":
        yield "role-not-assumable", "policy of the role"
    if caller.policy and caller.kind == "role session" and move.role not in _POLICIES[caller.policy][1]:
        yield "role-not-assumable", "session policy"
    if move.role == "unicorns" and dict(caller.tags).get("Project") != "Unicorn":
        yield "role-not-assumable", "tag stays"


def _needs_long_term(caller: Bearer) -> Iterator[tuple[str, str]]:
    told = {
        "role session": "role sessions get no tokens",
        "federated user": "federated users assume nothing",
        "session of the user": "sessions of the user get no tokens",
    }
    if caller.kind in told:
        yield "session-credentials-not-accepted", told[caller.kind]


def _credentials(at: str, what: str, lasts: str, seconds: int) -> Iterator[tuple[str, CheckSpec]]:
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        yield what, CheckSpec(at=f"{at}/Credentials/{name}", min_length=1)
    yield lasts, CheckSpec(at=f"{at}/Credentials/Expiration", lifetime_seconds=seconds)


def _text(at: str, pattern: str) -> CheckSpec:
    return CheckSpec(at=at, matches=pattern)


def _tag_members(move: Move) -> Iterator[tuple[str, str]]:
    for number, (key, value, _) in enumerate(move.tags, 1):
        yield f"Tags.member.{number}.Key", key
        yield f"Tags.member.{number}.Value", value


def _words(move: Move) -> str:
    """Say what is special about a move; what is as usual stays out."""
    parts = [] if move.name == "one" else [f"as {shorten(move.name, _SHORT)}"]
    for key, value, is_transitive in move.tags:
        marked = " transitive" if is_transitive and move.call == "AssumeRole" else ""
        parts.append(f"tag {key}={value}{marked}")
    if move.source_identity:
        parts.append(f"source identity {move.source_identity}")
    if move.policy:
        parts.append(f"a policy {move.policy}")
    if move.duration is not None:
        parts.append(f"for {move.duration} s")
    return f" {', '.join(parts)}" if parts else ""


def given() -> Given:
    """Return the roles of the machine; those of scenarios that are alike are the same."""
    place = place_of(ROOT, "property: sessions", file="properties.yaml")
    return Given("sessions", _GIVEN, lambda _name, _part: None, lambda complaint: SpecError(f"{place}: {complaint}"))


def fixtures() -> tuple[Fixture, ...]:
    """Return what the machine needs made."""
    return tuple(given().fixtures.values())
