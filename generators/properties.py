"""Properties: what holds for any request, not for some. Hypothesis makes the examples.

An example is a few requests with what each must meet, and how their answers must agree. Nothing here sends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from generators import robustness, session_moves, strategies
from generators.answer import local_name
from generators.expectation import Expectation, describe, is_granted, share_of_token
from generators.plain import DENY_ALL, GRANTED, list_parameters, plain, tag_parameters
from generators.property_cases import echoes
from generators.sessions import Machine
from specs.contract import kebab, property_rule
from specs.model import CheckSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from hypothesis.strategies import SearchStrategy

    from generators.answer import Answer
    from generators.case import Parameters, Request
    from generators.expectation import Judgement
    from generators.robustness import WellFormed
    from generators.sessions import Move
    from specs.contract import Contract
    from specs.model import Member

# Members that a valid request of a run cannot have: they need what is not known, or decide nothing alone.
_NEVER = frozenset({"SerialNumber", "TokenCode", "ProvidedContexts", "MinimumSessionTokenSize", "ProviderId"})
_MOST_TAGS = 4
# Bytes of policies and tags that AWS surely takes. Of more, how far they pack decides, and nobody knows how.
# Observed: 150 bytes of tags fill 43 percent (packed-tags-6); a policy of 1,480 with three tags is too much
# (size-serialized-token).
_SURELY_PACKED = 500
_MOST_POLICIES = 3
_PACKED = frozenset({"Policy", "PolicyArns", "Tags"})
_TAGS = re.compile(r"(Tags|TransitiveTagKeys)\.")


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
    expectations: tuple[Expectation | WellFormed | None, ...]  # None: whatever the control or the relation says
    about: str  # the rule whose promise is tried
    relation: str = ""  # a name in RELATIONS
    control: int | None = None  # the request that must be granted for the others to prove anything
    labels: tuple[str, ...] = ()  # what is tried by each request, for those that are sent one after the other
    story: tuple[str, ...] = ()  # the same for people
    answered: bool = False  # that an answer comes at all is part of the promise

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """Print little: Hypothesis prints whatever fails, and nobody sees it."""
        printer.text(f"Example({self.about!r}, {len(self.requests)} requests)")

    @property
    def in_turn(self) -> bool:
        """Whether its requests are steps: what the third hands out are the credentials of the caller 'step-3'."""
        return bool(self.labels)

    def judge(self, seen: Sequence[Seen]) -> Trouble | None:
        """Return what is wrong, if anything is."""
        if self.control is not None:
            control = self.expectations[self.control] or Expectation("success")
            one = seen[self.control]
            if not control.judge(one.answer, values=one.values, sent_at=one.sent_at).conforms:
                return None
        for number, one in enumerate(seen):
            trouble = self.judge_one(number, one) if number != self.control else None
            if trouble is not None:
                return trouble
        if not self.relation:
            return None
        complaint = RELATIONS[self.relation](seen)
        if complaint is None:
            return None
        return self._trouble(*complaint, len(seen) - 1, seen[-1].answer)

    def judge_one(self, number: int, one: Seen) -> Trouble | None:
        """Return what is wrong with the answer to one of the requests, if anything is."""
        expectation = self.expectations[number]
        if expectation is None:
            return None
        judgement = expectation.judge(one.answer, values=one.values, sent_at=one.sent_at)
        if judgement.conforms:
            return None
        what = _complaint(judgement, one)
        return self._trouble(expectation.describe(), judgement.received, number, one.answer, what)

    def unanswered(self, number: int, failure: str, kind: str) -> Trouble:
        """Return what is wrong if one of the requests had no answer; `kind` is the same for failures alike."""
        expectation = self.expectations[number]
        expected = expectation.describe() if expectation is not None else "an answer"
        return Trouble(self.about, expected, f"no answer: {failure}", number, f"{self.about} {kind}")

    def _trouble(self, expected: str, received: str, at: int, answer: Answer, complaint: str = "") -> Trouble:
        what = f"{self.labels[at]} {complaint}" if self.in_turn else f"{at} {complaint if self.answered else ''}"
        kind = f"{self.about} {what} {answer.status} {answer.error_code or answer.foreign_code() or ''}"
        return Trouble(self.about, expected, received, at, kind)


def _complaint(judgement: Judgement, one: Seen) -> str:
    """Say what is wrong with an answer, without what it says: an element's path, or a few words."""
    said = judgement.received.removeprefix(describe(one.answer)).removeprefix("; ")
    return said.partition(" is '")[0]


