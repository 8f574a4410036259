"""Properties: what holds for any request, not for some. Hypothesis makes the examples.

An example is a few requests with what each must meet, and how their answers must agree. Nothing here sends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from generators import strategies
from generators.answer import local_name
from generators.expectation import Expectation, describe, is_granted
from generators.plain import DENY_ALL, GRANTED, list_parameters, plain, tag_parameters
from specs.contract import kebab, property_rule
from specs.model import CheckSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from hypothesis.strategies import SearchStrategy

    from generators.answer import Answer
    from generators.case import Parameters, Request
    from specs.contract import Contract
    from specs.model import Member

# Members that a valid request of a run cannot have: they need what is not known, or decide nothing alone.
_NEVER = frozenset({"SerialNumber", "TokenCode", "ProvidedContexts", "MinimumSessionTokenSize", "ProviderId"})
_MOST_TAGS = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """One of an example's answers, with what it takes to judge it."""

    answer: Answer
    sent_at: datetime
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the answers to an example."""

    about: str  # the rule or the relation that is broken: equal troubles are told once
    expected: str
    received: str
    at: int  # which of the requests
    kind: str = ""  # failures of one kind are told once


@dataclass(frozen=True, slots=True)
class Example:
    """A few requests, what each must meet, and how their answers agree."""

    requests: tuple[Request, ...]
    expectations: tuple[Expectation | None, ...]  # None: whatever the control or the relation says
    about: str  # the rule whose promise is tried
    relation: str = ""  # a name in RELATIONS
    control: int | None = None  # the request that must be granted for the others to prove anything

    def judge(self, seen: Sequence[Seen]) -> Trouble | None:
        """Return what is wrong, if anything is."""
        if self.control is not None:
            control = self.expectations[self.control] or Expectation("success")
            one = seen[self.control]
            if not control.judge(one.answer, values=one.values, sent_at=one.sent_at).conforms:
                return None
        for number, (expectation, one) in enumerate(zip(self.expectations, seen, strict=True)):
            if expectation is None or number == self.control:
                continue
            judgement = expectation.judge(one.answer, values=one.values, sent_at=one.sent_at)
            if not judgement.conforms:
                return self._trouble(expectation.describe(), judgement.received, number, one.answer)
        if not self.relation:
            return None
        complaint = RELATIONS[self.relation](seen)
        if complaint is None:
            return None
        return self._trouble(*complaint, len(seen) - 1, seen[-1].answer)

    def _trouble(self, expected: str, received: str, at: int, answer: Answer) -> Trouble:
        kind = f"{self.about} {at} {answer.status} {answer.error_code or answer.foreign_code() or ''}"
        return Trouble(self.about, expected, received, at, kind)


@dataclass(frozen=True)
class Making:
    """What examples are made for."""

    contract: Contract
    operation: str
    told: frozenset[str] = frozenset()  # rules that the target breaks at their bounds: those are not tried again
    restrain: bool = False  # on a real account: what is minted can do nothing, and ends after 900 seconds


# Valid requests


def requests(making: Making) -> SearchStrategy[Request]:
    """Return requests of an operation that keep all constraints and ask for nothing that must be refused."""
    return _members(making).map(lambda members: _request(making, members))


def _request(making: Making, members: Parameters) -> Request:
    operation = making.operation
    request = plain(making.contract, operation).with_parameters(*GRANTED.get(operation, ("", ()))[1], *members)
    if not making.restrain:
        return request
    given, known = dict(request.parameters), making.contract.operations[operation].input
    for name, value in (("Policy", DENY_ALL), ("DurationSeconds", "900")):
        if name in known and name not in given:
            request = request.with_parameters((name, value))
    return request


@st.composite
def _members(draw: st.DrawFn, making: Making) -> Parameters:
    """Draw which members there are, and their values."""
    contract, operation = making.contract, making.operation
    found: list[tuple[str, str | None]] = []
    tags: tuple[tuple[str, str], ...] = ()
    for name, member in contract.operations[operation].input.items():
        if name in _NEVER or name in dict(GRANTED.get(operation, ("", ()))[1]) or name == "RoleArn":
            continue
        if not member.required and not draw(st.booleans()):
            continue
        if name == "Tags":
            traits = contract.data_types["Tag"].members
            tags = draw(strategies.tags(traits["Key"], traits["Value"], most=_MOST_TAGS))
            found += _numbered(tags)
        elif name == "TransitiveTagKeys":
            chosen = draw(st.lists(st.sampled_from([tag[0] for tag in tags]), unique=True)) if tags else []
            found += [(f"TransitiveTagKeys.member.{n}", key) for n, key in enumerate(chosen, 1)]
        else:
            found += draw(_value(making, name, member))
    return tuple(found)


def _numbered(tags: tuple[tuple[str, str], ...]) -> Parameters:
    return tag_parameters(len(tags), key=lambda n: tags[n - 1][0], value=lambda n: tags[n - 1][1])


def _value(making: Making, name: str, member: Member) -> SearchStrategy[Parameters]:
    if name == "PolicyArns":
        return st.integers(1, 3).map(lambda count: list_parameters("PolicyArns", count))
    if name == "Policy":
        return strategies.policies(denying=making.restrain).map(lambda text: ((name, text),))
    if member.type == "integer":
        durations = st.just(900) if making.restrain else strategies.integers(member)
        return durations.map(lambda number: ((name, str(number)),))
    return strategies.strings(member).map(lambda text: ((name, text),))


def granted(contract: Contract, request: Request) -> Expectation:
    """Expect that a request is granted, and that the answer says what the request did."""
    return Expectation("success", checks=tuple(_echoes(contract, request)))


def _echoes(contract: Contract, request: Request) -> Iterator[CheckSpec]:
    operation = contract.operations[request.operation]
    given, wrapper = dict(request.parameters), operation.result_wrapper
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        yield CheckSpec(at=f"{wrapper}/Credentials/{name}", min_length=1)
    duration = given.get("DurationSeconds") or operation.input["DurationSeconds"].default
    yield CheckSpec(at=f"{wrapper}/Credentials/Expiration", lifetime_seconds=int(duration or 0))
    session = given.get("RoleSessionName") or given.get("Name")
    if session:
        user = "FederatedUser" if request.operation == "GetFederationToken" else "AssumedRoleUser"
        yield CheckSpec(at=f"{wrapper}/{user}/Arn", matches=f"arn:aws[a-z-]*:sts::.*/{re.escape(session)}")
    if given.get("SourceIdentity"):
        yield CheckSpec(at=f"{wrapper}/SourceIdentity", matches=re.escape(given["SourceIdentity"] or ""))


# Violations


@dataclass(frozen=True, slots=True)
class Violation:
    """A way to break one constraint of one member, and nothing else."""

    rule: str
    parameter: str
    refusal: str
    values: SearchStrategy[str]
    along: Parameters = ()

    @property
    def rules(self) -> frozenset[str]:
        """The rules of the contract that it breaks: of a range, both ends."""
        stem, _, trait = self.rule.rpartition(".")
        return frozenset({f"{stem}.min", f"{stem}.max"}) if trait == "range" else frozenset({self.rule})


def violations(contract: Contract, operation: str) -> Iterator[Violation]:
    """Yield every way to break a constraint of an operation's members with many values."""
    for name, member in contract.operations[operation].input.items():
        if name in _NEVER - {"MinimumSessionTokenSize"} or name in {"PolicyArns", "Policy", "RoleArn"}:
            continue
        rule = f"{kebab(operation)}.{kebab(name)}"
        if name == "Tags":
            traits = contract.data_types["Tag"].members
            tag = (("Tags.member.1.Key", "Project"), ("Tags.member.1.Value", "Unicorn"))
            for part in ("Key", "Value"):
                yield from _of_string(f"data-type.tag.{part.lower()}", f"Tags.member.1.{part}", traits[part], tag)
        elif member.type == "integer":
            yield Violation(f"{rule}.range", name, "constraint-violation", strategies.outside(member).map(str))
            yield Violation(f"{rule}.type", name, "malformed-integer", strategies.no_integers())
        elif member.type == "string":
            yield from _of_string(rule, name, member, ())


