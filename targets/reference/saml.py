"""SAML assertions: the signature first, then nothing but what it covers.

Sources: the API reference (AssumeRoleWithSAML); the IAM User Guide, "Configure SAML assertions for the
authentication response" and "Troubleshoot SAML federation"; observed.yaml, saml-*. Messages that none of them
gives are ours and plain.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn
from xml.etree.ElementTree import ParseError

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import Certificate, load_der_x509_certificate
from defusedxml.ElementTree import fromstring
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from targets.reference.model import FederatedIdentity, Refused

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from targets.reference.model import SamlProvider

_LONGEST = 100_000  # characters; API reference, AssumeRoleWithSAML > SAMLAssertion
_LARGEST_METADATA = 10_000_000  # characters; IAM API reference, CreateSAMLProvider > SAMLMetadataDocument
_REDEEMED_WITHIN = timedelta(minutes=5)  # observed.yaml, saml-expired-5min

_P = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_A = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_M = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_RESPONSE, _ASSERTION, _SIGNATURE = f"{_P}Response", f"{_A}Assertion", f"{_DS}Signature"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_FORMATS = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
_TAG = f"{_ATTRIBUTES}PrincipalTag:"

_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")  # observed.yaml, saml-bad-session-name
_ROLE = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/.+", re.DOTALL)
_PROVIDER = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):saml-provider/(?:.*/)?([^/]+)", re.DOTALL)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,12})?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)

_SIGNED_BY_ANOTHER = (
    "Issuer not present in specified provider (Service: AWSOpenIdDiscoveryService; Status Code: 400; "
    "Error Code: AuthSamlInvalidSamlResponseException; Request ID: 00000000-0000-0000-0000-000000000000; Proxy: null)"
)
_NOT_SIGNED = (
    "Response (with optional signature) must contain an assertion with a mandatory signature (Service: "
    "AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlInvalidSamlResponseException; "
    "Request ID: 00000000-0000-0000-0000-000000000000; Proxy: null)"
)
# What AWS says of whatever the response lacks, though the Base64 is fine (saml-recipient-missing and others).
_UNREADABLE = (
    "Invalid base64 SAMLResponse (Service: AWSOpenIdDiscoveryService; Status Code: 400; "
    "Error Code: AuthSamlInvalidSamlResponseException; Request ID: 00000000-0000-0000-0000-000000000000; Proxy: null)"
)
_BAD_SIGNATURE = "Response signature invalid"

# SHA-1 is left out: signatures of it can be forged.
_ALGORITHMS = frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512})
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


class Verifier:
    """Reads assertions, in steps that are plain attributes: a defect changes one of them, see `defects`."""

    def verify(self, assertion: str, provider: SamlProvider, *, now: datetime, role_arn: str) -> FederatedIdentity:
        """Return who the assertion, base64 of a SAML response, speaks of.

        Tags are returned as they stand: their number, length and characters are for the caller to judge.

        Raises Refused: invalid-identity-token, expired-federation-token, one of saml-..., or federation-denied where
        the response does not pair `role_arn` with the provider. Raises ValueError where `check_metadata` would.
        """
        metadata = _read_metadata(provider.metadata)
        data = self.decode(assertion)
        root = _parse(data)
        # Looked at before the signature only to say what is wrong; it is looked at again where it is signed.
        told = root.find(_ASSERTION)
        if told is not None:
            self.check_issuer(told, metadata.entity_id)
        believed = self.signed_assertion(data, root, metadata.certificates)
        self.check_issuer(believed, metadata.entity_id)
        self.check_status(root)
        self.check_age(believed, now)
        recipient = self.recipient(believed, now)
        self.check_conditions(believed, now)
        self.check_statement(believed)
        attributes = self.attributes(believed)
        roles = _roles(attributes.get(f"{_ATTRIBUTES}Role", ()))
        self.check_pair(roles, role_arn, provider.arn)
        name = self.session_name(attributes.get(f"{_ATTRIBUTES}RoleSessionName", ()))
        identity = _identity(believed, provider, metadata.entity_id, recipient, attributes, now)
        return replace(identity, roles=roles, session_name=name)

    def decode(self, assertion: str) -> bytes:
        """Return the response, XML."""
        return _decode(assertion)

    def signed_assertion(self, data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
        """Return the assertion as the signature covers it."""
        return _signed_assertion(data, root, certificates)

    def covered(self, data: bytes, location: str, certificate: Certificate) -> Element | None:
        """Return what the signature at `location` covers; None if `certificate` did not make it."""
        return _covered(data, location, certificate)

    def check_issuer(self, element: Element, entity_id: str) -> None:
        """Refuse an assertion that another entity says it made; who made the response does not count."""
        _check_issuer(element, entity_id)

    def check_status(self, root: Element) -> None:
        """Refuse a response that tells of a failure."""
        status = root.find(f"{_P}Status/{_P}StatusCode")
        if status is None or status.get("Value") != _SUCCESS:
            # AssumeRoleWithSAML > Errors > IDPRejectedClaim: the provider reports that authentication failed.
            raise Refused("saml-status-not-success", "Response status is not success")

    def check_age(self, assertion: Element, now: datetime) -> None:
        """Refuse what was issued too long ago."""
        _check_age(assertion, now)

    def recipient(self, assertion: Element, now: datetime) -> str:
        """Return to whom the assertion was to be sent."""
        return _recipient(assertion, now)

    def check_conditions(self, assertion: Element, now: datetime) -> None:
        """Refuse an assertion without conditions, or that has ended."""
        _check_conditions(assertion, now)

    def check_statement(self, assertion: Element) -> None:
        """Refuse an assertion that does not tell how and when the user was authenticated."""
        _check_statement(assertion)

    def attributes(self, assertion: Element) -> dict[str, tuple[str, ...]]:
        """Return the values of every attribute."""
        return _attributes(assertion)

    def check_pair(self, roles: tuple[tuple[str, str], ...], role_arn: str, provider_arn: str) -> None:
        """Refuse a role that the assertion does not name together with the provider."""
        if (role_arn, provider_arn) not in roles:
            _invalid("SAML Assertion doesn't contain the requested Role and Metadata in the attributes")

    def session_name(self, values: tuple[str, ...]) -> str:
        """Return RoleSessionName."""
        return _session_name(values)


def verify(assertion: str, provider: SamlProvider, *, now: datetime, role_arn: str) -> FederatedIdentity:
    """Do as `Verifier.verify`."""
    return Verifier().verify(assertion, provider, now=now, role_arn=role_arn)


def check_metadata(xml: str) -> None:
    """Raise ValueError for metadata that names no entity or has no certificate to verify signatures with."""
    _read_metadata(xml)


def name_qualifier(issuer: str, provider_arn: str) -> str:
    """Return BASE64(SHA1(issuer + account + "/" + name)): API reference, AssumeRoleWithSAML > NameQualifier."""
    account, name = _account_and_name(provider_arn)
    text = f"{issuer}{account}/{name}"
    # Not for security: the document prescribes it.
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


# Metadata


@dataclass(frozen=True, slots=True)
class _Metadata:
    entity_id: str
    certificates: tuple[Certificate, ...]


@lru_cache(maxsize=64)
def _read_metadata(xml: str) -> _Metadata:
    """Read what signatures are verified with."""
    if len(xml) > _LARGEST_METADATA:
        raise ValueError("metadata is too long")
    try:
        root = fromstring(xml.encode(), forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:
        raise ValueError(f"metadata is not XML that can be read: {type(error).__name__}") from None
    entity_id = root.get("entityID", "").strip()
    if root.tag != f"{_M}EntityDescriptor" or not entity_id:
        raise ValueError("metadata names no entity: EntityDescriptor with an entityID is wanted")
    texts = [
        _text(element)
        for key in root.iterfind(f"{_M}IDPSSODescriptor/{_M}KeyDescriptor")
        if key.get("use", "signing") == "signing"
        for element in key.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    ]
    if not texts:
        raise ValueError("metadata has no certificate for signing")
    return _Metadata(entity_id, tuple(_certificate(text) for text in texts))


def _certificate(text: str) -> Certificate:
    try:
        certificate = load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
        certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"metadata has a certificate that cannot be read: {type(error).__name__}") from None
    return certificate


# From base64 to the element that is signed


def _decode(assertion: str) -> bytes:
    if len(assertion) > _LONGEST:
        _invalid("SAMLResponse is too long")
    try:
        return base64.b64decode(re.sub("[ \t\r\n]+", "", assertion), validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        _invalid("Invalid base64 SAMLResponse")


def _parse(data: bytes) -> Element:
    """Parse for a first look; what is believed is read from what the verifier returns."""
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):  # ValueError: a DTD, too; the others: odd encodings
        _invalid("Invalid SAML response")
    if root.tag != _RESPONSE:
        _invalid("Invalid SAML response")
    return root


def _signed_assertion(data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
    """Return the assertion as the signature covers it.

    The assertion is signed, and the response may be (observed.yaml, saml-assertion-unsigned). Wrapping attacks hide
    what was signed elsewhere in the document; so there must be one assertion and no signature in any other place, the
    signature must cover the very element it stands in, and it is the verified bytes that are read, not the document.
    """
    assertion = _only_assertion(root)
    places = [place for place in (root, assertion) if place.find(_SIGNATURE) is not None]
    if assertion not in places:
        _invalid(_NOT_SIGNED, "saml-signature-invalid")
    if len(list(root.iter(_SIGNATURE))) != len(places):
        _invalid(_BAD_SIGNATURE, "saml-signature-invalid")
    if root in places:
        _verified(data, "./", root, certificates)
    return _verified(data, f"./{_ASSERTION}/", assertion, certificates)


def _only_assertion(response: Element) -> Element:
    if response.find(f".//{_A}EncryptedAssertion") is not None:
        _invalid("Encrypted assertions are not supported")
    everywhere = list(response.iter(_ASSERTION))
    found = response.find(_ASSERTION)
    if len(everywhere) != 1 or found is None:
        _invalid("Response must contain exactly one assertion")
    return found


def _verified(data: bytes, location: str, signed: Element, certificates: tuple[Certificate, ...]) -> Element:
    """Return the element that the signature at `location` covers, if it is `signed`."""
    tries = (_covered(data, location, certificate) for certificate in certificates)
    covered = next((covered for covered in tries if covered is not None), None)
    if covered is None or (covered.tag, covered.get("ID")) != (signed.tag, signed.get("ID")):
        _invalid(_BAD_SIGNATURE, "saml-signature-invalid")
    return covered


def _covered(data: bytes, location: str, certificate: Certificate) -> Element | None:
    """Return what the signature at `location` covers; None if `certificate` did not make it."""
    expected = SignatureConfiguration(
        location=location,
        signature_methods=_ALGORITHMS,
        digest_algorithms=_DIGESTS,
        # IAM User Guide, "Create a SAML identity provider in IAM": the certificates' validity is not looked at.
        verification_time=certificate.not_valid_before_utc,
    )
    try:
        result = XMLVerifier().verify(data, x509_cert=certificate, id_attribute="ID", expect_config=expected)
        covered: Element | None = None
        if not isinstance(result, list):  # there are several with another configuration only
            covered = fromstring(result.signed_data, forbid_dtd=True)
    except Exception:  # noqa: BLE001 - whatever signxml, lxml and cryptography stumble over is no valid signature
        return None
    return covered


# What the assertion says


def _check_issuer(element: Element, entity_id: str) -> None:
    issuer = element.find(f"{_A}Issuer")
    if issuer is None or _text(issuer) != entity_id:
        _invalid(_SIGNED_BY_ANOTHER, "saml-issuer-unknown")


def _check_age(assertion: Element, now: datetime) -> None:
    issued = _instant(assertion, "IssueInstant")
    if issued is None:
        _invalid("Response does not tell when it was issued")
    if now - issued > _REDEEMED_WITHIN:
        raise Refused("saml-redeemed-late", "Token must be redeemed within 5 minutes of issuance")


def _check_statement(assertion: Element) -> None:
    if assertion.find(f"{_A}AuthnStatement") is None:
        _invalid(_UNREADABLE)


def _recipient(assertion: Element, now: datetime) -> str:
    """Return to whom the assertion was to be sent.

    IAM User Guide, "Configure SAML assertions" > Subject and NameID: one SubjectConfirmation, whose data have both
    NotOnOrAfter and a Recipient. That it is the sign-in URL is for trust policies to demand (saml-recipient-other).
    """
    confirmations = assertion.findall(f"{_A}Subject/{_A}SubjectConfirmation")
    data = confirmations[0].find(f"{_A}SubjectConfirmationData") if len(confirmations) == 1 else None
    if data is None or confirmations[0].get("Method") != _BEARER:
        _invalid(_UNREADABLE)
    recipient = data.get("Recipient", "")
    if not recipient or _instant(data, "NotOnOrAfter") is None:
        _invalid(_UNREADABLE)
    _check_period(data, now)
    return recipient


def _check_conditions(assertion: Element, now: datetime) -> None:
    """Look at the end alone: AWS looks at no audience (saml-audience-other), and at no beginning (_check_period)."""
    conditions = assertion.find(f"{_A}Conditions")
    if conditions is None:
        _invalid(_UNREADABLE)
    _check_period(conditions, now)


def _check_period(element: Element, now: datetime) -> None:
    """Refuse what has ended; NotBefore must be a time, and is not enforced (observed.yaml, saml-not-before-*)."""
    _instant(element, "NotBefore")
    end = _instant(element, "NotOnOrAfter")
    if end is not None and now >= end:
        _expired("Response has expired")


def _identity(
    assertion: Element,
    provider: SamlProvider,
    issuer: str,
    recipient: str,
    attributes: dict[str, tuple[str, ...]],
    now: datetime,
) -> FederatedIdentity:
    name_id = assertion.find(f"{_A}Subject/{_A}NameID")
    if name_id is None or not _text(name_id):
        _invalid("Response does not contain a NameID")
    if "Format" not in name_id.attrib:
        _invalid(_UNREADABLE)
    subject_type = name_id.attrib["Format"].removeprefix(_FORMATS)
    qualifier = name_qualifier(issuer, provider.arn)
    return FederatedIdentity(
        subject=_text(name_id),
        issuer=issuer,
        audience=recipient,
        provider=provider.arn,
        # IAM User Guide, "IAM and AWS STS condition context keys" > SAML-based federation
        conditions=(
            ("saml:aud", recipient),
            ("saml:doc", "/".join(_account_and_name(provider.arn))),
            ("saml:iss", issuer),
            ("saml:namequalifier", qualifier),
            ("saml:sub", _text(name_id)),
            ("saml:sub_type", subject_type),
        ),
        subject_type=subject_type,
        name_qualifier=qualifier,
        session_seconds=_session_seconds(attributes.get(f"{_ATTRIBUTES}SessionDuration", ())),
        not_on_or_after=_session_end(assertion, now),
        source_identity=_source_identity(attributes.get(f"{_ATTRIBUTES}SourceIdentity", ())),
        tags=_tags(attributes),
        transitive=attributes.get(f"{_ATTRIBUTES}TransitiveTagKeys", ()),
    )


def _attributes(assertion: Element) -> dict[str, tuple[str, ...]]:
    """Return the values of every attribute; of a name that comes twice, all."""
    found: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.iterfind(f"{_A}AttributeStatement/{_A}Attribute"):
        values = tuple(_text(value) for value in attribute.iterfind(f"{_A}AttributeValue"))
        name = attribute.get("Name", "")
        found[name] = found.get(name, ()) + values
    return found


def _roles(values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return pairs of role and provider, which a value names in either order; other values say nothing."""
    pairs = []
    for value in values:
        arns = [arn.strip() for arn in value.split(",")]
        for role, provider in (arns, arns[::-1]) if len(arns) == 2 else ():  # noqa: PLR2004 - a pair
            if _ROLE.fullmatch(role) and _PROVIDER.fullmatch(provider):
                pairs.append((role, provider))
    return tuple(pairs)


