"""Faults planted in the reference's code, not through the registry of defects, are noticed by the suites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from generators import everything
from suites.kill import Arena
from targets.reference import authorize, constraints, signature
from targets.reference.policy import Grant, trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_matches, _expected, _trusted = constraints._matches, signature.expected, trusted


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    found = Arena()
    yield found
    found.close()


def unanchored(pattern: str, value: str) -> bool:
    """A line break at the end is overlooked, as Python's $ does."""
    return _matches(pattern, value.removesuffix("\n"))


def without_query(claim: Any, query: Any, secret: str) -> str:
    """Whoever cannot compute the signature of a query string takes any."""
    return str(claim.signature) if query.raw_query else _expected(claim, query, secret)


def without_conditions(document: Any, ask: Any, claimant: Any) -> Any:
    """Whoever is named may come, whatever the conditions say."""
    grant = _trusted(document, ask, claimant)
    return grant if grant is not Grant.NONE else Grant.SELF


PLANTED: dict[str, tuple[object, str, Callable[..., Any], str]] = {
    "constraint layer": (constraints, "_matches", unanchored, "constraint"),
    "signature check": (signature, "expected", without_query, "authentication"),
    "trust evaluation": (authorize, "trusted", without_conditions, "authentication"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_a_planted_fault_is_noticed(arena: Arena, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    module, name, fault, theme = PLANTED[place]
    ids = [case.id for case in everything.cases() if case.theme == theme]
    assert set(arena.verdicts(ids).values()) == {"conforms"}
    monkeypatch.setattr(module, name, fault)
    noticed = [case_id for case_id, verdict in arena.verdicts(ids).items() if verdict == "deviates"]
    assert 0 < len(noticed) < len(ids) / 2, noticed