def _of_string(rule: str, parameter: str, member: Member, along: Parameters) -> Iterator[Violation]:
    bounds, contested = member.length, {contest.trait for contest in member.contested}
    if bounds is not None and bounds.max is not None and "max-length" not in contested:
        yield Violation(f"{rule}.max-length", parameter, "constraint-violation", strategies.too_long(member), along)
    if bounds is not None and (bounds.min or 0) > 1:
        yield Violation(f"{rule}.min-length", parameter, "constraint-violation", strategies.too_short(member), along)
    if member.pattern is not None and strategies.outsiders(member.pattern):
        yield Violation(f"{rule}.pattern", parameter, "constraint-violation", strategies.misspelt(member), along)


# Examples of each property


def valid(making: Making) -> SearchStrategy[Example]:
    """Return examples of: any valid request is granted, and its answer says what it did."""
    rule = property_rule(making.operation, "valid")
    return requests(making).map(lambda request: Example((request,), (granted(making.contract, request),), rule))


def one_broken(making: Making) -> SearchStrategy[Example] | None:
    """Return examples of: a valid request with one constraint broken is refused for that; mended, it is granted."""
    ways = _untold(making)
    if not ways:
        return None

    @st.composite
    def examples(draw: st.DrawFn) -> Example:
        way = draw(st.sampled_from(ways))
        good = draw(requests(making))
        refusal = Expectation("refusal", making.contract.refusals[way.refusal])
        bad = good.with_parameters(*way.along, (way.parameter, draw(way.values)))
        return Example((bad, good), (refusal, None), way.rule, control=1)

    return examples()


