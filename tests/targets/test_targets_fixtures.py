"""What is made for cases, and what is taken instead; and that nothing of either is lost or left."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from generators.answer import Answer
from generators.case import Fixture, Recipe
from targets.by_hand import record, wanted
from targets.embedded import EmbeddedServer, free_port, start_reference
from targets.fixtures import Fixtures
from targets.http import Client, Exchange
from targets.identity.openid import OpenIdIssuer, Token, private_key
from targets.identity.saml import SamlIssuer
from targets.providers import Providers
from targets.provision import Estate, Provisioner
from targets.redactor import REDACTED, Redactor
from targets.supplied import Supplied, SuppliedFixture, SuppliedOpenId
from targets.tagged import TAG, Tagged
from targets.target import resolve
from targets.wire import Prepared
from tests import servers
from tests.servers import IAM, REQUEST_ID, Manner, Ran, Stub, Tree, document, error, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ARN = "arn:aws:iam::111122223333:"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PREPARED = Prepared("POST", "/", (), b"", datetime(2026, 1, 1, tzinfo=UTC))


# Made, at an IAM of the test's own


def answered(status: int, body: str) -> Exchange:
    return Exchange(PREPARED, Answer(status, (("content-type", "text/xml"),), body.encode()))


def granted(action: str, result: Tree | None = None) -> Exchange:
    body: dict[str, Tree] = {f"{action}Result": result} if result else {}
    return answered(200, document(f"{action}Response", body | {"ResponseMetadata": {"RequestId": REQUEST_ID}}, IAM))


REFUSED = answered(400, error("ValidationError", "Tags are not known here", IAM))
UNKNOWN = answered(403, error("AccessDenied", "No", IAM))
USER: Tree = {"User": {"Arn": f"{ARN}user/u", "UserId": "AIDA1"}}
KEY: Tree = {"AccessKey": {"AccessKeyId": "AKIA1", "SecretAccessKey": "hidden-hidden"}}


class FakeIam:
    """Remembers what it was asked, and answers what the test says."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Exchange]) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._answer = answer

    async def __call__(self, action: str, **parameters: str) -> Exchange:
        self.asked.append((action, parameters))
        return self._answer(action, parameters)

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.asked]


async def no_trial(_role: str, _token: str) -> Exchange:
    return UNKNOWN


def making(iam: FakeIam | None, supplied: Supplied | None = None, *, on_aws: bool = False) -> Fixtures:
    estate = Estate(values={"account": "111122223333"}, missing={"second-account": "needs a second account"})
    given, redactor = supplied or Supplied(), Redactor()

    def words(exchange: Exchange) -> str:
        return str(exchange.answer.status) if exchange.answer is not None else exchange.failure

    providers = Providers("0badcafe", estate, given, iam, words, [], no_trial, on_aws)
    accounts = {"first": iam} if iam is not None else {}
    return Fixtures("0badcafe", estate, given, accounts, providers, words, redactor, [], [], is_aws=on_aws)


def have(fixtures: Fixtures, fixture: Fixture) -> str:
    async def ask() -> str:
        return await fixtures.have(fixture)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        (base64.b64encode(SEED.encode()).decode(), ""),
        (SEED, ""),
        (SEED[:16], "needs an MFA device that shows codes: the seed .* is no base32 of 112 bits or more"),
        ("FCF6383A44EE40DBB197F707DBC6B397", "needs an MFA device that shows codes: the seed .* is no base32 .*"),
        (base64.b64encode(b"FCF6383A44EE40DBB197F707DBC6B397").decode(), "needs an MFA device that shows codes: .*"),
        ("", "needs an MFA device that shows codes: .*"),
    ],
)
def test_seeds_as_they_come(seed: str, words: str) -> None:
    """IAM's are base64 of base32; some emulators leave that out, and one sends hexadecimal digits."""
    device: Tree = {"VirtualMFADevice": {"SerialNumber": f"{ARN}mfa/u", "Base32StringSeed": seed}}
    results = {"CreateUser": USER, "CreateAccessKey": KEY, "CreateVirtualMFADevice": device}
    iam = FakeIam(lambda action, _: granted(action, results.get(action)))
    fixtures = making(iam)
    told = have(fixtures, Fixture("user-1", "user", mfa=True))
    assert re.fullmatch(words, told)
    assert bool(fixtures.estate.seeds) == (not words)
    assert ("EnableMFADevice" in iam.actions) == (not words)

    async def undo() -> None:
        for step in (*fixtures.parts, *fixtures.wholes):
            await step()

    asyncio.run(undo())
    assert "DeleteVirtualMFADevice" in iam.actions
    if seed:
        assert fixtures.redactor.clean(seed) == REDACTED


