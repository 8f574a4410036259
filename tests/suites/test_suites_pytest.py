"""The suites as pytest's users know it: selection, -n, --lf, JUnit, baselines and exit status."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.servers import Manner, Ran, Stub, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SELECTED = "assume-role.duration or assume-root or get-caller-identity or access-key or validation-error.message"
REASON = "the stub takes every name"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub() as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def first(stub: Stub, folder: Path) -> Ran:
    """A run without baseline, in one process, with JUnit's report."""
    junit = f"--junitxml={folder / 'junit.xml'}"
    return run(folder / "first", f"--target={stub.url}", "-q", "-k", SELECTED, junit, cache=folder / "cache")


@pytest.fixture(scope="module")
def updated(stub: Stub, folder: Path, first: Ran) -> tuple[Path, Ran]:
    """The baseline of what deviates, written upon an older one with reasons and with entries that are gone."""
    path = folder / "baseline.yaml"
    deviating = _deviating(first)
    path.write_text(
        yaml.safe_dump(
            {
                "target": "the stub",
                "known-deviations": [
                    {"reason": REASON, "cases": [deviating[0]]},
                    {"reason": "an old one", "cases": ["assume-role.duration-seconds.min/899"]},
                    {"reason": "nobody looked", "cases": ["get-federation-token.name.max-length/33"]},
                    {"reason": "a whole rule", "rules": ["get-access-key-info.access-key-id.pattern"]},
                ],
            }
        ),
        encoding="utf-8",
    )
    arguments = (f"--target={stub.url}", f"--baseline={path}", "--update-baseline", "-q", "-k", SELECTED)
    return path, run(folder / "updating", *arguments)


def _deviating(ran: Ran) -> list[str]:
    return [
        name for name, case in ran.cases.items()
        if case.verdict == "deviates" and case.level != "exact" and not name.startswith("get-access-key-info")
    ]  # fmt: skip


def _last_line(ran: Ran) -> str:
    return ran.output.rstrip().splitlines()[-1]


# One run


def test_deviations_decide_the_exit_status(first: Ran) -> None:
    assert first.status == pytest.ExitCode.TESTS_FAILED
    assert {"conforms", "deviates", "unsupported", "untestable"} <= set(first.verdicts.values())


def test_only_what_conforms_is_a_pass(first: Ran) -> None:
    counts = Counter(first.verdicts.values())
    line = _last_line(first)
    assert f"{counts['conforms']} passed" in line
    assert f"{counts['unsupported']} unsupported" in line
    assert f"{counts['untestable']} untestable" in line
    deciding = [c for c in first.results.cases if c.verdict == "deviates" and c.level != "exact"]
    assert f"{len(deciding)} failed" in line
    assert f"{counts['deviates'] - len(deciding)} deviates" in line
    assert "skipped" not in line
    assert "error" not in line


def test_a_failure_says_what_was_expected_and_how_to_see_it(first: Ran) -> None:
    case = next(c for c in first.results.cases if c.verdict == "deviates" and c.id.startswith("get-access-key-info"))
    start = first.output.index(f"{case.id}\n  rule ")
    told = first.output[start : start + 3000]
    for part in (case.expected, case.received, "source ", "see it ", "curl "):
        assert part in told


def test_k_selects(first: Ran) -> None:
    names = SELECTED.split(" or ")
    assert all(any(name in case for name in names) for case in first.verdicts)
    assert "assume-role.duration-seconds.min/899" in first.verdicts


def test_the_report_and_the_table_are_announced(first: Ran) -> None:
    assert f"report: {first.report / 'index.html'}" in first.output
    assert f"results: {first.report / 'results.json'}" in first.output
    assert (first.report / "index.html").stat().st_size > 10_000


def test_an_operation_that_does_not_exist_is_one_deviation(first: Ran) -> None:
    of_root = {name: c.verdict for name, c in first.cases.items() if c.operation == "AssumeRoot"}
    assert of_root.pop("assume-root.wire.request.action/served") == "deviates"
    assert len(of_root) > 50
    assert set(of_root.values()) == {"unsupported"}
    assert "AssumeRoot" in first.results.unsupported


def test_junit_has_one_testcase_for_each_case(first: Ran, folder: Path) -> None:
    suite = ET.parse(folder / "junit.xml").getroot()[0]  # noqa: S314 - our own file
    cases = suite.findall("testcase")
    names = [case.attrib["name"].partition("[")[2].removesuffix("]") for case in cases]
    assert sorted(names) == sorted(first.verdicts)
    assert int(suite.attrib["tests"]) == len(first.verdicts)
    by_name = dict(zip(names, cases, strict=True))
    for name, case in first.cases.items():
        children = [child.tag for child in by_name[name] if child.tag in {"failure", "error", "skipped"}]
        assert (children == []) == (case.verdict == "conforms"), name
        if case.verdict == "deviates" and case.level != "exact":
            assert children == ["failure"]


# Several processes, and parts of a run


def test_two_workers_find_the_same(stub: Stub, folder: Path, first: Ran) -> None:
    junit = folder / "junit-2.xml"
    ran = run(folder / "two", f"--target={stub.url}", "-q", "-k", SELECTED, "-n", "2", f"--junitxml={junit}")
    assert ran.status == first.status
    assert ran.verdicts == first.verdicts
    assert {n: c.received for n, c in ran.cases.items()} == {n: c.received for n, c in first.cases.items()}
    assert ran.results.unsupported == first.results.unsupported
    assert len(ET.parse(junit).getroot()[0].findall("testcase")) == len(first.verdicts)  # noqa: S314 - our own file
    assert f"{Counter(first.verdicts.values())['conforms']} passed" in _last_line(ran)


