"""A defect: one way in which a reference can break one rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from targets.reference.service import Service


@dataclass(frozen=True, slots=True)
class Defect:
    """Something wrong with a reference, to be switched on."""

    rule: str  # the rule that it breaks
    name: str  # what tells it from the rule's other defects
    says: str  # what the reference does, in words
    apply: Callable[[Service], None]

    @property
    def id(self) -> str:
        """The rule's id, a slash, the name."""
        return f"{self.rule}/{self.name}"
