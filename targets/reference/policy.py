"""IAM policy documents: read strictly, then asked what they say about a request.

Sources: IAM User Guide, "IAM JSON policy elements" (Condition operators, Principal, NotPrincipal, Variables and tags,
Multivalued context keys) and "Policies > Policy evaluation logic". Messages of refused documents are those that IAM
is known to send, where one is known.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from functools import lru_cache, partial
from typing import Literal, TypeAlias

Effect = Literal["allow", "deny", "none"]
Context: TypeAlias = Mapping[str, tuple[str, ...]]
_Matcher: TypeAlias = Callable[[str, Context], bool]  # does one value of the request match those of the policy?
_Maker: TypeAlias = Callable[[tuple[str, ...], bool], _Matcher]  # from the policy's values; may they hold variables?

_CACHED = 1024  # parsed documents and values; a request names a few, a test run some hundreds
_ARN_PARTS = 6


class MalformedPolicy(ValueError):  # noqa: N818 - the name says what AWS says
    """A text is not a policy document that AWS takes. Its message is for the caller."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to policies. Keys of the context may be written in any case, as in policies."""

    action: str
    resource: str
    context: Context

    def __post_init__(self) -> None:
        lowered = {key.lower(): values for key, values in self.context.items()}
        object.__setattr__(self, "context", lowered)


class Grant(IntEnum):
    """How a trust policy answers someone, from the weakest to the strongest; a deny beats all.

    Sources: api-reference, "AssumeRole" (a principal named in the trust policy needs no identity policy in the same
    account); IAM User Guide, "Policy evaluation logic > Evaluating policies within a single account" (what limits a
    role's ARN and what a session's).
    """

    NONE = 0
    ACCOUNT = 1  # the account may decide: its own policies must allow
    ANYONE = 2  # "*"; suffices in the same account, within boundary and session policies
    ISSUER = 3  # the session's role or user is named; as ANYONE
    SELF = 4  # the user or session itself is named; limited by explicit denies only
    DENIED = 5


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks, by every name that a Principal element can have for them."""

    kind: Literal["AWS", "Federated", "Service"]
    own: frozenset[str]  # ARN and unique id of the user or session; the provider; the service
    issuer: frozenset[str] = frozenset()  # of a session: ARN and unique id of its role or user
    account: frozenset[str] = frozenset()  # the account's number and its root ARN


# Patterns with wildcards


class _Wild(Enum):
    MANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class _Variable:
    key: str
    default: str | None


_Token: TypeAlias = str | _Wild | _Variable
_PLAIN = re.compile(r"[*?]")
_WITH_VARIABLES = re.compile(r"\$\{([*?$]|[^${}]+)\}|[*?]")


def _tokens(text: str, variables: bool, wildcards: bool) -> tuple[_Token, ...]:
    """Take a policy's text apart. `${*}`, `${?}` and `${$}` stand for the characters themselves."""
    found: list[_Token] = []
    place = 0
    for match in (_WITH_VARIABLES if variables else _PLAIN).finditer(text):
        inside = match[1] if variables else None
        if inside is None and not wildcards:
            continue
        found.append(text[place : match.start()])
        place = match.end()
        if inside is None:
            found.append(_Wild(match[0]))
        else:
            found.append(inside if inside in {"*", "?", "$"} else _variable(inside))
    found.append(text[place:])
    return tuple(token for token in found if token != "")


def _variable(inside: str) -> _Variable:
    """Read `key` or `key, 'default'`."""
    key, _, rest = inside.partition(",")
    quoted = rest.strip()
    has_default = len(quoted) > 1 and quoted[0] == quoted[-1] == "'"
    return _Variable(key.strip().lower(), quoted[1:-1] if has_default else None)


