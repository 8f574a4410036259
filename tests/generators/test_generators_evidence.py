"""Where the real AWS was seen to answer a case's very request, the case accepts that answer."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest

from generators import everything
from generators.answer import Answer
from generators.expectation import fill
from specs import contract, loader
from specs.contract import EVIDENCE, XML_NAMESPACE
from specs.model import Level, Observation, ObservedFile
from tests.servers import ACCOUNT, REQUEST_ID, USER_ARN, error, granted, mint

if TYPE_CHECKING:
    from collections.abc import Callable

    from generators.case import Case

SENT_AT = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/argmin-sts-oracle/same-account"
CALLERS = {
    "user": USER_ARN,
    "session": f"arn:aws:sts::{ACCOUNT}:assumed-role/same-account/conformance",
    "federated-user": f"arn:aws:sts::{ACCOUNT}:federated-user/conformance",
    "session-token-user": USER_ARN,
}
class Values(dict[str, str]):
    """Of fixtures, which are named by what they are, all of a kind are the same."""

    def __missing__(self, name: str) -> str:
        key, _, part = name.partition(".")
        if part:
            return {"device": f"arn:aws:iam::{ACCOUNT}:mfa/device", "access-key-id": "AKIAIOSFODNN7EXAMPLE"}.get(
                part, f"a-{part}"
            )
        known = {
            "role": ROLE, "web": ROLE,
            "user": USER_ARN, "token": "a.genuine.token", "policy": "arn:aws:iam::aws:policy/P1",
            "saml": f"arn:aws:iam::{ACCOUNT}:saml-provider/SAML-test",
        }  # fmt: skip
        return known[key.partition("-")[0]]


VALUES = Values({
    "role-arn": ROLE,
    "web-identity-token": "a.genuine.token",
    "account": ACCOUNT,
    "user-arn": USER_ARN,
    "user-access-key-id": "AKIAIOSFODNN7EXAMPLE",
    "session-arn": CALLERS["session"],
    "session-access-key-id": "ASIAIOSFODNN7EXAMPLE",
    **{f"policy-arn-{n}": f"arn:aws:iam::aws:policy/P{n}" for n in range(1, 12)},
})  # fmt: skip

# Observations that no case reaches, and why.
CLAIM = "tells how something is worded or laid out, not what one request was answered"
ROOT = "needs the root user of an account, whose keys no run is given"
TRAFFIC = "needs more traffic than a conformance test may send"
MODEL = "a claim of the service model, not an answer"
GLOBAL = "about the one global endpoint of AWS, or its tokens"
IAM = "an answer of IAM; what STS does with such lists was not recorded"
ENCRYPTED = "needs a provider that decrypts assertions, which scenarios cannot give"
PACKED = "of before September 2026, when another limit held; what of it is refused today was not recorded"
PASSING = "how long a change takes to be seen, not what a request is answered"
KEYS = "needs a provider that publishes such a key set, which scenarios cannot give"
NO_CASE: dict[str, str] = {
    "proto-error-layout": CLAIM,
    "proto-extended-request-id": CLAIM,
    "proto-get-head-limit": "the limit is not known to the byte",
    "proto-json-error": ROOT,
    "proto-json-invalid-action": "which answers are JSON is shown by the success",
    "proto-json-expiration": CLAIM,
    "proto-throttling": TRAFFIC,
    "auth-global-endpoint-region": "about the one global endpoint of AWS",
    "auth-order": "no single request",
    "ar-short-rolearn": "the same length case with another value",
    "ar-rolearn-unicode": CLAIM,
    "ar-dup-rolearn": CLAIM,
    "ar-externalid-pattern": "the same pattern case with another value",
    "ar-old-denied": "of 2017; AWS words it otherwise today",
    "ar-mfa-incomplete": "the request was not recorded",
    "ar-packed-policy": "the size of a packed policy that is too large is not known",
    "ar-region-disabled": "needs a region that the account has switched off",
    "gci-disabled-region": "needs a region that the account has switched off",
    "gst-mfa-bad-device-2013": "of 2013; AWS words it otherwise today",
    "dam-success-shape": "needs a message that EC2 encoded",
    "gaki-unknown": "what AWS answers was not recorded",
    "wi-thumbprint": "needs a provider registered with another thumbprint, which scenarios cannot give",
    "val-multi": CLAIM,
    "model-assumeroot": MODEL,
    "model-getdelegatedaccesstoken": MODEL,
    "model-getwebidentitytoken": MODEL,
    "model-assumerole": MODEL,
    "model-assumerolewithsaml": MODEL,
    "model-common": MODEL,
    "gwit-global-endpoint": GLOBAL,
    "aroot-global-endpoint": GLOBAL,
    "token-v1-optin": GLOBAL,
    "token-v2-propagation": GLOBAL,
    "proto-extended-request-id-endpoint": CLAIM,
    "proto-extended-request-id-gov": "of another partition, in 2025",
    "proto-uri-limit": "the limit is not known to the byte",
    "gwit-order": "no single request",
    "gwit-propagation": PASSING,
    "wi-propagation": PASSING,
    "iam-list-leading-zero": IAM,
    "iam-list-not-a-number": IAM,
    "iam-list-zero": IAM,
    "iam-list-negative": IAM,
    "iam-list-gap": IAM,
    "iam-list-gap-large": IAM,
    "iam-token-version-enum": IAM,
    "iam-trust-federated-star": "an answer of IAM, to a trust policy that no scenario has",
    "saml-expired-certificate": "needs a provider whose certificate has ended, which scenarios cannot give",
    "saml-encrypted": ENCRYPTED,
    "saml-encryption-required-plain": ENCRYPTED,
    "saml-encryption-required-encrypted": ENCRYPTED,
    "saml-base64-metadata-mismatch": "what was wrong with the response is not known",
    "saml-recipient-old-text": "of 2014; AWS words it otherwise today",
    "saml-provider-recreated": "needs a provider that is made anew during a scenario, which scenarios cannot do",
    "wi-key-no-header-kid-single": KEYS,
    "wi-key-ops": KEYS,
    "wi-jwks-over-100": KEYS,
    "wi-roles-claim-condition": "how the claim names the role was not recorded",
    "wi-trust-aws-star": "a summary of the recorder; scenarios give no role that trusts everybody",
    "size-announcement": CLAIM,
    "size-serialized-token": PACKED,
    "size-serialized-token-wire": PACKED,
    "size-serialized-token-s3": "an answer of S3",
    "size-wire-code": PACKED,
    "size-policy-103": "what was sent was not recorded",
    "packed-tags-7": PACKED,
    "packed-tags-138": PACKED,
    "packed-tags-9": PACKED,
    "packed-tags-eks": PACKED,
    "packed-policy-actions": PACKED,
    "cloudtrail-read-only": "tells what CloudTrail keeps, not what a request is answered",
    "auth-foreign-credentials": "needs credentials that the web console hands out",
    "ar-managed-session-policy-live": "needs a policy that changes during a scenario, which scenarios cannot do",
    "gst-mfa-code-older": "the codes just before are those with which the device was switched on",
}

# Refusals that no case meets, and why.
NO_REFUSAL: dict[str, str] = {
    "region-disabled": "needs a region that the account has switched off",
    "expired-trade-in-token": "needs a trade-in token that was good once",
    "web-identity-thumbprint-unknown": "needs a provider registered with another thumbprint",
    "idp-rejected-claim": "of the model; cases that name an OAuth 2.0 provider expect oauth-token-rejected",
}

# What was recorded in words only, in full: by observation and, where it is two answers, the case's suffix.
TOO_LONG = "1 validation error detected: Value '{}' at 'sourceIdentity' failed to satisfy constraint: "
WORDS_ONLY: dict[tuple[str, str], tuple[int, str | None, str | None]] = {
    ("ar-sourceidentity-length", "256"): (200, None, None),
    ("ar-sourceidentity-length", "257"): (
        400,
        "ValidationError",
        TOO_LONG.format("a" * 257) + "Member must have length less than or equal to 256",
    ),
    ("saml-duration-malformed", "abc"): (400, "MalformedInput", None),
    # The message alone was recorded; status and code are those of saml-signature, by analogy.
    ("saml-audience", "other-audience"): (
        400, "InvalidIdentityToken", "Response does not contain the required audience.",
    ),
    ("gst-mfa-code-window", "next-code"): (200, None, None),
    ("gst-mfa-code-window", "later-code"): (
        403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    ),
    ("saml-trust-context-keys", "of-account"): (200, None, None),
    ("saml-trust-context-keys", "without-arn"): (200, None, None),
    ("saml-provider-missing", "unknown-provider"): (
        400, "InvalidIdentityToken", "Specified provider doesn't exist.",
    ),
    ("wi-rejected-claim", "not-of-facebook"): (
        403,  # of the model
        "IDPRejectedClaim",
        "graph.facebook.com: graph.facebook.com responded with HTTP/1.1 400 Bad Request",
    ),
}
# Where code and message alone were recorded: the status that the service model or other answers give the code.
STATUS_OF = {
    "InvalidIdentityToken": 400, "ExpiredTokenException": 400, "PackedPolicyTooLarge": 400, "AccessDenied": 403,
}  # fmt: skip
PREFLIGHT = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST",
    "access-control-max-age": "172800",
    "access-control-expose-headers": "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date,smithy-protocol",
}


def observations() -> dict[str, Observation]:
    found = loader.load(EVIDENCE / "observed.yaml", ObservedFile).observations
    return {observation.id: observation for observation in found}


def pairs() -> list[tuple[Case, str]]:
    return [(case, name) for case in everything.cases() for name in case.evidence]


def given(case: Case) -> dict[str, str]:
    """Return a case's parameters with the run's values, the first of each name."""
    found: dict[str, str] = {}
    for name, value in case.request.parameters:
        found.setdefault(name, fill(value or "", VALUES))
    for step in case.setup:  # a source identity lives on
        inherited = dict(step.request.parameters).get("SourceIdentity")
        if inherited:
            found.setdefault("SourceIdentity", inherited)
    return found


def answer_to(case: Case, observation: Observation) -> Answer:
    """Build the answer of which the observation tells."""
    status, code, message = observation.status, observation.code, observation.message
    suffix = case.id.rpartition("/")[2]
    if (observation.id, suffix) in WORDS_ONLY:
        status, code, message = WORDS_ONLY[observation.id, suffix]
    elif status is None:
        status = STATUS_OF[code or ""]
    headers = {
        "x-amzn-requestid": REQUEST_ID,
        "x-amz-sts-extended-request-id": "MTp1cy1lYXN0LTE6MTczMjI1ODgwMDAwMDpSOjEyMzQ1Njc4",
        "content-type": "text/xml",
        "date": "Sun, 22 Nov 2026 07:00:00 GMT",
    }
    if observation.xml is not None:
        body = filled(observation.xml, case)
    elif code is not None:
        body = error(code, message and concrete(message, case), observation.namespace or XML_NAMESPACE)
    elif status == 200 and case.request.method != "OPTIONS":
        body = success(case, observation)
        if dict(case.request.headers).get("Accept") == "application/json":
            headers["content-type"] = "application/json"
            body = '{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {}}}'
    else:
        body = ""
    if case.request.method == "OPTIONS":
        headers |= PREFLIGHT
    if observation.location is not None:
        headers["location"] = observation.location
    headers["content-length"] = str(len(body))
    return Answer(status, tuple(headers.items()), body.encode())


def success(case: Case, observation: Observation) -> str:
    """Return a success with the elements that were recorded, its times as of SENT_AT."""
    if case.request.operation not in FEDERATED:
        body = success_of_users(case)
    else:
        told = FEDERATED[case.request.operation](case)
        result = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in told.items())
        session = assumed(case, observation) if "Expiration" not in told else ""
        name = case.request.operation
        body = f"<{name}Response><{name}Result>{result}{session}</{name}Result></{name}Response>"
    size = observation.packed_policy_size
    if size is None:
        return body
    body = re.sub("<PackedPolicySize>[^<]*</PackedPolicySize>", "", body)
    sizes = f"<PackedPolicySize>{size}</PackedPolicySize><SessionTokenUtilization>{size}</SessionTokenUtilization>"
    return body.replace("</Credentials>", f"</Credentials>{sizes}", 1)


def assumed(case: Case, observation: Observation) -> str:
    """Return what an answer holds of a session."""
    fresh, suffix = mint(CALLERS["session"]), case.id.rpartition("/")[2]
    seconds = observation.lifetime or LIFETIMES.get((observation.id, suffix), 3600)
    end = f"{SENT_AT + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    return (
        f"<AssumedRoleUser><AssumedRoleId>AROACKCEVSQ6C2EXAMPL1:one</AssumedRoleId><Arn>{fresh.arn}</Arn>"
        f"</AssumedRoleUser><Credentials><AccessKeyId>{fresh.key_id}</AccessKeyId><SecretAccessKey>{fresh.secret}"
        f"</SecretAccessKey><SessionToken>{fresh.token}</SessionToken><Expiration>{end}</Expiration></Credentials>"
    )


def says(case: Case) -> dict[str, Any]:
    """Return what the assertion or the token of a case says, as far as it is no other than usual."""
    return {} if not case.recipes else dict(json.loads(case.recipes[-1].says))


def of_assertion(case: Case) -> dict[str, str]:
    said = {"subject-format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"} | says(case)
    source = {"SourceIdentity": said["source-identity"]} if "source-identity" in said else {}
    return source | {
        "Subject": said.get("subject", "sts-conformance"),
        "SubjectType": said["subject-format"].removeprefix("urn:oasis:names:tc:SAML:2.0:nameid-format:"),
        "Audience": said.get("recipient", "https://signin.aws.amazon.com/saml"),
        "Issuer": "a-issuer",
    }


def of_token(case: Case) -> dict[str, str]:
    said = says(case)
    return {"SubjectFromWebIdentityToken": said.get("subject", "sts-conformance"), "Provider": "https://a-issuer"}


def outbound(case: Case) -> dict[str, str]:
    """Return the token of gwit-success-es384 and gwit-audience-several: their header, and the audiences."""
    names = given(case)
    audience = [value for name, value in names.items() if name.startswith("Audience.")]
    header = {"kid": "EC384_0", "typ": "JWT", "alg": "ES384"}
    claims = {"aud": audience if len(audience) > 1 else audience[0]}
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), bytes(96))
    end = SENT_AT + timedelta(seconds=int(names.get("DurationSeconds", "300")))
    return {
        "WebIdentityToken": ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts),
        "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }


FEDERATED: dict[str, Callable[[Case], dict[str, str]]] = {
    "AssumeRoleWithSAML": of_assertion, "AssumeRoleWithWebIdentity": of_token, "GetWebIdentityToken": outbound,
}  # fmt: skip
# Of observations that tell two.
LIFETIMES = {
    ("saml-session-duration-attribute", "900"): 900,
    ("saml-session-duration-attribute", "7200"): 3600,
}


def success_of_users(case: Case) -> str:
    caller = CALLERS[case.request.signing.caller]
    names = given(case)
    arn = {
        "AssumeRole": f"arn:aws:sts::{ACCOUNT}:assumed-role/same-account/{names.get('RoleSessionName')}",
        "GetFederationToken": f"arn:aws:sts::{ACCOUNT}:federated-user/{names.get('Name')}",
    }.get(case.request.operation, caller)
    seconds = int(names.get("DurationSeconds") or {"AssumeRole": 3600}.get(case.request.operation, 43200))
    end = f"{SENT_AT + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    body = granted(case.request.operation, names, mint(arn), caller)
    return re.sub(r"<Expiration>[^<]*<", f"<Expiration>{end}<", body)


def filled(xml: str, case: Case) -> str:
    """Fill an observed body's placeholders in."""
    caller, names = CALLERS.get(case.request.signing.caller, USER_ARN), given(case)
    session = names.get("RoleSessionName", "")
    values = {
        "{x-amzn-requestid}": REQUEST_ID, "{arn}": caller, "{account}": ACCOUNT, "{acct}": ACCOUNT,
        "{user_id}": "AIDACKCEVSQ6C2EXAMPL1" if caller == USER_ARN else "AROACKCEVSQ6C2EXAMPL1:conformance",
        "{AROA...}": "AROACKCEVSQ6C2EXAMPL1", "{session}": session, "{role-name}": "same-account",
        "{ASIA...}": "ASIAIOSFODNN7EXAMPLE", "{iso8601}": "2026-11-22T08:00:00Z",
        "{issuer}": "https://sts-conformance.example.com",
    }  # fmt: skip
    for name, value in values.items():
        xml = xml.replace(name, value)
    fresh = mint(caller)
    xml = xml.replace("<SecretAccessKey>...<", f"<SecretAccessKey>{fresh.secret}<")
    xml = xml.replace("<SessionToken>...<", f"<SessionToken>{fresh.token}<")
    assert not re.search(r"\{[^}\s]*\}", xml), xml
    return xml