@dataclass(frozen=True)
class Making:
    """What examples are made for."""

    contract: Contract
    operation: str
    told: frozenset[str] = frozenset()  # rules that the target breaks at their bounds: those are not tried again
    restrain: bool = False  # on a real account: what is minted can do nothing, and ends after 900 seconds
    policies: int = _MOST_POLICIES  # how many managed policies there are


# Valid requests


def requests(making: Making) -> SearchStrategy[Request]:
    """Return requests of an operation that keep all constraints and ask for nothing that must be refused."""
    return _members(making).map(lambda members: _request(making, members))


def _request(making: Making, members: Parameters, request: Request | None = None) -> Request:
    """Put members into a request, by default one that is granted where identity providers are."""
    operation = making.operation
    if request is None:
        request = plain(making.contract, operation).with_parameters(*GRANTED.get(operation, ("", ()))[1])
    request = request.with_parameters(*members)
    if not making.restrain:
        return request
    given, known = dict(request.parameters), making.contract.operations[operation].input
    for name, value in (("Policy", DENY_ALL), ("DurationSeconds", "900")):
        if name in known and name not in given:
            request = request.with_parameters((name, value))
    return request


def _members(making: Making) -> SearchStrategy[Parameters]:
    """Return which members there are, and their values."""
    known, given = making.contract.operations[making.operation].input, GRANTED.get(making.operation, ("", ()))[1]
    left_out = {*_NEVER, *dict(given), "RoleArn", "TransitiveTagKeys"}
    values = {
        name: _value(making, name, member).map(partial(_named, name))
        for name, member in known.items()
        if name not in left_out and (name != "PolicyArns" or making.policies)
    }
    required = st.tuples(*(value for name, value in values.items() if known[name].required))
    optional = [value for name, value in values.items() if not known[name].required]
    # In a list, because Hypothesis shrinks one by leaving entries out.
    chosen = st.lists(st.one_of(optional), unique_by=_name, max_size=len(optional))

    def in_order(one: tuple[_Named, ...], two: list[_Named]) -> Parameters:
        found = dict((*one, *two))
        return tuple(pair for name in known if name in found for pair in found[name])

    return st.builds(in_order, required, chosen)


_Named = tuple[str, "Parameters"]  # a member, and how it is sent


def _named(name: str, parameters: Parameters) -> _Named:
    return name, parameters


def _name(named: _Named) -> str:
    return named[0]


@st.composite
def _tags(draw: st.DrawFn, key: Member, value: Member, *, transitive: bool) -> Parameters:
    """Draw tags, and which of them are transitive where that can be said."""
    tags = draw(strategies.tags(key, value, most=_MOST_TAGS))
    marked = draw(st.lists(st.sampled_from([key for key, _ in tags]), unique=True)) if tags and transitive else []
    return (*_numbered(tags), *((f"TransitiveTagKeys.member.{n}", key) for n, key in enumerate(marked, 1)))


def _numbered(tags: tuple[tuple[str, str], ...]) -> Parameters:
    return tag_parameters(len(tags), key=lambda n: tags[n - 1][0], value=lambda n: tags[n - 1][1])


