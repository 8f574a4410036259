"""The templates of all pages, and how they are rendered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATES: Final = Path(__file__).with_name("templates")


def environment(**filters: Callable[..., object]) -> Environment:
    """Return what renders templates: all that they print is escaped and made visible, filtered or not."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters)
    return made


def _harmless(value: object) -> object:
    """Make visible what a template prints without a filter."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