def test_without_iam_what_is_missing_is_told_by_its_key() -> None:
    for kind in ("role", "user", "policy"):
        told = have(making(None), Fixture(f"{kind}-1", kind))
        assert told == f"needs a {kind} of its own: let it be made, or give {kind}-1 in a target file"
    saml = have(making(None), Fixture("saml-provider-arn", "saml"))
    assert saml == "needs a SAML identity provider: let one be made, or give saml-provider in a target file"


@pytest.mark.parametrize(
    ("fixture", "on_aws", "words"),
    [
        (
            Fixture("openid-provider-arn", "openid", audiences=("a",)),
            False,
            "let one be made, or give openid-provider in a target file",
        ),
        (
            Fixture("openid-provider-arn", "openid", audiences=("a",)),
            True,
            "that AWS can reach: give openid-provider in a target file",
        ),
        (
            Fixture("openid-1", "openid", audiences=("a", "b")),
            False,
            "for a, b, which no target file can give: let it",
        ),
        (
            Fixture("openid-1", "openid", audiences=("a", "b")),
            True,
            "for a, b, which no target file can give: let it",
        ),
        (
            Fixture("openid-1", "openid", audiences=("a",), reachable=False),
            False,
            "whose keys cannot be fetched, which no target file",
        ),
    ],
)
def test_a_provider_that_cannot_be_made(fixture: Fixture, on_aws: bool, words: str) -> None:
    iam = FakeIam(lambda action, _: granted(action)) if on_aws else None
    assert words in have(making(iam, on_aws=on_aws), fixture)
    assert not iam or not iam.asked


def test_nothing_is_made_in_a_second_account_that_is_none() -> None:
    iam = FakeIam(lambda action, _: granted(action))
    fixtures = making(iam)
    fixtures.iam = {"first": iam, "second": iam}  # keys are given, but not of another account
    assert have(fixtures, Fixture("role-1", "role", account="second")) == "needs a second account"
    assert not iam.asked


@pytest.mark.parametrize("arn", [f"{ARN}role/r", "r"])
def test_what_is_given_in_the_second_account_is_in_another(arn: str) -> None:
    supplied = Supplied({"role-1": SuppliedFixture(arn, "second")})
    told = have(making(None, supplied), Fixture("role-1", "role", account="second"))
    assert told == f"needs role-1 in a second account: the one given, {arn}, is in none"


def test_parts_of_what_is_given_are_known_as_far_as_they_are() -> None:
    role = SuppliedFixture(f"{ARN}role/team/r", "first", id="AROA1")
    user = SuppliedFixture(f"{ARN}user/u", "first", access_key_id="AKIA1")
    fixtures = making(None, Supplied({"role-1": role, "user-1": user}))
    assert have(fixtures, Fixture("role-1", "role")) == ""
    assert have(fixtures, Fixture("user-1", "user")) == ""
    assert fixtures.estate.values == {
        "account": "111122223333",
        "role-1": f"{ARN}role/team/r", "role-1.name": "r", "role-1.id": "AROA1",
        "user-1": f"{ARN}user/u", "user-1.name": "u", "user-1.access-key-id": "AKIA1",
    }  # fmt: skip
    assert not fixtures.estate.callers