def _session_name(values: tuple[str, ...]) -> str:
    if not values:
        _invalid("RoleSessionName is required in AuthnResponse")
    if len(values) > 1 or not _NAME.fullmatch(values[0]):
        _invalid(f"RoleSessionName in AuthnResponse must match {_NAME.pattern}", "saml-session-name-invalid")
    return values[0]


def _session_seconds(values: tuple[str, ...]) -> int | None:
    """Return SessionDuration; IAM User Guide, "Configure SAML assertions": 900 to 43200 seconds."""
    if not values:
        return None
    if len(values) > 1 or not re.fullmatch("[0-9]{1,6}", values[0]) or not 900 <= int(values[0]) <= 43200:  # noqa: PLR2004
        _invalid("SessionDuration in AuthnResponse must be a number of seconds from 900 to 43200")
    return int(values[0])


def _source_identity(values: tuple[str, ...]) -> str | None:
    if not values:
        return None
    if len(values) > 1 or not _NAME.fullmatch(values[0]):
        _invalid(f'Source Identity must match {_NAME.pattern} and not begin with "aws:"')
    return values[0]


def _tags(attributes: dict[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    tags = []
    for name, values in attributes.items():
        if name.startswith(_TAG):
            if len(values) != 1:
                _invalid("A PrincipalTag attribute in AuthnResponse must have exactly one value")
            tags.append((name.removeprefix(_TAG), values[0]))
    return tuple(tags)


def _session_end(assertion: Element, now: datetime) -> datetime | None:
    """Return the earliest SessionNotOnOrAfter, which ends the session early."""
    statements = assertion.findall(f"{_A}AuthnStatement")
    ends = [end for statement in statements if (end := _instant(statement, "SessionNotOnOrAfter")) is not None]
    end = min(ends, default=None)
    if end is not None and now >= end:
        _expired("Response has expired")
    return end


# Small things


def _text(element: Element) -> str:
    """Return the text of an element, which comments do not cut: the parser drops them and joins what is between."""
    return (element.text or "").strip()


def _instant(element: Element, name: str) -> datetime | None:
    """Return the attribute as a moment in UTC; SAML core, 1.3.3: there are no other time zones."""
    text = element.get(name)
    if text is None:
        return None
    if not _INSTANT.fullmatch(text):
        _invalid(_UNREADABLE)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        _invalid(f"{name} is not a date and time")


def _account_and_name(provider_arn: str) -> tuple[str, str]:
    found = _PROVIDER.fullmatch(provider_arn)
    if found is None:
        raise ValueError("not the ARN of a SAML provider")
    return found[1], found[2]


def _invalid(message: str, refusal: str = "invalid-identity-token") -> NoReturn:
    raise Refused(refusal, message)


def _expired(message: str) -> NoReturn:
    raise Refused("expired-federation-token", message)
