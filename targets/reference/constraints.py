"""The constraints of every member, from the contract's data; all that are broken are reported together.

The wording is AWS's (observed.yaml, val-multi): one clause for each constraint that a value breaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import regex

from specs.contract import load
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specs.model import Contest
    from specs.model import Member as SpecMember

_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")
_LARGEST, _SMALLEST = 2**31 - 1, -(2**31)
_LOOKED_AT = 100  # entries of a list; that a longer one is too long is said anyway
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Member:
    """An input member with its traits, as the reference holds values against them."""

    type: str  # string, integer, list, structure
    required: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min: int | None = None
    max: int | None = None
    pattern: str | None = None
    default: int | None = None
    item: Member | None = None
    fields: Mapping[str, Member] = field(default_factory=dict)


Table = dict[str, Member]  # members by name
Values = dict[str, Any]  # str, int, list or dict by name; absent members are absent


def tables() -> dict[str, Table]:
    """Return the input members of every operation, as the contract gives them."""
    contract = load()

    def member(spec: SpecMember) -> Member:
        low, high = (spec.length.min, spec.length.max) if spec.length else (None, None)
        for contest in spec.contested:
            if contest.trait == "max-length":
                high = _arbitrated(contest, high)
        return Member(
            type=spec.type,
            required=spec.required,
            min_length=low,
            max_length=high,
            min=spec.range.min if spec.range else None,
            max=spec.range.max if spec.range else None,
            pattern=spec.pattern,
            default=spec.default,
            item=member(spec.member) if spec.member else None,
            fields={
                name: member(inner)
                for name, inner in (contract.data_types[spec.shape].members.items() if spec.shape else ())
            },
        )

    return {
        name: {key: member(spec) for key, spec in operation.input.items()}
        for name, operation in contract.operations.items()
    }


def _arbitrated(contest: Contest, documented: int | None) -> int | None:
    """AWS is the arbiter where it was observed; else the documents count."""
    return contest.observed if isinstance(contest.observed, int) else documented


def validate(table: Table, parameters: Mapping[str, str]) -> Values:
    """Read the members of `table` from wire parameters and hold them against their traits.

    Raises:
        Refused: malformed-integer or empty-integer at once; else all violations in one constraint-violation.
    """
    names = _nested(parameters)
    values: Values = {}
    clauses: list[str] = []
    for name, member in table.items():
        value = _read(member, name, parameters, names)
        clauses += _violations(member, value, _path(name))
        if value is not None:
            values[name] = value
        elif member.default is not None:
            values[name] = member.default
    if clauses:
        errors = "error" if len(clauses) == 1 else "errors"
        raise Refused("constraint-violation", f"{len(clauses)} validation {errors} detected: {'; '.join(clauses)}")
    return values


def _nested(parameters: Mapping[str, str]) -> dict[str, list[str]]:
    """Group dotted names by what stands before the first dot."""
    found: dict[str, list[str]] = {}
    for name in parameters:
        head, dot, _ = name.partition(".")
        if dot:
            found.setdefault(head, []).append(name)
    return found


def _read(member: Member, name: str, parameters: Mapping[str, str], names: Mapping[str, list[str]]) -> Any:
    if member.type == "list":
        return _read_list(member, name, parameters, names)
    if member.type == "structure":
        fields = {
            key: found
            for key, inner in member.fields.items()
            if (found := _read(inner, f"{name}.{key}", parameters, names)) is not None
        }
        return fields or None
    text = parameters.get(name)
    if text is None or member.type != "integer":
        return text
    return integer(text)


def _read_list(member: Member, name: str, parameters: Mapping[str, str], names: Mapping[str, list[str]]) -> Any:
    """Read NAME.member.1, NAME.member.2, ...; a bare NAME is an empty list, a gap is closed up."""
    assert member.item is not None  # noqa: S101 - of every list
    prefix = f"{name}.member."
    numbers = {
        int(number)
        for key in names.get(name, ())
        if key.startswith(prefix) and _NUMBER.fullmatch(number := key[len(prefix) :].partition(".")[0])
    }
    if not numbers:
        return [] if name in parameters else None
    entries = (_read(member.item, f"{prefix}{number}", parameters, names) for number in sorted(numbers))
    if member.item.type != "structure":
        return [entry for entry in entries if entry is not None]  # NAME.member.1.Key says nothing of a text
    return [entry if entry is not None else {} for entry in entries]


def integer(text: str) -> int:
    """Read a signed 32-bit integer as AWS does (observed.yaml, ar-duration-nan, ar-duration-ok-forms)."""
    if not text:
        raise Refused("empty-integer", "missing value for decimal type")
    number = int(text) if _INTEGER.fullmatch(text) else None
    if number is None or not _SMALLEST <= number <= _LARGEST:
        raise Refused("malformed-integer")
    return number


def _violations(member: Member, value: Any, path: str) -> Iterator[str]:
    if value is None:
        if member.required:
            yield _clause("null", path, "Member must not be null")
        return
    if member.type == "structure":
        for name, inner in member.fields.items():
            yield from _violations(inner, value.get(name), f"{path}.{_path(name)}")
        return
    shown = f"'{value}'" if member.type != "list" else f"'[{', '.join(map(_shown, value[:_LOOKED_AT]))}]'"
    for complaint in _complaints(member, value):
        yield _clause(shown, path, complaint)
    if member.item is not None and member.item.type == "string":
        # At the list, with all constraints of its items, broken or not (observed.yaml, gwit-audience-empty-item).
        if any(True for entry in value[:_LOOKED_AT] for _ in _complaints(member.item, entry)):
            yield _clause(shown, path, f"Member must satisfy constraint: [{', '.join(_constraints(member.item))}]")
    elif member.item is not None:
        for number, entry in enumerate(value[:_LOOKED_AT], 1):
            yield from _violations(member.item, entry, f"{path}.{number}.member")


def _shown(entry: Any) -> str:
    """Print an entry of a list: a text as it is, a tag as Java does (observed.yaml, gwit-tags-fifty-one)."""
    if isinstance(entry, str):
        return entry
    return f"Tag(key={entry['Key']}, value={entry['Value']})" if entry.keys() == {"Key", "Value"} else "..."


def _constraints(member: Member) -> Iterator[str]:
    """Name the constraints of a text, in the order in which AWS does of a list's items."""
    if member.max_length is not None:
        yield f"Member must have length less than or equal to {member.max_length}"
    if member.min_length is not None:
        yield f"Member must have length greater than or equal to {member.min_length}"
    if member.pattern is not None:
        yield f"Member must satisfy regular expression pattern: {member.pattern}"