def concrete(message: str, case: Case) -> str:
    """Fill an observed message's placeholders in; what was recorded literally stays."""
    message = message.replace("{caller-arn}", USER_ARN).replace("{role-arn}", given(case).get("RoleArn", ""))
    message = re.sub(r"<(date|max|now)>", "20261122T070000Z", message)
    message = message.replace("<uuid>", REQUEST_ID).replace("<caller>", USER_ARN).replace("<bucket>", "bucket")
    return re.sub(r"\bn%", "112%", message)


def literal(message: str) -> bool:
    """Whether a message was recorded as it was sent."""
    return not re.search(r"\.\.\.|\{[a-z-]+\}|<[^>]*>|\bn%", message)


@pytest.mark.parametrize(("case", "name"), [pytest.param(c, n, id=f"{n}:{c.id}") for c, n in pairs()])
def test_the_observed_answer_conforms(case: Case, name: str) -> None:
    answer = answer_to(case, observations_by_id[name])
    judgement = case.expectation.judge(answer, values=VALUES, sent_at=SENT_AT)
    assert judgement.conforms, judgement.received


observations_by_id = observations()


def test_what_no_case_reaches_is_listed_with_its_reason() -> None:
    reached = {name for _, name in pairs()}
    assert reached <= observations_by_id.keys()
    assert observations_by_id.keys() - reached == NO_CASE.keys()


