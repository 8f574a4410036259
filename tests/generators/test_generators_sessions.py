"""The model of sessions, and what robustness sends and takes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import everything
from generators.answer import Answer
from generators.case import FORM, Request
from generators.plain import plain
from generators.properties import PROPERTIES, Making
from generators.robustness import WellFormed, changed, changes, well_formed
from generators.session_moves import moves
from generators.sessions import TOLD_BY, Machine, Move, Program, fixtures
from specs.contract import load
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.wire import Prepared, Signer, filled, prepare

if TYPE_CHECKING:
    from generators.robustness import Change

KEYS = ["role-5f5165e9", "role-9fa84a05", "role-881bf086", "role-c2118808", "role-a29f3971"]
PROJECT = (("Project", "Unicorn", True),)
OWN = (("Project", "Unicorn", False),)
ROBUST = next(spec.operations for spec in load().properties if spec.property == "robust")


def program(*made: Move, told: str = "", restrain: bool = False) -> Program:
    return Machine(load(), frozenset({told}), restrain=restrain).program(made)


def assume(caller: int = 0, role: str = "open", **more: object) -> Move:
    return Move("AssumeRole", caller, role, **more)  # type: ignore[arg-type]


def outcome(*made: Move) -> str:
    """Return what must come of the last move: 'granted', or the names of refusals; '' if it is left out."""
    found = program(*made)
    if len(found.requests) < len(made):
        return ""
    refusal = found.expectations[-1].refusal
    return refusal.refusal if refusal is not None else "granted"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([assume()], "granted"),
        ([assume(role="unicorns")], "role-not-assumable"),
        ([assume(tags=OWN), assume(1, "unicorns")], "granted"),
        ([assume(tags=OWN), assume(1), assume(1, "unicorns")], "role-not-assumable"),
        ([assume(tags=PROJECT), assume(1), assume(1), assume(1), assume(1, "unicorns")], "granted"),
        ([assume(tags=PROJECT), assume(1, tags=OWN)], "inherited-tag"),
        ([assume(tags=OWN), assume(1, tags=OWN)], "granted"),
        ([assume(source_identity="alice"), assume(1, source_identity="alice")], "granted"),
        ([assume(source_identity="alice"), assume(1, source_identity="bob")], "source-identity-set-already"),
        ([assume(source_identity="alice"), assume(1), assume(1, "plain")], "source-identity-denied"),
        ([assume(role="plain", tags=OWN)], "tag-session-denied"),
        ([assume(tags=PROJECT), assume(1, "plain")], ""),
        ([assume(role="dead-end"), assume(1)], "role-not-assumable"),
        ([assume(policy="without sts"), assume(1)], "role-not-assumable"),
        ([assume(policy="for open alone"), assume(1)], "role-not-assumable"),  # wide, in the place of itself
        ([assume(role="wide", policy="for open alone"), assume(1)], "granted"),
        ([assume(tags=OWN), assume(1, "unicorns", tags=OWN), assume(1, "unicorns")], ""),
        ([assume(policy="for open alone"), assume(1, "dead-end")], "role-not-assumable"),
        ([assume(tags=OWN, policy="against unicorns"), assume(1, "unicorns")], "role-not-assumable"),
        ([assume(tags=OWN, policy="without sts"), Move("GetCallerIdentity", 1)], "granted"),
        ([assume(duration=43200)], "granted"),
        ([assume(role="dead-end", duration=3601)], "duration-over-role-max"),
        ([assume(), assume(1, duration=3600)], "granted"),
        ([assume(), assume(1, duration=3601)], "duration-over-chaining-limit"),
        ([assume(), assume(1, "plain", duration=3601)], "duration-over-chaining-limit or duration-over-role-max"),
        ([Move("GetSessionToken"), assume(1)], "granted"),
        ([Move("GetSessionToken"), assume(1, duration=3601)], ""),
        ([Move("GetSessionToken"), Move("GetSessionToken", 1)], "session-credentials-not-accepted"),
        ([Move("GetSessionToken"), Move("GetFederationToken", 1)], "session-credentials-not-accepted"),
        ([Move("GetFederationToken", policy="that allows sts"), assume(1)], "role-not-assumable"),
        ([Move("GetFederationToken"), Move("GetSessionToken", 1)], "session-credentials-not-accepted"),
        ([Move("GetFederationToken"), Move("GetCallerIdentity", 1)], "granted"),
        ([assume(), Move("GetFederationToken", 1)], "session-credentials-not-accepted"),
    ],
)
def test_what_the_model_says(made: list[Move], expected: str) -> None:
    assert outcome(*made) == expected


def test_steps_call_with_what_earlier_ones_hand_out() -> None:
    found = program(assume(), assume(1), assume(role="unicorns"), assume(2, name="two"), assume(9))
    assert [request.principal for request in found.requests] == ["", "step-1", "", "step-1", ""]


def test_a_story_is_told_in_a_line_each() -> None:
    made = program(
        assume(tags=PROJECT, source_identity="alice"),
        assume(1, name="x" * 64, policy="without sts"),
        Move("GetFederationToken", 1, name="bob"),
    )
    assert made.story == [
        "1 user AssumeRole open tag Project=Unicorn transitive, source identity alice -> session 1",
        f"2 session 1 AssumeRole wide as {'x' * 24}... (64 characters), a policy without sts -> session 2",
        "3 session 2 GetFederationToken as bob (to be refused: session-credentials-not-accepted)",
    ]


def test_a_session_carries_the_source_identity_on_or_none() -> None:
    made = program(assume(), assume(1, source_identity="alice"), assume(1), assume())
    looked_at = [
        next(check.matches for check in expectation.checks if check.at == "AssumeRoleResult/SourceIdentity")
        for expectation in made.expectations
    ]
    assert looked_at == ["", "alice", "alice", ""]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("assume-role.duration-seconds.role-chaining", 1),
        ("assume-role.session-policy.intersection", 2),
        ("assume-role.wire.request.action", 0),
    ],
)
def test_what_cases_tell_is_left_out(told: str, left: int) -> None:
    assert len(program(assume(), assume(1, duration=3601), told=told).requests) == left


def test_on_a_real_account_nothing_lasts() -> None:
    made = program(assume(duration=43200), Move("GetSessionToken"), Move("GetFederationToken"), restrain=True)
    assert [dict(request.parameters)["DurationSeconds"] for request in made.requests] == ["900"] * 3
    assert '"Deny"' in str(dict(made.requests[2].parameters)["Policy"])


def test_the_rules_and_roles_of_the_model_exist() -> None:
    assert load().rules.keys() >= TOLD_BY
    # They stand in the target files of users.
    assert [fixture.key for fixture in fixtures()] == KEYS
    (case,) = (case for case in everything.cases() if case.tried == "sessions")
    assert case.fixtures == fixtures()


@settings(max_examples=100, deadline=None)
@given(moves())
def test_programs_have_up_to_twenty_steps(made: list[Move]) -> None:
    found = Machine(load(), frozenset(), restrain=False).program(made)
    assert len(found.requests) == len(found.expectations) == len(found.labels) == len(found.story) <= 20
    steps = {f"step-{number}" for number in range(1, 21)}
    assert {request.principal for request in found.requests} <= steps | {""}


# Robustness


def answer(status: int, body: str = "", *headers: tuple[str, str]) -> Answer:
    return Answer(status, headers, body.encode())


ERROR = "<ErrorResponse><Error><Code>ValidationError</Code><Message>{}</Message></Error></ErrorResponse>"
HTML = "<!DOCTYPE html><html><body>400</body></html>"


@pytest.mark.parametrize(
    ("given_answer", "wants"),
    [
        (answer(400, ERROR.format("no")), WellFormed()),
        (answer(403, "<Response><Errors><Error><Code>X</Code></Error></Errors></Response>"), WellFormed()),
        (answer(200, "<AssumeRoleResponse/>"), WellFormed()),
        (answer(302, "", ("location", "https://aws.amazon.com/iam")), WellFormed()),
        (answer(404, "<UnknownOperationException/>\n"), WellFormed()),
        (answer(413), WellFormed()),
        (answer(400), WellFormed()),
        (answer(400, ERROR.format("'\x00' &#8; &#x1F; &#xFFFFFF;")), WellFormed(quotes=True)),
        (answer(403, HTML), WellFormed(is_form=False)),
        (answer(400, '{"Error": {"Code": "ValidationError"}}'), WellFormed(wants_json=True)),
    ],
)
def test_answers_that_are_of_sts(given_answer: Answer, wants: WellFormed) -> None:
    assert wants.judge(given_answer, values={}, sent_at=datetime.now(UTC)).conforms


@pytest.mark.parametrize(
    ("given_answer", "wants", "complaint"),
    [
        (answer(500, ERROR.format("no")), WellFormed(), "a failure of the server"),
        (answer(503), WellFormed(is_form=False), "a failure of the server"),
        (answer(400, HTML), WellFormed(), "a page of HTML"),
        (answer(200, HTML), WellFormed(is_form=False), "a page of HTML"),
        (answer(400, "<html><head/></html>"), WellFormed(), "a page of HTML"),
        (answer(302), WellFormed(), "a redirect to nowhere"),
        (answer(404), WellFormed(), "nothing is told"),
        (answer(200), WellFormed(), "nothing is told"),
        (answer(400, ERROR.format("<a")), WellFormed(quotes=True), "no XML that can be read"),
        (answer(400, ERROR.format("\x00")), WellFormed(), "no XML that can be read"),
        (answer(200, "<AResponse>\x00</AResponse>"), WellFormed(quotes=True), "no XML that can be read"),
        (answer(400, '{"Error": {}}'), WellFormed(), "no XML that can be read"),
        (answer(200, ERROR.format("no")), WellFormed(), "neither granted nor refused with a code"),
        (answer(200, "<ListAllMyBucketsResult/>"), WellFormed(), "neither granted nor refused with a code"),
        (answer(400, "<Whatever/>"), WellFormed(), "neither granted nor refused with a code"),
    ],
)
def test_answers_that_are_not(given_answer: Answer, wants: WellFormed, complaint: str) -> None:
    judgement = wants.judge(given_answer, values={}, sent_at=datetime.now(UTC))
    assert not judgement.conforms
    assert judgement.received.endswith(f"; {complaint}")


PLAIN = plain(load(), "GetCallerIdentity")


@pytest.mark.parametrize(
    ("made", "wants"),
    [
        ((("set", "Name", "x"),), WellFormed()),
        ((("set", "Name", "\x00"),), WellFormed(quotes=True)),
        ((("set", "\ud800", "x"),), WellFormed(quotes=True)),
        ((("raw", "a=%00"),), WellFormed(quotes=True)),
        ((("bytes", "\xff"),), WellFormed(quotes=True)),
        ((("type", "text/plain"),), WellFormed(is_form=False)),
        ((("untyped",),), WellFormed(is_form=False)),
        ((("untyped",), ("get",)), WellFormed()),
        ((("header", "Accept", "application/json"),), WellFormed(wants_json=True)),
    ],
)
def test_what_the_answer_may_be_follows_from_the_request(made: tuple[Change, ...], wants: WellFormed) -> None:
    assert well_formed(changed(PLAIN, made)) == wants


def sent(request: Request) -> Prepared:
    values = {"role-arn": "arn:aws:iam::111122223333:role/x", "account": "111122223333"}
    signer = Signer(parse_endpoint("http://127.0.0.1"), "us-east-1")
    return prepare(filled(request, values), signer, Credentials("AKIA", "secret"), datetime.now(UTC))


def test_bytes_are_sent_as_they_are() -> None:
    prepared = sent(Request("X", (("a", "\u00e9"),), content_type=FORM, raw_body="b=\xff\x00"))
    assert prepared.body == b"a=%C3%A9&b=\xff\x00"
    assert dict(prepared.headers)["Content-Length"] == "13"
    assert sent(Request("X", (), raw_body="&=")).body == b"&="


@pytest.mark.parametrize("operation", ROBUST)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_sent_is_http(operation: str, data: st.DataObject) -> None:
    """The request line, header names and values are what the grammar of HTTP has."""
    made = data.draw(changes(load(), operation, frozenset()))
    prepared = sent(changed(plain(load(), operation), made))
    assert re.fullmatch(r"/(\?[!-~]*)?", prepared.target)
    for name, value in prepared.headers:
        assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
        assert re.fullmatch(r"([!-~\x80-\xff]([ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?", value)
    assert prepared.method in {"GET", "POST"}
    assert prepared.method == "POST" or not prepared.body


def test_members_whose_type_is_told_to_be_broken_are_left_alone() -> None:
    told = frozenset({"get-federation-token.duration-seconds.type"})

    @settings(max_examples=300, deadline=None)
    @given(changes(load(), "GetFederationToken", told))
    def look(made: tuple[Change, ...]) -> None:
        assert "DurationSeconds" not in {change[1] for change in made if len(change) > 1}

    look()


@pytest.mark.parametrize("name", ["sessions", "robust"])
def test_examples_are_the_same_for_the_same_seed(name: str) -> None:
    from suites.explore import explore  # noqa: PLC0415 - Hypothesis at work
    from suites.trials import Budget  # noqa: PLC0415

    made: list[list[object]] = [[], []]
    for number in (0, 1):
        strategy = PROPERTIES[name](Making(load(), "AssumeRole"))
        assert strategy is not None
        explore(strategy, Budget(10, 7), lambda found, to=made[number]: to.extend(found) or [None] * len(found))  # type: ignore[misc]
    assert made[0] == made[1]
    assert len(made[0]) > 5
