"""Many runs side by side: what each target makes of each rule. Pure data."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import TYPE_CHECKING, Final

from reports.answers import essence
from reports.model import LEVELS, Results, Rule, Verdict
from reports.summary import BROKEN, LevelScore, RuleOutcome, operation_order, rule_outcomes, score_levels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.model import CaseResult, Run


@dataclass(frozen=True, slots=True)
class Column:
    """A run, and what to call it so that no other has the same name."""

    label: str
    results: Results
    scores: tuple[LevelScore, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Cases of a rule that a target answered alike, with the same verdict."""

    verdict: Verdict
    cases: tuple[CaseResult, ...]

    @property
    def first(self) -> CaseResult:
        """The one whose answer stands for all."""
        return self.cases[0]

    @property
    def likeness(self) -> tuple[object, ...]:
        """What it has in common with the same answer of another target."""
        return self.verdict, essence(self.first.received), self.first.reason, tuple(case.id for case in self.cases)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a target makes of a rule."""

    number: int  # of the target's column, from 1
    present: bool  # False: the run does not have the rule
    verdict: Verdict | None  # None: no case of it ran
    cases: int
    agreeing: int  # cases with just this verdict
    answers: tuple[Answer, ...]  # of the cases that do not conform

    @property
    def broken(self) -> bool:
        """Whether the target breaks the rule."""
        return self.verdict in BROKEN


@dataclass(frozen=True, slots=True)
class Instead:
    """What some targets, all alike, answer instead of what a rule promises."""

    columns: tuple[int, ...]  # numbers of their columns, from 1
    answers: tuple[Answer, ...]  # of the first of them


@dataclass(frozen=True, slots=True)
class Row:
    """A rule, and what each target makes of it."""

    rule: Rule
    cells: tuple[Cell, ...]

    @property
    def instead(self) -> tuple[Instead, ...]:
        """What is answered by those that do not keep it in every case; targets that answer alike together."""
        alike: defaultdict[tuple[object, ...], list[Cell]] = defaultdict(list)
        for cell in self.cells:
            if cell.answers:
                alike[tuple(answer.likeness for answer in cell.answers)].append(cell)
        return tuple(Instead(tuple(cell.number for cell in cells), cells[0].answers) for cells in alike.values())

    @property
    def kept_by_all(self) -> bool:
        """Whether every target keeps it in every case."""
        return all(cell.verdict == "conforms" and not cell.answers for cell in self.cells)

    @property
    def same(self) -> bool:
        """Whether every target has the same verdict, or does not have the rule."""
        return len({cell.verdict for cell in self.cells if cell.present}) == 1


@dataclass(frozen=True, slots=True)
class Operation:
    """The rules of an operation: those that all keep, and the others."""

    name: str
    differing: tuple[Row, ...]
    kept: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Runs against rules."""

    columns: tuple[Column, ...]
    operations: tuple[Operation, ...]
    one_contract: bool  # False: the runs are of different versions of the contract

    @property
    def rows(self) -> int:
        """How many rules there are."""
        return sum(len(each.differing) + len(each.kept) for each in self.operations)

    @property
    def kept_by_all(self) -> int:
        """How many of them every target keeps."""
        return sum(len(each.kept) for each in self.operations)


_DIFFERENCES: Final[tuple[Callable[[Run], str], ...]] = (
    lambda run: run.target.server,
    lambda run: f"suite {run.suite_version}",
    lambda run: run.started[:10],  # the day
    lambda run: run.started[:16].replace("T", " "),  # the minute
    lambda run: run.started,
    lambda run: run.target.endpoint,
)


def make_matrix(runs: Sequence[Results]) -> Matrix:
    """Put runs side by side, in their order; a rule stands as the first run has it that has it."""
    outcomes = [{outcome.rule.id: outcome for outcome in rule_outcomes(results)} for results in runs]
    rules = {rule.id: rule for results in reversed(runs) for rule in results.rules}
    rows = [Row(rule, _cells(rule, outcomes)) for rule in _ordered(rules.values())]
    columns = (
        Column(label, results, score_levels(tuple(each.values())))
        for label, results, each in zip(labels([each.run for each in runs]), runs, outcomes, strict=True)
    )
    operations = []
    for name, group in groupby(rows, key=lambda row: row.rule.operation):
        of_it = tuple(group)
        differing, kept = (tuple(row for row in of_it if row.kept_by_all is wanted) for wanted in (False, True))
        operations.append(Operation(name, differing, kept))
    return Matrix(tuple(columns), tuple(operations), len({results.run.contract for results in runs}) == 1)


def labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """Name runs by their targets; those of one name by what tells them apart as well: server, version, date."""
    names = [run.target.name for run in runs]
    for name in [name for name, number in Counter(names).items() if number > 1]:
        alike = [place for place, each in enumerate(names) if each == name]
        for place, more in zip(alike, _differences([runs[place] for place in alike]), strict=True):
            names[place] = f"{name} ({more})"
    if len(set(names)) < len(names):  # somebody has called a target what another one is called here
        return tuple(f"{number}: {name}" for number, name in enumerate(names, 1))
    return tuple(names)


def _differences(runs: Sequence[Run]) -> list[str]:
    """Tell for each run what no other one has: as few facts as will do, or else its number."""
    told = [[tell(run) or "server unknown" for tell in _DIFFERENCES] for run in runs]
    for number in range(1, len(_DIFFERENCES) + 1):
        for chosen in combinations(range(len(_DIFFERENCES)), number):
            found = [", ".join(facts[fact] for fact in chosen) for facts in told]
            if len(set(found)) == len(found):
                return found
    return [str(number) for number in range(1, len(runs) + 1)]


def _ordered(rules: Iterable[Rule]) -> list[Rule]:
    """Arrange rules by operation, level and id."""
    return sorted(rules, key=lambda rule: (operation_order(rule.operation), LEVELS.index(rule.level), rule.id))


def _cells(rule: Rule, outcomes: Sequence[Mapping[str, RuleOutcome]]) -> tuple[Cell, ...]:
    return tuple(_cell(number, each.get(rule.id)) for number, each in enumerate(outcomes, 1))


def _cell(number: int, outcome: RuleOutcome | None) -> Cell:
    if outcome is None:
        return Cell(number, present=False, verdict=None, cases=0, agreeing=0, answers=())
    alike: defaultdict[tuple[Verdict, str, str], list[CaseResult]] = defaultdict(list)
    for case in outcome.cases:
        if case.verdict != "conforms":
            alike[case.verdict, essence(case.received), case.reason if not case.received else ""].append(case)
    answers = (Answer(verdict, tuple(cases)) for (verdict, _, _), cases in alike.items())
    ordered = sorted(answers, key=lambda answer: -len(answer.cases))
    return Cell(
        number,
        present=True,
        verdict=outcome.verdict,
        cases=len(outcome.cases),
        agreeing=sum(case.verdict == outcome.verdict for case in outcome.cases),
        answers=tuple(ordered),
    )
