"""What can be made wrong with the reference, one defect or more for each rule of the contract.

What follows from the contract is derived from it (`members`, `answers`); the rest is written by hand, beside
the subject that it is about. Nothing of this is on unless it is asked for.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from targets.reference.defects import (
    answers,
    authentication,
    errors,
    members,
    operations,
    operations_added,
    operations_roles,
    properties,
    scenarios,
    scenarios_callers,
    scenarios_saml,
    scenarios_sessions,
    scenarios_web_identity,
    sdk,
    sessions,
    trust,
    wire,
)

if TYPE_CHECKING:
    from targets.reference.defects.registry import Defect

_SOURCES = (
    members, answers, wire, authentication, errors, operations, operations_added, operations_roles, scenarios,
    scenarios_callers, scenarios_saml, scenarios_web_identity, scenarios_sessions, sdk, trust, properties,
    sessions,
)  # fmt: skip


@cache
def registry() -> dict[str, Defect]:
    """Return all defects by id.

    Raises:
        ValueError: two bear one id.
    """
    found: dict[str, Defect] = {}
    for source in _SOURCES:
        for defect in source.defects():
            if defect.id in found:
                raise ValueError(f"two defects bear the id '{defect.id}', expected one")
            found[defect.id] = defect
    return found
