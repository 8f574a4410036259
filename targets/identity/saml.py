"""A SAML identity provider: metadata for IAM, and responses for AssumeRoleWithSAML, genuine or spoilt.

Sources: the API reference (AssumeRoleWithSAML); the IAM User Guide, "Configure SAML assertions for the
authentication response"; the wrapping attacks XSW1 to XSW8: Somorovsky et al., "On Breaking SAML: Be Whoever You
Want to Be", USENIX Security 2012.
"""

from __future__ import annotations

import base64
import hashlib
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from targets.identity.certificates import self_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.x509 import Certificate

_Element = Any  # lxml.etree._Element; lxml has no types

RECIPIENT = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
ATTACKER = "attacker"  # the subject and session name of what an attacker slips in

_NAMES = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
_DEPTH = 5000  # elements in each other; a parser that recurses gives up long before
_BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
_BOMB = f'<!DOCTYPE r [<!ENTITY e0 "{"x" * 10}">{_BOMB}]>'
_EXTERNAL = '<!DOCTYPE r [<!ENTITY e9 SYSTEM "file:///etc/hostname">]>'


class Spoilt(StrEnum):
    """What is done to a response that would otherwise be good.

    A target must refuse all of them but COMMENTED, which it must read whole, and RESPONSE_ISSUER, which AWS takes.
    """

    UNSIGNED = "unsigned"
    FOREIGN_KEY = "foreign-key"  # signed with a key that the metadata do not name, its certificate enclosed
    TAMPERED = "tampered"  # the NameID is changed after signing
    EMPTY_SIGNATURE = "empty-signature"  # the SignatureValue is taken out
    SHA1 = "sha1"  # signed with rsa-sha1
    SHA1_DIGEST = "sha1-digest"  # signed with rsa-sha256 over a SHA-1 digest
    NOT_BASE64 = "not-base64"
    NOT_XML = "not-xml"
    NOT_SAML = "not-saml"  # well-formed XML of another kind
    NO_ASSERTION = "no-assertion"
    NO_ISSUER = "no-issuer"  # the assertion does not name its issuer
    TWO_ASSERTIONS = "two-assertions"  # both signed
    COMMENTED = "commented"  # a comment splits the NameID after signing; the signature still holds
    DOCTYPE = "doctype"  # a document type declaration that declares nothing
    ENTITIES = "entities"  # a NameID of ten thousand million characters, by entities in entities
    EXTERNAL_ENTITY = "external-entity"  # the NameID is to be read from a file of the server
    NESTED = "nested"  # thousands of elements in each other
    NO_CONDITIONS = "no-conditions"
    NO_AUTHN_STATEMENT = "no-authn-statement"
    NOT_BEFORE_WORD = "not-before-word"  # NotBefore of the Conditions is no time
    RESPONSE_ISSUER = "response-issuer"  # the response names another issuer than its assertion
    RESPONSE_SIGNATURE = "response-signature"  # of two signatures, that of the response does not hold
    XSW1 = "xsw1"  # the signed response stands inside its signature, in a forged response
    XSW2 = "xsw2"  # the signed response stands beside its signature, in a forged response
    XSW3 = "xsw3"  # a forged assertion stands before the signed one
    XSW4 = "xsw4"  # a forged assertion holds the signed one
    XSW5 = "xsw5"  # a forged assertion holds the signature; what was signed follows
    XSW6 = "xsw6"  # a forged assertion holds the signature, which holds what was signed
    XSW7 = "xsw7"  # a forged assertion with the signed one's ID stands in Extensions
    XSW8 = "xsw8"  # a forged assertion holds the signature, whose Object holds what was signed
    SAME_ID = "same-id"  # like XSW3, with the signed assertion's ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a response says. Unless told otherwise it is good; None leaves an optional part out.

    Texts that break the rules are taken as they are: to break them is what tests do.
    """

    role_arn: str
    provider_arn: str
    provider_first: bool = False  # the Role attribute may name the pair in either order
    other_roles: tuple[tuple[str, str], ...] = ()  # further (role ARN, provider ARN) pairs
    subject: str | None = "sts-conformance"  # NameID
    subject_format: str | None = PERSISTENT
    session_name: str | None = "sts-conformance"
    session_seconds: int | str | None = None  # SessionDuration
    session_end: datetime | None = None  # SessionNotOnOrAfter
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    more: tuple[tuple[str, tuple[str, ...]], ...] = ()  # further attributes: whole names with values
    recipient: str | None = RECIPIENT
    audience: str | None = AUDIENCE  # None: no AudienceRestriction
    issuer: str | None = None  # None: the issuer's entity id
    status: str = SUCCESS
    method: str = BEARER  # of the SubjectConfirmation
    confirmations: int = 1  # how many SubjectConfirmations
    issued: datetime | None = None  # None: now
    begins: timedelta | None = timedelta(0)  # NotBefore of the Conditions, after `issued`
    ends: timedelta | None = timedelta(minutes=5)  # NotOnOrAfter of the Conditions, after `issued`
    confirmed: timedelta | None = timedelta(minutes=5)  # NotOnOrAfter of the SubjectConfirmation, after `issued`
    signed: Literal["response", "assertion", "both"] = "assertion"
    spoilt: Spoilt | None = None


class SamlIssuer:
    """An identity provider with a key of its own, made when it is first needed."""

    def __init__(
        self, entity_id: str = "https://idp.example.com/sts-conformance", *, certified: datetime | None = None
    ) -> None:
        """`certified`: when the certificate begins to be good, for ten years; None: yesterday."""
        self._certified = certified
        self.entity_id = entity_id

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The signing key: RSA, 2048 bits."""
        return generate_private_key(65537, 2048)

    @cached_property
    def certificate(self) -> Certificate:
        """The certificate of the signing key."""
        return self_signed(self.key, "idp.example.com", begin=self._certified)

    def saved(self) -> dict[str, str]:
        """Return what `restored` needs, the secret key included."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate = self.certificate.public_bytes(Encoding.PEM)
        return {"entity-id": self.entity_id, "key": key.decode(), "certificate": certificate.decode()}

    @classmethod
    def restored(cls, saved: dict[str, str]) -> SamlIssuer:
        """Return an issuer with a key that there is already; PEM. ValueError if it is no RSA key."""
        issuer = cls(saved["entity-id"])
        key = load_pem_private_key(saved["key"].encode(), None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("found another kind of key, expected an RSA key")  # noqa: TRY004 - of the text, not its type
        issuer.__dict__["key"] = key
        issuer.__dict__["certificate"] = load_pem_x509_certificate(saved["certificate"].encode())
        return issuer

    @cached_property
    def _other(self) -> SamlIssuer:
        """Another provider that claims to be this one."""
        return SamlIssuer(self.entity_id)

    def metadata(self, *, others: tuple[SamlIssuer, ...] = ()) -> str:
        """Return the metadata document for CreateSAMLProvider; `others`: whose keys it names, too, after its own."""
        root = _make("md:EntityDescriptor", entityID=self.entity_id)
        role = _add(root, "md:IDPSSODescriptor", protocolSupportEnumeration=_NAMES["samlp"])
        for issuer in (self, *others):
            data = _add(_add(_add(role, "md:KeyDescriptor", use="signing"), "ds:KeyInfo"), "ds:X509Data")
            der = issuer.certificate.public_bytes(Encoding.DER)
            _add(data, "ds:X509Certificate", base64.b64encode(der).decode())
        for name_format in (PERSISTENT, TRANSIENT):
            _add(role, "md:NameIDFormat", name_format)
        binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
        _add(role, "md:SingleSignOnService", Binding=binding, Location="https://idp.example.com/sso")
        return str(etree.tostring(root, encoding="unicode"))

    def assertion(self, what: Assertion) -> str:
        """Return the SAMLAssertion parameter: base64 of `response`."""
        text = base64.b64encode(self.response(what)).decode()
        return f"{text[:-4]}*{text[-4:]}" if what.spoilt is Spoilt.NOT_BASE64 else text

    def response(self, what: Assertion) -> bytes:
        """Return the SAML response, XML in UTF-8."""
        response = _response(what, what.issuer or self.entity_id)
        if what.spoilt in _BEFORE_SIGNING:
            _BEFORE_SIGNING[what.spoilt](response)
        if what.spoilt is not Spoilt.UNSIGNED:
            signer = self._other if what.spoilt is Spoilt.FOREIGN_KEY else self
            signed = _SIGNED.get(what.spoilt, what.signed)
            response = signer.sign(
                response, signed, sha1=what.spoilt is Spoilt.SHA1, sha1_digest=what.spoilt is Spoilt.SHA1_DIGEST
            )
        if what.spoilt in _AFTER_SIGNING:
            response = _AFTER_SIGNING[what.spoilt](response)
        text = str(etree.tostring(response, encoding="unicode"))
        return _as_text(text, what.spoilt).encode()

    def sign(
        self,
        response: _Element,
        signed: Literal["response", "assertion", "both"],
        *,
        sha1: bool = False,
        sha1_digest: bool = False,
    ) -> _Element:
        """Return the response with its assertions, itself, or both signed: lxml elements, in and out."""
        if signed in {"assertion", "both"}:
            for assertion in response.findall("saml:Assertion", _NAMES):
                response.replace(assertion, self.sign_element(assertion, sha1=sha1, sha1_digest=sha1_digest))
        if signed in {"response", "both"}:
            return self.sign_element(response, sha1=sha1, sha1_digest=sha1_digest)
        return response

    def sign_element(self, element: _Element, *, sha1: bool = False, sha1_digest: bool = False) -> _Element:
        """Return the element with an enveloped signature, which stands after the Issuer as the schema wants it."""
        place = _make("ds:Signature", Id="placeholder")
        element.insert(0 if element.find("saml:Issuer", _NAMES) is None else 1, place)
        signer = _Signer(
            signature_algorithm=SignatureMethod.RSA_SHA1 if sha1 else SignatureMethod.RSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA1 if sha1_digest else DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        # Cut out of its document, so that signxml finds this place and no other.
        alone = etree.fromstring(etree.tostring(element))
        reference = element.get("ID")
        return signer.sign(alone, key=self.key, cert=[self.certificate], reference_uri=reference, id_attribute="ID")


class _Signer(XMLSigner):
    """Signs with SHA-1, too: to see it refused."""

    def check_deprecated_methods(self) -> None:
        """Let every algorithm pass."""


def name_qualifier(issuer: str, provider_arn: str) -> str:
    """Return what NameQualifier is of an issuer and its provider in IAM (API reference, AssumeRoleWithSAML).

    The document's own example: issuer https://example.com/saml, account 123456789012, provider MySAMLIdP.
    """
    account, name = provider_arn.split(":")[4], provider_arn.rpartition("/")[2]
    digest = hashlib.sha1(f"{issuer}{account}/{name}".encode(), usedforsecurity=False)  # the document says SHA-1
    return base64.b64encode(digest.digest()).decode()


# The genuine document


def _response(what: Assertion, issuer: str) -> _Element:
    issued = what.issued or datetime.now(UTC)
    response = _make(
        "samlp:Response", ID=_new_id(), Version="2.0", IssueInstant=_instant(issued), Destination=RECIPIENT
    )
    _add(response, "saml:Issuer", issuer)
    _add(_add(response, "samlp:Status"), "samlp:StatusCode", Value=what.status)
    assertion = _add(response, "saml:Assertion", ID=_new_id(), Version="2.0", IssueInstant=_instant(issued))
    _add(assertion, "saml:Issuer", issuer)
    _subject(assertion, what, issued)
    conditions = _add(
        assertion,
        "saml:Conditions",
        NotBefore=None if what.begins is None else _instant(issued + what.begins),
        NotOnOrAfter=None if what.ends is None else _instant(issued + what.ends),
    )
    if what.audience is not None:
        _add(_add(conditions, "saml:AudienceRestriction"), "saml:Audience", what.audience)
    end = None if what.session_end is None else _instant(what.session_end)
    statement = _add(assertion, "saml:AuthnStatement", AuthnInstant=_instant(issued), SessionNotOnOrAfter=end)
    context = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    _add(_add(statement, "saml:AuthnContext"), "saml:AuthnContextClassRef", context)
    attributes = _add(assertion, "saml:AttributeStatement")
    for name, values in _attributes(what):
        attribute = _add(attributes, "saml:Attribute", Name=name)
        for value in values:
            _add(attribute, "saml:AttributeValue", value)
    return response


def _subject(assertion: _Element, what: Assertion, issued: datetime) -> None:
    subject = _add(assertion, "saml:Subject")
    if what.subject is not None:
        _add(subject, "saml:NameID", what.subject, Format=what.subject_format)
    for _ in range(what.confirmations):
        _add(
            _add(subject, "saml:SubjectConfirmation", Method=what.method),
            "saml:SubjectConfirmationData",
            Recipient=what.recipient,
            NotOnOrAfter=None if what.confirmed is None else _instant(issued + what.confirmed),
        )


def _attributes(what: Assertion) -> Iterator[tuple[str, tuple[str, ...]]]:
    pair = (what.role_arn, what.provider_arn)
    pairs = (pair[::-1] if what.provider_first else pair, *what.other_roles)
    yield f"{ATTRIBUTES}Role", tuple(",".join(pair) for pair in pairs)
    for name, value in (
        ("RoleSessionName", what.session_name),
        ("SessionDuration", what.session_seconds),
        ("SourceIdentity", what.source_identity),
    ):
        if value is not None:
            yield f"{ATTRIBUTES}{name}", (str(value),)
    for key, value in what.tags:
        yield f"{ATTRIBUTES}PrincipalTag:{key}", (value,)
    if what.transitive:
        yield f"{ATTRIBUTES}TransitiveTagKeys", what.transitive
    yield from what.more


def _make(name: str, text: str | None = None, /, **attributes: str | None) -> _Element:
    """Return an element; attributes that are None are left out."""
    element = etree.Element(_tag(name), nsmap={prefix: _NAMES[prefix] for prefix in (name.partition(":")[0],)})
    element.text = text
    for key, value in attributes.items():
        if value is not None:
            element.set(key, value)
    return element


def _add(parent: _Element, name: str, text: str | None = None, /, **attributes: str | None) -> _Element:
    """Add an element to `parent` and return it."""
    element = _make(name, text, **attributes)
    parent.append(element)
    return element


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMES[prefix]}}}{local}"


def _new_id() -> str:
    return f"_{uuid4().hex}"


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


# Spoiling before and after the signature, and as text


def _find(response: _Element, name: str) -> _Element:
    """Return the first element of that name, wherever it stands."""
    return response.find(f".//{name}", _NAMES)


def _no_assertion(response: _Element) -> None:
    response.remove(_find(response, "saml:Assertion"))


def _no_issuer(response: _Element) -> None:
    assertion = _find(response, "saml:Assertion")
    assertion.remove(assertion.find("saml:Issuer", _NAMES))


def _no_conditions(response: _Element) -> None:
    conditions = _find(response, "saml:Conditions")
    conditions.getparent().remove(conditions)


def _no_authn_statement(response: _Element) -> None:
    statement = _find(response, "saml:AuthnStatement")
    statement.getparent().remove(statement)


def _not_before_word(response: _Element) -> None:
    _find(response, "saml:Conditions").set("NotBefore", "tomorrow")


def _response_issuer(response: _Element) -> None:
    response.find("saml:Issuer", _NAMES).text = "https://other-idp.example.com/sts-conformance"


def _response_signature(response: _Element) -> _Element:
    response.find("samlp:Status", _NAMES).set("Conformance", "added after signing")
    return response


def _two_assertions(response: _Element) -> None:
    response.append(_forged(response))


def _nested(response: _Element) -> _Element:
    inner = _make("samlp:Extensions")
    response.find("saml:Issuer", _NAMES).addnext(inner)
    for _ in range(_DEPTH):
        inner = etree.SubElement(inner, "a")
    return response


def _tampered(response: _Element) -> _Element:
    _find(response, "saml:NameID").text = ATTACKER
    return response


def _empty_signature(response: _Element) -> _Element:
    for value in response.iter(_tag("ds:SignatureValue")):
        value.text = ""
    return response


def _commented(response: _Element) -> _Element:
    name = _find(response, "saml:NameID")
    half = len(name.text) // 2
    comment = etree.Comment("")
    name.text, comment.tail = name.text[:half], name.text[half:]
    name.append(comment)
    return response


def _forged(response: _Element, *, same_id: bool = False) -> _Element:
    """Return what an attacker makes of the assertion: unsigned, and about themselves."""
    forged = deepcopy(_find(response, "saml:Assertion"))
    _taken(forged)
    if not same_id:
        forged.set("ID", _new_id())
    _find(forged, "saml:NameID").text = ATTACKER
    for attribute in forged.iter(_tag("saml:Attribute")):
        if attribute.get("Name") == f"{ATTRIBUTES}RoleSessionName":
            attribute[0].text = ATTACKER
    return forged


def _taken(element: _Element) -> _Element:
    """Take the signature out of the element and return it; None if it has none."""
    signature = element.find("ds:Signature", _NAMES)
    if signature is not None:
        element.remove(signature)
    return signature


def _forged_response(response: _Element) -> _Element:
    forged = deepcopy(response)
    _taken(forged)
    forged.set("ID", _new_id())
    forged.replace(_find(forged, "saml:Assertion"), _forged(forged))
    return forged


def _xsw1(response: _Element) -> _Element:
    forged, signature = _forged_response(response), _taken(response)
    signature.append(response)
    forged.find("saml:Issuer", _NAMES).addnext(signature)
    return forged


def _xsw2(response: _Element) -> _Element:
    forged, signature = _forged_response(response), _taken(response)
    forged.find("saml:Issuer", _NAMES).addnext(signature)
    signature.addprevious(response)
    return forged


def _xsw3(response: _Element) -> _Element:
    _find(response, "saml:Assertion").addprevious(_forged(response))
    return response


def _xsw4(response: _Element) -> _Element:
    genuine, forged = _find(response, "saml:Assertion"), _forged(response)
    response.replace(genuine, forged)
    forged.append(genuine)
    return response


def _xsw5(response: _Element) -> _Element:
    genuine, forged = _find(response, "saml:Assertion"), _forged(response)
    response.replace(genuine, forged)
    forged.find("saml:Issuer", _NAMES).addnext(_taken(genuine))
    response.append(genuine)
    return response


def _xsw6(response: _Element) -> _Element:
    genuine, forged = _find(response, "saml:Assertion"), _forged(response)
    response.replace(genuine, forged)
    signature = _taken(genuine)
    signature.append(genuine)
    forged.find("saml:Issuer", _NAMES).addnext(signature)
    return response


def _xsw7(response: _Element) -> _Element:
    extensions = _make("samlp:Extensions")
    extensions.append(_forged(response, same_id=True))
    response.find("saml:Issuer", _NAMES).addnext(extensions)
    return response


def _xsw8(response: _Element) -> _Element:
    genuine, forged = _find(response, "saml:Assertion"), _forged(response)
    response.replace(genuine, forged)
    signature = _taken(genuine)
    _add(signature, "ds:Object").append(genuine)
    forged.find("saml:Issuer", _NAMES).addnext(signature)
    return response


def _same_id(response: _Element) -> _Element:
    _find(response, "saml:Assertion").addprevious(_forged(response, same_id=True))
    return response


def _as_text(text: str, spoilt: Spoilt | None) -> str:
    """Spoil the response as a text."""
    if spoilt is Spoilt.NOT_XML:
        return text[: len(text) // 2]
    if spoilt is Spoilt.NOT_SAML:
        return '<html xmlns="http://www.w3.org/1999/xhtml"/>'
    if spoilt is Spoilt.DOCTYPE:
        return f"<!DOCTYPE Response>{text}"
    if spoilt in {Spoilt.ENTITIES, Spoilt.EXTERNAL_ENTITY}:
        head, name, tail = text.partition("</saml:NameID>")
        return (_BOMB if spoilt is Spoilt.ENTITIES else _EXTERNAL) + head + "&e9;" + name + tail
    return text


_BEFORE_SIGNING: dict[Spoilt | None, Callable[[_Element], None]] = {
    Spoilt.NO_ASSERTION: _no_assertion,
    Spoilt.NO_ISSUER: _no_issuer,
    Spoilt.TWO_ASSERTIONS: _two_assertions,
    Spoilt.NO_CONDITIONS: _no_conditions,
    Spoilt.NO_AUTHN_STATEMENT: _no_authn_statement,
    Spoilt.NOT_BEFORE_WORD: _not_before_word,
    Spoilt.RESPONSE_ISSUER: _response_issuer,
}
_AFTER_SIGNING: dict[Spoilt | None, Callable[[_Element], _Element]] = {
    Spoilt.TAMPERED: _tampered,
    Spoilt.RESPONSE_SIGNATURE: _response_signature,
    Spoilt.EMPTY_SIGNATURE: _empty_signature,
    Spoilt.COMMENTED: _commented,
    Spoilt.NESTED: _nested,
    Spoilt.XSW1: _xsw1,
    Spoilt.XSW2: _xsw2,
    Spoilt.XSW3: _xsw3,
    Spoilt.XSW4: _xsw4,
    Spoilt.XSW5: _xsw5,
    Spoilt.XSW6: _xsw6,
    Spoilt.XSW7: _xsw7,
    Spoilt.XSW8: _xsw8,
    Spoilt.SAME_ID: _same_id,
}
# What must be signed for an attack to be one, whatever the assertion asks for.
_SIGNED: dict[Spoilt | None, Literal["response", "assertion", "both"]] = {
    Spoilt.RESPONSE_SIGNATURE: "both",
    Spoilt.NESTED: "assertion",  # which stays as it was signed
    Spoilt.XSW1: "response",
    Spoilt.XSW2: "response",
    Spoilt.XSW3: "assertion",
    Spoilt.XSW4: "assertion",
    Spoilt.XSW5: "assertion",
    Spoilt.XSW6: "assertion",
    Spoilt.XSW7: "assertion",
    Spoilt.XSW8: "assertion",
    Spoilt.SAME_ID: "assertion",
}
