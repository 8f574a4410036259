"""What STS does over several calls, with devices, tags, providers and two accounts: as the documents tell it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from generators.case import plain_request
from targets.identity.openid import Behaviour, OpenIdIssuer, Token
from targets.identity.saml import Assertion, SamlIssuer
from targets.identity.totp import code, wrong_code
from tests.reference.client import ALLOW, ROOT, SECOND_ROOT, Sts, policy, refusal_of, session_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from generators.answer import Answer
    from targets.credentials import Credentials

ACCOUNT, SECOND = "111122223333", "444455556666"
ANYBODY = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
STS = {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}
S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
INVALID_KEY = (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
FEDERATED = {"saml": "AssumeRoleWithSAML", "web": "AssumeRoleWithWebIdentity"}


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def alice(sts: Sts) -> Credentials:
    return sts.user("alice", STS)


def tags(**pairs: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (key, value) in enumerate(pairs.items(), 1):
        found |= {f"Tags__member__{number}__Key": key, f"Tags__member__{number}__Value": value}
    return found


def when(**equal: str) -> dict[str, Any]:
    """Return a condition; __ stands for a colon, and _ for a slash."""
    keys = {key.replace("__", ":").replace("_", "/"): value for key, value in equal.items()}
    return {"Condition": {"StringEquals": keys}}


def permit(sts: Sts, role: str, *statements: Mapping[str, Any], root: Credentials = ROOT) -> None:
    sts.iam("PutRolePolicy", root, RoleName=role, PolicyName="own", PolicyDocument=policy(*statements))


def status(sts: Sts, keys: Credentials, role: str, **members: object) -> int:
    return sts.call("AssumeRole", keys, RoleArn=role, RoleSessionName="two", **members).status


def managed(sts: Sts, name: str, *statements: Mapping[str, Any], root: Credentials = ROOT) -> str:
    made = sts.iam("CreatePolicy", root, PolicyName=name, PolicyDocument=policy(*statements))
    return made.text_at("CreatePolicyResult/Policy/Arn") or ""


# Keys


def test_keys_that_are_inactive_or_deleted(sts: Sts, alice: Credentials) -> None:
    info = {"AccessKeyId": alice.access_key_id}
    change = {"UserName": "alice", **info}
    for step in ("Active", "Inactive", "Active", "gone"):
        if step == "gone":
            sts.iam("DeleteAccessKey", ROOT, **change)
        else:
            sts.iam("UpdateAccessKey", ROOT, Status=step, **change)
        told = sts.call("GetAccessKeyInfo", ROOT, **info)
        assert (told.status, told.text_at("GetAccessKeyInfoResult/Account")) == (200, ACCOUNT), step
        for keys in (alice, replace(alice, secret_access_key="other")):
            answer = sts.call("GetCallerIdentity", keys)
            if step != "Active":
                assert refusal_of(answer) == INVALID_KEY, step
        assert (sts.call("GetCallerIdentity", alice).status == 200) == (step == "Active")


def test_expiry_is_told_before_the_role_is_missed(sts: Sts, alice: Credentials) -> None:
    session = sts.assume(sts.role("worker", ANYBODY), alice, DurationSeconds=900)
    sts.iam("DeleteRole", RoleName="worker")
    for keys in (session, replace(session, secret_access_key="other")):
        assert refusal_of(sts.call("GetCallerIdentity", keys)) == INVALID_KEY
        assert sts.call("GetCallerIdentity", keys, ahead=901).error_code == "ExpiredToken"


# Root


def test_sessions_of_root(sts: Sts) -> None:
    for seconds, lasts in ((900, 900), (3600, 3600), (129600, 3600), (None, 3600)):
        for operation, more in (("GetSessionToken", {}), ("GetFederationToken", {"Name": "fed"})):
            members = more | ({} if seconds is None else {"DurationSeconds": str(seconds)})
            session = session_of(sts.call(operation, ROOT, **members))
            assert sts.call("GetCallerIdentity", session, ahead=lasts - 2).status == 200
            assert sts.call("GetCallerIdentity", session, ahead=lasts + 2).error_code == "ExpiredToken"
    root = session_of(sts.call("GetSessionToken", ROOT))
    assert sts.arn_of(root) == f"arn:aws:iam::{ACCOUNT}:root"
    message = sts.service.operations.encoded_message(sts.service.authenticator.root_callers()[0], "a:B", "*")
    assert sts.call("DecodeAuthorizationMessage", ROOT, EncodedMessage=message).status == 200
    refused = (403, "AccessDenied", "Roles may not be assumed by root accounts.")
    role = sts.role("worker", ANYBODY)
    for keys in (ROOT, root):
        answer = sts.call("AssumeRole", keys, RoleArn=role, RoleSessionName="one")
        assert refusal_of(answer) == refused


def test_root_is_refused_in_json(sts: Sts) -> None:
    members = (("RoleArn", sts.role("worker", ANYBODY)), ("RoleSessionName", "one"))
    request = replace(plain_request("AssumeRole", members, signed=True), headers=(("Accept", "application/json"),))
    error = json.loads(sts.send(request, ROOT).body)["Error"]
    assert error == {
        "Code": "AccessDenied", "Message": "Roles may not be assumed by root accounts.", "Type": "Sender",
    }  # fmt: skip


# Two accounts


def test_across_accounts_trust_and_policy_are_both_needed(sts: Sts, alice: Credentials) -> None:
    bare, strict = sts.user("bare"), sts.user("strict", {**STS, "Resource": "arn:aws:iam::444455556666:role/named"})
    named = sts.role("named", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bare"}, root=SECOND_ROOT)
    account = sts.role("account", ANYBODY, root=SECOND_ROOT)
    anyone = sts.role("anyone", {"AWS": "*"}, root=SECOND_ROOT)
    own = sts.role("own", {"AWS": f"arn:aws:iam::{SECOND}:root"}, root=SECOND_ROOT)
    wanted = {
        (bare, named): 403, (bare, account): 403, (bare, anyone): 403, (bare, own): 403,
        (alice, named): 403, (alice, account): 200, (alice, anyone): 200, (alice, own): 403,
        (strict, named): 403, (strict, account): 403,
    }  # fmt: skip
    assert {pair: status(sts, *pair) for pair in wanted} == wanted
    sts.iam("PutUserPolicy", UserName="bare", PolicyName="own", PolicyDocument=policy(STS))
    assert status(sts, bare, named) == 200


# Session policies


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_session_policy_cuts_and_never_adds(sts: Sts, alice: Credentials, by_arn: bool) -> None:
    worker = sts.role("worker", ANYBODY)
    target = sts.role("target", ANYBODY)
    permit(sts, "worker", STS)
    weak = sts.role("weak", ANYBODY)
    permit(sts, "weak", S3)

    def bound(role: str, name: str, *statements: Mapping[str, Any]) -> int:
        one = {"PolicyArns__member__1__arn": managed(sts, name, *statements)}
        given = one if by_arn else {"Policy": policy(*statements)}
        return status(sts, sts.assume(role, alice, **given), target)

    assert bound(worker, "a", STS) == 200
    assert bound(worker, "b", S3) == 403
    assert bound(worker, "c", ALLOW, {**STS, "Effect": "Deny"}) == 403
    assert bound(weak, "d", ALLOW) == 403
    both = {"Policy": policy(S3), "PolicyArns__member__1__arn": managed(sts, "e", STS)}
    assert status(sts, sts.assume(worker, alice, **both), target) == 200  # together they are one session policy


def test_managed_session_policies_are_of_the_roles_account(sts: Sts, alice: Credentials) -> None:
    own, foreign = managed(sts, "own", ALLOW), managed(sts, "foreign", ALLOW, root=SECOND_ROOT)
    aws = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    here, there = sts.role("here", ANYBODY), sts.role("there", ANYBODY, root=SECOND_ROOT)
    for role, arn, code_ in (
        (here, own, None), (here, aws, None), (here, foreign, "ValidationError"),
        (there, foreign, None), (there, aws, None), (there, own, "ValidationError"),
        (here, f"{own}-absent", "ValidationError"),
    ):  # fmt: skip
        answer = sts.call("AssumeRole", alice, RoleArn=role, RoleSessionName="one", PolicyArns__member__1__arn=arn)
        assert answer.error_code == code_, (role, arn)
    for arn, code_ in ((own, None), (foreign, "ValidationError"), (aws, None)):
        answer = sts.call("GetFederationToken", alice, Name="fed", PolicyArns__member__1__arn=arn)
        assert answer.error_code == code_, arn


# Tags


def test_session_tags_replace_those_of_the_role_whatever_their_case(sts: Sts, alice: Credentials) -> None:
    tagged: dict[str, Any] = {"Tags__member__1__Key": "Project", "Tags__member__1__Value": "Role"}
    worker = sts.role("worker", ANYBODY, **tagged)
    permit(sts, "worker", STS)
    of_role = sts.role("of-role", ANYBODY, statement=when(aws__PrincipalTag_Project="Role"))
    of_session = sts.role("of-session", ANYBODY, statement=when(aws__PrincipalTag_Project="Session"))
    for given, wanted in (
        ({}, (200, 403)), (tags(Project="Session"), (403, 200)), (tags(PROJECT="Session"), (403, 200)),
        (tags(Other="Session"), (200, 403)), (tags(Project="session"), (403, 403)),
    ):  # fmt: skip
        session = sts.assume(worker, alice, **given)
        assert (status(sts, session, of_role), status(sts, session, of_session)) == wanted, given


def test_the_case_of_keys_is_kept(sts: Sts, alice: Credentials) -> None:
    keys = {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["CostCenter"]}}}
    role = sts.role("worker", ANYBODY, statement=keys)
    assert status(sts, alice, role, **tags(CostCenter="1")) == 200
    assert status(sts, alice, role, **tags(costcenter="1")) == 403


def test_tags_of_users_are_replaced_in_their_federation(sts: Sts) -> None:
    """The request for a federated user is judged by the tags that it passes."""
    right = {"Effect": "Allow", "Action": "sts:GetFederationToken", "Resource": "*"}
    tagging = {"Effect": "Allow", "Action": "sts:TagSession", "Resource": "*", **when(aws__RequestTag_Team="Blue")}
    bob, eve = sts.user("bob", right, tagging), sts.user("eve", right)
    for keys, given, wanted in (
        (bob, tags(Team="Blue"), 200), (bob, tags(Team="Red"), 403), (bob, {}, 200),
        (eve, tags(Team="Blue"), 403), (eve, {}, 200),
    ):  # fmt: skip
        answer = sts.call("GetFederationToken", keys, Name="fed", **given)
        assert answer.status == wanted
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
    user = f"arn:aws:iam::{ACCOUNT}:user/eve"
    message = f"User: {user} is not authorized to perform: sts:TagSession on resource: {arn}"
    told = sts.call("GetFederationToken", eve, Name="fed", **tags(a="b"))
    assert refusal_of(told) == (403, "AccessDenied", message)


@pytest.mark.parametrize("marked", ["Project", "PROJECT"])
def test_a_transitive_key_names_its_tag_in_any_case(sts: Sts, alice: Credentials, marked: str) -> None:
    first, second = sts.role("first", ANYBODY), sts.role("second", ANYBODY)
    permit(sts, "first", STS)
    permit(sts, "second", STS)
    third = sts.role("third", ANYBODY, statement=when(aws__PrincipalTag_Project="Unicorn"))
    one = sts.assume(first, alice, **tags(Project="Unicorn"), TransitiveTagKeys__member__1=marked)
    assert status(sts, sts.assume(second, one), third) == 200


def test_conditions_of_what_a_request_passes(sts: Sts, alice: Credentials) -> None:
    request = {"RoleSessionName": "two"} | tags(Project="Unicorn")
    transitive = {"TransitiveTagKeys__member__1": "Project"}
    for name, condition, wrong in (
        ("a", {"StringEquals": {"aws:RequestTag/Project": "Unicorn"}}, tags(Project="Pegasus")),
        ("b", {"ForAnyValue:StringEquals": {"aws:TagKeys": "Project"}}, tags(Other="Unicorn")),
        ("c", {"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "Project"}}, dict.fromkeys(transitive, "")),
        ("d", {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}, {"RoleSessionName": "eve"}),
        ("e", {"StringLike": {"sts:RoleSessionName": "al*"}}, {"RoleSessionName": "bob"}),
    ):
        role = sts.role(name, ANYBODY, statement={"Condition": condition})
        right = request | transitive | ({"RoleSessionName": "alice"} if name in "de" else {})
        answer = sts.call("AssumeRole", alice, RoleArn=role, **right)
        assert answer.status == 200, (name, answer.text)
        bad = {k: v for k, v in (right | wrong).items() if v}
        if "Other" in bad.values():
            bad.pop("TransitiveTagKeys__member__1")
        answer = sts.call("AssumeRole", alice, RoleArn=role, **bad)
        assert answer.error_code == "AccessDenied", (name, answer.text)


# Source identity


def test_a_source_identity_can_be_judged_by_later(sts: Sts, alice: Credentials) -> None:
    first = sts.role("first", ANYBODY)
    permit(sts, "first", STS)
    second = sts.role("second", ANYBODY, statement=when(aws__SourceIdentity="alice"))
    assert status(sts, sts.assume(first, alice, SourceIdentity="alice"), second) == 200
    assert status(sts, sts.assume(first, alice, SourceIdentity="bob"), second) == 403
    assert status(sts, sts.assume(first, alice), second) == 403
    assert status(sts, alice, second, SourceIdentity="alice") == 403  # not yet the caller's


# MFA


@dataclass
class Device:
    sts: Sts
    serial: str
    seed: str

    def code(self, steps: int = 0) -> str:
        return code(self.seed, self.sts.service.clock.now(), steps=steps)

    def proof(self, steps: int = 0) -> dict[str, str]:
        return {"SerialNumber": self.serial, "TokenCode": self.code(steps)}


def device(sts: Sts, user: str = "alice") -> Device:
    """Enable a device by the codes of one and two windows ago."""
    made = sts.iam("CreateVirtualMFADevice", VirtualMFADeviceName=user)
    path = "CreateVirtualMFADeviceResult/VirtualMFADevice"
    seed = base64.b64decode(made.text_at(f"{path}/Base32StringSeed") or "").decode()
    found = Device(sts, made.text_at(f"{path}/SerialNumber") or "", seed)
    codes = {"AuthenticationCode1": found.code(-2), "AuthenticationCode2": found.code(-1)}
    sts.iam("EnableMFADevice", ROOT, UserName=user, SerialNumber=found.serial, **codes)
    return found


@pytest.fixture
def still(sts: Sts) -> Sts:
    sts.service.clock.stand(datetime(2026, 11, 22, 7, 30, 29, tzinfo=UTC))
    return sts


MFA = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}


def test_a_device_can_be_used_at_once(still: Sts, alice: Credentials) -> None:
    own = device(still)
    strict = still.role("strict", ANYBODY, statement=MFA)
    assert status(still, alice, strict) == 403
    assert status(still, alice, strict, **own.proof()) == 200
    wrong = own.proof() | {"TokenCode": wrong_code(own.seed, still.service.clock.now())}
    message = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    for operation, more in (
        ("AssumeRole", {"RoleArn": strict, "RoleSessionName": "one"}), ("GetSessionToken", {}),
    ):  # fmt: skip
        assert refusal_of(still.call(operation, alice, **more, **wrong)) == (403, "AccessDenied", message)
        old = own.proof(-10)
        assert refusal_of(still.call(operation, alice, **more, **old)) == (403, "AccessDenied", message)
        for half in ("SerialNumber", "TokenCode"):
            alone = {half: own.proof(1)[half]}
            answer = still.call(operation, alice, **more, **alone)
            assert answer.error_code == "AccessDenied"
            assert (answer.error_message or "").startswith("MultiFactorAuthentication failed, must provide both")


def test_mfa_of_a_session_is_carried_on(still: Sts, alice: Credentials) -> None:
    own = device(still)
    strict, plain = still.role("strict", ANYBODY, statement=MFA), still.role("plain", ANYBODY)
    permit(still, "plain", STS)
    proven = session_of(still.call("GetSessionToken", alice, **own.proof()))
    unproven = session_of(still.call("GetSessionToken", alice))
    assert status(still, proven, strict) == 200
    assert status(still, unproven, strict) == 403
    assert status(still, alice, strict) == 403
    chained = still.assume(plain, proven)  # a role's session does not have the MFA of whoever assumed it
    assert status(still, chained, strict) == 403


def test_mfa_that_is_only_said_to_be_absent_is_denied(still: Sts, alice: Credentials) -> None:
    """With long-term keys the key is missing, so BoolIfExists lets them pass (IAM User Guide)."""
    condition = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}
    lax = still.role("lax", ANYBODY, statement={"Condition": condition})
    assert status(still, alice, lax) == 200
    assert status(still, session_of(still.call("GetSessionToken", alice)), lax) == 403


def test_a_code_is_good_for_one_device_and_user(still: Sts, alice: Credentials) -> None:
    own = device(still)
    bob = still.user("bob", STS)
    other = device(still, "bob")
    assert other.serial != own.serial
    answer = still.call("GetSessionToken", bob, **own.proof())
    assert (answer.error_message or "").startswith("MultiFactorAuthentication failed, unable to validate MFA code.  ")
    session = session_of(still.call("GetSessionToken", alice, **own.proof()))
    assert still.arn_of(session).endswith(":user/alice")


def test_a_session_token_has_the_rights_of_its_caller(sts: Sts) -> None:
    able, bare = sts.user("able", STS), sts.user("bare")
    role = sts.role("worker", ANYBODY)
    for keys, wanted in ((able, 200), (bare, 403)):
        assert status(sts, keys, role) == wanted
        assert status(sts, session_of(sts.call("GetSessionToken", keys)), role) == wanted
    named = sts.role("named", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bare"})
    assert status(sts, session_of(sts.call("GetSessionToken", bare)), named) == 200
    sts.iam("PutUserPolicy", UserName="bare", PolicyName="own", PolicyDocument=policy(STS))
    assert status(sts, session_of(sts.call("GetSessionToken", bare)), role) == 200
    by_name = sts.role("by-name", ANYBODY, statement=when(sts__RoleSessionName="${aws:username}"))
    session = session_of(sts.call("GetSessionToken", able))
    assert sts.call("AssumeRole", session, RoleArn=by_name, RoleSessionName="able").status == 200
    assert sts.call("AssumeRole", session, RoleArn=by_name, RoleSessionName="bare").status == 403


# Messages


def test_decoding_needs_the_right(sts: Sts) -> None:
    message = sts.service.operations.encoded_message(sts.service.authenticator.root_callers()[0], "a:B", "*")
    for name, resource, wanted in (("any", "*", 200), ("one", f"arn:aws:iam::{ACCOUNT}:role/x", 403)):
        right = {"Effect": "Allow", "Action": "sts:DecodeAuthorizationMessage", "Resource": resource}
        assert sts.call("DecodeAuthorizationMessage", sts.user(name, right), EncodedMessage=message).status == wanted
    denied = {"Effect": "Deny", "Action": "sts:DecodeAuthorizationMessage", "Resource": "*"}
    assert sts.call("DecodeAuthorizationMessage", sts.user("no", ALLOW, denied), EncodedMessage=message).status == 403


# Federation


@dataclass
class Provider:
    """A provider of either kind, and how to come with what it says."""

    sts: Sts
    kind: str
    arn: str
    issuer: Any

    def role(self, name: str, **more: Any) -> str:
        grants = more.pop("grants", ("sts:TagSession", "sts:SetSourceIdentity"))
        statement = {"Action": [f"sts:{FEDERATED[self.kind]}", *grants]} | more.pop("statement", {})
        return self.sts.role(name, {"Federated": self.arn}, statement=statement, **more)

    def come(self, role: str, says: Mapping[str, Any] | None = None, **members: object) -> Answer:
        said: dict[str, Any] = {}
        now = self.sts.service.clock.now()
        if self.kind == "saml":
            said |= {"role_arn": role, "provider_arn": self.arn, "issued": now, **(says or {})}
            mine = {"PrincipalArn": self.arn, "SAMLAssertion": self.issuer.assertion(Assertion(**said))}
        else:
            said |= {"audience": "app", "issued": now, **(says or {})}
            token = self.issuer.token(Token(**said))
            mine = {"RoleSessionName": "sts-conformance", "WebIdentityToken": token}
        return self.sts.call(FEDERATED[self.kind], None, RoleArn=role, **(mine | members))


@contextmanager
def provider(sts: Sts, kind: str) -> Iterator[Provider]:
    if kind == "saml":
        issuer = SamlIssuer()
        made = sts.iam("CreateSAMLProvider", Name="idp", SAMLMetadataDocument=issuer.metadata())
        yield Provider(sts, kind, made.text_at("CreateSAMLProviderResult/SAMLProviderArn") or "", issuer)
        return
    with OpenIdIssuer() as openid:
        given = {"Url": openid.url, "ClientIDList__member__1": "app", "ThumbprintList__member__1": openid.thumbprint}
        made = sts.iam("CreateOpenIDConnectProvider", ROOT, **given)
        arn = made.text_at("CreateOpenIDConnectProviderResult/OpenIDConnectProviderArn") or ""
        yield Provider(sts, kind, arn, openid)


@pytest.fixture(params=["saml", "web"])
def idp(sts: Sts, request: pytest.FixtureRequest) -> Iterator[Provider]:
    with provider(sts, request.param) as found:
        yield found


def wrapper(idp: Provider) -> str:
    return f"{FEDERATED[idp.kind]}Result"


def test_federated_sessions_are_cut_by_session_policies(idp: Provider) -> None:
    sts, role = idp.sts, idp.role("fed")
    permit(sts, "fed", STS)
    weak = idp.role("weak")
    permit(sts, "weak", S3)
    target = sts.role("target", ANYBODY)

    def bound(role: str, **given: object) -> int:
        return status(sts, session_of(idp.come(role, None, **given)), target)

    assert bound(role) == 200
    assert bound(role, Policy=policy(STS)) == 200
    assert bound(role, Policy=policy(S3)) == 403
    assert bound(role, PolicyArns__member__1__arn=managed(sts, "a", STS)) == 200
    assert bound(role, PolicyArns__member__1__arn=managed(sts, "b", S3)) == 403
    assert bound(weak, Policy=policy(ALLOW)) == 403
    foreign = managed(sts, "foreign", ALLOW, root=SECOND_ROOT)
    assert idp.come(role, None, PolicyArns__member__1__arn=foreign).error_code == "ValidationError"
    assert idp.come(role, None, Policy="{").error_code == "MalformedPolicyDocument"


def test_federated_sessions_and_what_they_may_call(idp: Provider) -> None:
    sts, role = idp.sts, idp.role("fed")
    permit(sts, "fed", STS)
    session = session_of(idp.come(role))
    assert sts.arn_of(session) == f"arn:aws:sts::{ACCOUNT}:assumed-role/fed/sts-conformance"
    assert sts.call("GetAccessKeyInfo", session, AccessKeyId=session.access_key_id).status == 200
    for operation, more in (("GetSessionToken", {}), ("GetFederationToken", {"Name": "fed"})):
        assert sts.call(operation, session, **more).error_code == "AccessDenied"
    target = sts.role("target", ANYBODY, MaxSessionDuration=43200)
    assert status(sts, session, target, DurationSeconds=3600) == 200
    assert status(sts, session, target, DurationSeconds=3601) == 400


def test_federated_sessions_last_as_the_role_allows(idp: Provider) -> None:
    sts, role = idp.sts, idp.role("fed", MaxSessionDuration=7200)
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refusal_of(idp.come(role, None, DurationSeconds=7201)) == (400, "ValidationError", message)
    for given, lasts in (({"DurationSeconds": 7200}, 7200), ({}, 3600), ({"DurationSeconds": 900}, 900)):
        session = session_of(idp.come(role, None, **given))
        assert sts.call("GetCallerIdentity", session, ahead=lasts - 2).status == 200
        assert sts.call("GetCallerIdentity", session, ahead=lasts + 2).error_code == "ExpiredToken"


def test_tags_of_a_provider(idp: Provider) -> None:
    sts = idp.sts
    tagged: dict[str, Any] = {"Tags__member__1__Key": "Project", "Tags__member__1__Value": "Role"}
    role = idp.role("fed", **tagged)
    permit(sts, "fed", STS)
    second = sts.role("second", ANYBODY)
    permit(sts, "second", STS)
    of_role = sts.role("of-role", ANYBODY, statement=when(aws__PrincipalTag_Project="Role"))
    of_session = sts.role("of-session", ANYBODY, statement=when(aws__PrincipalTag_Project="Session"))
    for said, wanted in (
        ({}, (200, 403)),
        ({"tags": (("Project", "Session"),)}, (403, 200)),
        ({"tags": (("PROJECT", "Session"),)}, (403, 200)),
    ):
        session = session_of(idp.come(role, said))
        assert (status(sts, session, of_role), status(sts, session, of_session)) == wanted, said
    for transitive, wanted_ in ((("Project",), 200), (("PROJECT",), 200), ((), 403)):
        one = session_of(idp.come(role, {"tags": (("Project", "Session"),), "transitive": transitive}))
        assert status(sts, sts.assume(second, one), of_session) == wanted_


def test_tags_of_a_provider_need_a_right(idp: Provider) -> None:
    bare = idp.role("bare", grants=())
    said = {"tags": (("Project", "Unicorn"),)}
    assert idp.come(bare).status == 200
    assert refusal_of(idp.come(bare, said)) == (403, "AccessDenied", "Not authorized to perform sts:TagSession")
    some = idp.role("some", statement=when(aws__RequestTag_Project="Unicorn"))
    assert idp.come(some, said).status == 200
    assert idp.come(some, {"tags": (("Project", "Pegasus"),)}).status == 403


@pytest.mark.parametrize(
    ("tags_", "transitive", "error"),
    [
        (tuple((f"k{number}", "v") for number in range(50)), (), None),
        (tuple((f"k{number}", "v") for number in range(51)), (), "ValidationError"),
        ((("k" * 128, "v" * 256),), (), None),
        ((("k" * 129, "v"),), (), "ValidationError"),
        ((("k", "v" * 257),), (), "ValidationError"),
        ((("a%b", "v"),), (), "ValidationError"),
        ((("key", "v"), ("KEY", "v")), (), "InvalidParameterValue"),
        ((("key", "v"),), ("other",), "InvalidParameterValue"),
        (tuple((secrets.token_hex(64), secrets.token_hex(128)) for _ in range(25)), (), "PackedPolicyTooLarge"),
    ],
)
def test_tags_of_a_provider_have_the_limits_of_all_tags(
    idp: Provider, tags_: tuple[tuple[str, str], ...], transitive: tuple[str, ...], error: str | None
) -> None:
    answer = idp.come(idp.role("fed"), {"tags": tags_, "transitive": transitive})
    assert answer.error_code == error, answer.text


def test_tags_of_a_provider_are_packed_with_the_policies(idp: Provider) -> None:
    role = idp.role("fed")
    path = f"{wrapper(idp)}/PackedPolicySize"
    bare = int(idp.come(role).text_at(path) or 0)
    said = {"tags": (("Project", secrets.token_hex(100)),)}
    alone = int(idp.come(role, said).text_at(path) or 0)
    assert alone > bare > 0
    with_policy = int(idp.come(role, said, Policy=policy(ALLOW)).text_at(path) or 0)
    assert with_policy > alone


def test_source_identity_of_a_provider(idp: Provider) -> None:
    sts, role = idp.sts, idp.role("fed")
    permit(sts, "fed", STS)
    second = sts.role("second", ANYBODY)
    third = sts.role("third", ANYBODY, statement=when(aws__SourceIdentity="diego"))
    permit(sts, "second", STS)
    answer = idp.come(role, {"source_identity": "diego"})
    assert answer.text_at(f"{wrapper(idp)}/SourceIdentity") == "diego"
    one = session_of(answer)
    told = sts.call("AssumeRole", one, RoleArn=second, RoleSessionName="two")
    assert told.text_at("AssumeRoleResult/SourceIdentity") == "diego"
    assert status(sts, session_of(told), third) == 200
    changed = sts.call("AssumeRole", one, RoleArn=second, RoleSessionName="two", SourceIdentity="other")
    set_already = "The source identity is already set for this assume role session"
    assert refusal_of(changed) == (400, "ValidationError", set_already)
    assert status(sts, session_of(idp.come(role)), third) == 403
    demanding = idp.role("demanding", statement=when(sts__SourceIdentity="diego"))
    assert idp.come(demanding, {"source_identity": "diego"}).status == 200
    assert idp.come(demanding, {"source_identity": "other"}).status == 403
    assert idp.come(demanding).status == 403
    bare = idp.role("bare", grants=())
    denied = (403, "AccessDenied", "Not authorized to perform sts:SetSourceIdentity")
    assert refusal_of(idp.come(bare, {"source_identity": "diego"})) == denied


def test_what_saml_attributes_set(sts: Sts) -> None:
    with provider(sts, "saml") as idp:
        role = idp.role("fed", MaxSessionDuration=7200)
        now = sts.service.clock.now()
        for said, given, lasts in (
            ({"session_end": now + timedelta(seconds=1000)}, {}, 1000),
            ({"session_end": now + timedelta(seconds=7000)}, {"DurationSeconds": 900}, 900),
            ({"session_end": now + timedelta(seconds=7000)}, {"DurationSeconds": 7200}, 7000),
            ({"session_seconds": 900}, {}, 900),
            ({"session_seconds": 7200}, {}, 3600),
        ):
            session = session_of(idp.come(role, said, **given))
            assert sts.call("GetCallerIdentity", session, ahead=lasts - 3).status == 200
            assert sts.call("GetCallerIdentity", session, ahead=lasts + 2).error_code == "ExpiredToken"
        answer = idp.come(role)
        account, name = idp.arn.split(":")[4], idp.arn.rpartition("/")[2]
        issuer = answer.text_at("AssumeRoleWithSAMLResult/Issuer")
        digest = hashlib.sha1(f"{issuer}{account}/{name}".encode(), usedforsecurity=False).digest()
        assert answer.text_at("AssumeRoleWithSAMLResult/NameQualifier") == base64.b64encode(digest).decode()


def test_a_saml_provider_that_did_not_authenticate(sts: Sts) -> None:
    with provider(sts, "saml") as idp:
        answer = idp.come(idp.role("fed"), {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"})
    assert refusal_of(answer) == (403, "IDPRejectedClaim", "Response status is not success")


def test_conditions_of_saml(sts: Sts) -> None:
    with provider(sts, "saml") as idp:
        qualifier = idp.come(idp.role("any")).text_at("AssumeRoleWithSAMLResult/NameQualifier") or ""
        keys = {
            "saml:aud": "https://signin.aws.amazon.com/saml", "saml:iss": idp.issuer.entity_id,
            "saml:doc": f"{ACCOUNT}/idp", "saml:sub": "sts-conformance", "saml:sub_type": "persistent",
            "saml:namequalifier": qualifier,
        }  # fmt: skip
        for number, (key, value) in enumerate(keys.items()):
            for wanted, code_ in ((value, 200), (f"{value}-other", 403)):
                statement = {"Condition": {"StringEquals": {key: wanted}}}
                role = idp.role(f"r{number}-{code_}", statement=statement)
                assert idp.come(role).status == code_, key


def test_conditions_of_web_identity(sts: Sts) -> None:
    with provider(sts, "web") as idp:
        base = idp.issuer.url.removeprefix("https://")
        for number, (key, value) in enumerate({"aud": "app", "sub": "sts-conformance", "amr": "otp"}.items()):
            for wanted, code_ in ((value, 200), (f"{value}-other", 403)):
                operator = "ForAnyValue:StringEquals" if key == "amr" else "StringEquals"
                statement = {"Condition": {operator: {f"{base}:{key}": wanted}}}
                role = idp.role(f"r{number}-{code_}", statement=statement)
                assert idp.come(role, {"methods": ("otp", "pwd")}).status == code_, key


def test_conditions_on_federated_sessions(idp: Provider) -> None:
    sts, role = idp.sts, idp.role("fed")
    permit(sts, "fed", STS)
    key = "saml:sub" if idp.kind == "saml" else f"{idp.issuer.url.removeprefix('https://')}:sub"
    session = session_of(idp.come(role))
    for value, wanted in (("sts-conformance", 200), ("other", 403)):
        target = sts.role(f"target-{wanted}", ANYBODY, statement={"Condition": {"StringEquals": {key: value}}})
        assert status(sts, session, target) == wanted


def test_an_issuer_that_cannot_be_reached(sts: Sts) -> None:
    with provider(sts, "web") as idp:
        role = idp.role("fed")
        token = idp.issuer.token(Token(audience="app"))
        members = {"RoleArn": role, "RoleSessionName": "web", "WebIdentityToken": token}
        idp.issuer.behaviour = Behaviour.NOT_FOUND
        told = sts.call("AssumeRoleWithWebIdentity", None, **members)
        assert told.error_code == "InvalidIdentityToken"
        assert (told.error_message or "").startswith("Couldn't retrieve verification key")
    down = sts.call("AssumeRoleWithWebIdentity", None, **members)
    assert refusal_of(down)[:2] == (400, "IDPCommunicationError")


def test_a_provider_id_is_not_for_openid_connect(sts: Sts) -> None:
    with provider(sts, "web") as idp:
        role = idp.role("fed")
        assert idp.come(role).status == 200
        assert idp.come(role, None, ProviderId=idp.issuer.url.removeprefix("https://")).status in {400, 403}
        assert idp.come(role, None, ProviderId="www.amazon.com").status in {400, 403}


def test_who_federates_without_a_user_keeps_its_tags(sts: Sts) -> None:
    """Of root's own federated users, too, the session's tags are the principal's."""
    session = session_of(sts.call("GetFederationToken", ROOT, Name="fed", **tags(Team="Blue")))
    opened = sts.service.authenticator.session_of(session.session_token or "")
    assert sts.service.authenticator.caller_of(opened).principal_tags == (("Team", "Blue"),)
