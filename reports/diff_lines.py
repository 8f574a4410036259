"""A comparison of two runs for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reports.diff import KINDS, TITLES, Alike, Comparison, answer_of, by_operation, count_levels, verdict_of
from reports.summary import LevelScore, plural
from reports.text import clip, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reports.model import Results, Rule

_TEXT: Final = 300  # characters of an answer that are shown
_GROUPS: Final = 30  # groups of a kind that are shown
_IDS: Final = 8  # cases of a group that are shown
_RULES: Final = 20  # new or gone rules that are shown


def diff_lines(comparison: Comparison) -> list[str]:
    """Render the comparison; nothing of it can control a terminal."""
    lines = [
        "STS conformance, two runs compared",
        f"before  {_run(comparison.old)}",
        f"after   {_run(comparison.new)}",
        *(_shown(remark) for remark in comparison.remarks),
        "",
        *(f"{level:<8}{score_words(old, new)}" for level, old, new in comparison.scores),
    ]
    for kind, groups in comparison.by_kind.items():
        lines += ["", f"{TITLES[kind]}, {count_levels(groups)}", f"({KINDS[kind]})"]
        for group in groups[:_GROUPS]:
            lines += _group(group)
        if len(groups) > _GROUPS:
            rest = sum(len(group.changes) for group in groups[_GROUPS:])
            lines.append(f"  and {plural(rest, 'more case')} with other answers")
    for title, rules in (("New rules", comparison.new_rules), ("Gone rules", comparison.gone_rules)):
        lines += _rules(title, rules, comparison.new_rules_broken if title == "New rules" else ())
    return [*lines, "", verdict_of(comparison)]


def score_words(old: LevelScore | None, new: LevelScore | None) -> str:
    """Say how many rules of a level are kept and broken, and how many were."""
    if new is None or old is None:
        score, when = (old, "before") if new is None else (new, "after")
        if score is None:
            return "no rules"
        return f"{score.kept:,} of {score.total:,} rules kept {when}, none in the other run"
    kept = f"{new.kept:,} of {new.total:,} rules kept (before: {old.kept:,} of {old.total:,})"
    return f"{kept}, {new.broken:,} broken (before: {old.broken:,})"


def _run(results: Results) -> str:
    run = results.run
    server = f" ({_shown(run.target.server)})" if run.target.server else ""
    place, when = _shown(run.target.endpoint), _shown(run.started)
    return f"{_shown(run.target.name)}{server} at {place}, {when}, {plural(len(results.cases), 'case')}"


def _group(group: Alike) -> Iterator[str]:
    change = group.first
    verdicts = ", was ".join(dict.fromkeys(each for each in (change.now, change.was) if each))
    yield f"  {change.case.level}, {plural(len(group.changes), 'case')}: {verdicts}"
    for when, case in (("before", change.old), ("after ", change.new)):
        if answer := answer_of(case):
            yield f"    {when}  {_shown(answer)}"
    yield from (f"      {_shown(each.case.id)}" for each in group.changes[:_IDS])
    if len(group.changes) > _IDS:
        yield f"      and {len(group.changes) - _IDS:,} more"


def _shown(text: str) -> str:
    kept, left_out = clip(text, _TEXT)
    return visible(kept) + (f" … {left_out:,} more characters" if left_out else "")


def _rules(title: str, rules: Sequence[Rule], broken: Sequence[Rule]) -> Iterator[str]:
    if not rules:
        return
    yield ""
    yield f"{title}, {len(rules):,}" + (f", {len(broken):,} of them broken" if broken else "")
    for rule in [rule for _, group in by_operation(rules) for rule in group][:_RULES]:
        yield f"  {_shown(rule.id)} ({rule.level}){' broken' if rule in broken else ''}"
    if len(rules) > _RULES:
        yield f"  and {len(rules) - _RULES:,} more"
