"""Identity providers of a run: registered through IAM when the first case asks for one, or given by a target file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from generators.federated import OPENID_PROVIDER
from targets.iam import create, document, removal, role_request
from targets.identity.openid import OpenIdIssuer, Token
from targets.identity.saml import SamlIssuer, name_qualifier
from targets.supplied import SuppliedOpenId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from generators.case import Fixture
    from targets.http import Exchange
    from targets.iam import IamCall, Undo
    from targets.provision import Estate
    from targets.supplied import Supplied


@dataclass
class Providers:
    """Makes identity providers, and serves the keys of those that are on loopback."""

    run: str  # what the names of this run end with
    estate: Estate
    supplied: Supplied
    iam: IamCall | None  # None: nothing may be made
    words: Callable[[Exchange], str]
    undo: Undo
    try_token: Callable[[str, str], Awaitable[Exchange]]  # AssumeRoleWithWebIdentity of a role's ARN with a token
    on_aws: bool
    _serving: list[OpenIdIssuer] = field(default_factory=list)
    _saml_made: int = 0

    async def have(self, fixture: Fixture) -> str:
        """Make a provider; returns '', or what is missing."""
        return await (self._saml(fixture) if fixture.kind == "saml" else self._openid(fixture))

    def close(self) -> None:
        """Stop serving keys."""
        for issuer in self._serving:
            issuer.stop()
        self._serving.clear()

    async def _saml(self, fixture: Fixture) -> str:
        given = self.supplied.saml
        issuer = given.issuer if given is not None else SamlIssuer()
        arn = given.arn if given is not None else ""
        if not arn:
            if self.iam is None:
                return "needs a SAML identity provider: let one be made, or give saml-provider in a target file"
            arn, refused = await self._register_saml(self.iam, issuer)
            if refused:
                return refused
        self.estate.issuers[fixture.key] = issuer
        self.estate.values |= {
            fixture.key: arn,
            f"{fixture.key}.name": arn.rpartition("/")[2],
            f"{fixture.key}.issuer": issuer.entity_id,
            f"{fixture.key}.name-qualifier": name_qualifier(issuer.entity_id, arn),
        }
        return ""

    async def _register_saml(self, iam: IamCall, issuer: SamlIssuer) -> tuple[str, str]:
        """Return the ARN of a provider that is registered for the run, or '' and why there is none."""
        document = await asyncio.to_thread(issuer.metadata)  # which makes the keys: a while
        self._saml_made += 1
        name = f"sts-conformance-{self.run}-{self._saml_made}"
        arn, made = await create(
            self.undo,
            iam("CreateSAMLProvider", Name=name, SAMLMetadataDocument=document),
            "CreateSAMLProviderResult/SAMLProviderArn",
            lambda arn: removal(iam, "DeleteSAMLProvider", SAMLProviderArn=arn),
            self.estate.arn(f"saml-provider/{name}"),
        )
        if not arn:
            return "", f"needs a SAML identity provider: CreateSAMLProvider was answered {self.words(made)}"
        return arn, ""

    async def _openid(self, fixture: Fixture) -> str:
        given = self.supplied.openid if fixture.key == OPENID_PROVIDER.key else None
        if given is None:
            made = SuppliedOpenId(OpenIdIssuer(), fixture.audiences[0], served=True)
            return self._unmakable(fixture) or await self._have(fixture, made, fixture.audiences)
        return await self._have(fixture, given, (given.audience,))

    def _unmakable(self, fixture: Fixture) -> str:
        """Say why a provider with keys of the run's own cannot be had."""
        which = "an OpenID Connect provider"
        if fixture.key != OPENID_PROVIDER.key:
            kind = f"for {', '.join(fixture.audiences)}" if fixture.reachable else "whose keys cannot be fetched"
            which += f" {kind}, which no target file can give"
            return f"needs {which}: let it be made" if self.iam is None or self.on_aws else ""
        if self.iam is None:
            return f"needs {which}: let one be made, or give openid-provider in a target file"
        return f"needs {which} that AWS can reach: give openid-provider in a target file" if self.on_aws else ""

    async def _have(self, fixture: Fixture, given: SuppliedOpenId, audiences: tuple[str, ...]) -> str:
        """Serve and register a provider, as far as it is not, and try it."""
        issuer, arn = given.issuer, given.arn
        if given.served and (unserved := self._serve(issuer)):
            return unserved
        await asyncio.to_thread(issuer.saved)  # which makes the keys: a while
        if not arn:
            if self.iam is None:
                return "needs an OpenID Connect provider that is registered: let it be, or give its arn"
            arn, refused = await self._register_openid(self.iam, given, audiences)
            if refused:
                return refused
        if not fixture.reachable:
            issuer.stop()
        elif given.served and (unheard := await self._unheard(issuer, arn, audiences[0])):
            return unheard
        self.estate.issuers[fixture.key] = issuer
        self.estate.audiences[fixture.key] = audiences[0]
        self.estate.values |= {
            fixture.key: arn,
            f"{fixture.key}.issuer": issuer.url.partition("://")[2],
            f"{fixture.key}.audience": audiences[0],
        }
        return ""

    def _serve(self, issuer: OpenIdIssuer) -> str:
        try:
            issuer.start()
        except OSError as error:
            return f"needs an OpenID Connect provider where the target file wants one served: {error.strerror}"
        self._serving.append(issuer)
        return ""

    async def _register_openid(
        self, iam: IamCall, given: SuppliedOpenId, audiences: tuple[str, ...]
    ) -> tuple[str, str]:
        """Return the ARN of a provider that is registered for the run, or '' and why there is none."""
        parameters = {f"ClientIDList.member.{n}": audience for n, audience in enumerate(audiences, 1)}
        thumbprint = given.issuer.thumbprint if given.served else given.thumbprint
        if thumbprint:
            parameters["ThumbprintList.member.1"] = thumbprint
        arn, made = await create(
            self.undo,
            iam("CreateOpenIDConnectProvider", Url=given.issuer.url, **parameters),
            "CreateOpenIDConnectProviderResult/OpenIDConnectProviderArn",
            lambda arn: removal(iam, "DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn),
            self.estate.arn(f"oidc-provider/{given.issuer.url.partition('://')[2]}"),
        )
        if not arn:
            words = self.words(made)
            return "", f"needs an OpenID Connect provider: CreateOpenIDConnectProvider was answered {words}"
        return arn, ""

    async def _unheard(self, issuer: OpenIdIssuer, provider: str, audience: str) -> str:
        """Say if the target refuses a genuine token without having asked for its key: that is no verdict on it.

        It may be unable to reach the issuer, which is on this machine, or not trust the issuer's certificate.
        """
        role = await self._trial_role(provider)
        if not role:
            return ""  # the cases will say so themselves
        tried = await self.try_token(role, issuer.token(Token(audience=audience)))
        if tried.granted or issuer.requests:
            return ""
        return (
            f"needs an OpenID Connect provider whose keys the target fetches: it never asked {issuer.url} for them, "
            f"and a genuine token was answered {self.words(tried)}"
        )

    async def _trial_role(self, provider: str) -> str:
        """Return the ARN of a role that trusts a provider, '' if there is none."""
        given = self.supplied.fixtures.get("web-identity-role-arn")
        if given is not None and self.supplied.openid is not None and provider == self.supplied.openid.arn:
            return given.arn
        if self.iam is None:
            return ""
        iam, name = self.iam, f"sts-conformance-{self.run}-trial-{len(self._serving)}"
        trust = document(
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
        )
        role, _ = await create(
            self.undo,
            role_request(iam, name, trust, seconds=3600),
            "CreateRoleResult/Role/Arn",
            lambda _: removal(iam, "DeleteRole", RoleName=name),
        )
        return role
