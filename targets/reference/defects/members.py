"""Defects of the constraint layer, derived from the contract: a bound moved by one, a pattern dropped, ...

Every trait of every input member has at least one; those of data types apply wherever the type is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from specs.contract import kebab, load
from targets.reference.arns import Arn
from targets.reference.constraints import Member, tables
from targets.reference.defects import edits
from targets.reference.defects.registry import Defect
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specs.model import DataTypeSpec, OperationSpec
    from specs.model import Member as SpecMember
    from targets.reference.service import Service

ACCOUNT = "111122223333"

# What an implementation that does not miss a required member takes in its place.
_STAND_INS = {
    "RoleArn": "arn:aws:iam::111122223333:role/absent",
    "PrincipalArn": "arn:aws:iam::111122223333:saml-provider/absent",
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "TargetPrincipal": "777788889999",
    "SigningAlgorithm": "RS256",
    "Audience": "https://example.com",
    "TaskPolicyArn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",
}


def _any_arn(service: Service) -> None:
    edits.substitute(service.operations, "arn", lambda text: Arn(text, "iam", ACCOUNT, text))


# What else must be lax for a value beyond a bound to be taken: AWS refuses it on a second ground.
_GROUNDS: dict[str, Callable[[Service], None]] = {
    **dict.fromkeys(("RoleArn", "PrincipalArn"), _any_arn),
    "TargetPrincipal": edits.several(_any_arn, edits.without("operations", "check_root_target")),
    "PolicyDescriptorType.arn": edits.without("operations", "check_root_task"),
    **dict.fromkeys(
        ("TransitiveTagKeys", "an entry of TransitiveTagKeys"), edits.without("operations", "check_transitive")
    ),
    "DurationSeconds": edits.without("operations", "check_role_maximum"),
    "SigningAlgorithm": edits.values("GetWebIdentityToken", lambda found: {**found, "SigningAlgorithm": "RS256"}),
}
# Members for which no value just inside a bound can be granted, or told from one that is refused: whether the
# bound is too narrow cannot be seen on the wire.
_UNSEEN = frozenset({
    "RoleArn", "PrincipalArn", "TargetPrincipal", "ProviderId", "AccessKeyId", "ProvidedContexts",
    "PolicyDescriptorType.arn", "ProvidedContext.ProviderArn", "ProvidedContext.ContextAssertion",
})  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """Where a member is found: in one operation or more, by names."""

    prefix: str  # of the rule ids
    label: str
    paths: tuple[tuple[str, tuple[str, ...]], ...]  # operation and names
    member: Member

    def change(self, how: Callable[[Member], Member]) -> Callable[..., None]:
        return edits.several(*(edits.member(operation, path, how) for operation, path in self.paths))


def defects() -> Iterator[Defect]:
    """Yield the defects of all traits of all input members."""
    contract, found = load(), tables()
    rules = contract.rules
    for name, spec in contract.operations.items():
        for place in _places(spec, found[name]):
            yield from (defect for defect in _of(place) if defect.rule in rules)
    for shape, data_type in contract.data_types.items():
        if data_type.used_in == "input":
            for place in _shape_places(shape, data_type, contract.operations, found):
                yield from (defect for defect in _of(place) if defect.rule in rules)


def _places(spec: OperationSpec, table: dict[str, Member]) -> Iterator[_Place]:
    for name, member in table.items():
        prefix = f"{kebab(spec.operation)}.{kebab(name)}"
        yield _Place(prefix, name, ((spec.operation, (name,)),), member)
        if member.item is not None and member.item.type == "string":
            yield _Place(f"{prefix}.item", f"an entry of {name}", ((spec.operation, (name, "*")),), member.item)


def _shape_places(
    shape: str, data_type: DataTypeSpec, operations: dict[str, OperationSpec], found: dict[str, dict[str, Member]]
) -> Iterator[_Place]:
    uses: list[tuple[str, tuple[str, ...]]] = []
    for operation, spec in operations.items():
        for name, member in spec.input.items():
            uses += [(operation, path) for path in _uses(name, member, shape)]
    for name in data_type.members:
        paths = tuple((operation, (*path, name)) for operation, path in uses)
        operation, path = paths[0]
        held = found[operation][path[0]]
        for part in path[1:]:
            held = held.item if part == "*" and held.item else held.fields[part]
        yield _Place(f"data-type.{kebab(shape)}.{kebab(name)}", f"{shape}.{name}", paths, held)


def _uses(name: str, member: SpecMember, shape: str) -> Iterator[tuple[str, ...]]:
    if member.shape == shape:
        yield (name,)
    if member.member is not None and member.member.shape == shape:
        yield (name, "*")


def _of(place: _Place) -> Iterator[Defect]:
    yield from _type(place)
    yield from _required(place)
    yield from _bounds(place)
    yield from _pattern(place)
    if place.member.default is not None:
        yield Defect(
            f"{place.prefix}.default", "an-hour-more", f"{place.label} left out means an hour more",
            place.change(lambda m: replace(m, default=(m.default or 0) + 3600)),
        )  # fmt: skip


def _type(place: _Place) -> Iterator[Defect]:
    rule, label = f"{place.prefix}.type", place.label
    if label == "TokenCode":  # digits, which are an integer, too
        refused = edits.several(*(edits.parameters(op, _refusing(path[0])) for op, path in place.paths))
        yield Defect(rule, "refused", f"{label} is refused", refused)
    elif place.member.type == "string":
        as_integer = place.change(lambda _: Member(type="integer"))
        yield Defect(rule, "read-as-integer", f"{label} is read as an integer", as_integer)
    elif place.member.type == "integer":
        operation, (name, *_) = place.paths[0]
        lax = edits.parameters(operation, lambda given: _without_text(given, name))
        yield Defect(rule, "text-ignored", f"a text that is no integer counts as {label} left out", lax)
    else:
        as_text = edits.several(
            *(edits.parameters(operation, _refusing(path[0])) for operation, path in place.paths)
        )
        yield Defect(rule, "numbered-keys-refused", f"{label} in the documented spelling is refused", as_text)


def _without_text(given: dict[str, str], name: str) -> dict[str, str]:
    text = given.get(name)
    if text is not None and not text.lstrip("+-").isdigit():
        return {key: value for key, value in given.items() if key != name}
    return given


def _refusing(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    def change(given: dict[str, str]) -> dict[str, str]:
        if any(key.partition(".")[0] == name for key in given):
            raise Refused("malformed-integer", None)
        return given

    return change


def _required(place: _Place) -> Iterator[Defect]:
    rule, label = f"{place.prefix}.required", place.label
    if not place.member.required:
        required = place.change(lambda m: replace(m, required=True))
        yield Defect(rule, "demanded", f"{label} may not be left out", required)
        return
    path = place.paths[0][1]
    name = ".".join("member.1" if part == "*" else part for part in path)
    if place.member.type == "list":
        name = f"{name}.member.1"
    if place.member.type == "structure":
        name = f"{name}.arn"
    stand_in = _STAND_INS.get(path[0], "a-stand-in")
    yield Defect(
        rule, "not-missed", f"without {label} something else is taken",
        edits.several(*(edits.parameters(op, _filling(name, path[0], stand_in)) for op, _ in place.paths)),
    )  # fmt: skip


def _filling(name: str, top: str, value: str) -> Callable[[dict[str, str]], dict[str, str]]:
    in_list = name.startswith(f"{top}.member.1.")

    def change(given: dict[str, str]) -> dict[str, str]:
        if given.get(name) or (in_list and not any(key.startswith(f"{top}.") for key in given)):
            return given
        return {key: text for key, text in given.items() if key != top} | {name: value}

    return change


def _bounds(place: _Place) -> Iterator[Defect]:
    member, label = place.member, place.label
    exact = member.min_length is not None and member.min_length == member.max_length
    size = "items" if member.type == "list" else "length"
    for attribute, trait, outwards in (
        ("min_length", f"min-{size}", -1), ("max_length", f"max-{size}", 1), ("min", "min", -1), ("max", "max", 1),
    ):  # fmt: skip
        bound = getattr(member, attribute)
        if bound is None:
            continue
        rule = f"{place.prefix}.{'length' if exact else trait}"
        side = f"{trait}-" if exact else ""
        if (label, attribute) not in _SPECIAL and (bound, attribute) != (0, "min_length"):
            lax = _GROUNDS.get(label, edits.several())
            wider = edits.several(place.change(_moved(attribute, bound + outwards)), lax)
            yield Defect(rule, f"{side}one-too-wide", f"the bound of {label} is {bound + outwards}", wider)
        if label not in _UNSEEN and _narrowable(place, attribute):
            inner = min(bound, _documented(place)) - outwards if attribute == "max_length" else bound - outwards
            narrower = place.change(_moved(attribute, inner))
            yield Defect(rule, f"{side}one-too-narrow", f"the bound of {label} is {inner}", narrower)
    yield from _of_policy(place)


# Bounds of which `_of_policy` tells more.
_SPECIAL = frozenset({("Policy", "min_length"), ("Policy", "max_length")})


def _of_policy(place: _Place) -> Iterator[Defect]:
    """Leave out both grounds: a text of no characters is no JSON either, one of too many is too large packed."""
    if place.label != "Policy":
        return
    operation = place.paths[0][0]
    yield Defect(
        f"{place.prefix}.min-length", "empty-is-none", "an empty Policy counts as left out",
        edits.parameters(operation, lambda given: {k: v for k, v in given.items() if (k, v) != ("Policy", "")}),
    )  # fmt: skip
    yield Defect(
        f"{place.prefix}.max-length", "no-limit", "a Policy of any length is taken",
        edits.several(
            place.change(lambda m: replace(m, max_length=None)),
            lambda service: edits.substitute(service.operations, "packed", lambda *_: 100),
        ),
    )  # fmt: skip


def _narrowable(place: _Place, attribute: str) -> bool:
    """Whether a value just inside is granted; of policies as short as can be there are none."""
    return (place.label, attribute) != ("Policy", "min_length")


def _documented(place: _Place) -> int:
    """Return the bound that every authority grants, where they differ."""
    operation, path = place.paths[0]
    spec = load().operations[operation].input[path[0]]
    return spec.length.max if len(path) == 1 and spec.length and spec.length.max else 2**31


def _moved(attribute: str, bound: int) -> Callable[[Member], Member]:
    changes: dict[str, Any] = {attribute: bound}

    def change(member: Member) -> Member:
        # A text that is one too short may break the pattern, too, where that asks for a character.
        pattern = member.pattern if attribute != "min_length" or bound else None
        return replace(member, pattern=pattern, **changes)

    return change


def _pattern(place: _Place) -> Iterator[Defect]:
    rule, label, pattern = f"{place.prefix}.pattern", place.label, place.member.pattern
    if pattern is None:
        return
    dropped = edits.several(place.change(lambda m: replace(m, pattern=None)), _GROUNDS.get(label, edits.several()))
    yield Defect(rule, "any-character", f"{label} takes any character", dropped)
    if label not in _UNSEEN and label != "Policy":
        letters = place.change(lambda m: replace(m, pattern="[a-z]*"))
        yield Defect(rule, "letters-only", f"{label} takes small letters only", letters)
    if r"\w" in pattern or r"\d" in pattern:
        unicode = place.change(lambda m: replace(m, pattern=_in_unicode(pattern)))
        yield Defect(rule, "letters-of-all-scripts", f"{label} takes letters and digits of all scripts", unicode)


def _in_unicode(pattern: str) -> str:
    r"""Let \w and \d mean what they mean in Unicode."""
    return pattern.replace(r"\w", r"\p{L}\p{N}_").replace(r"\d", r"\p{N}")
