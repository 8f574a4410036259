"""IAM of the reference: the calls that fixtures need, and the look-ups that STS makes.

It keeps its own records instead of wrapping moto's IAM, which holds its data in globals of the process, takes most
of a second to import, and lets much pass that AWS refuses (any trust policy, any MFA code, a user without a name).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from targets.reference import iam_entities, iam_policies, iam_providers  # noqa: F401 - they register their actions
from targets.reference.iam_context import ACTIONS, Context
from targets.reference.iam_query import VERSION, Fault, protocol
from targets.reference.iam_store import RoleRecord, Store, UserRecord
from targets.reference.model import LongTermKey, MfaDevice, OpenIdProvider, Role, SamlProvider, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def _any_metadata(_text: str) -> None:
    """Take whatever is sent."""


class Iam:
    """The IAM of some accounts. Nothing of it is shared with another instance; it is for one thread."""

    def __init__(
        self,
        accounts: Iterable[str],
        *,
        now: Callable[[], datetime] = _now,
        check_metadata: Callable[[str], None] = _any_metadata,
    ) -> None:
        """Start with empty `accounts`. `check_metadata` raises ValueError for what is no SAML metadata."""
        self._store = Store(accounts)
        self._now = now
        self._check_metadata = check_metadata
        # Views of records, by unique id, for as long as nothing is called: a group or a policy changes many.
        self._users: dict[str, User] = {}
        self._roles: dict[str, Role] = {}

    def warm(self) -> None:
        """Read IAM's model, which the first call would do otherwise."""
        protocol()

    def call(
        self,
        account: str,
        parameters: Sequence[tuple[str, str]],
        *,
        caller: str | None = None,
        request_id: str | None = None,
    ) -> tuple[int, bytes]:
        """Serve a request of the Query protocol whose sender may make it; returns status and XML.

        `caller` is the name of the user who calls, where it is one: some actions mean them if they name nobody.
        `request_id` is what the answer is marked with; one is made if none is given.
        """
        request_id = request_id or str(uuid4())
        first = dict(reversed(parameters))  # of one sent twice the first counts
        try:
            return 200, self._serve(account, first, caller, request_id)
        except Fault as fault:
            return protocol().fail(fault, request_id)
        except Exception:  # noqa: BLE001 - a crash of ours is answered as AWS answers one of its own
            _log.exception("IAM broke down")
            crash = Fault("ServiceFailure", "The request processing has failed because of an unknown error.")
            return protocol().fail(crash, request_id)
        finally:
            self._users.clear()
            self._roles.clear()

    def _serve(self, account: str, parameters: dict[str, str], caller: str | None, request_id: str) -> bytes:
        name, version = parameters.get("Action"), parameters.get("Version", "NO_VERSION_SPECIFIED")
        serve = ACTIONS.get(name) if name is not None else None
        if name is None or serve is None or version != VERSION:
            raise Fault("InvalidAction", f"Could not find operation {name} for version {version}")
        given = protocol().read(name, parameters)
        context = Context(self._store, account, caller, self._now(), self._check_metadata)
        return protocol().write(name, serve(context, given), request_id)

    # What STS asks

    def key(self, access_key_id: str) -> LongTermKey | None:
        """Return an access key of a user."""
        key = self._store.keys.get(access_key_id)
        return LongTermKey(key.id, key.secret, key.active, self._user(key.user)) if key is not None else None

    def user(self, arn: str) -> User | None:
        """Return the user of that very ARN."""
        return self._user_or_none(self._store.users.by_arn.get(arn))

    def user_by_id(self, user_id: str) -> User | None:
        """Return the user of that unique id."""
        return self._user_or_none(self._store.users.by_id.get(user_id))

    def role(self, arn: str) -> Role | None:
        """Return the role of that very ARN."""
        return self._role_or_none(self._store.roles.by_arn.get(arn))

    def role_by_id(self, role_id: str) -> Role | None:
        """Return the role of that unique id."""
        return self._role_or_none(self._store.roles.by_id.get(role_id))

    def alive(self, issuer_id: str) -> bool:
        """Whether there still is a user or role of that unique id, or an account of that number."""
        store = self._store
        return issuer_id in store.users.by_id or issuer_id in store.roles.by_id or issuer_id in store.accounts

    def managed_policy(self, arn: str) -> str | None:
        """Return the default version of a managed policy, an account's or AWS's own."""
        return self._store.policy_text(arn)

    def saml_provider(self, arn: str) -> SamlProvider | None:
        """Return the SAML provider of that very ARN."""
        found = self._store.saml.by_arn.get(arn)
        return SamlProvider(found.arn, found.metadata) if found is not None else None

    def openid_provider(self, account: str, issuer: str) -> OpenIdProvider | None:
        """Return an account's provider of tokens by `issuer`, with https:// or without."""
        name = issuer.removeprefix("https://")
        found = self._store.openid.by_arn.get(f"arn:aws:iam::{account}:oidc-provider/{name}")
        if found is None:
            return None
        return OpenIdProvider(found.arn, f"https://{found.name}", tuple(found.client_ids), tuple(found.thumbprints))

    def mfa_device(self, user: User, serial: str) -> MfaDevice | None:
        """Return the device of that serial number if it is assigned to `user`."""
        record = self._store.users.by_id.get(user.id)
        device = record.devices.get(serial) if record is not None else None
        return MfaDevice(device.arn, device.seed) if device is not None else None

    def outbound_federation(self, account: str) -> bool:
        """Whether the account may vend web identity tokens."""
        outbound = self._store.accounts.get(account)
        return outbound is not None and outbound.enabled

    def outbound_issuer(self, account: str) -> str:
        """Return the issuer of an account's web identity tokens."""
        return self._store.accounts[account].issuer

    def _user_or_none(self, record: UserRecord | None) -> User | None:
        return self._user(record) if record is not None else None

    def _user(self, record: UserRecord) -> User:
        user = self._users.get(record.id)
        if user is None:
            user = self._users[record.id] = self._store.user_view(record)
        return user

    def _role_or_none(self, record: RoleRecord | None) -> Role | None:
        if record is None:
            return None
        role = self._roles.get(record.id)
        if role is None:
            role = self._roles[record.id] = self._store.role_view(record)
        return role
