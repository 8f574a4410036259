"""What the verdicts add up to: counts, the verdict of a rule, the table for the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Final

from reports.edges import edge_lines
from reports.model import LEVELS, VERDICTS, Authority, CaseResult, KillRow, Level, Results, Rule, Verdict
from reports.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COMMON: Final = "common"
LEVEL_MEANINGS: Final[Mapping[Level, str]] = {
    "must": "accepted or refused, status, error code, response shape",
    "should": "documented detail that few clients depend on",
    "exact": "AWS as observed: message text, element order, headers",
}
BROKEN: Final[tuple[Verdict, ...]] = ("deviates", "flaky", "known-deviation")

# The first of these that any case has is the verdict of the rule. A deviation that nobody listed comes
# before a listed one, lest it hide behind it. `inconclusive` comes before `conforms`: that case was to count
# and did not. `unsupported` and `untestable` come after: they say what is not there, not what is wrong.
_WORST_FIRST: Final[tuple[Verdict, ...]] = (
    "deviates",
    "flaky",
    "known-deviation",
    "inconclusive",
    "conforms",
    "unsupported",
    "untestable",
)
_WIDTH: Final = 100
_NAME_WIDTH: Final = 26
_GONE_SHOWN: Final = 20
_HEADINGS: Final[tuple[str, ...]] = tuple("known" if v == "known-deviation" else v for v in VERDICTS)


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """A rule, the cases that cover it, and what follows from them."""

    rule: Rule
    cases: tuple[CaseResult, ...]
    verdict: Verdict | None  # None: no case of it ran

    @property
    def remark(self) -> str:
        """Say which of its cases could not speak though the rule as a whole is judged."""
        counts = Counter(case.verdict for case in self.cases)
        silent = [
            f"{counts[verdict]} {verdict}"
            for verdict in ("inconclusive", "unsupported", "untestable")
            if counts[verdict] and verdict != self.verdict
        ]
        return f"of {plural(len(self.cases), 'case')}, {' and '.join(silent)}" if silent else ""


@dataclass(frozen=True, slots=True)
class LevelScore:
    """The rules of one level, counted by what became of them."""

    level: Level
    kept: int
    broken: int
    known: int  # of the broken ones, those that only deviate as the baseline says
    undecided: int  # neither kept nor broken: inconclusive, unsupported, untestable, not run

    @property
    def total(self) -> int:
        """All rules of the level."""
        return self.kept + self.broken + self.undecided


def count_cases(cases: Iterable[CaseResult]) -> dict[Level, dict[str, Counter[Verdict]]]:
    """Count cases by level, operation and verdict; operations by name, 'common' last."""
    counts: dict[Level, defaultdict[str, Counter[Verdict]]] = {
        level: defaultdict(Counter) for level in LEVELS
    }
    for case in cases:
        counts[case.level][case.operation][case.verdict] += 1
    return {
        level: {operation: rows[operation] for operation in sorted(rows, key=operation_order)}
        for level, rows in counts.items()
    }


def operation_order(operation: str) -> tuple[bool, str]:
    """Sort key of operations: by name, 'common' last."""
    return operation == COMMON, operation


def judge_rule(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Tell a rule's verdict from those of its cases; None where there are none."""
    present = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in present), None)


def rule_outcomes(results: Results) -> tuple[RuleOutcome, ...]:
    """Judge every rule of the run, in the order of the results."""
    covering: defaultdict[str, list[CaseResult]] = defaultdict(list)
    for case in results.cases:
        for rule_id in dict.fromkeys(case.rules):
            covering[rule_id].append(case)
    return tuple(
        RuleOutcome(rule, tuple(covering[rule.id]), judge_rule(case.verdict for case in covering[rule.id]))
        for rule in results.rules
    )


def score_levels(outcomes: Sequence[RuleOutcome]) -> tuple[LevelScore, ...]:
    """Count rules kept and broken, each level apart; levels without rules are left out."""
    scores = []
    for level in LEVELS:
        verdicts = Counter(outcome.verdict for outcome in outcomes if outcome.rule.level == level)
        kept, broken = verdicts["conforms"], sum(verdicts[verdict] for verdict in BROKEN)
        rest = verdicts.total() - kept - broken
        scores.append(LevelScore(level, kept, broken, verdicts["known-deviation"], rest))
    return tuple(score for score in scores if score.total)


