"""Defects of the rules in specs/sts/ that are written by hand: wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from targets.reference.defects.registry import Defect


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from ()
