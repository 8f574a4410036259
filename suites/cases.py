"""What the suite modules are made of: every case of a theme becomes one pytest item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from generators import everything
from specs.contract import kebab

if TYPE_CHECKING:
    from collections.abc import Callable

    from generators.case import Case


def themed(*themes: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Parametrize a test by all cases of these themes; the item's id is the case's."""
    found = [case for case in everything.cases() if case.theme in themes]
    decorate: Callable[[Callable[..., None]], Callable[..., None]] = pytest.mark.parametrize(
        "case", [pytest.param(case, id=case.id, marks=marks(case)) for case in found]
    )
    return decorate


def marks(case: Case) -> list[pytest.MarkDecorator]:
    """Return the markers of a case: its level, its operation in snake_case, its theme."""
    return [getattr(pytest.mark, name) for name in (case.level.value, _marker(case.operation), case.theme)]


def _marker(operation: str) -> str:
    return kebab(operation).replace("-", "_")


def marker_lines() -> list[str]:
    """Describe every marker, for pytest's --markers."""
    cases = everything.cases()
    return [
        "must: accepted or refused, status, error code, response shape",
        "should: documented detail that few clients depend on",
        "exact: AWS as observed, to the letter",
        *(f"{name}: cases of {op}" for op in sorted({c.operation for c in cases}) for name in [_marker(op)]),
        *(f"{theme}: cases of this theme" for theme in sorted({c.theme for c in cases})),
    ]
