"""Two runs compared, case by case: what broke, what is kept now, what is answered otherwise. Pure data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

from reports.answers import essence
from reports.model import LEVELS, CaseResult, Level, Results, Rule, Verdict
from reports.summary import BROKEN, LevelScore, plural, rule_outcomes, score_levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = Literal[
    "newly-broken", "newly-kept", "newly-undecided", "changed-verdict", "changed-answer", "new-case", "gone-case"
]
KINDS: Final[Mapping[Kind, str]] = {
    "newly-broken": "deviates now and did not before; or conformed, and its operation does not exist any more",
    "newly-kept": "conforms now and did not before",
    "newly-undecided": "was judged, and now is inconclusive, untestable, or unsupported",
    "changed-verdict": "broken both times, or not kept before either, with another verdict",
    "changed-answer": "the same verdict, and another answer",
    "new-case": "the older run did not have it, though it had the rule",
    "gone-case": "the newer run does not have it, though it has the rule",
}
TITLES: Final[Mapping[Kind, str]] = {
    "newly-broken": "Newly broken",
    "newly-kept": "Newly kept",
    "newly-undecided": "Newly undecided",
    "changed-verdict": "Another verdict",
    "changed-answer": "Another answer",
    "new-case": "New cases",
    "gone-case": "Gone cases",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A case of which the two runs do not say the same; one of `old` and `new` may be missing."""

    kind: Kind
    old: CaseResult | None
    new: CaseResult | None

    @property
    def case(self) -> CaseResult:
        """The case as the newer run has it, or else the older."""
        case = self.new or self.old
        if case is None:
            raise ValueError("a change without a case")
        return case

    @property
    def was(self) -> Verdict | None:
        """Its verdict in the older run."""
        return self.old.verdict if self.old else None

    @property
    def now(self) -> Verdict | None:
        """Its verdict in the newer run."""
        return self.new.verdict if self.new else None


def answer_of(case: CaseResult | None) -> str:
    """Tell what was answered, or else why there is no answer; empty where neither is told."""
    return (case.received or case.reason) if case else ""


@dataclass(frozen=True, slots=True)
class Alike:
    """Changes of one kind, level and pair of verdicts, with the same answer before and the same one after."""

    changes: tuple[Change, ...]

    @property
    def first(self) -> Change:
        """The one whose answers stand for all."""
        return self.changes[0]


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs."""

    old: Results
    new: Results
    fail_on: tuple[Level, ...]  # levels at which a regression fails the job
    changes: tuple[Change, ...]
    new_rules: tuple[Rule, ...]
    gone_rules: tuple[Rule, ...]

    @cached_property
    def regressions(self) -> tuple[Change, ...]:
        """What fails the job: newly broken at a level that decides, and not listed in the baseline."""
        return tuple(change for change in self.changes if is_regression(change) and change.case.level in self.fail_on)

    @cached_property
    def by_kind(self) -> dict[Kind, tuple[Alike, ...]]:
        """The changes of each kind there is, those that are alike together."""
        found: defaultdict[Kind, list[Change]] = defaultdict(list)
        for change in self.changes:
            found[change.kind].append(change)
        return {kind: alike(found[kind]) for kind in KINDS if kind in found}

    @cached_property
    def scores(self) -> tuple[tuple[Level, LevelScore | None, LevelScore | None], ...]:
        """Rules kept and broken of each level, before and after; None where a run has no rule of the level."""
        before, after = (
            {score.level: score for score in score_levels(rule_outcomes(results))} for results in (self.old, self.new)
        )
        return tuple(
            (level, before.get(level), after.get(level)) for level in LEVELS if level in before or level in after
        )

    @cached_property
    def new_rules_broken(self) -> tuple[Rule, ...]:
        """Those of the new rules that are broken."""
        return tuple(
            each.rule for each in rule_outcomes(self.new) if each.rule in self.new_rules and each.verdict in BROKEN
        )

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What to know before believing the comparison, a sentence each."""
        old, new = self.old.run, self.new.run
        said = []
        if old.target.name != new.target.name:
            said.append(f"The runs are of two targets: {old.target.name} and {new.target.name}.")
        if old.contract != new.contract:
            said.append("The contract has changed in between: some changes may be the suite's.")
        if not same_examples(self.old, self.new):
            said.append("Properties were tried with other examples: their answers are not compared.")
        if not self.old.complete:
            said.append("The older run was cut off: cases that it did not come to count as new.")
        if not self.new.complete:
            said.append("The newer run was cut off: cases that it did not come to count as gone.")
        return tuple(said)


