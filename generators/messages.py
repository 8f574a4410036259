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
    if leaf.parameter not in values:
        return (f"Value null at '{_path(leaf)}' failed to satisfy constraint: Member must not be null",)
    value = values[leaf.parameter]
    if value is None or "${" in value:
        return None
    return tuple(
        f"Value '{value}' at '{_path(leaf)}' failed to satisfy constraint: {broken}"
        for broken in violations(leaf.member, value)
    )


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


def message_pattern(found: Sequence[str]) -> str:
    """Return a regular expression of the whole message: the clauses come in any order."""
    count = len(found)
    head = f"{count} validation error{'s' if count > 1 else ''} detected: "
    orders = "|".join("; ".join(re.escape(clause) for clause in order) for order in permutations(found))
    return f"{re.escape(head)}(?:{orders})"


def _path(leaf: Leaf) -> str:
    """RoleArn -> roleArn, Tags.member.1.Key -> tags.1.member.key."""
    parts = [part[:1].lower() + part[1:] for part in leaf.parameter.split(".")]
    for index, part in enumerate(parts[:-1]):
        if part == "member" and parts[index + 1].isdigit():
            parts[index], parts[index + 1] = parts[index + 1], part
    return ".".join(parts)
