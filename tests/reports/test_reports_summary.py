"""Counting is honest, and the terminal's table can be read."""

import itertools

import pytest

from reports.model import VERDICTS, GoneDeviation, Results, Verdict
from reports.summary import (
    count_cases,
    count_followed,
    count_kills,
    judge_rule,
    render_table,
    rule_outcomes,
    score_levels,
)
from tests.reports.synthetic import HOSTILE, make_case, make_edge, make_results, make_row, make_rule, make_run

RULE = "assume-role.duration-seconds.min"


def results_of(*verdicts: Verdict, **changes: object) -> Results:
    cases = tuple(make_case(f"{RULE}/{number}", verdict=verdict) for number, verdict in enumerate(verdicts))
    results = Results(run=make_run(), rules=(make_rule(),), cases=cases, complete=True)
    return results.model_copy(update=changes)


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ((), None),
        (("conforms", "conforms"), "conforms"),
        (("conforms", "deviates", "known-deviation", "flaky"), "deviates"),
        (("known-deviation", "flaky"), "flaky"),
        (("known-deviation", "inconclusive", "conforms"), "known-deviation"),
        (("conforms", "inconclusive"), "inconclusive"),
        (("conforms", "untestable"), "conforms"),
        (("conforms", "unsupported"), "conforms"),
        (("untestable", "unsupported"), "unsupported"),
        (("untestable",), "untestable"),
    ],
)
def test_a_rule_is_as_good_as_its_worst_case(verdicts: tuple[Verdict, ...], verdict: Verdict | None) -> None:
    assert judge_rule(verdicts) == verdict
    assert judge_rule(reversed(verdicts)) == verdict


@pytest.mark.parametrize(("one", "other"), list(itertools.product(VERDICTS, VERDICTS)))
def test_what_was_not_tested_never_hides_a_deviation(one: Verdict, other: Verdict) -> None:
    broken = {"deviates", "known-deviation", "flaky"}
    assert (judge_rule((one, other)) in broken) == bool({one, other} & broken)


def test_silent_cases_are_remarked() -> None:
    (outcome,) = rule_outcomes(results_of("conforms", "untestable", "untestable", "unsupported"))
    assert outcome.verdict == "conforms"
    assert outcome.remark == "of 4 cases, 1 unsupported and 2 untestable"
    (outcome,) = rule_outcomes(results_of("untestable", "untestable"))
    assert outcome.remark == ""


def test_a_case_counts_for_each_of_its_rules_once() -> None:
    rules = (make_rule("a.b"), make_rule("c.d"), make_rule("e.f"))
    case = make_case("a.b/1", rules=("a.b", "c.d", "a.b"), verdict="deviates")
    outcomes = rule_outcomes(Results(run=make_run(), rules=rules, cases=(case,)))
    assert [(each.rule.id, each.verdict, len(each.cases)) for each in outcomes] == [
        ("a.b", "deviates", 1),
        ("c.d", "deviates", 1),
        ("e.f", None, 0),
    ]


def test_levels_are_scored_apart_and_every_rule_counts() -> None:
    results = make_results(2500)
    scores = score_levels(rule_outcomes(results))
    assert [score.level for score in scores] == ["must", "should", "exact"]
    for score in scores:
        assert score.total == sum(rule.level == score.level for rule in results.rules)
        assert min(score.kept, score.broken, score.known, score.undecided) > 0
        assert score.known < score.broken


@pytest.mark.parametrize(
    ("verdict", "kept", "broken", "known", "undecided"),
    [
        ("conforms", 1, 0, 0, 0),
        ("deviates", 0, 1, 0, 0),
        ("flaky", 0, 1, 0, 0),
        ("known-deviation", 0, 1, 1, 0),
        ("inconclusive", 0, 0, 0, 1),
        ("unsupported", 0, 0, 0, 1),
        ("untestable", 0, 0, 0, 1),
        (None, 0, 0, 0, 1),
    ],
)
def test_only_what_conforms_is_kept(
    verdict: Verdict | None, kept: int, broken: int, known: int, undecided: int
) -> None:
    results = results_of(verdict) if verdict else results_of()
    (score,) = score_levels(rule_outcomes(results))
    assert (score.kept, score.broken, score.known, score.undecided) == (kept, broken, known, undecided)


def test_cases_are_counted_by_level_operation_and_verdict() -> None:
    cases = [
        make_case("a/1", operation="common"),
        make_case("a/2", operation="GetSessionToken", verdict="deviates"),
        make_case("a/3", operation="AssumeRole", level="exact"),
        make_case("a/4", operation="GetSessionToken", verdict="deviates"),
    ]
    counts = count_cases(cases)
    assert list(counts["must"]) == ["GetSessionToken", "common"]
    assert counts["must"]["GetSessionToken"] == {"deviates": 2}
    assert counts["exact"] == {"AssumeRole": {"conforms": 1}}
    assert counts["should"] == {}


def test_whom_the_target_follows_is_counted_by_set() -> None:
    cases = [
        make_case("a/1", follows=("observed", "modelled")),
        make_case("a/2", follows=("modelled", "observed")),
        make_case("a/3", follows=("documented",)),
        make_case("a/4"),
    ]
    assert count_followed(cases) == [(("modelled", "observed"), 2), (("documented",), 1)]


