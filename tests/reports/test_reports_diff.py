"""Two runs compared: each change has its name, what differs in every run is none, and regressions are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from reports.answers import essence
from reports.compare import render_diff
from reports.diff import KINDS, Comparison, Kind, compare, verdict_of
from reports.diff_lines import diff_lines
from reports.model import LEVELS, CaseResult, Level, Results, Rule, Verdict
from reports.summary import BROKEN
from tests.reports.synthetic import HOSTILE, make_case, make_results, make_rule, make_run
from tests.reports.taken_apart import Page

RULE = "assume-role.duration-seconds.min"
CASE = f"{RULE}/899"
TWO_RUNS: dict[str, list[tuple[str, str, str]]] = json.loads(
    Path(__file__).with_name("two_runs.json").read_text(encoding="utf-8")
)


def results_of(*cases: CaseResult, rules: tuple[Rule, ...] = (make_rule(),), **changes: Any) -> Results:
    results = Results(run=make_run(), rules=rules, cases=cases, complete=True)
    return results.model_copy(update=changes)


def one(old: dict[str, Any], new: dict[str, Any], fail_on: tuple[Level, ...] | None = None) -> Comparison:
    return compare(results_of(make_case(CASE, **old)), results_of(make_case(CASE, **new)), fail_on)


def kind(comparison: Comparison) -> Kind | None:
    assert len(comparison.changes) <= 1
    return comparison.changes[0].kind if comparison.changes else None


# What a change of verdict means, and whether it fails the job. A pair that is not here is no change.
MEANS: dict[tuple[Verdict, Verdict], tuple[Kind, bool]] = {
    ("conforms", "deviates"): ("newly-broken", True),
    ("conforms", "flaky"): ("newly-broken", True),
    ("conforms", "known-deviation"): ("newly-broken", False),
    ("conforms", "unsupported"): ("newly-broken", True),
    ("conforms", "inconclusive"): ("newly-undecided", False),
    ("conforms", "untestable"): ("newly-undecided", False),
    ("inconclusive", "deviates"): ("newly-broken", True),
    ("untestable", "flaky"): ("newly-broken", True),
    ("untestable", "known-deviation"): ("newly-broken", False),
    ("unsupported", "deviates"): ("changed-verdict", False),
    ("known-deviation", "deviates"): ("changed-verdict", False),
    ("deviates", "known-deviation"): ("changed-verdict", False),
    ("flaky", "deviates"): ("changed-verdict", False),
    ("inconclusive", "unsupported"): ("changed-verdict", False),
    ("deviates", "unsupported"): ("newly-undecided", False),
    ("deviates", "inconclusive"): ("newly-undecided", False),
    ("deviates", "conforms"): ("newly-kept", False),
    ("flaky", "conforms"): ("newly-kept", False),
    ("known-deviation", "conforms"): ("newly-kept", False),
    ("untestable", "conforms"): ("newly-kept", False),
    ("unsupported", "conforms"): ("newly-kept", False),
}


@pytest.mark.parametrize(("verdicts", "meaning"), MEANS.items(), ids=lambda pair: " to ".join(map(str, pair)))
def test_a_change_of_verdict_has_its_meaning(
    verdicts: tuple[Verdict, Verdict], meaning: tuple[Kind, bool]
) -> None:
    comparison = one({"verdict": verdicts[0]}, {"verdict": verdicts[1]})
    assert (kind(comparison), bool(comparison.regressions)) == meaning


@pytest.mark.parametrize("verdict", ["conforms", *BROKEN, "inconclusive"])
def test_the_same_verdict_and_answer_are_no_change(verdict: Verdict) -> None:
    assert one({"verdict": verdict}, {"verdict": verdict, "reason": "told otherwise"}).changes == ()


def test_another_answer_is_told_and_no_regression() -> None:
    comparison = one({"received": "400 ValidationError"}, {"received": "400 InvalidParameterValue"})
    assert kind(comparison) == "changed-answer"
    assert not comparison.regressions


def test_the_levels_that_decided_the_newer_run_decide() -> None:
    broken = {"verdict": "deviates", "level": "exact"}
    assert not one({"level": "exact"}, broken).regressions
    assert one({"level": "exact"}, broken, ("exact",)).regressions
    assert not one({}, {"verdict": "deviates"}, ()).regressions


def test_new_and_gone_cases_are_those_of_rules_that_both_have() -> None:
    other = make_rule("other.rule")
    a, b = make_case(f"{RULE}/a"), make_case(f"{RULE}/b", verdict="deviates")
    c = make_case("other.rule/c", verdict="deviates")
    comparison = compare(results_of(a), results_of(b, c, rules=(make_rule(), other)))
    assert {change.kind: change.case.id for change in comparison.changes} == {
        "new-case": b.id,
        "gone-case": a.id,
    }
    assert comparison.new_rules == comparison.new_rules_broken == (other,)
    assert not comparison.regressions
    back = compare(results_of(b, c, rules=(make_rule(), other)), results_of(a))
    assert back.gone_rules == (other,)
    assert back.new_rules == ()


def test_properties_with_other_examples_are_not_held_against_each_other() -> None:
    cases = [make_case(CASE, theme="property", received=text, verdict="deviates") for text in ("one", "other")]
    old, new = (results_of(case, run=make_run(examples=30, seed=1)) for case in cases)
    assert kind(compare(old, new)) == "changed-answer"
    reseeded = new.model_copy(update={"run": make_run(examples=30, seed=2)})
    assert compare(old, reseeded).changes == ()
    assert "other examples" in " ".join(compare(old, reseeded).remarks)
    left_out = results_of(cases[0].model_copy(update={"verdict": "untestable"}), run=make_run(examples=0, seed=1))
    assert not compare(left_out, new).regressions


def test_what_the_reader_must_know_is_remarked() -> None:
    old = results_of(make_case(CASE), complete=False)
    new = results_of(make_case(CASE), complete=False)
    other = make_run(contract="another", target=make_run().target.model_copy(update={"name": "ministack"}))
    remarks = " ".join(compare(old, new.model_copy(update={"run": other})).remarks)
    for words in ("moto and ministack", "contract has changed", "older run was cut off", "newer run was cut off"):
        assert words in remarks
    assert compare(results_of(), results_of()).remarks == ()


# What differs from run to run.


@pytest.mark.parametrize("target", TWO_RUNS)
def test_two_runs_of_one_target_answer_the_same(target: str) -> None:
    """The file holds every answer of a whole run whose words were others in the next run."""
    assert len(TWO_RUNS[target]) > 10
    for case, first, second in TWO_RUNS[target]:
        assert first != second
        assert essence(first) == essence(second), case


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("400 ValidationError", "400 InvalidParameterValue"),
        ("400 ValidationError", "403 ValidationError"),
        ("Expiration is 3600 s after the request, not 900", "Expiration is 900 s after the request, not 900"),
        ("Expiration is '2026-11-22T17:38:02.328746Z'", "Expiration is '2026-11-22T17:38:02Z'"),
        ("Expiration is '2026-11-22T17:38:02Z'", "Expiration is '2026-11-22T17:38:02+00:00'"),
        ("AccessKeyId is 'AKIARTX3GSDS6HDH3K2Z'", "AccessKeyId is 'ASIARTX3GSDS6HDH3K2Z'"),
        ("UserId is 'nvpdol5zjxxtgopji09f'", "UserId is 'AKIAIOSFODNN7EXAMPLE'"),
        ("RequestId is '3c5f0f3e-0000-4000-8000-000000000000'", "RequestId is '3NciuvlEx5kp0IurjvjS7JMheMd6nLp2mf'"),
        ("Arn is 'arn:aws:iam::111122223333:user/a'", "Arn is 'arn:aws:iam::444455556666:user/a'"),
        ("user/sts-conformance-71a9c31b-user-78fd224d", "user/sts-conformance-71a9c31b-role-78fd224d"),
        ("holds UserId, Account, Arn in this order", "holds Arn, UserId, Account in this order"),
        ("DurationSeconds is 2147483647", "DurationSeconds is 2147483646"),
        ("http://localhost:3000/", "http://127.0.0.1:3000/"),
        ("1 validation error detected: a", "2 validation errors detected: a; b"),
        ("", "200 <AssumeRoleResponse>"),
    ],
)
def test_answers_that_differ_in_meaning_stay_apart(first: str, second: str) -> None:
    assert essence(first) != essence(second)


def test_the_order_of_violations_is_no_difference() -> None:
    said = "400 ValidationError: 2 validation errors detected: "
    assert essence(f"{said}one is short; another is long") == essence(f"{said}another is long; one is short")


# What is shown.


def changed(number: int = 400) -> Comparison:
    """Every kind of change, many of each."""
    old, new = make_results(number, seed=1), make_results(number, seed=2)
    cases = list(new.cases[number // 10 :])
    cases[-5:] = [case.model_copy(update={"received": "another answer"}) for case in cases[-5:]]
    added = [make_case(f"{cases[0].rules[0]}/added-{count}") for count in range(3)]
    rules = (*new.rules[1:], make_rule("brand.new"))
    kept = [case for case in (*cases, *added) if case.rules[0] in {rule.id for rule in rules}]
    return compare(old, new.model_copy(update={"cases": tuple(kept), "rules": rules}))


def test_the_made_up_comparison_has_every_kind() -> None:
    comparison = changed()
    assert set(comparison.by_kind) == set(KINDS)
    assert comparison.new_rules
    assert comparison.gone_rules


def test_the_groups_hold_every_change_once() -> None:
    comparison = changed()
    grouped = [change for groups in comparison.by_kind.values() for group in groups for change in group.changes]
    assert sorted(change.case.id for change in grouped) == sorted(change.case.id for change in comparison.changes)
    for groups in comparison.by_kind.values():
        places = [LEVELS.index(group.first.case.level) for group in groups]
        assert places == sorted(places)


def test_the_terminal_tells_before_and_after() -> None:
    old, new = {"received": "400 ValidationError"}, {"verdict": "deviates", "received": "200 <AssumeRoleResponse>"}
    lines = diff_lines(one(old, new))
    assert "Newly broken, 1 case: 1 must" in lines
    assert "  must, 1 case: deviates, was conforms" in lines
    assert "    before  400 ValidationError" in lines
    assert "    after   200 <AssumeRoleResponse>" in lines
    assert f"      {CASE}" in lines
    assert "must    0 of 1 rules kept (before: 1 of 1), 1 broken (before: 0)" in lines
    assert lines[-1] == "1 regression at the levels that decide (must and should)."


def test_what_is_newly_broken_and_no_regression_is_told_beside_them() -> None:
    rules = tuple(make_rule(f"rule-{number}", level=level) for number, level in enumerate(("must", "exact", "must")))
    verdicts: tuple[Verdict, ...] = ("known-deviation", "deviates", "deviates")
    before = [make_case(f"{rule.id}/x", level=rule.level) for rule in rules]
    after = [case.model_copy(update={"verdict": verdict}) for case, verdict in zip(before, verdicts, strict=True)]
    comparison = compare(results_of(*before, rules=rules), results_of(*after, rules=rules))
    assert verdict_of(comparison) == (
        "1 regression at the levels that decide (must and should). "
        "Besides, 1 newly broken case that the baseline lists and 1 regression at other levels."
    )


def test_a_level_that_only_one_run_has_is_told() -> None:
    exact = results_of(make_case(CASE, level="exact"), rules=(make_rule(level="exact"),))
    lines = diff_lines(compare(results_of(make_case(CASE)), exact))
    assert "must    1 of 1 rules kept before, none in the other run" in lines
    assert "exact   1 of 1 rules kept after, none in the other run" in lines


def hostile(text: str) -> Comparison:
    rule = make_rule(text[:200], statement=text, operation=text)
    before = make_case(f"{rule.id}/{rule.id}", rules=(rule.id,), received="fine", operation=text)
    after = before.model_copy(update={"verdict": "deviates", "received": text, "expected": text, "reproduce": text})
    target = make_run().target.model_copy(update={"name": text, "endpoint": text, "server": text})
    run = make_run(target=target, started=text, suite_version=text, contract=text, command=text)
    gone, came = (make_rule(f"{name}{rule.id}", statement=text, operation=text) for name in ("gone", "came"))
    return compare(
        results_of(before, rules=(rule, gone)),
        results_of(after, rules=(rule, came), run=run),
    )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_does_nothing_to_a_terminal(text: str) -> None:
    for line in diff_lines(hostile(text)):
        assert line.isprintable()
        assert len(line.encode()) < 8000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_does_nothing_to_the_page(text: str) -> None:
    html = render_diff(hostile(text))
    Page(html).check()
    assert html.encode()
    assert len(html) < 100_000


def test_the_page_is_sound_and_tells_every_change() -> None:
    comparison = changed()
    page = Page(render_diff(comparison))
    page.check()
    for found in comparison.by_kind:
        assert found in page.ids
    assert page.text.count("→") > 0
    for change in comparison.by_kind["newly-broken"][0].changes[:40]:
        assert change.case.id in page.text
