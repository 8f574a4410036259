"""How AWS words a violation: one clause for each constraint that a value breaks."""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING

from generators.patterns import admits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.case import Case
    from generators.constraints import Leaf
    from specs.model import Member

_WORDED = frozenset({"constraint-violation", "missing-parameter", "empty-parameter"})
# How AWS quotes these was not observed, or they are no business of a report.
_UNKNOWN = frozenset({"SAMLAssertion", "WebIdentityToken", "TradeInToken", "EncodedMessage"})


def clauses(leaf: Leaf, case: Case) -> tuple[str, ...] | None:
    """Return the clauses that `case`'s value of `leaf` earns; None if the wording is not known."""
    refusal = case.expectation.refusal
    if case.expectation.outcome != "refusal" or refusal is None or refusal.refusal not in _WORDED:
        return None
    if leaf.probe is None or leaf.parameter in _UNKNOWN:
        return None
    values = dict(case.request.parameters)
    if leaf.prefix.endswith(".item"):
        return _of_list(leaf, case)
    if leaf.parameter not in values:
        return (f"Value null at '{_path(leaf)}' failed to satisfy constraint: Member must not be null",)
    value = values[leaf.parameter]
    if value is None or "${" in value:
        return None
    return tuple(
        f"Value '{value}' at '{_path(leaf)}' failed to satisfy constraint: {broken}"
        for broken in violations(leaf.member, value)
    )


def _of_list(leaf: Leaf, case: Case) -> tuple[str, ...] | None:
    """Return the clause of a bad item in a list of strings, a regular expression: AWS tells of it at the list.

    The value is the whole list, and in brackets stand constraints of its items, broken or not; which, and in which
    order, was seen of Audience alone (gwit-audience-empty-item).
    """
    name = leaf.parameter.partition(".")[0]
    items = [value for key, value in case.request.parameters if key.startswith(f"{name}.member.")]
    if None in items or any("${" in str(item) for item in items):
        return None
    shown = re.escape(f"[{', '.join(str(item) for item in items)}]")
    path = re.escape(name[:1].lower() + name[1:])
    if not violations(leaf.member, str(items[0])):
        return ()
    constraint = r"Member must satisfy constraint: \[Member must .+\]"
    return (f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}",)


def violations(member: Member, value: str) -> list[str]:
    """Name the constraints that `value` breaks, in AWS's words."""
    broken = []
    if member.type == "integer" and member.range is not None:
        number = int(value)
        if member.range.max is not None and number > member.range.max:
            broken.append(f"Member must have value less than or equal to {member.range.max}")
        if member.range.min is not None and number < member.range.min:
            broken.append(f"Member must have value greater than or equal to {member.range.min}")
    if member.type == "string":
        low = member.length.min if member.length else None
        high = _longest(member)
        if low is not None and len(value) < low:
            broken.append(f"Member must have length greater than or equal to {low}")
        if high is not None and len(value) > high:
            broken.append(f"Member must have length less than or equal to {high}")
        if member.pattern is not None and not admits(member.pattern, value):
            broken.append(f"Member must satisfy regular expression pattern: {member.pattern}")
    return broken


def _longest(member: Member) -> int | None:
    """Return the limit that AWS names: the observed one where the authorities differ."""
    contested = (c.observed for c in member.contested if c.trait == "max-length")
    observed = next((limit for limit in contested if isinstance(limit, int)), None)
    return observed or (member.length.max if member.length else None)


def message_pattern(leaf: Leaf, found: Sequence[str]) -> str:
    """Return a regular expression of the whole message: the clauses come in any order."""
    count = len(found)
    head = f"{count} validation error{'s' if count > 1 else ''} detected: "
    clauses = found if leaf.prefix.endswith(".item") else [re.escape(clause) for clause in found]
    orders = "|".join("; ".join(order) for order in permutations(clauses))
    return f"{re.escape(head)}(?:{orders})"


def _path(leaf: Leaf) -> str:
    """RoleArn -> roleArn, Tags.member.1.Key -> tags.1.member.key."""
    parts = [part[:1].lower() + part[1:] for part in leaf.parameter.split(".")]
    for index, part in enumerate(parts[:-1]):
        if part == "member" and parts[index + 1].isdigit():
            parts[index], parts[index + 1] = parts[index + 1], part
    return ".".join(parts)
