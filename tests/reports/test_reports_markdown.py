"""Markdown for the summary of a CI job: short, right, and harmless whatever an endpoint sent."""

import re
from typing import Any

import pytest

from reports.embedded import anchor
from reports.markdown import code, deviations_by_answer, link, render_diff_markdown, render_markdown
from reports.model import Results, Verdict
from tests.reports.synthetic import HOSTILE, make_case, make_results, make_rule, make_run
from tests.reports.test_reports_diff import changed, hostile
from tests.reports.test_reports_matrix import everywhere

RULE = "assume-role.duration-seconds.min"
EVIL = (
    *HOSTILE,
    "`",
    "``` ends the fence",
    "`a` ``b`` ```c```",
    "| a | b |",
    "a\n\n# heading\n- item",
    "[text](http://evil.test)",
    "![image](http://evil.test/x.png)",
    "@everyone #1 https://evil.test www.evil.test",
    "<details open><summary>x</summary>",
    "&lt;script&gt; &#x202e;",
    "\\`",
    " ",
    "   ",
    "`" * 300,
)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
OURS = re.compile(r"[\w .,:;*#()/+\-→]*", re.ASCII)


def spans(line: str) -> list[str]:
    """What a line of Markdown holds in code spans, as CommonMark finds them."""
    return [match[2] for match in SPAN.finditer(line)]


def around(line: str) -> str:
    """What it holds around them, links to our page put aside."""
    bare = SPAN.sub("", line)
    return re.sub(r"\[(?:\(\d+ blanks?\))?\]\((?:[^()\s]*)\)", "", bare)


def check(text: str) -> None:
    assert text.encode()
    assert text.isascii() or text.replace("\n", "").isprintable()
    for line in text.splitlines():
        if not line.startswith("|"):
            assert OURS.fullmatch(around(line)), line[:300]
        else:
            assert re.fullmatch(r"[\w |:,-]+", line, re.ASCII), line


def results_of(*verdicts: Verdict, **changes: Any) -> Results:
    cases = tuple(make_case(f"{RULE}/{number}", verdict=verdict) for number, verdict in enumerate(verdicts))
    return Results(run=make_run(), rules=(make_rule(),), cases=cases, complete=True).model_copy(update=changes)


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_a_code_span_cannot_be_left(text: str) -> None:
    span = code(text)
    assert "\n" not in span
    assert around(f"- {span} - {code('after')}") in {"-  - ", f"- ({len(text)} blanks) - ", "- (1 blank) - "}
    assert len(span) < 4000


def test_a_code_span_holds_what_was_sent() -> None:
    assert code("a | b <i>") == "`a | b <i>`"
    assert code("a `b` c") == "``a `b` c``"
    assert code("`b`") == "`` `b` ``"
    assert code("") == "(nothing)"
    assert code("abcd", 3) == "`abc…`"


def test_a_link_leads_to_the_element() -> None:
    assert link(RULE, "https://ci.test/report/index.html", anchor(RULE)) == (
        f"[`{RULE}`](https://ci.test/report/index.html#{RULE})"
    )
    assert link("a", "x y(<z>)\n", anchor("a b)")) == "[`a`](x%20y%28%3Cz%3E%29%0A#a%20b%29)"


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_hostile_text_does_nothing(text: str) -> None:
    check(render_markdown(everywhere(text), "index.html"))
    check(render_diff_markdown(hostile(text)))


@pytest.mark.parametrize("number", [0, 60, 10_000])
def test_the_summary_fits_a_ci_job(number: int) -> None:
    long = make_results(number, deviating=0.6)
    cases = tuple(
        case.model_copy(update={"received": f"answer {place} " + "é" * 3000}) for place, case in enumerate(long.cases)
    )
    text = render_markdown(long.model_copy(update={"cases": cases}), "https://ci.test/" + "p" * 200)
    check(text)
    assert len(text.encode()) < 100_000
    check(render_diff_markdown(changed(400)))
    assert len(render_diff_markdown(changed(4000)).encode()) < 200_000


def test_levels_are_told_apart() -> None:
    text = render_markdown(results_of("conforms"))
    assert "| must | 1 | 0 | 0 | 0 | 1 | yes |" in text
    assert "### No deviation that decides" in text
    assert "| must | 0 | 1 | 1 | 0 | 1 | yes |" in render_markdown(results_of("known-deviation"))


def test_the_deviations_that_decide_stand_by_their_answer() -> None:
    cases = [
        make_case(f"{RULE}/a", verdict="deviates", received="200"),
        make_case(f"{RULE}/b", verdict="deviates", received="500"),
        make_case(f"{RULE}/c", verdict="deviates", received="500"),
        make_case(f"{RULE}/d", verdict="flaky", received="500"),
        make_case(f"{RULE}/e", verdict="known-deviation", received="500"),
        make_case(f"{RULE}/f", verdict="deviates", received="500", level="exact"),
    ]
    groups = deviations_by_answer(cases, ("must", "should"))
    assert [[case.id.partition("/")[2] for case in group] for group in groups] == [["b", "c"], ["a"], ["d"]]
    text = render_markdown(results_of().model_copy(update={"cases": tuple(cases)}), "index.html")
    assert "### 4 deviations that decide, by answer" in text
    assert "- 2 cases (must, deviates) answered `500`" in text
    assert f"  - 1 rule: [`{RULE}`](index.html#{RULE})" in text


def test_a_run_that_was_cut_off_says_so() -> None:
    assert "cut off" in render_markdown(results_of("conforms", complete=False))
    assert "cut off" not in render_markdown(results_of("conforms"))


def test_a_comparison_begins_with_what_it_comes_to() -> None:
    text = render_diff_markdown(changed())
    begins = r"^\*\*\d+ regressions at the levels that decide \(must and should\)\. .+\*\*$"
    assert re.search(begins, text, re.MULTILINE)
    for title in ("Newly broken", "Newly kept", "Another answer", "New rules", "Gone rules"):
        assert f"\n### {title}: " in text