def compare(old: Results, new: Results, fail_on: Sequence[Level] | None = None) -> Comparison:
    """Compare two runs; `fail_on` defaults to the levels that decided the newer one's exit status."""
    before = {case.id: case for case in old.cases}
    after = {case.id: case for case in new.cases}
    old_rules, new_rules = ({rule.id for rule in results.rules} for results in (old, new))
    both = old_rules & new_rules
    examples = same_examples(old, new)
    changes = []
    for case_id in dict.fromkeys((*after, *before)):
        was, now = before.get(case_id), after.get(case_id)
        kind = kind_of(was, now, same_examples=examples)
        change = Change(kind, was, now) if kind is not None else None
        if change is not None and ((was and now) or both.intersection(change.case.rules)):
            changes.append(change)
    return Comparison(
        old,
        new,
        new.run.fail_on if fail_on is None else tuple(fail_on),
        tuple(changes),
        tuple(rule for rule in new.rules if rule.id not in old_rules),
        tuple(rule for rule in old.rules if rule.id not in new_rules),
    )


def kind_of(old: CaseResult | None, new: CaseResult | None, *, same_examples: bool = True) -> Kind | None:
    """Tell what became of a case; None if nothing did.

    A flaky case counts as broken, as in every report: it deviated. A case that was inconclusive or untestable
    and now deviates is newly broken, so that nothing slips through over a bad night in between; one whose
    operation is new at the target is not, nor a property that was left out.
    """
    if old is None:
        return "new-case"
    if new is None:
        return "gone-case"
    comparable = same_examples or new.theme != "property"
    if old.verdict == new.verdict:
        return "changed-answer" if comparable and essence(old.received) != essence(new.received) else None
    tried_before = old.verdict != "unsupported" and (comparable or old.verdict != "untestable")
    return _another(old.verdict, new.verdict, tried_before=tried_before)


def _another(old: Verdict, new: Verdict, *, tried_before: bool) -> Kind:
    """Tell what it means that a case has another verdict."""
    if new == "conforms":
        return "newly-kept"
    if new in BROKEN:
        return "newly-broken" if tried_before and old not in BROKEN else "changed-verdict"
    if old == "conforms" and new == "unsupported":
        return "newly-broken"
    return "newly-undecided" if old in ("conforms", *BROKEN) else "changed-verdict"


def is_regression(change: Change) -> bool:
    """Say whether a change is one for the worse that nobody has listed in the newer run's baseline."""
    return change.kind == "newly-broken" and change.now != "known-deviation"


def same_examples(old: Results, new: Results) -> bool:
    """Say whether properties were tried with the same examples."""
    return (old.run.examples, old.run.seed) == (new.run.examples, new.run.seed)


def alike(changes: Iterable[Change]) -> tuple[Alike, ...]:
    """Put changes together that are alike: by level, the most frequent first."""
    groups: defaultdict[tuple[object, ...], list[Change]] = defaultdict(list)
    for change in changes:
        answers = tuple(case and essence(case.received) for case in (change.old, change.new))
        groups[change.case.level, change.was, change.now, answers].append(change)
    found = (Alike(tuple(group)) for group in groups.values())
    return tuple(sorted(found, key=lambda each: (LEVELS.index(each.first.case.level), -len(each.changes))))


def count_levels(groups: Iterable[Alike]) -> str:
    """Write how many cases that are, and of which levels."""
    levels = [change.case.level for group in groups for change in group.changes]
    parts = (f"{levels.count(level):,} {level}" for level in LEVELS if level in levels)
    return f"{plural(len(levels), 'case')}: {', '.join(parts)}"


def verdict_of(comparison: Comparison) -> str:
    """Say in one sentence what the job is to think of it."""
    levels = " and ".join(comparison.fail_on) or "no level"
    number = len(comparison.regressions)
    said = f"{plural(number, 'regression') if number else 'No regression'} at the levels that decide ({levels})."
    worse = [change for change in comparison.changes if change.kind == "newly-broken"]
    listed = sum(not is_regression(change) for change in worse)
    others = len(worse) - listed - number
    more = [f"{plural(listed, 'newly broken case')} that the baseline lists"] if listed else []
    more += [f"{plural(others, 'regression')} at other levels"] if others else []
    return f"{said} Besides, {' and '.join(more)}." if more else said


def by_operation(rules: Iterable[Rule]) -> list[tuple[str, list[Rule]]]:
    """Arrange rules by operation."""
    ordered = sorted(rules, key=lambda rule: rule.operation)
    return [(operation, list(group)) for operation, group in groupby(ordered, key=lambda rule: rule.operation)]