def _untold(making: Making) -> list[Violation]:
    return [way for way in violations(making.contract, making.operation) if not way.rules & making.told]


def several_broken(making: Making) -> SearchStrategy[Example] | None:
    """Return examples of: a request with several constraints broken is refused all the same."""
    # What is no integer is told alone, before any constraint is looked at (observed.yaml, ar-duration-nan).
    ways = [way for way in _untold(making) if not way.rule.endswith(".type")]
    if len({way.parameter for way in ways}) < 2:  # noqa: PLR2004 - several
        return None
    rule = property_rule(making.operation, "several-broken")

    @st.composite
    def examples(draw: st.DrawFn) -> Example:
        chosen = draw(st.lists(st.sampled_from(ways), min_size=2, max_size=4, unique_by=lambda way: way.parameter))
        good = draw(requests(making))
        bad = good
        for way in chosen:
            bad = bad.with_parameters(*(pair for pair in way.along if pair[0] not in dict(bad.parameters)))
            bad = bad.with_parameters((way.parameter, draw(way.values)))
        refusal = Expectation("refusal", making.contract.refusals["two-violations"])
        return Example((bad, good), (refusal, None), rule, control=1)

    return examples()


def related(
    making: Making, relation: str, change: Callable[[st.DrawFn, Request], Request]
) -> SearchStrategy[Example]:
    """Return examples of a valid request and a changed one, whose answers must agree."""
    rule = property_rule(making.operation, relation)

    @st.composite
    def examples(draw: st.DrawFn) -> Example:
        one = draw(requests(making))
        return Example((one, change(draw, one)), (None, None), rule, relation)

    return examples()


def by_get(_draw: st.DrawFn, request: Request) -> Request:
    """Send it in the query string."""
    return replace(request, method="GET", send="query", content_type=None)


def rearranged(draw: st.DrawFn, request: Request) -> Request:
    """Put the parameters in another order, and encode them otherwise."""
    parameters = draw(st.permutations(request.parameters))
    return replace(request, parameters=tuple(parameters), space=draw(st.sampled_from(("%20", "+"))),
                   encoding=draw(st.sampled_from(("lower", "all"))))  # fmt: skip


def with_more(draw: st.DrawFn, request: Request) -> Request:
    """Add a parameter that no operation has."""
    name = draw(st.text(st.sampled_from("XYZabc019.-_"), min_size=1, max_size=12))
    value = draw(st.none() | st.text(st.sampled_from("ab &=%+\u00e9\u4e16"), max_size=8))
    return replace(request, parameters=(*request.parameters, (f"X{name}", value)))


def the_same(_draw: st.DrawFn, request: Request) -> Request:
    """Change nothing."""
    return request


