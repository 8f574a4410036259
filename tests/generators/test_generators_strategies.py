"""Strategies make values that keep every constraint but the one that they are to break, the plainest first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import regex
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from generators import everything, strategies
from generators.properties import PROPERTIES, Making, requests, violations
from generators.property_cases import echoes
from specs.contract import load

if TYPE_CHECKING:
    from generators.case import Request
    from specs.model import Member

ROOT = Path(__file__).parents[2]
OPERATIONS = next(spec.operations for spec in load().properties if spec.property == "valid")
FIFTY = settings(
    max_examples=50, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    derandomize=True,
)  # fmt: skip
PLAINEST = settings(database=None, derandomize=True)
STRINGS = {
    f"{operation}.{name}": member
    for operation in OPERATIONS
    for name, member in load().operations[operation].input.items()
    if member.type == "string" and name not in {"Policy", "SAMLAssertion", "WebIdentityToken"}
} | {f"Tag.{name}": member for name, member in load().data_types["Tag"].members.items()}
INTEGERS = {
    f"{operation}.{name}": member
    for operation in OPERATIONS
    for name, member in load().operations[operation].input.items()
    if member.type == "integer"
}


def broken(member: Member, text: str) -> set[str]:
    """Return the constraints that a text breaks; by another reading than that of the strategies."""
    found = set()
    bounds = member.length
    if bounds is not None and bounds.max is not None and len(text) > bounds.max:
        found.add("max")
    if bounds is not None and len(text) < (bounds.min or 0):
        found.add("min")
    # Of \w and \d ASCII is meant, of \p all of Unicode; here a flag turns both.
    flag = regex.UNICODE if member.pattern and r"\p" in member.pattern else regex.ASCII
    if member.pattern is not None and regex.fullmatch(member.pattern, text, flag) is None:
        found.add("pattern")
    return found


def seen(strategy: st.SearchStrategy[Any]) -> list[Any]:
    found: list[Any] = []

    @FIFTY
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def ways(member: Member, strategy: st.SearchStrategy[str]) -> set[str]:
    """Return what texts break, each one constraint."""
    return {"+".join(sorted(broken(member, text))) or "nothing" for text in seen(strategy)}


@pytest.mark.parametrize("name", STRINGS)
def test_good_texts_keep_every_constraint(name: str) -> None:
    member = STRINGS[name]
    texts = seen(strategies.strings(member))
    assert not [text for text in texts if broken(member, text)]
    assert len(set(texts)) > 25
    most = member.length.max if member.length is not None else None
    if most is not None and most > 12:
        assert any(len(text) > min(most, 64) // 2 for text in texts)


@pytest.mark.parametrize("name", STRINGS)
def test_a_broken_text_breaks_one_constraint(name: str) -> None:
    member = STRINGS[name]
    bounds = member.length
    if bounds is not None and bounds.max is not None:
        assert ways(member, strategies.too_long(member)) == {"max"}
    if bounds is not None and (bounds.min or 0) > 1:
        assert ways(member, strategies.too_short(member)) == {"min"}
    if member.pattern is not None and strategies.outsiders(member.pattern):
        assert ways(member, strategies.misspelt(member)) == {"pattern"}
        if bounds is None or bounds.max is None or bounds.max > 16:
            assert any(len(text) > 16 for text in seen(strategies.misspelt(member)))  # far from the beginning, too


@pytest.mark.parametrize("name", INTEGERS)
def test_numbers_are_good_or_on_either_side(name: str) -> None:
    member = INTEGERS[name]
    assert member.range is not None
    least, most = member.range.min or 0, member.range.max or 2**31 - 1
    assert all(least <= number <= most for number in seen(strategies.integers(member)))
    outside = seen(strategies.outside(member))
    assert not [number for number in outside if least <= number <= most]
    assert any(number < least for number in outside)
    if member.range.max is not None:
        assert any(number > most for number in outside)
    assert all(-(2**31) <= number < 2**31 for number in outside)


def test_no_number_is_a_number_of_32_bits() -> None:
    for text in seen(strategies.no_integers()):
        assert not (regex.fullmatch("[+-]?[0-9]+", text) and -(2**31) <= int(text) < 2**31)


def test_policies_are_of_every_form_and_say_each_sid_once() -> None:
    documents = [json.loads(text) for text in seen(strategies.policies())]
    assert any(isinstance(each["Statement"], dict) for each in documents)
    lists = [each["Statement"] for each in documents if isinstance(each["Statement"], list)]
    assert {len(each) for each in lists} == {1, 2, 3}
    keys = {key for each in lists for statement in each for key in statement}
    assert keys == {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
    for each in lists:
        sids = [statement["Sid"] for statement in each if "Sid" in statement]
        assert len(sids) == len(set(sids))


def test_policies_that_allow_nothing_allow_nothing() -> None:
    assert not [text for text in seen(strategies.policies(denying=True)) if '"Allow"' in text]


def test_tags_differ_in_more_than_case_and_are_for_users() -> None:
    members = load().data_types["Tag"].members
    for tags in seen(strategies.tags(members["Key"], members["Value"], most=4)):
        keys = [key.lower() for key, _ in tags]
        assert len(keys) == len(set(keys)) <= 4
        assert not [key for key in keys if key.startswith("aws:") or not key.strip()]


@pytest.mark.parametrize("name", STRINGS)
def test_the_plainest_text_comes_first(name: str) -> None:
    member = STRINGS[name]
    plainest = find(strategies.strings(member), lambda _: True, settings=PLAINEST)
    assert len(set(plainest)) == 1
    assert not broken(member, plainest)
    assert plainest[0] in "a0"


@pytest.mark.parametrize("sought", ["=", "@"])
def test_a_text_is_shrunk_to_what_matters(sought: str) -> None:
    member = load().operations["AssumeRole"].input["RoleSessionName"]
    assert find(strategies.strings(member), lambda text: sought in text, settings=PLAINEST) in {
        f"a{sought}", f"{sought}a", sought * 2,
    }  # fmt: skip


# Requests


def names(request: Request) -> set[str]:
    return {name.partition(".")[0] for name, _ in request.parameters}


def test_requests_have_any_members_but_policies_that_there_are_not() -> None:
    making = Making(load(), "AssumeRole")
    found = set[str]().union(*(names(request) for request in seen(requests(making))))
    assert found >= {
        "DurationSeconds", "ExternalId", "Policy", "PolicyArns", "SourceIdentity", "Tags", "TransitiveTagKeys",
    }  # fmt: skip
    none = Making(load(), "AssumeRole", policies=0)
    assert "PolicyArns" not in set[str]().union(*(names(request) for request in seen(requests(none))))


def test_on_a_real_account_nothing_is_allowed() -> None:
    making = Making(load(), "AssumeRole", restrain=True)
    for request in seen(requests(making)):
        given = dict(request.parameters)
        assert given["DurationSeconds"] == "900"
        assert '"Allow"' not in (given["Policy"] or "")


def test_one_constraint_is_broken_and_the_mended_request_differs_in_that_alone() -> None:
    strategy = PROPERTIES["one-broken"](Making(load(), "AssumeRole"))
    assert strategy is not None
    for example in seen(strategy):
        bad, good = (dict(request.parameters) for request in example.requests)
        changed = {name for name in bad.keys() | good.keys() if bad.get(name) != good.get(name)}
        assert len(changed) == 1, changed


def test_constraints_that_are_told_are_left_alone() -> None:
    every = {way.rule for way in violations(load(), "AssumeRole")}
    told = frozenset({"assume-role.role-session-name.pattern", "assume-role.duration-seconds.min"})
    strategy = PROPERTIES["one-broken"](Making(load(), "AssumeRole", told))
    assert strategy is not None
    tried = {example.about for example in seen(strategy)}
    assert tried <= every
    assert not tried & (told | {"assume-role.duration-seconds.range"})


def test_every_echo_of_an_answer_has_a_rule_that_tells_it() -> None:
    rules = {rule for case in everything.cases() for rule in case.rules}
    told = [found & rules for operation in OPERATIONS for found in echoes(operation).values()]
    assert all(echoes("AssumeRole")[what] & rules for what in ("lifetime", "session", "source identity"))
    assert sum(map(bool, told)) >= 10


# Deterministic

_MAKE = """
import sys
{before}
from generators.properties import PROPERTIES, Making
from specs.contract import load
from suites.explore import explore
from suites.trials import Budget
def send(examples):
    for example in examples:
        print(example.requests[0].parameters)
    return [None] * len(examples)
explore(PROPERTIES["valid"](Making(load(), "AssumeRole")), Budget(20, 7), send)
"""


def test_examples_do_not_depend_on_what_is_loaded(tmp_path: Path) -> None:
    """Hypothesis would mix in constants of local modules, and write what it found into a folder."""
    odd = tmp_path / "odd_constants.py"
    odd.write_text(f"NUMBERS = {[*range(900, 4000)]}\nTEXTS = {[f'odd{n}' for n in range(900)]}\n", encoding="utf-8")
    befores = ("", f"sys.path.insert(0, {str(tmp_path)!r}); import odd_constants")
    outputs = [
        subprocess.run(
            [sys.executable, "-c", _MAKE.format(before=before)], cwd=tmp_path, capture_output=True, text=True,
            check=True, env={"PYTHONPATH": str(ROOT)},
        ).stdout
        for before in befores
    ]  # fmt: skip
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") > 10
    assert not (tmp_path / ".hypothesis" / "constants").exists()
