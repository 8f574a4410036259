"""Defects of answers, derived from the contract: an element left out, of another form, too short, too long.

Every response element and every trait of one has at least one; so has the envelope of every operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specs.contract import XML_NAMESPACE, kebab, load
from targets.reference.defects import edits
from targets.reference.defects.registry import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specs.model import Member, OperationSpec

    Change = Callable[[Any], Any]


@dataclass(frozen=True)
class _Element:
    """A response element: where it stands, in one operation or more."""

    prefix: str  # of the rule ids
    label: str
    paths: tuple[tuple[str, tuple[str, ...]], ...]  # operation and names below the result
    member: Member
    always: bool

    def change(self, how: Change) -> Callable[..., None]:
        return edits.several(*(edits.element(operation, path, how) for operation, path in self.paths))

# Conditional elements that the cases bring about.
_BROUGHT = frozenset(
    (operation, "SourceIdentity")
    for operation in ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
)


def defects() -> Iterator[Defect]:
    """Yield the defects of all response elements and of all envelopes."""
    contract = load()
    for operation in contract.operations.values():
        yield from _envelope(operation)
        for name, output in operation.output.items():
            prefix = f"{kebab(operation.operation)}.response.{kebab(name)}"
            always = output.presence == "always" or (operation.operation, name) in _BROUGHT
            yield from _of(_Element(prefix, name, ((operation.operation, (name,)),), output, always=always))
    for shape, data_type in contract.data_types.items():
        if data_type.used_in == "output":
            uses = [
                (operation.operation, name)
                for operation in contract.operations.values()
                for name, output in operation.output.items()
                if output.shape == shape
            ]
            for name, member in data_type.members.items():
                prefix = f"data-type.{kebab(shape)}.{kebab(name)}"
                paths = tuple((operation, (top, name)) for operation, top in uses)
                yield from _typed(_Element(prefix, f"{shape}.{name}", paths, member, always=True))


def _envelope(operation: OperationSpec) -> Iterator[Defect]:
    name, prefix = operation.operation, f"{kebab(operation.operation)}.wire"
    root = f"{name}Response"
    yield Defect(
        f"{prefix}.root", "another-root", "the root element is StsResponse",
        edits.body(rf"(</?){root}\b", r"\1StsResponse", only=root),
    )  # fmt: skip
    yield Defect(
        f"{prefix}.xmlns", "no-namespace", "answers are in no namespace",
        edits.body(rf' xmlns="{XML_NAMESPACE}"', "", only=root),
    )  # fmt: skip
    yield Defect(
        f"{prefix}.result", "another-wrapper", "the response elements stand in Result",
        edits.body(rf"(</?){operation.result_wrapper}>", r"\1Result>", only=root),
    )  # fmt: skip
    yield Defect(
        f"{prefix}.request-id", "no-request-id", "ResponseMetadata is empty",
        edits.body(r"\s*<RequestId>.*?</RequestId>", "", only=root),
    )  # fmt: skip


def _of(element: _Element) -> Iterator[Defect]:
    """Defects of a direct member of a result."""
    if element.always:
        yield Defect(element.prefix, "left-out", f"{element.label} is left out", element.change(lambda _: None))
    else:
        yield Defect(element.prefix, "another-form", f"{element.label} holds no value of its type", _garbled(element))
    yield from _traits(element)


def _typed(element: _Element) -> Iterator[Defect]:
    """Defects of a member of a data type."""
    yield Defect(
        f"{element.prefix}.required", "left-out", f"{element.label} is left out", element.change(lambda _: None)
    )
    says = f"{element.label} holds no value of its type"
    yield Defect(f"{element.prefix}.type", "another-form", says, _garbled(element))
    yield from _traits(element)


def _garbled(element: _Element) -> Callable[..., None]:
    others: dict[str, Change] = {
        "integer": lambda _: "many",
        "timestamp": lambda _: "tomorrow",
        "string": lambda _: {"Value": "nested"},
        "structure": lambda _: "flat",
    }
    return element.change(others[element.member.type])


def _traits(element: _Element) -> Iterator[Defect]:
    member, prefix, label = element.member, element.prefix, element.label
    if member.range is not None and member.range.min is not None:
        below = member.range.min - 1
        yield Defect(f"{prefix}.min", "below", f"{label} is {below}", element.change(lambda _: below))
    if member.length is not None and member.length.min is not None:
        short = "arn:aws:sts"[: member.length.min - 1]
        yield Defect(f"{prefix}.min-length", "too-short", f"{label} is '{short}'", element.change(lambda _: short))
    if member.length is not None and member.length.max is not None:
        limits = [member.length.max, *(c.observed for c in member.contested if isinstance(c.observed, int))]
        long = max(limits) + 1
        yield Defect(
            f"{prefix}.max-length", "too-long", f"{label} has {long} characters",
            element.change(lambda value: f"{value or ''}{'a' * long}"[:long]),
        )  # fmt: skip
    if member.pattern is not None:
        yield Defect(
            f"{prefix}.pattern", "other-characters", f"{label} ends with U+007F",
            element.change(lambda value: f"{value or 'none'}\u007f"),
        )  # fmt: skip
