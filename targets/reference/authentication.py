"""Who calls: a signature's claim followed to a key, a session, and a living user or role.

The order of the checks is AWS's (observed.yaml, auth-order): scope, key, token, expiry, issuer, then the
date and the signature itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from targets.reference import signature
from targets.reference.model import Caller, Principal, Refused, Session
from targets.reference.tokens import UnreadableToken

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from targets.reference.iam import Iam
    from targets.reference.reading import Query
    from targets.reference.signature import Claim
    from targets.reference.tokens import Mint

_INVALID = "The security token included in the request is invalid."
_UNREADABLE = "The security token included in the request is invalid"  # without a full stop: auth-bad-session-token
_EXPIRED = "The security token included in the request is expired"


@dataclass(frozen=True, slots=True)
class RootKey:
    """A key of an account's root user."""

    access_key_id: str
    secret: str
    account: str

    @property
    def caller(self) -> Caller:
        """The root user, as a caller."""
        return Caller(root_of(self.account), self.access_key_id)


def root_of(account: str) -> Principal:
    """Return the root user of an account."""
    return Principal("root", account, f"arn:aws:iam::{account}:root", account)


@dataclass(frozen=True, slots=True)
class Proof:
    """A caller, if the signature is made with this secret."""

    caller: Caller
    secret: str


class Authenticator:
    """Finds out who signed a request. Each check is a method of its own."""

    def __init__(
        self,
        *,
        region: str,
        root_keys: tuple[RootKey, ...],
        iam: Iam,
        mint: Mint,
        now: Callable[[], datetime],
    ) -> None:
        self.region = region
        self.now = now
        self._root_keys = {key.access_key_id: key for key in root_keys}
        self._iam = iam
        self._mint = mint

    def authenticate(self, query: Query, service: str) -> Caller:
        """Return the caller of `query`, which must be signed for `service`.

        Raises:
            Refused: not signed, or one of the checks fails.
        """
        claim = self.claim_of(query)
        if claim is None:
            raise Refused("not-authenticated", "Request is missing Authentication Token")
        self.check_host_signed(claim)
        self.check_scope_date(claim)
        self.check_scope(claim, service)
        proof = self.proof(claim)
        self.check_date(claim)
        self.check_signature(claim, query, proof.secret)
        return proof.caller

    def root_callers(self) -> tuple[Caller, ...]:
        """Return the root users, as callers."""
        return tuple(key.caller for key in self._root_keys.values())

    def claim_of(self, query: Query) -> Claim | None:
        """Read what the request says of its signature."""
        return signature.claim_of(query)

    def check_host_signed(self, claim: Claim) -> None:
        """See that Host is signed."""
        signature.check_host_signed(claim)

    def check_scope_date(self, claim: Claim) -> None:
        """See that scope and request are of one day."""
        signature.check_scope_date(claim)

    def check_scope(self, claim: Claim, service: str) -> None:
        """See that region and service are the endpoint's."""
        # IAM is one service for all regions, and has its own in us-east-1.
        signature.check_scope(claim, "us-east-1" if service == "iam" else self.region, service)

    def check_date(self, claim: Claim) -> None:
        """See that the date is near."""
        signature.check_date(claim, self.now())

    def check_signature(self, claim: Claim, query: Query, secret: str) -> None:
        """See that the signature is what the secret makes."""
        signature.check_signature(claim, query, secret)

    def proof(self, claim: Claim) -> Proof:
        """Find the key; with a session token, the session."""
        if claim.token is not None:
            return self._of_session(claim, claim.token)
        root = self._root_keys.get(claim.access_key_id)
        if root is not None:
            return Proof(root.caller, root.secret)
        key = self._iam.key(claim.access_key_id)
        if key is None or not key.active:
            raise Refused("unknown-key", _INVALID)
        user = key.user
        principal = Principal("user", user.account, user.arn, user.id)
        caller = Caller(principal, key.access_key_id, None, user.policies, user.boundary, user.tags)
        return Proof(caller, key.secret)

    def _of_session(self, claim: Claim, token: str) -> Proof:
        session = self.session_of(token)
        self.check_bound(claim, session)
        self.check_expiry(session)
        return Proof(self.caller_of(session), session.secret)

    def session_of(self, token: str) -> Session:
        """Read a session token."""
        try:
            return self._mint.open(token)
        except UnreadableToken:
            raise Refused("invalid-session-token", _UNREADABLE) from None

    def check_bound(self, claim: Claim, session: Session) -> None:
        """See that the token is used with its own key."""
        if session.access_key_id != claim.access_key_id:
            raise Refused("unknown-key", _INVALID)

    def check_expiry(self, session: Session) -> None:
        """See that the session has not ended; told before a wrong signature is (observed.yaml, auth-expired)."""
        if session.expires <= self.now():
            raise Refused("expired-session", _EXPIRED)

    def caller_of(self, session: Session) -> Caller:
        """Find what the session's permissions depend on now; it dies with its user or role."""
        if session.issuer_id == session.principal.account:  # root's
            return Caller(session.principal, session.access_key_id, session, principal_tags=session.tags)
        issuer = self._iam.role_by_id(session.issuer_id) or self._iam.user_by_id(session.issuer_id)
        if issuer is None:
            raise Refused("orphaned-session", _INVALID)
        tags = merged(issuer.tags, session.tags)
        return Caller(session.principal, session.access_key_id, session, issuer.policies, issuer.boundary, tags)


def merged(*sources: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Put tags together; a later one replaces one whose key differs in case at most (AssumeRole > Tags)."""
    found: dict[str, tuple[str, str]] = {}
    for source in sources:
        for key, value in source:
            found[key.lower()] = (key, value)
    return tuple(found.values())
