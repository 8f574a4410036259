"""Cases from the traits of input members: the values just inside and just outside of each.

Every negative case names its refusal and has as control the same request with a value just inside, or,
where no such value can be granted here, the member's sample.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from generators import messages
from generators.case import Case, Parameters
from generators.expectation import Expectation
from generators.patterns import TRAPS, admits, outsider
from generators.plain import (
    DENY_ALL,
    GRANTED,
    MADE_UP,
    NEEDS,
    NEXT_REFUSAL,
    Probe,
    incompressible,
    list_parameters,
    plain,
    probe,
)
from specs.contract import kebab
from specs.model import Authority, CheckSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specs.contract import Contract
    from specs.model import Member

_WRONG_INTEGERS = (("abc", "abc"), ("900.0", "900.0"), ("2-to-31", "2147483648"), ("below-int", "-2147483649"))
_MANY = 100_000


@dataclass(frozen=True)
class Leaf:
    """One input member of one operation, found at its place in the request."""

    contract: Contract
    operation: str
    prefix: str  # of the rule ids: 'assume-role.role-arn', 'data-type.tag.key'
    tag: str  # what the suffix of a case id begins with: '' or 'assume-role.tags.'
    parameter: str  # 'RoleArn', 'Tags.member.1.Key'
    member: Member
    probe: Probe | None  # None for lists and structures
    top: str  # the member of the input it stands in

    def case(
        self,
        trait: str,
        suffix: str,
        parameters: Parameters,
        expectation: Expectation,
        *,
        control: str = "",
        drop: str = "",
    ) -> Case:
        """Make a case of the rule `prefix.trait` from the plain request with `parameters` set."""
        request = plain(self.contract, self.operation).with_parameters(*parameters)
        if drop:
            request = request.without(drop)
        rule = self.contract.rules[f"{self.prefix}.{trait}"]
        return Case(
            id=f"{rule.id}/{self.tag}{suffix}",
            rules=(rule.id,),
            operation=self.operation,
            theme=rule.theme,
            level=rule.level,
            request=request,
            expectation=expectation,
            control=control,
            needs=NEEDS.get(self.operation, frozenset()),
            pinned=frozenset({self.top, *(name.split(".")[0] for name, _ in parameters)}),
        )

    def id_of(self, trait: str, suffix: str) -> str:
        """Return the id of another case of this leaf."""
        return f"{self.prefix}.{trait}/{self.tag}{suffix}"

    @property
    def served(self) -> str:
        """The case that sends the plain request."""
        return f"{kebab(self.operation)}.wire.request.action/served"

    @property
    def sample(self) -> str:
        """The case that sends this member, or the list it stands in, with a good value."""
        return f"{self.prefix.removesuffix('.item')}.type/{self.tag}sample"

    def refusal(self, name: str, *checks: CheckSpec) -> Expectation:
        """Expect a refusal of the table."""
        return Expectation("refusal", self.contract.refusals[name], checks)

    def inside(self) -> Expectation | None:
        """Expect what a good value meets; None where that cannot be told from a violation."""
        assert self.probe is not None  # noqa: S101 - scalars only
        if self.probe.inside == "granted":
            return Expectation("success")
        if self.probe.inside == "next" and self.probe.next_refusal:
            return _next(self.contract, self.probe.next_refusal)
        return None

    def with_value(self, value: str | None) -> Parameters:
        """Set the member, and what it needs along."""
        assert self.probe is not None  # noqa: S101 - scalars only
        return (*_companions(self), (self.parameter, value))


def cases(contract: Contract) -> Iterator[Case]:
    """Yield the cases of all traits of all input members."""
    for leaf in leaves(contract):
        yield from leaf_cases(leaf)


def leaf_cases(leaf: Leaf) -> Iterator[Case]:
    """Yield the cases of one member."""
    yield from _type(leaf)
    yield from _required(leaf)
    if leaf.member.type == "list":
        yield from _items(leaf)
    if leaf.member.type == "integer":
        yield from _range(leaf)
    if leaf.member.type == "string":
        yield from _length(leaf)
        yield from _pattern(leaf)
    if leaf.member.default is not None:
        yield from _default(leaf)


def leaves(contract: Contract) -> Iterator[Leaf]:
    """Yield every input member of every operation, the inner ones of lists and structures too."""
    for operation, spec in contract.operations.items():
        for name, member in spec.input.items():
            prefix = f"{kebab(operation)}.{kebab(name)}"
            scalar = member.type in {"string", "integer"}
            own = _probe_of(operation, name, member) if scalar else None
            yield Leaf(contract, operation, prefix, "", name, member, own, name)
            yield from _inner(contract, operation, prefix, name, member)


def _inner(contract: Contract, operation: str, prefix: str, name: str, member: Member) -> Iterator[Leaf]:
    held = member.member if member.member is not None else member
    place = f"{name}.member.1" if member.type == "list" else name
    if held.shape is not None:
        for inner, traits in contract.data_types[held.shape].members.items():
            yield Leaf(
                contract, operation, f"data-type.{kebab(held.shape)}.{kebab(inner)}",
                f"{kebab(operation)}.{kebab(name)}.", f"{place}.{inner}", traits,
                probe(operation, f"{held.shape}.{inner}"), name,
            )  # fmt: skip
    elif member.type == "list":
        yield Leaf(
            contract, operation, f"{prefix}.item", "", place, held, probe(operation, f"{name}.item"), name
        )


def _probe_of(operation: str, name: str, member: Member) -> Probe:
    if member.type == "integer":
        assert member.range is not None  # noqa: S101 - every integer of STS has one
        return probe_integer(operation, str(member.default or member.range.max))
    return probe(operation, name)


def probe_integer(operation: str, sample: str) -> Probe:
    """Return how to vary an integer: as its operation's other members."""
    basis = probe(operation, "RoleSessionName")
    return Probe(sample, str, basis.inside, basis.next_refusal)