def test_what_was_recorded_in_words_is_used() -> None:
    used = {(name, c.id.rpartition("/")[2]) for c, name in pairs()}
    assert used >= WORDS_ONLY.keys()
    assert {name for name, _ in WORDS_ONLY} <= {o.id for o in observations().values() if not (o.status and o.code)}


def test_every_refusal_is_expected_by_a_case() -> None:
    expected = {case.expectation.refusal.refusal for case in everything.cases() if case.expectation.refusal}
    assert contract.load().refusals.keys() - expected == NO_REFUSAL.keys()


@pytest.mark.parametrize("status", [200, 403, 500])
def test_another_answer_does_not(status: int) -> None:
    """Were any answer accepted, the observed ones would prove nothing."""
    accepted = []
    for case, name in pairs():
        observation = observations_by_id[name]
        body = error("NoSuchCode", observation.message)
        answer = Answer(status, (), b"" if status == 200 else body.encode())
        if observation.status != status and case.expectation.judge(answer, values=VALUES, sent_at=SENT_AT).conforms:
            accepted.append(case.id)
    assert not accepted


# Wording, at level exact


def worded() -> list[tuple[Case, str]]:
    """Return the exact cases of wording, with an observation's literal message for their very value."""
    by_id = {case.id: case for case in everything.cases()}
    twins = [(by_id.get(f"common.error.validation-error.message/{c.id.replace('/', '.')}"), n) for c, n in pairs()]
    own = [(c, n) for c, n in pairs() if any(check.message for check in c.expectation.checks)]
    return [
        (case, name)
        for case, name in [*((c, n) for c, n in twins if c is not None), *own]
        if case.level is Level.EXACT
        and literal(observations_by_id[name].message or "...")
        and quoted(case, observations_by_id[name].message or "")
    ]


