"""Whatever an endpoint answers with, an Answer can be made of it, soon, and nothing is fetched or expanded."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import everything
from generators.answer import Answer
from generators.expectation import Expectation, describe, fill, is_granted
from specs.contract import load
from specs.model import CheckSpec
from tests.servers import error

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BOMB = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {name} '&{before};&{before};&{before};&{before};&{before};&{before};&{before};&{before};'>"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
) + "]><x>&k;</x>"  # fmt: skip
FETCHING = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ErrorResponse>&a;</ErrorResponse>'
DTD = "<!DOCTYPE x><ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>"

# Bodies that are no XML that is safe to read.
UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b" \n ",
    "an entity bomb": BOMB.encode(),
    "an entity that fetches": FETCHING.encode(),
    "a DTD": DTD.encode(),
    "an external DTD": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>',
    "nesting": b"<a>" * 100_000 + b"</a>" * 100_000,
    "nesting just over the limit": b"<a>" * 60 + b"</a>" * 60,
    "HTML": b"<!DOCTYPE html><html><br></html>",
    "JSON": b'{"Error": {"Code": "ValidationError"}}',
    "cut off": error("ValidationError", "x").encode()[:-20],
    "two roots": b"<a/><b/>",
    "control characters": b"<a>\x00\x01</a>",
    "wrong UTF-8": b"<a>\xff\xfe\xfd</a>",
    "an encoding that is none": b"<?xml version='1.0' encoding='no-such'?><a/>",
    "an encoding that is not what it says": b"<?xml version='1.0' encoding='utf-16'?><a/>",
    "an undefined entity": b"<a>&nbsp;</a>",
    "a billion attributes of one name": b"<a " + b"b='1' " * 10_000 + b"/>",
    "bytes": bytes(range(256)) * 100,
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_safely_has_no_root(what: str) -> None:
    begun = time.perf_counter()
    answer = Answer(200, (), UNREADABLE[what])
    assert answer.root is None
    assert answer.error_code is None
    assert answer.error_message is None
    assert not is_granted(answer)
    assert answer.text_at("Error/Code") is None
    assert len(describe(answer)) < 400
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-16", "iso-8859-1"],
)
def test_an_envelope_in_any_encoding_that_it_names(encoding: str) -> None:
    body = f"<?xml version='1.0' encoding='{encoding}'?>" + error("ValidationError", "é")
    answer = Answer(400, (), body.encode(encoding))
    assert (answer.error_code, answer.error_message) == ("ValidationError", "é")


def test_a_byte_order_mark_is_no_fault() -> None:
    assert Answer(400, (), b"\xef\xbb\xbf" + error("X", None).encode()).error_code == "X"


@pytest.mark.parametrize(
    ("body", "code", "message", "foreign"),
    [
        (error("Throttling", None), "Throttling", None, None),
        (error("Throttling", ""), "Throttling", "", None),
        ("<ErrorResponse><Error><Code/></Error></ErrorResponse>", "", None, None),
        ("<ErrorResponse><Error/></ErrorResponse>", None, None, None),
        ("<ErrorResponse/>", None, None, None),
        ("<Error><Code>NoSuchKey</Code></Error>", None, None, "NoSuchKey"),
        ("<Fault><Detail><Code>Blocked</Code></Detail></Fault>", None, None, "Blocked"),
        ("<GetCallerIdentityResponse/>", None, None, None),
    ],
)
def test_codes_count_where_clients_see_them(
    body: str, code: str | None, message: str | None, foreign: str | None
) -> None:
    answer = Answer(400, (), body.encode())
    assert (answer.error_code, answer.error_message, answer.foreign_code()) == (code, message, foreign)


def test_the_first_of_elements_and_headers_counts() -> None:
    body = "<ErrorResponse><Error><Code>A</Code><Code>B</Code></Error><Error><Code>C</Code></Error></ErrorResponse>"
    answer = Answer(400, (("x", "1"), ("x", "2")), body.encode())
    assert answer.error_code == "A"
    assert answer.header("x") == "1"
    assert answer.header("y") is None


@settings(max_examples=200, deadline=None)
@given(status=st.integers(100, 999), body=st.binary(max_size=300))
def test_no_bytes_raise(status: int, body: bytes) -> None:
    answer = Answer(status, (), body)
    assert describe(answer)
    for case in JUDGED:
        judgement = case.expectation.judge(answer, values=VALUES, sent_at=NOW)
        assert judgement.received


JUDGED = everything.cases()[::60]
VALUES = dict.fromkeys(
    ["role-arn", "account", "user-arn", "session-arn", "session-access-key-id", "user-access-key-id", "policy-arn-1"],
    "x",
)


@pytest.mark.parametrize("what", UNREADABLE)
def test_no_unreadable_answer_conforms(what: str) -> None:
    """Except where no body is asked for: JSON, preflight, redirects, and statuses that the front end answers."""
    answers = [Answer(status, (), UNREADABLE[what]) for status in (200, 400, 403)]
    accepted = {
        case.id
        for case in everything.cases()
        for answer in answers
        if case.expectation.judge(answer, values=DEFAULTS, sent_at=NOW).conforms
    }
    assert accepted <= {
        "common.wire.broken-percent/truncated", "common.wire.broken-percent/not-hexadecimal",
        "common.wire.wrong-content-type/text-plain", "common.wire.wrong-content-type/json",
    }  # fmt: skip


class _Defaults(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


DEFAULTS = _Defaults()


@pytest.mark.parametrize("letter", ["1", " ", "a", "/", "1 %", "<"])
def test_judging_a_hostile_answer_is_soon_done(letter: str) -> None:
    r"""Checks match whole texts: `.*\d+ ?%.*` on digits would be quadratic, an hour and more for 1 MiB."""
    text = letter * 20_000
    slow = []
    for check in {check for case in everything.cases() for check in case.expectation.checks}:
        pattern = check.message or check.matches or check.header_matches or check.layout
        if pattern is None or "validation error" in pattern:
            continue
        begun = time.perf_counter()
        re.compile(fill(pattern, DEFAULTS, escape=True), re.DOTALL).fullmatch(text)
        if time.perf_counter() - begun > 0.5:
            slow.append(pattern)
    assert slow == []


# What an expectation says to an answer


REFUSAL = load().refusals["constraint-violation"]
GRANTED = Answer(200, (), b"<GetCallerIdentityResponse/>")
VALIDATION = Answer(400, (), error("ValidationError", "1 validation error detected").encode())


@pytest.mark.parametrize(
    ("outcome", "answer", "conforms"),
    [
        ("success", GRANTED, True),
        ("success", VALIDATION, False),
        ("success", Answer(201, (), GRANTED.body), False),
        ("success", Answer(200, (), b""), False),
        ("success", Answer(200, (), b"<html/>"), False),
        ("success", Answer(200, (), VALIDATION.body), False),
        ("refusal", GRANTED, False),
        ("refusal", VALIDATION, True),
        ("refusal", Answer(403, (), VALIDATION.body), False),
        ("refusal", Answer(400, (), error("SomethingElse", "x").encode()), False),
        ("refusal", Answer(400, (), b"<Error><Code>ValidationError</Code></Error>"), False),
        ("refusal", Answer(400, (), b'{"Code": "ValidationError"}'), False),
        ("refusal", Answer(400, (), error("validationerror", "x").encode()), False),
        ("either", GRANTED, True),
        ("either", VALIDATION, True),
        ("either", Answer(500, (), error("InternalFailure", None).encode()), False),
    ],
)
def test_which_answers_conform(outcome: str, answer: Answer, conforms: bool) -> None:
    refusal = None if outcome == "success" else REFUSAL
    assert Expectation(outcome, refusal).judge(answer, values={}, sent_at=NOW).conforms is conforms


BODY = "<R xmlns='urn:x'><T><A>one</A><B>2026-11-22T00:15:00Z</B><C>three</C><E/></T><Id>42</Id></R>"
CHECKS: list[tuple[CheckSpec, str]] = [
    (CheckSpec(root="R"), ""),
    (CheckSpec(root="S"), "root element"),
    (CheckSpec(namespace="urn:x"), ""),
    (CheckSpec(namespace="urn:y"), "namespace is urn:x"),
    (CheckSpec(at="T/A"), ""),
    (CheckSpec(at="T/Z"), "T/Z is missing"),
    (CheckSpec(at="T/Z", when_present=True), ""),
    (CheckSpec(at="T/Z", absent=True), ""),
    (CheckSpec(at="T/A", absent=True), "T/A is there"),
    (CheckSpec(at="T/A", matches="one"), ""),
    (CheckSpec(at="T/A", matches="on"), "T/A is 'one'"),
    (CheckSpec(at="T/A", matches="${word}"), ""),
    (CheckSpec(at="T/C", matches="${word}"), "T/C is 'three'"),
    (CheckSpec(at="T/A", min_length=3, max_length=3), ""),
    (CheckSpec(at="T/A", min_length=4), "fewer than 4"),
    (CheckSpec(at="T/A", max_length=2), "more than 2"),
    (CheckSpec(at="T/E", min_length=1), "fewer than 1"),
    (CheckSpec(at="T/B", lifetime_seconds=900), ""),
    (CheckSpec(at="T/B", lifetime_seconds=3600), "900 s after the request, not 3600"),
    (CheckSpec(at="T/A", lifetime_seconds=900), "no ISO 8601 time"),
    (CheckSpec(at="Id", same_as_header="x-id"), ""),
    (CheckSpec(at="T/A", same_as_header="x-id"), "not what the header x-id says"),
    (CheckSpec(at="Id", same_as_header="x-none"), "not what the header x-none says"),
    (CheckSpec(header="x-id", header_matches="[0-9]+"), ""),
    (CheckSpec(header="x-id", header_matches="[a-z]+"), "header x-id is '42'"),
    (CheckSpec(header="x-none"), "header x-none is missing"),
    (CheckSpec(at="T", order=("A", "C")), ""),
    (CheckSpec(at="T", order=("C", "A")), "in this order"),
    (CheckSpec(at="T", order=("A", "Z")), "in this order"),
    (CheckSpec(layout="<R .*</R>"), ""),
    (CheckSpec(layout=""), "layout"),
]


@pytest.mark.parametrize(
    ("check", "complaint"),
    CHECKS,
    ids=lambda v: str(getattr(v, "model_dump", lambda **_: "")(exclude_defaults=True))[:60],
)
def test_checks(check: CheckSpec, complaint: str) -> None:
    answer = Answer(200, (("x-id", "42"),), BODY.encode())
    judgement = Expectation("success", None, (check,), any_body=True).judge(
        answer, values={"word": "one"}, sent_at=NOW
    )
    assert judgement.conforms is (not complaint)
    assert complaint in judgement.received


@pytest.mark.parametrize(
    ("check", "message", "conforms"),
    [
        (CheckSpec(message="a.c"), "abc", True),
        (CheckSpec(message="a.c"), "abcd", False),
        (CheckSpec(message="a.c"), None, False),
        (CheckSpec(no_message=True), None, True),
        (CheckSpec(no_message=True), "", False),
    ],
)
def test_message_checks(check: CheckSpec, message: str | None, conforms: bool) -> None:
    answer = Answer(400, (), error("ValidationError", message).encode())
    assert Expectation("refusal", REFUSAL, (check,)).judge(answer, values={}, sent_at=NOW).conforms is conforms


def test_where_authorities_differ_it_is_told_whom_the_answer_follows() -> None:
    refusal = load().refusals["stale-date"]
    answers = {answer.authority: answer for answer in refusal.answers}
    assert len({(a.status, a.code) for a in answers.values()}) == 2
    for authority, told in answers.items():
        answer = Answer(told.status, (), error(told.code or "", "x").encode())
        assert Expectation("refusal", refusal).judge(answer, values={}, sent_at=NOW).follows == (authority,)
