"""What the plain, granted requests of AssumeRoleWithSAML and AssumeRoleWithWebIdentity need made and signed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from generators.case import Fixture, Recipe

if TYPE_CHECKING:
    from generators.case import Case

AUDIENCE = "sts-conformance"
SAML_PROVIDER = Fixture("saml-provider-arn", "saml")
OPENID_PROVIDER = Fixture("openid-provider-arn", "openid", audiences=(AUDIENCE,))


def _trust(provider: str, action: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"${{{provider}}}"},
        "Action": [action, "sts:TagSession", "sts:SetSourceIdentity"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def _role(key: str, provider: str, action: str) -> Fixture:
    return Fixture(key, "role", trust=_trust(provider, action), max_session_seconds=43200)


_SAYS = {"source-identity": "alice", "tags": {"Project": "Unicorn"}}
# By the need that they meet; the keys are the placeholders of the contract's requests.
_NEEDS: dict[str, tuple[tuple[Fixture, ...], Recipe]] = {
    "saml-identity-provider": (
        (
            SAML_PROVIDER,
            _role("saml-role-arn", "saml-provider-arn", "sts:AssumeRoleWithSAML"),
        ),
        Recipe(
            "saml-assertion",
            "saml-provider-arn",
            json.dumps({"role": "${saml-role-arn}", "provider": "${saml-provider-arn}", **_SAYS}),
        ),
    ),
    "openid-connect-provider": (
        (
            OPENID_PROVIDER,
            _role("web-identity-role-arn", "openid-provider-arn", "sts:AssumeRoleWithWebIdentity"),
        ),
        Recipe("web-identity-token", "openid-provider-arn", json.dumps(_SAYS)),
    ),
}


def provided(case: Case) -> Case:
    """Return the case with what meets its needs of identity providers."""
    met = [_NEEDS[need] for need in sorted(case.needs & _NEEDS.keys())]
    if not met:
        return case
    return replace(
        case,
        needs=case.needs - _NEEDS.keys(),
        fixtures=(*case.fixtures, *(fixture for fixtures, _ in met for fixture in fixtures)),
        recipes=(*case.recipes, *(recipe for _, recipe in met)),
    )
