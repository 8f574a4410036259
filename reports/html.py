"""results.json as one HTML page that needs nothing else: no font, no image, no network, one script of its own.

Without scripts the page shows what there is to say of the run and of each rule; with them, it filters, searches,
and shows each case when it is asked for (see `reports.embedded`).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from reports.edges import not_looked_for
from reports.embedded import LINE_LIMIT, NOT_RUN, anchor, embed, facet_values
from reports.marks import mark, mark_difference, to_html
from reports.model import LEVELS, VERDICTS, CaseResult, KillRow, Level, Results, Verdict
from reports.summary import (
    BROKEN,
    LEVEL_MEANINGS,
    RuleOutcome,
    count_followed,
    count_kills,
    judge_rule,
    operation_order,
    plural,
    properties_words,
    rule_outcomes,
    score_levels,
)
from reports.templating import TEMPLATES, environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from jinja2 import Environment

_NAME_LIMIT: Final = 60  # characters of the name of an operation, a member or a theme
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
    """The rules of one operation and one theme at one level: what one cell of the map stands for."""

    operation: str
    level: Level
    theme: str
    outcomes: tuple[RuleOutcome, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict of its rules; None where none of them ran."""
        return judge_rule(outcome.verdict for outcome in self.outcomes if outcome.verdict)

    @property
    def broken(self) -> int:
        """How many of its rules are broken."""
        return sum(outcome.verdict in BROKEN for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Map:
    """The sections of one level, by operation and theme; all maps of a page have the same themes."""

    level: Level
    themes: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Section]]  # operation -> theme -> section


@dataclass(frozen=True, slots=True)
class Cause:
    """Deviations that have one cause, as far as that can be told: one answer, or one reason in the baseline."""

    words: str
    rules: tuple[tuple[RuleOutcome, int], ...]  # with how many of their cases


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
    grouped = sections(rule_outcomes(results))
    outcomes = [outcome for section in grouped for outcome in section.outcomes]
    return _environment().get_template("index.html.j2").render(
        results=results,
        run=results.run,
        scores=score_levels(outcomes),
        maps=maps(grouped),
        causes=[(verdict, found) for verdict in BROKEN if (found := causes(outcomes, verdict))],
        silences=silences(results.cases),
        followed=count_followed(results.cases),
        properties=properties_words(results),
        edges=[edge for edge in results.edges if not edge.reason],
        not_looked_for=not_looked_for(results.edges),
        kills=kill_rows(results),
        kill_count=count_kills(results.kill_table),
        sections=grouped,
        places={outcome.rule.id: place for place, outcome in enumerate(outcomes)},
        case_ids={case.id for case in results.cases},
        facets=facet_values(outcomes),
        embedded=embed(outcomes),
        style=_asset("palette.css") + _asset("style.css"), script=_asset("page.js"),
        levels=LEVELS, verdicts=VERDICTS, meanings=MEANINGS, level_meanings=LEVEL_MEANINGS, not_run=NOT_RUN,
        broken=BROKEN,
    )  # fmt: skip


def sections(outcomes: Iterable[RuleOutcome]) -> list[Section]:
    """Arrange rules by operation, then by level, then by theme."""

    def key(outcome: RuleOutcome) -> tuple[tuple[bool, str], int, str]:
        return operation_order(outcome.rule.operation), LEVELS.index(outcome.rule.level), outcome.rule.theme

    groups = (tuple(group) for _, group in groupby(sorted(outcomes, key=key), key))
    return [Section((rule := group[0].rule).operation, rule.level, rule.theme, group) for group in groups]


def maps(found: Iterable[Section]) -> list[Map]:
    """Arrange sections as one map a level; levels without rules are left out."""
    levels: dict[Level, defaultdict[str, dict[str, Section]]] = {level: defaultdict(dict) for level in LEVELS}
    themes = set()
    for section in found:
        levels[section.level][section.operation][section.theme] = section
        themes.add(section.theme)
    return [Map(level, tuple(sorted(themes)), rows) for level, rows in levels.items() if rows]


def causes(outcomes: Iterable[RuleOutcome], verdict: Verdict) -> list[Cause]:
    """Group the cases of one verdict by their cause; the gravest level first, then the most rules."""
    found: defaultdict[str, list[tuple[RuleOutcome, int]]] = defaultdict(list)
    for outcome in outcomes:
        for words, number in Counter(_cause(case) for case in outcome.cases if case.verdict == verdict).items():
            found[words].append((outcome, number))

    def weight(cause: Cause) -> tuple[int, int]:
        return min(LEVELS.index(outcome.rule.level) for outcome, _ in cause.rules), -len(cause.rules)

    return sorted((Cause(words, _by_level(rules)) for words, rules in found.items()), key=weight)


def _cause(case: CaseResult) -> str:
    """Tell why a case deviates: as the baseline says, or else by the answer that it got."""
    known = case.reason if case.verdict == "known-deviation" else ""
    return known or case.received or "nothing was received"


def _by_level(rules: Iterable[tuple[RuleOutcome, int]]) -> tuple[tuple[RuleOutcome, int], ...]:
    return tuple(sorted(rules, key=lambda each: LEVELS.index(each[0].rule.level)))


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


def show_line(text: str, limit: int | None = LINE_LIMIT) -> Markup:
    """Show a text, cut to `limit` characters with a note of how many are left out."""
    return to_html(mark(text, limit))


def show_name(text: str, limit: int = _NAME_LIMIT) -> Markup:
    """Show a name such as AssumeRoot, with leave to break the line between its words."""
    return Markup(_BETWEEN_WORDS.sub("<wbr>", show_line(text, limit)))  # noqa: S704 - escaped by show_line


def show_difference(case: CaseResult) -> tuple[Markup, Markup]:
    """Show what a case expected and what it received, with the difference marked."""
    expected, received = mark_difference(case.expected, case.received, LINE_LIMIT)
    return to_html(expected), to_html(received)


def source_hash(text: str) -> str:
    """Tell the source by which a content security policy allows the script or the style with that text."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name: str) -> Markup:
    """Read a script or a style of the page."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


@cache
def _environment() -> Environment:
    return environment(
        anchor=anchor,
        name=show_name,
        line=show_line,
        html=to_html,
        difference=show_difference,
        source_hash=source_hash,
        plural=plural,
    )
