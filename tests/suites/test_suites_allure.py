"""Allure's results of a run say what results.json says: verdicts, labels, links; the same case is the same test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reports.embedded import anchor
from suites.allure_labels import _description
from tests.reports.synthetic import HOSTILE, make_case
from tests.servers import Ran, Stub, run

if TYPE_CHECKING:
    from pathlib import Path

SELECTED = "assume-role.duration-seconds or assume-root.duration or get-session-token.serial or access-key-info"
LISTED = "get-session-token.serial-number.max-length"
REASON = "the stub takes every serial number"
STATUS = {
    "conforms": {"passed"},
    "deviates": {"failed", "skipped"},
    "known-deviation": {"skipped"},
    "unsupported": {"skipped"},
    "untestable": {"skipped"},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Ran], list[dict[str, dict[str, Any]]]]:
    """Two runs with other hash seeds, and Allure's results of each by the name of the case."""
    folder = tmp_path_factory.mktemp("allure")
    listed = {"target": "the stub", "known-deviations": [{"reason": REASON, "rules": [LISTED]}]}
    (folder / "baseline.yaml").write_text(yaml.safe_dump(listed), encoding="utf-8")
    more = (
        "-q", "-k", SELECTED, f"--baseline={folder / 'baseline.yaml'}",
        "--allure-link-pattern=report:https://ci.test/index.html#{}",
    )  # fmt: skip
    with Stub() as stub:
        runs = [
            run(folder / seed, f"--target={stub.url}", f"--alluredir={folder / seed / 'allure'}", *more,
                environment={"PYTHONHASHSEED": seed})
            for seed in ("1", "2")
        ]  # fmt: skip
    return runs, [results_of(each.report / "allure") for each in runs]


def results_of(folder: Path) -> dict[str, dict[str, Any]]:
    told = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*-result.json")]
    assert len({each["name"] for each in told}) == len(told)
    return {each["name"]: each for each in told}


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [each["value"] for each in result["labels"] if each["name"] == name]


Both = tuple[list[Ran], list[dict[str, dict[str, Any]]]]


def test_every_case_is_there_with_its_verdict(ran: Both) -> None:
    cases, told = ran[0][0].cases, ran[1][0]
    assert told.keys() == cases.keys()
    assert set(STATUS) <= {case.verdict for case in cases.values()}
    for case in cases.values():
        assert labels(told[case.id], "verdict") == [case.verdict]
        assert case.verdict in labels(told[case.id], "tag")
        assert told[case.id]["status"] in STATUS[case.verdict], case.id


def test_labels_are_what_the_case_belongs_to(ran: Both) -> None:
    cases, told = ran[0][0].cases, ran[1][0]
    for case in cases.values():
        result = told[case.id]
        for name in ("level", "operation", "theme"):
            assert labels(result, name) == [getattr(case, name)]
        assert labels(result, "feature") == [case.operation]
        assert labels(result, "story") == list(case.rules)
        assert case.level in labels(result, "tag")
        assert result["parameters"] == [{"name": "case", "value": repr(case.id)}]


def test_links_lead_to_the_document_and_to_the_case(ran: Both) -> None:
    rules = {rule.id: rule for rule in ran[0][0].results.rules}
    for case in ran[0][0].cases.values():
        links = {each["type"]: each for each in ran[1][0][case.id]["links"]}
        assert links["link"]["name"] == rules[case.rules[0]].source.heading
        assert links["link"]["url"].startswith("https://")
        assert links["report"]["url"] == f"https://ci.test/index.html#{anchor(case.id)}"


def test_a_known_deviation_says_why(ran: Both) -> None:
    known = [case.id for case in ran[0][0].cases.values() if case.verdict == "known-deviation"]
    assert known
    for case in known:
        result = ran[1][0][case]
        assert f"known deviation: {REASON}" in result["statusDetails"]["message"]
        assert f"Reason: `{REASON}`" in result["description"]


def test_what_was_sent_is_attached_and_the_command(ran: Both) -> None:
    for case in ran[0][0].cases.values():
        attached = {each["name"] for each in ran[1][0][case.id].get("attachments", ())}
        assert attached == ({"request", "answer", "command"} if case.exchange and case.reproduce else set()), case.id


def test_a_case_has_the_same_history_in_the_next_run(ran: Both) -> None:
    first, second = ({name: each["historyId"] for name, each in told.items()} for told in ran[1])
    assert first == second
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize("text", [*HOSTILE, "`<img src=x onerror=alert(1)>`"], ids=range(len(HOSTILE) + 1))
def test_an_answer_is_no_markup_in_a_description(text: str) -> None:
    parts = _description("a statement", make_case(received=text, reason=text)).split("\n\n")
    assert parts[0] == "a statement."
    for part, name in zip(parts[1:], ("Expected", "Received", "Reason"), strict=True):
        assert part.startswith(f"{name}: `")
        assert part.endswith("`")
        assert part.isprintable()


def test_without_a_pattern_no_link_leads_nowhere(tmp_path: Path) -> None:
    with Stub() as stub:
        few = ("-q", "-k", "assume-role.duration-seconds.min", f"--alluredir={tmp_path / 'allure'}")
        run(tmp_path / "report", f"--target={stub.url}", *few)
    for result in results_of(tmp_path / "allure").values():
        assert [each["type"] for each in result["links"]] == ["link"]
