"""results.json as one HTML page that needs nothing else: no script, no font, no image, no network."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.edges import not_looked_for
from reports.model import LEVELS, VERDICTS, CaseResult, Exchange, KillRow, Level, Results, Verdict
from reports.summary import (
    BROKEN,
    LEVEL_MEANINGS,
    RuleOutcome,
    count_cases,
    count_followed,
    count_kills,
    operation_order,
    plural,
    properties_words,
    rule_outcomes,
    score_levels,
)
from reports.text import clip, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

TEXT_LIMIT: Final = 1500  # characters of a body, a head or a command that the page shows
_ALIKE = 3  # exchanges of a rule that are shown though the answers are alike
_LINE_LIMIT: Final = 600  # the same for what a case says in words
_BETWEEN_WORDS: Final = re.compile("(?<=[a-z])(?=[A-Z])")
MEANINGS: Final[Mapping[Verdict, str]] = {
    "conforms": "the answer is one that AWS or its documents back",
    "deviates": "it is one that nothing backs",
    "known-deviation": "the same, and the target's baseline lists that with a reason",
    "flaky": "deviated once, conformed when sent again",
    "inconclusive": "the control failed, the endpoint broke down, or the fault is the suite's",
    "unsupported": "the operation does not exist at the target",
    "untestable": "what the case needs is not to be had here",
}


@dataclass(frozen=True, slots=True)
class Section:
    """The rules of one operation at one level."""

    operation: str
    level: Level
    outcomes: tuple[RuleOutcome, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """Cases that neither conform nor deviate for one and the same reason."""

    verdict: Verdict
    reason: str
    cases: int


def write_page(results: Results, path: str | PathLike[str]) -> None:
    """Write the page; its folder is made where it is missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render_page(results), encoding="utf-8")


def render_page(results: Results) -> str:
    """Render the page."""
    outcomes = rule_outcomes(results)
    grouped = sections(outcomes)
    counts = count_cases(results.cases)
    return _environment().get_template("index.html.j2").render(
        results=results,
        run=results.run,
        scores=score_levels(outcomes),
        counts=counts,
        totals={level: sum(rows.values(), Counter()) for level, rows in counts.items()},
        broken=[(verdict, found) for verdict in BROKEN
                if (found := [each for each in outcomes if each.verdict == verdict])],
        silences=silences(results.cases),
        followed=count_followed(results.cases),
        properties=properties_words(results),
        edges=[edge for edge in results.edges if not edge.reason],
        not_looked_for=not_looked_for(results.edges),
        kills=kill_rows(results),
        kill_count=count_kills(results.kill_table),
        sections=grouped,
        linked={(each.operation, each.level) for each in grouped},
        known_rules={rule.id for rule in results.rules},
        homes={case.id: home_of(case) for case in results.cases},
        shown=shown_exchanges(results.cases),
        levels=LEVELS, verdicts=VERDICTS, meanings=MEANINGS, level_meanings=LEVEL_MEANINGS,
    )  # fmt: skip


def sections(outcomes: Iterable[RuleOutcome]) -> list[Section]:
    """Arrange rules by operation, then by level."""

    def key(outcome: RuleOutcome) -> tuple[tuple[bool, str], int]:
        return operation_order(outcome.rule.operation), LEVELS.index(outcome.rule.level)

    groups = (tuple(group) for _, group in groupby(sorted(outcomes, key=key), key))
    return [Section(group[0].rule.operation, group[0].rule.level, group) for group in groups]


def silences(cases: Iterable[CaseResult]) -> list[Silence]:
    """Count the cases without a say by verdict and reason, the most frequent first."""
    silent: Sequence[Verdict] = ("inconclusive", "unsupported", "untestable")
    counts = Counter((case.verdict, case.reason) for case in cases if case.verdict in silent)
    found = [Silence(verdict, reason, number) for (verdict, reason), number in counts.items()]
    return sorted(found, key=lambda each: (silent.index(each.verdict), -each.cases))


def kill_rows(results: Results) -> list[KillRow]:
    """Arrange the kill table: survivors first, then as the rules stand, what is not of this run last."""
    place = {rule.id: number for number, rule in enumerate(results.rules)}
    return sorted(results.kill_table, key=lambda row: (bool(row.killed_by), place.get(row.rule, len(place))))


def home_of(case: CaseResult) -> str:
    """Tell under which rule the page shows a case in full: the one of its id, or else its first."""
    owner = case.id.partition("/")[0]
    return owner if owner in case.rules else case.rules[0]


def shown_exchanges(cases: Iterable[CaseResult]) -> dict[str, str]:
    """Choose the exchanges to show: case id -> id of the case beside which its exchange stands.

    A case that does not conform shows its own, up to three of a rule that were answered alike; of those that
    conform the first of a rule does. What is the same as another one of the same rule stands there only once.
    """
    shown: dict[str, str] = {}
    first: dict[tuple[str, Exchange | None, str], str] = {}
    alike: Counter[tuple[str, str]] = Counter()
    for case in cases:
        if not (case.exchange or case.reproduce):
            continue
        home, conforms = home_of(case), case.verdict == "conforms"
        key, kind = (home, case.exchange, case.reproduce), (home, "" if conforms else case.received)
        if key not in first:
            if alike[kind] == (1 if conforms else _ALIKE):
                continue
            alike[kind] += 1
        shown[case.id] = first.setdefault(key, case.id)
    return shown


def anchor(text: str) -> str:
    """Make an id usable as an element's id, in a link, and inside an attribute."""
    return quote(text, safe="/.:=,@+", errors="backslashreplace")


def show(text: str) -> Markup:
    """Escape a text for the page, with whatever would not show as itself made visible and marked."""
    marked = visible(str(escape(text)), lines=True, marks=("<i>", "</i>"))
    return Markup(marked.replace("</i><i>", ""))  # noqa: S704 - escaped above


def show_name(text: str) -> Markup:
    """Show an operation's name, with leave to break the line between its words."""
    return Markup(_BETWEEN_WORDS.sub("<wbr>", show(text)))  # noqa: S704 - escaped by show


def show_line(text: str, limit: int = _LINE_LIMIT) -> Markup:
    """Show a text, cut to `limit` characters with a note of how many are left out."""
    kept, left_out = clip(text, limit)
    note = Markup("<em>… {:,} more characters in results.json</em>").format(left_out) if left_out else ""
    return show(kept) + note


def show_block(text: str) -> Markup:
    """Show a longer text."""
    return show_line(text, TEXT_LIMIT)


def headers_text(headers: Iterable[tuple[str, str]]) -> str:
    """Headers, one a line."""
    return "".join(f"\n{name}: {value}" for name, value in headers)


def _harmless(value: object) -> object:
    """Make visible what the template prints without a filter."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        anchor=anchor,
        name=show_name,
        line=show_line,
        block=show_block,
        headers_text=headers_text,
        plural=plural,
    )
    return environment
