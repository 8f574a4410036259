"""Baselines: read with care, and updated without losing what people wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from generators import everything
from reports.model import CaseResult, Verdict
from specs.contract import load
from specs.loader import SpecError
from suites.baseline import Baseline, read_baseline, update_baseline

if TYPE_CHECKING:
    from pathlib import Path

CASES = {case.id: case for case in everything.cases()}
RULES = load().rules
LOW, ZERO = "assume-role.duration-seconds.min/899", "assume-role.duration-seconds.min/0"
HIGH = "assume-role.duration-seconds.max/43201"
RULE = "assume-role.duration-seconds.min"
GOOD = f"""\
target: stub
known-deviations:
- reason: why not
  cases:
  - {LOW}
- {{reason: all of it, rules: [{RULE}]}}
"""


def result(case_id: str, verdict: Verdict) -> CaseResult:
    case = CASES[case_id]
    return CaseResult(
        id=case_id, rules=case.rules, operation=case.operation, theme=case.theme, level=case.level.value,
        verdict=verdict, expected="x", received="200 <AssumeRoleResponse>; and more",
    )  # fmt: skip


def written(path: Path, text: str) -> Baseline:
    path.write_text(text, encoding="utf-8")
    return read_baseline(path, CASES, RULES)


def test_a_case_is_listed_by_itself_or_by_its_rule(tmp_path: Path) -> None:
    baseline = written(tmp_path / "b.yaml", GOOD)
    assert baseline.reason(LOW) == "why not"
    assert baseline.reason(ZERO) == "all of it"
    assert baseline.reason(HIGH) == ""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "target"),
        ("target: stub\nknown-deviations: {\n", 3, "not YAML"),
        ("target: stub\nknown-deviations: 7\n", 2, "found 7, expected a list"),
        ("known-deviations: []\n", 1, "'target'"),
        (GOOD.replace("reason: why not", "raeson: why not"), 3, "'known-deviations.0.raeson', expected 'reason'"),
        (GOOD.replace("reason: why not", "reason: ''"), 3, "'known-deviations.0.reason'"),
        (GOOD.replace("cases:", "case:"), 4, "'known-deviations.0.case', expected 'cases'"),
        ("target: stub\nknown-deviations:\n- {reason: x}\n", 3, "name rules or cases"),
        (GOOD.replace("min/899", "min/898"), 5, "found the case id 'assume-role.duration-seconds.min/898'"),
        (GOOD.replace(f"[{RULE}]", "[assume-role.nothing]"), 6, "found the rule id 'assume-role.nothing'"),
        (GOOD.replace(f"rules: [{RULE}]", f"rules: [{LOW}]"), 5, f"found the rule id '{LOW}'"),
        (GOOD.replace("- assume-role", "- 7 #"), 5, "'known-deviations.0.cases.0'"),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "b.yaml"
    with pytest.raises(SpecError) as caught:
        written(path, text)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message
    assert "\n" not in message


def test_a_rule_id_twice_names_the_line_where_it_stands_again(tmp_path: Path) -> None:
    """The first line that holds the id is that of a case of the rule."""
    text = (
        f"target: stub\nknown-deviations:\n- {{reason: x, cases: [{RULE}/899]}}\n- reason: y\n  rules:\n"
        f"  - {RULE}\n  - {RULE}\n"
    )
    with pytest.raises(SpecError, match=rf"b\.yaml:7: found the rule id '{RULE}' again"):
        written(tmp_path / "b.yaml", text)


@pytest.mark.parametrize(
    ("verdicts", "gone"),
    [
        ({}, set()),
        ({LOW: "known-deviation"}, set()),
        ({LOW: "conforms", ZERO: "known-deviation"}, {LOW}),
        ({LOW: "conforms", ZERO: "conforms"}, {LOW, RULE}),
        ({LOW: "flaky"}, set()),
        ({LOW: "inconclusive", ZERO: "untestable"}, set()),
        ({LOW: "unsupported"}, set()),
    ],
)
def test_what_is_gone_was_looked_for_and_not_seen(
    tmp_path: Path, verdicts: dict[str, Verdict], gone: set[str]
) -> None:
    baseline = written(tmp_path / "b.yaml", GOOD)
    assert baseline.gone(result(*pair) for pair in verdicts.items()).keys() == gone


def test_an_update_keeps_drops_and_adds(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    baseline = written(path, GOOD.partition("- {")[0] + f"- {{reason: not run, cases: [{ZERO}]}}\n")
    update_baseline(baseline, path, "other", [result(LOW, "conforms"), result(HIGH, "deviates")])
    again = read_baseline(path, CASES, RULES)
    assert again.cases == {ZERO: "not run", HIGH: "answers 200 <AssumeRoleResponse>"}
    assert again.target == "stub"


def test_an_update_of_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    baseline = written(path, GOOD)
    update_baseline(baseline, path, "other", [result(LOW, "known-deviation"), result(ZERO, "known-deviation")])
    first = path.read_bytes()
    update_baseline(read_baseline(path, CASES, RULES), path, "other", [])
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_an_update_takes_what_decides_only(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    exact = next(case.id for case in CASES.values() if case.level.value == "exact")
    verdicts: dict[str, Verdict] = {exact: "deviates", LOW: "flaky", ZERO: "inconclusive", HIGH: "deviates"}
    update_baseline(Baseline(), path, "new", [result(*pair) for pair in verdicts.items()])
    assert read_baseline(path, CASES, RULES).cases.keys() == {HIGH}


def test_a_reason_with_odd_characters_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    reason = 'it\'s: "known" - #7 \u2028 €, - {x}'
    update_baseline(Baseline(cases={LOW: reason}), path, "new", [])
    assert read_baseline(path, CASES, RULES).cases == {LOW: reason}
