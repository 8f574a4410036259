"""What the parts of the reference pass to each other: callers, sessions, IAM's entities, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

PrincipalKind = Literal["root", "user", "assumed-role", "federated-user"]


class Refused(Exception):  # noqa: N818 - the name says what happened
    """A request is turned down. `refusal` is a name of the refusals table, `message` is for the caller."""

    def __init__(self, refusal: str, message: str | None = None) -> None:
        super().__init__(refusal, message)
        self.refusal = refusal
        self.message = message


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as GetCallerIdentity tells it."""

    kind: PrincipalKind
    account: str  # twelve digits
    arn: str  # of a role session the sts one: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
    user_id: str  # AIDA..., AROA...:session, ACCOUNT:name, or the account for root


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user."""

    arn: str
    id: str  # AIDA and 17 capitals or digits
    name: str
    account: str
    tags: tuple[tuple[str, str], ...] = ()
    policies: tuple[str, ...] = ()  # JSON texts: inline, attached, and those of its groups
    boundary: str | None = None  # JSON text of the permissions boundary


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role."""

    arn: str
    id: str  # AROA and 17 capitals or digits
    name: str
    account: str
    trust: str  # JSON text of the trust policy
    max_session_seconds: int = 3600
    tags: tuple[tuple[str, str], ...] = ()
    policies: tuple[str, ...] = ()
    boundary: str | None = None


@dataclass(frozen=True, slots=True)
class LongTermKey:
    """An access key of a user."""

    access_key_id: str
    secret: str = field(repr=False)
    active: bool
    user: User


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """A SAML identity provider registered in IAM."""

    arn: str
    metadata: str  # XML


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """An OpenID Connect provider registered in IAM."""

    arn: str
    url: str  # of the issuer, with https://
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]  # SHA-1 of certificates, 40 hex digits


@dataclass(frozen=True, slots=True)
class MfaDevice:
    """A virtual MFA device that is assigned to a user."""

    serial: str
    seed: str = field(repr=False)  # base32, as authenticator apps take it


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials, with all that they carry. It lives in its token alone."""

    access_key_id: str
    secret: str = field(repr=False)
    issued: datetime
    expires: datetime
    principal: Principal
    origin: Literal["role", "saml", "web-identity", "session-token", "federation", "root-task", "delegation"]
    issuer_arn: str  # of the role or user
    issuer_id: str  # the session dies with it: AROA..., AIDA..., or the account for root
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    policies: tuple[str, ...] | None = None  # JSON texts of session policies; None: none were passed
    mfa: bool = False  # minted with an MFA code
    federated: tuple[tuple[str, str], ...] = ()  # condition keys of the identity provider: saml:aud, ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal that has proved who it is, with what its permissions depend on."""

    principal: Principal
    access_key_id: str
    session: Session | None = None  # None: long-term keys
    policies: tuple[str, ...] = ()  # JSON texts of identity-based policies
    boundary: str | None = None
    principal_tags: tuple[tuple[str, str], ...] = ()  # of the user or role, overridden by session tags


@dataclass(frozen=True, slots=True)
class FederatedIdentity:
    """Who a verified SAML assertion or web identity token speaks of."""

    subject: str
    issuer: str
    audience: str
    provider: str  # ARN of the SAML provider; issuer URL (as the token's iss) of the OpenID provider
    conditions: tuple[tuple[str, str], ...]  # condition keys with values: saml:aud, accounts.example.com:sub
    subject_type: str = ""  # SAML: transient, persistent, or the whole format URI
    name_qualifier: str = ""  # SAML
    roles: tuple[tuple[str, str], ...] = ()  # SAML: (role ARN, provider ARN) pairs of the Role attribute
    session_name: str | None = None  # SAML: RoleSessionName
    session_seconds: int | None = None  # SAML: SessionDuration
    not_on_or_after: datetime | None = None  # SAML: SessionNotOnOrAfter
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as HTTP brought it; nothing is decoded."""

    method: str
    target: str  # path and query as in the request line, latin-1
    headers: tuple[tuple[str, str], ...]  # names in lower case, latin-1
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer for HTTP to take away. Date and Content-Length are among the headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