def _companions(leaf: Leaf) -> Parameters:
    """Return what must be sent along for a good value to be good."""
    assert leaf.probe is not None  # noqa: S101 - scalars only
    if leaf.parameter.startswith("Tags.member.1."):
        return (("Tags.member.1.Key", "Project"), ("Tags.member.1.Value", "Unicorn"))
    if leaf.parameter == "TransitiveTagKeys.member.1":
        return (("Tags.member.1.Key", "Project"), ("Tags.member.1.Value", "Unicorn"))
    if leaf.parameter.startswith("ProvidedContexts.member.1."):
        return list_parameters("ProvidedContexts", 1)
    return leaf.probe.along


def _matched(leaf: Leaf, value: str) -> Parameters:
    """Set a good value; a transitive key needs a tag of that very key."""
    parameters = leaf.with_value(value)
    if leaf.parameter == "TransitiveTagKeys.member.1":
        parameters = (("Tags.member.1.Key", value), *(p for p in parameters if p[0] != "Tags.member.1.Key"))
    return parameters


def _type(leaf: Leaf) -> Iterator[Case]:
    if f"{leaf.prefix}.type" not in leaf.contract.rules:
        return
    if leaf.probe is None:
        good = list_parameters(leaf.parameter, 1) if leaf.member.type == "list" else ()
        yield leaf.case("type", "sample", good, _as_served(leaf))
        return
    good = leaf.with_value(leaf.probe.sample) if leaf.probe.sample else ()
    yield leaf.case("type", "sample", good, leaf.inside() or _as_served(leaf))
    if leaf.member.type == "integer":
        for suffix, value in _WRONG_INTEGERS:
            yield leaf.case(
                "type", suffix, leaf.with_value(value), leaf.refusal("malformed-integer"), control=leaf.sample
            )
        yield leaf.case(
            "type", "empty", leaf.with_value(""), leaf.refusal("empty-integer"), control=leaf.sample
        )