def test_a_port_that_is_taken_is_told() -> None:
    with OpenIdIssuer() as other:
        port = int(other.url.rpartition(":")[2])
        given = SuppliedOpenId(OpenIdIssuer(port=port), "you", arn="p", served=True)
        told = have(making(None, Supplied(openid=given)), Fixture("openid-provider-arn", "openid", audiences=("a",)))
    assert told.startswith("needs an OpenID Connect provider where the target file wants one served: ")


def test_what_no_key_signs_is_told() -> None:
    made = OpenIdIssuer()
    made._url = "https://idp.example.org"
    made._keys["one"], made._key_ids["ES256"] = ec.generate_private_key(ec.SECP256R1()), "one"
    made.algorithm = "ES256"
    estate = Estate(issuers={"openid-1": made, "openid-2": OpenIdIssuer(), "saml-1": SamlIssuer()})
    fine = [
        Recipe("a", "openid-1", "{}"),
        Recipe("b", "openid-2", '{"algorithm": "RS256"}'),
        Recipe("c", "saml-1", "{}"),
    ]
    assert estate.cannot_sign(fine) == ""
    told = estate.cannot_sign((*fine, Recipe("d", "openid-1", '{"algorithm": "RS384"}')))
    assert told == "needs a key that signs RS384: the one of the OpenID Connect provider given does not"


# Ends that come in the middle


class Interrupted(BaseException):
    """What Ctrl-C raises, wherever the program is."""


def test_what_was_being_made_at_an_interrupt_is_removed() -> None:
    """Its answer was never read, so nobody knows whether it is there."""
    for kind in ("role", "user"):
        broken = f"Create{kind.capitalize()}"

        def answer(action: str, _: dict[str, str], broken: str = broken) -> Exchange:
            if action == broken:
                raise Interrupted
            return granted(action)

        iam = FakeIam(answer)
        fixtures = making(iam)
        with pytest.raises(Interrupted):
            have(fixtures, Fixture(f"{kind}-1", kind))
        removed = asyncio.run(undone(fixtures))
        assert removed == [f"Delete{kind.capitalize()}"]
        refusing = making(FakeIam(lambda _action, _given: UNKNOWN))
        assert have(refusing, Fixture(f"{kind}-1", kind))
        assert asyncio.run(undone(refusing)) == []  # it was never made


async def undone(fixtures: Fixtures) -> list[str]:
    """Undo all and return the actions."""
    iam = fixtures.iam["first"]
    assert isinstance(iam, FakeIam)
    iam.asked.clear()
    for step in (*fixtures.parts, *fixtures.wholes):
        await step()
    return iam.actions


@pytest.mark.parametrize("recovers", [False, True])
def test_an_iam_that_answers_no_more_is_asked_no_more(recovers: bool) -> None:
    manner = Manner()
    with Stub(manner) as stub:
        target = resolve(stub.url)

        async def work() -> list[str]:
            clients = [Client(target.endpoint, in_flight=16, max_rate=0.0, timeout=0.3) for _ in range(2)]
            provisioner = Provisioner(target, clients[0], clients[1], Redactor())
            await provisioner.prepare()
            before, manner.hangs_after = len(stub.received), 1
            roles = [Fixture(f"role-{n}", "role", trust="{}") for n in range(100)]
            told = await asyncio.gather(*(provisioner.have(role) for role in roles))
            asked = len(stub.received) - before
            assert asked <= 16  # eight at once, and those that come while the eighth is waited for
            assert any("not sent: IAM answers no more" in one for one in told)
            manner.hangs_after = 0 if recovers else 1
            left = await provisioner.clean_up()
            assert recovers or len(stub.received) - before - asked <= 16
            for client in clients:
                client.close()
            return left

        left = asyncio.run(work())
        assert any("not sent: IAM answers no more" in one for one in left) == (not recovers)
        assert bool(servers.undone(stub)) == (not recovers)


# Tags


def tagged(iam: FakeIam, *calls: tuple[str, dict[str, str]]) -> list[Exchange]:
    call = Tagged(iam, "0badcafe")

    async def make() -> list[Exchange]:
        return [await call(action, **parameters) for action, parameters in calls]

    return asyncio.run(make())


OWN = {"Tags.member.1.Key": TAG, "Tags.member.1.Value": "0badcafe"}