def _value(making: Making, name: str, member: Member) -> SearchStrategy[Parameters]:
    if name == "Tags":
        traits = making.contract.data_types["Tag"].members
        transitive = "TransitiveTagKeys" in making.contract.operations[making.operation].input
        return _tags(traits["Key"], traits["Value"], transitive=transitive)
    if name == "PolicyArns":
        counts = st.integers(1, min(_MOST_POLICIES, making.policies))
        return counts.map(lambda count: list_parameters("PolicyArns", count))
    if name == "Policy":
        return strategies.policies(denying=making.restrain).map(lambda text: ((name, text),))
    if member.type == "integer":
        durations = st.just(900) if making.restrain else strategies.integers(member)
        return durations.map(lambda number: ((name, str(number)),))
    return strategies.strings(member).map(lambda text: ((name, text),))


def granted(making: Making, request: Request) -> Expectation:
    """Expect that a request is granted, and that the answer says what it did, as far as no case tells otherwise."""
    told_by = {"": frozenset[str](), **echoes(making.operation)}
    checks = tuple(check for what, check in _echoes(making, request) if not told_by[what] & making.told)
    if _packed_bytes(request) > _SURELY_PACKED:
        return Expectation("either", making.contract.refusals["packed-policy-too-large"], checks)
    return Expectation("success", checks=checks)


def _packed_bytes(request: Request) -> int:
    """Return how much there is to be packed: policies and tags, in bytes of UTF-8."""
    packed = ((name, value) for name, value in request.parameters if name.split(".")[0] in _PACKED)
    return sum(len((value or "").encode()) for _, value in packed)


def _echoes(making: Making, request: Request) -> Iterator[tuple[str, CheckSpec]]:
    operation = making.contract.operations[request.operation]
    given, wrapper = dict(request.parameters), operation.result_wrapper
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        yield "", CheckSpec(at=f"{wrapper}/Credentials/{name}", min_length=1)
    duration = given.get("DurationSeconds") or operation.input["DurationSeconds"].default
    yield "lifetime", CheckSpec(at=f"{wrapper}/Credentials/Expiration", lifetime_seconds=int(duration or 0))
    session = given.get("RoleSessionName") or given.get("Name")
    if session:
        user = "FederatedUser" if request.operation == "GetFederationToken" else "AssumedRoleUser"
        arn = f"arn:aws[a-z-]*:sts::.*/{re.escape(session)}"
        yield "session", CheckSpec(at=f"{wrapper}/{user}/Arn", matches=arn)
    if given.get("SourceIdentity"):
        identity = re.escape(given["SourceIdentity"] or "")
        yield "source identity", CheckSpec(at=f"{wrapper}/SourceIdentity", matches=identity)


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
    return requests(making).map(lambda request: Example((request,), (granted(making, request),), rule))


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
        if way.along:  # tags of its own, instead of those that there are
            good = good.without(*(name for name, _ in good.parameters if _TAGS.match(name)))
            good = good.with_parameters(*way.along)
        bad = good.with_parameters((way.parameter, draw(way.values)))
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
    making: Making,
    relation: str,
    change: Callable[[st.DrawFn, Request], Request],
    begin: Callable[[Request], Request] = lambda request: request,
) -> SearchStrategy[Example]:
    """Return examples of a valid request, which `begin` may mend, and a changed one, whose answers must agree."""
    rule = property_rule(making.operation, relation)

    @st.composite
    def examples(draw: st.DrawFn) -> Example:
        one = draw(requests(making).map(begin))
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


def unmarked(request: Request) -> Request:
    """Mark no tag transitive."""
    return request.without(*(name for name, _ in request.parameters if name.startswith("TransitiveTagKeys.")))


def transitive(draw: st.DrawFn, request: Request) -> Request:
    """Mark some tags transitive."""
    given = dict(request.parameters)
    keys = [value for name, value in given.items() if re.fullmatch(r"Tags\.member\.[0-9]+\.Key", name) and value]
    chosen = draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    marks = ((f"TransitiveTagKeys.member.{n}", key) for n, key in enumerate(chosen, 1))
    return replace(request, parameters=(*request.parameters, *marks))


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


