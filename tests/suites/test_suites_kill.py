"""Every rule can be broken, and the cases of the rule notice: the kill table, and what it is written as.

The last part judges all defects; it takes minutes.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydantic import TypeAdapter

from generators import everything
from reports.model import KillRow
from specs.contract import load
from suites import kill, session
from suites.kill_page import PAGE, TABLE, page, plain
from targets.endpoint import parse_endpoint
from targets.reference.defects import registry
from targets.reference.defects.registry import Defect
from targets.target import REFERENCE, TEST_CREDENTIALS, Target
from tests.servers import Manner, Stub, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from targets.embedded import EmbeddedServer
    from targets.reference.model import HttpAnswer, HttpRequest
    from targets.reference.service import Service

RULE = "assume-role.duration-seconds.max"
HANDFUL = (RULE, "common.authentication.scope-region", "get-caller-identity.response.arn")
ROWS = TypeAdapter(tuple[KillRow, ...])


def chosen() -> list[str]:
    return [name for name, defect in registry().items() if defect.rule in HANDFUL]


def planted(*defects: Defect) -> dict[str, Defect]:
    return {defect.id: defect for defect in defects}


def unplug(service: Service) -> None:
    """Have the service answer everything with 503."""

    def rework(_request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
        return replace(answer, status=503)

    service.after.append(rework)


NOTHING = Defect(RULE, "nothing", "nothing is changed", lambda _service: None)
DOWN = Defect(RULE, "down", "everything is answered with 503", unplug)


@pytest.fixture(scope="module")
def arena() -> Iterator[None]:
    """End what judging in this process has started."""
    yield
    if kill._arena is not None:
        kill._arena.close()
        kill._arena = None


@pytest.fixture
def here(arena: None, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Judge in this process (`processes=1`), where what is patched holds."""
    return monkeypatch


# A handful of defects


def test_defects_are_killed_by_cases_of_their_own_rule(here: pytest.MonkeyPatch) -> None:
    kills = kill.run(chosen(), processes=1)
    assert [each.defect for each in kills] == chosen()
    assert {each.rule for each in kills} == set(HANDFUL)
    for each in kills:
        assert each.killed_by in cases_of(each.rule), each.defect
        assert each.rule not in each.others
        assert set(each.others) <= load().rules.keys()


def cases_of(rule: str) -> set[str]:
    return {case.id for case in everything.cases() if rule in case.rules}


