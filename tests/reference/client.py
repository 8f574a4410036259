"""A signed caller of a reference within the process, whose clock it follows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from generators.answer import Answer
from generators.case import Request, plain_request
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.reference.model import HttpRequest
from targets.reference.service import IAM_VERSION, Service, Settings, build
from targets.wire import Signer, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Credentials("test", "test")
SECOND_ROOT = Credentials("test-second", "test")
ENDPOINT = parse_endpoint("http://127.0.0.1:1")
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass
class Sts:
    """A reference, and how to ask it."""

    service: Service = field(default_factory=lambda: build(Settings()))

    def send(
        self, request: Request, keys: Credentials | None, service: str = "sts", ahead: float | None = None
    ) -> Answer:
        """Send a request; with `ahead`, as if the clocks of both sides were so many seconds ahead."""
        if ahead is not None:
            request = replace(request, headers=(*request.headers, ("X-Reference-Clock", str(ahead))))
        signer = Signer(ENDPOINT, "us-east-1", service)
        sent = prepare(request, signer, keys, self.service.clock.now() + timedelta(seconds=ahead or 0))
        headers = tuple((name.lower(), value) for name, value in sent.headers)
        answer = self.service.answer(HttpRequest(sent.method, sent.target, headers, sent.body))
        return Answer(answer.status, tuple((n.lower(), v) for n, v in answer.headers), answer.body)

    def call(self, operation: str, keys: Credentials | None = ROOT, **members: object) -> Answer:
        """Call an operation; `ahead` is no member, but as in `send`."""
        told = members.pop("ahead", None)
        ahead = None if told is None else float(str(told))
        pairs = tuple((name.replace("__", "."), str(value)) for name, value in members.items())
        return self.send(plain_request(operation, pairs, signed=keys is not None), keys, ahead=ahead)

    def iam(self, action: str, keys: Credentials = ROOT, **members: object) -> Answer:
        pairs = tuple((name.replace("__", "."), str(value)) for name, value in members.items())
        request = Request(action, (("Action", action), ("Version", IAM_VERSION), *pairs))
        answer = self.send(request, keys, "iam")
        assert answer.status == 200, answer.text
        return answer

    def user(self, name: str, *statements: Mapping[str, Any], root: Credentials = ROOT) -> Credentials:
        """Make a user with keys and one policy."""
        self.iam("CreateUser", root, UserName=name)
        if statements:
            self.iam("PutUserPolicy", root, UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        made = self.iam("CreateAccessKey", root, UserName=name)
        key = "CreateAccessKeyResult/AccessKey"
        return Credentials(made.text_at(f"{key}/AccessKeyId") or "", made.text_at(f"{key}/SecretAccessKey") or "")

    def role(self, name: str, principal: object, *, root: Credentials = ROOT, **more: object) -> str:
        """Make a role that `principal` may assume, tag and identify; returns its ARN."""
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        } | more.pop("statement", {})  # type: ignore[operator]
        made = self.iam("CreateRole", root, RoleName=name, AssumeRolePolicyDocument=policy(statement), **more)
        return made.text_at("CreateRoleResult/Role/Arn") or ""

    def assume(self, role: str, keys: Credentials, name: str = "session", **members: object) -> Credentials:
        return session_of(self.call("AssumeRole", keys, RoleArn=role, RoleSessionName=name, **members))

    def arn_of(self, keys: Credentials) -> str:
        answer = self.call("GetCallerIdentity", keys)
        return answer.text_at("GetCallerIdentityResult/Arn") or answer.error_code or ""


def session_of(answer: Answer) -> Credentials:
    assert answer.status == 200, answer.text
    assert answer.root is not None
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in answer.root.iter()}
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def refusal_of(answer: Answer) -> tuple[int, str | None, str | None]:
    return answer.status, answer.error_code, answer.error_message
