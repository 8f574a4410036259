"""Whatever is sent, signed or not, gets an answer that is well-formed, and soon."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generators.answer import Answer
from generators.case import plain_request
from specs.contract import OPERATIONS, load
from targets.reference.model import HttpRequest
from targets.reference.service import Settings, build
from tests.reference.client import ALLOW, Sts

if TYPE_CHECKING:
    from targets.credentials import Credentials

LONG = 10_000_000


@pytest.fixture(scope="module")
def sts() -> Sts:
    return Sts(build(Settings(seed=1)))


@pytest.fixture(scope="module")
def keys(sts: Sts) -> Credentials:
    return sts.user("alice", ALLOW)


def well_formed(answer: Answer) -> None:
    """No traceback, no fault of ours: empty, XML, JSON, or the one page that AWS sends, too."""
    assert answer.status in {200, 302, 400, 403, 404, 413}
    kind = answer.header("content-type")
    if kind == "application/json":
        json.loads(answer.body)
    elif kind == "text/xml":
        assert answer.root is not None
    else:
        assert not answer.body or kind == "text/html" or answer.body == b"<UnknownOperationException/>\n"
    assert answer.header("content-length") == str(len(answer.body))


TEXTS = st.text(max_size=60) | st.sampled_from(["", "0", "-1", "a" * 3000, "{}", "[" * 2000, "arn:aws:iam::1:role/x"])
MEMBERS = sorted(
    {name for spec in load().operations.values() for name in spec.input}
    | {"Tags.member.1.Key", "Tags.member.1.Value", "Tags.member.0.Key", "Tags.member", "PolicyArns.member.1.arn"}
    | {"TaskPolicyArn.arn", "Audience.member.1", "ProvidedContexts.member.9.ProviderArn"}
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    operation=st.sampled_from(OPERATIONS),
    members=st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=20), TEXTS, max_size=8),
    accept=st.sampled_from(["*/*", "application/json"]),
)
def test_whatever_a_signed_request_says(
    sts: Sts, keys: Credentials, operation: str, members: dict[str, str], accept: str
) -> None:
    signed = load().operations[operation].authentication == "sigv4"
    request = plain_request(operation, tuple(members.items()), signed=signed)
    well_formed(sts.send(replace(request, headers=(("Accept", accept),)), keys if signed else None))


LATIN = st.text(st.characters(max_codepoint=255), max_size=80)
NAMES = ("authorization", "x-amz-date", "date", "content-type", "accept", "x-amz-security-token", "host")
HEADERS = st.sampled_from(NAMES)
PIECES = st.sampled_from([
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/sts/aws4_request", "SignedHeaders=host", "Signature=00", ",",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256", "&", "Action=GetCallerIdentity", "Version=2011-06-15", "%", "%zz",
    "20260101T000000Z",
])  # fmt: skip
HOSTILE = LATIN | st.lists(PIECES, max_size=6).map(" ".join) | st.lists(PIECES, max_size=6).map("&".join)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "BREW"]),
    target=HOSTILE.map(lambda text: f"/?{text}") | HOSTILE,
    headers=st.lists(st.tuples(HEADERS, HOSTILE | st.just("application/x-www-form-urlencoded")), max_size=5),
    body=st.binary(max_size=200) | HOSTILE.map(lambda text: text.encode("latin-1")),
)
def test_whatever_bytes_come(sts: Sts, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    answer = sts.service.answer(HttpRequest(method, target, tuple(headers), body))
    well_formed(Answer(answer.status, tuple((n.lower(), v) for n, v in answer.headers), answer.body))


@pytest.mark.parametrize(
    "piece",
    [b"a&", b"&", b"%41", b"Tags.member.%d.Key=a&", b"PolicyArns.member.%d.arn=a&", b"Tags.member.1.Key.%d=a&", b"="],
)
def test_ten_megabytes_are_answered_shortly(piece: bytes) -> None:
    service = build(Settings())
    head = b"Action=AssumeRoleWithSAML&Version=2011-06-15&"
    pieces = (piece % n if b"%d" in piece else piece for n in range((LONG - len(head)) // (len(piece) + 6)))
    body = head + b"".join(pieces)
    form = (("content-type", "application/x-www-form-urlencoded"),)
    answer = service.answer(HttpRequest("POST", "/", form, body))
    assert answer.status in {302, 400}
    assert len(answer.body) < 1_000_000