def test_where_all_are_killed_the_status_is_0(here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert kill.main(["--processes=1", f"--rule={RULE}"]) == 0
    number = sum(defect.rule == RULE for defect in registry().values())
    said = f"1 rules, {number} defects, {number} killed, 0 survived, 0 rules without a defect\n"
    assert capsys.readouterr().out == said


def test_a_defect_that_does_nothing_survives(
    here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.setattr(kill, "registry", lambda: planted(DOWN, NOTHING))
    assert kill.main(["--processes=1", f"--rule={RULE}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"survived: {NOTHING.id}: nothing is changed",
        "1 rules, 2 defects, 1 killed, 1 survived, 0 rules without a defect",
    ]


def test_what_a_defect_does_ends_with_it_and_others_are_counted(here: pytest.MonkeyPatch) -> None:
    here.setattr(kill, "registry", lambda: planted(DOWN, NOTHING))
    down, nothing = kill.run([DOWN.id, NOTHING.id], processes=1)
    assert down.killed_by.startswith(f"{RULE}/")
    assert len(down.others) > len(load().rules) / 2
    assert down.row.others == len(down.others)
    assert (nothing.killed_by, nothing.others, nothing.row.others) == ("", (), 0)


def test_an_arena_ends_before_what_it_holds_expires(here: pytest.MonkeyPatch) -> None:
    here.setattr(kill, "registry", lambda: planted(DOWN))
    kill.run([DOWN.id], processes=1)
    first = kill._arena
    kill.run([DOWN.id], processes=1)
    assert kill._arena is first
    here.setattr(kill, "_LIFE", 0.0)
    kill.run([DOWN.id], processes=1)
    assert kill._arena is not first


def test_a_case_that_deviates_without_the_defect_kills_nothing(here: pytest.MonkeyPatch) -> None:
    here.setattr(kill, "registry", lambda: planted(DOWN))
    here.setattr(kill.Arena, "verdicts", lambda _arena, ids: dict.fromkeys(ids, "deviates"))
    with pytest.raises(RuntimeError, match="does not conform without"):
        kill.run([DOWN.id], processes=1)


def test_a_rule_without_a_defect_is_reported(
    here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.setattr(kill, "registry", lambda: planted(DOWN))
    assert kill.main(["--processes=1", f"--rule={RULE}", "--rule=common.api-version"]) == 1
    assert "no defect: common.api-version\n" in capsys.readouterr().out
    assert kill.without_defect() == [rule for rule in load().rules if rule != RULE]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ([f"--rule={RULE}", "--update"], "leave --rule out"),
        (["--rule=assume-role.duration"], "assume-role.duration: the contract has no such rule"),
    ],
)
def test_mistakes_are_told(arguments: list[str], wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        kill.main(arguments)
    assert ended.value.code == 2
    assert wrong in capsys.readouterr().err


# What is written


def made(defect: str, killed_by: str = "first", others: tuple[str, ...] = (), says: str = "is wrong") -> kill.Kill:
    rule = defect.partition("/")[0]
    return kill.Kill(defect, rule, says, killed_by and f"{rule}/{killed_by}", others)


OTHERS = tuple(rule for rule in load().rules if rule != RULE)[:300]
MADE = [
    made("common.authentication.scope-region/any", others=OTHERS[:2], says="é | `x`"),
    made(f"{RULE}/loud", others=OTHERS),
    made(f"{RULE}/silent", killed_by=""),
]


def test_the_table_has_a_row_a_line_with_the_number_of_others() -> None:
    text = kill.table(MADE)
    assert text.splitlines()[0] == "["
    assert text.splitlines()[1] == (
        '{"defect": "common.authentication.scope-region/any", "rule": "common.authentication.scope-region", '
        '"says": "é | `x`", "killed_by": "common.authentication.scope-region/first", "others": 2},'
    )
    assert len(text.splitlines()) == 2 + len(MADE)
    assert ROWS.validate_json(text) == tuple(each.row for each in MADE)


def test_update_writes_table_and_page(here: pytest.MonkeyPatch, tmp_path: Path) -> None:
    defects = planted(NOTHING, DOWN)
    for name in ("TABLE", "PAGE"):
        here.setattr(kill, name, tmp_path / name)
    here.setattr(kill, "registry", lambda: defects)
    kill.main(["--processes=1", "--update"])
    kills = kill.run(list(defects), processes=1)
    assert (tmp_path / "TABLE").read_text(encoding="utf-8") == kill.table(kills)
    assert (tmp_path / "PAGE").read_text(encoding="utf-8") == page(kills)
    assert [row["defect"] for row in json.loads(kill.table(kills))] == [NOTHING.id, DOWN.id]


def test_the_page_has_figures_and_a_table_a_subject() -> None:
    lines = page(MADE).splitlines()
    assert f"| {len(load().rules)} | 2 | 3 | 2 | 1 |" in lines
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == ["## AssumeRole", "## All operations: authentication", "## Looked at"]
    assert f"| `{RULE}` | is wrong | `first` | 300 |" in lines
    assert f"| `{RULE}` | is wrong | **survived** | 0 |" in lines
    assert r"| `common.authentication.scope-region` | é \| \`x\` | `first` | 2 |" in lines


def test_the_page_tells_what_is_noticed_most() -> None:
    looked_at = page(MADE).partition("## Looked at")[2]
    loud, noticing = looked_at.partition("Rules whose")[::2]
    assert [line for line in loud.splitlines() if line.startswith("- ")] == [
        f"- `{RULE}/loud`: is wrong; 300 other rules"
    ]
    listed = [line for line in noticing.splitlines() if line.startswith("- ")]
    assert listed[:2] == [f"- `{rule}`: 2 defects" for rule in sorted(OTHERS[:2])]
    assert len(listed) == 10


def test_a_page_without_anything_to_look_at_says_so() -> None:
    assert page([made(f"{RULE}/x")]).count("None.") == 2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a | b", r"a \| b"),
        ("[x](y)", r"\[x\](y)"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("a\n b", "a b"),
        ("\\_*", r"\\\_\*"),
    ],
)
def test_text_of_a_defect_is_no_markdown(text: str, written: str) -> None:
    assert plain(text) == written


# What a run shows of it


def target_of(name: str, *, embedded: bool) -> Target:
    endpoint = parse_endpoint("http://127.0.0.1:1")
    server = cast("EmbeddedServer", object()) if embedded else None
    return Target(name, endpoint, endpoint, "us-east-1", TEST_CREDENTIALS, server=server)


def test_the_table_is_shown_for_the_embedded_reference_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = tmp_path / "kill-table.json"
    monkeypatch.setattr(session, "TABLE", stored)
    reference = target_of(REFERENCE, embedded=True)
    assert session._kill_table(reference) == ()
    stored.write_text(kill.table(MADE), encoding="utf-8")
    assert session._kill_table(reference) == tuple(each.row for each in MADE)
    assert session._kill_table(target_of("moto", embedded=True)) == ()
    assert session._kill_table(target_of(REFERENCE, embedded=False)) == ()


def test_a_run_against_another_server_has_none(tmp_path: Path) -> None:
    with Stub(Manner()) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "--baseline=", "-q", "-k", RULE)
    assert ran.results.cases
    assert ran.results.kill_table == ()


def test_a_run_against_the_reference_carries_the_stored_table(tmp_path: Path) -> None:
    ran = run(tmp_path, f"--target={REFERENCE}", "-q", "-k", RULE)
    assert ran.status == 0
    assert ran.results.kill_table == ROWS.validate_json(TABLE.read_bytes())
    assert "Kill table" in (tmp_path / "index.html").read_text(encoding="utf-8")


# All defects


@pytest.fixture(scope="module")
def kills() -> list[kill.Kill]:
    return kill.run(list(registry()), processes=os.cpu_count() or 1)


def test_every_rule_has_a_defect() -> None:
    assert kill.without_defect() == []


def test_no_defect_survives(kills: list[kill.Kill]) -> None:
    survived = [f"{each.defect}: {each.says}" for each in kills if not each.killed_by]
    assert not survived, "\n".join(["survived:", *survived])


def test_what_is_stored_is_what_is_found(kills: list[kill.Kill]) -> None:
    stored: dict[str, Any] = {row.defect: row for row in ROWS.validate_json(TABLE.read_bytes())}
    fresh = {each.defect: each.row for each in kills}
    other = sorted(name for name in stored.keys() | fresh.keys() if stored.get(name) != fresh.get(name))
    lines = [f"{name}: stored {stored.get(name)}, found {fresh.get(name)}" for name in other]
    assert not lines, "\n".join(["run: python -m suites.kill --update", *lines])
    assert TABLE.read_text(encoding="utf-8") == kill.table(kills)
    assert PAGE.read_text(encoding="utf-8") == page(kills)