def test_what_is_made_bears_the_runs_tag_after_its_own() -> None:
    iam = FakeIam(lambda action, _: granted(action))
    given = {"Tags.member.1.Key": "a", "Tags.member.1.Value": "b"}
    tagged(iam, ("CreateRole", {}), ("CreateUser", given), ("DeleteRole", {}), ("PutUserPolicy", {}))
    second = {"Tags.member.2.Key": TAG, "Tags.member.2.Value": "0badcafe"}
    assert [parameters for _, parameters in iam.asked] == [OWN, given | second, {}, {}]


def test_who_takes_no_tags_is_asked_without_them() -> None:
    iam = FakeIam(lambda action, given: REFUSED if TAG in given.values() else granted(action))
    made = tagged(iam, ("CreateRole", {"a": "1"}), ("CreateRole", {"a": "2"}), ("CreateUser", {}))
    assert all(exchange.granted for exchange in made)
    # Once is enough for each action; of one, the others may not be judged by it.
    assert iam.actions == ["CreateRole"] * 3 + ["CreateUser"] * 2
    assert [TAG in given.values() for _, given in iam.asked] == [True, False, False, True, False]


def test_what_is_refused_anyway_is_told_as_it_was_without_tags() -> None:
    iam = FakeIam(lambda _, given: REFUSED if TAG in given.values() else UNKNOWN)
    assert tagged(iam, ("CreateRole", {})) == [UNKNOWN]
    silent = FakeIam(lambda _action, _given: Exchange(PREPARED, None, "closed"))
    tagged(silent, ("CreateRole", {}))
    assert len(silent.asked) == 1


def test_no_thing_has_more_than_fifty_tags() -> None:
    iam = FakeIam(lambda action, _: granted(action))
    full = {f"Tags.member.{n}.{part}": str(n) for n in range(1, 51) for part in ("Key", "Value")}
    tagged(iam, ("CreateRole", full))
    assert [parameters for _, parameters in iam.asked] == [full]


# Given, at the reference: what is listed is all that it takes


@pytest.fixture
def reference() -> Iterator[EmbeddedServer]:
    server = start_reference()
    server.ready()
    yield server
    server.stop()


def client(server: EmbeddedServer, name: str, key: str = "test") -> Any:
    keys = {"aws_access_key_id": key, "aws_secret_access_key": "test"}
    return boto3.client(name, endpoint_url=server.url, region_name="us-east-1", **keys)


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIdIssuer]:
    """Somebody's issuer, which publishes its keys itself."""
    with OpenIdIssuer() as serving:
        serving.saved()
        yield serving