def _as_plain(leaf: Leaf) -> Expectation:
    """Expect what the plain request of the operation meets."""
    following = NEXT_REFUSAL.get(leaf.operation)
    if following is None:
        return Expectation("success")
    return _next(leaf.contract, following)


def _next(contract: Contract, refusal: str) -> Expectation:
    """Expect the next refusal; or that the request is granted, where that is possible."""
    return Expectation("refusal" if refusal in MADE_UP else "either", contract.refusals[refusal])


def _as_served(leaf: Leaf) -> Expectation:
    """Expect what the plain request meets with good entries of this member, which may not be granted here."""
    if leaf.top == "ProvidedContexts":
        return _next(leaf.contract, "context-not-accepted")
    return _as_plain(leaf)


def _required(leaf: Leaf) -> Iterator[Case]:
    if f"{leaf.prefix}.required" not in leaf.contract.rules:
        return
    good = leaf.with_value(leaf.probe.sample) if leaf.probe and leaf.probe.sample else ()
    first = f"{leaf.parameter}.member.1" if leaf.member.type == "list" else leaf.parameter
    if leaf.member.type == "structure" and leaf.member.required:
        first = f"{leaf.parameter}.arn"
    if not leaf.member.required:
        left_out = tuple(p for p in good if p[0] != leaf.parameter and leaf.top not in _ALONE)
        yield leaf.case("required", "left-out", left_out, _as_plain(leaf), drop=leaf.parameter)
        yield from _granted(leaf, "required", "left-out-granted", (), drop=leaf.parameter)
        return
    control = leaf.sample
    yield leaf.case(
        "required", "left-out", good, leaf.refusal("missing-parameter"), control=control, drop=first
    )
    if leaf.member.type == "string" and not _may_be_empty(leaf.member):
        for suffix, value in (("empty", ""), ("bare-name", None)):
            yield leaf.case(
                "required", suffix, leaf.with_value(value), leaf.refusal("empty-parameter"), control=control
            )


_ALONE = frozenset({"SerialNumber", "TokenCode"})  # one without the other is another matter


def _may_be_empty(member: Member) -> bool:
    """Without a lower bound nothing forbids an empty text: that it counts as left out is nowhere told."""
    return member.length is None or not member.length.min


def _items(leaf: Leaf) -> Iterator[Case]:
    bounds = leaf.member.length
    if bounds is None:
        return
    if bounds.min:
        fewest = list_parameters(leaf.parameter, bounds.min)
        yield leaf.case("min-items", str(bounds.min), fewest, _as_served(leaf))
        yield leaf.case(
            "min-items", "0", ((leaf.parameter, ""),), leaf.refusal("empty-parameter"),
            control=leaf.sample, drop=f"{leaf.parameter}.member.1",
        )  # fmt: skip
    if bounds.max is None:
        return
    too_many = "too-many-policy-arns" if leaf.parameter == "PolicyArns" else "constraint-violation"
    yield leaf.case(
        "max-items", str(bounds.max), list_parameters(leaf.parameter, bounds.max), _as_served(leaf)
    )
    yield leaf.case(
        "max-items", str(bounds.max + 1), list_parameters(leaf.parameter, bounds.max + 1),
        leaf.refusal(too_many), control=leaf.id_of("max-items", str(bounds.max)),
    )  # fmt: skip


def _range(leaf: Leaf) -> Iterator[Case]:
    bounds = leaf.member.range
    if bounds is None:
        return
    inside = leaf.inside()
    for trait, limit, outside in (
        ("min", bounds.min, {(bounds.min or 0) - 1, -1, 0 if bounds.min else -1}),
        ("max", bounds.max, {(bounds.max or 0) + 1, 2_147_483_647}),
    ):
        if limit is None:
            continue
        control = leaf.sample
        if inside is not None:
            yield leaf.case(trait, str(limit), leaf.with_value(str(limit)), inside)
            control = leaf.id_of(trait, str(limit))
        yield from _granted(leaf, trait, f"{limit}-granted", ((leaf.parameter, str(limit)),))
        for value in sorted(outside):
            yield leaf.case(
                trait, str(value), leaf.with_value(str(value)), leaf.refusal("constraint-violation"),
                control=control,
            )  # fmt: skip


