"""`--edges`: where a target really draws the line of a bound that it breaks.

From the documented bound outward values double (or halve) until one is not taken; between the last that is taken
and the first that is not the line is found by bisection. `search` is that, without sending anything; `Edges` sends.
Members are looked at side by side, the values of one member one after the other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from generators.constraints import leaves
from generators.expectation import Expectation, describe, is_granted, shorten
from generators.federated import provided
from generators.plain import GRANTED, list_parameters, plain
from generators.restrain import restrained
from generators.written import needed_values
from reports.model import Edge, Trait
from reports.summary import BROKEN
from specs.contract import load
from targets.fresh import Fresh
from targets.wire import Signer, filled, prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence

    from generators.answer import Answer
    from generators.case import Case, Parameters
    from generators.constraints import Leaf
    from reports.model import CaseResult
    from targets.http import Client, Exchange
    from targets.provision import Estate, Provisioner
    from targets.redactor import Redactor
    from targets.target import Target

# How far is looked.
_MOST_CHARACTERS = 1_000_000
_MOST_ITEMS = 1_000
_INTEGERS = (-(2**31), 2**31 - 1)

_TOO_LARGE = 413
_SERVER_ERROR = 500
_KEPT = 80  # characters of an answer in words
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"})
_BACK_OFF = (0.5, 1.0, 2.0, 4.0)  # seconds

# What becomes of a value. 'other' is no answer of the Query protocol, or says that the endpoint broke; 'too-large' is
# said of the request as such; 'silent': no answer.
Kind = Literal["taken", "refused", "other", "too-large", "silent"]


@dataclass(frozen=True, slots=True)
class Look:
    """What an endpoint made of one value."""

    kind: Kind
    words: str  # the answer without its message


@dataclass(frozen=True, slots=True)
class Span:
    """Where to look for a line."""

    documented: int
    horizon: int  # the last value outward that is tried
    inner: int  # the last one inward, for a target that is stricter than documented

    @property
    def outward(self) -> int:
        """1 where larger values are outside of the bound, -1 where smaller ones are."""
        return 1 if self.horizon >= self.documented else -1


@dataclass(frozen=True, slots=True)
class Line:
    """What was found out about a bound."""

    observed: int | None  # the last value that is taken; None where there is no single line
    words: str


def strides(begin: int, end: int) -> Iterator[int]:
    """Yield values from the one next to `begin` to `end`, twice as large (or half as large) each time."""
    step = 1 if end > begin else -1
    value = begin
    while value != end:
        away = (value > 0) == (step > 0)  # from zero
        further = value * 2 if away else int(value / 2)
        value = value + step if value in {begin, further} else further
        value = min(value, end) if step > 0 else max(value, end)
        yield value


def search(span: Span) -> Generator[int, Look, Line]:
    """Look for the line: yields the values to try, is sent what becomes of each, returns what was found."""
    seen: dict[int, Look] = {}

    def ask(value: int) -> Generator[int, Look, Look]:
        if value not in seen:
            seen[value] = yield value
        return seen[value]

    first = yield from ask(span.documented)
    if first.kind == "silent":
        return Line(None, f"cannot be told: {first.words}, at {span.documented:,} already")
    taken, end = first.kind == "taken", span.horizon if first.kind == "taken" else span.inner
    before = after = span.documented
    for after in strides(span.documented, end):
        look = yield from ask(after)
        if (look.kind == "taken") != taken:
            break
        before = after
    else:
        return _without_line(span, seen)
    if taken and seen[after].kind in {"too-large", "silent"}:
        return _broken_off(span, before, after, seen[after])
    inside, outside = (before, after) if taken else (after, before)
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        look = yield from ask(middle)
        if look.kind == "silent":
            return _broken_off(span, inside, middle, look)
        inside, outside = (middle, outside) if look.kind == "taken" else (inside, middle)
    yield from _neighbours(span, inside, ask)
    return _line(span, inside, seen)


def _neighbours(
    span: Span, edge: int, ask: Callable[[int], Generator[int, Look, Look]]
) -> Generator[int, Look, None]:
    """Look once more on both sides of the line, and at the far end of a lower one: an empty value may be taken."""
    for value in (edge - span.outward, edge + 2 * span.outward):
        if min(span.inner, span.horizon) <= value <= max(span.inner, span.horizon):
            yield from ask(value)
    if span.outward < 0:
        yield from ask(span.horizon)


def _without_line(span: Span, seen: dict[int, Look]) -> Line:
    first = seen[span.documented]
    if first.kind != "taken":
        if len(seen) == 1:
            return Line(None, f"cannot be told: {first.words}, at {span.documented:,} already")
        return Line(None, f"none taken from {span.documented:,} to {span.inner:,}: {first.words}")
    words = {look.words for look in seen.values()} - {_GRANTED.words}
    throughout = f" ({' or '.join(sorted(words))} throughout)" if words else ""
    return Line(None, f"none {_to(span)} {span.horizon:,}{throughout}")


def _broken_off(span: Span, inside: int, outside: int, look: Look) -> Line:
    return Line(None, f"none {_to(span)} {inside:,} (at {outside:,}: {look.words})")


def _to(span: Span) -> str:
    return "up to" if span.outward > 0 else "down to"


def _line(span: Span, edge: int, seen: dict[int, Look]) -> Line:
    """Tell a line that everything seen agrees with, or that there is none."""
    astray = [value for value, look in seen.items() if (look.kind == "taken") != ((edge - value) * span.outward >= 0)]
    outside = edge + span.outward
    if astray:
        shown = sorted({edge, outside, astray[0]})
        return Line(None, f"no single line: {', '.join(f'{value:,} {_became(seen[value])}' for value in shown)}")
    beyond = seen[outside]
    if beyond.kind != "refused":
        return Line(edge, f"{beyond.words} from {outside:,} {'on' if span.outward > 0 else 'down'}")
    return Line(edge, f"{edge:,}, as documented" if edge == span.documented else f"{edge:,}")


def _became(look: Look) -> str:
    return look.kind if look.kind in {"taken", "refused"} else look.words


async def follow(span: Span, ask: Callable[[int], Awaitable[Look]]) -> tuple[Line, int]:
    """Search with `ask`; returns what was found and how often was asked."""
    searching, asked = search(span), 0
    try:
        value = next(searching)
        while True:
            look = await ask(value)
            asked += 1
            value = searching.send(look)
    except StopIteration as done:
        return done.value, asked


_GRANTED = Look("taken", "200")


def look_at(answer: Answer, following: frozenset[tuple[int, str | None]] = frozenset()) -> Look:
    """Tell what became of a value. `following` are refusals (status, code) that a good value meets here."""
    if is_granted(answer):
        return _GRANTED
    if answer.status == _TOO_LARGE:
        return Look("too-large", str(_TOO_LARGE))
    if answer.error_code is None:
        return Look("other", describe(answer))
    words = f"{answer.status} {answer.error_code}"
    if answer.status >= _SERVER_ERROR:
        return Look("other", words)
    return Look("taken" if (answer.status, answer.error_code) in following else "refused", words)


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound of one input member."""

    leaf: Leaf
    trait: Trait
    documented: int
    opposite: int | None  # the member's bound on the other side

    @property
    def rule_trait(self) -> str:
        """The trait that its rule is named by."""
        exact = self.documented == self.opposite and self.leaf.member.type == "string"
        return "length" if exact else self.trait

    @property
    def is_upper(self) -> bool:
        """Whether it is the larger values that break it."""
        return self.trait.startswith("max")

    @property
    def name(self) -> str:
        """The member, with the dots of the data types it stands in."""
        return self.leaf.parameter.replace(".member.1", "")

    def span(self, policies: int) -> Span:
        """Tell where to look; a run has only so many managed policies."""
        least, most = _INTEGERS if self.leaf.member.type == "integer" else (0, _MOST_CHARACTERS)
        if self.leaf.member.type == "list":
            most = min(policies, _MOST_ITEMS) if self.leaf.parameter == "PolicyArns" else _MOST_ITEMS
        if self.leaf.probe is not None and self.leaf.probe.inside == "unknown":
            inner = self.documented  # a refusal further in says nothing of the bound
        elif self.is_upper:
            inner = self.opposite if self.opposite is not None else min(1, self.documented)
        else:
            inner = self.opposite if self.opposite is not None else self.documented
        return Span(self.documented, max(most, self.documented) if self.is_upper else least, inner)

    def case(self, size: int) -> Case:
        """Make the request with a value of that size (a number, characters, entries) in one that is granted else."""
        parameters, drop = self._parameters(size)
        need, members = GRANTED.get(self.leaf.operation, ("", ()))
        success = Expectation("success")
        case = self.leaf.case(self.rule_trait, str(size), (*members, *parameters), success, drop=drop)
        return provided(replace(case, needs=case.needs | ({need} if need else frozenset())))

    def _parameters(self, size: int) -> tuple[Parameters, str]:
        """Return what to set and what to leave out."""
        leaf = self.leaf
        if leaf.member.type == "list":
            given = list_parameters(leaf.parameter, size) if size else ((leaf.parameter, ""),)
            return given, "" if size else f"{leaf.parameter}.member.1"
        assert leaf.probe is not None  # noqa: S101 - scalars have one
        value = str(size) if leaf.member.type == "integer" else leaf.probe.fill(size)
        parameters = leaf.with_value(value)
        if leaf.parameter == "TransitiveTagKeys.member.1":  # needs a tag of that very key
            parameters = tuple((name, value if name == "Tags.member.1.Key" else old) for name, old in parameters)
        return parameters, ""

    def following(self) -> frozenset[tuple[int, str | None]]:
        """Return the refusals that a good value may meet, without those that a broken bound may."""
        refusals, leaf = load().refusals, self.leaf
        name = leaf.probe.next_refusal if leaf.probe is not None else None
        if leaf.parameter == "Policy" and not self.is_upper:
            name = "malformed-policy-document"  # one character is long enough, and no policy
        elif leaf.parameter == "ProvidedContexts":
            name = "context-not-accepted"
        if name is None:
            return frozenset()
        violated = {(each.status, each.code) for each in refusals["constraint-violation"].answers}
        return frozenset((each.status, each.code) for each in refusals[name].answers) - violated


