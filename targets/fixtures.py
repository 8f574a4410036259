"""Roles and users that scenarios need: made through IAM when the first case asks for one, once a run."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from targets.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from generators.case import Fixture
    from targets.credentials import Redactor
    from targets.http import Exchange
    from targets.provision import Estate

    Undo = list[Callable[[], Awaitable[Exchange]]]

PATH = "/sts-conformance/"  # in IAM, of what a run makes
# IAM of AWS is eventually consistent, and nothing tells when a trust policy has arrived.
_AWS_SETTLES_SECONDS = 15.0
_FINISHES_SECONDS = 30.0


async def create_role(
    iam: Callable[..., Awaitable[Exchange]], name: str, trust: str, *, seconds: int = 43200, **more: str
) -> Exchange:
    """Make a role whose sessions may last `seconds`, twelve hours unless told otherwise."""
    return await iam(
        "CreateRole",
        RoleName=name,
        Path=PATH,
        AssumeRolePolicyDocument=trust,
        MaxSessionDuration=str(seconds),
        **more,
    )


@dataclass
class Fixtures:
    """Makes fixtures, and remembers for each how to undo it."""

    run: str
    estate: Estate
    iam: Callable[..., Awaitable[Exchange]]
    words: Callable[[Exchange], str]
    redactor: Redactor
    parts: Undo
    wholes: Undo
    is_aws: bool
    _made: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def have(self, fixture: Fixture) -> str:
        """Make `fixture`, unless it is made; returns '', or what is missing."""
        task = self._made.get(fixture.key)
        if task is None:
            task = self._made[fixture.key] = asyncio.get_running_loop().create_task(self._make(fixture))
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for what is being made, so that it is known and can be removed."""
        self._ending.set()
        if self._made:
            await asyncio.wait(self._made.values(), timeout=_FINISHES_SECONDS)

    async def _make(self, fixture: Fixture) -> str:
        name = f"sts-conformance-{self.run}-{fixture.key}"
        make = self._role if fixture.key.startswith("role-") else self._user
        failed = await make(fixture, name)
        if not failed and self.is_aws:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _AWS_SETTLES_SECONDS)
        return failed

    async def _role(self, fixture: Fixture, name: str) -> str:
        principals = self._principals()
        for trusted in fixture.trusts:
            if trusted not in principals:
                earlier = self._made.get(trusted)
                return (await earlier if earlier else "") or f"needs the ARN of a {trusted}, which is not known"
        trust, seconds = self._trust(fixture), fixture.max_session_seconds
        made = await create_role(self.iam, name, trust, seconds=seconds, **_tags(fixture))
        arn = made.text_at("CreateRoleResult/Role/Arn")
        if not arn:
            return f"needs a role of its own: CreateRole was answered {self.words(made)}"
        self.wholes.append(lambda: self.iam("DeleteRole", RoleName=name))
        self.estate.values[fixture.key] = arn
        return await self._policy(fixture, "Role", name)

    async def _user(self, fixture: Fixture, name: str) -> str:
        made = await self.iam("CreateUser", UserName=name, Path=PATH, **_tags(fixture))
        arn = made.text_at("CreateUserResult/User/Arn")
        if not arn:
            return f"needs a user of its own: CreateUser was answered {self.words(made)}"
        self.wholes.append(lambda: self.iam("DeleteUser", UserName=name))
        self.estate.values[fixture.key] = arn
        key = await self.iam("CreateAccessKey", UserName=name)
        key_id, secret = (
            key.text_at(f"CreateAccessKeyResult/AccessKey/{part}") for part in ("AccessKeyId", "SecretAccessKey")
        )
        if not key_id or not secret:
            return f"needs a user with keys of its own: CreateAccessKey was answered {self.words(key)}"
        self.parts.append(lambda: self.iam("DeleteAccessKey", UserName=name, AccessKeyId=key_id))
        self.redactor.add(secret)
        self.estate.callers[fixture.key] = Credentials(key_id, secret)
        return await self._policy(fixture, "User", name)

    async def _policy(self, fixture: Fixture, kind: str, name: str) -> str:
        """Give a role or a user its own policy."""
        statements = [
            {"Effect": effect, "Action": list(actions), "Resource": "*"}
            for effect, actions in (("Allow", fixture.allows), ("Deny", fixture.denies))
            if actions
        ]
        if not statements:
            return ""
        named = {f"{kind}Name": name, "PolicyName": "own"}
        put = await self.iam(f"Put{kind}Policy", **named, PolicyDocument=document(*statements))
        if not put.granted:
            return f"needs a policy: Put{kind}Policy was answered {self.words(put)}"
        self.parts.append(lambda: self.iam(f"Delete{kind}Policy", **named))
        return ""

    def _principals(self) -> dict[str, str]:
        """Return the ARNs of whom a role may trust, by the names that fixtures have for them."""
        values = self.estate.values
        found = {"account": f"arn:aws:iam::{values['account']}:root", "user": values.get("user-arn", "")}
        found |= {key: values[key] for key in self._made if key in values}
        return {name: arn for name, arn in found.items() if arn}

    def _trust(self, fixture: Fixture) -> str:
        principals = self._principals()
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"AWS": [principals[name] for name in fixture.trusts]},
            "Action": list(fixture.grants),
        }
        if fixture.when != "{}":
            statement["Condition"] = json.loads(fixture.when)
        return document(statement)


def document(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def _tags(fixture: Fixture) -> dict[str, str]:
    return {
        name: text
        for number, (key, value) in enumerate(fixture.tags, 1)
        for name, text in ((f"Tags.member.{number}.Key", key), (f"Tags.member.{number}.Value", value))
    }
