"""Identity providers of a run, registered at the endpoint; and what only a reference hands out.

For targets that trust an issuer on the loopback interface. What is had becomes needs that are met, and values
for placeholders.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from targets.fixtures import create_role, document
from targets.identity.openid import OpenIdIssuer, Token
from targets.identity.saml import Assertion, SamlIssuer
from targets.wire import Prepared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from targets.http import Client, Exchange
    from targets.provision import Estate

    IamCall = Callable[..., Awaitable[Exchange]]

_AUDIENCE = "sts-conformance"
_TAGS = (("Project", "Unicorn"),)


@dataclass
class Federation:
    """A SAML provider and an OpenID Connect provider, each with a role that trusts it."""

    run: str  # what the names of this run end with
    estate: Estate
    iam: IamCall
    undo: list[Callable[[], Awaitable[Exchange]]]
    saml: SamlIssuer = field(default_factory=SamlIssuer)
    openid: OpenIdIssuer = field(default_factory=OpenIdIssuer)

    async def make(self) -> None:
        """Register the providers, make the roles, and sign a token for each."""
        await self._saml()
        await self._openid()

    def close(self) -> None:
        """Stop serving keys."""
        self.openid.stop()

    async def _saml(self) -> None:
        name = f"sts-conformance-{self.run}"
        made = await self.iam("CreateSAMLProvider", Name=name, SAMLMetadataDocument=self.saml.metadata())
        provider = made.text_at("CreateSAMLProviderResult/SAMLProviderArn")
        if not provider:
            return
        self.undo.append(lambda: self.iam("DeleteSAMLProvider", SAMLProviderArn=provider))
        role = await self._role(f"{name}-saml", provider, "sts:AssumeRoleWithSAML")
        if not role:
            return
        says = Assertion(role_arn=role, provider_arn=provider, source_identity="alice", tags=_TAGS)
        assertion = self.saml.assertion(says)
        self.estate.values |= {
            "saml-role-arn": role, "saml-provider-arn": provider, "saml-assertion": assertion,
        }  # fmt: skip
        self.estate.has.add("saml-identity-provider")

    async def _openid(self) -> None:
        self.openid.start()
        made = await self.iam(
            "CreateOpenIDConnectProvider",
            **{
                "Url": self.openid.url,
                "ClientIDList.member.1": _AUDIENCE,
                "ThumbprintList.member.1": self.openid.thumbprint,
            },
        )
        provider = made.text_at("CreateOpenIDConnectProviderResult/OpenIDConnectProviderArn")
        if not provider:
            return
        self.undo.append(
            lambda: self.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=provider)
        )
        role = await self._role(f"sts-conformance-{self.run}-oidc", provider, "sts:AssumeRoleWithWebIdentity")
        if not role:
            return
        token = self.openid.token(Token(audience=_AUDIENCE, source_identity="alice", tags=_TAGS))
        self.estate.values |= {"web-identity-role-arn": role, "web-identity-token": token}
        self.estate.has.add("openid-connect-provider")

    async def _role(self, name: str, provider: str, action: str) -> str:
        actions = [action, "sts:TagSession", "sts:SetSourceIdentity"]
        trust = document({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": actions})
        made = await create_role(self.iam, name, trust)
        arn = made.text_at("CreateRoleResult/Role/Arn")
        if arn:
            self.undo.append(lambda: self.iam("DeleteRole", RoleName=name))
        return arn

    async def outbound(self) -> None:
        """Let the account vend web identity tokens."""
        switched = await self.iam("EnableOutboundWebIdentityFederation")
        if switched.granted:
            self.undo.append(lambda: self.iam("DisableOutboundWebIdentityFederation"))
            self.estate.has.add("outbound-federation")


async def take_fixtures(estate: Estate, client: Client) -> None:
    """Ask a reference for what on AWS other services and products hand out."""
    target = f"/_reference/fixtures?role-arn={estate.values['role-arn']}"
    headers = (("Host", client.endpoint.authority), ("Content-Length", "0"))
    exchange = await client.send(Prepared("POST", target, headers, b"", datetime.now(UTC)))
    if exchange.answer is None or not exchange.granted:
        return
    estate.values |= json.loads(exchange.answer.body)
    estate.has |= {"encoded-message", "trade-in-token", "organization-management-account"}
