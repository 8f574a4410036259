"""What IAM holds: users, roles, groups, policies, identity providers and MFA devices of all accounts.

Plain records in dictionaries. Whoever changes a name or a path takes the record out of its table before.
"""

from __future__ import annotations

import base64
import json
import secrets
import string
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import uuid4

from targets.reference.model import Role, User

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

AWS_MANAGED = "arn:aws:iam::aws:policy/"
_ID_LETTERS = string.ascii_uppercase + "234567"
_SECRET_LETTERS = string.ascii_letters + string.digits + "+/"
_KEY_LENGTH = 20  # of an access key's id; other ids have one more

Tags = dict[str, tuple[str, str]]  # by key in lower case: IAM tells keys apart by their letters alone


@dataclass(slots=True, eq=False, kw_only=True)
class Record:
    """Something with a name and an ARN in an account."""

    kind: ClassVar[str]
    account: str
    name: str
    path: str = "/"
    id: str
    created: datetime
    tags: Tags = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The ARN, as name and path make it."""
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


@dataclass(slots=True, eq=False, kw_only=True)
class Holder(Record):
    """What policies can be put on."""

    inline: dict[str, str] = field(default_factory=dict)
    attached: dict[str, str] = field(default_factory=dict)  # names by ARN
    boundary: str | None = None  # ARN of a managed policy


@dataclass(slots=True, eq=False)
class KeyRecord:
    """An access key."""

    id: str
    secret: str = field(repr=False)
    created: datetime
    user: UserRecord = field(repr=False)
    active: bool = True


@dataclass(slots=True, eq=False, kw_only=True)
class UserRecord(Holder):
    """A user."""

    kind = "user"
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    groups: dict[str, GroupRecord] = field(default_factory=dict)  # by id
    devices: dict[str, DeviceRecord] = field(default_factory=dict)  # by serial


@dataclass(slots=True, eq=False, kw_only=True)
class GroupRecord(Holder):
    """A group."""

    kind = "group"
    users: dict[str, UserRecord] = field(default_factory=dict)  # by id


@dataclass(slots=True, eq=False, kw_only=True)
class RoleRecord(Holder):
    """A role."""

    kind = "role"
    trust: str
    description: str | None = None
    max_session_seconds: int = 3600


@dataclass(slots=True, eq=False)
class VersionRecord:
    """A version of a managed policy."""

    name: str  # v1
    document: str
    created: datetime


@dataclass(slots=True, eq=False, kw_only=True)
class PolicyRecord(Record):
    """A managed policy of an account."""

    kind = "policy"
    versions: dict[str, VersionRecord]
    default: str = "v1"
    made: int = 1  # versions ever made
    description: str | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class SamlRecord(Record):
    """A SAML provider."""

    kind = "saml-provider"
    metadata: str


@dataclass(slots=True, eq=False, kw_only=True)
class OpenIdRecord(Record):
    """An OpenID Connect provider; its name is the issuer's URL without https://."""

    kind = "oidc-provider"
    client_ids: list[str]
    thumbprints: list[str]


@dataclass(slots=True, eq=False, kw_only=True)
class DeviceRecord(Record):
    """A virtual MFA device; its ARN is its serial number."""

    kind = "mfa"
    seed: str = field(repr=False)
    user: UserRecord | None = None
    enabled: datetime | None = None


@dataclass(slots=True)
class Outbound:
    """An account's outbound web identity federation."""

    issuer: str
    enabled: bool = False


R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """Records of one kind, found by name, ARN or unique id at the cost of a look into a dictionary."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], R] = {}
        self.by_arn: dict[str, R] = {}
        self.by_id: dict[str, R] = {}

    def add(self, record: R) -> None:
        """Take `record` in."""
        self._by_name[record.account, record.name.lower()] = record
        self.by_arn[record.arn] = record
        self.by_id[record.id] = record

    def remove(self, record: R) -> None:
        """Take `record` out."""
        del self._by_name[record.account, record.name.lower()]
        del self.by_arn[record.arn]
        del self.by_id[record.id]

    def named(self, account: str, name: str) -> R | None:
        """Return the record of that very name."""
        record = self.like(account, name)
        return record if record is not None and record.name == name else None

    def like(self, account: str, name: str) -> R | None:
        """Return the record whose name differs in case at most: two of those cannot be."""
        return self._by_name.get((account, name.lower()))

    def of(self, account: str) -> list[R]:
        """Return an account's records, by name."""
        return sorted((r for r in self.by_id.values() if r.account == account), key=lambda r: r.name)