def test_the_table_holds_every_figure() -> None:
    results = make_results(2500)
    table = render_table(results)
    counts = count_cases(results.cases)
    rows = [line.split() for line in table.splitlines()]
    for operations in counts.values():
        for operation, row in operations.items():
            assert [operation, *(str(row[verdict] or "·") for verdict in VERDICTS)] in rows
        totals = [sum(row[verdict] for row in operations.values()) for verdict in VERDICTS]
        assert ["all", *(str(total or "·") for total in totals)] in rows
    assert "%" not in table


def test_the_table_reads_so() -> None:
    results = results_of(
        "conforms",
        "deviates",
        "untestable",
        unsupported=("AssumeRoot", "GetWebIdentityToken"),
        gone=(GoneDeviation(id="common.x", reason="was so"),),
    )
    assert render_table(results).splitlines() == [
        "STS conformance of moto at http://127.0.0.1:5000",
        "3 cases, 1 rule",
        "",
        "must: accepted or refused, status, error code, response shape (decides the exit status)",
        "cases                       conforms  deviates  known  flaky  inconclusive  unsupported  untestable",
        "AssumeRole                         1         1      ·      ·             ·            ·           1",
        "all                                1         1      ·      ·             ·            ·           1",
        "",
        "must         0 of 1 rules kept, 1 broken",
        "",
        "Operations that do not exist here: AssumeRoot, GetWebIdentityToken",
        "Listed in the baseline and gone, 1 to take off:",
        "  common.x",
    ]


def test_words_of_the_table_are_explained_where_they_occur() -> None:
    table = render_table(results_of("known-deviation"))
    assert "(1 known)" in table
    assert "known: deviates as" in table
    assert "undecided" not in table
    assert "undecided: inconclusive" in render_table(results_of("inconclusive"))
    follows = results_of().model_copy(update={"cases": (make_case(follows=("observed",)),)})
    assert "the target follows: observed in 1 case\n" in render_table(follows) + "\n"


def test_the_table_says_which_levels_decide() -> None:
    results = results_of("conforms", run=make_run(fail_on=("exact",)))
    assert "response shape (does not decide the exit status)" in render_table(results)


def test_a_run_cut_off_says_so() -> None:
    assert "cut off" in render_table(results_of(complete=False))
    assert "cut off" not in render_table(results_of())


def test_many_gone_deviations_are_cut_with_a_note() -> None:
    gone = tuple(GoneDeviation(id=f"rule.{number}", reason="") for number in range(25))
    table = render_table(results_of(gone=gone))
    assert "rule.19" in table
    assert "rule.20" not in table
    assert table.endswith("and 5 more")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_table_is_narrow_and_harmless_whatever_the_names(text: str) -> None:
    run = make_run()
    target = run.target.model_copy(update={"name": text, "endpoint": text})
    cases = (make_case(operation=text, verdict="deviates"),)
    results = Results(
        run=run.model_copy(update={"target": target}),
        rules=(make_rule(),),
        cases=cases,
        unsupported=(text,),
        gone=(GoneDeviation(id=text, reason=text),),
        edges=(
            make_edge(operation=text, member=text, found=text[:5000]),
            make_edge(reason=text[:5000], documented=10**9, requests=10**6),
        ),
    )
    for line in render_table(results).splitlines():
        assert line.isprintable()
        assert len(line) <= 100
        line.encode("utf-8")


def test_the_table_of_a_large_run_is_narrow() -> None:
    assert max(map(len, render_table(make_results(2500)).splitlines())) <= 100


def test_edges_are_a_table_of_their_own() -> None:
    edges = (
        make_edge(),
        make_edge(trait="max", documented=43200, found="none up to 2,147,483,647", requests=18),
        make_edge(operation="GetFederationToken", member="Name", trait="max-length", documented=32,
                  found="none up to 270,336 (at 540,672: no answer within 20 s)", requests=16),
        make_edge(reason="AssumeRoot does not exist at this target"),
        make_edge(reason="AssumeRoot does not exist at this target"),
    )  # fmt: skip
    table = render_table(results_of("conforms", edges=edges))
    assert table.split("\n\n")[-1].splitlines() == [
        "Observed edges: where the target draws the line (none up to: no line as far as that)",
        "                                     bound      documented  observed                       requests",
        "AssumeRole",
        "  DurationSeconds                    min               900  1                                    15",
        "  DurationSeconds                    max            43,200  none up to 2,147,483,647             18",
        "GetFederationToken",
        "  Name                               max-length         32  none up to 270,336 (at               16",
        "                                                            540,672: no answer within 20",
        "                                                            s)",
        "Not looked for, 2 bounds: AssumeRoot does not exist at this target",
    ]
    assert "Observed edges" not in render_table(results_of("conforms"))


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        (30, "Properties: up to 30 examples each, Hypothesis seed 7"),
        (1, "Properties: up to 1 example each, Hypothesis seed 7"),
        (0, "Properties: left out"),
    ],
)
def test_examples_and_seed_of_properties_are_told(examples: int, words: str) -> None:
    run, cases = make_run(examples=examples, seed=7), (make_case(theme="property"),)
    assert words in render_table(Results(run=run, rules=(make_rule(),), cases=cases)).splitlines()
    assert "Properties" not in render_table(results_of("conforms", run=run))


def test_the_kill_table_is_counted() -> None:
    rows = [make_row("a.b/1"), make_row("a.b/2", killed_by=""), make_row("c.d/1")]
    count = count_kills(rows)
    assert (count.rules, count.defects, count.killed, count.survived) == (2, 3, 2, 1)