def test_lf_runs_what_failed(stub: Stub, folder: Path, first: Ran) -> None:
    ran = run(folder / "again", f"--target={stub.url}", "-q", "--lf", cache=folder / "cache")
    failed = {c.id for c in first.results.cases if c.verdict == "deviates" and c.level != "exact"}
    assert set(ran.verdicts) == failed
    assert ran.status == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("level", ["must", "exact"])
def test_m_selects_a_level(stub: Stub, tmp_path: Path, level: str) -> None:
    ran = run(tmp_path, f"--target={stub.url}", "-q", "-m", level, "-k", "get-session-token or validation-error")
    assert ran.cases
    assert {case.level for case in ran.results.cases} == {level}
    assert ran.status == (pytest.ExitCode.TESTS_FAILED if level == "must" else pytest.ExitCode.OK)


def test_fail_on_says_which_levels_decide(stub: Stub, tmp_path: Path) -> None:
    selected = ("-q", "-m", "exact", "-k", "validation-error.message")
    ran = run(tmp_path, f"--target={stub.url}", "--fail-on=exact", *selected)
    assert "deviates" in ran.verdicts.values()
    assert ran.status == pytest.ExitCode.TESTS_FAILED
    assert ran.results.run.fail_on == ("exact",)


def test_one_item_by_its_node_id(stub: Stub, tmp_path: Path) -> None:
    name = "assume-role.duration-seconds.min/899"
    node = f"suites/test_constraints.py::test_constraint[{name}]"
    ran = run(tmp_path, f"--target={stub.url}", "-q", node)
    assert ran.verdicts == {name: "conforms"}
    assert ran.status == pytest.ExitCode.OK


# Baselines


def test_updating_keeps_reasons_and_drops_what_is_gone(updated: tuple[Path, Ran], first: Ran) -> None:
    path, _ = updated
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    reasons = {
        name: entry["reason"]
        for entry in written["known-deviations"]
        for name in entry.get("cases", []) + entry.get("rules", [])
    }
    assert written["target"] == "the stub"
    deviating = _deviating(first)
    assert reasons[deviating[0]] == REASON
    assert "assume-role.duration-seconds.min/899" not in reasons
    assert reasons["get-federation-token.name.max-length/33"] == "nobody looked"
    assert reasons["get-access-key-info.access-key-id.pattern"] == "a whole rule"
    assert set(deviating) <= reasons.keys()
    assert not any(name.startswith("get-access-key-info.access-key-id.pattern/") for name in reasons)
    assert all(reasons.values())


def test_updating_lists_nothing_that_does_not_decide(updated: tuple[Path, Ran], first: Ran) -> None:
    text = updated[0].read_text(encoding="utf-8")
    exact = [c.id for c in first.results.cases if c.verdict == "deviates" and c.level == "exact"]
    assert exact
    assert not any(f" {name}\n" in text for name in exact)


def test_what_is_gone_is_told(updated: tuple[Path, Ran]) -> None:
    _, ran = updated
    assert [(entry.id, entry.reason) for entry in ran.results.gone] == [
        ("assume-role.duration-seconds.min/899", "an old one")
    ]
    told = [line for line in ran.output.splitlines() if "assume-role.duration-seconds.min/899" in line]
    assert told
    page = (ran.report / "index.html").read_text(encoding="utf-8")
    assert "an old one" in page


def test_with_its_whole_baseline_a_target_passes(stub: Stub, tmp_path: Path, updated: tuple[Path, Ran]) -> None:
    path, _ = updated
    arguments = (f"--target={stub.url}", f"--baseline={path}", "-q", "-k", SELECTED)
    ran = run(tmp_path / "with", *arguments)
    assert ran.status == pytest.ExitCode.OK
    known = [c for c in ran.results.cases if c.verdict == "known-deviation"]
    assert known
    assert any(c.reason == REASON for c in known)
    assert any(c.reason == "a whole rule" for c in known)  # listed by its rule
    assert f"{len(known)} known-deviation" in _last_line(ran)
    assert ran.results.run.target.baseline == path.name
    assert not ran.results.gone


def test_without_it_the_same_target_fails(stub: Stub, tmp_path: Path, updated: tuple[Path, Ran]) -> None:
    path, _ = updated
    file = tmp_path / "stub.yaml"
    file.write_text(f"name: the stub\nendpoint: {stub.url}\nbaseline: known.yaml\n", encoding="utf-8")
    (tmp_path / "known.yaml").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    arguments = (f"--target={file}", "-q", "-k", "access-key-info")
    own = run(tmp_path / "own", *arguments)
    assert own.status == pytest.ExitCode.OK
    assert own.results.run.target.name == "the stub"
    assert run(tmp_path / "none", *arguments, "--baseline=").status == pytest.ExitCode.TESTS_FAILED


def test_a_baseline_is_made_where_there_is_none(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    arguments = (f"--target={stub.url}", f"--baseline={path}", "-q", "-k", "access-key-info")
    run(tmp_path / "making", *arguments, "--update-baseline")
    assert run(tmp_path / "then", *arguments).status == pytest.ExitCode.OK


def test_an_operation_that_went_away_is_no_pass(tmp_path: Path) -> None:
    """Nothing of an operation can conform that the endpoint does not have."""
    with Stub(Manner(actions=frozenset({"GetCallerIdentity"}))) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", "get-access-key-info or get-session-token.duration")
    assert "conforms" not in ran.verdicts.values()
    assert ran.status == pytest.ExitCode.TESTS_FAILED
    assert " passed" not in _last_line(ran)
