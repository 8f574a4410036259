"""SAML: genuine responses are read whole; spoilt ones, and every way to wrap a signature, are refused."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.verifier import XMLVerifier

from targets.identity import saml
from targets.identity.saml import AUDIENCE, BEARER, PERSISTENT, RECIPIENT, TRANSIENT, Assertion, SamlIssuer, Spoilt
from targets.reference.model import FederatedIdentity, Refused, SamlProvider
from targets.reference.saml import check_metadata, name_qualifier, verify

NOW = datetime(2026, 11, 22, 7, 30, 5, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/sts-conformance/Federated"
PROVIDER = "arn:aws:iam::123456789012:saml-provider/SAML-test"
ISSUER = SamlIssuer()
TRUSTED = SamlProvider(PROVIDER, ISSUER.metadata())
GOOD = Assertion(role_arn=ROLE, provider_arn=PROVIDER, issued=NOW)
SECOND = timedelta(seconds=1)

UNREADABLE = "Invalid base64 SAMLResponse (Service: AWSOpenIdDiscoveryService; Status Code: 400"
INVALID, EXPIRED = "invalid-identity-token", "expired-federation-token"
NAMED = {
    "Response signature invalid": "saml-signature-invalid",
    "Response (with optional signature)": "saml-signature-invalid",
    "Issuer not present in specified provider": "saml-issuer-unknown",
    "RoleSessionName in AuthnResponse must match": "saml-session-name-invalid",
    "Token must be redeemed": "saml-redeemed-late",
}


def read(
    what: Assertion | str, provider: SamlProvider = TRUSTED, *, now: datetime = NOW, role: str = ROLE
) -> FederatedIdentity:
    text = what if isinstance(what, str) else ISSUER.assertion(what)
    return verify(text, provider, now=now, role_arn=role)


def refusal(
    what: Assertion | str, provider: SamlProvider = TRUSTED, *, now: datetime = NOW, role: str = ROLE
) -> tuple[str, str]:
    """Return kind and message of the refusal; what AWS was seen to say has a name of its own."""
    with pytest.raises(Refused) as refused:
        read(what, provider, now=now, role=role)
    name, message = refused.value.refusal, str(refused.value.message)
    own = next((own for start, own in NAMED.items() if message.startswith(start)), None)
    if own is None:
        return name, message
    assert name == own
    return (EXPIRED if own == "saml-redeemed-late" else INVALID), message


def good(**fields: Any) -> Assertion:
    return replace(GOOD, **fields)


# Genuine responses


@pytest.mark.parametrize("signed", ["assertion", "both"])
def test_all_that_a_response_says_is_read(signed: Literal["assertion", "both"]) -> None:
    end = NOW + timedelta(hours=1)
    other = ("arn:aws:iam::210987654321:role/Other", "arn:aws:iam::210987654321:saml-provider/SAML-test")
    what = good(
        signed=signed,
        subject="Åsa & <Co>",
        subject_format=TRANSIENT,
        session_name="user@example.com",
        session_seconds=43200,
        session_end=end,
        source_identity="DiegoRamirez",
        tags=(("Project", "Automation"), ("Cost Center", ""), ("a:b/c", "x,y")),
        transitive=("Project", "Cost Center"),
        other_roles=(other,),
        more=(("mail", ("user@example.com",)),),
    )
    qualifier = name_qualifier(ISSUER.entity_id, PROVIDER)
    assert read(what) == FederatedIdentity(
        subject="Åsa & <Co>",
        issuer=ISSUER.entity_id,
        audience=RECIPIENT,
        provider=PROVIDER,
        conditions=(
            ("saml:aud", RECIPIENT),
            ("saml:doc", "123456789012/SAML-test"),
            ("saml:iss", ISSUER.entity_id),
            ("saml:namequalifier", qualifier),
            ("saml:sub", "Åsa & <Co>"),
            ("saml:sub_type", "transient"),
        ),
        subject_type="transient",
        name_qualifier=qualifier,
        roles=((ROLE, PROVIDER), other),
        session_name="user@example.com",
        session_seconds=43200,
        not_on_or_after=end,
        source_identity="DiegoRamirez",
        tags=(("Project", "Automation"), ("Cost Center", ""), ("a:b/c", "x,y")),
        transitive=("Project", "Cost Center"),
    )


def test_what_is_optional_may_be_left_out() -> None:
    identity = read(good())
    assert identity.session_seconds is None
    assert identity.not_on_or_after is None
    assert identity.source_identity is None
    assert (identity.tags, identity.transitive) == ((), ())
    assert identity.session_name == "sts-conformance"


def test_the_name_qualifier_is_that_of_the_documents() -> None:
    # The test vector: BASE64(SHA1("https://example.com/saml" + "123456789012" + "/MySAMLIdP"))
    arn = "arn:aws:iam::123456789012:saml-provider/MySAMLIdP"
    assert name_qualifier("https://example.com/saml", arn) == "1uAJanUnBc2XeUkHURMht+xam2c="
    assert saml.name_qualifier("https://example.com/saml", arn) == "1uAJanUnBc2XeUkHURMht+xam2c="


@pytest.mark.parametrize(
    ("name_format", "subject_type"),
    [
        (PERSISTENT, "persistent"),
        (TRANSIENT, "transient"),
        ("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos", "kerberos"),
        (
            "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
            "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        ),
    ],
)
def test_subject_type(name_format: str | None, subject_type: str) -> None:
    assert read(good(subject_format=name_format)).subject_type == subject_type


def test_role_and_provider_come_in_either_order() -> None:
    assert read(good(provider_first=True)).roles == ((ROLE, PROVIDER),)


@pytest.mark.parametrize(
    "recipient",
    [
        RECIPIENT,
        "https://eu-central-1.signin.aws.amazon.com/saml",
        "https://us-gov-west-1.signin.aws.amazon.com/saml",
    ],
)
def test_recipients_of_aws(recipient: str) -> None:
    assert read(good(recipient=recipient)).audience == recipient


@pytest.mark.parametrize("audience", [AUDIENCE, RECIPIENT, "https://us-east-1.signin.aws.amazon.com/saml"])
def test_audiences_of_aws(audience: str) -> None:
    assert read(good(audience=audience)).issuer == ISSUER.entity_id


def test_base64_may_be_broken_into_lines() -> None:
    text = ISSUER.assertion(GOOD)
    assert read("\r\n".join(re.findall(".{1,76}", text))).subject == "sts-conformance"


def test_a_comment_does_not_cut_the_name() -> None:
    text = "admin@example.com.evil.com"
    assert read(good(subject=text, spoilt=Spoilt.COMMENTED)).subject == text


def test_any_key_of_the_metadata_will_do() -> None:
    older = SamlIssuer(ISSUER.entity_id)
    provider = SamlProvider(PROVIDER, older.metadata(others=(ISSUER,)))
    assert read(good(), provider).subject == "sts-conformance"


@pytest.mark.parametrize("year", [2001, 2201])
def test_a_certificates_period_does_not_matter(year: int) -> None:
    issuer = SamlIssuer(certified=datetime(year, 1, 1, tzinfo=UTC))
    provider = SamlProvider(PROVIDER, issuer.metadata())
    assert read(issuer.assertion(GOOD), provider).subject == "sts-conformance"


# Times


@pytest.mark.parametrize(
    ("what", "later", "expected"),
    [
        (good(ends=timedelta(hours=1), confirmed=timedelta(hours=1)), timedelta(minutes=5), None),
        (
            good(ends=timedelta(hours=1), confirmed=timedelta(hours=1)),
            timedelta(minutes=5, seconds=1),
            (EXPIRED, "Token must be redeemed within 5 minutes of issuance"),
        ),
        (good(), timedelta(minutes=5) - SECOND, None),
        (good(), timedelta(minutes=5), (EXPIRED, "Response has expired")),
        (good(ends=timedelta(minutes=1)), timedelta(minutes=1) - SECOND, None),
        (good(ends=timedelta(minutes=1)), timedelta(minutes=1), (EXPIRED, "Response has expired")),
        (good(confirmed=timedelta(minutes=1)), timedelta(minutes=1), (EXPIRED, "Response has expired")),
        (good(session_end=NOW + SECOND), timedelta(), None),
        (good(session_end=NOW), timedelta(), (EXPIRED, "Response has expired")),
        (good(begins=timedelta(days=1)), timedelta(), None),  # observed: saml-not-before-future
        (good(begins=timedelta(hours=-1)), timedelta(minutes=-5), None),
        (good(begins=None, ends=None), timedelta(), None),
    ],
)
def test_times(what: Assertion, later: timedelta, expected: tuple[str, str] | None) -> None:
    if expected is None:
        assert read(what, now=NOW + later).subject == "sts-conformance"
    else:
        assert refusal(what, now=NOW + later) == expected


# What a response must say


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (good(recipient=None), UNREADABLE),
        (good(confirmed=None), UNREADABLE),
        (good(confirmations=0), UNREADABLE),
        (good(confirmations=2), UNREADABLE),
        (good(method=BEARER.replace("bearer", "holder-of-key")), UNREADABLE),
        (good(subject_format=None), UNREADABLE),
        (good(issuer="https://other.example.com"), "Issuer not present in specified provider (Service: AWSOpenIdD"),
        (good(subject=None), "Response does not contain a NameID"),
        (good(subject=" "), "Response does not contain a NameID"),
        (good(session_name=None), "RoleSessionName is required in AuthnResponse"),
        (good(session_name="a"), "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        (good(session_name="a" * 65), "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        (good(session_name="with space"), "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        (good(session_name="naïve"), "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        (good(session_seconds=899), "SessionDuration in AuthnResponse must be"),
        (good(session_seconds=43201), "SessionDuration in AuthnResponse must be"),
        (good(session_seconds="1h"), "SessionDuration in AuthnResponse must be"),
        (good(session_seconds="٩٠٠"), "SessionDuration in AuthnResponse must be"),
        (good(source_identity="aws:me"), "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        (good(more=(("https://aws.amazon.com/SAML/Attributes/PrincipalTag:A", ("1", "2")),)), "A PrincipalTag attri"),
    ],
)
def test_a_response_that_says_something_else_is_invalid(what: Assertion, message: str) -> None:
    name, told = refusal(what)
    assert name == INVALID
    assert told.startswith(message)


def test_a_provider_that_did_not_authenticate_has_rejected_the_claim() -> None:
    what = good(status="urn:oasis:names:tc:SAML:2.0:status:Responder")
    assert refusal(what) == ("saml-status-not-success", "Response status is not success")


def test_bounds_of_the_session_duration() -> None:
    assert [read(good(session_seconds=seconds)).session_seconds for seconds in (900, 43200)] == [900, 43200]


def test_a_role_that_is_not_in_the_response_is_denied() -> None:
    expected = (INVALID, "SAML Assertion doesn't contain the requested Role and Metadata in the attributes")
    assert refusal(good(), role=f"{ROLE}2") == expected
    # Role and provider must stand in one pair.
    others = (f"{ROLE},{PROVIDER}2", f"{ROLE}2,{PROVIDER}")
    what = good(role_arn=f"{ROLE}3", more=(("https://aws.amazon.com/SAML/Attributes/Role", others),))
    assert refusal(what) == expected


# Spoilt and wrapped

MESSAGES = {
    Spoilt.UNSIGNED: "Response",  # (with optional signature) must contain ...
    Spoilt.NO_CONDITIONS: "Invalid base64 SAMLResponse",
    Spoilt.NO_AUTHN_STATEMENT: "Invalid base64 SAMLResponse",
    Spoilt.NOT_BEFORE_WORD: "Invalid base64 SAMLResponse",
    Spoilt.RESPONSE_SIGNATURE: "Response signature invalid",
    Spoilt.FOREIGN_KEY: "Response signature invalid",
    Spoilt.TAMPERED: "Response signature invalid",
    Spoilt.EMPTY_SIGNATURE: "Response signature invalid",
    Spoilt.SHA1: "Response signature invalid",
    Spoilt.SHA1_DIGEST: "Response signature invalid",
    Spoilt.NOT_BASE64: "Invalid base64 SAMLResponse",
    Spoilt.NOT_XML: "Invalid SAML response",
    Spoilt.NOT_SAML: "Invalid SAML response",
    Spoilt.NO_ISSUER: "Issuer not present in specified provider",
    Spoilt.DOCTYPE: "Invalid SAML response",
    Spoilt.ENTITIES: "Invalid SAML response",
    Spoilt.EXTERNAL_ENTITY: "Invalid SAML response",
    Spoilt.NESTED: "Response signature invalid",
    Spoilt.NO_ASSERTION: "Response must contain exactly one assertion",
}


@pytest.mark.parametrize("spoilt", [s for s in Spoilt if s not in {Spoilt.COMMENTED, Spoilt.RESPONSE_ISSUER}])
@pytest.mark.parametrize("signed", ["assertion", "both"])
def test_spoilt_responses_are_refused(spoilt: Spoilt, signed: Literal["assertion", "both"]) -> None:
    name, message = refusal(good(spoilt=spoilt, signed=signed))
    assert name == INVALID
    assert message.partition(" (")[0] == MESSAGES.get(spoilt, "Response must contain exactly one assertion")


def test_a_signature_of_the_response_alone_is_not_enough() -> None:
    name, message = refusal(good(signed="response"))
    assert name == INVALID
    assert message.startswith("Response (with optional signature) must contain an assertion with a mandatory")


@pytest.mark.parametrize("what", [good(audience="urn:example:other"), good(audience=None)])
def test_no_audience_is_looked_at(what: Assertion) -> None:
    assert read(what).subject == "sts-conformance"


def test_any_recipient_is_told_as_the_audience() -> None:
    assert read(good(recipient="https://sp.example.com/saml")).audience == "https://sp.example.com/saml"


def test_the_issuer_of_the_response_does_not_count() -> None:
    assert read(good(spoilt=Spoilt.RESPONSE_ISSUER)).issuer == ISSUER.entity_id


XSW = [spoilt for spoilt in Spoilt if spoilt.startswith("xsw") or spoilt is Spoilt.SAME_ID]


@pytest.mark.parametrize("spoilt", XSW)
def test_what_is_wrapped_was_genuine_and_what_wraps_it_forged(spoilt: Spoilt) -> None:
    """Else the refusal would prove nothing: the signature holds for somebody who looks for it anywhere."""
    document = ISSUER.response(good(spoilt=spoilt))
    assert document.count(b">sts-conformance</saml:NameID>") == 1
    assert document.count(b">attacker</saml:NameID>") == 1
    if spoilt in {Spoilt.XSW7, Spoilt.SAME_ID}:  # signxml itself refuses an ID that comes twice
        document = re.sub(
            rb"(?s)<saml:Assertion (?:(?!</saml:Assertion>).)*attacker.*?</saml:Assertion>", b"", document
        )
    result = XMLVerifier().verify(document, x509_cert=ISSUER.certificate, id_attribute="ID", validate_schema=False)
    assert not isinstance(result, list)
    assert b"sts-conformance</saml:NameID>" in result.signed_data
    assert b"attacker" not in result.signed_data


def test_one_assertion_that_is_not_the_signed_one_is_not_believed() -> None:
    """The signature stands in the assertion but covers another element of the document."""
    document = ISSUER.response(good())
    (identifier,) = re.findall(rb'<saml:Assertion [^>]*ID="([^"]+)"', document)
    document = document.replace(b'ID="' + identifier + b'"', b'ID="_forged"', 1).replace(
        b"<samlp:Status>", b'<samlp:Extensions ID="' + identifier + b'"/><samlp:Status>'
    )
    assert refusal(base64.b64encode(document).decode()) == (INVALID, "Response signature invalid")


def test_a_genuine_signature_that_covers_too_little_is_not_believed() -> None:
    """The provider signed another part of the document; the signature was moved into the assertion."""
    root = etree.fromstring(ISSUER.response(good(spoilt=Spoilt.UNSIGNED)))
    namespaces = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "ds": "http://www.w3.org/2000/09/xmldsig#"}
    extension = etree.SubElement(root, "{urn:oasis:names:tc:SAML:2.0:protocol}Extensions", ID="_other")
    extension.append(etree.fromstring(etree.tostring(root.find("saml:Issuer", namespaces))))
    signed = ISSUER.sign_element(extension)
    signature = signed.find("ds:Signature", namespaces)
    signed.remove(signature)
    root.replace(extension, signed)
    root.find("saml:Assertion/saml:Issuer", namespaces).addnext(signature)
    assert refusal(base64.b64encode(etree.tostring(root)).decode()) == (INVALID, "Response signature invalid")


def test_a_second_signature_is_refused() -> None:
    document = ISSUER.response(good())
    signature = re.search(rb"<ds:Signature.*</ds:Signature>", document, re.DOTALL)
    assert signature is not None
    twice = document.replace(signature[0], signature[0] * 2)
    assert refusal(base64.b64encode(twice).decode()) == (INVALID, "Response signature invalid")


def test_a_signature_beside_the_signed_element_is_refused() -> None:
    document = ISSUER.response(good())
    signature = re.search(rb"<ds:Signature.*</ds:Signature>", document, re.DOTALL)
    assert signature is not None
    beside = document.replace(
        b"<samlp:Status>", b"<samlp:Extensions>" + signature[0] + b"</samlp:Extensions><samlp:Status>"
    )
    assert refusal(base64.b64encode(beside).decode()) == (INVALID, "Response signature invalid")


@pytest.mark.parametrize("ours", ["response", "assertion", "both"])
def test_both_signatures_must_hold(ours: Literal["response", "assertion", "both"]) -> None:
    other = SamlIssuer(ISSUER.entity_id)
    response = etree.fromstring(ISSUER.response(good(spoilt=Spoilt.UNSIGNED)))
    response = (other if ours == "response" else ISSUER).sign(response, "assertion")
    response = (other if ours == "assertion" else ISSUER).sign(response, "response")
    text = base64.b64encode(etree.tostring(response)).decode()
    if ours == "both":
        assert read(text).subject == "sts-conformance"
    else:
        assert refusal(text) == (INVALID, "Response signature invalid")


def test_an_unsigned_status_and_issuer_cannot_make_a_response_good() -> None:
    document = ISSUER.response(good(issuer="https://other.example.com"))
    swapped = document.replace(b"https://other.example.com", ISSUER.entity_id.encode(), 1)
    name, message = refusal(base64.b64encode(swapped).decode())
    assert (name, message.partition(" (")[0]) == (INVALID, "Issuer not present in specified provider")


def test_another_providers_metadata_do_not_vouch() -> None:
    other = SamlIssuer(ISSUER.entity_id)
    assert refusal(good(), SamlProvider(PROVIDER, other.metadata())) == (INVALID, "Response signature invalid")


def test_another_provider_is_told_from_a_bad_signature() -> None:
    name, message = refusal(SamlIssuer("https://other.example.com").assertion(GOOD))
    assert (name, message.partition(" (")[0]) == (INVALID, "Issuer not present in specified provider")


def test_an_encrypted_assertion_is_refused() -> None:
    document = ISSUER.response(good()).replace(b"saml:Assertion", b"saml:EncryptedAssertion")
    expected = (INVALID, "Encrypted assertions are not supported")
    assert refusal(base64.b64encode(document).decode()) == expected


def test_a_response_that_is_too_long_is_not_read() -> None:
    assert refusal("A" * 100_001) == (INVALID, "SAMLResponse is too long")


# Metadata


def test_good_metadata_pass() -> None:
    check_metadata(ISSUER.metadata())
    assert len(ISSUER.metadata()) >= 1000  # the least that CreateSAMLProvider takes


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ('entityID="[^"]*"', ""),
        ('entityID="[^"]*"', 'entityID=" "'),
        ("(?s)<md:KeyDescriptor.*</md:KeyDescriptor>", ""),
        ('use="signing"', 'use="encryption"'),
        ("IDPSSODescriptor", "SPSSODescriptor"),
        ("EntityDescriptor", "EntitiesDescriptor"),
        ("(<ds:X509Certificate[^>]*>)[^<]*", r"\1AAAA"),
        ("(<ds:X509Certificate[^>]*>)[^<]*", r"\1Å*"),
        ("(?s).*", ""),
        ("</md:EntityDescriptor>", ""),
        ("^", '<!DOCTYPE r [<!ENTITY e "e">]>'),
    ],
)
def test_bad_metadata_are_told(pattern: str, replacement: str) -> None:
    with pytest.raises(ValueError, match="metadata"):
        check_metadata(re.sub(pattern, replacement, ISSUER.metadata(), count=0))


def test_a_key_without_use_is_for_signing_too() -> None:
    metadata = ISSUER.metadata().replace(' use="signing"', "")
    assert read(good(), SamlProvider(PROVIDER, metadata)).subject == "sts-conformance"


# Whatever comes

GENUINE = ISSUER.response(GOOD)
fuzz = settings(max_examples=100, deadline=None)


def never_raises_anything_else(text: str) -> None:
    try:
        read(text)
    except Refused as refused:
        assert refused.refusal in {INVALID, EXPIRED, "federation-denied", "saml-status-not-success", *NAMED.values()}  # noqa: PT017


@fuzz
@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read(text)


@fuzz
@given(st.integers(0, len(GENUINE) - 1), st.integers(0, 40), st.binary(max_size=12))
def test_any_change_is_refused_or_changes_nothing(place: int, length: int, other: bytes) -> None:
    changed = GENUINE[:place] + other + GENUINE[place + length :]
    try:
        identity = read(base64.b64encode(changed).decode())
    except Refused:
        return
    assert identity == read(good())


NAMES = ("ID", "Format", "Name", "NotOnOrAfter", "Recipient", "Method", "IssueInstant", "Value", "Algorithm", "URI")


@fuzz
@given(st.sampled_from(NAMES), st.text(st.characters(exclude_characters='<&"', exclude_categories=["Cc", "Cs"])))
def test_any_attribute_is_refused_or_changes_nothing(name: str, value: str) -> None:
    changed = re.sub(rf' {name}="[^"]*"', lambda _: f' {name}="{value}"', GENUINE.decode())
    never_raises_anything_else(base64.b64encode(changed.encode()).decode())


INSTANTS = [
    "",
    "never",
    "2026-11-22",
    "2026-13-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
]


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("name", ["NotBefore", "NotOnOrAfter", "IssueInstant", "SessionNotOnOrAfter"])
def test_odd_times_are_no_surprise(name: str, instant: str) -> None:
    """Signed, so that they are looked at."""
    unsigned = ISSUER.response(good(spoilt=Spoilt.UNSIGNED, session_end=NOW + timedelta(hours=1)))
    odd = re.sub(rf' {name}="[^"]*"', f' {name}="{instant}"', unsigned.decode())
    response = ISSUER.sign(etree.fromstring(odd.encode()), "assertion")
    never_raises_anything_else(base64.b64encode(etree.tostring(response)).decode())
