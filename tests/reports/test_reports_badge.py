"""The badge counts honestly, is sound XML, and can be read, seen or not."""

from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from reports.badge import AMBER, GREEN, GREY, RED, make_badge, render_badge
from reports.model import Results, Verdict
from tests.reports.colours import contrast
from tests.reports.synthetic import HOSTILE, make_case, make_results, make_rule, make_run
from tests.reports.test_reports_matrix import everywhere

SVG = "{http://www.w3.org/2000/svg}"


def results_of(*verdicts: Verdict, complete: bool = True) -> Results:
    """A rule with one case each."""
    rules = tuple(make_rule(f"rule-{number}") for number in range(len(verdicts)))
    cases = tuple(
        make_case(f"{rule.id}/x", verdict=verdict) for rule, verdict in zip(rules, verdicts, strict=True)
    )
    return Results(run=make_run(), rules=rules, cases=cases, complete=complete)


@pytest.mark.parametrize(
    ("results", "figure", "colour"),
    [
        (results_of("conforms", "conforms"), "2 of 2 must", GREEN),
        (results_of("conforms", "deviates"), "1 of 2 must", RED),
        (results_of("conforms", "flaky"), "1 of 2 must", RED),
        (results_of("conforms", "known-deviation"), "1 of 2 must", AMBER),
        (results_of("deviates", "known-deviation"), "0 of 2 must", RED),
        (results_of("conforms", "unsupported"), "1 of 2 must", AMBER),
        (results_of("inconclusive"), "0 of 1 must", AMBER),
        (results_of("conforms", complete=False), "1 of 1 must, cut off", GREY),
        (results_of("deviates", complete=False), "1 of 1 must, cut off".replace("1", "0", 1), GREY),
        (results_of(), "no must rules", GREY),
    ],
)
def test_what_it_says(results: Results, figure: str, colour: str) -> None:
    badge = make_badge(results)
    assert (badge.figure, badge.colour) == (figure, colour)


def test_another_level_can_be_counted() -> None:
    assert make_badge(results_of("conforms"), "exact").figure == "no exact rules"


def test_it_has_a_text_for_those_who_do_not_see_it() -> None:
    root = fromstring(render_badge(results_of("conforms", "known-deviation")))
    told = "STS conformance of moto: 1 of 2 rules of level must kept, 1 broken (1 known)"
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == told
    assert [text.text for text in root.iter(f"{SVG}text")] == ["STS conformance", "1 of 2 must"]


@pytest.mark.parametrize("colour", [GREEN, AMBER, RED, GREY, "#3d444d"])
def test_it_can_be_read(colour: str) -> None:
    assert contrast("#ffffff", colour) >= 4.5


def test_the_text_fits_the_ground() -> None:
    root = fromstring(render_badge(make_results(4000)))
    grounds = [float(each.get("width", "0")) for each in root.iter(f"{SVG}rect")][1:]
    texts = [float(each.get("textLength", "0")) for each in root.iter(f"{SVG}text")]
    assert all(0 < text <= ground - 8 for text, ground in zip(texts, grounds, strict=True))
    assert sum(grounds) == float(root.get("width", "0"))


def shape(svg: str) -> list[tuple[str, list[str]]]:
    root: Any = fromstring(svg)
    return [(each.tag, sorted(each.keys())) for each in root.iter()]


@pytest.mark.parametrize("text", [*HOSTILE, "]]>", "--><svg onload=alert(1)>", "&amp;<!DOCTYPE x>"], ids=range(14))
def test_hostile_names_do_nothing(text: str) -> None:
    svg = render_badge(everywhere(text))
    assert shape(svg) == shape(render_badge(results_of("deviates")))
    assert svg.replace("\n", "").isprintable()
    assert len(svg.encode()) < 4000


def test_nothing_is_fetched_or_run() -> None:
    svg = render_badge(results_of("conforms"))
    assert "script" not in svg
    assert "href" not in svg
    assert svg.count("://") == 1  # the name of SVG's namespace