def quoted(case: Case, message: str) -> bool:
    """Whether every value that a message quotes is one that the case sends."""
    values = re.findall(r"Value '((?:[^']|'(?! at))*)' at '", message)
    members = re.findall(r" at '(\w+)' failed", message)
    sent = {name[:1].lower() + name[1:]: value for name, value in given(case).items()}
    return all(sent.get(member, "") == value for member, value in zip(members, values, strict=False)) and all(
        member in sent or "Value null" in message for member in members
    )


@pytest.mark.parametrize(("case", "name"), [pytest.param(c, n, id=f"{n}:{c.id}") for c, n in worded()])
def test_the_observed_wording_conforms_and_another_does_not(case: Case, name: str) -> None:
    observation = observations_by_id[name]
    message = observation.message
    assert message is not None
    words = WORDS_ONLY.get((name, case.id.rpartition("/")[2]), (0, "", ""))
    code = observation.code or words[1] or ""
    status = observation.status or STATUS_OF[code]
    space = observation.namespace or XML_NAMESPACE

    def conforms(text: str) -> bool:
        answer = Answer(status, (("x-amzn-requestid", REQUEST_ID),), error(code, text, space).encode())
        return case.expectation.judge(answer, values=VALUES, sent_at=SENT_AT).conforms

    assert conforms(message)
    head, _, clauses = message.partition("detected: ")
    if "; " in clauses:
        first, _, second = clauses.partition("; ")
        assert conforms(f"{head}detected: {second}; {first}")
    assert not conforms(message + "!")
    assert not conforms(message.swapcase())


def test_there_is_wording_to_look_at() -> None:
    names = {name for _, name in worded()}
    assert {"ar-no-rolearn", "ar-empty-rolearn", "ar-long-session-name", "ar-bad-session-name"} <= names
    assert {"ar-malformed-rolearn", "ar-tag-duplicate-case", "proto-unknown-action", "auth-missing"} <= names