def allow(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


class Hand:
    """Makes by hand what `python -m targets.fixtures --json` lists, and writes it into a target file."""

    def __init__(self, server: EmbeddedServer, issuer: OpenIdIssuer, folder: Path) -> None:
        self._iam = {"first": client(server, "iam"), "second": client(server, "iam", "test-second")}
        self._issuer, self._folder = issuer, folder
        self.left_out: set[str] = set()
        accounts = [client(server, "sts", key).get_caller_identity()["Account"] for key in ("test", "test-second")]
        self._values = dict(zip(("account", "second-account"), accounts, strict=True))
        self._file: dict[str, Any] = {"endpoint": server.url, "provision": False, "one-region": True, "fixtures": {}}

    def make(self) -> Path:
        self._of_the_run()
        for one in wanted():
            listed = record(one)
            named = set(re.findall(r"\$\{([a-z0-9-]+)[.}]", json.dumps(listed)))
            if not listed["can-be-given"] or any(name.startswith("openid-") for name in named - self._values.keys()):
                self.left_out.add(listed["key"])  # or only the run can make what it trusts
                continue
            if listed["kind"] not in {"saml", "openid"}:
                self._file["fixtures"][listed["key"]] = getattr(self, f"_{listed['kind']}")(listed)
            elif listed["key"].endswith("-provider-arn"):
                kind = listed["kind"]
                self._file[f"{kind}-provider"] = (self._saml if kind == "saml" else self._openid)(listed)
        path = self._folder / "by-hand.yaml"
        path.write_text(json.dumps(self._file), encoding="utf-8")  # JSON is YAML
        return path

    def _of_the_run(self) -> None:
        iam = self._iam["first"]
        user = iam.create_user(UserName="tested")["User"]["Arn"]
        iam.put_user_policy(UserName="tested", PolicyName="p", PolicyDocument=allow(Action="sts:*", Resource="*"))
        self._file["user"] = self._key(iam, "tested")
        self._values["user-arn"] = user
        root = f"arn:aws:iam::{self._values['account']}:root"
        actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"]
        role = iam.create_role(
            RoleName="tested", Path="/by-hand/", MaxSessionDuration=43200,
            AssumeRolePolicyDocument=allow(Principal={"AWS": root}, Action=actions),
        )  # fmt: skip
        self._file |= {"role-arn": role["Role"]["Arn"], "role-max-session-seconds": 43200}
        deny = allow(Action="*", Resource="*").replace("Allow", "Deny")
        made = (iam.create_policy(PolicyName=f"p{n}", PolicyDocument=deny) for n in range(11))
        self._file["policy-arns"] = [one["Policy"]["Arn"] for one in made]

    def _key(self, iam: Any, name: str) -> dict[str, str]:
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"access-key-id": key["AccessKeyId"], "secret-access-key": key["SecretAccessKey"]}

    def _text(self, policy: object) -> str:
        return re.sub(r"\$\{([a-z0-9.-]+)\}", lambda match: self._values[match[1]], json.dumps(policy))

    def _tags(self, listed: dict[str, Any]) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in listed["tags"].items()]

    def _role(self, listed: dict[str, Any]) -> dict[str, Any]:
        iam, key = self._iam[listed["account"]], listed["key"]
        made = iam.create_role(
            RoleName=f"my-{key}", AssumeRolePolicyDocument=self._text(listed["trust-policy"]),
            MaxSessionDuration=listed["max-session-seconds"], Tags=self._tags(listed),
        )["Role"]  # fmt: skip
        if listed["policy"]:
            policy = self._text(listed["policy"])
            iam.put_role_policy(RoleName=f"my-{key}", PolicyName="own", PolicyDocument=policy)
        return self._known(key, made["Arn"], made["RoleId"])

    def _user(self, listed: dict[str, Any]) -> dict[str, Any]:
        iam, name = self._iam[listed["account"]], f"my-{listed['key']}"
        made = iam.create_user(UserName=name, Tags=self._tags(listed))["User"]
        if listed["policy"]:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=self._text(listed["policy"]))
        keys = self._key(iam, name)
        if listed["access-key"] == "deleted":
            iam.delete_access_key(UserName=name, AccessKeyId=keys["access-key-id"])
        elif listed["access-key"] == "inactive":
            iam.update_access_key(UserName=name, AccessKeyId=keys["access-key-id"], Status="Inactive")
        self._values[f"{listed['key']}.access-key-id"] = keys["access-key-id"]
        mfa = {"mfa": self._device(iam, name)} if listed["mfa"] else {}
        return self._known(listed["key"], made["Arn"], made["UserId"]) | keys | mfa

    def _device(self, iam: Any, name: str) -> dict[str, str]:
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        seed, now = made["Base32StringSeed"].decode(), int(time.time())
        codes = {f"AuthenticationCode{n}": pyotp.TOTP(seed).at(now + 30 * (n - 3)) for n in (1, 2)}
        iam.enable_mfa_device(UserName=name, SerialNumber=made["SerialNumber"], **codes)
        return {"serial-number": made["SerialNumber"], "seed": seed}

    def _policy(self, listed: dict[str, Any]) -> dict[str, Any]:
        document = self._text(listed["policy"])
        made = self._iam[listed["account"]].create_policy(PolicyName=f"my-{listed['key']}", PolicyDocument=document)
        return {"arn": self._known(listed["key"], made["Policy"]["Arn"], "")["arn"]}

    def _known(self, key: str, arn: str, own_id: str) -> dict[str, Any]:
        self._values |= {key: arn, f"{key}.name": arn.rpartition("/")[2], f"{key}.id": own_id}
        return {"arn": arn, "id": own_id}

    def _saml(self, listed: dict[str, Any]) -> dict[str, str]:
        told, idp = saml_provider(self._folder)
        made = self._iam["first"].create_saml_provider(Name="my-idp", SAMLMetadataDocument=idp.metadata())
        self._values |= {listed["key"]: made["SAMLProviderArn"], f"{listed['key']}.issuer": idp.entity_id}
        return told | {"arn": made["SAMLProviderArn"]}

    def _openid(self, listed: dict[str, Any]) -> dict[str, str]:
        made = self._iam["first"].create_open_id_connect_provider(
            Url=self._issuer.url, ClientIDList=["mine"], ThumbprintList=[self._issuer.thumbprint]
        )
        key, host = listed["key"], self._issuer.url.partition("://")[2]
        arn = made["OpenIDConnectProviderArn"]
        self._values |= {key: arn, f"{key}.issuer": host, f"{key}.audience": "mine"}
        return openid_provider(self._folder, self._issuer) | {"arn": arn, "audience": "mine"}