def _length(leaf: Leaf) -> Iterator[Case]:
    bounds = leaf.member.length
    if bounds is None:
        return
    exact = bounds.min is not None and bounds.min == bounds.max
    contest = next((c for c in leaf.member.contested if c.trait == "max-length"), None)
    if bounds.min is not None:
        yield from _shortest(leaf, "length" if exact else "min-length", bounds.min)
    if bounds.max is not None:
        yield from _longest(leaf, "length" if exact else "max-length", bounds.max, contested=contest is not None)
    if contest is not None:
        yield from _contested(leaf, bounds.max or 0)


def _shortest(leaf: Leaf, trait: str, least: int) -> Iterator[Case]:
    control = leaf.sample
    inside = _short_inside(leaf)
    value = leaf.probe.fill(least) if leaf.probe else ""
    if inside is not None:
        yield leaf.case(trait, str(least), _matched(leaf, value), inside)
        control = leaf.sample if leaf.parameter == "Policy" else leaf.id_of(trait, str(least))
    for length in sorted({least - 1, 0} if least else set()):
        short = leaf.probe.fill(length) if leaf.probe else ""
        refusal = "empty-policy" if leaf.parameter == "Policy" else "constraint-violation"
        if not length and (leaf.member.required or leaf.prefix.endswith(".item")):
            refusal = "empty-parameter"
        yield leaf.case(
            trait, str(length), leaf.with_value(short), leaf.refusal(refusal), control=control
        )


def _short_inside(leaf: Leaf) -> Expectation | None:
    """Expect of the shortest value; one character cannot be a policy, but it is long enough.

    Where the plain request is refused anyway, it is not known which of the two refusals comes first.
    """
    inside = leaf.inside()
    if leaf.parameter != "Policy" or inside is None:
        return inside
    return leaf.refusal("malformed-policy-document") if inside.outcome == "success" else None


def _longest(leaf: Leaf, trait: str, most: int, *, contested: bool) -> Iterator[Case]:
    assert leaf.probe is not None  # noqa: S101 - strings only
    control = leaf.sample
    inside = leaf.inside()
    if inside is not None and trait != "length":
        yield leaf.case(trait, str(most), _matched(leaf, leaf.probe.fill(most)), inside)
        control = leaf.id_of(trait, str(most))
    if contested:
        return
    refusal = "policy-too-long" if leaf.parameter == "Policy" else "constraint-violation"
    yield leaf.case(
        trait, str(most + 1), leaf.with_value(leaf.probe.fill(most + 1)), leaf.refusal(refusal), control=control
    )
    yield from _astral(leaf, trait, most, inside)


def _astral(leaf: Leaf, trait: str, most: int, inside: Expectation | None) -> Iterator[Case]:
    """Lengths count Unicode scalar values: a value of astral letters is twice as long in UTF-16."""
    letter = "\U0001d4b3"
    pattern = leaf.member.pattern
    if pattern is None or not admits(pattern, letter) or inside is None:
        return
    yield leaf.case(trait, f"{most}-astral", _matched(leaf, letter * most), inside)
    yield leaf.case(
        trait, f"{most + 1}-astral", leaf.with_value(letter * (most + 1)),
        leaf.refusal("constraint-violation"), control=leaf.id_of(trait, f"{most}-astral"),
    )  # fmt: skip