def sessions(making: Making) -> SearchStrategy[Example]:
    """Return examples of: each session may do, is called and carries what it must, whatever came before."""
    rule = property_rule(making.operation, "sessions")
    machine = Machine(making.contract, making.told, restrain=making.restrain)

    def example(moves: list[Move]) -> Example:
        program = machine.program(moves)
        return Example(
            tuple(program.requests), tuple(program.expectations), rule,
            labels=tuple(program.labels), story=tuple(program.story),
        )  # fmt: skip

    return session_moves.moves().map(example).filter(lambda one: one.in_turn)


def robust(making: Making) -> SearchStrategy[Example]:
    """Return examples of: whatever is sent, the answer is one of STS."""
    rule = property_rule(making.operation, "robust")
    plain_one = _request(making, (), plain(making.contract, making.operation))

    def example(changes: tuple[robustness.Change, ...]) -> Example:
        request = robustness.changed(plain_one, changes)
        return Example((request,), (robustness.well_formed(request),), rule, answered=True)

    return robustness.changes(making.contract, making.operation, making.told).map(example)


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
    "request-ids": lambda making: related(making, "request-ids", the_same),
    "transitive-packed": lambda making: related(making, "transitive-packed", transitive, unmarked),
    "longer-policy": lambda making: related(making, "longer-policy", longer),
    "sessions": sessions,
    "robust": robust,
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


def _other_id(seen: Sequence[Seen]) -> tuple[str, str] | None:
    one, two = (one.answer for one in seen)
    if one.root is None or two.root is None or not _texts(one, "RequestId") & _texts(two, "RequestId"):
        return None
    return "a RequestId of its own", "the same RequestId as the answer before"


def _packed_alike(seen: Sequence[Seen]) -> tuple[str, str] | None:
    one, two = (_size(one.answer) for one in seen)
    if one is None or two is None or one == two or _of_tokens(seen):
        return None
    return f"PackedPolicySize {one}, as without the transitive keys", f"PackedPolicySize {two}"


def _packed_no_smaller(seen: Sequence[Seen]) -> tuple[str, str] | None:
    one, two = (_size(one.answer) for one in seen)
    if one is None or two is None or two >= one or _of_tokens(seen):
        return None
    return f"PackedPolicySize {one} or more, as for the shorter policy", f"PackedPolicySize {two}"


def _of_tokens(seen: Sequence[Seen]) -> bool:
    """Tell whether PackedPolicySize is that of whole tokens, as AWS's is since September 2026 (size-ar-plain)."""
    return all(
        str(_size(one.answer)) in map(share_of_token, _texts(one.answer, "SessionToken")) for one in seen
    )


RELATIONS: dict[str, Callable[[Sequence[Seen]], tuple[str, str] | None]] = {
    "by-get": _outcome,
    "rearranged": _outcome,
    "with-more": _outcome,
    "fresh": _fresh,
    "request-ids": _other_id,
    "transitive-packed": _packed_alike,
    "longer-policy": _packed_no_smaller,
}


def _shape(answer: Answer) -> list[str]:
    return sorted(local_name(element) for element in answer.root.iter()) if answer.root is not None else []


def _missing(one: Answer, two: Answer) -> str:
    return ", ".join(sorted(set(_shape(one)) ^ set(_shape(two)))) or "more often"


def _texts(answer: Answer, name: str) -> set[str]:
    assert answer.root is not None  # noqa: S101 - callers have looked
    return {element.text for element in answer.root.iter() if local_name(element) == name and element.text}


def _size(answer: Answer) -> int | None:
    if answer.root is None or not is_granted(answer):
        return None
    text = next(iter(_texts(answer, "PackedPolicySize")), "")
    return int(text) if text.isascii() and text.isdigit() else None