def saml_provider(folder: Path) -> tuple[dict[str, str], SamlIssuer]:
    idp = SamlIssuer("https://idp.example.org/mine")
    for name in ("key", "certificate"):
        (folder / f"saml-{name}.pem").write_text(idp.saved()[name], encoding="utf-8")
    return {"entity-id": idp.entity_id, "key": "saml-key.pem", "certificate": "saml-certificate.pem"}, idp


def openid_provider(folder: Path, issuer: OpenIdIssuer) -> dict[str, str]:
    name = next(name for name in issuer.saved() if name.startswith("RSA "))
    assert private_key(issuer.saved()[name])
    (folder / "openid.pem").write_text(issuer.saved()[name], encoding="utf-8")
    return {"issuer": issuer.url, "key": "openid.pem", "key-id": name.removeprefix("RSA ")}


def everything_in(server: EmbeddedServer) -> set[str]:
    """Return the names of all that two accounts hold."""
    held: set[str] = set()
    for key in ("test", "test-second"):
        iam = client(server, "iam", key)
        held |= {each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}
        held |= {each["Arn"] for each in iam.list_saml_providers()["SAMLProviderList"]}
        held |= {each["SerialNumber"] for each in iam.list_virtual_mfa_devices()["VirtualMFADevices"]}
        for kind in ("users", "roles", "policies"):
            only = {"Scope": "Local"} if kind == "policies" else {}
            pages = iam.get_paginator(f"list_{kind}").paginate(**only)
            held |= {each["Arn"] for page in pages for each in page[kind.capitalize()]}
    return held


def reasons(ran: Ran, verdict: str) -> dict[str, str]:
    return {case.id: case.reason for case in ran.results.cases if case.verdict == verdict}


# What nobody can give in a target file: here only the reference, started by the suite, hands it out.
NOT_GIVEN = (
    "which no target file can give|give --slow|needs the root user|needs encoded message|needs trade in token"
    "|needs organization management account|needs outbound federation|needs member account"
    "|needs a key that signs ES|its control"
)


def test_what_is_listed_is_all_that_it_takes(reference: EmbeddedServer, issuer: OpenIdIssuer, tmp_path: Path) -> None:
    hand = Hand(reference, issuer, tmp_path)
    target = hand.make()
    before = everything_in(reference)
    ran = run(tmp_path / "report", f"--target={target}", "-q", "--tb=short")
    assert reasons(ran, "deviates") == {}
    # One key signs no algorithm of another kind.
    undecided = reasons(ran, "inconclusive")
    assert [one for one in undecided.items() if "has no key that signs ES" not in one[1]] == []
    untestable = reasons(ran, "untestable")
    expected = re.compile("|".join((NOT_GIVEN, *hand.left_out)))
    assert [one for one in untestable.items() if not expected.search(one[1])] == []
    assert len(hand.left_out) < 12
    assert len(ran.cases) - len(untestable) > 2000
    assert everything_in(reference) == before


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_a_provider_without_an_arn_is_registered_for_the_run(
    reference: EmbeddedServer, issuer: OpenIdIssuer, tmp_path: Path, more: tuple[str, ...]
) -> None:
    told = {
        "saml-provider": saml_provider(tmp_path)[0],
        "openid-provider": openid_provider(tmp_path, issuer) | {"thumbprint": issuer.thumbprint, "audience": "you"},
    }
    served(reference, tmp_path, told, *more)