def _resolved(tokens: tuple[_Token, ...], context: Context) -> tuple[str | _Wild, ...] | None:
    """Put values for variables; what they hold is never a wildcard. None: one has no single value.

    Source: IAM User Guide, "Variables and tags > Policy variables with no value": such a text matches nothing.
    """
    found: list[str | _Wild] = []
    for token in tokens:
        if not isinstance(token, _Variable):
            found.append(token)
            continue
        values = context.get(token.key, ())
        value = values[0] if values else token.default
        if value is None or len(values) > 1:
            return None
        found.append(value)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of a pattern without `*`, so that every match of it has the same length."""

    length: int
    text: str
    form: re.Pattern[str] | None  # where it has `?`

    def is_at(self, text: str, place: int) -> bool:
        if self.form is None:
            return text.startswith(self.text, place)
        return self.form.match(text, place) is not None

    def find(self, text: str, start: int, end: int) -> int:
        """Return the first place in text[start:end], or -1."""
        if self.form is None:
            return text.find(self.text, start, end)
        match = self.form.search(text, start, end)
        return -1 if match is None else match.start()


@dataclass(frozen=True, slots=True)
class _Glob:
    """A pattern: runs with `*` between them. Matching goes forward only, so no pattern takes exponential time."""

    runs: tuple[_Run, ...]

    def matches(self, text: str) -> bool:
        head, tail = self.runs[0], self.runs[-1]
        if len(self.runs) == 1:
            return len(text) == head.length and head.is_at(text, 0)
        end = len(text) - tail.length
        if end < head.length or not head.is_at(text, 0) or not tail.is_at(text, end):
            return False
        place = head.length
        for run in self.runs[1:-1]:
            # The leftmost place is as good as any: it leaves the most for those that follow.
            found = run.find(text, place, end)
            if found < 0:
                return False
            place = found + run.length
        return True


def _glob(tokens: Iterable[str | _Wild]) -> _Glob:
    runs: list[list[str | _Wild]] = [[]]
    for token in tokens:
        if token is _Wild.MANY:
            runs.append([])
        else:
            runs[-1].append(token)
    return _Glob(tuple(_run(run) for run in runs))


def _run(parts: list[str | _Wild]) -> _Run:
    text = "".join(part if isinstance(part, str) else "?" for part in parts)
    if all(isinstance(part, str) for part in parts):
        return _Run(len(text), text, None)
    form = "".join(re.escape(part) if isinstance(part, str) else "." for part in parts)
    return _Run(len(text), text, re.compile(form, re.DOTALL | re.ASCII))


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A text of a policy that may have wildcards and variables."""

    tokens: tuple[_Token, ...]
    fixed: _Glob | None  # without variables

    def matches(self, text: str, context: Context) -> bool:
        if self.fixed is not None:
            return self.fixed.matches(text)
        resolved = _resolved(self.tokens, context)
        return resolved is not None and _glob(resolved).matches(text)


def _pattern(text: str, variables: bool, *, wildcards: bool = True) -> _Pattern:
    tokens = _tokens(text, variables, wildcards)
    return _Pattern(tokens, None if _varies(tokens) else _glob(_resolved(tokens, {}) or ()))


def _varies(tokens: tuple[_Token, ...]) -> bool:
    return any(isinstance(token, _Variable) for token in tokens)


# Condition operators


def _equal(values: tuple[str, ...], variables: bool) -> _Matcher:
    patterns = tuple(_pattern(value, variables, wildcards=False) for value in values)
    return lambda value, context: any(pattern.matches(value, context) for pattern in patterns)


def _equal_ignoring_case(values: tuple[str, ...], variables: bool) -> _Matcher:
    texts = tuple(_tokens(value, variables, wildcards=False) for value in values)

    def matches(value: str, context: Context) -> bool:
        resolved = (_resolved(tokens, context) for tokens in texts)
        wanted = ("".join(map(str, parts)).lower() for parts in resolved if parts is not None)
        return value.lower() in wanted

    return matches


def _like(values: tuple[str, ...], variables: bool) -> _Matcher:
    patterns = tuple(_pattern(value, variables) for value in values)
    return lambda value, context: any(pattern.matches(value, context) for pattern in patterns)


