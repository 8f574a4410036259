"""On a real account, whatever a case mints can do nothing and ends soon, unless that is the case's point."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from generators.plain import DENY_ALL

if TYPE_CHECKING:
    from generators.case import Case, Step

_POLICY = frozenset(
    {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken"}
)
_DURATION = _POLICY | {"GetSessionToken"}


def restrained(case: Case) -> Case:
    """Add a deny-all session policy and 900 seconds where the case leaves room for them."""
    request, names = case.request, {name for name, _ in case.request.parameters}
    if request.operation in _POLICY and not {"Policy", "PolicyArns"} & (names | case.pinned):
        request = request.with_parameters(("Policy", DENY_ALL))
    if request.operation in _DURATION and "DurationSeconds" not in names | case.pinned:
        request = request.with_parameters(("DurationSeconds", "900"))
    setup = tuple(replace(step, request=restrained(step_as_case(case, step)).request) for step in case.setup)
    return replace(case, request=request, setup=setup)


def step_as_case(case: Case, step: Step) -> Case:
    """Return the call of a step that `case` rests on: the session that it hands out must keep its rights."""
    return replace(case, request=step.request, setup=(), after=0, client="wire", pinned=frozenset({"Policy"}))
