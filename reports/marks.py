"""Text for the page, cut, made visible, and with marks of its own that the page turns into elements.

The marks are control characters: what an endpoint sent holds none any more once it is made visible. So one
and the same text goes into the HTML (`to_html`) and, as JSON, to the script of the page, which makes the same
elements of the same marks.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from markupsafe import Markup, escape

from reports.text import clip, visible

ESCAPED: Final = ("\x01", "\x02")  # what stands for a character that does not show as itself
NOTE: Final = ("\x03", "\x04")  # our own words inside a text of somebody else
DIFFERENT: Final = ("\x05", "\x06")  # where expected and received part
_TAGS: Final = str.maketrans(
    {ESCAPED[0]: "<i>", ESCAPED[1]: "</i>", NOTE[0]: "<em>", NOTE[1]: "</em>"}
    | {DIFFERENT[0]: "<mark>", DIFFERENT[1]: "</mark>"}
)
_BETWEEN: Final = "; "  # what expected and received put between their clauses


def mark(text: str, limit: int | None = None) -> str:
    """Make a text visible; cut to `limit` characters with a note of how many are left out."""
    return _join([(text, False)], limit)


def mark_difference(expected: str, received: str, limit: int) -> tuple[str, str]:
    """Mark in both texts the clauses in which they part; each is cut to `limit` characters.

    Of an answer in one clause (`200 <AssumeRoleResponse>`), that and the first clause of what was expected are
    marked. Further clauses each name something that is not as it was to be (`header x is 'y'`); of what was
    expected, those are marked whose first word such a clause names.
    """
    promised, (head, *complaints) = expected.split(_BETWEEN), received.split(_BETWEEN)
    named = {word for complaint in complaints for word in complaint.split()}
    broken = [(clause.split() or [""])[0] in named for clause in promised[1:]] if complaints else []
    return (
        _join(_clauses(promised, [not complaints, *broken]), limit),
        _join(_clauses([head, *complaints], [not complaints, *(True for _ in complaints)]), limit),
    )


def to_html(marked: str) -> Markup:
    """Turn a marked text into HTML."""
    return Markup(str(escape(marked)).translate(_TAGS))  # noqa: S704 - escaped, and the marks are ours


def _clauses(clauses: list[str], different: list[bool]) -> list[tuple[str, bool]]:
    """Pair each clause with whether it is different, and put what stands between them back."""
    paired: list[tuple[str, bool]] = []
    for number, clause in enumerate(clauses):
        if number:
            paired.append((_BETWEEN, False))
        paired.append((clause, number < len(different) and different[number]))
    return paired


def _join(parts: list[tuple[str, bool]], limit: int | None) -> str:
    """Join parts of a text, marked or not; the limit holds for them together."""
    ends = list(accumulate(len(text) for text, _ in parts))
    whole = ends[-1]
    joined = ""
    for (text, different), end in zip(parts, ends, strict=True):
        kept = text if limit is None else clip(text, max(0, limit - (end - len(text))))[0]
        shown = visible(kept, lines=True, marks=ESCAPED).replace(ESCAPED[1] + ESCAPED[0], "")
        joined += f"{DIFFERENT[0]}{shown}{DIFFERENT[1]}" if different and shown else shown
    if limit is not None and whole > limit:
        joined += f"{NOTE[0]}… {whole - limit:,} more characters in results.json{NOTE[1]}"
    return joined