def _arn(values: tuple[str, ...], variables: bool) -> _Matcher:
    """Match the six parts of an ARN one by one, each with its own wildcards. ArnEquals and ArnLike are the same."""
    texts = tuple(_tokens(value, variables, wildcards=True) for value in values)
    fixed = tuple(None if _varies(tokens) else _arn_globs(_resolved(tokens, {})) for tokens in texts)

    def matches(value: str, context: Context) -> bool:
        parts = value.split(":", _ARN_PARTS - 1)
        if len(parts) != _ARN_PARTS:
            return False
        return any(
            all(glob.matches(part) for glob, part in zip(globs, parts, strict=True))
            for tokens, ready in zip(texts, fixed, strict=True)
            if (globs := ready if ready is not None else _arn_globs(_resolved(tokens, context)))
        )

    return matches


def _arn_globs(tokens: tuple[str | _Wild, ...] | None) -> tuple[_Glob, ...]:
    """Split at the first five colons; nothing if there are fewer."""
    parts: list[list[str | _Wild]] = [[]]
    for token in tokens or ():
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        first, *others = token.split(":", _ARN_PARTS - len(parts))
        parts[-1].append(first)
        parts.extend([other] for other in others)
    return tuple(_glob(part) for part in parts) if len(parts) == _ARN_PARTS else ()


def _compared(read: Callable[[str], Decimal | None], compare: Callable[[Decimal, Decimal], bool]) -> _Maker:
    def make(values: tuple[str, ...], _variables: bool) -> _Matcher:
        wanted = tuple(number for value in values if (number := read(value)) is not None)

        def matches(value: str, _context: Context) -> bool:
            number = read(value)
            return number is not None and any(compare(number, other) for other in wanted)

        return matches

    return make


@lru_cache(_CACHED)
def _number(text: str) -> Decimal | None:
    return Decimal(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) else None