class Store:
    """All that one IAM holds."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self.accounts = {account: Outbound(f"https://{uuid4()}.tokens.sts.global.api.aws") for account in accounts}
        self.users: Table[UserRecord] = Table()
        self.groups: Table[GroupRecord] = Table()
        self.roles: Table[RoleRecord] = Table()
        self.policies: Table[PolicyRecord] = Table()
        self.saml: Table[SamlRecord] = Table()
        self.openid: Table[OpenIdRecord] = Table()
        self.devices: Table[DeviceRecord] = Table()
        self.keys: dict[str, KeyRecord] = {}

    def policy_text(self, arn: str) -> str | None:
        """Return the default version of a managed policy, an account's or AWS's own."""
        policy = self.policies.by_arn.get(arn)
        if policy is not None:
            return policy.versions[policy.default].document
        return aws_managed_policies().get(arn) if arn.startswith(AWS_MANAGED) else None

    def holders(self, account: str) -> Iterator[Holder]:
        """Yield all of an account that policies may be put on."""
        for table in (self.users, self.groups, self.roles):
            yield from table.of(account)

    def user_view(self, record: UserRecord) -> User:
        """Return a user as the rest of the reference knows it."""
        texts = [text for holder in (record, *record.groups.values()) for text in self._texts(holder)]
        tags = tuple(record.tags.values())
        return User(record.arn, record.id, record.name, record.account, tags, tuple(texts), self._boundary(record))

    def role_view(self, record: RoleRecord) -> Role:
        """Return a role as the rest of the reference knows it."""
        return Role(
            arn=record.arn,
            id=record.id,
            name=record.name,
            account=record.account,
            trust=record.trust,
            max_session_seconds=record.max_session_seconds,
            tags=tuple(record.tags.values()),
            policies=tuple(self._texts(record)),
            boundary=self._boundary(record),
        )

    def _texts(self, holder: Holder) -> Iterator[str]:
        yield from holder.inline.values()
        for arn in holder.attached:
            text = self.policy_text(arn)
            if text is not None:
                yield text

    def _boundary(self, holder: Holder) -> str | None:
        return self.policy_text(holder.boundary) if holder.boundary else None


def new_id(prefix: str, account: str) -> str:
    """Return a unique id, AIDA... or AROA..., or an access key's, AKIA...

    As at AWS the account stands in it: a set bit, then its 40 bits, in base32 after the prefix.
    """
    bits = (1 << 47) | (int(account) << 7) | secrets.randbits(7)
    # 48 bits make nine letters and three bits of a tenth, which is drawn by chance like those that follow.
    head = base64.b32encode(bits.to_bytes(6)).decode()[:9]
    length = _KEY_LENGTH if prefix == "AKIA" else _KEY_LENGTH + 1
    return prefix + head + _random(_ID_LETTERS, length - len(prefix) - len(head))


def new_secret() -> str:
    """Return a secret access key."""
    return _random(_SECRET_LETTERS, 40)


def new_seed() -> str:
    """Return the seed of an MFA device, in base32."""
    return _random(_ID_LETTERS, 64)


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))


@cache
def aws_managed_policies() -> dict[str, str]:
    """Return the documents of AWS's own managed policies by ARN, as moto ships them; none if it is not there.

    moto keeps them as JSON in a module. Importing that imports all of moto, half a second; reading it takes 0.05 s.
    """
    spec = find_spec("moto")
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    for folder in folders:
        source = Path(folder, "iam", "aws_managed_policies.py")
        if source.is_file():
            quoted = source.read_text(encoding="utf-8").partition('"""')[2].rpartition('"""')[0]
            policies: dict[str, Any] = json.loads(quoted)
            return {
                f"{AWS_MANAGED[:-1]}{policy['Path']}{name}": json.dumps(policy["Document"])
                for name, policy in policies.items()
            }
    return {}
