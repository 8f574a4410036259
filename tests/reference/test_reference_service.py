"""The reference as a whole, asked as clients ask it: sessions that are real, in AWS's order of checks."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from generators.case import plain_request
from specs.model import Signing
from targets.identity.openid import OpenIdIssuer, Token
from targets.identity.saml import Assertion, SamlIssuer
from targets.identity.totp import code, wrong_code
from targets.reference.model import HttpRequest
from targets.reference.service import MEMBER_ACCOUNT, Settings, build
from targets.reference.tokens import account_of
from tests.reference.client import ALLOW, ROOT, SECOND_ROOT, Sts, policy, refusal_of, session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from targets.credentials import Credentials

ACCOUNT = "111122223333"
ANYBODY = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
STS = {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}
DENIED = "User: {} is not authorized to perform: {} on resource: {}"


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def alice(sts: Sts) -> Credentials:
    return sts.user("alice", STS)


# Sessions


def test_a_session_works_until_it_ends(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", ANYBODY)
    session = sts.assume(role, alice, "one", DurationSeconds=900)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/one"
    assert sts.arn_of(session) == arn
    sts.service.clock.move(899)
    assert sts.arn_of(session) == arn
    sts.service.clock.move(2)
    expired = (403, "ExpiredToken", "The security token included in the request is expired")
    assert refusal_of(sts.call("GetCallerIdentity", session)) == expired
    assert refusal_of(sts.call("GetCallerIdentity", replace(session, secret_access_key="other"))) == expired


def test_a_session_dies_with_its_role(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", ANYBODY)
    session = sts.assume(role, alice)
    sts.iam("DeleteRole", RoleName="worker")
    invalid = (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    assert refusal_of(sts.call("GetCallerIdentity", session)) == invalid
    sts.role("worker", ANYBODY)
    assert refusal_of(sts.call("GetCallerIdentity", session)) == invalid


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"session_token": None}, "The security token included in the request is invalid."),
        ({"session_token": "garbage"}, "The security token included in the request is invalid"),
        ({"session_token": "é"}, "The security token included in the request is invalid"),
    ],
)
def test_a_token_belongs_to_its_key(sts: Sts, alice: Credentials, change: dict[str, str], message: str) -> None:
    session = sts.assume(sts.role("worker", ANYBODY), alice)
    told = refusal_of(sts.call("GetCallerIdentity", replace(session, **change)))
    assert told == (403, "InvalidClientTokenId", message)


def test_a_token_is_good_for_no_other_key(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", ANYBODY)
    one, other = sts.assume(role, alice), sts.assume(role, alice)
    mixed = replace(one, session_token=other.session_token)
    assert sts.arn_of(mixed) == "InvalidClientTokenId"
    stolen = replace(alice, session_token=other.session_token)
    assert sts.arn_of(stolen) == "InvalidClientTokenId"


def test_tokens_of_another_reference_are_garbage(sts: Sts, alice: Credentials) -> None:
    session = sts.assume(sts.role("worker", ANYBODY), alice)
    assert Sts().arn_of(session) == "InvalidClientTokenId"


def test_keys_tell_their_account(sts: Sts, alice: Credentials) -> None:
    session = sts.assume(sts.role("worker", ANYBODY), alice)
    for key in (alice, session):
        assert account_of(key.access_key_id) == ACCOUNT
        told = sts.call("GetAccessKeyInfo", ROOT, AccessKeyId=key.access_key_id)
        assert told.text_at("GetAccessKeyInfoResult/Account") == ACCOUNT
    second = sts.user("bob", STS, root=SECOND_ROOT)
    told = sts.call("GetAccessKeyInfo", alice, AccessKeyId=second.access_key_id)
    assert told.text_at("GetAccessKeyInfoResult/Account") == "444455556666"
    assert sts.call("GetAccessKeyInfo", alice, AccessKeyId="AKIAIOSFODNN7EXAMPLE").status == 403


def test_an_inactive_key_is_unknown(sts: Sts, alice: Credentials) -> None:
    sts.iam("UpdateAccessKey", UserName="alice", AccessKeyId=alice.access_key_id, Status="Inactive")
    assert sts.arn_of(alice) == "InvalidClientTokenId"


# Chaining


def test_a_chain_keeps_transitive_tags_and_source_identity(sts: Sts, alice: Credentials) -> None:
    first = sts.role("first", ANYBODY)
    sts.iam("PutRolePolicy", RoleName="first", PolicyName="own", PolicyDocument=policy(STS))
    trusting = {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue", "sts:SourceIdentity": "al"}}}
    second = sts.role("second", ANYBODY, statement=trusting)
    sts.iam("PutRolePolicy", RoleName="second", PolicyName="own", PolicyDocument=policy(STS))
    third = sts.role("third", ANYBODY, statement=trusting)
    tagged = {"Tags__member__1__Key": "team", "Tags__member__1__Value": "blue"}
    keep = {"TransitiveTagKeys__member__1": "team", "SourceIdentity": "al"}
    chained = sts.assume(first, alice, **tagged, **keep)
    answer = sts.call("AssumeRole", chained, RoleArn=second, RoleSessionName="two")
    assert answer.text_at("AssumeRoleResult/SourceIdentity") == "al"
    assert sts.arn_of(sts.assume(third, session_of(answer), "three")).endswith("/third/three")
    again = sts.call("AssumeRole", chained, RoleArn=second, RoleSessionName="two", **tagged)
    assert again.error_code == "InvalidParameterValue"
    changed = sts.call("AssumeRole", chained, RoleArn=second, RoleSessionName="two", SourceIdentity="bo")
    assert refusal_of(changed)[2] == "The source identity is already set for this assume role session"
    assert sts.call("AssumeRole", chained, RoleArn=second, RoleSessionName="two", SourceIdentity="al").status == 200
    untagged = sts.assume(first, alice, SourceIdentity="al")
    refused = sts.call("AssumeRole", untagged, RoleArn=second, RoleSessionName="two")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/first/session"
    assert refusal_of(refused) == (403, "AccessDenied", DENIED.format(arn, "sts:AssumeRole", second))


def test_a_chain_lasts_an_hour_at_most(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", {"AWS": "*"}, MaxSessionDuration=43200)
    sts.iam("PutRolePolicy", RoleName="worker", PolicyName="own", PolicyDocument=policy(STS))
    assert sts.call("AssumeRole", alice, RoleArn=role, RoleSessionName="one", DurationSeconds=43200).status == 200
    chained = sts.assume(role, alice)
    for seconds, status in ((3600, 200), (3601, 400)):
        answer = sts.call("AssumeRole", chained, RoleArn=role, RoleSessionName="two", DurationSeconds=seconds)
        assert answer.status == status, answer.text


def test_a_role_has_a_maximum(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", ANYBODY)
    answer = sts.call("AssumeRole", alice, RoleArn=role, RoleSessionName="one", DurationSeconds=3601)
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refusal_of(answer) == (400, "ValidationError", message)


def test_a_session_policy_restricts(sts: Sts, alice: Credentials) -> None:
    first, second = sts.role("first", ANYBODY), sts.role("second", ANYBODY)
    sts.iam("PutRolePolicy", RoleName="first", PolicyName="own", PolicyDocument=policy(STS))
    free = sts.assume(first, alice)
    bound = sts.assume(first, alice, Policy=policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    assert sts.call("AssumeRole", free, RoleArn=second, RoleSessionName="two").status == 200
    assert sts.call("AssumeRole", bound, RoleArn=second, RoleSessionName="two").error_code == "AccessDenied"


# Across accounts


def test_across_accounts_both_sides_must_allow(sts: Sts, alice: Credentials) -> None:
    nobody = sts.user("nobody")
    foreign = sts.role("foreign", ANYBODY, root=SECOND_ROOT)
    closed = sts.role("closed", {"AWS": "arn:aws:iam::444455556666:root"}, root=SECOND_ROOT)
    assert sts.arn_of(sts.assume(foreign, alice)) == "arn:aws:sts::444455556666:assumed-role/foreign/session"
    assert sts.call("AssumeRole", nobody, RoleArn=foreign, RoleSessionName="one").error_code == "AccessDenied"
    assert sts.call("AssumeRole", alice, RoleArn=closed, RoleSessionName="one").error_code == "AccessDenied"


def test_root_assumes_no_role(sts: Sts) -> None:
    role = sts.role("worker", ANYBODY)
    answer = sts.call("AssumeRole", ROOT, RoleArn=role, RoleSessionName="one")
    assert refusal_of(answer) == (403, "AccessDenied", "Roles may not be assumed by root accounts.")


# Users' sessions


def test_sessions_of_root_are_cut_to_an_hour(sts: Sts) -> None:
    for operation, more in (("GetSessionToken", {}), ("GetFederationToken", {"Name": "root-user"})):
        session = session_of(sts.call(operation, ROOT, DurationSeconds=7200, **more))
        sts.service.clock.move(3599)
        assert sts.call("GetCallerIdentity", session).status == 200
        sts.service.clock.move(2)
        assert sts.call("GetCallerIdentity", session).error_code == "ExpiredToken"


def test_what_sessions_of_users_may_call(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", ANYBODY)
    session = session_of(sts.call("GetSessionToken", alice))
    federated = session_of(sts.call("GetFederationToken", alice, Name="fed-user", Policy=policy(ALLOW)))
    assert sts.arn_of(session) == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert sts.arn_of(federated) == f"arn:aws:sts::{ACCOUNT}:federated-user/fed-user"
    assert sts.call("AssumeRole", session, RoleArn=role, RoleSessionName="one").status == 200
    assert sts.call("AssumeRole", federated, RoleArn=role, RoleSessionName="one").error_code == "AccessDenied"
    for keys in (session, federated):
        for operation, members in (("GetSessionToken", {}), ("GetFederationToken", {"Name": "again"})):
            message = f"Cannot call {operation} with session credentials"
            assert refusal_of(sts.call(operation, keys, **members)) == (403, "AccessDenied", message)


def test_get_federation_token_needs_a_right(sts: Sts) -> None:
    nobody = sts.user("nobody")
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
    message = DENIED.format(f"arn:aws:iam::{ACCOUNT}:user/nobody", "sts:GetFederationToken", arn)
    assert refusal_of(sts.call("GetFederationToken", nobody, Name="fed")) == (403, "AccessDenied", message)
    assert sts.call("GetSessionToken", nobody).status == 200


def test_mfa(sts: Sts, alice: Credentials) -> None:
    made = sts.iam("CreateVirtualMFADevice", VirtualMFADeviceName="alice")
    serial = made.text_at("CreateVirtualMFADeviceResult/VirtualMFADevice/SerialNumber") or ""
    seed64 = made.text_at("CreateVirtualMFADeviceResult/VirtualMFADevice/Base32StringSeed") or ""
    seed = base64.b64decode(seed64).decode()
    now = sts.service.clock.now()
    codes = {"AuthenticationCode1": code(seed, now), "AuthenticationCode2": code(seed, now, steps=1)}
    sts.iam("EnableMFADevice", ROOT, UserName="alice", SerialNumber=serial, **codes)
    strict = sts.role("strict", ANYBODY, statement={"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}})
    request = {"RoleArn": strict, "RoleSessionName": "one"}
    assert sts.call("AssumeRole", alice, **request).error_code == "AccessDenied"
    sts.service.clock.move(90)
    now = sts.service.clock.now()
    wrong = sts.call("AssumeRole", alice, **request, SerialNumber=serial, TokenCode=wrong_code(seed, now))
    assert (wrong.error_message or "").startswith("MultiFactorAuthentication failed with invalid MFA")
    right = sts.call("AssumeRole", alice, **request, SerialNumber=serial, TokenCode=code(seed, now))
    assert right.status == 200, right.text
    sts.service.clock.move(90)
    now = sts.service.clock.now()
    session = session_of(sts.call("GetSessionToken", alice, SerialNumber=serial, TokenCode=code(seed, now)))
    assert sts.call("AssumeRole", session, **request).status == 200


# Federation


@pytest.fixture
def openid() -> Iterator[OpenIdIssuer]:
    with OpenIdIssuer() as issuer:
        yield issuer


def test_web_identity(sts: Sts, openid: OpenIdIssuer) -> None:
    given = {"Url": openid.url, "ClientIDList__member__1": "app", "ThumbprintList__member__1": openid.thumbprint}
    made = sts.iam("CreateOpenIDConnectProvider", ROOT, **given)
    arn = made.text_at("CreateOpenIDConnectProviderResult/OpenIDConnectProviderArn")
    host = openid.url.removeprefix("https://")
    role = sts.role(
        "web", {"Federated": arn},
        statement={
            "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {f"{host}:sub": "somebody"}},
        },
    )  # fmt: skip
    for subject, status in (("somebody", 200), ("somebody-else", 403)):
        token = openid.token(Token(subject=subject, audience="app"))
        members = {"RoleArn": role, "RoleSessionName": "web", "WebIdentityToken": token}
        answer = sts.call("AssumeRoleWithWebIdentity", None, **members)
        assert answer.status == status, answer.text
    sts.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
    gone = sts.call("AssumeRoleWithWebIdentity", None, **members)
    message = (
        "The web identity token provided could not be validated. "
        "See the AssumeRoleWithWebIdentity documentation for requirements."
    )
    assert refusal_of(gone) == (400, "InvalidIdentityToken", message)


def test_saml(sts: Sts) -> None:
    issuer = SamlIssuer()
    made = sts.iam("CreateSAMLProvider", Name="idp", SAMLMetadataDocument=issuer.metadata())
    arn = made.text_at("CreateSAMLProviderResult/SAMLProviderArn") or ""
    role = sts.role("saml", {"Federated": arn}, statement={"Action": "sts:AssumeRoleWithSAML"})
    now = sts.service.clock.now()
    says = Assertion(role_arn=role, provider_arn=arn, session_name="sammy", session_end=now + timedelta(seconds=1000))
    members = {"RoleArn": role, "PrincipalArn": arn, "SAMLAssertion": issuer.assertion(says)}
    session = session_of(sts.call("AssumeRoleWithSAML", None, **members))
    assert sts.arn_of(session) == f"arn:aws:sts::{ACCOUNT}:assumed-role/saml/sammy"
    late = sts.call("AssumeRoleWithSAML", None, **members, DurationSeconds=43200)
    assert late.error_code == "ValidationError"
    sts.service.clock.move(1001)  # SessionNotOnOrAfter, which comes before the hour is over
    assert sts.arn_of(session) == "ExpiredToken"
    old = sts.call("AssumeRoleWithSAML", None, **members)
    assert old.error_code == "ExpiredTokenException"


# The others


def test_an_encoded_message_is_read_by_whom_may(sts: Sts, alice: Credentials) -> None:
    operations = sts.service.operations
    caller = sts.service.authenticator.root_callers()[0]
    message = operations.encoded_message(caller, "ec2:RunInstances", "*")
    told = sts.call("DecodeAuthorizationMessage", alice, EncodedMessage=message)
    content = json.loads(told.text_at("DecodeAuthorizationMessageResult/DecodedMessage") or "")
    assert content["context"]["principal"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert content["context"]["action"] == "ec2:RunInstances"
    broken = sts.call("DecodeAuthorizationMessage", alice, EncodedMessage=f"{message[:50]}\n{message[50:]}")
    assert refusal_of(broken)[:2] == (400, "InvalidAuthorizationMessageException")
    nobody = sts.user("nobody")
    assert sts.call("DecodeAuthorizationMessage", nobody, EncodedMessage=message).error_code == "AccessDenied"


def test_assume_root_is_for_members_and_tasks(sts: Sts, alice: Credentials) -> None:
    task = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
    for account, policy_arn, status in (
        (MEMBER_ACCOUNT, task, 200),
        (ACCOUNT, task, 403),
        (MEMBER_ACCOUNT, "arn:aws:iam::aws:policy/AdministratorAccess", 400),
        (f"arn:aws:iam::{MEMBER_ACCOUNT}:root", task, 200),
        (f"arn:aws:iam::{MEMBER_ACCOUNT}:user/alice", task, 400),
    ):
        answer = sts.call("AssumeRoot", alice, TargetPrincipal=account, TaskPolicyArn__arn=policy_arn)
        assert answer.status == status, answer.text


def test_a_web_identity_token_ends_with_its_session(sts: Sts, alice: Credentials) -> None:
    members = {"Audience__member__1": "https://example.com", "SigningAlgorithm": "ES384"}
    off = sts.call("GetWebIdentityToken", alice, **members)
    assert off.error_code == "OutboundWebIdentityFederationDisabledException"
    sts.iam("EnableOutboundWebIdentityFederation")
    assert sts.call("GetWebIdentityToken", alice, **members).status == 200
    role = sts.role("worker", ANYBODY)
    sts.iam("PutRolePolicy", RoleName="worker", PolicyName="own", PolicyDocument=policy(STS))
    session = sts.assume(role, alice, DurationSeconds=900)
    for seconds, status in ((600, 200), (3600, 403)):
        answer = sts.call("GetWebIdentityToken", session, **members, DurationSeconds=seconds)
        assert answer.status == status, answer.text


# The order of checks


@pytest.mark.parametrize(
    ("signing", "keys", "members", "code"),
    [
        (Signing(region="eu-west-1"), "no-token", {}, "SignatureDoesNotMatch"),  # scope before token
        (Signing(), "no-token", {}, "InvalidClientTokenId"),
        (Signing(), "wrong-secret", {"RoleSessionName": "a/b"}, "SignatureDoesNotMatch"),  # before constraints
        (Signing(), "right", {"RoleSessionName": "a/b"}, "ValidationError"),  # constraints before authorization
        (Signing(), "right", {"DurationSeconds": "abc", "RoleSessionName": "a/b"}, "MalformedInput"),
        (Signing(), "right", {}, "AccessDenied"),
    ],
)
def test_order(
    sts: Sts, alice: Credentials, signing: Signing, keys: str, members: dict[str, str], code: str
) -> None:
    session = sts.assume(sts.role("worker", ANYBODY), alice)
    callers = {
        "no-token": replace(session, session_token=None),
        "wrong-secret": replace(session, secret_access_key="other"),
        "right": session,
    }
    given = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/absent", "RoleSessionName": "one"} | members
    request = replace(plain_request("AssumeRole", tuple(given.items()), signed=True), signing=signing)
    assert sts.send(request, callers[keys]).error_code == code


def test_all_violations_come_together(sts: Sts, alice: Credentials) -> None:
    answer = sts.call("AssumeRole", alice, RoleArn="", RoleSessionName="x", DurationSeconds=1, TokenCode="12345x")
    message = answer.error_message or ""
    assert message.startswith("5 validation errors detected: ")
    assert len(message.partition(": ")[2].split("; ")) == 5


# What it packs


def test_more_never_packs_smaller_and_transitive_marks_weigh_nothing(sts: Sts, alice: Credentials) -> None:
    role = sts.role("worker", ANYBODY)
    sizes = []
    for number in range(1, 40, 3):
        actions = [f"s3:Get{n}" for n in range(number)]
        text = policy({"Effect": "Allow", "Action": actions, "Resource": "*"})
        answer = sts.call("AssumeRole", alice, RoleArn=role, RoleSessionName="one", Policy=text)
        sizes.append(int(answer.text_at("AssumeRoleResult/PackedPolicySize") or 0))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0] > 0
    tagged = {"Tags__member__1__Key": "team", "Tags__member__1__Value": "blue" * 30}
    plain = sts.call("AssumeRole", alice, RoleArn=role, RoleSessionName="one", **tagged)
    marked = sts.call(
        "AssumeRole", alice, RoleArn=role, RoleSessionName="one", **tagged, TransitiveTagKeys__member__1="team"
    )
    path = "AssumeRoleResult/PackedPolicySize"
    assert plain.text_at(path) == marked.text_at(path)
    assert int(plain.text_at(path) or 0) > 0


# IAM and the control calls


def test_sessions_without_mfa_call_no_iam(sts: Sts) -> None:
    admin = sts.user("admin", ALLOW)
    assert sts.iam("ListUsers", admin)
    session = session_of(sts.call("GetSessionToken", admin))
    request = plain_request("ListUsers", (), signed=True).with_parameters(("Version", "2010-05-08"))
    assert sts.send(request, session, "iam").error_code == "InvalidClientTokenId"
    nobody = sts.user("nobody")
    assert sts.send(request, nobody, "iam").error_code == "AccessDenied"


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/_reference/clock?move=60", 200),
        ("POST", "/_reference/clock?move=nan", 400),
        ("POST", "/_reference/clock?move=1e99", 400),
        ("POST", "/_reference/clock?move=far", 400),
        ("GET", "/_reference/clock", 404),
        ("POST", "/_reference/fixtures", 400),
        ("POST", "/_reference/nothing", 404),
    ],
)
def test_control(method: str, target: str, status: int) -> None:
    service = build(Settings())
    before = service.clock.now()
    answer = service.answer(HttpRequest(method, target, (), b""))
    assert answer.status == status
    moved = service.clock.now() - before
    assert (moved > timedelta(seconds=59)) == (status == 200)


def test_seeds_make_it_repeatable() -> None:
    one, other = (Sts(build(Settings(seed=7))) for _ in range(2))
    at = one.service.clock.now()
    for sts in (one, other):
        sts.service.clock.stand(at)
    assert one.call("GetSessionToken").body == other.call("GetSessionToken").body
