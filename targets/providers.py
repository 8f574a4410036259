"""Identity providers of a run: registered through IAM when the first case asks for one, or given by a target file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from targets.iam import create_role, document
from targets.identity.openid import OpenIdIssuer, Token
from targets.identity.saml import SamlIssuer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from generators.case import Fixture
    from targets.http import Exchange
    from targets.provision import Estate

    IamCall = Callable[..., Awaitable[Exchange]]
    Undo = list[Callable[[], Awaitable[Exchange]]]


@dataclass
class Providers:
    """Makes identity providers, and serves the keys of those that are on loopback."""

    run: str  # what the names of this run end with
    estate: Estate
    iam: IamCall
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
        issuer = SamlIssuer()
        document = await asyncio.to_thread(issuer.metadata)  # which makes the keys: a while
        self._saml_made += 1
        name = f"sts-conformance-{self.run}-{self._saml_made}"
        made = await self.iam("CreateSAMLProvider", Name=name, SAMLMetadataDocument=document)
        arn = made.text_at("CreateSAMLProviderResult/SAMLProviderArn")
        if not arn:
            return f"needs a SAML identity provider: CreateSAMLProvider was answered {self.words(made)}"
        self.undo.append(lambda: self.iam("DeleteSAMLProvider", SAMLProviderArn=arn))
        self.estate.issuers[fixture.key] = issuer
        self.estate.values |= {fixture.key: arn, f"{fixture.key}.name": name}
        return ""

    async def _openid(self, fixture: Fixture) -> str:
        if self.on_aws:
            return "needs an OpenID Connect provider that AWS can reach: name yours in a target file"
        issuer = OpenIdIssuer()
        issuer.start()
        self._serving.append(issuer)
        await asyncio.to_thread(issuer.saved)  # which makes the keys: a while
        audiences = {f"ClientIDList.member.{n}": audience for n, audience in enumerate(fixture.audiences, 1)}
        made = await self.iam(
            "CreateOpenIDConnectProvider",
            **{"Url": issuer.url, **audiences, "ThumbprintList.member.1": issuer.thumbprint},
        )
        arn = made.text_at("CreateOpenIDConnectProviderResult/OpenIDConnectProviderArn")
        if not arn:
            words = self.words(made)
            return f"needs an OpenID Connect provider: CreateOpenIDConnectProvider was answered {words}"
        self.undo.append(lambda: self.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn))
        if not fixture.reachable:
            issuer.stop()
        elif unheard := await self._unheard(issuer, arn, fixture.audiences[0]):
            return unheard
        self.estate.issuers[fixture.key] = issuer
        self.estate.audiences[fixture.key] = fixture.audiences[0]
        self.estate.values |= {
            fixture.key: arn,
            f"{fixture.key}.issuer": issuer.url.partition("://")[2],
            f"{fixture.key}.audience": fixture.audiences[0],
        }
        return ""

    async def _unheard(self, issuer: OpenIdIssuer, provider: str, audience: str) -> str:
        """Say if the target refuses a genuine token without having asked for its key: that is no verdict on it.

        It may be unable to reach the issuer, which is on this machine, or not trust the issuer's certificate.
        """
        name = f"sts-conformance-{self.run}-trial-{len(self._serving)}"
        trust = document(
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
        )
        made = await create_role(self.iam, name, trust, seconds=3600)
        role = made.text_at("CreateRoleResult/Role/Arn")
        if not role:
            return ""  # the cases will say so themselves
        self.undo.append(lambda: self.iam("DeleteRole", RoleName=name))
        tried = await self.try_token(role, issuer.token(Token(audience=audience)))
        if tried.granted or issuer.requests:
            return ""
        return (
            f"needs an OpenID Connect provider whose keys the target fetches: it never asked {issuer.url} for them, "
            f"and a genuine token was answered {self.words(tried)}"
        )
