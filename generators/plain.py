"""The plain request of each operation, and samples for each member: what a case starts from.

Where a value that works cannot be made up here (a role of 2,048 characters, a valid SAML assertion), the
probe says which refusal a request that keeps the constraint meets next, or that none can be told apart.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from generators.case import Parameters, Request, plain_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from specs.contract import Contract


def _jwt(claims: dict[str, object]) -> str:
    parts = ({"alg": "RS256", "kid": "sts-conformance", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts]
    signature = base64.urlsafe_b64encode(b"not a signature of anybody, for 256 bits").rstrip(b"=").decode()
    return ".".join((*encoded, signature))


# Nobody made these: refused wherever tokens are checked.
FORGED_TOKEN = _jwt({"iss": "https://sts-conformance.example.com", "sub": "nobody-at-all", "aud": "nobody"})
FORGED_ASSERTION = base64.b64encode(
    b'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
    b' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" Version="2.0"'
    b' IssueInstant="2020-01-01T00:00:00Z" Destination="https://signin.aws.amazon.com/saml">'
    b"<saml:Issuer>https://sts-conformance.example.com</saml:Issuer>"
    b'<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
    b'<saml:Assertion ID="_2" Version="2.0" IssueInstant="2020-01-01T00:00:00Z">'
    b"<saml:Issuer>https://sts-conformance.example.com</saml:Issuer>"
    b'<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">nobody'
    b"</saml:NameID></saml:Subject><saml:AttributeStatement>"
    b'<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role"><saml:AttributeValue>'
    b"arn:aws:iam::123456789012:role/sts-conformance-federated,"
    b"arn:aws:iam::123456789012:saml-provider/sts-conformance</saml:AttributeValue></saml:Attribute>"
    b'<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>'
    b"conformance</saml:AttributeValue></saml:Attribute>"
    b"</saml:AttributeStatement></saml:Assertion></samlp:Response>"
).decode()
FORGED_MESSAGE = base64.b64encode(b"sts-conformance: nobody encoded this message").decode()

# A session policy that takes every right away: what we mint can do nothing.
DENY_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'

# Managed policies that exist in every AWS account.
MANAGED_POLICIES = tuple(
    f"arn:aws:iam::aws:policy/{name}"
    for name in (
        "ReadOnlyAccess", "SecurityAudit", "AmazonS3ReadOnlyAccess", "AmazonEC2ReadOnlyAccess",
        "AmazonSQSReadOnlyAccess", "AmazonSNSReadOnlyAccess", "AmazonRDSReadOnlyAccess",
        "AmazonVPCReadOnlyAccess", "AmazonDynamoDBReadOnlyAccess", "CloudWatchReadOnlyAccess",
        "IAMReadOnlyAccess",
    )
)  # fmt: skip

_ROOT_TASK = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
_MEMBERS: dict[str, Parameters] = {
    "AssumeRole": (("RoleArn", "${role-arn}"), ("RoleSessionName", "conformance")),
    "AssumeRoleWithSAML": (
        ("RoleArn", "arn:aws:iam::${account}:role/sts-conformance-federated"),
        ("PrincipalArn", "arn:aws:iam::${account}:saml-provider/sts-conformance"),
        ("SAMLAssertion", FORGED_ASSERTION),
    ),
    "AssumeRoleWithWebIdentity": (
        ("RoleArn", "arn:aws:iam::${account}:role/sts-conformance-federated"),
        ("RoleSessionName", "conformance"),
        ("WebIdentityToken", FORGED_TOKEN),
    ),
    "AssumeRoot": (
        ("TargetPrincipal", "${account}"),
        ("TaskPolicyArn.arn", _ROOT_TASK),
    ),
    "DecodeAuthorizationMessage": (("EncodedMessage", FORGED_MESSAGE),),
    "GetAccessKeyInfo": (("AccessKeyId", "${user-access-key-id}"),),
    "GetCallerIdentity": (),
    "GetDelegatedAccessToken": (("TradeInToken", "sts-conformance-made-this-up"),),
    "GetFederationToken": (("Name", "conformance"),),
    "GetSessionToken": (),
    "GetWebIdentityToken": (
        ("Audience.member.1", "https://sts-conformance.example.com"),
        ("SigningAlgorithm", "RS256"),
    ),
}

# What an operation needs for its plain request to mean anything.
NEEDS: dict[str, frozenset[str]] = {
    "AssumeRole": frozenset({"role"}),
    "GetFederationToken": frozenset({"long-term-keys"}),
    "GetSessionToken": frozenset({"long-term-keys"}),
}

# Operations whose plain request cannot be granted, with the refusal that it meets.
NEXT_REFUSAL: dict[str, str] = {
    "AssumeRoleWithSAML": "federation-token-refused",
    "AssumeRoleWithWebIdentity": "federation-token-refused",
    "AssumeRoot": "root-task-not-allowed",
    "DecodeAuthorizationMessage": "invalid-authorization-message",
    "GetDelegatedAccessToken": "trade-in-token-refused",
    "GetWebIdentityToken": "web-identity-token-not-issued",
}

# Those that a target may grant all the same: what they ask for is real. Nobody can be granted what is made up: an
# assertion, a token, a message, a code of a device that does not exist, a context.
GRANTABLE = frozenset({"AssumeRoot", "GetWebIdentityToken"})
MADE_UP = frozenset({
    *(refusal for operation, refusal in NEXT_REFUSAL.items() if operation not in GRANTABLE),
    "mfa-failed", "context-not-accepted",
})  # fmt: skip

# What a granted answer of such an operation takes, and the members that bring it.
GRANTED: dict[str, tuple[str, Parameters]] = {
    "AssumeRoleWithSAML": (
        "saml-identity-provider",
        (
            ("RoleArn", "${saml-role-arn}"),
            ("PrincipalArn", "${saml-provider-arn}"),
            ("SAMLAssertion", "${saml-assertion}"),
        ),
    ),
    "AssumeRoleWithWebIdentity": (
        "openid-connect-provider",
        (("RoleArn", "${web-identity-role-arn}"), ("WebIdentityToken", "${web-identity-token}")),
    ),
    "AssumeRoot": ("organization-management-account", (("TargetPrincipal", "${member-account}"),)),
    "DecodeAuthorizationMessage": ("encoded-message", (("EncodedMessage", "${encoded-message}"),)),
    "GetDelegatedAccessToken": ("trade-in-token", (("TradeInToken", "${trade-in-token}"),)),
    "GetWebIdentityToken": ("outbound-federation", ()),
}


@dataclass(frozen=True, slots=True)
class Probe:
    """How to vary one member: a sample, values of any length, and what else must be sent along."""

    sample: str
    fill: Callable[[int], str]
    inside: Literal["granted", "next", "unknown"] = "granted"
    next_refusal: str | None = None
    along: Parameters = ()


def plain(contract: Contract, operation: str) -> Request:
    """Return the plain request of `operation`."""
    signed = contract.operations[operation].authentication == "sigv4"
    return plain_request(operation, _MEMBERS[operation], signed=signed)


def _letters(length: int) -> str:
    return "a" * length


def _arn(prefix: str) -> Callable[[int], str]:
    return lambda length: (prefix + "a" * length)[:length]


def policy_text(length: int) -> str:
    """Return a policy document of exactly `length` characters, as long as one of that length exists."""
    if length < len(DENY_ALL):
        return DENY_ALL[:length]
    return DENY_ALL[:-1] + " " * (length - len(DENY_ALL)) + DENY_ALL[-1]


def incompressible(length: int, seed: str) -> str:
    """Return letters and digits without pattern, the same for the same seed."""
    blocks = (
        hashlib.sha256(f"{seed}/{n}".encode()).hexdigest() for n in range(length // 64 + 1)
    )
    return "".join(blocks)[:length]


_MFA = (("SerialNumber", "arn:aws:iam::${account}:mfa/sts-conformance"), ("TokenCode", "123456"))
_TAG = (("Tags.member.1.Key", "Project"), ("Tags.member.1.Value", "Unicorn"))

# By member; an operation's own entry wins.
_PROBES: dict[str, Probe] = {
    "RoleArn": Probe("", _arn("arn:aws:iam::123456789012:role/"), inside="unknown"),
    "PrincipalArn": Probe("", _arn("arn:aws:iam::123456789012:saml-provider/"), inside="unknown"),
    "RoleSessionName": Probe("conformance", _letters),
    "Name": Probe("conformance", _letters),
    "Policy": Probe(DENY_ALL, policy_text),
    "ExternalId": Probe("conformance", _letters),
    "SerialNumber": Probe(_MFA[0][1], _letters, "next", "mfa-failed", _MFA),
    "TokenCode": Probe("123456", lambda n: "1" * n, "next", "mfa-failed", _MFA),
    "SourceIdentity": Probe("conformance", _letters),
    "SAMLAssertion": Probe(FORGED_ASSERTION, _letters),
    "WebIdentityToken": Probe(FORGED_TOKEN, _letters),
    "ProviderId": Probe("www.amazon.com", _letters, inside="unknown"),
    "EncodedMessage": Probe(FORGED_MESSAGE, _letters),
    "AccessKeyId": Probe("", _letters, inside="unknown"),
    "TargetPrincipal": Probe("", _letters, inside="unknown"),
    "TradeInToken": Probe("", _letters, inside="unknown"),
    "SigningAlgorithm": Probe("RS256", lambda n: ("RS256" + "6" * n)[:n]),
    "Audience.item": Probe("https://sts-conformance.example.com", _letters),
    "TransitiveTagKeys.item": Probe("Project", _letters),
    "Tag.Key": Probe("Project", _letters),
    "Tag.Value": Probe("Unicorn", _letters),
    "PolicyDescriptorType.arn": Probe(
        "${policy-arn-1}", _arn("arn:aws:iam::aws:policy/"), inside="unknown"
    ),
    "ProvidedContext.ProviderArn": Probe(
        "arn:aws:iam::aws:contextProvider/IdentityCenter",
        _arn("arn:aws:iam::aws:contextProvider/"),
        inside="unknown",
    ),
    "ProvidedContext.ContextAssertion": Probe("sts-conformance", _letters, inside="unknown"),
}


def probe(operation: str, member: str) -> Probe:
    """Return how to vary `member` ('RoleArn', 'Tag.Key', 'TransitiveTagKeys.item') of `operation`."""
    found = _PROBES[member]
    if operation == "AssumeRoot" and member == "PolicyDescriptorType.arn":  # no other policy is one of a task
        found = replace(found, sample=_ROOT_TASK)
    following = NEXT_REFUSAL.get(operation)
    if following is None or found.inside == "unknown":
        return found
    # What AWS would say to AssumeRoot and its like is not known well enough to tell it from a violation.
    if operation in {"AssumeRoot", "GetDelegatedAccessToken"}:
        return Probe(found.sample, found.fill, "unknown", None, found.along)
    return Probe(found.sample, found.fill, "next", found.next_refusal or following, found.along)


def tag_parameters(count: int, *, key: Callable[[int], str], value: Callable[[int], str]) -> Parameters:
    """Return `count` tags, numbered from 1."""
    return tuple(
        pair
        for n in range(1, count + 1)
        for pair in ((f"Tags.member.{n}.Key", key(n)), (f"Tags.member.{n}.Value", value(n)))
    )


def list_parameters(member: str, count: int) -> Parameters:
    """Return `count` good entries of the list `member`, with what they need along."""
    if member == "Tags":
        return tag_parameters(count, key=lambda n: f"k{n}", value=lambda _: "")
    if member == "TransitiveTagKeys":
        tags = tag_parameters(min(count, 50), key=lambda n: f"k{n}", value=lambda _: "")
        return (*tags, *((f"TransitiveTagKeys.member.{n}", f"k{n}") for n in range(1, count + 1)))
    if member == "PolicyArns":
        return tuple((f"PolicyArns.member.{n}.arn", f"${{policy-arn-{n}}}") for n in range(1, count + 1))
    if member == "Audience":
        return tuple(
            (f"Audience.member.{n}", f"https://{n}.sts-conformance.example.com") for n in range(1, count + 1)
        )
    if member == "ProvidedContexts":
        return tuple(
            pair
            for n in range(1, count + 1)
            for pair in (
                (f"ProvidedContexts.member.{n}.ProviderArn", "arn:aws:iam::aws:contextProvider/IdentityCenter"),
                (f"ProvidedContexts.member.{n}.ContextAssertion", f"sts-conformance-{n}"),
            )
        )
    raise KeyError(member)
