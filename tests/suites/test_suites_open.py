"""What the tool does not do yet, each with a test that shows it. Fixed ones move to the file of their subject."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from generators import everything
from generators.expectation import fill
from specs.contract import load
from specs.loader import SpecError
from suites.baseline import read_baseline
from targets.credentials import Redactor
from tests.servers import Manner, Received, Stub, http, run
from tests.suites.test_suites_secrets import traces

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    ["<SessionToken>" + " " * 2_000, "<SessionToken>" + "x " * 1_000, "<SecretAccessKey" * 20_000],
    ids=["spaces", "words", "no end"],
)
def test_learning_from_a_hostile_answer_is_soon_done(text: str) -> None:
    r"""`\s*([^<]+?)\s*<` is cubic in blanks: 2 kB take 4 s, and a body may have 1 MiB. No time-out ends it."""
    begun = time.perf_counter()
    Redactor().learn(text)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("letter", ["1", " ", "a", "/", "1 %", "<"])
def test_judging_a_hostile_answer_is_soon_done(letter: str) -> None:
    r"""Checks match whole texts: `.*\d+ ?%.*` on digits is quadratic, an hour and more for 1 MiB."""
    text = letter * 20_000
    slow = []
    for check in {check for case in everything.cases() for check in case.expectation.checks}:
        pattern = check.message or check.matches or check.header_matches or check.layout
        if pattern is None or "validation error" in pattern:
            continue
        begun = time.perf_counter()
        re.compile(fill(pattern, Defaults(), escape=True), re.DOTALL).fullmatch(text)
        if time.perf_counter() - begun > 0.5:
            slow.append(pattern)
    assert slow == []


class Defaults(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


def test_a_rule_id_twice_names_the_line_where_it_stands_again(tmp_path: Path) -> None:
    """`baseline._line_of` takes the first line that holds the id: here that of a case of the rule."""
    rule = "assume-role.duration-seconds.min"
    path = tmp_path / "b.yaml"
    path.write_text(
        f"target: stub\nknown-deviations:\n- {{reason: x, cases: [{rule}/899]}}\n- reason: y\n  rules:\n"
        f"  - {rule}\n  - {rule}\n",
        encoding="utf-8",
    )
    cases = {case.id: case for case in everything.cases()}
    with pytest.raises(SpecError, match=rf"b\.yaml:7: found the rule id '{rule}' again"):
        read_baseline(path, cases, load().rules)


def test_what_boto3_says_of_a_body_holds_no_secret(tmp_path: Path) -> None:
    r"""ResponseParserError quotes the body as Python's repr: JSON's `\/` becomes `\\/`, no known spelling."""

    def tell(request: Received) -> bytes | None:
        if stub.minted and request.headers.get("user-agent", "").startswith("Boto3"):
            return http(200, json.dumps({"token": stub.minted[1].token}).replace("/", "\\/"))
        return None

    with Stub(Manner(answer=tell)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", "common.sdk.get-access-key-info/user")
        told = [minted.token for minted in stub.minted]
    assert ran.verdicts == {"common.sdk.get-access-key-info/user": "deviates"}
    assert not traces((tmp_path / "results.json").read_text(encoding="utf-8"), told)
    assert not traces(ran.output, told)
