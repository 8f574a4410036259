"""Scenarios made into cases, and mistakes in them told with file and line before anything is sent."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from generators import everything, scenarios
from generators.expectation import placeholders
from specs import contract
from specs.loader import SpecError

if TYPE_CHECKING:
    from pathlib import Path

    from generators.case import Case

CASES = {case.id: case for case in everything.cases() if case.theme == scenarios.THEME}
HEAD = """scenarios:
- id: assume-role.made-up
  statement: made up
  source: {heading: AssumeRole}
  given: {users: {bare: {}}, roles: {first: {allows: ['sts:*']}, second: {trusts: [first]}}}
  steps:
"""
OF_THE_RUN = {"account", "second-account", "member-account", "encoded-message", "user-arn"}
KEPT = "  - {call: AssumeRole, with: {RoleArn: $first, RoleSessionName: one}, keep: chained}\n"
CALL = "  - {call: AssumeRole, as: $chained, with: {RoleArn: $second, RoleSessionName: two}, "
TWICE = "".join(KEPT.replace("keep: chained", f"mfa: $bare, keep: {name}") for name in ("one", "two"))
GRANTED = CALL + "case: good, expect: success}\n"
REFUSED = CALL + "case: bad, expect: %s}\n"


def test_there_are_scenarios() -> None:
    assert len(CASES) > 20


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_has_what_it_rests_on(case: Case) -> None:
    """Every caller and every placeholder is given, made or kept before; a refusal has a control that is granted."""
    keys = {fixture.key for fixture in case.fixtures}
    recipes = {recipe.name: recipe for recipe in case.recipes}
    callers, known = {"", "user", "root", *keys}, {*OF_THE_RUN, *keys, *recipes}
    for request, keep in (*((step.request, step.keep) for step in case.setup), (case.request, "")):
        assert request.caller in callers
        for _, value in request.parameters:
            assert {name.partition(".")[0] for name in placeholders(value or "")} <= known
        callers.add(keep)
        known.add(keep)
    for recipe in case.recipes:
        assert recipe.issuer in keys
        assert {name.partition(".")[0] for name in placeholders(recipe.says)} <= known
    if case.expectation.outcome != "success":
        assert CASES[case.control].expectation.outcome == "success"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fixtures_stand_in_the_order_in_which_they_can_be_made(case: Case) -> None:
    known = set(OF_THE_RUN)
    for fixture in case.fixtures:
        assert {name.partition(".")[0] for name in placeholders(fixture.trust + fixture.policy)} <= known
        known.add(fixture.key)


def test_alike_fixtures_are_one(written: _Write) -> None:
    text = HEAD + KEPT + GRANTED
    other = text.replace("scenarios:\n", "").replace("made-up", "made-up-too").replace("first", "other")
    one, two = (case for case in written(text + other) if case.rule.startswith("assume-role.made-up"))
    assert {fixture.key for fixture in one.fixtures} == {fixture.key for fixture in two.fixtures}
    assert one.setup == two.setup


def test_unlike_fixtures_are_two(written: _Write) -> None:
    text = HEAD + KEPT + GRANTED
    other = text.replace("scenarios:\n", "").replace("made-up", "made-up-too").replace("'sts:*'", "'s3:*'")
    one, two = (case for case in written(text + other) if case.rule.startswith("assume-role.made-up"))
    assert len({fixture.key for case in (one, two) for fixture in case.fixtures}) == 5  # bare, and two of each role
    assert one.setup != two.setup


class _Write:
    """Puts one more file of scenarios into a copy of the contract, and makes its cases."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "sts"
        shutil.copytree(contract.ROOT, self.root)
        monkeypatch.setattr(scenarios, "ROOT", self.root)

    def __call__(self, text: str) -> list[Case]:
        (self.root / "scenarios" / "made-up.yaml").write_text(text, encoding="utf-8")
        contract.load.cache_clear()
        return everything.generate(contract.load(self.root))


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Write:
    return _Write(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (HEAD + KEPT.replace("AssumeRole,", "AssumeRoll,"), 2, "a step calls 'AssumeRoll', expected one of"),
        (HEAD + KEPT.replace("$first", "$frist"), 2, "'$frist' is nothing that is given or was kept, expected one"),
        (HEAD + KEPT.replace("$first", "$first.arn"), 2, "'$first.arn' is no part of a role, expected one of id"),
        (HEAD + KEPT.replace("$first", "$bare.code"), 2, "'$bare.code' is no part of a user, expected one of"),
        (HEAD + KEPT.replace("$first", "$chained"), 2, "'$chained' is nothing that is given or was kept"),
        (HEAD + KEPT + GRANTED.replace("$second", "$chained"), 2, "'$chained' stands for credentials"),
        (HEAD + KEPT + GRANTED.replace("$second", "'x-${secnd}'"), 2, "'$secnd' is nothing that is given"),
        (HEAD + KEPT + GRANTED.replace("case: good", "assertion: {from: $bare}, case: good"), 2, "no saml provider"),
        (HEAD + KEPT + GRANTED.replace("case: good", "token: {from: $idp}, case: good"), 2, "is no openid provider"),
        (HEAD + KEPT + GRANTED.replace("case: good", "token: {form: $idp}, case: good"), 8, "form"),
        (HEAD + KEPT + GRANTED.replace("as: $chained", "after: 9"), 2, "comes 9 s after nothing"),
        (HEAD + KEPT + GRANTED + (REFUSED % "malformed-arn").replace("bad,", "bad, control: no,"), 2, "control 'no'"),
        (HEAD + KEPT.replace("keep: chained", "keep: chained, after: 9"), 7, "a case, and nothing else, has"),
        (HEAD.replace("bare: {}", "bare: {mfa: true}") + TWICE, 2, "'$bare.code' stands twice"),
        (HEAD + GRANTED, 2, "a step calls as '$chained', expected one of user, root, $bare"),
        (HEAD + KEPT + GRANTED.replace("$chained", "chained"), 2, "a step calls as 'chained', expected one of"),
        (HEAD + KEPT + GRANTED.replace("$chained", "$second"), 2, "a step calls as '$second'"),
        (HEAD + KEPT + GRANTED + REFUSED % "no-such-refusal", 2, "a step expects 'no-such-refusal', expected"),
        (HEAD + KEPT + REFUSED % "constraint-violation", 2, "expects a refusal, expected a case"),
        (HEAD + KEPT + KEPT + GRANTED, 2, "the name 'chained' stands for something already"),
        (HEAD.replace("trusts: [first]", "trusts: [third]") + KEPT, 2, "a role trusts 'third', expected"),
        (HEAD.replace("bare: {}", "first: {}") + KEPT, 2, "'first' is given twice"),
        (HEAD + KEPT.replace(", keep: chained", ""), 7, "give one of 'keep' and 'case'"),
        (HEAD + KEPT + GRANTED.replace(", expect: success", ""), 8, "a case, and nothing else, tells what to expect"),
        (HEAD + KEPT.replace("keep: chained", "keep: chained, expect: success"), 7, "a case, and nothing else"),
        (HEAD + KEPT.replace("call:", "cal:"), 7, "cal"),
        (HEAD.replace("made-up", "role-arn.form") + KEPT + GRANTED, 2, "found the rule id"),
        (HEAD.replace("allows: ['sts:*']", "max-session-duration: 60") + KEPT, 5, "max-session-duration"),
    ],
)  # fmt: skip
def test_mistakes(written: _Write, text: str, line: int, complaint: str) -> None:
    with pytest.raises(SpecError) as told:
        written(text)
    assert complaint in str(told.value)
    assert f"made-up.yaml:{line}:" in str(told.value)
    assert "\n" not in str(told.value)
