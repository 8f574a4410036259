"""The header X-Reference-Clock: one request is answered as if the clock were ahead, and no other."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest

from generators.case import plain_request
from targets.identity.openid import OpenIdIssuer, Token
from targets.identity.saml import Assertion, SamlIssuer
from targets.reference.clock import Clock
from targets.reference.model import HttpRequest
from targets.reference.service import Settings, build
from tests.reference.client import ALLOW, ROOT, Sts, policy, refusal_of, session_of

ACCOUNT = "111122223333"
ANYBODY = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
EXPIRED = (403, "ExpiredToken", "The security token included in the request is expired")


@pytest.fixture
def sts() -> Sts:
    """A reference whose clock stands still."""
    made = Sts()
    made.service.clock.stand(datetime(2026, 11, 22, 7, 30, tzinfo=UTC))
    return made


def test_a_session_is_over_for_that_request_alone(sts: Sts) -> None:
    role = sts.role("worker", ANYBODY)
    session = sts.assume(role, sts.user("alice", ALLOW), DurationSeconds=900)
    assert sts.call("GetCallerIdentity", session).status == 200
    assert sts.call("GetCallerIdentity", session, ahead=899).status == 200
    assert refusal_of(sts.call("GetCallerIdentity", session, ahead=901)) == EXPIRED
    assert sts.call("GetCallerIdentity", session).status == 200


def test_the_dates_of_signatures_follow(sts: Sts) -> None:
    far = 100 * 86_400
    assert sts.call("GetCallerIdentity", ahead=far).status == 200
    assert sts.call("GetCallerIdentity", ahead=-far).status == 200
    request = plain_request("GetCallerIdentity", (), signed=True)
    late = sts.service.answer(HttpRequest("POST", "/", (("x-reference-clock", "1000"),), b""))
    assert late.status == 302  # as without the header: it is no parameter of STS
    assert sts.send(request, None, ahead=1000).error_code == "MissingAuthenticationToken"


def test_the_times_of_the_answer_follow(sts: Sts) -> None:
    answer = sts.call("GetSessionToken", ahead=86_400.5, DurationSeconds=900)
    now = sts.service.clock.now()
    told = dict(answer.headers)["date"]
    assert parsedate_to_datetime(told) == now + timedelta(days=1)
    ends = answer.text_at("GetSessionTokenResult/Credentials/Expiration") or ""
    assert datetime.fromisoformat(ends) == now + timedelta(days=1, seconds=900)


def test_it_adds_to_the_moved_clock(sts: Sts) -> None:
    session = session_of(sts.call("GetSessionToken", DurationSeconds=900))
    sts.service.clock.move(600)
    assert sts.call("GetCallerIdentity", session).status == 200
    assert refusal_of(sts.call("GetCallerIdentity", session, ahead=301)) == EXPIRED
    sts.service.clock.move(600)
    assert refusal_of(sts.call("GetCallerIdentity", session)) == EXPIRED
    assert sts.call("GetCallerIdentity", session, ahead=-600).status == 200


def test_tokens_of_providers_are_judged_by_it(sts: Sts) -> None:
    issuer = SamlIssuer()
    made = sts.iam("CreateSAMLProvider", Name="idp", SAMLMetadataDocument=issuer.metadata())
    arn = made.text_at("CreateSAMLProviderResult/SAMLProviderArn") or ""
    role = sts.role("saml", {"Federated": arn}, statement={"Action": "sts:AssumeRoleWithSAML"})
    says = Assertion(role_arn=role, provider_arn=arn, issued=sts.service.clock.now())
    members = {"RoleArn": role, "PrincipalArn": arn, "SAMLAssertion": issuer.assertion(says)}
    late = sts.call("AssumeRoleWithSAML", None, ahead=301, **members)
    assert refusal_of(late) == (400, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
    assert sts.call("AssumeRoleWithSAML", None, **members).status == 200


def test_web_identity_tokens_too(sts: Sts) -> None:
    with OpenIdIssuer() as openid:
        given = {"Url": openid.url, "ClientIDList__member__1": "app", "ThumbprintList__member__1": openid.thumbprint}
        made = sts.iam("CreateOpenIDConnectProvider", ROOT, **given)
        arn = made.text_at("CreateOpenIDConnectProviderResult/OpenIDConnectProviderArn")
        role = sts.role("web", {"Federated": arn}, statement={"Action": "sts:AssumeRoleWithWebIdentity"})
        token = openid.token(Token(audience="app", issued=sts.service.clock.now(), lasts=timedelta(days=30)))
        members = {"RoleArn": role, "RoleSessionName": "web", "WebIdentityToken": token}
        assert sts.call("AssumeRoleWithWebIdentity", None, **members).status == 200
        old = sts.call("AssumeRoleWithWebIdentity", None, ahead=172_800, **members)
    assert refusal_of(old) == (400, "ExpiredTokenException", "Token too old: 172800")


MALFORMED = [
    "", "soon", "nan", "inf", "-inf", "1e3", "1_000", "0x10", "1,5", "1.", ".5", "--1", "\u0661", "9" * 400, "-9e9",
    "300000000000", "-3000000000",
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("target", ["/", "/_reference/clock?move=5"])
def test_what_is_no_decimal_number_is_refused(sts: Sts, value: str, target: str) -> None:
    before = sts.service.clock.now()
    answer = sts.service.answer(HttpRequest("POST", target, (("x-reference-clock", value),), b""))
    assert (answer.status, answer.body) == (400, b"{}")
    assert ("Content-Type", "application/json") in answer.headers
    assert sts.service.clock.now() == before
    assert sts.call("GetCallerIdentity").status == 200


def test_it_is_told_once(sts: Sts) -> None:
    twice = (("x-reference-clock", "1"), ("x-reference-clock", "2"))
    assert sts.service.answer(HttpRequest("POST", "/", twice, b"")).status == 400


@pytest.mark.parametrize("value", MALFORMED)
def test_the_clock_is_moved_by_the_same_rule(value: str) -> None:
    service = build(Settings())
    before = service.clock.now()
    answer = service.answer(HttpRequest("POST", f"/_reference/clock?move={quote(value)}", (), b""))
    assert (answer.status, answer.body) == (400, b"{}")
    assert service.clock.now() - before < timedelta(seconds=1)


def test_a_broken_query_of_a_control_call_is_refused() -> None:
    answer = build(Settings()).answer(HttpRequest("POST", "/_reference/clock?move=%zz", (), b""))
    assert (answer.status, answer.body) == (400, b"{}")


def test_the_clock_is_not_moved_out_of_the_calendar_by_steps() -> None:
    service = build(Settings())
    answers = [service.answer(HttpRequest("POST", "/_reference/clock?move=99999999999", (), b"")) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 400, 400]
    assert Sts(service).call("GetSessionToken").status == 200


def test_a_request_that_breaks_leaves_the_clock_alone() -> None:
    clock = Clock()
    before = clock.now()

    def breaks() -> None:
        with clock.ahead(1000):
            assert clock.now() - before > timedelta(seconds=999)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    assert clock.now() - before < timedelta(seconds=1)


@pytest.mark.parametrize("seconds", [math.nan, math.inf, 1e12, -1e12])
def test_times_that_cannot_be_are_none(seconds: float) -> None:
    clock = Clock()
    with pytest.raises((ValueError, OverflowError)), clock.ahead(seconds):
        pass
    with pytest.raises((ValueError, OverflowError)):
        clock.move(seconds)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_mfa_codes_are_judged_by_it_and_policies_too(sts: Sts) -> None:
    soon = sts.service.clock.now() + timedelta(hours=1)
    condition = {"Condition": {"DateGreaterThan": {"aws:CurrentTime": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}}}
    role = sts.role("later", ANYBODY, statement=condition)
    alice = sts.user("alice", ALLOW)
    members = {"RoleArn": role, "RoleSessionName": "one", "Policy": policy(ALLOW)}
    assert sts.call("AssumeRole", alice, **members).error_code == "AccessDenied"
    assert sts.call("AssumeRole", alice, ahead=3601, **members).status == 200
    assert sts.call("AssumeRole", alice, **members).error_code == "AccessDenied"
