"""Operations that do not exist at an endpoint are told apart from those that refuse, however it words that."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from targets.endpoint import parse_endpoint
from targets.http import Client
from targets.provision import Provisioner
from targets.redactor import Redactor
from targets.target import TEST_CREDENTIALS, Target
from tests.servers import Manner, Received, Stub, http

if TYPE_CHECKING:
    from collections.abc import Callable

THERE = {"GetCallerIdentity", "AssumeRole", "GetFederationToken", "AssumeRoleWithWebIdentity"}
NOT_THERE = {
    "AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage", "GetAccessKeyInfo", "GetDelegatedAccessToken",
    "GetSessionToken", "GetWebIdentityToken",
}  # fmt: skip


def unsupported(stub: Stub) -> set[str]:
    endpoint = parse_endpoint(stub.url)

    async def ask() -> set[str]:
        client = Client(endpoint, in_flight=4, max_rate=0.0, timeout=5.0)
        target = Target("stub", endpoint, None, "us-east-1", TEST_CREDENTIALS)
        estate = await Provisioner(target, client, None, Redactor()).prepare()
        client.close()
        return set(estate.unsupported)

    return asyncio.run(ask())


def two_servers(request: Received) -> bytes | None:
    """Answer as SeaweedFS does: what is signed goes elsewhere than what is not, and ids are short."""
    if request.parameters.get("Version") != "2011-06-15" or request.action in THERE - {"AssumeRoleWithWebIdentity"}:
        return None
    signed = "authorization" in request.headers
    if request.action == "AssumeRoleWithWebIdentity":
        code, status = ("AccessDenied", 403)
    elif request.action == "AssumeRoleWithSAML" or not signed:
        code, status = ("InvalidAction", 400)
    else:
        code, status = ("NotImplemented", 501)
    told = f"<Error><Code>{code}</Code></Error><RequestId>{os.urandom(12).hex().upper()}</RequestId>"
    return http(status, f"<ErrorResponse>{told}</ErrorResponse>")


def unknown_by_name(request: Received) -> bytes | None:
    """Name the action that is not known."""
    if request.parameters.get("Version") != "2011-06-15" or request.action in THERE:
        return None
    return http(404, f"<Error><Code>NoSuchAction</Code><Message>{request.action}?</Message></Error>")


@pytest.mark.parametrize("answer", [two_servers, unknown_by_name], ids=["two-servers", "by-name"])
def test_what_does_not_exist(answer: Callable[[Received], bytes | None]) -> None:
    with Stub(Manner(answer=answer)) as stub:
        found = unsupported(stub)
    assert found - {"AssumeRoleWithWebIdentity"} == NOT_THERE
    assert answer is not two_servers or "AssumeRoleWithWebIdentity" not in found  # it refuses, so it is there