def test_an_issuer_is_served_where_it_is_wanted(reference: EmbeddedServer, tmp_path: Path) -> None:
    url = f"https://localhost:{free_port()}"
    ran = served(reference, tmp_path, {"openid-provider": {"serve": url}})
    told = next(case for case in ran.results.cases if "web-identity.response.provider" in case.id)
    assert url.partition("://")[2] in told.model_dump_json()


def served(server: EmbeddedServer, folder: Path, told: dict[str, Any], *more: str) -> Ran:
    """Run what is about providers; all of it conforms, and they are gone afterwards."""
    path = folder / "providers.yaml"
    path.write_text(json.dumps({"endpoint": server.url, "one-region": True} | told), encoding="utf-8")
    before = everything_in(server)
    chosen = "caller-validated or trust.audience or response.provider or response.issuer"
    ran = run(folder / "report", f"--target={path}", "-q", "-k", chosen, *more)
    assert ran.status == 0, ran.output
    assert set(ran.verdicts.values()) == {"conforms"}
    assert any("web-identity.trust.audience" in case for case in ran.cases)
    assert everything_in(server) == before
    return ran


def test_a_target_that_never_asks_for_keys(reference: EmbeddedServer, tmp_path: Path) -> None:
    """It is given a role that trusts another issuer; what it says to a token is no verdict on the token."""
    iam = client(reference, "iam")
    trust = allow(Principal={"Federated": f"{ARN}oidc-provider/localhost:1"}, Action="sts:AssumeRoleWithWebIdentity")
    role = iam.create_role(RoleName="my-deaf-role", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    told = {
        "endpoint": reference.url, "provision": False, "fixtures": {"web-identity-role-arn": {"arn": role}},
        "openid-provider": {"serve": f"https://localhost:{free_port()}", "arn": f"{ARN}oidc-provider/localhost:1"},
    }  # fmt: skip
    path = tmp_path / "deaf.yaml"
    path.write_text(json.dumps(told), encoding="utf-8")
    ran = run(tmp_path / "report", f"--target={path}", "-q", "-k", "web-identity.caller-validated")
    assert set(ran.verdicts.values()) == {"untestable"}
    assert all("it never asked https://localhost:" in reason for reason in reasons(ran, "untestable").values())


def test_secrets_of_a_target_file_are_known_before_anything_is_sent(tmp_path: Path) -> None:
    key = next(one.fixture.key for one in wanted() if one.fixture.mfa)
    keys = [
        {"access-key-id": f"AKIA{number}", "secret-access-key": f"{number}-Given/Secret/0123456789"}
        for number in range(5)
    ]
    names = ("credentials", "user", "root", "second-account")
    mfa = {"mfa": {"serial-number": f"{ARN}mfa/u", "seed": SEED}}
    given = {key: {"arn": f"{ARN}user/u"} | keys[4] | mfa}
    path = tmp_path / "t.yaml"
    told = {"endpoint": "http://127.0.0.1:9", "fixtures": given} | dict(zip(names, keys, strict=False))
    path.write_text(json.dumps(told), encoding="utf-8")
    target, redactor = resolve(str(path)), Redactor()
    Provisioner(target, Client(target.endpoint, in_flight=1, max_rate=0.0, timeout=1.0), None, redactor)
    for secret in (SEED, *(each["secret-access-key"] for each in keys)):
        assert redactor.clean(f"it is {secret}") == f"it is {REDACTED}"


def test_tokens_of_an_issuer_name_the_algorithm_of_its_own() -> None:
    assert Token().algorithm is None
