"""Values that are made at the moment of sending, and that they survive the way to a worker process."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from lxml import etree

from generators.answer import Answer
from generators.case import Recipe
from targets.credentials import Credentials
from targets.fresh import Fresh
from targets.identity import totp
from targets.identity.openid import OpenIdIssuer
from targets.identity.saml import SamlIssuer
from targets.provision import Estate
from targets.redactor import REDACTED, Redactor

SEED = totp.new_seed()
ROLE, PROVIDER = "arn:aws:iam::111122223333:role/r", "arn:aws:iam::111122223333:saml-provider/p"
ASSERTION = {"role": "${role-1}", "provider": PROVIDER, "tags": {"Project": "${role-1.name}"}}
NAMES = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion"}


@pytest.fixture(scope="module")
def openid() -> OpenIdIssuer:
    issuer = OpenIdIssuer()
    issuer.start()
    issuer.stop()
    return issuer


@pytest.fixture
def estate(openid: OpenIdIssuer) -> Estate:
    return Estate(
        values={"role-1": ROLE, "role-1.name": "r"},
        seeds={"user-1": SEED},
        issuers={"saml-1": SamlIssuer(), "openid-1": openid},
        audiences={"openid-1": "somebody"},
    )


def fresh(estate: Estate, says: dict[str, Any] | None = None, issuer: str = "openid-1", **more: Any) -> Fresh:
    return Fresh(estate, Redactor(), recipes=(Recipe("token-1", issuer, json.dumps(says or {})),), **more)


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def attributes(assertion: str) -> dict[str, list[str]]:
    root = etree.fromstring(base64.b64decode(assertion))
    return {
        found.get("Name").rpartition("/")[2]: [value.text for value in found]
        for found in root.iterfind(".//saml:Attribute", NAMES)
    }


def test_values_of_the_run_come_first(estate: Estate) -> None:
    values = fresh(estate)
    assert values["role-1"] == ROLE
    assert {"role-1", "role-1.name", "token-1"} == set(values)


@pytest.mark.parametrize("name", ["role-2", "user-2.code", "user-1.age", "kept-1.Credentials/AccessKeyId"])
def test_what_there_is_not_is_no_value(estate: Estate, name: str) -> None:
    with pytest.raises(KeyError):
        fresh(estate)[name]


def test_a_part_of_a_kept_answer(estate: Estate) -> None:
    body = b"<R><ARResult><Credentials><AccessKeyId>ASIA1</AccessKeyId></Credentials></ARResult></R>"
    answer = Answer(200, (), body)
    values = fresh(estate, answers={"kept-1": answer})
    assert values["kept-1.ARResult/Credentials/AccessKeyId"] == "ASIA1"
    with pytest.raises(KeyError):
        values["kept-1.ARResult/Credentials/Nothing"]


def test_codes(estate: Estate) -> None:
    now = datetime.now(UTC)
    near = {totp.code(SEED, now, steps=steps) for steps in (-1, 0, 1)}
    values = fresh(estate)
    shown = values["user-1.code"]
    assert shown in near
    assert values["user-1.wrong-code"] not in near
    assert values["user-1.used-code"] == shown
    assert values["user-1.next-code"] in {totp.code(SEED, now, steps=steps) for steps in (1, 2)}
    assert values["user-1.later-code"] in {totp.code(SEED, now, steps=steps) for steps in (10, 11)}
    assert values["user-1.old-code"] in {totp.code(SEED, now, steps=steps) for steps in (-20, -19)}


@pytest.mark.parametrize("ahead", [0, 905])
def test_a_token_is_signed_when_it_is_asked_for(estate: Estate, ahead: int) -> None:
    values = fresh(estate, {"source-identity": "alice", "lasts": 60, "methods": ["mfa"]}, ahead=ahead)
    told = claims(values["token-1"])
    moment = (datetime.now(UTC) + timedelta(seconds=ahead)).timestamp()
    assert abs(told["iat"] - moment) < 5
    assert told["exp"] == told["iat"] + 60
    assert (told["aud"], told["amr"]) == ("somebody", ["mfa"])  # what the provider was registered for
    assert values.redactor.clean(values["token-1"]) == REDACTED


def test_what_a_token_says_wins(estate: Estate) -> None:
    says = {"audience": ["a", "b"], "issued": -3600, "without": ["sub"], "more": {"x": 1}, "spoilt": "tampered"}
    told = claims(fresh(estate, says)["token-1"])
    assert told["aud"] == ["a", "b"]
    assert told["x"] == 1
    assert told["sub"] == "attacker"
    assert abs(told["iat"] + 3600 - datetime.now(UTC).timestamp()) < 5


def test_an_assertion_is_signed_when_it_is_asked_for(estate: Estate) -> None:
    values = fresh(estate, {**ASSERTION, "session-seconds": 900, "session-end": 60}, "saml-1")
    told = attributes(values["token-1"])
    assert told["Role"] == [f"{ROLE},{PROVIDER}"]
    assert told["PrincipalTag:Project"] == ["r"]
    assert told["SessionDuration"] == ["900"]
    assert values["token-1"] != values["token-1"]  # another id each time


def test_null_leaves_a_part_of_an_assertion_out(estate: Estate) -> None:
    told = attributes(fresh(estate, {**ASSERTION, "session-name": None, "ends": None}, "saml-1")["token-1"])
    assert "RoleSessionName" not in told


def test_an_estate_goes_through_a_pipe(estate: Estate, openid: OpenIdIssuer) -> None:
    """A worker signs with the same keys, under the same ids."""
    estate.callers["user"] = Credentials("AKIA1", "secret")
    estate.has |= {"a", "b"}
    text = estate.to_json()
    other = Estate.from_json(text)
    assert replace(other, issuers={}) == replace(estate, issuers={})
    keys = {key["kid"]: key for key in openid.documents()["/keys"]["keys"]}
    for algorithm in ("RS256", "RS512", "ES256", "ES384"):
        token = fresh(other, {"algorithm": algorithm})["token-1"]
        key = jwt.PyJWK(keys[jwt.get_unverified_header(token)["kid"]], algorithm)
        assert jwt.decode(token, key, [algorithm], audience="somebody")["iss"] == openid.url
    saml, again = estate.issuers["saml-1"], other.issuers["saml-1"]
    assert isinstance(saml, SamlIssuer)
    assert isinstance(again, SamlIssuer)
    assert again.metadata() == saml.metadata()


def test_no_other_kind_of_key_is_restored(openid: OpenIdIssuer) -> None:
    curve = next(text for name, text in openid.saved().items() if name.startswith("ES256"))
    saved = SamlIssuer().saved()
    with pytest.raises(ValueError, match="expected an RSA key"):
        SamlIssuer.restored({**saved, "key": curve})
