"""The cases of properties: one for each property of each operation, tried with many examples at run time.

What makes the examples stands in `generators.properties`, which takes Hypothesis along: not for every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generators.case import Case
from generators.expectation import Expectation
from generators.plain import GRANTED, NEEDS, plain
from specs.contract import ROOT, place_of, property_rule
from specs.loader import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specs.contract import Contract

THEME = "property"
NAMES = (
    "valid", "one-broken", "several-broken", "by-get", "rearranged", "with-more", "fresh", "transitive-packed",
    "longer-policy",
)  # fmt: skip


def cases(contract: Contract) -> Iterator[Case]:
    """Yield a case for each property of each operation."""
    for spec in contract.properties:
        if spec.property not in NAMES:
            place = place_of(ROOT, f"property: {spec.property}", file="properties.yaml")
            raise SpecError(f"{place}: found the property '{spec.property}', expected one of {', '.join(NAMES)}")
        for operation in spec.operations:
            rule = property_rule(operation, spec.property)
            need, members = GRANTED.get(operation, ("", ()))
            yield Case(
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
