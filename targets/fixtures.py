"""What cases need made: through IAM when the first of them asks for it, once a run; or given by a target file.

`python -m targets.fixtures [--json]` lists all of it, for whoever makes it by hand.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from generators.expectation import fill, placeholders
from targets.aws import in_partition
from targets.credentials import handed_out
from targets.iam import PATH, create, removal, role_request, tag_parameters
from targets.identity import totp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generators.case import Fixture
    from targets.http import Exchange
    from targets.iam import IamCall, Undo
    from targets.providers import Providers
    from targets.provision import Estate
    from targets.redactor import Redactor
    from targets.supplied import Supplied, SuppliedFixture

# IAM of AWS is eventually consistent, and nothing tells when a trust policy has arrived.
_AWS_SETTLES_SECONDS = 15.0
_FINISHES_SECONDS = 30.0
SEED_BITS = 112  # the least that pyotp takes
_STEP = 30.0  # seconds that a device shows a code


@dataclass
class Fixtures:
    """Makes fixtures, and remembers for each how to undo it; takes those that the target file gives."""

    run: str
    estate: Estate
    supplied: Supplied
    iam: Mapping[str, IamCall]  # by account: 'first', 'second'; none where nothing may be made
    providers: Providers
    words: Callable[[Exchange], str]
    redactor: Redactor
    parts: Undo
    wholes: Undo
    is_aws: bool
    partition: str = "aws"  # of the ARNs that documents name
    _made: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    _removed: set[str] = field(default_factory=set)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def have(self, fixture: Fixture) -> str:
        """Make `fixture`, unless it is there; returns '', or what is missing."""
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
        """Make a fixture, after those that it names; or take it."""
        supplied = self.supplied.fixtures.get(fixture.key)
        if supplied is not None:
            return self._take(fixture, supplied)
        for name in sorted(placeholders(fixture.trust + fixture.policy) & self._made.keys()):
            missing = await asyncio.shield(self._made[name])
            if missing:
                return missing
        if fixture.kind in {"saml", "openid"}:
            return await self.providers.have(fixture)
        make = {"role": self._role, "user": self._user, "policy": self._managed}[fixture.kind]
        failed = self._unmakable(fixture) or await make(fixture, f"sts-conformance-{self.run}-{fixture.key}")
        if not failed and self.is_aws:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _AWS_SETTLES_SECONDS)
        return failed

    def _unmakable(self, fixture: Fixture) -> str:
        """Say why a fixture cannot be made; '' if that can be tried."""
        estate = self.estate
        if not self.iam:
            return f"needs a {fixture.kind} of its own: let it be made, or give {fixture.key} in a target file"
        if fixture.account == "second" and ("second" not in self.iam or "second-account" not in estate.has):
            return estate.missing["second-account"]
        unknown = sorted(placeholders(fixture.trust + fixture.policy) - estate.values.keys())
        if unknown:
            return estate.missing.get(unknown[0]) or f"needs the ARN of {unknown[0]}, which is not known"
        return ""

    def _take(self, fixture: Fixture, supplied: SuppliedFixture) -> str:
        """Use what is there; it is neither looked at nor removed."""
        estate, key = self.estate, fixture.key
        if fixture.account == "second" and supplied.account_id in {"", estate.values["account"]}:
            return f"needs {key} in a second account: the one given, {supplied.arn}, is in none"
        parts = {"": supplied.arn, ".name": supplied.name, ".id": supplied.id}
        parts |= {".access-key-id": supplied.access_key_id, ".device": supplied.device}
        estate.values |= {f"{key}{part}": text for part, text in parts.items() if text}
        if supplied.keys is not None:
            estate.callers[key] = supplied.keys
        if supplied.seed:
            estate.seeds[key] = supplied.seed
        return ""

    async def _role(self, fixture: Fixture, name: str) -> str:
        iam, values = self.iam[fixture.account], self.estate.values
        trust, seconds = self._document(fixture.trust), fixture.max_session_seconds
        arn, made = await create(
            self.wholes,
            role_request(iam, name, trust, seconds=seconds, **tag_parameters(fixture.tags)),
            "CreateRoleResult/Role/Arn",
            lambda _: removal(iam, "DeleteRole", RoleName=name),
        )
        if not arn:
            return f"needs a role of its own: CreateRole was answered {self.words(made)}"
        role_id = made.name_at("CreateRoleResult/Role/RoleId")
        values |= {fixture.key: arn, f"{fixture.key}.name": name, f"{fixture.key}.id": role_id}
        return await self._policy(fixture, "Role", name)

    def _document(self, text: str) -> str:
        return fill(in_partition(text, self.partition), self.estate.values)

    def renew(self) -> None:
        """Have what was removed made again for whoever asks for it from now on: another run on the same estate."""
        for key in self._removed:
            del self._made[key]
        self._removed.clear()

    async def remove(self, fixture: Fixture) -> str:
        """Remove a role before the end of the run; returns '', or what hinders that. A given one stays."""
        if fixture.key in self.supplied.fixtures:
            return f"needs a role that may be removed: {fixture.key} is given"
        iam, name = self.iam[fixture.account], self.estate.values[f"{fixture.key}.name"]
        if fixture.policy:
            await iam("DeleteRolePolicy", RoleName=name, PolicyName="own")
        gone = await iam("DeleteRole", RoleName=name)
        if not gone.granted:
            return f"needs a role that can be removed: DeleteRole was answered {self.words(gone)}"
        self._removed.add(fixture.key)
        if self.is_aws:
            await asyncio.sleep(_AWS_SETTLES_SECONDS)
        return ""

    async def _user(self, fixture: Fixture, name: str) -> str:
        iam, values = self.iam[fixture.account], self.estate.values
        arn, made = await create(
            self.wholes,
            iam("CreateUser", UserName=name, Path=PATH, **tag_parameters(fixture.tags)),
            "CreateUserResult/User/Arn",
            lambda _: removal(iam, "DeleteUser", UserName=name),
        )
        if not arn:
            return f"needs a user of its own: CreateUser was answered {self.words(made)}"
        user_id = made.name_at("CreateUserResult/User/UserId")
        values |= {fixture.key: arn, f"{fixture.key}.name": name, f"{fixture.key}.id": user_id}
        return (
            await self._key(fixture, name)
            or await self._policy(fixture, "User", name)
            or (await self._device(fixture, name) if fixture.mfa else "")
        )

    async def _key(self, fixture: Fixture, name: str) -> str:
        """Give a user an access key, and put it in the state that it is to have."""
        iam = self.iam[fixture.account]
        key = await iam("CreateAccessKey", UserName=name)
        keys = handed_out(key.answer)
        if keys is None:
            return f"needs a user with keys of its own: CreateAccessKey was answered {self.words(key)}"
        self.redactor.add_handed_out(keys.secret_access_key, keys.session_token)
        self.estate.callers[fixture.key] = keys
        self.estate.values[f"{fixture.key}.access-key-id"] = key_id = keys.access_key_id
        delete = removal(iam, "DeleteAccessKey", UserName=name, AccessKeyId=key_id)
        if fixture.keys == "deleted":
            gone = await delete()
            return "" if gone.granted else f"needs a deleted key: DeleteAccessKey was answered {self.words(gone)}"
        self.parts.append(delete)
        if fixture.keys == "inactive":
            off = await iam("UpdateAccessKey", UserName=name, AccessKeyId=key_id, Status="Inactive")
            return "" if off.granted else f"needs an inactive key: UpdateAccessKey was answered {self.words(off)}"
        return ""

    async def _policy(self, fixture: Fixture, kind: str, name: str) -> str:
        """Give a role or a user its own policy."""
        if not fixture.policy:
            return ""
        iam = self.iam[fixture.account]
        named = {f"{kind}Name": name, "PolicyName": "own"}
        undo = removal(iam, f"Delete{kind}Policy", **named)
        self.parts.append(undo)
        put = await iam(f"Put{kind}Policy", **named, PolicyDocument=self._document(fixture.policy))
        if not put.granted:
            self.parts.remove(undo)
            return f"needs a policy: Put{kind}Policy was answered {self.words(put)}"
        return ""

    async def _managed(self, fixture: Fixture, name: str) -> str:
        iam = self.iam[fixture.account]
        document = self._document(fixture.policy)
        arn, made = await create(
            self.parts,
            iam("CreatePolicy", PolicyName=name, Path=PATH, PolicyDocument=document),
            "CreatePolicyResult/Policy/Arn",
            lambda arn: removal(iam, "DeletePolicy", PolicyArn=arn),
            self.estate.arn(f"policy{PATH}{name}", fixture.account),
        )
        if not arn:
            return f"needs a managed policy of its own: CreatePolicy was answered {self.words(made)}"
        self.estate.values[fixture.key] = arn
        return ""

    async def _device(self, fixture: Fixture, name: str) -> str:
        """Give a user an MFA device."""
        iam = self.iam[fixture.account]
        device = "CreateVirtualMFADeviceResult/VirtualMFADevice"
        serial, made = await create(
            self.wholes,
            iam("CreateVirtualMFADevice", VirtualMFADeviceName=name, Path=PATH),
            f"{device}/SerialNumber",
            lambda serial: removal(iam, "DeleteVirtualMFADevice", SerialNumber=serial),
            self.estate.arn(f"mfa{PATH}{name}", fixture.account),
        )
        if not serial:
            return f"needs an MFA device: CreateVirtualMFADevice was answered {self.words(made)}"
        told = made.text_at(f"{device}/Base32StringSeed")
        self.redactor.add_handed_out(told)
        seed = _seed(told)
        if not seed:
            why = f"the seed that CreateVirtualMFADevice sent is no base32 of {SEED_BITS} bits or more"
            return f"needs an MFA device that shows codes: {why}"
        self.redactor.add(seed)
        first, second = await self._two_codes(seed)
        codes = {"AuthenticationCode1": first, "AuthenticationCode2": second}
        on = await iam("EnableMFADevice", UserName=name, SerialNumber=serial, **codes)
        if not on.granted:
            return f"needs an MFA device that is switched on: EnableMFADevice was answered {self.words(on)}"
        self.parts.append(removal(iam, "DeactivateMFADevice", UserName=name, SerialNumber=serial))
        self.estate.seeds[fixture.key] = seed
        self.estate.values[f"{fixture.key}.device"] = serial
        if self.is_aws:
            await asyncio.sleep(_STEP)  # a code is good once, and the second one has been used
        return ""

    async def _two_codes(self, seed: str) -> tuple[str, str]:
        """Return two codes that follow each other: on AWS as they come, elsewhere the last two."""
        if not self.is_aws:
            now = datetime.now(UTC)
            return totp.code(seed, now, steps=-2), totp.code(seed, now, steps=-1)
        first = totp.code(seed, datetime.now(UTC))
        await asyncio.sleep(_STEP)
        return first, totp.code(seed, datetime.now(UTC))


def _seed(text: str) -> str:
    """Return the seed in base32, '' if there is none.

    IAM sends it in base64 (API reference of IAM, VirtualMFADevice); some emulators send it as it is.
    """
    with contextlib.suppress(ValueError):
        inner = base64.b64decode(text, validate=True).decode("ascii")
        if is_seed(inner):
            return inner
    return text if is_seed(text) else ""


def is_seed(text: str) -> bool:
    """Tell whether a text is base32, padding aside, and long enough for pyotp to make codes of it."""
    try:
        return len(base64.b32decode(text + "=" * (-len(text) % 8))) * 8 >= SEED_BITS
    except ValueError:
        return False


if __name__ == "__main__":
    import sys

    from targets.by_hand import main

    sys.exit(main(sys.argv[1:]))
