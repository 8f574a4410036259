"""A badge: one figure of a run as an SVG that needs nothing else."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from reports.summary import rule_outcomes, score_levels
from reports.text import clip, visible

if TYPE_CHECKING:
    from reports.model import Level, Results

LABEL: Final = "STS conformance"
GREEN: Final = "#1a7f37"  # white text on each of these has a contrast of 4.5 or more
AMBER: Final = "#8a5a00"
RED: Final = "#b3112a"
GREY: Final = "#57606a"
_LABEL_GROUND: Final = "#3d444d"
_NAME: Final = 60  # characters of a target's name that are told
_CHAR: Final = 6.6  # about the width of a character, in pixels; textLength makes it fit whatever the font
_PAD: Final = 12


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge says."""

    figure: str
    colour: str
    alternative: str  # the same for those who do not see it


def make_badge(results: Results, level: Level = "must") -> Badge:
    """Count the rules of a level that the target keeps.

    Green: it keeps all. Amber: nothing is broken but what its baseline lists, or some rules are undecided. Red:
    a rule is broken. Grey: the run was cut off, or has no rule of the level.
    """
    score = next((each for each in score_levels(rule_outcomes(results)) if each.level == level), None)
    name = visible(clip(results.run.target.name, _NAME)[0])
    if score is None:
        return Badge(f"no {level} rules", GREY, f"{LABEL} of {name}: the run has no {level} rules")
    colour = RED if score.broken > score.known else GREEN if score.kept == score.total else AMBER
    figure = f"{score.kept} of {score.total} {level}"
    told = f"{LABEL} of {name}: {score.kept} of {score.total} rules of level {level} kept, {score.broken} broken"
    if score.known:
        told += f" ({score.known} known)"
    if not results.complete:
        return Badge(f"{figure}, cut off", GREY, f"{told}; the run was cut off")
    return Badge(figure, colour, told)


def render_badge(results: Results, level: Level = "must") -> str:
    """Render the badge as SVG, 20 pixels high."""
    badge = make_badge(results, level)
    left, right = _width(LABEL) + _PAD, _width(badge.figure) + _PAD
    told = escape(badge.alternative, {'"': "&quot;"})
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{told}">
<title>{told}</title>
<clipPath id="round"><rect width="{left + right}" height="20" rx="3"/></clipPath>
<g clip-path="url(#round)">
<rect width="{left}" height="20" fill="{_LABEL_GROUND}"/>
<rect x="{left}" width="{right}" height="20" fill="{badge.colour}"/>
</g>
<g fill="#ffffff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{left / 2:g}" y="14" textLength="{left - _PAD}">{escape(LABEL)}</text>
<text x="{left + right / 2:g}" y="14" textLength="{right - _PAD}">{escape(badge.figure)}</text>
</g>
</svg>
"""


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return round((len(text) + wide) * _CHAR)