def _complaints(member: Member, value: Any) -> Iterator[str]:
    if member.type == "integer":
        if member.max is not None and value > member.max:
            yield f"Member must have value less than or equal to {member.max}"
        if member.min is not None and value < member.min:
            yield f"Member must have value greater than or equal to {member.min}"
        return
    if member.pattern is not None and not _matches(member.pattern, value):
        yield f"Member must satisfy regular expression pattern: {member.pattern}"
    if member.min_length is not None and len(value) < member.min_length:
        yield f"Member must have length greater than or equal to {member.min_length}"
    if member.max_length is not None and len(value) > member.max_length:
        yield f"Member must have length less than or equal to {member.max_length}"


def _clause(shown: str, path: str, complaint: str) -> str:
    return f"Value {shown} at '{path}' failed to satisfy constraint: {complaint}"


def _path(name: str) -> str:
    return name[:1].lower() + name[1:]


_PATTERNS: dict[str, regex.Pattern[str]] = {}


def _matches(pattern: str, value: str) -> bool:
    r"""Match as Java does: the whole value, \w and \d in ASCII, \u with just four digits."""
    compiled = _PATTERNS.get(pattern)
    if compiled is None:
        translated = pattern.replace(r"\w", "a-zA-Z_0-9").replace(r"\d", "0-9")
        compiled = _PATTERNS[pattern] = regex.compile(translated, regex.VERSION0)
    return compiled.fullmatch(value) is not None