def bounds() -> Iterator[Bound]:
    """Yield every bound of every input member that a value can lie outside of."""
    for leaf in leaves(load()):
        held = leaf.member.range if leaf.member.type == "integer" else leaf.member.length
        if held is None or (leaf.probe is None and leaf.member.type != "list"):
            continue
        low, high = _TRAITS["list" if leaf.member.type == "list" else leaf.member.type]
        if held.min is not None and (held.min > 0 or leaf.member.type == "integer"):
            yield Bound(leaf, low, held.min, held.max)
        if held.max is not None:
            yield Bound(leaf, high, held.max, held.min)


_TRAITS: dict[str, tuple[Trait, Trait]] = {
    "integer": ("min", "max"),
    "string": ("min-length", "max-length"),
    "list": ("min-items", "max-items"),
}


def chosen(results: Iterable[CaseResult], *, every: bool) -> list[Bound]:
    """Choose the bounds that cases of this run show to be broken; `every`: all that it has cases of."""
    ids = [result.id for result in results if every or result.verdict in BROKEN]
    found = []
    for bound in bounds():
        start = f"{bound.leaf.prefix}.{bound.rule_trait}/{bound.leaf.tag}"
        if any(name.startswith(start) for name in ids):
            found.append(bound)
    return found


@dataclass
class Edges:
    """Finds lines at a target."""

    target: Target
    estate: Estate
    provisioner: Provisioner
    redactor: Redactor
    client: Client
    _plain: dict[str, asyncio.Task[str]] = field(default_factory=dict)

    async def found(self, wanted: Sequence[Bound]) -> tuple[Edge, ...]:
        """Find the line of each of these bounds, side by side."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._edge(bound)) for bound in wanted]
        return tuple(task.result() for task in tasks)

    async def _edge(self, bound: Bound) -> Edge:
        leaf = bound.leaf
        edge = Edge(
            operation=leaf.operation, member=bound.name, trait=bound.trait, documented=bound.documented,
            rule=f"{leaf.prefix}.{bound.rule_trait}",
        )  # fmt: skip
        hindered = await self._hindered(bound)
        if hindered:
            return edge.model_copy(update={"reason": hindered})
        following = bound.following()
        policies = sum(name.startswith("policy-arn-") for name in self.estate.values)

        async def ask(size: int) -> Look:
            return self._look(await self._send(bound.case(size)), following)

        line, asked = await follow(bound.span(policies), ask)
        return edge.model_copy(update={"observed": line.observed, "found": line.words, "requests": asked})

    def _look(self, exchange: Exchange, following: frozenset[tuple[int, str | None]]) -> Look:
        if exchange.answer is None:
            return Look("silent", self._words(exchange.failure))
        look = look_at(exchange.answer, following)
        return replace(look, words=self._words(look.words))

    def _words(self, text: str) -> str:
        return shorten(self.redactor.clean(text), _KEPT)

    # Whether it can be looked for

    async def _hindered(self, bound: Bound) -> str:
        """Say why no line can be looked for: the operation is not there, or not granted even when all is good."""
        operation = bound.leaf.operation
        if operation in self.estate.unsupported:
            return f"{operation} does not exist at this target"
        lacking = await self._lacking(bound.case(bound.documented))
        if lacking:
            return lacking
        task = self._plain.get(operation)
        if task is None:
            task = self._plain[operation] = asyncio.create_task(self._not_granted(bound))
        return await asyncio.shield(task)

    async def _lacking(self, case: Case) -> str:
        """Have what a request needs made; returns what is missing."""
        lacking = self.estate.lacks(case.needs)
        if lacking:
            return lacking
        made = await asyncio.gather(*(self.provisioner.have(fixture) for fixture in case.fixtures))
        lacking = next(filter(None, made), "") or self.estate.cannot_sign(case.recipes)
        if lacking:
            return lacking
        if case.request.caller and case.request.caller not in self.estate.callers:
            return f"needs the credentials of a {case.request.caller.replace('-', ' ')}"
        unknown = needed_values(case) - self.estate.values.keys() - {recipe.name for recipe in case.recipes}
        if any(name.startswith("policy-arn-") for name in unknown):
            return self.estate.missing.get("managed-policies", "needs managed policies")
        named = ", ".join(sorted(name.replace("-", " ") for name in unknown))
        return f"needs {named}, which this run does not have" if named else ""

    async def _not_granted(self, bound: Bound) -> str:
        """Say what the operation answers if nothing is wrong with the request; '' if it grants it."""
        operation = bound.leaf.operation
        _, members = GRANTED.get(operation, ("", ()))
        request = plain(load(), operation).with_parameters(*members)
        case = replace(bound.case(bound.documented), request=request, pinned=frozenset())
        look = self._look(await self._send(case), frozenset())
        return "" if look == _GRANTED else f"{operation} is not granted here: {look.words}"

    # Sending

    async def _send(self, case: Case) -> Exchange:
        """Send a request; one that was throttled again after a pause."""
        if self.target.endpoint.is_aws:
            case = restrained(case)
        for pause in (*_BACK_OFF, 0.0):
            exchange = await self._send_once(case)
            if exchange.answer is None or exchange.answer.error_code not in _THROTTLED:
                return exchange
            exchange = replace(exchange, answer=None, failure=f"throttled: {describe(exchange.answer)}")
            await asyncio.sleep(pause)
        return exchange

    async def _send_once(self, case: Case) -> Exchange:
        values = Fresh(self.estate, self.redactor, recipes=case.recipes)
        caller = self.estate.callers[case.request.caller] if case.request.caller else None
        signer = Signer(self.target.endpoint, self.target.region)
        request = filled(case.request, values, self.target.endpoint.partition)
        return await self.client.send(prepare(request, signer, caller, datetime.now(UTC)))