def plural(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def count_followed(cases: Iterable[CaseResult]) -> list[tuple[tuple[Authority, ...], int]]:
    """Count whom the target follows where the authorities differ, the most frequent first."""
    return Counter(tuple(sorted(case.follows)) for case in cases if case.follows).most_common()


@dataclass(frozen=True, slots=True)
class KillCount:
    """The defects of a kill table, counted by what became of them."""

    rules: int  # that have a defect
    defects: int
    killed: int

    @property
    def survived(self) -> int:
        """Those that no case of their rule noticed."""
        return self.defects - self.killed


def count_kills(rows: Sequence[KillRow]) -> KillCount:
    """Count the rows of a kill table."""
    return KillCount(len({row.rule for row in rows}), len(rows), sum(bool(row.killed_by) for row in rows))


def render_table(results: Results) -> str:
    """Render the summary for the end of a run in a terminal, at most 100 columns wide."""
    outcomes = rule_outcomes(results)
    blocks = [_title(results)]
    for level, rows in count_cases(results.cases).items():
        if rows:
            blocks.append(_level_table(level, rows, decides=level in results.run.fail_on))
    blocks.append(_rule_lines(score_levels(outcomes)))
    blocks.append(_notes(results))
    blocks.append(edge_lines(results.edges))
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _title(results: Results) -> list[str]:
    target = results.run.target
    title = f"STS conformance of {visible(target.name)} at {visible(target.endpoint)}"
    lines = [_fit(title), f"{plural(len(results.cases), 'case')}, {plural(len(results.rules), 'rule')}"]
    if words := properties_words(results):
        lines.append(f"Properties: {words}")
    if not results.complete:
        lines.append("The run was cut off: this is what it had.")
    return lines


def properties_words(results: Results) -> str:
    """Tell how properties were tried; '' where none was."""
    run = results.run
    if run.examples is None or not any(case.theme == "property" for case in results.cases):
        return ""
    if run.examples == 0:
        return "left out"
    return f"up to {plural(run.examples, 'example')} each, Hypothesis seed {run.seed}"


def _level_table(level: Level, rows: Mapping[str, Counter[Verdict]], *, decides: bool) -> list[str]:
    weight = "decides the exit status" if decides else "does not decide the exit status"
    total: Counter[Verdict] = sum(rows.values(), Counter())
    return [
        f"{level}: {LEVEL_MEANINGS[level]} ({weight})",
        _row("cases", _HEADINGS),
        *(_row(operation, _figures(counts)) for operation, counts in rows.items()),
        _row("all", _figures(total)),
    ]


def _figures(counts: Counter[Verdict]) -> list[str]:
    return [f"{counts[verdict]:,}" if counts[verdict] else "·" for verdict in VERDICTS]


def _row(name: str, figures: Sequence[str]) -> str:
    cells = (f"{figure:>{len(heading) + 2}}" for figure, heading in zip(figures, _HEADINGS, strict=True))
    return f"{_fit(visible(name), _NAME_WIDTH):<{_NAME_WIDTH}}" + "".join(cells)


def _rule_lines(scores: Sequence[LevelScore]) -> list[str]:
    lines = []
    for score in scores:
        known = f" ({score.known:,} known)" if score.known else ""
        undecided = f", {score.undecided:,} undecided" if score.undecided else ""
        kept = f"{score.level:<8}{score.kept:>6,} of {score.total:,} rules kept"
        lines.append(f"{kept}, {score.broken:,} broken{known}{undecided}")
    if any(score.known for score in scores):
        lines.append("known: deviates as the target's baseline says, with a reason")
    if any(score.undecided for score in scores):
        lines.append("undecided: inconclusive, or nothing there to be tested")
    return lines


def _notes(results: Results) -> list[str]:
    lines = []
    if results.unsupported:
        lines.append(
            _wrap("Operations that do not exist here", (_fit(visible(name)) for name in results.unsupported))
        )
    if followed := count_followed(results.cases):
        parts = (f"{' and '.join(names)} in {plural(count, 'case')}" for names, count in followed)
        lines.append(_wrap("Where the authorities differ, the target follows", parts))
    if results.gone:
        lines.append(f"Listed in the baseline and gone, {len(results.gone):,} to take off:")
        lines.extend(_fit(f"  {visible(gone.id)}") for gone in results.gone[:_GONE_SHOWN])
    if len(results.gone) > _GONE_SHOWN:
        lines.append(f"  and {len(results.gone) - _GONE_SHOWN:,} more")
    return lines


def _wrap(title: str, parts: Iterable[str]) -> str:
    return fill(f"{title}: {', '.join(parts)}", _WIDTH, subsequent_indent="  ")


def _fit(text: str, width: int = _WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