def _contested(leaf: Leaf, most: int) -> Iterator[Case]:
    """Where the authorities differ on a length: either answer up to the widest claim, refusal beyond."""
    assert leaf.probe is not None  # noqa: S101 - strings only
    contest = next(c for c in leaf.member.contested if c.trait == "max-length")
    claims = {a: getattr(contest, a) for a in Authority if a in contest.model_fields_set}
    refusal = "policy-too-long" if leaf.parameter == "Policy" else "constraint-violation"
    widest = max((c for c in claims.values() if isinstance(c, int)), default=most)
    unlimited = None in claims.values()
    between = [most + 1] if unlimited else [most + 1, widest]
    for length in between:
        accepting = tuple(a for a, c in claims.items() if c is None or (isinstance(c, int) and c >= length))
        expectation = Expectation("either", leaf.contract.refusals[refusal], accepted_by=accepting)
        yield leaf.case("max-length", str(length), leaf.with_value(leaf.probe.fill(length)), expectation)
    control = leaf.id_of("max-length", str(most))
    if unlimited:
        resource = f"arn:aws:s3:::{incompressible(_MANY, leaf.prefix)}"
        value = DENY_ALL.replace('"Resource":"*"', f'"Resource":"{resource}"')
        yield leaf.case(
            "max-length", "100000", leaf.with_value(value), leaf.refusal("policy-far-too-long"), control=control
        )
        return
    yield leaf.case(
        "max-length", str(widest + 1), leaf.with_value(leaf.probe.fill(widest + 1)),
        leaf.refusal("constraint-violation"), control=control,
    )  # fmt: skip


def _pattern(leaf: Leaf) -> Iterator[Case]:
    pattern = leaf.member.pattern
    if pattern is None or leaf.probe is None:
        return
    # The sample itself would do, but a sample that is an ARN with a placeholder has no fixed middle.
    good = leaf.probe.sample if leaf.probe.sample and "$" not in leaf.probe.sample else _good_value(leaf)
    bad = outsider(pattern)
    if bad is not None:
        for place, value in _placed(good, bad.text).items():
            yield _outside(leaf, f"{bad.name}-{place}", value)
        if leaf.parameter == "Policy":
            yield _outside(leaf, f"{bad.name}-in-a-string", _policy_naming(bad.text))
    inside = leaf.inside()
    if inside is not None and leaf.parameter != "Policy":
        yield leaf.case("pattern", "every-ascii-character", _matched(leaf, _every_ascii(leaf)), inside)
    for trap in TRAPS:
        value = _policy_naming(trap.text) if leaf.parameter == "Policy" else _fitting(leaf, good, trap.text)
        if bad is not None and trap.name == bad.name:
            continue
        if not admits(pattern, trap.text):
            yield _outside(leaf, trap.name, value)
        elif inside is not None and leaf.parameter != "Policy" and trap.name != "trailing-newline":
            yield leaf.case("pattern", trap.name, _matched(leaf, value), inside)


def _good_value(leaf: Leaf) -> str:
    assert leaf.probe is not None  # noqa: S101 - strings only
    bounds = leaf.member.length
    return leaf.probe.fill(max((bounds.min or 0) + 8, 16) if bounds else 16)


def _every_ascii(leaf: Leaf) -> str:
    """Return a value of every punctuation character that the pattern admits, between letters or digits."""
    assert leaf.member.pattern is not None  # noqa: S101 - the caller has looked
    pattern, bounds = leaf.member.pattern, leaf.member.length
    admitted = "".join(c for c in string.printable[:94] if admits(pattern, c) and not c.isalnum())
    value = f"aZ{admitted}09" if admits(pattern, "a") else "0123456789"
    return value[: bounds.max] if bounds is not None else value


def _placed(good: str, bad: str) -> dict[str, str]:
    """Replace one character of `good` at the start, in the middle and at the end."""
    middle = len(good) // 2
    return {
        "start": bad + good[1:],
        "middle": good[:middle] + bad + good[middle + 1 :],
        "end": good[:-1] + bad,
    }


def _policy_naming(text: str) -> str:
    """Return a policy document that has nothing wrong but `text` in the name of a resource."""
    return DENY_ALL.replace('"Resource":"*"', f'"Resource":"arn:aws:s3:::{text}"')


