"""Results and comparisons as Markdown, for the summary of a CI job: short, and harmless whatever is in them.

What an endpoint sent stands in code spans, which know neither markup nor HTML nor mentions. A fence that is
longer than any run of backticks inside cannot be closed from within, and no text holds a line break.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from reports.answers import essence
from reports.diff import KINDS, TITLES, Alike, Comparison, answer_of, count_levels, verdict_of
from reports.embedded import anchor
from reports.model import LEVELS, CaseResult, Level, Results
from reports.summary import plural, rule_outcomes, score_levels
from reports.text import clip, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_TEXT: Final = 200  # characters of a text that are shown
_GROUPS: Final = 25  # groups of deviations, or of changes of a kind
_LINKS: Final = 6  # rules or cases of a group
_BACKTICKS: Final = re.compile("`+")


def code(text: str, limit: int = _TEXT) -> str:
    """Write a text as a code span, cut to `limit` characters; an empty one as '(nothing)'."""
    kept, left_out = clip(text, limit)
    shown = visible(kept) + ("…" if left_out else "")
    if not shown.strip():
        return "(nothing)" if not shown else f"({plural(len(shown), 'blank')})"
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(shown)), default=0))
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def link(text: str, page: str, fragment: str = "") -> str:
    """Link a text to a page, or to the element of it whose id was made by `anchor`."""
    address = quote(page, safe="/:?#[]@!$&'*+,;=%~-._")
    return f"[{code(text)}]({address}{'#' + fragment if fragment else ''})"


def render_markdown(results: Results, page: str = "") -> str:
    """Render a run: totals of each level, and the deviations that decide, by answer.

    `page` is the address of the run's HTML page, which rules are linked to; without one they are not.
    """
    run = results.run
    scores = score_levels(rule_outcomes(results))
    lines = [f"## STS conformance of {code(run.target.name)}", ""]
    if not results.complete:
        lines += ["**The run was cut off.** What follows is what it had.", ""]
    lines += [*_facts(results, page), "", "| level | kept | broken | of them known | undecided | rules | decides |"]
    lines.append("|---|---:|---:|---:|---:|---:|---|")
    for score in scores:
        figures = (score.kept, score.broken, score.known, score.undecided, score.total)
        decides = "yes" if score.level in run.fail_on else "no"
        lines.append(f"| {score.level} | {' | '.join(f'{figure:,}' for figure in figures)} | {decides} |")
    if results.unsupported:
        names = _listed([code(name) for name in results.unsupported], 20)
        lines += ["", f"Operations that do not exist there: {names}."]
    return "\n".join((*lines, "", *_deviations(results, page))) + "\n"


def _facts(results: Results, page: str) -> Iterator[str]:
    run = results.run
    server = f" ({code(run.target.server)})" if run.target.server else ""
    cases, rules = plural(len(results.cases), "case"), plural(len(results.rules), "rule")
    yield f"{code(run.target.endpoint)}{server}, {code(run.started)}: {cases}, {rules}."
    if page:
        yield f"All of it: {link('report', page)}."


def _deviations(results: Results, page: str) -> Iterator[str]:
    groups = deviations_by_answer(results.cases, results.run.fail_on)
    number = sum(map(len, groups))
    if not groups:
        yield "### No deviation that decides"
        return
    yield f"### {plural(number, 'deviation')} that decide{'s' if number == 1 else ''}, by answer"
    yield ""
    for cases in groups[:_GROUPS]:
        first = cases[0]
        rules = list(dict.fromkeys(case.rules[0] for case in cases))
        yield f"- {plural(len(cases), 'case')} ({first.level}, {first.verdict}) answered {code(first.received)}"
        yield f"  - expected of the first: {code(first.expected)}"
        linked = (link(rule, page, anchor(rule)) if page else code(rule) for rule in rules)
        yield f"  - {plural(len(rules), 'rule')}: {_listed(list(linked), _LINKS)}"
    if len(groups) > _GROUPS:
        rest = groups[_GROUPS:]
        yield f"- and {plural(sum(map(len, rest)), 'more case')} with {plural(len(rest), 'other answer')}"


def deviations_by_answer(cases: Iterable[CaseResult], levels: Sequence[Level]) -> list[list[CaseResult]]:
    """Put the unlisted deviations at the levels named together by level, verdict and answer, most first."""
    groups: defaultdict[tuple[object, ...], list[CaseResult]] = defaultdict(list)
    for case in cases:
        if case.level in levels and case.verdict in ("deviates", "flaky"):
            groups[case.level, case.verdict, essence(case.received)].append(case)
    return sorted(groups.values(), key=lambda group: (LEVELS.index(group[0].level), -len(group)))


def render_diff_markdown(comparison: Comparison) -> str:
    """Render a comparison of two runs."""
    before, after = comparison.old.run, comparison.new.run
    lines = [
        "## STS conformance: what changed",
        "",
        " ".join((
            f"From {code(before.target.name)}, {code(before.started)},",
            f"to {code(after.target.name)}, {code(after.started)}.",
        )),
        "",
        f"**{verdict_of(comparison)}**",
        "",
        *(f"- {_sentence(remark)}" for remark in comparison.remarks),
        "",
        "| level | kept before | kept after | broken before | broken after |",
        "|---|---:|---:|---:|---:|",
    ]
    for level, old, new in comparison.scores:
        figures = [f"{score.kept:,} of {score.total:,}" if score else "-" for score in (old, new)]
        figures += [f"{score.broken:,}" if score else "-" for score in (old, new)]
        lines.append(f"| {level} | {' | '.join(figures)} |")
    for kind, groups in comparison.by_kind.items():
        lines += ["", f"### {TITLES[kind]}: {count_levels(groups)}", "", f"{KINDS[kind]}", ""]
        lines += [line for group in groups[:_GROUPS] for line in _alike(group)]
        if len(groups) > _GROUPS:
            rest = sum(len(group.changes) for group in groups[_GROUPS:])
            lines.append(f"- and {plural(rest, 'more case')} with other answers")
    for title, rules in (("New rules", comparison.new_rules), ("Gone rules", comparison.gone_rules)):
        if rules:
            lines += ["", f"### {title}: {len(rules):,}", "", _listed([code(rule.id) for rule in rules], _GROUPS)]
    return "\n".join(lines) + "\n"


def _alike(group: Alike) -> Iterator[str]:
    change = group.first
    verdicts = " → ".join(dict.fromkeys(str(each) for each in (change.was, change.now) if each))
    yield f"- {change.case.level}, {plural(len(group.changes), 'case')}, {verdicts}"
    for when, case in (("before", change.old), ("after", change.new)):
        if answer := answer_of(case):
            yield f"  - {when}: {code(answer)}"
    yield f"  - {_listed([code(each.case.id) for each in group.changes], _LINKS)}"


def _sentence(remark: str) -> str:
    """Put a remark, which may name targets, where nothing of it is markup."""
    return code(remark, 2 * _TEXT)


def _listed(parts: Sequence[str], most: int) -> str:
    more = f" and {len(parts) - most:,} more" if len(parts) > most else ""
    return ", ".join(parts[:most]) + more
