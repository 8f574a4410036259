"""The cases of properties: one for each property of each operation, tried with many examples at run time.

What makes the examples stands in `generators.properties`, which takes Hypothesis along: not for every run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from generators import sessions
from generators.case import Case
from generators.expectation import Expectation
from generators.plain import GRANTED, NEEDS, plain
from specs.contract import ROOT, kebab, place_of, property_rule
from specs.loader import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specs.contract import Contract

THEME = "property"
NAMES = (
    "valid", "one-broken", "several-broken", "by-get", "rearranged", "with-more", "fresh", "transitive-packed",
    "longer-policy", "sessions", "robust", "request-ids",
)  # fmt: skip

# What answers say of their requests, with the ends of the rules whose cases tell it, too.
_ECHOES = {
    "lifetime": ("duration-seconds.lifetime", "duration-seconds.default"),
    "session": (
        "role-session-name.in-arn", "session-name-in-arn", "wire.response.arn-form", "response.assumed-role-user",
        "response.federated-user", "response.federated-user.forms",
    ),
    "source identity": ("response.source-identity.echo",),
}  # fmt: skip


def echoes(operation: str) -> dict[str, frozenset[str]]:
    """Return what answers of an operation say of their requests, with the rules that tell it, too."""
    return {what: frozenset(f"{kebab(operation)}.{end}" for end in ends) for what, ends in _ECHOES.items()}


def cases(contract: Contract) -> Iterator[Case]:
    """Yield a case for each property of each operation."""
    for spec in contract.properties:
        if spec.property not in NAMES:
            place = place_of(ROOT, f"property: {spec.property}", file="properties.yaml")
            raise SpecError(f"{place}: found the property '{spec.property}', expected one of {', '.join(NAMES)}")
        for operation in spec.operations:
            rule = property_rule(operation, spec.property)
            # What need not be granted needs no identity provider.
            need, members = GRANTED.get(operation, ("", ())) if spec.property != "robust" else ("", ())
            case = Case(
                id=f"{rule}/examples",
                rules=(rule,),
                operation=operation,
                theme=THEME,
                level=spec.level,
                request=plain(contract, operation).with_parameters(*members),
                expectation=Expectation("success"),
                needs=NEEDS.get(operation, frozenset()) | ({need} if need else frozenset()),
                tried=spec.property,
            )
            if spec.property == "valid":
                case = replace(case, told_by=frozenset.union(*echoes(operation).values()))
            yield _with_roles(case) if spec.property == "sessions" else case


def _with_roles(case: Case) -> Case:
    """Give the property of sessions the roles that it goes through."""
    needs = frozenset({"user", "long-term-keys"})
    return replace(case, needs=needs, fixtures=sessions.fixtures(), told_by=sessions.TOLD_BY)
