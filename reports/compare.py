"""Pages about several runs: the matrix of targets against rules, and what changed between two runs.

Like the page of one run they need nothing else: no script, no font, no image, no network. What is filtered is
filtered by CSS.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from reports.diff import KINDS, TITLES, answer_of, by_operation, count_levels, verdict_of
from reports.diff_lines import score_words
from reports.embedded import TEXT_LIMIT, anchor
from reports.html import MEANINGS, show_line, show_name
from reports.matrix import make_matrix
from reports.model import LEVELS, VERDICTS
from reports.summary import LEVEL_MEANINGS, plural
from reports.templating import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from jinja2 import Environment

    from reports.diff import Comparison
    from reports.model import Results

ANSWERS_SHOWN: Final = 6  # answers of a target to a rule
CASES_SHOWN: Final = 40  # ids of cases with the same change


def write_matrix(runs: Sequence[Results], path: str | PathLike[str]) -> None:
    """Write the matrix; its folder is made where it is missing."""
    _write(render_matrix(runs), path)


def write_diff(comparison: Comparison, path: str | PathLike[str]) -> None:
    """Write the page of a comparison; its folder is made where it is missing."""
    _write(render_diff(comparison), path)


def render_matrix(runs: Sequence[Results]) -> str:
    """Render runs side by side."""
    return _environment().get_template("matrix.html.j2").render(
        matrix=make_matrix(runs), answers_shown=ANSWERS_SHOWN, **_words()
    )  # fmt: skip


def render_diff(comparison: Comparison) -> str:
    """Render a comparison of two runs."""
    return _environment().get_template("diff.html.j2").render(
        comparison=comparison,
        sides=(comparison.old, comparison.new),
        verdict=verdict_of(comparison),
        kinds=KINDS, titles=TITLES, count_levels=count_levels, score_words=score_words, by_operation=by_operation,
        answer_of=answer_of, cases_shown=CASES_SHOWN,
        **_words(),
    )  # fmt: skip


def show_id(text: str) -> Markup:
    """Show the id of a rule or a case, with leave to break the line between its parts."""
    return show_line(text).replace(".", Markup(".<wbr>"))


def _words() -> dict[str, object]:
    return {"levels": LEVELS, "verdicts": VERDICTS, "meanings": MEANINGS, "level_meanings": LEVEL_MEANINGS}


def _write(text: str, path: str | PathLike[str]) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


@cache
def _environment() -> Environment:
    return environment(
        anchor=anchor,
        block=partial(show_line, limit=TEXT_LIMIT),
        id=show_id,
        line=show_line,
        name=show_name,
        plural=plural,
    )
