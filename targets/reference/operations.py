"""What each operation does, once its caller is known and its members are valid."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from targets.reference import authorize, constraints, saml, web_identity
from targets.reference.arns import Arn, parse_arn
from targets.reference.authentication import merged, root_of
from targets.reference.model import Caller, Principal, Refused, Role, Session
from targets.reference.outbound import ALGORITHMS
from targets.reference.packing import check_packed, packed_percent, utilization
from targets.reference.policy import MalformedPolicy, parse
from targets.reference.tokens import UnreadableToken, account_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from targets.reference.constraints import Values
    from targets.reference.iam import Iam
    from targets.reference.mfa import MfaChecker
    from targets.reference.model import FederatedIdentity, OpenIdProvider, SamlProvider
    from targets.reference.outbound import Outbound
    from targets.reference.rendering import Tree
    from targets.reference.tokens import Mint
    from targets.reference.web_identity import KeySource

Result = dict[str, "Tree | None"]
_HOUR = 3600
_ROOT_TARGET = re.compile(r"[0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:root")
# What the inner service of federation adds to its messages (observed.yaml, saml-provider-missing-code).
_INNER = (
    " (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlManifestNotFoundException; "
    "Request ID: 00000000-0000-0000-0000-000000000000; Proxy: null)"
)
# The tasks that AssumeRoot may be restricted to (API reference of AssumeRoot).
ROOT_TASKS = frozenset(
    f"arn:aws:iam::aws:policy/root-task/{name}"
    for name in (
        "IAMAuditRootUserCredentials", "IAMCreateRootUserPassword", "IAMDeleteRootUserCredentials",
        "S3UnlockBucketPolicy", "SQSUnlockQueuePolicy",
    )
)  # fmt: skip
OAUTH_PROVIDERS = frozenset({"www.amazon.com", "graph.facebook.com"})  # AssumeRoleWithWebIdentity > ProviderId


@dataclass(frozen=True, slots=True)
class Restriction:
    """Session policies and tags of a request."""

    policies: tuple[str, ...] | None  # None: none were passed
    tags: tuple[tuple[str, str], ...]
    transitive: tuple[str, ...]


@cache
def _tag_members() -> constraints.Table:
    """Return the members in which AssumeRole takes tags."""
    table = constraints.tables()["AssumeRole"]
    return {name: table[name] for name in ("Tags", "TransitiveTagKeys")}


class Operations:
    """The operations; each takes the caller (None where none is needed) and the members, and returns elements."""

    def __init__(
        self,
        *,
        iam: Iam,
        mint: Mint,
        mfa: MfaChecker,
        keys: KeySource,
        outbound: Outbound,
        members: frozenset[str],
        now: Callable[[], datetime],
    ) -> None:
        self._iam = iam
        self._mint = mint
        self.mfa = mfa
        self._keys = keys
        self._outbound = outbound
        self._members = members  # accounts of the organization that AssumeRoot may reach
        self._now = now
        self.saml = saml.Verifier()

    # Identity

    def get_caller_identity(self, caller: Caller, _values: Values) -> Result:
        """Tell who calls; no permission is needed."""
        who = caller.principal
        return {"Arn": who.arn, "UserId": who.user_id, "Account": who.account}

    def get_access_key_info(self, caller: Caller, values: Values) -> Result:
        """Tell the account of a key: it stands in the key id."""
        self.check_other_calls(caller, "GetAccessKeyInfo")
        self.check_may_ask(caller)
        key_id = values["AccessKeyId"]
        known = self._iam.key(key_id)
        account = known.user.account if known is not None else None
        if account is None and key_id.startswith(("AKIA", "ASIA")):
            account = account_of(key_id)
        if account is None:
            raise Refused("unknown-access-key", f"{key_id} is invalid")
        return {"Account": account}

    def check_may_ask(self, caller: Caller) -> None:
        """Refuse who may not call GetAccessKeyInfo; the message names no resource (observed.yaml, gaki-denied)."""
        try:
            authorize.permitted(caller, "sts:GetAccessKeyInfo", "*", self._context(caller), reasoned=True)
        except Refused as refused:
            raise Refused(refused.refusal, (refused.message or "").replace(" on resource: *", "")) from None

    def decode_authorization_message(self, caller: Caller, values: Values) -> Result:
        """Read a message that `encoded_message` made."""
        self.check_other_calls(caller, "DecodeAuthorizationMessage")
        authorize.permitted(caller, "sts:DecodeAuthorizationMessage", "*", self._context(caller))
        try:
            return {"DecodedMessage": self._mint.decrypt(values["EncodedMessage"]).decode()}
        except UnreadableToken:
            raise Refused("invalid-authorization-message", "Message is not valid") from None

    def encoded_message(self, caller: Caller, action: str, resource: str) -> str:
        """Return what a denial of another service carries, encoded (observed.yaml, dam-success-shape)."""
        who = caller.principal
        content = {
            "allowed": False,
            "explicitDeny": False,
            "matchedStatements": {"items": []},
            "failures": {"items": []},
            "context": {
                "principal": {"id": who.user_id, "name": who.arn.rpartition("/")[2], "arn": who.arn},
                "action": action,
                "resource": resource,
                "conditions": {"items": []},
            },
        }
        return self._mint.encrypt(json.dumps(content, separators=(",", ":")).encode())

    # Roles

    def assume_role(self, caller: Caller, values: Values) -> Result:
        """Hand out credentials of a role."""
        arn = self.arn(values["RoleArn"])
        inherited = self.inherited(caller)
        restriction = self._restriction(values, inherited, arn.account)
        self.check_contexts(values)
        mfa = self.check_mfa(caller, values)
        source = self.source_identity(caller, values)
        role = self._iam.role(arn.text)
        self.check_may_assume(caller, role, arn, values, restriction, mfa=mfa)
        assert role is not None  # noqa: S101 - a role that does not exist is refused
        self.check_duration(caller, role, values)
        session = self._role_session(role, values["RoleSessionName"], values["DurationSeconds"], "role")
        session = replace(
            session,
            tags=merged(restriction.tags, inherited),
            transitive=(*restriction.transitive, *(key for key, _ in inherited)),
            source_identity=source,
            policies=restriction.policies,
            mfa=mfa,
        )
        return self._answer_of_role(session) | {"SourceIdentity": session.source_identity}

    def source_identity(self, caller: Caller, values: Values) -> str | None:
        """Return the new session's source identity: once set, it stays (AssumeRole > SourceIdentity)."""
        asked: str | None = values.get("SourceIdentity")
        held = caller.session.source_identity if caller.session else None
        if held is not None and asked not in {None, held}:
            raise Refused(
                "source-identity-set-already", "The source identity is already set for this assume role session"
            )
        return asked or held

    def check_may_assume(
        self, caller: Caller, role: Role | None, arn: Arn, values: Values, restriction: Restriction, *, mfa: bool
    ) -> None:
        """Hold trust policy, identity policies and session policies against the call."""
        authorize.assume_role(caller, role, arn.text, values, restriction.tags, mfa=mfa, now=self._now())

    def check_contexts(self, values: Values) -> None:
        """Refuse context assertions: STS must have made them, and this one makes none."""
        if values.get("ProvidedContexts"):
            raise Refused("context-not-accepted", "The provided context assertion is not valid.")

    def check_mfa(self, caller: Caller, values: Values) -> bool:
        """Check the MFA code, if there is one; returns whether there was."""
        serial, code = values.get("SerialNumber"), values.get("TokenCode")
        user = self._iam.user(caller.principal.arn) if serial is not None else None
        device = self._iam.mfa_device(user, serial) if user is not None and serial is not None else None
        return self.mfa.require((device,) if device is not None else (), serial, code, self._now())

    def check_duration(self, caller: Caller, role: Role, values: Values) -> None:
        """Hold the duration against the role's maximum, then against the limit of chaining."""
        seconds = values["DurationSeconds"]
        self.check_role_maximum(role, seconds)
        if caller.session is not None and seconds > _HOUR:
            raise Refused(
                "duration-over-chaining-limit",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            )

    def check_role_maximum(self, role: Role, seconds: int) -> None:
        """Hold the duration against the role's maximum."""
        if seconds > role.max_session_seconds:
            raise Refused(
                "duration-over-role-max",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )

    def inherited(self, caller: Caller) -> tuple[tuple[str, str], ...]:
        """Return the caller's transitive tags, which every later session has."""
        if caller.session is None:
            return ()
        transitive = {key.lower() for key in caller.session.transitive}
        return tuple(tag for tag in caller.session.tags if tag[0].lower() in transitive)

    # Federation

    def assume_role_with_saml(self, _caller: Caller | None, values: Values) -> Result:
        """Hand out credentials of a role to whom a SAML assertion speaks of."""
        provider_arn, role_arn = self.arn(values["PrincipalArn"]), self.arn(values["RoleArn"])
        self._restriction(values, (), role_arn.account)  # what is wrong with the policies is told first
        provider = self.saml_provider(provider_arn.text)
        identity = self.saml.verify(values["SAMLAssertion"], provider, now=self._now(), role_arn=role_arn.text)
        restriction = self._restriction(values | self.identity_tags(identity), (), role_arn.account)
        name = identity.session_name or ""
        values = values | {"DurationSeconds": self.saml_seconds(values["DurationSeconds"], identity)}
        session = self._federated_session("saml", identity, role_arn, values, name, restriction)
        if identity.not_on_or_after is not None:
            session = replace(session, expires=min(session.expires, identity.not_on_or_after))
        return self._answer_of_role(session) | {
            "Subject": identity.subject,
            "SubjectType": identity.subject_type,
            "Issuer": identity.issuer,
            "Audience": identity.audience,
            "NameQualifier": identity.name_qualifier,
            "SourceIdentity": identity.source_identity,
        }

    def saml_seconds(self, seconds: int, identity: FederatedIdentity) -> int:
        """Return how long the session lasts: SessionDuration can shorten it (saml-session-duration-attribute)."""
        return min(seconds, identity.session_seconds or seconds)

    def saml_provider(self, arn: str) -> SamlProvider:
        """Return a provider; one that does not exist is refused (observed.yaml, saml-provider-missing)."""
        provider = self._iam.saml_provider(arn)
        if provider is None:
            raise Refused("invalid-identity-token", "Specified provider doesn't exist" + _INNER)
        return provider

    def assume_role_with_web_identity(self, _caller: Caller | None, values: Values) -> Result:
        """Hand out credentials of a role to whom an OpenID Connect token speaks of."""
        role_arn = self.arn(values["RoleArn"])
        self._restriction(values, (), role_arn.account)  # what is wrong with the policies is told first
        self.check_provider_id(values.get("ProviderId"))
        token = values["WebIdentityToken"]
        issuer = web_identity.issuer_of(token)
        provider = self._iam.openid_provider(role_arn.account, issuer)
        if provider is None:
            raise Refused("invalid-identity-token", web_identity.NOT_VALIDATED)  # observed.yaml, wi-no-provider-2026
        identity = self.identity_of(token, provider)
        restriction = self._restriction(values | self.identity_tags(identity), (), role_arn.account)
        name = values["RoleSessionName"]
        session = self._federated_session("web-identity", identity, role_arn, values, name, restriction)
        return {
            "SubjectFromWebIdentityToken": identity.subject,
            "Audience": identity.audience,
            **self._answer_of_role(session),
            "Provider": identity.issuer,
            "SourceIdentity": identity.source_identity,
        }

    def identity_of(self, token: str, provider: OpenIdProvider) -> FederatedIdentity:
        """Return of whom a token of the provider speaks."""
        return web_identity.verify(token, provider, self._keys, now=self._now())

    def check_provider_id(self, provider: str | None) -> None:
        """Refuse providers other than the two of OAuth 2.0, and those, too: neither is on this machine."""
        if provider is None:
            return
        if provider not in OAUTH_PROVIDERS:
            message = "Do not include a provider parameter when submitting OpenIDConnect ID tokens"
            raise Refused("unknown-provider", f"Unrecognized OAuth provider. {message}")
        raise Refused("idp-rejected-claim", f"{provider}: the token is not one of this provider")

    def _federated_session(
        self,
        kind: authorize.Federation,
        identity: FederatedIdentity,
        role_arn: Arn,
        values: Values,
        name: str,
        restriction: Restriction,
    ) -> Session:
        role = self._iam.role(role_arn.text)
        self.check_may_federate(kind, identity, role, name)
        assert role is not None  # noqa: S101 - a role that does not exist is refused
        self.check_role_maximum(role, values["DurationSeconds"])
        session = self._role_session(role, name, values["DurationSeconds"], kind)
        return replace(
            session,
            tags=restriction.tags,
            transitive=restriction.transitive,
            source_identity=identity.source_identity,
            policies=restriction.policies,
            federated=identity.conditions,
        )

    def identity_tags(self, identity: FederatedIdentity) -> Values:
        """Return the tags that a provider passes, as members; they have the limits of tags in a request.

        AssumeRoleWithSAML and AssumeRoleWithWebIdentity > Tags give the limits. What AWS answers is not known, so it
        is what AWS answers to the same tags in AssumeRole.
        """
        parameters = {f"TransitiveTagKeys.member.{n}": key for n, key in enumerate(identity.transitive, 1)}
        for number, (key, value) in enumerate(identity.tags, 1):
            parameters |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value}
        return constraints.validate(_tag_members(), parameters)

    def check_may_federate(
        self, kind: authorize.Federation, identity: FederatedIdentity, role: Role | None, name: str
    ) -> None:
        """Hold the trust policy against the identity."""
        authorize.assume_role_with_federation(kind, identity, role, name, now=self._now())

    # Users

    def get_session_token(self, caller: Caller, values: Values) -> Result:
        """Hand out credentials with the rights of a user; no permission is needed, and none can take it away."""
        self.check_long_term(caller, "GetSessionToken")
        mfa = self.check_mfa(caller, values)
        session = self._user_session(caller, caller.principal, values["DurationSeconds"], "session-token")
        credentials = self._credentials(replace(session, mfa=mfa))
        return {"Credentials": credentials, **_size_of(credentials)}

    def get_federation_token(self, caller: Caller, values: Values) -> Result:
        """Hand out credentials of a federated user, whose rights are the caller's cut by the session policies."""
        self.check_long_term(caller, "GetFederationToken")
        name, who = values["Name"], caller.principal
        arn = f"arn:aws:sts::{who.account}:federated-user/{name}"
        restriction = self._restriction(values, (), who.account)
        authorize.permitted(caller, "sts:GetFederationToken", arn, self._context(caller))
        if restriction.tags:
            tagged = self._context(caller) | authorize.request_tags(restriction.tags)
            authorize.permitted(caller, "sts:TagSession", arn, tagged)
        federated = Principal("federated-user", who.account, arn, f"{who.account}:{name}")
        session = self._user_session(caller, federated, values["DurationSeconds"], "federation")
        session = replace(session, tags=restriction.tags, policies=restriction.policies)
        credentials = self._credentials(session)
        return {
            "Credentials": credentials,
            "FederatedUser": {"FederatedUserId": federated.user_id, "Arn": federated.arn},
            **_packed_size_of(credentials),
        }

    def check_long_term(self, caller: Caller, operation: str) -> None:
        """Refuse session credentials (observed.yaml, gst-session-creds)."""
        if caller.session is not None:
            raise Refused(
                "session-credentials-not-accepted", f"Cannot call {operation} with session credentials"
            )

    def check_other_calls(self, caller: Caller, operation: str) -> None:
        """Refuse what sessions of GetSessionToken and GetFederationToken may not call (their Permissions)."""
        if caller.session is not None and caller.session.origin in {"session-token", "federation"}:
            raise Refused(
                "session-credentials-not-accepted", f"Cannot call {operation} with session credentials"
            )

    # The operations that the current model adds

    def assume_root(self, caller: Caller, values: Values) -> Result:
        """Hand out credentials of a member account's root user for one task."""
        self.check_other_calls(caller, "AssumeRoot")
        target, task = values["TargetPrincipal"], values["TaskPolicyArn"].get("arn", "")
        self.check_root_target(target)
        self.check_root_task(task)
        account = target if target.isdigit() else self.arn(target).account
        arn = f"arn:aws:iam::{account}:root"
        authorize.permitted(caller, "sts:AssumeRoot", arn, self._context(caller))
        if account not in self._members:
            denial = f"User: {caller.principal.arn} is not authorized to perform: sts:AssumeRoot on resource: {arn}"
            raise Refused("root-task-not-allowed", denial)
        session = self._session(
            root_of(account), values["DurationSeconds"], "root-task", issuer=(arn, account)
        )
        deny_all = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
        held = caller.session.source_identity if caller.session else None
        session = replace(session, policies=(deny_all,), source_identity=held)
        credentials = self._credentials(session)
        return {"Credentials": credentials, "SourceIdentity": held, **_size_of(credentials)}

    def check_root_target(self, target: str) -> None:
        """Refuse what is neither an account nor its root user (observed.yaml, aroot-target-user-arn)."""
        if not _ROOT_TARGET.fullmatch(target):
            raise Refused("root-target-invalid", "Request must contain a valid target principal")

    def check_root_task(self, policy_arn: str) -> None:
        """Refuse a policy that is not of a task (observed.yaml, aroot-task-policy-other)."""
        if policy_arn not in ROOT_TASKS:
            raise Refused("root-task-policy-invalid", "Request must contain valid AWS managed task policy ARN")

    def get_delegated_access_token(self, caller: Caller, values: Values) -> Result:
        """Trade a token, which `trade_in_token` made, for credentials of the principal that it names."""
        self.check_other_calls(caller, "GetDelegatedAccessToken")
        try:
            role = self._iam.role(self._mint.decrypt(values["TradeInToken"]).decode())
        except UnreadableToken:
            role = None
        if role is None:
            who = caller.principal.arn
            raise Refused(
                "trade-in-token-refused",
                f"User: {who} is not authorized to perform: sts:GetDelegatedAccessToken on resource: *",
            )
        session = self._role_session(role, "delegated", _HOUR, "delegation")
        credentials = self._credentials(session)
        return {
            "Credentials": credentials,
            **_packed_size_of(credentials),
            "AssumedPrincipal": session.principal.arn,
        }

    def trade_in_token(self, role_arn: str) -> str:
        """Return a token that GetDelegatedAccessToken takes."""
        return self._mint.encrypt(role_arn.encode())

    def get_web_identity_token(self, caller: Caller, values: Values) -> Result:
        """Hand out a JSON Web Token that tells other services who the caller is."""
        account = caller.principal.account
        self.check_algorithm(values["SigningAlgorithm"])
        tags = self._tags(values)
        self.check_no_federated_user(caller)
        asked = {
            **authorize.request_tags(tags),
            "sts:identitytokenaudience": tuple(values["Audience"]),
            "sts:signingalgorithm": (values["SigningAlgorithm"],),
            "sts:durationseconds": (str(values["DurationSeconds"]),),
        }
        itself, context = f"arn:aws:sts::{account}:self", self._context(caller) | asked
        for action in ("sts:GetWebIdentityToken", *(("sts:TagGetWebIdentityToken",) if tags else ())):
            authorize.permitted(caller, action, itself, context, reasoned=True)
        expires = self._now() + timedelta(seconds=values["DurationSeconds"])
        self.check_escalation(caller, expires)
        if not self._iam.outbound_federation(account):  # the last of all (observed.yaml, gwit-order)
            raise Refused("outbound-federation-disabled", "OutboundWebIdentityFederation is disabled.")
        issuer = self._iam.outbound_issuer(account)
        token = self._outbound.token(
            issuer, caller.principal, values["Audience"], values["SigningAlgorithm"], tags, self._now(), expires
        )
        return {"WebIdentityToken": token, "Expiration": expires}

    def check_algorithm(self, algorithm: str) -> None:
        """Refuse what tokens are not signed with (observed.yaml, gwit-algorithm-unsupported)."""
        if algorithm not in ALGORITHMS:
            see = "See the GetWebIdentityToken documentation for supported algorithms"
            raise Refused("signing-algorithm-unsupported", f"Requested SigningAlgorithm is not supported. {see}")

    def check_no_federated_user(self, caller: Caller) -> None:
        """Refuse federated users (observed.yaml, gwit-caller-federated)."""
        if caller.principal.kind == "federated-user":
            message = "GetWebIdentityToken does not support federated user sessions"
            raise Refused("federated-user-not-supported", message)

    def check_escalation(self, caller: Caller, expires: datetime) -> None:
        """Refuse a token that would outlive the caller's session (observed.yaml, gwit-escalation)."""
        if caller.session is not None and expires > caller.session.expires:
            message = "Requested token expiry time must be before the original session's expiry time."
            raise Refused("session-duration-escalation", message)

    # What they share

    def arn(self, text: str) -> Arn:
        """Read an ARN."""
        return parse_arn(text)

    def _context(self, caller: Caller) -> dict[str, tuple[str, ...]]:
        return authorize.context_of(caller, now=self._now())

    def _tags(self, values: Values) -> tuple[tuple[str, str], ...]:
        tags = tuple((tag["Key"], tag["Value"]) for tag in values.get("Tags") or ())
        self.check_distinct(tags)
        return tags

    def check_distinct(self, tags: tuple[tuple[str, str], ...]) -> None:
        """Refuse tag keys that differ in case at most (observed.yaml, ar-tag-duplicate-case)."""
        if len({key.lower() for key, _ in tags}) < len(tags):
            raise Refused(
                "duplicate-tag-keys", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )

    def check_transitive(self, transitive: tuple[str, ...], tags: tuple[tuple[str, str], ...]) -> None:
        """Refuse a transitive key without its tag (observed.yaml, ar-tag-transitive-unknown)."""
        if not {key.lower() for key in transitive} <= {key.lower() for key, _ in tags}:
            raise Refused(
                "transitive-key-unknown", "The specified transitive tag key must be included in the requested tags."
            )

    def check_inherited(self, tags: tuple[tuple[str, str], ...], inherited: tuple[tuple[str, str], ...]) -> None:
        """Refuse a tag with the key of an inherited one (AssumeRole > Tags)."""
        if {key.lower() for key, _ in inherited} & {key.lower() for key, _ in tags}:
            raise Refused("inherited-tag", "A tag of the request has the key of an inherited transitive tag.")

    def _restriction(
        self, values: Values, inherited: tuple[tuple[str, str], ...], account: str
    ) -> Restriction:
        """Read session policies and tags; managed policies must be those of `account` or of AWS.

        Raises:
            Refused: a policy is malformed or unknown, tags contradict each other, or all is too large packed.
        """
        tags = self._tags(values)
        transitive = tuple(values.get("TransitiveTagKeys") or ())
        self.check_transitive(transitive, tags)
        self.check_inherited(tags, inherited)
        arns = [entry["arn"] for entry in values.get("PolicyArns") or () if "arn" in entry]
        managed = [self.managed_policy(arn, account) for arn in arns]
        inline = [values["Policy"]] if "Policy" in values else []
        for text in inline:
            self.check_policy(text)
        policies = (*inline, *managed) if inline or managed else None
        check_packed(self.packed(inline, arns, tags), tags_only=not (inline or arns))
        return Restriction(policies, tags, transitive)

    def check_policy(self, text: str) -> None:
        """Refuse a text that is no policy document."""
        try:
            parse(text)
        except MalformedPolicy as error:
            raise Refused("malformed-policy-document", str(error)) from None

    def packed(self, inline: list[str], arns: list[str], tags: tuple[tuple[str, str], ...]) -> int:
        """Return the packed size in percent."""
        return packed_percent(inline, arns, tags)

    def managed_policy(self, arn: str, account: str) -> str:
        """Return a managed policy; one of another account is as good as none (AssumeRole > PolicyArns)."""
        text = self._iam.managed_policy(arn) if self.arn(arn).account in {account, "aws"} else None
        if text is None:
            raise Refused("unknown-managed-policy", f"{arn} is invalid")
        return text

    def _session(
        self, principal: Principal, seconds: int, origin: Any, *, issuer: tuple[str, str]
    ) -> Session:
        now = self._now().replace(microsecond=0)
        return Session(
            access_key_id=self._mint.key_id("ASIA", principal.account),
            secret=self._mint.secret(),
            issued=now,
            expires=now + timedelta(seconds=seconds),
            principal=principal,
            origin=origin,
            issuer_arn=issuer[0],
            issuer_id=issuer[1],
        )

    def _role_session(self, role: Role, name: str, seconds: int, origin: Any) -> Session:
        arn = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}"
        principal = Principal("assumed-role", role.account, arn, f"{role.id}:{name}")
        return self._session(principal, seconds, origin, issuer=(role.arn, role.id))

    def _user_session(self, caller: Caller, principal: Principal, seconds: int, origin: Any) -> Session:
        """Sessions of root last an hour at most; more is cut, not refused (GetSessionToken > DurationSeconds)."""
        who = caller.principal
        if who.kind == "root":
            seconds = min(seconds, _HOUR)
        return self._session(principal, seconds, origin, issuer=(who.arn, who.user_id))

    def _credentials(self, session: Session) -> dict[str, Tree | None]:
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret,
            "SessionToken": self._mint.seal(session),
            "Expiration": session.expires,
        }

    def _answer_of_role(self, session: Session) -> Result:
        who, credentials = session.principal, self._credentials(session)
        return {
            "AssumedRoleUser": {"AssumedRoleId": who.user_id, "Arn": who.arn},
            "Credentials": credentials,
            **_packed_size_of(credentials),
        }


def _packed_size_of(credentials: dict[str, Tree | None]) -> Result:
    """Return PackedPolicySize, which speaks of the whole token since September 2026 (observed.yaml, size-*)."""
    sizes = _size_of(credentials)
    return {"PackedPolicySize": sizes["SessionTokenUtilization"], **sizes}


def _size_of(credentials: dict[str, Tree | None]) -> Result:
    token = str(credentials["SessionToken"])
    return {"SessionTokenUtilization": utilization(token), "SessionTokenSize": len(token)}
