"""What is asked of IAM and STS in each partition of AWS; a client that sends nothing takes it down."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import pytest

from generators.case import Fixture, plain_request
from targets.credentials import Credentials
from targets.endpoint import Endpoint, parse_endpoint
from targets.http import Exchange
from targets.leftovers_iam import Iam
from targets.provision import Provisioner
from targets.redactor import Redactor
from targets.target import resolve
from targets.wire import Signer, filled, prepare

if TYPE_CHECKING:
    from generators.case import Request
    from targets.http import Client
    from targets.wire import Prepared

PARTITIONS = {
    "eu-west-1": ("aws", "iam.amazonaws.com", "us-east-1"),
    "cn-northwest-1": ("aws-cn", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    "us-gov-east-1": ("aws-us-gov", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
    "eusc-de-east-1": ("aws-eusc", "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
    "us-iso-west-1": ("aws-iso", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
}


@dataclass
class Quiet:
    """A client that answers nothing and remembers what it was to send."""

    endpoint: Endpoint
    sent: list[Prepared] = field(default_factory=list)

    async def send(self, prepared: Prepared) -> Exchange:
        self.sent.append(prepared)
        return Exchange(prepared, None, "no answer")

    def given(self, action: str) -> dict[str, str]:
        """Return the parameters of the request for an action."""
        found = (dict(parse_qsl(prepared.body.decode())) for prepared in self.sent)
        return next(given for given in found if given["Action"] == action)

    @property
    def headers(self) -> list[dict[str, str]]:
        return [dict(prepared.headers) for prepared in self.sent]


@pytest.fixture(params=PARTITIONS)
def region(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return str(request.param)


def _provisioner(region: str) -> tuple[Provisioner, Quiet, Quiet]:
    target = resolve("aws", region=region, provision=True)
    assert target.iam_endpoint is not None
    sts, iam = Quiet(target.endpoint), Quiet(target.iam_endpoint)
    return Provisioner(target, cast("Client", sts), cast("Client", iam), Redactor()), sts, iam


def _principals(trust: str) -> Any:
    return json.loads(trust)["Statement"][0]["Principal"]["AWS"]


def test_provisioning_is_of_its_partition(region: str) -> None:
    partition, host, signed_for = PARTITIONS[region]
    provisioner, sts, iam = _provisioner(region)
    estate = provisioner.estate
    estate.values["account"] = "123456789012"
    estate.callers["target"] = Credentials("AKIAAMBIENT", "secret")
    fixture = Fixture(
        "role-1", "role",
        trust='{"Statement":[{"Principal":{"AWS":"arn:aws:iam::${account}:root"}}]}',
    )  # fmt: skip

    async def make() -> None:
        await provisioner._make_role()
        await provisioner._policies()
        await provisioner.have(fixture)
        await provisioner._plain("AssumeRole", signed=True)

    asyncio.run(make())
    trusts = [dict(parse_qsl(one.body.decode()))["AssumeRolePolicyDocument"] for one in iam.sent]
    assert [_principals(trust) for trust in trusts] == [
        [f"arn:{partition}:iam::123456789012:root"],
        f"arn:{partition}:iam::123456789012:root",
    ]
    for headers in iam.headers:
        assert headers["Host"] == host
        assert f"/{signed_for}/iam/aws4_request" in headers["Authorization"]
    assert estate.values["policy-arn-1"] == f"arn:{partition}:iam::aws:policy/ReadOnlyAccess"
    assert sts.given("AssumeRole")["RoleArn"].startswith(f"arn:{partition}:iam::123456789012:role/")
    assert sts.given("AssumeRole")["DurationSeconds"] == "900"  # restrained
    assert "Deny" in sts.given("AssumeRole")["Policy"]
    assert f"/{region}/sts/aws4_request" in sts.headers[0]["Authorization"]


def test_leftovers_are_looked_for_in_its_partition(region: str) -> None:
    _, host, signed_for = PARTITIONS[region]
    target = resolve("aws", region=region, provision=True)
    assert target.iam_endpoint is not None
    client = Quiet(target.iam_endpoint)
    asyncio.run(Iam(cast("Client", client), target.credentials, Redactor()).call("ListUsers"))
    assert client.headers[0]["Host"] == host
    assert f"/{signed_for}/iam/aws4_request" in client.headers[0]["Authorization"]


def test_requests_name_arns_of_their_partition() -> None:
    now = datetime.now(UTC)
    request = plain_request("AssumeRole", (("RoleArn", "arn:aws:iam::${account}:role/x"),), signed=True)
    made_up = plain_request("AssumeRole", (("RoleArn", "arn:aws:iam::123456789012:role/x"),), signed=True)
    keys, values = Credentials("AKIA", "secret"), {"account": "111122223333"}
    for url, partition in (
        ("http://127.0.0.1", "aws"),
        ("https://sts.eu-west-1.amazonaws.com", "aws"),
        ("https://sts.cn-north-1.amazonaws.com.cn", "aws-cn"),
    ):
        signer = Signer(parse_endpoint(url), "cn-north-1")

        def role_of(request: Request, signer: Signer = signer) -> str:
            sent = prepare(filled(request, values, signer.endpoint.partition), signer, keys, now)
            return dict(parse_qsl(sent.body.decode()))["RoleArn"]

        assert role_of(request) == f"arn:{partition}:iam::111122223333:role/x"
        assert role_of(made_up) == "arn:aws:iam::123456789012:role/x"