def transitive(draw: st.DrawFn, request: Request) -> Request:
    """Mark some tags transitive, or others."""
    given = dict(request.parameters)
    keys = [value for name, value in given.items() if re.fullmatch(r"Tags\.member\.\d+\.Key", name) and value]
    bare = request.without(*(name for name in given if name.startswith("TransitiveTagKeys.")))
    chosen = draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    return replace(
        bare,
        parameters=(*bare.parameters, *((f"TransitiveTagKeys.member.{n}", key) for n, key in enumerate(chosen, 1))),
    )


def longer(draw: st.DrawFn, request: Request) -> Request:
    """Add statements to its policy, or a policy."""
    given = dict(request.parameters).get("Policy")
    more = json.loads(draw(strategies.policies(denying=True)))
    document = json.loads(given) if given else {"Version": "2012-10-17", "Statement": []}
    statements = [*_listed(document["Statement"]), *_listed(more["Statement"])]
    for number, statement in enumerate(statements):
        if "Sid" in statement:
            statement["Sid"] += f"x{number}"
    text = json.dumps({**document, "Statement": statements}, separators=(",", ":"))
    return request.with_parameters(("Policy", text))


def _listed(statements: Any) -> list[dict[str, Any]]:
    return [dict(one) for one in (statements if isinstance(statements, list) else [statements])]


# By name; None where nothing is left to try.
PROPERTIES: dict[str, Callable[[Making], SearchStrategy[Example] | None]] = {
    "valid": valid,
    "one-broken": one_broken,
    "several-broken": several_broken,
    "by-get": lambda making: related(making, "by-get", by_get),
    "rearranged": lambda making: related(making, "rearranged", rearranged),
    "with-more": lambda making: related(making, "with-more", with_more),
    "fresh": lambda making: related(making, "fresh", the_same),
    "transitive-packed": lambda making: related(making, "transitive-packed", transitive),
    "longer-policy": lambda making: related(making, "longer-policy", longer),
}


# How answers must agree: a function of what was seen; returns (expected, received), or None


def _outcome(seen: Sequence[Seen]) -> tuple[str, str] | None:
    """Want both granted, or both refused with the same code."""
    one, two = (one.answer for one in seen)
    if is_granted(one) == is_granted(two) and one.error_code == two.error_code:
        return None
    return f"the same as without the change: {describe(one)}", describe(two)


def _fresh(seen: Sequence[Seen]) -> tuple[str, str] | None:
    """Want other credentials for an equal request, in an answer of the same shape."""
    one, two = (one.answer for one in seen)
    if not is_granted(one) or not is_granted(two):
        return _outcome(seen)
    if _shape(one) != _shape(two):
        return "an answer of the same shape", f"the elements {_missing(one, two)} in one of the two only"
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        if _texts(one, name) & _texts(two, name):
            return "other credentials for an equal request", f"the same {name} again"
    return None


def _packed_alike(seen: Sequence[Seen]) -> tuple[str, str] | None:
    one, two = (_size(one.answer) for one in seen)
    if one is None or two is None or one == two:
        return None
    return f"PackedPolicySize {one}, as without the transitive keys", f"PackedPolicySize {two}"


def _packed_no_smaller(seen: Sequence[Seen]) -> tuple[str, str] | None:
    one, two = (_size(one.answer) for one in seen)
    if one is None or two is None or two >= one:
        return None
    return f"PackedPolicySize {one} or more, as for the shorter policy", f"PackedPolicySize {two}"


RELATIONS: dict[str, Callable[[Sequence[Seen]], tuple[str, str] | None]] = {
    "by-get": _outcome,
    "rearranged": _outcome,
    "with-more": _outcome,
    "fresh": _fresh,
    "transitive-packed": _packed_alike,
    "longer-policy": _packed_no_smaller,
}


def _shape(answer: Answer) -> list[str]:
    return sorted(local_name(element) for element in answer.root.iter()) if answer.root is not None else []


def _missing(one: Answer, two: Answer) -> str:
    return ", ".join(sorted(set(_shape(one)) ^ set(_shape(two)))) or "more often"


def _texts(answer: Answer, name: str) -> set[str]:
    assert answer.root is not None  # noqa: S101 - granted
    return {element.text for element in answer.root.iter() if local_name(element) == name and element.text}


def _size(answer: Answer) -> int | None:
    if answer.root is None or not is_granted(answer):
        return None
    text = next(iter(_texts(answer, "PackedPolicySize")), "")
    return int(text) if text.isascii() and text.isdigit() else None
