"""Who may do what: the decisions of the reference, with the messages that AWS sends.

A role is assumed if its trust policy allows the caller and, where that policy leaves it to the account or the role is
another account's, the caller's own policies do too. Anything else is for the caller's own policies to decide. An
explicit deny anywhere ends the matter. Sources: api-reference, "AssumeRole"; IAM User Guide, "Policy evaluation
logic".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from targets.reference.model import Refused
from targets.reference.policy import (
    Ask,
    Claimant,
    Context,
    Effect,
    Grant,
    effect,
    parse,
    parse_trust,
    trusted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from targets.reference.model import Caller, FederatedIdentity, Role, Session

Federation = Literal["saml", "web-identity"]
Keys: TypeAlias = dict[str, tuple[str, ...]]  # condition keys, in lower case, with their values
_NOTHING: Context = MappingProxyType({})

_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
}
_FEDERATION_ACTIONS = {"saml": "sts:AssumeRoleWithSAML", "web-identity": "sts:AssumeRoleWithWebIdentity"}
_REFUSALS = {"sts:TagSession": "tag-session-denied", "sts:SetSourceIdentity": "source-identity-denied"}
# Issuers that trust policies name without an ARN (IAM User Guide, "Principal > OIDC federated principals").
_BUILT_IN = frozenset({"accounts.google.com", "cognito-identity.amazonaws.com"})


@dataclass(frozen=True, slots=True)
class _Demand:
    """What a request for a role's session brings beside the role's name."""

    session_name: str
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    external_id: str | None = None
    mfa: bool = False


# The request's context


def context_at(now: datetime, extra: Context = _NOTHING) -> Keys:
    """Return the condition keys of any request at `now` (UTC), and `extra`: aws:SourceIp, ..."""
    found = {key.lower(): values for key, values in extra.items()}
    found["aws:currenttime"] = (_iso(now),)
    found["aws:epochtime"] = (str(int(now.timestamp())),)
    return found


def context_of(caller: Caller, *, now: datetime, extra: Context = _NOTHING) -> Keys:
    """Return the condition keys that a caller brings into a request, and `extra`.

    Source: IAM User Guide, "AWS global condition context keys". aws:PrincipalArn of a role session is the role's ARN.
    """
    principal, session = caller.principal, caller.session
    is_role = session is not None and principal.kind == "assumed-role"
    found = {
        **context_at(now, extra),
        **_tagged("aws:principaltag", caller.principal_tags),
        "aws:principalarn": (session.issuer_arn if session is not None and is_role else principal.arn,),
        "aws:principalaccount": (principal.account,),
        "aws:principaltype": (_PRINCIPAL_TYPES[principal.kind],),
        "aws:userid": (principal.user_id,),
    }
    if principal.kind == "user":
        found["aws:username"] = (principal.arn.rsplit("/", 1)[-1],)
    if session is not None:
        found |= _session_context(session, now)
    return found


def _session_context(session: Session, now: datetime) -> Keys:
    """Return the keys of temporary credentials; long-term keys bring none of them.

    Source: IAM User Guide, "aws:MultiFactorAuthPresent" and "Configuring MFA-protected API access": the key is
    missing with long-term keys, and AssumeRole's credentials do not carry on the MFA that got them.
    """
    has_mfa = session.mfa and session.origin == "session-token"
    found = {
        **_grouped(session.federated),
        "aws:tokenissuetime": (_iso(session.issued),),
        "aws:multifactorauthpresent": ("true" if has_mfa else "false",),
    }
    if has_mfa:
        found["aws:multifactorauthage"] = (str(int((now - session.issued).total_seconds())),)
    if session.source_identity is not None:
        found["aws:sourceidentity"] = (session.source_identity,)
    return found


def _demand_context(demand: _Demand) -> Keys:
    """Return the condition keys that a request for a role brings.

    Source: api-reference, "AssumeRole > Using MFA with AssumeRole"; IAM User Guide, "IAM and AWS STS condition
    context keys". sts:DurationSeconds is no key of these operations: it belongs to GetWebIdentityToken.
    """
    found = {
        **request_tags(demand.tags),
        "sts:rolesessionname": (demand.session_name,),
        "sts:transitivetagkeys": demand.transitive,
    }
    if demand.source_identity is not None:
        found["sts:sourceidentity"] = (demand.source_identity,)
    if demand.external_id is not None:
        found["sts:externalid"] = (demand.external_id,)
    if demand.mfa:
        found |= {"aws:multifactorauthpresent": ("true",), "aws:multifactorauthage": ("0",)}
    return found


def request_tags(tags: tuple[tuple[str, str], ...]) -> Keys:
    """Return the condition keys of tags that a request passes."""
    if not tags:
        return {}
    return {**_tagged("aws:requesttag", tags), "aws:tagkeys": tuple(key for key, _ in tags)}


def _tagged(prefix: str, tags: Iterable[tuple[str, str]]) -> Keys:
    return {f"{prefix}/{key}".lower(): (value,) for key, value in tags}


def _grouped(pairs: Iterable[tuple[str, str]]) -> Keys:
    """Bring the values of a key that comes more than once together."""
    found: Keys = {}
    for key, value in pairs:
        found[key.lower()] = (*found.get(key.lower(), ()), value)
    return found


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# Decisions


def assume_role(
    caller: Caller,
    role: Role | None,
    role_arn: str,
    values: Mapping[str, Any],
    tags: tuple[tuple[str, str], ...],
    *,
    mfa: bool,
    now: datetime,
    extra: Context = _NOTHING,
) -> None:
    """Let the caller assume the role, or raise Refused.

    `values` are the members of the request by name, `tags` those of the request, and `mfa` tells that a valid code
    came with it. A role that does not exist (None) is refused as one that does not trust the caller (observed:
    ar-unknown-role). What a session inherits is set on the new session as well, so it needs the same rights:
    transitive tags sts:TagSession (containers-roadmap#2413, eks-pod-identity-agent#80), a source identity
    sts:SetSourceIdentity (observed: ar-sourceidentity-inherit).
    """
    if caller.principal.kind == "root":
        raise Refused("root-assumes-no-role", "Roles may not be assumed by root accounts.")
    session = caller.session
    demand = _Demand(
        values["RoleSessionName"],
        tags,
        tuple(values.get("TransitiveTagKeys") or ()),
        values.get("SourceIdentity") or (session.source_identity if session is not None else None),
        values.get("ExternalId"),
        mfa,
    )
    context = {**context_of(caller, now=now, extra=extra), **_demand_context(demand)}
    is_tagged = bool(tags or (session is not None and session.transitive))
    for action in _actions("sts:AssumeRole", is_tagged, demand.source_identity):
        if role is None or not _may_assume(caller, role, Ask(action, role_arn, context)):
            raise Refused(_REFUSALS.get(action, "role-not-assumable"), _denial(caller, action, role_arn))


def assume_role_with_federation(
    kind: Federation,
    identity: FederatedIdentity,
    role: Role | None,
    session_name: str,
    *,
    now: datetime,
    extra: Context = _NOTHING,
) -> None:
    """Let a verified identity assume the role, or raise Refused: the trust policy decides alone.

    Observed: saml-denied, wi-denied; the message names the missing action, no caller and no role.
    """
    demand = _Demand(session_name, identity.tags, identity.transitive, identity.source_identity)
    context = {**context_at(now, extra), **_grouped(identity.conditions), **_demand_context(demand)}
    if kind == "saml":  # observed: saml-trust-context-keys; there is no aws:PrincipalArn
        context |= {"aws:principalaccount": (identity.provider.split(":")[4],), "aws:principaltype": ("User",)}
    for action in _actions(_FEDERATION_ACTIONS[kind], bool(identity.tags), identity.source_identity):
        if role is None or not _trusts(role, kind, identity, Ask(action, role.arn, context)):
            raise Refused("federation-denied", f"Not authorized to perform {action}")


def _trusts(role: Role, kind: Federation, identity: FederatedIdentity, ask: Ask) -> bool:
    """Tell whether the trust policy names the identity's provider; "*" is about AWS principals."""
    names = {identity.provider}
    if kind == "web-identity":
        partition, issuer = role.arn.split(":", 2)[1], identity.provider.removeprefix("https://")
        names = {f"arn:{partition}:iam::{role.account}:oidc-provider/{issuer}"} | (_BUILT_IN & {issuer})
    return trusted(parse_trust(role.trust), ask, Claimant("Federated", frozenset(names))) is Grant.SELF


def permitted(caller: Caller, action: str, resource: str, context: Context, *, reasoned: bool = False) -> None:
    """Let the caller's own policies allow an action, or raise Refused; `context` is that of `context_of`.

    A federated user may do what both its user and its session policies allow, and nothing without session policies
    (api-reference, "GetFederationToken > Permissions"). `reasoned`: the message tells why, as of newer operations
    (observed: gwit-denied-missing, gwit-denied-explicit).
    """
    found = _own_policies(caller, Ask(action, resource, context))
    if found == ("allow", "allow"):
        return
    why = f" because no identity-based policy allows the {action} action"
    if "deny" in found:
        why = " with an explicit deny in an identity-based policy"
    denial = _denial(caller, action, resource) + (why if reasoned else "")
    raise Refused(_REFUSALS.get(action, "access-denied"), denial)


def _actions(main: str, is_tagged: bool, source_identity: str | None) -> tuple[str, ...]:
    """Return the actions that a request for a role needs, in the order in which a missing one is told."""
    tagging = ("sts:TagSession",) if is_tagged else ()
    identifying = ("sts:SetSourceIdentity",) if source_identity is not None else ()
    return (main, *tagging, *identifying)


def _may_assume(caller: Caller, role: Role, ask: Ask) -> bool:
    if caller.principal.kind == "federated-user":
        return False  # they may call GetCallerIdentity alone (api-reference, "GetFederationToken > Permissions")
    grant = trusted(parse_trust(role.trust), ask, _claimant(caller))
    if grant in (Grant.NONE, Grant.DENIED):
        return False
    identity, limits = _own_policies(caller, ask)
    if "deny" in (identity, limits):
        return False
    is_same_account = caller.principal.account == role.account
    if is_same_account and grant is Grant.SELF:
        return True  # no implicit deny limits whom the trust policy names
    return limits == "allow" and (identity == "allow" or (is_same_account and grant >= Grant.ANYONE))


def _own_policies(caller: Caller, ask: Ask) -> tuple[Effect, Effect]:
    """Return what the caller's identity policies grant, and what boundary and session policies leave of it."""
    session = caller.session
    limits: list[Effect] = []
    if caller.boundary is not None:
        limits.append(effect([parse(caller.boundary)], ask))
    if session is not None and session.policies is not None:
        limits.append(effect(map(parse, session.policies), ask))
    elif caller.principal.kind == "federated-user":
        limits.append("none")
    # Root has every right, and so has what root's sessions begin with.
    is_root = caller.principal.kind == "root" or (
        session is not None and session.issuer_id == caller.principal.account
    )
    return "allow" if is_root else effect(map(parse, caller.policies), ask), _least(limits)


def _least(effects: list[Effect]) -> Effect:
    if "deny" in effects:
        return "deny"
    return "none" if "none" in effects else "allow"


def _claimant(caller: Caller) -> Claimant:
    principal, session = caller.principal, caller.session
    partition = principal.arn.split(":", 2)[1]
    # GetSessionToken's sessions act as the user: their issuer is the user, who is the principal already.
    is_derived = session is not None and principal.kind in ("assumed-role", "federated-user")
    return Claimant(
        "AWS",
        own=frozenset({principal.arn, principal.user_id}),
        issuer=frozenset({session.issuer_arn, session.issuer_id} if session is not None and is_derived else ()),
        account=frozenset({principal.account, f"arn:{partition}:iam::{principal.account}:root"}),
    )


def _denial(caller: Caller, action: str, resource: str) -> str:
    """Say no as AWS does (observed: ar-denied-trust, gft-denied): no reason, and the caller by its own ARN."""
    return f"User: {caller.principal.arn} is not authorized to perform: {action} on resource: {resource}"