@lru_cache(_CACHED)
def _moment(text: str) -> Decimal | None:
    """Read seconds since 1970, or ISO 8601 from the month to fractions of a second, UTC if no zone is told."""
    if re.fullmatch(r"[0-9]{1,19}", text):
        return Decimal(text)
    month_alone = re.fullmatch(r"[0-9]{4}-[0-9]{2}", text)
    try:
        moment = datetime.fromisoformat(f"{text}-01" if month_alone else text.upper())
    except ValueError:
        return None
    return Decimal(str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


def _boolean(values: tuple[str, ...], _variables: bool) -> _Matcher:
    wanted = {value.lower() for value in values} & {"true", "false"}
    return lambda value, _context: value.lower() in wanted


def _binary(values: tuple[str, ...], _variables: bool) -> _Matcher:
    wanted = {_bytes(value) for value in values} - {None}
    return lambda value, _context: _bytes(value) in wanted


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _address(values: tuple[str, ...], _variables: bool) -> _Matcher:
    networks = tuple(network for value in values if (network := _network(value)) is not None)

    def matches(value: str, _context: Context) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return matches


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _comparisons(family: str, read: Callable[[str], Decimal | None]) -> dict[str, tuple[_Maker, bool]]:
    comparisons = {
        "LessThan": operator.lt,
        "LessThanEquals": operator.le,
        "GreaterThan": operator.gt,
        "GreaterThanEquals": operator.ge,
    }
    return {
        f"{family}Equals": (_compared(read, operator.eq), False),
        f"{family}NotEquals": (_compared(read, operator.eq), True),
        **{f"{family}{name}": (_compared(read, compare), False) for name, compare in comparisons.items()},
    }


# By name: what makes the matcher, and whether the operator turns its answer round.
_OPERATORS: dict[str, tuple[_Maker, bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    **_comparisons("Numeric", _number),
    **_comparisons("Date", _moment),
    "Bool": (_boolean, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    "ArnEquals": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnLike": (_arn, False),
    "ArnNotLike": (_arn, True),
}
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Test:
    """One operator with one key."""

    key: str
    matches: _Matcher
    negated: bool
    quantifier: Literal["ForAllValues", "ForAnyValue"] | None
    if_exists: bool

    def holds(self, context: Context) -> bool:
        """Tell whether the request passes.

        Sources: IAM User Guide, "Condition operators" (a missing key is false, true if negated or IfExists) and
        "Multivalued context keys" (a missing key is true for ForAllValues, false for ForAnyValue).
        """
        values = context.get(self.key, ())
        if self.quantifier == "ForAllValues":
            return all(self.matches(value, context) is not self.negated for value in values)
        if self.quantifier == "ForAnyValue":
            return any(self.matches(value, context) is not self.negated for value in values)
        if not values:
            return self.negated or self.if_exists
        return any(self.matches(value, context) for value in values) is not self.negated


@dataclass(frozen=True, slots=True)
class _Presence:
    """The operator Null: "true" wants the key to be missing."""

    key: str
    wanted: frozenset[bool]  # may the key be missing?

    def holds(self, context: Context) -> bool:
        return (not context.get(self.key)) in self.wanted


# Statements


@dataclass(frozen=True, slots=True)
class _Principals:
    """A Principal or NotPrincipal element: names by kind."""

    names: Mapping[str, frozenset[str]]
    inverted: bool

    def grant(self, claimant: Claimant) -> Grant:
        names = self.names.get(claimant.kind, frozenset())
        anyone = "*" in self.names.get("AWS", frozenset())
        if self.inverted:
            # Documented: to except someone, its account, its role and the session must all be listed.
            layers = (claimant.own, claimant.issuer, claimant.account)
            excepted = anyone or all(layer & names for layer in layers if layer)
            return Grant.NONE if excepted else Grant.ANYONE
        if claimant.own & names:
            return Grant.SELF
        if claimant.issuer & names:
            return Grant.ISSUER
        if anyone:
            return Grant.ANYONE
        return Grant.ACCOUNT if claimant.account & names else Grant.NONE


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, ready to be asked."""

    allows: bool
    actions: tuple[_Glob, ...]
    actions_inverted: bool
    resources: tuple[_Pattern, ...] | None  # None: of a trust policy, which is about its role alone
    resources_inverted: bool
    tests: tuple[_Test | _Presence, ...]
    principals: _Principals | None  # None: of an identity or session policy

    def applies(self, ask: Ask) -> bool:
        """Tell whether action, resource and conditions fit; the principal is not looked at."""
        action = ask.action.lower()
        if any(glob.matches(action) for glob in self.actions) is self.actions_inverted:
            return False
        if self.resources is not None:
            named = any(pattern.matches(ask.resource, ask.context) for pattern in self.resources)
            if named is self.resources_inverted:
                return False
        return all(test.holds(ask.context) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Document:
    """A policy document that AWS would take."""

    statements: tuple[Statement, ...]


def effect(documents: Iterable[Document], ask: Ask) -> Effect:
    """Tell what identity or session policies say together: one deny outweighs every allow."""
    answer: Effect = "none"
    for document in documents:
        for statement in document.statements:
            if (statement.allows and answer == "allow") or not statement.applies(ask):
                continue
            if not statement.allows:
                return "deny"
            answer = "allow"
    return answer


def trusted(document: Document, ask: Ask, claimant: Claimant) -> Grant:
    """Tell how far a trust policy lets someone do what is asked."""
    best = Grant.NONE
    for statement in document.statements:
        grant = Grant.NONE if statement.principals is None else statement.principals.grant(claimant)
        if grant is not Grant.NONE and not statement.allows:
            grant = Grant.DENIED
        if grant > best and statement.applies(ask):
            best = grant
    return best


# Reading

_SYNTAX = "Syntax errors in policy."
_VERSIONS = {"2008-10-17", "2012-10-17"}
_WITH_PRINCIPAL = {"Principal", "NotPrincipal"}
_WITH_RESOURCE = {"Resource", "NotResource"}
_STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Condition"} | _WITH_PRINCIPAL | _WITH_RESOURCE
_PRINCIPAL_KINDS = {"AWS", "Federated", "Service", "CanonicalUser"}
_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"\*|[a-zA-Z0-9.-]+")
_ACTION_NAME = re.compile(r"[a-zA-Z0-9*?-]+")
_PARTITION = re.compile(r"\*|aws(-[a-z]+)*")
_PRINCIPAL = re.compile(
    r"\*|[0-9]{12}|A[A-Z0-9]{15,127}"
    r"|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/[^*?]+)"
    r"|arn:aws[a-z-]*:sts::[0-9]{12}:(assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?]+)"
)


@lru_cache(_CACHED)
def parse(text: str) -> Document:
    """Read an identity-based policy, a permissions boundary or a session policy."""
    return _document(text, _identity_statement)


@lru_cache(_CACHED)
def parse_trust(text: str) -> Document:
    """Read a role's trust policy: it names principals and no resource."""
    return _document(text, _trust_statement)


_Element: TypeAlias = Mapping[str, object]


def _document(text: str, read: Callable[[_Element, bool], Statement]) -> Document:
    whole = _json(text)
    if not isinstance(whole, dict) or not whole.keys() <= {"Version", "Id", "Statement"}:
        raise MalformedPolicy(_SYNTAX)
    version = whole.get("Version", "2008-10-17")
    if not isinstance(version, str) or version not in _VERSIONS or not isinstance(whole.get("Id", ""), str):
        raise MalformedPolicy(_SYNTAX)
    statements = whole.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicy(_SYNTAX)
    _check_sids(statements)
    # Variables came with this version; before, ${ was text.
    return Document(tuple(read(_statement(each), version == "2012-10-17") for each in statements))


def _json(text: str) -> object:
    try:
        found: object = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except MalformedPolicy:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy("The policy is not in the valid JSON format.") from error
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedPolicy(_SYNTAX)
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _statement(each: object) -> _Element:
    """Check what every statement has to have."""
    if not isinstance(each, dict) or not each.keys() <= _STATEMENT or each.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy(_SYNTAX)
    for pair in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
        if all(name in each for name in pair):
            raise MalformedPolicy(_SYNTAX)
    return each


def _check_sids(statements: list[object]) -> None:
    sids = [each["Sid"] for each in statements if isinstance(each, dict) and "Sid" in each]
    if not all(isinstance(sid, str) for sid in sids):
        raise MalformedPolicy(_SYNTAX)
    if not all(_SID.fullmatch(sid) for sid in sids):
        raise MalformedPolicy(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    named = [sid for sid in sids if sid]
    if len(set(named)) != len(named):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")


def _identity_statement(element: _Element, variables: bool) -> Statement:
    if element.keys() & _WITH_PRINCIPAL:
        raise MalformedPolicy("Policy document should not specify a principal.")
    texts = _one_of(element, "Resource", "Policy statement must contain resources.")
    for text in texts:
        _check_resource(text)
    return Statement(
        allows=element["Effect"] == "Allow",
        actions=_actions(element),
        actions_inverted="NotAction" in element,
        resources=tuple(_pattern(text, variables) for text in texts),
        resources_inverted="NotResource" in element,
        tests=_tests(element.get("Condition", {}), variables),
        principals=None,
    )


def _trust_statement(element: _Element, variables: bool) -> Statement:
    if element.keys() & _WITH_RESOURCE:
        raise MalformedPolicy("Has prohibited field Resource")
    if not element.keys() & _WITH_PRINCIPAL:
        raise MalformedPolicy("Missing required field Principal")
    if "NotPrincipal" in element and element["Effect"] == "Allow":
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    actions = _one_of(element, "Action", "Policy statement must contain actions.")
    if not all(action.lower().startswith("sts:") for action in actions):
        raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
    return Statement(
        allows=element["Effect"] == "Allow",
        actions=_actions(element),
        actions_inverted="NotAction" in element,
        resources=None,
        resources_inverted=False,
        tests=_tests(element.get("Condition", {}), variables),
        principals=_principals(element),
    )


def _one_of(element: _Element, name: str, missing: str) -> tuple[str, ...]:
    """Return the texts of an element or its Not form."""
    value = element.get(name, element.get(f"Not{name}", []))
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise MalformedPolicy(_SYNTAX)
    if not texts:
        raise MalformedPolicy(missing)
    return tuple(texts)


def _actions(element: _Element) -> tuple[_Glob, ...]:
    texts = _one_of(element, "Action", "Policy statement must contain actions.")
    for text in texts:
        vendor, colon, name = text.partition(":")
        if not colon and text != "*":
            raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if ":" in name:
            raise MalformedPolicy("Actions/Condition can contain only one colon.")
        if not _VENDOR.fullmatch(vendor):
            raise MalformedPolicy(f"Vendor {_shown(vendor)} is not valid")
        if colon and not _ACTION_NAME.fullmatch(name):
            raise MalformedPolicy(_SYNTAX)
    return tuple(_glob(_resolved(_tokens(text.lower(), False, True), {}) or ()) for text in texts)


def _check_resource(text: str) -> None:
    if text == "*":
        return
    arn, _, rest = text.partition(":")
    partition, _, others = rest.partition(":")
    if arn != "arn" or not rest:
        raise MalformedPolicy(f'Resource {_shown(text)} must be in ARN format or "*".')
    if not _PARTITION.fullmatch(partition):
        raise MalformedPolicy(f'Partition "{_shown(partition)}" is not valid for resource "{_shown(text)}".')
    if not others:
        raise MalformedPolicy("Resource vendor must be fully qualified and cannot contain regexes.")
    if text.count(":") < _ARN_PARTS - 1 and "::" in text:
        raise MalformedPolicy("The policy failed legacy parsing")


def _shown(text: str) -> str:
    """Return a policy's text for a message, unless it would break the answer's XML."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _principals(element: _Element) -> _Principals:
    inverted = "NotPrincipal" in element
    value = element["NotPrincipal" if inverted else "Principal"]
    if value == "*":
        value = {"AWS": "*"}
    if not isinstance(value, dict) or not value or not value.keys() <= _PRINCIPAL_KINDS:
        raise MalformedPolicy("Invalid principal in policy.")
    names = {kind: frozenset(_one_of(value, kind, "Invalid principal in policy.")) for kind in value}
    for name in names.get("AWS", ()):
        if not _PRINCIPAL.fullmatch(name):
            raise MalformedPolicy(f'Invalid principal in policy: "AWS":"{_shown(name)}"')
    return _Principals(names, inverted)


def _tests(condition: object, variables: bool) -> tuple[_Test | _Presence, ...]:
    if not isinstance(condition, dict):
        raise MalformedPolicy(_SYNTAX)
    found: list[_Test | _Presence] = []
    for name, keys in condition.items():
        if not isinstance(keys, dict):
            raise MalformedPolicy(_SYNTAX)
        build = _builder(name, variables)
        for key, value in keys.items():
            if ":" not in key:
                raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            found.append(build(key.lower(), _values(value)))
    return tuple(found)


def _builder(name: str, variables: bool) -> Callable[[str, tuple[str, ...]], _Test | _Presence]:
    """Return what builds the tests of an operator."""
    if name == "Null":
        return _presence
    match = _OPERATOR.fullmatch(name)
    known = _OPERATORS.get(match[2]) if match else None
    if match is None or known is None:
        raise MalformedPolicy(f"Invalid Condition type : {_shown(name)}.")
    return partial(_test, match, variables)


def _test(name: re.Match[str], variables: bool, key: str, values: tuple[str, ...]) -> _Test:
    make, negated = _OPERATORS[name[2]]
    if name[2].startswith("Date") and any(_moment(value) is None for value in values):
        raise MalformedPolicy("The policy failed legacy parsing")
    quantifier: Literal["ForAllValues", "ForAnyValue"] | None = None
    if name[1] is not None:
        quantifier = "ForAllValues" if name[1] == "ForAllValues" else "ForAnyValue"
    return _Test(key, make(values, variables), negated, quantifier, name[3] is not None)


def _presence(key: str, values: tuple[str, ...]) -> _Presence:
    return _Presence(key, frozenset(value.lower() == "true" for value in values))


def _values(value: object) -> tuple[str, ...]:
    """Return a condition's values as texts; the documents themselves write a bare true."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str | bool | int | float) for each in values):
        raise MalformedPolicy(_SYNTAX)
    return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in values)