def _fitting(leaf: Leaf, good: str, extra: str) -> str:
    """Put `extra` at the end of `good`; if the length is fixed, in place of its last characters."""
    bounds = leaf.member.length
    if bounds is not None and bounds.max is not None and len(good) + len(extra) > bounds.max:
        return good[: bounds.max - len(extra)] + extra
    return good + extra


def _outside(leaf: Leaf, suffix: str, value: str) -> Case:
    refusal = "policy-characters" if leaf.parameter == "Policy" else "constraint-violation"
    return leaf.case("pattern", suffix, leaf.with_value(value), leaf.refusal(refusal), control=leaf.sample)


def _granted(
    leaf: Leaf, trait: str, suffix: str, parameters: Parameters, *checks: CheckSpec, drop: str = ""
) -> Iterator[Case]:
    """Where the plain request cannot be granted: the same with what it takes, for targets that have that."""
    if leaf.operation in GRANTED:
        need, members = GRANTED[leaf.operation]
        case = leaf.case(trait, suffix, (*members, *parameters), Expectation("success", checks=checks), drop=drop)
        yield replace(case, needs=case.needs | {need})


def _default(leaf: Leaf) -> Iterator[Case]:
    assert leaf.member.default is not None  # noqa: S101 - the caller has looked
    wrapper = leaf.contract.operations[leaf.operation].result_wrapper
    path = "Expiration" if leaf.operation == "GetWebIdentityToken" else "Credentials/Expiration"
    check = CheckSpec(at=f"{wrapper}/{path}", lifetime_seconds=leaf.member.default)
    served = _as_served(leaf)
    yield leaf.case(
        "default", "left-out", (), replace(served, checks=() if served.outcome == "refusal" else (check,)),
        control="" if served.outcome == "refusal" else leaf.served, drop=leaf.parameter,
    )  # fmt: skip
    yield from _granted(leaf, "default", "granted", (), check, drop=leaf.parameter)


def several_violations(contract: Contract) -> Iterator[Case]:
    """Two violations at once, of each pair of members of an operation: refused all the same."""
    rule = contract.rules["common.error.several-violations"]
    broken: dict[str, list[tuple[Leaf, Case]]] = {}
    for leaf in leaves(contract):
        worst = next((c for c in leaf_cases(leaf) if messages.clauses(leaf, c) is not None), None)
        if worst is not None:
            broken.setdefault(leaf.operation, []).append((leaf, worst))
    for operation, found in broken.items():
        for index, (leaf, case) in enumerate(found):
            for other_leaf, other in found[index + 1 :]:
                if leaf.top == other_leaf.top:
                    continue
                yield _pair(rule.id, contract, operation, (leaf, case), (other_leaf, other))


def _pair(
    rule: str, contract: Contract, operation: str, one: tuple[Leaf, Case], two: tuple[Leaf, Case]
) -> Case:
    own = dict(plain(contract, operation).parameters)
    first, second = dict(one[1].request.parameters), dict(two[1].request.parameters)
    # What the first needs along must not mend the second, nor the other way round.
    kept = {one[0].parameter, *first} - {two[0].parameter}
    theirs = {k: v for k, v in second.items() if own.get(k, "\0") != v and k not in kept}
    request = one[1].request.with_parameters(*theirs.items())
    gone = [k for k in own if k not in second]
    name = f"{kebab(operation)}.{_short(one[0])}-and-{_short(two[0])}"
    return Case(
        id=f"{rule}/{name}",
        rules=(rule,),
        operation=operation,
        theme="constraint",
        level=contract.rules[rule].level,
        request=request.without(*gone),
        expectation=Expectation("refusal", contract.refusals["two-violations"]),
        control=one[0].served,
        needs=one[1].needs,
        pinned=one[1].pinned | two[1].pinned,
    )


def _short(leaf: Leaf) -> str:
    return kebab(leaf.parameter.replace(".member.1", "").replace(".", "-"))
