"""IAM of the reference: what boto3 would send, and what STS then finds."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import sys
import timeit
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import botocore.parsers
import botocore.serialize
import pyotp
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from targets.reference.iam import Iam
from targets.reference.iam_context import ACTIONS
from targets.reference.iam_grammar import Malformed, check_identity_policy, check_trust_policy
from targets.reference.iam_query import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS, OTHER = "111122223333", "444455556666"
NOW = datetime(2026, 11, 22, 7, 30, 5, tzinfo=UTC)
NAMESPACE = "{https://iam.amazonaws.com/doc/2010-05-08/}"
MODEL = ServiceModel(
    Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False).load_service_model(
        "iam", "service-2"
    )
)
# It makes requests as boto3 does, but leaves it to IAM to find their faults.
SERIALIZER = botocore.serialize.create_serializer("query", include_validation=False)
PARSER = botocore.parsers.create_parser("query")
METADATA = f"<EntityDescriptor>{'x' * 1000}</EntityDescriptor>"


def policy(effect: str = "Allow", action: str = "sts:*") -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]})


def trust(principal: object = OURS, **more: object) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


def metadata_says(text: str) -> None:
    if "EntityDescriptor" not in text:
        raise ValueError("no EntityDescriptor")


@dataclass
class World:
    """An IAM, and a client's view of it."""

    account: str = OURS
    caller: str | None = None
    moment: datetime = NOW
    iam: Iam = field(init=False)

    def __post_init__(self) -> None:
        self.iam = Iam((OURS, OTHER), now=lambda: self.moment, check_metadata=metadata_says)

    def raw(self, *parameters: tuple[str, str]) -> tuple[int, bytes]:
        return self.iam.call(self.account, parameters)

    def ask(self, action: str, /, **members: object) -> tuple[int, dict[str, Any]]:
        operation = MODEL.operation_model(action)
        request = SERIALIZER.serialize_to_request(members, operation)
        parameters = [(name, str(value)) for name, value in request["body"].items()]
        status, body = self.iam.call(self.account, parameters, caller=self.caller)
        answer = PARSER.parse({"status_code": status, "headers": {}, "body": body}, operation.output_shape)
        fromstring(body)
        return status, answer

    def do(self, action: str, /, **members: object) -> dict[str, Any]:
        status, answer = self.ask(action, **members)
        assert status == 200, answer
        return answer

    def refused(self, action: str, /, **members: object) -> tuple[int, str]:
        status, answer = self.ask(action, **members)
        assert status >= 400, answer
        assert answer["Error"]["Message"]
        assert answer["ResponseMetadata"]["RequestId"]
        assert answer["Error"]["Type"] == ("Sender" if status < 500 else "Receiver")
        return status, answer["Error"]["Code"]

    def user(self, name: str = "ann", **members: object) -> str:
        return str(self.do("CreateUser", UserName=name, **members)["User"]["Arn"])

    def role(self, name: str = "ops", **members: object) -> str:
        members = {"AssumeRolePolicyDocument": trust()} | members
        return str(self.do("CreateRole", RoleName=name, **members)["Role"]["Arn"])

    def policy(self, name: str = "pol", **members: object) -> str:
        members = {"PolicyDocument": policy()} | members
        return str(self.do("CreatePolicy", PolicyName=name, **members)["Policy"]["Arn"])

    def device(self, name: str = "phone") -> tuple[str, pyotp.TOTP]:
        made = self.do("CreateVirtualMFADevice", VirtualMFADeviceName=name)["VirtualMFADevice"]
        return made["SerialNumber"], pyotp.TOTP(made["Base32StringSeed"].decode())

    def codes(self, totp: pyotp.TOTP, seconds: int = 0) -> dict[str, str]:
        first = self.moment + timedelta(seconds=seconds)
        codes = totp.at(first), totp.at(first + timedelta(seconds=30))
        return dict(zip(("AuthenticationCode1", "AuthenticationCode2"), codes, strict=True))


@pytest.fixture
def world() -> World:
    return World()


# Answers


def test_an_answer_is_laid_out_as_the_query_protocol_has_it(world: World) -> None:
    status, body = world.raw(("Action", "CreateUser"), ("Version", "2010-05-08"), ("UserName", "ann"))
    root = fromstring(body)
    assert status == 200
    assert root.tag == f"{NAMESPACE}CreateUserResponse"
    assert [child.tag.removeprefix(NAMESPACE) for child in root] == ["CreateUserResult", "ResponseMetadata"]
    user = {child.tag.removeprefix(NAMESPACE): child.text for child in root[0][0]}
    assert list(user) == ["Path", "UserName", "UserId", "Arn", "CreateDate"]
    assert (user["Path"], user["CreateDate"]) == ("/", "2026-11-22T07:30:05Z")
    assert root[1][0].text


def test_an_operation_without_output_has_no_result(world: World) -> None:
    world.user()
    _, body = world.raw(("Action", "DeleteUser"), ("Version", "2010-05-08"), ("UserName", "ann"))
    assert [child.tag.removeprefix(NAMESPACE) for child in fromstring(body)] == ["ResponseMetadata"]


@pytest.mark.parametrize(
    "parameters",
    [
        [("Action", "Nope"), ("Version", "2010-05-08")],
        [("Action", "ListUsers"), ("Version", "2011-06-15")],
        [("Action", "ListUsers")],
        [("Version", "2010-05-08")],
        [],
        [("Action", "GetContextKeysForCustomPolicy"), ("Version", "2010-05-08")],
        [("Action", "<&\x00\ud800"), ("Version", "2010-05-08")],
    ],
)
def test_an_action_that_is_not_served_is_refused(world: World, parameters: list[tuple[str, str]]) -> None:
    status, body = world.raw(*parameters)
    root = fromstring(body)
    assert status == 400
    assert root.tag == f"{NAMESPACE}ErrorResponse"
    assert root.findtext(f"{NAMESPACE}Error/{NAMESPACE}Code") == "InvalidAction"
    assert root.findtext(f"{NAMESPACE}RequestId")


def test_an_answer_is_marked_as_wanted(world: World) -> None:
    for action in ("ListUsers", "Nope"):
        sent = [("Action", action), ("Version", "2010-05-08")]
        assert b"<RequestId>mark</RequestId>" in world.iam.call(OURS, sent, request_id="mark")[1]
        assert world.iam.call(OURS, sent)[1] != world.iam.call(OURS, sent)[1]


def test_of_a_parameter_sent_twice_the_first_counts(world: World) -> None:
    world.raw(("Action", "CreateUser"), ("Version", "2010-05-08"), ("UserName", "one"), ("UserName", "two"))
    assert world.iam.user(f"arn:aws:iam::{OURS}:user/one")


def test_a_crash_is_a_service_failure(world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setitem(ACTIONS, "ListUsers", lambda _context, _given: 1 / 0)
    assert world.refused("ListUsers") == (500, "ServiceFailure")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("action", "members"),
    [
        ("CreateUser", {}),
        ("CreateUser", {"UserName": "white space"}),
        ("CreateUser", {"UserName": "x" * 65}),
        ("CreateUser", {"UserName": "x", "Path": "nonsense"}),
        ("CreateUser", {"UserName": "x", "Tags": [{"Key": "k"}]}),
        ("CreateUser", {"UserName": "x", "Tags": [{"Key": "k", "Value": "v" * 257}]}),
        ("CreateUser", {"UserName": "x", "Tags": [{"Key": "k#", "Value": "v"}]}),
        ("CreateUser", {"UserName": "x", "Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}),
        ("CreateRole", {"RoleName": "x"}),
        ("CreateRole", {"RoleName": "x", "AssumeRolePolicyDocument": trust(), "MaxSessionDuration": 3599}),
        ("CreateRole", {"RoleName": "x", "AssumeRolePolicyDocument": trust(), "MaxSessionDuration": 43201}),
        ("UpdateAccessKey", {"AccessKeyId": "A" * 20, "Status": "Sometimes"}),
        ("ListUsers", {"MaxItems": 0}),
        ("ListUsers", {"Marker": "x"}),
        ("CreateSAMLProvider", {"Name": "x", "SAMLMetadataDocument": "too short"}),
    ],
)
def test_a_broken_constraint_is_a_validation_error(world: World, action: str, members: dict[str, Any]) -> None:
    assert world.refused(action, **members) == (400, "ValidationError")


def test_what_is_no_boolean_is_a_validation_error(world: World) -> None:
    status, body = world.raw(("Action", "ListPolicies"), ("Version", "2010-05-08"), ("OnlyAttached", "maybe"))
    assert (status, b"<Code>ValidationError</Code>" in body) == (400, True)


def test_what_is_no_number_is_malformed(world: World) -> None:
    status, body = world.raw(("Action", "ListUsers"), ("Version", "2010-05-08"), ("MaxItems", "abc"))
    assert (status, b"<Code>MalformedInput</Code>" in body) == (400, True)


def test_a_list_comes_in_pages(world: World) -> None:
    for name in ("cat", "ann", "bob"):
        world.user(name)
    first = world.do("ListUsers", MaxItems=2)
    second = world.do("ListUsers", MaxItems=2, Marker=first["Marker"])
    assert [user["UserName"] for user in first["Users"] + second["Users"]] == ["ann", "bob", "cat"]
    assert (first["IsTruncated"], second["IsTruncated"], "Marker" in second) == (True, False, False)


def test_a_list_is_of_one_path(world: World) -> None:
    world.user("ann", Path="/a/b/")
    world.user("bob")
    assert [user["UserName"] for user in world.do("ListUsers", PathPrefix="/a/")["Users"]] == ["ann"]


# Users and keys


def test_a_user_is_found_as_made(world: World) -> None:
    arn = world.user("ann", Path="/dev/", Tags=[{"Key": "Team", "Value": "red"}, {"Key": "b", "Value": ""}])
    user = world.iam.user(arn)
    assert user is not None
    assert arn == user.arn == f"arn:aws:iam::{OURS}:user/dev/ann"
    assert re.fullmatch("AIDA[A-Z0-9]{17}", user.id)
    assert (user.name, user.account, user.policies, user.boundary) == ("ann", OURS, (), None)
    assert user.tags == (("Team", "red"), ("b", ""))
    shown = world.do("GetUser", UserName="ann")["User"]
    assert shown["UserId"] == user.id
    assert shown["Tags"] == [{"Key": "Team", "Value": "red"}, {"Key": "b", "Value": ""}]
    assert world.iam.user_by_id(user.id) == user
    assert world.iam.alive(user.id)


def test_an_arn_is_that_very_one(world: World) -> None:
    world.user("ann", Path="/dev/")
    for arn in ("user/ann", "user/dev/Ann", "user/dev/ann/", "role/dev/ann"):
        assert world.iam.user(f"arn:aws:iam::{OURS}:{arn}") is None
    assert world.iam.user(f"arn:aws:iam::{OTHER}:user/dev/ann") is None


def test_a_name_is_taken_in_any_case(world: World) -> None:
    world.user("ann")
    world.role("ops")
    world.do("CreateGroup", GroupName="staff")
    assert world.refused("CreateUser", UserName="ANN") == (409, "EntityAlreadyExists")
    assert world.refused("CreateRole", RoleName="Ops", AssumeRolePolicyDocument=trust()) == (
        409,
        "EntityAlreadyExists",
    )
    assert world.refused("CreateGroup", GroupName="Staff") == (409, "EntityAlreadyExists")
    world.policy("pol")
    assert world.refused("CreatePolicy", PolicyName="POL", PolicyDocument=policy()) == (409, "EntityAlreadyExists")
    assert world.refused("GetUser", UserName="ANN") == (404, "NoSuchEntity")


@pytest.mark.parametrize(
    ("action", "members"),
    [
        ("GetUser", {"UserName": "x"}),
        ("DeleteUser", {"UserName": "x"}),
        ("CreateAccessKey", {"UserName": "x"}),
        ("GetRole", {"RoleName": "x"}),
        ("UpdateRole", {"RoleName": "x"}),
        ("UpdateAssumeRolePolicy", {"RoleName": "x", "PolicyDocument": trust()}),
        ("PutRolePolicy", {"RoleName": "x", "PolicyName": "x", "PolicyDocument": policy()}),
        ("GetGroup", {"GroupName": "x"}),
        ("AddUserToGroup", {"GroupName": "x", "UserName": "x"}),
        ("GetPolicy", {"PolicyArn": f"arn:aws:iam::{OURS}:policy/x"}),
        ("DeleteSAMLProvider", {"SAMLProviderArn": f"arn:aws:iam::{OURS}:saml-provider/x"}),
        ("GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": f"arn:aws:iam::{OURS}:oidc-provider/x"}),
        ("DeleteVirtualMFADevice", {"SerialNumber": f"arn:aws:iam::{OURS}:mfa/x"}),
        ("DeactivateMFADevice", {"SerialNumber": f"arn:aws:iam::{OURS}:mfa/x"}),
    ],
)
def test_what_is_not_there_is_no_such_entity(world: World, action: str, members: dict[str, Any]) -> None:
    assert world.refused(action, **members) == (404, "NoSuchEntity")


def test_a_key_is_found_as_made(world: World) -> None:
    arn = world.user()
    made = world.do("CreateAccessKey", UserName="ann")["AccessKey"]
    key = world.iam.key(made["AccessKeyId"])
    assert key is not None
    assert re.fullmatch("AKIA[A-Z0-9]{16}", key.access_key_id)
    assert re.fullmatch("[A-Za-z0-9+/]{40}", key.secret)
    assert (key.secret, key.active, key.user) == (made["SecretAccessKey"], True, world.iam.user(arn))
    assert world.iam.key("AKIABOGUS00000000000") is None
    listed = world.do("ListAccessKeys", UserName="ann")["AccessKeyMetadata"]
    assert [(entry["AccessKeyId"], entry["Status"]) for entry in listed] == [(key.access_key_id, "Active")]
    assert "SecretAccessKey" not in listed[0]


@pytest.mark.parametrize("account", ["000000000000", OURS, "999999999999", "123456789012"])
def test_the_account_stands_in_the_key(account: str) -> None:
    # As those who take keys apart do it, e.g. moto and Tal Be'ery's "A short note on AWS KEY ID".
    iam = Iam([account])
    iam.call(account, [("Action", "CreateUser"), ("Version", "2010-05-08"), ("UserName", "ann")])
    _, body = iam.call(account, [("Action", "CreateAccessKey"), ("Version", "2010-05-08"), ("UserName", "ann")])
    key = re.search("<AccessKeyId>(.*)</AccessKeyId>", body.decode())
    assert key is not None
    bits = int.from_bytes(base64.b32decode(key[1][4:])[:6])
    assert f"{(bits & 0x7FFFFFFFFF80) >> 7:012d}" == account


def test_a_key_rests_wakes_and_goes(world: World) -> None:
    world.user()
    key = world.do("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    for status in ("Inactive", "Active"):
        world.do("UpdateAccessKey", UserName="ann", AccessKeyId=key, Status=status)
        found = world.iam.key(key)
        assert found is not None
        assert found.active == (status == "Active")
        assert world.do("ListAccessKeys", UserName="ann")["AccessKeyMetadata"][0]["Status"] == status
    expired = {"UserName": "ann", "AccessKeyId": key, "Status": "Expired"}
    assert world.refused("UpdateAccessKey", **expired) == (400, "InvalidInput")
    world.do("DeleteAccessKey", UserName="ann", AccessKeyId=key)
    assert world.iam.key(key) is None
    assert world.refused("DeleteAccessKey", UserName="ann", AccessKeyId=key) == (404, "NoSuchEntity")


def test_a_key_is_its_users_own(world: World) -> None:
    world.user("ann")
    world.user("bob")
    key = world.do("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    assert world.refused("DeleteAccessKey", UserName="bob", AccessKeyId=key) == (404, "NoSuchEntity")
    assert world.iam.key(key)


def test_a_user_has_two_keys_at_most(world: World) -> None:
    world.user()
    for _ in range(2):
        world.do("CreateAccessKey", UserName="ann")
    assert world.refused("CreateAccessKey", UserName="ann") == (409, "LimitExceeded")


def test_who_names_nobody_means_themselves(world: World) -> None:
    world.user("ann")
    assert world.refused("GetUser") == (400, "ValidationError")
    world.caller = "ann"
    assert world.do("GetUser")["User"]["UserName"] == "ann"
    key = world.do("CreateAccessKey")["AccessKey"]
    found = world.iam.key(key["AccessKeyId"])
    assert found is not None
    assert found.user.name == "ann"


def test_a_user_that_has_something_is_not_deleted(world: World) -> None:
    world.user()
    arn, ann = world.policy(), {"UserName": "ann"}
    world.do("CreateGroup", GroupName="staff")
    serial, totp = world.device()
    key = world.do("CreateAccessKey", **ann)["AccessKey"]["AccessKeyId"]
    world.do("AddUserToGroup", GroupName="staff", **ann)
    world.do("AttachUserPolicy", PolicyArn=arn, **ann)
    world.do("PutUserPolicy", PolicyName="p", PolicyDocument=policy(), **ann)
    world.do("EnableMFADevice", SerialNumber=serial, **ann, **world.codes(totp))
    undo: list[tuple[str, dict[str, Any]]] = [
        ("DeleteAccessKey", {"AccessKeyId": key}),
        ("RemoveUserFromGroup", {"GroupName": "staff"}),
        ("DetachUserPolicy", {"PolicyArn": arn}),
        ("DeleteUserPolicy", {"PolicyName": "p"}),
        ("DeactivateMFADevice", {"SerialNumber": serial}),
    ]
    for action, members in undo:
        assert world.refused("DeleteUser", **ann) == (409, "DeleteConflict"), action
        world.do(action, **ann, **members)
    world.do("DeleteUser", **ann)
    assert world.iam.user(f"arn:aws:iam::{OURS}:user/ann") is None


@pytest.mark.parametrize("thing", ["key", "group", "attached", "inline", "device"])
def test_any_one_thing_keeps_a_user(world: World, thing: str) -> None:
    world.user()
    if thing == "key":
        world.do("CreateAccessKey", UserName="ann")
    elif thing == "group":
        world.do("CreateGroup", GroupName="staff")
        world.do("AddUserToGroup", GroupName="staff", UserName="ann")
    elif thing == "attached":
        world.do("AttachUserPolicy", PolicyArn=world.policy(), UserName="ann")
    elif thing == "inline":
        world.do("PutUserPolicy", PolicyName="p", PolicyDocument=policy(), UserName="ann")
    else:
        serial, totp = world.device()
        world.do("EnableMFADevice", SerialNumber=serial, UserName="ann", **world.codes(totp))
    assert world.refused("DeleteUser", UserName="ann") == (409, "DeleteConflict")


def test_a_user_made_again_is_another(world: World) -> None:
    arn = world.user()
    before = world.iam.user(arn)
    world.do("DeleteUser", UserName="ann")
    assert before is not None
    assert (world.iam.alive(before.id), world.iam.user_by_id(before.id)) == (False, None)
    world.user()
    after = world.iam.user(arn)
    assert after is not None
    assert after.id != before.id
    assert (world.iam.alive(before.id), world.iam.alive(after.id)) == (False, True)


def test_a_user_can_be_renamed(world: World) -> None:
    before = world.iam.user(world.user())
    key = world.do("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    world.user("bob")
    assert world.refused("UpdateUser", UserName="ann", NewUserName="Bob") == (409, "EntityAlreadyExists")
    world.do("UpdateUser", UserName="ann", NewUserName="Ann", NewPath="/x/")
    after = world.iam.user(f"arn:aws:iam::{OURS}:user/x/Ann")
    assert before is not None
    assert after is not None
    assert (after.id, after.name) == (before.id, "Ann")
    assert world.iam.user(before.arn) is None
    found = world.iam.key(key)
    assert found is not None
    assert found.user == after


def test_the_root_of_an_account_is_alive(world: World) -> None:
    assert world.iam.alive(OURS)
    assert not world.iam.alive("999999999999")
    assert not world.iam.alive("AIDABOGUS000000000000")


# Tags


def test_tags_of_users_and_roles_change(world: World) -> None:
    for kind, arn in (("User", world.user()), ("Role", world.role())):
        name = {f"{kind}Name": "ann" if kind == "User" else "ops"}

        def tags(kind: str = kind, arn: str = arn) -> tuple[tuple[str, str], ...]:
            entity = world.iam.user(arn) if kind == "User" else world.iam.role(arn)
            assert entity is not None
            return entity.tags

        world.do(f"Tag{kind}", **name, Tags=[{"Key": "Team", "Value": "red"}, {"Key": "b", "Value": "1"}])
        assert tags() == (("Team", "red"), ("b", "1"))
        world.do(f"Tag{kind}", **name, Tags=[{"Key": "team", "Value": "blue"}])
        assert tags() == (("team", "blue"), ("b", "1"))
        world.do(f"Untag{kind}", **name, TagKeys=["B", "c"])
        assert tags() == (("team", "blue"),)
        assert world.do(f"List{kind}Tags", **name)["Tags"] == [{"Key": "team", "Value": "blue"}]


def test_bad_tags_are_refused_and_leave_the_old(world: World) -> None:
    arn = world.user(Tags=[{"Key": "a", "Value": "1"}])
    twice = [{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}]
    reserved = [{"Key": "aws:x", "Value": "1"}]
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert world.refused("TagUser", UserName="ann", Tags=twice) == (400, "InvalidInput")
    assert world.refused("TagUser", UserName="ann", Tags=reserved) == (400, "InvalidInput")
    assert world.refused("TagUser", UserName="ann", Tags=many) == (409, "LimitExceeded")
    user = world.iam.user(arn)
    assert user is not None
    assert user.tags == (("a", "1"),)


@pytest.mark.parametrize("kind", ["Policy", "SAMLProvider", "OpenIDConnectProvider", "MFADevice"])
def test_other_things_have_tags_too(world: World, kind: str) -> None:
    if kind == "Policy":
        name = {"PolicyArn": world.policy()}
    elif kind == "SAMLProvider":
        name = {
            "SAMLProviderArn": world.do("CreateSAMLProvider", Name="x", SAMLMetadataDocument=METADATA)[f"{kind}Arn"]
        }
    elif kind == "OpenIDConnectProvider":
        name = {f"{kind}Arn": world.do("CreateOpenIDConnectProvider", Url="https://id.example")[f"{kind}Arn"]}
    else:
        name = {"SerialNumber": world.device()[0]}
    world.do(f"Tag{kind}", **name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    world.do(f"Untag{kind}", **name, TagKeys=["a"])
    assert world.do(f"List{kind}Tags", **name)["Tags"] == [{"Key": "b", "Value": "2"}]


# Roles


def test_a_role_is_found_as_made(world: World) -> None:
    tags = [{"Key": "Team", "Value": "red"}]
    arn = world.role("ops", Path="/a/b/", MaxSessionDuration=43200, Tags=tags, Description="d")
    role = world.iam.role(arn)
    assert role is not None
    assert arn == role.arn == f"arn:aws:iam::{OURS}:role/a/b/ops"
    assert re.fullmatch("AROA[A-Z0-9]{17}", role.id)
    assert (role.name, role.account, role.trust, role.max_session_seconds) == ("ops", OURS, trust(), 43200)
    assert (role.tags, role.policies, role.boundary) == ((("Team", "red"),), (), None)
    assert world.iam.role_by_id(role.id) == role
    shown = world.do("GetRole", RoleName="ops")["Role"]
    assert (shown["RoleId"], shown["MaxSessionDuration"], shown["Tags"]) == (role.id, 43200, tags)
    assert shown["AssumeRolePolicyDocument"].startswith("%7B%22Version%22%3A")
    assert unquote(shown["AssumeRolePolicyDocument"]) == trust()
    for other in ("role/ops", "role/a/b/Ops", "user/a/b/ops"):
        assert world.iam.role(f"arn:aws:iam::{OURS}:{other}") is None


def test_a_role_changes(world: World) -> None:
    arn = world.role(MaxSessionDuration=7200)
    other = trust(principal=OTHER)
    world.do("UpdateAssumeRolePolicy", RoleName="ops", PolicyDocument=other)
    role = world.iam.role(arn)
    assert role is not None
    assert (role.trust, role.max_session_seconds) == (other, 7200)
    for members, seconds in (({"MaxSessionDuration": 43200}, 43200), ({"Description": "d"}, 3600)):
        world.do("UpdateRole", RoleName="ops", **members)
        role = world.iam.role(arn)
        assert role is not None
        assert role.max_session_seconds == seconds
    assert world.do("GetRole", RoleName="ops")["Role"]["Description"] == "d"
    assert world.refused("UpdateRole", RoleName="ops", MaxSessionDuration=1) == (400, "ValidationError")


def test_a_role_made_again_is_another(world: World) -> None:
    arn = world.role()
    before = world.iam.role(arn)
    world.do("DeleteRole", RoleName="ops")
    assert world.iam.role(arn) is None
    world.role()
    after = world.iam.role(arn)
    assert before is not None
    assert after is not None
    assert (world.iam.alive(before.id), world.iam.alive(after.id)) == (False, True)
    assert world.iam.role_by_id(before.id) is None


def test_a_role_with_policies_is_not_deleted(world: World) -> None:
    world.role()
    arn = world.policy()
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=arn)
    assert world.refused("DeleteRole", RoleName="ops") == (409, "DeleteConflict")
    world.do("DetachRolePolicy", RoleName="ops", PolicyArn=arn)
    world.do("PutRolePolicy", RoleName="ops", PolicyName="p", PolicyDocument=policy())
    assert world.refused("DeleteRole", RoleName="ops") == (409, "DeleteConflict")
    world.do("DeleteRolePolicy", RoleName="ops", PolicyName="p")
    world.do("DeleteRole", RoleName="ops")


def test_a_trust_policy_names_who_exists(world: World) -> None:
    user, role = world.user(), world.role()
    found = world.iam.user(user)
    assert found is not None
    foreign = f"arn:aws:iam::{OTHER}:user/ann"
    unknown = "arn:aws:iam::999999999999:user/ann"
    for principal in (user, role, found.id, unknown, [OTHER, f"arn:aws:iam::{OTHER}:root"]):
        world.do("UpdateAssumeRolePolicy", RoleName="ops", PolicyDocument=trust(principal))
    for principal in (foreign, f"{user}x", "AIDABOGUS000000000000", [user, foreign]):
        members = {"RoleName": "new", "AssumeRolePolicyDocument": trust(principal)}
        assert world.refused("CreateRole", **members) == (400, "MalformedPolicyDocument")
    found_role = world.iam.role(role)
    assert found_role is not None
    assert OTHER in found_role.trust


def test_a_trust_policy_has_a_limit(world: World) -> None:
    long = trust(Condition={"StringEquals": {"sts:ExternalId": "x" * 2048}})
    members = {"RoleName": "ops", "AssumeRolePolicyDocument": long}
    assert world.refused("CreateRole", **members) == (409, "LimitExceeded")
    world.role(AssumeRolePolicyDocument=trust() + " " * 3000)


# Policies


def test_every_policy_of_a_role_is_found(world: World) -> None:
    arn = world.role()
    first, second = policy(action="s3:GetObject"), policy(action="s3:PutObject")
    managed = world.policy(PolicyDocument=second)

    def policies() -> tuple[str, ...]:
        role = world.iam.role(arn)
        assert role is not None
        return role.policies

    world.do("PutRolePolicy", RoleName="ops", PolicyName="p", PolicyDocument=first)
    assert policies() == (first,)
    assert unquote(world.do("GetRolePolicy", RoleName="ops", PolicyName="p")["PolicyDocument"]) == first
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=managed)
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=managed)
    assert policies() == (first, second)
    assert world.do("ListRolePolicies", RoleName="ops")["PolicyNames"] == ["p"]
    attached = world.do("ListAttachedRolePolicies", RoleName="ops")["AttachedPolicies"]
    assert attached == [{"PolicyName": "pol", "PolicyArn": managed}]
    world.do("PutRolePolicy", RoleName="ops", PolicyName="p", PolicyDocument=second)
    assert policies() == (second, second)
    world.do("DeleteRolePolicy", RoleName="ops", PolicyName="p")
    world.do("DetachRolePolicy", RoleName="ops", PolicyArn=managed)
    assert policies() == ()
    assert world.refused("DeleteRolePolicy", RoleName="ops", PolicyName="p") == (404, "NoSuchEntity")
    assert world.refused("DetachRolePolicy", RoleName="ops", PolicyArn=managed) == (404, "NoSuchEntity")


def test_a_user_has_the_policies_of_its_groups(world: World) -> None:
    arn = world.user()
    texts = [policy(action=f"s3:Get{n}") for n in range(4)]
    managed = [world.policy(f"p{n}", PolicyDocument=texts[n]) for n in (1, 3)]
    world.do("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=texts[0])
    world.do("AttachUserPolicy", UserName="ann", PolicyArn=managed[0])
    world.do("CreateGroup", GroupName="staff")
    world.do("AddUserToGroup", GroupName="staff", UserName="ann")

    def policies() -> tuple[str, ...]:
        user = world.iam.user(arn)
        assert user is not None
        return user.policies

    assert policies() == tuple(texts[:2])
    world.do("PutGroupPolicy", GroupName="staff", PolicyName="p", PolicyDocument=texts[2])
    world.do("AttachGroupPolicy", GroupName="staff", PolicyArn=managed[1])
    assert policies() == tuple(texts)
    assert [user["UserName"] for user in world.do("GetGroup", GroupName="staff")["Users"]] == ["ann"]
    assert [group["GroupName"] for group in world.do("ListGroupsForUser", UserName="ann")["Groups"]] == ["staff"]
    assert world.refused("DeleteGroup", GroupName="staff") == (409, "DeleteConflict")
    world.do("RemoveUserFromGroup", GroupName="staff", UserName="ann")
    assert policies() == tuple(texts[:2])
    assert world.refused("DeleteGroup", GroupName="staff") == (409, "DeleteConflict")
    world.do("DeleteGroupPolicy", GroupName="staff", PolicyName="p")
    world.do("DetachGroupPolicy", GroupName="staff", PolicyArn=managed[1])
    world.do("DeleteGroup", GroupName="staff")
    key = world.do("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    found = world.iam.key(key)
    assert found is not None
    assert found.user.policies == tuple(texts[:2])


def test_a_group_is_renamed_and_deleted(world: World) -> None:
    world.user()
    made = world.do("CreateGroup", GroupName="staff")["Group"]
    world.do("AddUserToGroup", GroupName="staff", UserName="ann")
    assert world.refused("DeleteGroup", GroupName="staff") == (409, "DeleteConflict")
    world.do("RemoveUserFromGroup", GroupName="staff", UserName="ann")
    assert world.refused("RemoveUserFromGroup", GroupName="staff", UserName="ann") == (404, "NoSuchEntity")
    world.do("UpdateGroup", GroupName="staff", NewGroupName="crew")
    listed = world.do("ListGroups")["Groups"]
    assert [(group["GroupName"], group["GroupId"]) for group in listed] == [("crew", made["GroupId"])]
    world.do("DeleteGroup", GroupName="crew")
    assert world.do("ListGroups")["Groups"] == []


def test_a_managed_policy_speaks_by_its_default_version(world: World) -> None:
    old, new = policy(), policy("Deny")
    arn, role = world.policy(PolicyDocument=old, Path="/x/"), world.role()
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=arn)
    assert arn == f"arn:aws:iam::{OURS}:policy/x/pol"
    world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=new)
    assert world.iam.managed_policy(arn) == old
    world.do("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    assert world.iam.managed_policy(arn) == new
    found = world.iam.role(role)
    assert found is not None
    assert found.policies == (new,)
    assert world.refused("DeletePolicyVersion", PolicyArn=arn, VersionId="v2") == (409, "DeleteConflict")
    assert world.refused("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v9") == (404, "NoSuchEntity")
    made = world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=old, SetAsDefault=True)["PolicyVersion"]
    assert (made["VersionId"], made["IsDefaultVersion"], world.iam.managed_policy(arn)) == ("v3", True, old)
    shown = world.do("GetPolicyVersion", PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert (unquote(shown["Document"]), shown["IsDefaultVersion"]) == (new, False)
    versions = world.do("ListPolicyVersions", PolicyArn=arn)["Versions"]
    assert [version["VersionId"] for version in versions] == ["v3", "v2", "v1"]
    for _ in range(2):
        world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=old)
    assert world.refused("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=old) == (409, "LimitExceeded")


def test_a_policy_in_use_is_not_deleted(world: World) -> None:
    arn = world.policy()
    world.role()
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=arn)
    assert world.refused("DeletePolicy", PolicyArn=arn) == (409, "DeleteConflict")
    world.do("DetachRolePolicy", RoleName="ops", PolicyArn=arn)
    world.do("PutRolePermissionsBoundary", RoleName="ops", PermissionsBoundary=arn)
    assert world.refused("DeletePolicy", PolicyArn=arn) == (409, "DeleteConflict")
    world.do("DeleteRolePermissionsBoundary", RoleName="ops")
    world.do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=policy())
    assert world.refused("DeletePolicy", PolicyArn=arn) == (409, "DeleteConflict")
    world.do("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    world.do("DeletePolicy", PolicyArn=arn)
    assert world.iam.managed_policy(arn) is None


def test_policies_are_listed_with_their_use(world: World) -> None:
    used, _ = world.policy("used"), world.policy("idle")
    world.role()
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=used)
    world.do("PutRolePermissionsBoundary", RoleName="ops", PermissionsBoundary=used)
    listed = world.do("ListPolicies", Scope="Local")["Policies"]
    counts = [(p["PolicyName"], p["AttachmentCount"], p["PermissionsBoundaryUsageCount"]) for p in listed]
    assert counts == [("idle", 0, 0), ("used", 1, 1)]
    assert [p["PolicyName"] for p in world.do("ListPolicies", OnlyAttached=True)["Policies"]] == ["used"]


def test_a_policy_must_exist_to_be_attached(world: World) -> None:
    world.role()
    arn = f"arn:aws:iam::{OURS}:policy/none"
    assert world.refused("AttachRolePolicy", RoleName="ops", PolicyArn=arn) == (404, "NoSuchEntity")
    no_arn = "x" * 20
    assert world.refused("AttachRolePolicy", RoleName="ops", PolicyArn=no_arn) == (400, "InvalidInput")
    assert world.refused("PutRolePermissionsBoundary", RoleName="ops", PermissionsBoundary=arn) == (
        404,
        "NoSuchEntity",
    )


def test_ten_policies_are_attached_at_most(world: World) -> None:
    world.role()
    for n in range(10):
        world.do("AttachRolePolicy", RoleName="ops", PolicyArn=world.policy(f"p{n}"))
    assert world.refused("AttachRolePolicy", RoleName="ops", PolicyArn=world.policy("last")) == (409, "LimitExceeded")


def test_ten_groups_have_a_user_at_most(world: World) -> None:
    world.user()
    for n in range(11):
        world.do("CreateGroup", GroupName=f"g{n}")
    for n in range(10):
        world.do("AddUserToGroup", GroupName=f"g{n}", UserName="ann")
    world.do("AddUserToGroup", GroupName="g0", UserName="ann")
    assert world.refused("AddUserToGroup", GroupName="g10", UserName="ann") == (409, "LimitExceeded")


@pytest.mark.parametrize(("kind", "limit"), [("User", 2048), ("Group", 5120), ("Role", 10240)])
def test_inline_policies_have_a_limit_together(world: World, kind: str, limit: int) -> None:
    world.user()
    world.role()
    world.do("CreateGroup", GroupName="staff")
    name = {f"{kind}Name": {"User": "ann", "Group": "staff", "Role": "ops"}[kind]}
    size = len(policy(action="s3:").replace(" ", ""))
    half = policy(action=f"s3:{'x' * (limit // 2 - size)}")
    world.do(f"Put{kind}Policy", **name, PolicyName="a", PolicyDocument=half)
    world.do(f"Put{kind}Policy", **name, PolicyName="b", PolicyDocument=half + " " * 99)
    small = {"PolicyName": "c", "PolicyDocument": policy()}
    assert world.refused(f"Put{kind}Policy", **name, **small) == (409, "LimitExceeded")
    world.do(f"Put{kind}Policy", **name, PolicyName="b", PolicyDocument=policy())


def test_a_managed_policy_has_a_limit(world: World) -> None:
    long = {"PolicyName": "p", "PolicyDocument": policy(action=f"s3:{'x' * 6144}")}
    assert world.refused("CreatePolicy", **long) == (409, "LimitExceeded")


@pytest.mark.parametrize(("kind", "name"), [("User", "ann"), ("Role", "ops")])
def test_a_boundary_is_found(world: World, kind: str, name: str) -> None:
    text = policy("Deny")
    arn = world.policy(PolicyDocument=text)
    entity_arn = world.user(PermissionsBoundary=arn) if kind == "User" else world.role(PermissionsBoundary=arn)
    called = {f"{kind}Name": name}

    def boundary() -> str | None:
        entity = world.iam.user(entity_arn) if kind == "User" else world.iam.role(entity_arn)
        assert entity is not None
        return entity.boundary

    shown = world.do(f"Get{kind}", **called)[kind]["PermissionsBoundary"]
    assert (boundary(), shown["PermissionsBoundaryArn"]) == (text, arn)
    world.do(f"Delete{kind}PermissionsBoundary", **called)
    assert boundary() is None
    assert world.refused(f"Delete{kind}PermissionsBoundary", **called) == (404, "NoSuchEntity")
    world.do(f"Put{kind}PermissionsBoundary", **called, PermissionsBoundary=arn)
    assert boundary() == text


def test_aws_has_policies_of_its_own(world: World) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    text = world.iam.managed_policy(arn)
    assert text is not None
    assert json.loads(text)["Statement"] == [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    role = world.role()
    world.do("AttachRolePolicy", RoleName="ops", PolicyArn=arn)
    found = world.iam.role(role)
    assert found is not None
    assert found.policies == (text,)
    task = world.iam.managed_policy("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials")
    assert task is not None
    assert world.iam.managed_policy("arn:aws:iam::aws:policy/NoSuchPolicyAtAll") is None


# The grammar of policies

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST = {"Effect": "Allow", "Principal": {"AWS": OURS}, "Action": "sts:AssumeRole"}


def document(*statements: object, **more: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | more)


@pytest.mark.parametrize(
    "text",
    [
        document(STATEMENT),
        document(STATEMENT, Version="2008-10-17", Id="x"),
        json.dumps({"Statement": STATEMENT}),
        document(STATEMENT | {"Sid": "a"}, STATEMENT | {"Sid": "b"}, STATEMENT, STATEMENT),
        document({"Effect": "Deny", "NotAction": ["s3:*", "*"], "NotResource": ["arn:aws:s3:::b/*"]}),
        document(STATEMENT | {"Condition": {"StringEquals": {"s3:x": ["a", "b"], "s3:y": "c"}}}),
        document(STATEMENT | {"Condition": {"Null": {"s3:z": True}}}),
        document(
            STATEMENT | {"Condition": {"ForAnyValue:StringLikeIfExists": {"s3:a": "b"}, "NumericEquals": {"s3:a": 1}}}
        ),
    ],
)
def test_an_identity_policy_is_taken(text: str) -> None:
    check_identity_policy(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no", "Json"),
        ("[" * 100000, "Json"),
        ('{"Version": NaN}', "Json"),
        ("[]", "Syntax"),
        ("{}", "Syntax"),
        (document(STATEMENT).replace('"Effect"', '"Effect": "Allow", "Effect"'), "Syntax"),
        (document(), "Syntax"),
        (document("x"), "Syntax"),
        (document(STATEMENT, Version="2012-10-18"), "Syntax"),
        (document(STATEMENT, Version=[]), "Syntax"),
        (document(STATEMENT, Id=1), "Syntax"),
        (document(STATEMENT, Extra="x"), "Syntax"),
        (document(STATEMENT | {"Extra": "x"}), "Syntax"),
        (document(STATEMENT | {"Effect": "allow"}), "Syntax"),
        (document(STATEMENT | {"Effect": []}), "Syntax"),
        (document(STATEMENT | {"NotAction": "s3:*"}), "Syntax"),
        (document(STATEMENT | {"NotResource": "*"}), "Syntax"),
        (document(STATEMENT | {"Sid": "a b"}), "alpha-numeric"),
        (document(STATEMENT | {"Sid": "a"}, STATEMENT | {"Sid": "a"}), "unique"),
        (document({"Effect": "Allow", "Resource": "*"}), "contain actions"),
        (document(STATEMENT | {"Action": []}), "Syntax"),
        (document(STATEMENT | {"Action": [1]}), "Syntax"),
        (document(STATEMENT | {"Action": "GetObject"}), "vendor"),
        (document(STATEMENT | {"Action": "s3:Get:Object"}), "one colon"),
        (document(STATEMENT | {"Action": "s3 x:Get"}), "Syntax"),
        (document({"Effect": "Allow", "Action": "*"}), "contain resources"),
        (document(STATEMENT | {"Resource": "bucket"}), "ARN format"),
        (document(STATEMENT | {"Resource": "arn:aws:*:x"}), "ARN format"),
        (document(STATEMENT | {"Principal": "*"}), "principal"),
        (document(STATEMENT | {"NotPrincipal": "*"}), "principal"),
        (document(STATEMENT | {"Condition": []}), "Syntax"),
        (document(STATEMENT | {"Condition": {"Equals": {}}}), "Condition type"),
        (document(STATEMENT | {"Condition": {"StringEquals": "x"}}), "Syntax"),
        (document(STATEMENT | {"Condition": {"StringEquals": {"a": {}}}}), "Syntax"),
    ],
)
def test_what_is_no_identity_policy_is_refused(world: World, text: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        check_identity_policy(text)
    world.role()
    members = {"RoleName": "ops", "PolicyName": "p", "PolicyDocument": text}
    assert world.refused("CreatePolicy", PolicyName="p", PolicyDocument=text) == (400, "MalformedPolicyDocument")
    assert world.refused("PutRolePolicy", **members) == (400, "MalformedPolicyDocument")


PROVIDER = f"arn:aws:iam::{OURS}:saml-provider/x"


@pytest.mark.parametrize(
    ("principal", "named"),
    [
        ("*", ()),
        ({"AWS": "*"}, ("*",)),
        ({"AWS": [OURS, f"arn:aws:iam::{OTHER}:root"]}, (OURS, f"arn:aws:iam::{OTHER}:root")),
        ({"AWS": f"arn:aws:iam::{OURS}:role/a/b"}, (f"arn:aws:iam::{OURS}:role/a/b",)),
        ({"AWS": f"arn:aws:sts::{OURS}:assumed-role/a/b"}, (f"arn:aws:sts::{OURS}:assumed-role/a/b",)),
        ({"AWS": f"arn:aws:sts::{OURS}:federated-user/a"}, (f"arn:aws:sts::{OURS}:federated-user/a",)),
        ({"Service": "ec2.amazonaws.com"}, ()),
        ({"Federated": PROVIDER}, ()),
        ({"Federated": [f"arn:aws:iam::{OURS}:oidc-provider/id.example/x", "accounts.google.com"]}, ()),
        ({"Federated": PROVIDER, "AWS": OURS}, (OURS,)),
    ],
)
def test_a_trust_policy_is_taken(principal: object, named: tuple[str, ...]) -> None:
    assert check_trust_policy(document(TRUST | {"Principal": principal})) == named


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "contain principals"),
        (TRUST | {"Principal": {}}, "contain principals"),
        (TRUST | {"Principal": "x"}, "Syntax"),
        (TRUST | {"Principal": {"Nobody": "*"}}, "Syntax"),
        (TRUST | {"Principal": {"AWS": []}}, "Syntax"),
        (TRUST | {"Principal": {"AWS": "12345"}}, "Invalid principal"),
        (TRUST | {"Principal": {"AWS": f"arn:aws:iam::{OURS}:user/*"}}, "Invalid principal"),
        (TRUST | {"Principal": {"AWS": f"arn:aws:iam::{OURS}:group/x"}}, "Invalid principal"),
        (TRUST | {"Principal": {"Federated": "nobody"}}, "Invalid principal"),
        (TRUST | {"Principal": {"Service": "ec2"}}, "Invalid principal"),
        (TRUST | {"Resource": "*"}, "prohibited field Resource"),
        (TRUST | {"NotResource": "*"}, "prohibited field NotResource"),
        (TRUST | {"Action": "s3:GetObject"}, "STS AssumeRole actions"),
        (TRUST | {"Action": "*"}, "STS AssumeRole actions"),
        ({"Effect": "Allow", "Principal": "*"}, "contain actions"),
        ("x", "Syntax"),
    ],
)
def test_what_is_no_trust_policy_is_refused(world: World, statement: object, says: str) -> None:
    text = document(statement)
    with pytest.raises(Malformed, match=says):
        check_trust_policy(text)
    members = {"RoleName": "x", "AssumeRolePolicyDocument": text}
    assert world.refused("CreateRole", **members) == (400, "MalformedPolicyDocument")
    arn = world.role()
    assert world.refused("UpdateAssumeRolePolicy", RoleName="ops", PolicyDocument=text) == (
        400,
        "MalformedPolicyDocument",
    )
    role = world.iam.role(arn)
    assert role is not None
    assert role.trust == trust()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["*", "Allow", "sts:AssumeRole", OURS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Principal", "Resource", "Condition", "Sid", "AWS"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON, JSON)
def test_any_json_is_a_policy_or_malformed(value: object, statement: object) -> None:
    for text in (json.dumps(value), document(statement)):
        for check in (check_identity_policy, check_trust_policy):
            with contextlib.suppress(Malformed):
                check(text)


# Identity providers


def test_a_saml_provider_is_found(world: World) -> None:
    arn = world.do("CreateSAMLProvider", Name="idp", SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
    assert arn == f"arn:aws:iam::{OURS}:saml-provider/idp"
    found = world.iam.saml_provider(arn)
    assert found is not None
    assert (found.arn, found.metadata) == (arn, METADATA)
    again = {"Name": "idp", "SAMLMetadataDocument": METADATA}
    assert world.refused("CreateSAMLProvider", **again) == (409, "EntityAlreadyExists")
    assert [p["Arn"] for p in world.do("ListSAMLProviders")["SAMLProviderList"]] == [arn]
    newer = METADATA.replace("x", "y")
    world.do("UpdateSAMLProvider", SAMLProviderArn=arn, SAMLMetadataDocument=newer)
    found = world.iam.saml_provider(arn)
    assert found is not None
    assert found.metadata == newer == world.do("GetSAMLProvider", SAMLProviderArn=arn)["SAMLMetadataDocument"]
    world.do("DeleteSAMLProvider", SAMLProviderArn=arn)
    assert world.iam.saml_provider(arn) is None


def test_bad_metadata_is_invalid_input(world: World) -> None:
    bad = {"SAMLMetadataDocument": "x" * 1000}
    assert world.refused("CreateSAMLProvider", Name="idp", **bad) == (400, "InvalidInput")
    arn = world.do("CreateSAMLProvider", Name="idp", SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
    assert world.refused("UpdateSAMLProvider", SAMLProviderArn=arn, **bad) == (400, "InvalidInput")
    found = world.iam.saml_provider(arn)
    assert found is not None
    assert found.metadata == METADATA


def test_an_openid_provider_is_found(world: World) -> None:
    url, print_ = "https://id.example/tenant/1", "A1" * 20
    made = world.do("CreateOpenIDConnectProvider", Url=url, ClientIDList=["a", "b"], ThumbprintList=[print_])
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{OURS}:oidc-provider/id.example/tenant/1"
    for issuer in (url, url.removeprefix("https://")):
        found = world.iam.openid_provider(OURS, issuer)
        assert found is not None
        assert (found.arn, found.url) == (arn, url)
        assert (found.client_ids, found.thumbprints) == (("a", "b"), (print_.lower(),))
    for account, issuer in ((OTHER, url), (OURS, f"{url}/"), (OURS, "https://id.example"), (OURS, f"http{url[5:]}")):
        assert world.iam.openid_provider(account, issuer) is None
    assert world.refused("CreateOpenIDConnectProvider", Url=url) == (409, "EntityAlreadyExists")
    shown = world.do("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
    assert (shown["Url"], shown["ClientIDList"]) == (url.removeprefix("https://"), ["a", "b"])
    listed = world.do("ListOpenIDConnectProviders")["OpenIDConnectProviderList"]
    assert listed == [{"Arn": arn}]


def test_an_openid_provider_changes(world: World) -> None:
    url = "https://id.example"
    arn = {"OpenIDConnectProviderArn": f"arn:aws:iam::{OURS}:oidc-provider/id.example"}
    world.do("CreateOpenIDConnectProvider", Url=url, ClientIDList=["a"])

    def clients() -> tuple[str, ...]:
        found = world.iam.openid_provider(OURS, url)
        assert found is not None
        return found.client_ids

    for _ in range(2):
        world.do("AddClientIDToOpenIDConnectProvider", **arn, ClientID="b")
    assert clients() == ("a", "b")
    for _ in range(2):
        world.do("RemoveClientIDFromOpenIDConnectProvider", **arn, ClientID="a")
    assert clients() == ("b",)
    world.do("UpdateOpenIDConnectProviderThumbprint", **arn, ThumbprintList=["0" * 40])
    found = world.iam.openid_provider(OURS, url)
    assert found is not None
    assert found.thumbprints == ("0" * 40,)
    for _ in range(2):  # documented as idempotent
        world.do("DeleteOpenIDConnectProvider", **arn)
    assert world.iam.openid_provider(OURS, url) is None


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ({"Url": "http://id.example"}, (400, "ValidationError")),
        ({"Url": "https://"}, (400, "ValidationError")),
        ({"Url": "https://id.example?x"}, (400, "ValidationError")),
        ({"Url": "https://a@id.example"}, (400, "ValidationError")),
        ({"Url": "https://id.example", "ThumbprintList": ["z" * 40]}, (400, "InvalidInput")),
        ({"Url": "https://id.example", "ThumbprintList": ["0" * 39]}, (400, "ValidationError")),
        ({"Url": "https://id.example", "ThumbprintList": ["0" * 40] * 6}, (400, "InvalidInput")),
        ({"Url": "https://id.example", "ClientIDList": [str(n) for n in range(101)]}, (409, "LimitExceeded")),
    ],
)
def test_a_bad_openid_provider_is_refused(world: World, members: dict[str, Any], refusal: tuple[int, str]) -> None:
    assert world.refused("CreateOpenIDConnectProvider", **members) == refusal


# MFA


def test_a_device_works_when_enabled(world: World) -> None:
    user = world.iam.user(world.user())
    other = world.iam.user(world.user("bob"))
    serial, totp = world.device()
    assert user is not None
    assert other is not None
    assert serial == f"arn:aws:iam::{OURS}:mfa/phone"
    assert world.iam.mfa_device(user, serial) is None
    world.do("EnableMFADevice", UserName="ann", SerialNumber=serial, **world.codes(totp))
    device = world.iam.mfa_device(user, serial)
    assert device is not None
    assert (device.serial, device.seed) == (serial, totp.secret)
    assert world.iam.mfa_device(other, serial) is None
    assert world.iam.mfa_device(user, f"{serial}x") is None
    listed = world.do("ListMFADevices", UserName="ann")["MFADevices"]
    assert [(d["UserName"], d["SerialNumber"]) for d in listed] == [("ann", serial)]
    taken = {"UserName": "bob", "SerialNumber": serial, **world.codes(totp)}
    assert world.refused("EnableMFADevice", **taken) == (409, "EntityAlreadyExists")
    assert world.refused("DeleteVirtualMFADevice", SerialNumber=serial) == (409, "DeleteConflict")
    assert world.refused("DeactivateMFADevice", UserName="bob", SerialNumber=serial) == (404, "NoSuchEntity")
    world.do("DeactivateMFADevice", UserName="ann", SerialNumber=serial)
    assert world.iam.mfa_device(user, serial) is None
    world.do("DeleteVirtualMFADevice", SerialNumber=serial)
    assert world.refused("DeleteVirtualMFADevice", SerialNumber=serial) == (404, "NoSuchEntity")


def test_a_device_is_one_of_its_name(world: World) -> None:
    serial, _ = world.device()
    assert world.refused("CreateVirtualMFADevice", VirtualMFADeviceName="Phone") == (409, "EntityAlreadyExists")
    assert world.refused("DeactivateMFADevice", SerialNumber=serial) == (404, "NoSuchEntity")


def test_eight_devices_has_a_user_at_most(world: World) -> None:
    world.user()
    for n in range(9):
        serial, totp = world.device(f"d{n}")
        status, answer = world.ask("EnableMFADevice", UserName="ann", SerialNumber=serial, **world.codes(totp))
        assert status == (200 if n < 8 else 409), answer


def test_codes_are_checked_at_the_beginning_of_time_too(world: World) -> None:
    world.user()
    serial, totp = world.device()
    world.moment = datetime(1970, 1, 1, tzinfo=UTC)
    codes = world.codes(totp)
    for wrong, status in ((True, 403), (False, 200)):
        sent = dict(zip(codes, reversed(codes.values()), strict=True)) if wrong else codes
        assert world.ask("EnableMFADevice", UserName="ann", SerialNumber=serial, **sent)[0] == status


def test_devices_are_listed_by_assignment(world: World) -> None:
    world.user()
    (first, totp), (second, _) = world.device("a"), world.device("b")
    world.do("EnableMFADevice", UserName="ann", SerialNumber=first, **world.codes(totp))

    def listed(**members: object) -> list[str]:
        return [d["SerialNumber"] for d in world.do("ListVirtualMFADevices", **members)["VirtualMFADevices"]]

    assert listed() == listed(AssignmentStatus="Any") == [first, second]
    assert (listed(AssignmentStatus="Assigned"), listed(AssignmentStatus="Unassigned")) == ([first], [second])


@pytest.mark.parametrize("seconds", [-60, -30, 0, 30])
def test_codes_of_about_now_are_taken(world: World, seconds: int) -> None:
    world.user()
    serial, totp = world.device()
    world.do("EnableMFADevice", UserName="ann", SerialNumber=serial, **world.codes(totp, seconds))
    world.moment += timedelta(hours=1)
    world.do("ResyncMFADevice", UserName="ann", SerialNumber=serial, **world.codes(totp, seconds))


def test_other_codes_are_refused(world: World) -> None:
    user = world.iam.user(world.user())
    serial, totp = world.device()
    now = world.codes(totp)
    first, second = now.values()
    wrong = [
        {"AuthenticationCode1": second, "AuthenticationCode2": first},
        {"AuthenticationCode1": first, "AuthenticationCode2": first},
        {"AuthenticationCode1": first, "AuthenticationCode2": f"{(int(second) + 1) % 10**6:06}"},
        world.codes(totp, 600),
        world.codes(totp, -600),
    ]
    for codes in wrong:
        refusal = world.refused("EnableMFADevice", UserName="ann", SerialNumber=serial, **codes)
        assert refusal == (403, "InvalidAuthenticationCode")
    assert user is not None
    assert world.iam.mfa_device(user, serial) is None
    world.do("EnableMFADevice", UserName="ann", SerialNumber=serial, **now)
    refusal = world.refused("ResyncMFADevice", UserName="ann", SerialNumber=serial, **wrong[0])
    assert refusal == (403, "InvalidAuthenticationCode")


# Outbound web identity federation


def test_outbound_federation_is_switched(world: World) -> None:
    assert not world.iam.outbound_federation(OURS)
    assert world.refused("GetOutboundWebIdentityFederationInfo") == (404, "FeatureDisabled")
    assert world.refused("DisableOutboundWebIdentityFederation") == (404, "FeatureDisabled")
    issuer = world.do("EnableOutboundWebIdentityFederation")["IssuerIdentifier"]
    assert issuer.startswith("https://")
    assert issuer == world.iam.outbound_issuer(OURS) != world.iam.outbound_issuer(OTHER)
    assert (world.iam.outbound_federation(OURS), world.iam.outbound_federation(OTHER)) == (True, False)
    assert world.refused("EnableOutboundWebIdentityFederation") == (409, "FeatureEnabled")
    info = world.do("GetOutboundWebIdentityFederationInfo")
    assert (info["IssuerIdentifier"], info["JwtVendingEnabled"]) == (issuer, True)
    world.do("DisableOutboundWebIdentityFederation")
    assert not world.iam.outbound_federation(OURS)


# Apart from each other


def test_two_instances_know_nothing_of_each_other() -> None:
    one, two = World(), World()
    arn = one.user()
    policy_arn = one.policy()
    one.do("EnableOutboundWebIdentityFederation")
    assert one.iam.user(arn)
    assert two.iam.user(arn) is None
    assert two.iam.managed_policy(policy_arn) is None
    assert not two.iam.outbound_federation(OURS)
    assert two.do("ListUsers")["Users"] == []


def test_accounts_know_nothing_of_each_other(world: World) -> None:
    world.user("ann")
    world.role("ops")
    arn, (serial, totp) = world.policy(), world.device()
    provider = world.do("CreateSAMLProvider", Name="x", SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
    world.account = OTHER
    assert world.refused("GetUser", UserName="ann") == (404, "NoSuchEntity")
    assert world.do("ListUsers")["Users"] == world.do("ListRoles")["Roles"] == []
    theirs, role = world.user("ann"), world.role("ops")
    assert (world.iam.user(theirs) is not None, theirs.split(":")[4]) == (True, OTHER)
    assert world.refused("AttachRolePolicy", RoleName="ops", PolicyArn=arn) == (404, "NoSuchEntity")
    assert world.refused("DeletePolicy", PolicyArn=arn) == (404, "NoSuchEntity")
    assert world.refused("DeleteSAMLProvider", SAMLProviderArn=provider) == (404, "NoSuchEntity")
    members = {"UserName": "ann", "SerialNumber": serial, **world.codes(totp)}
    assert world.refused("EnableMFADevice", **members) == (404, "NoSuchEntity")
    assert world.iam.role(role) != world.iam.role(role.replace(OTHER, OURS))


def test_look_ups_do_not_grow_with_what_is_there(world: World) -> None:
    for n in range(500):
        world.raw(("Action", "CreateUser"), ("Version", "2010-05-08"), ("UserName", f"u{n}"))
    arn, role = f"arn:aws:iam::{OURS}:user/u499", world.role()
    key = world.do("CreateAccessKey", UserName="u499")["AccessKey"]["AccessKeyId"]
    user = world.iam.user(arn)
    assert user is not None
    looks = (
        lambda: world.iam.key(key),
        lambda: world.iam.user(arn),
        lambda: world.iam.role(role),
        lambda: world.iam.alive(user.id),
    )
    for look in looks:
        assert min(timeit.repeat(look, number=200, repeat=5)) / 200 < 20e-6


# What it needs


def test_it_can_be_made_ready_before_the_first_call(world: World) -> None:
    protocol.cache_clear()
    world.iam.warm()
    assert protocol.cache_info().currsize == 1


def test_it_needs_neither_moto_nor_network_nor_environment() -> None:
    code = (
        "import sys, socket\n"
        "def no(*_): raise AssertionError('network')\n"
        "socket.socket.connect = no\n"
        "from targets.reference.iam import Iam\n"
        "iam = Iam(['111122223333']); iam.warm()\n"
        "sent = [('Action', 'CreateUser'), ('Version', '2010-05-08'), ('UserName', 'x')]\n"
        "assert iam.call('111122223333', sent)[0] == 200\n"
        "assert iam.managed_policy('arn:aws:iam::aws:policy/AdministratorAccess')\n"
        "assert not {'moto', 'boto3', 'botocore.session', 'botocore.loaders'} & set(sys.modules)\n"
    )
    environment = {"PYTHONPATH": ".", "MOTO_ACCOUNT_ID": "999999999999", "AWS_PROFILE": "nobody", "HOME": "/none"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)


# Whatever is sent

VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["ann", "ops", "/", "3600", "true", policy(), trust(), f"arn:aws:iam::{OURS}:policy/pol"]),
    st.sampled_from([f"arn:aws:iam::{OURS}:mfa/phone", f"arn:aws:iam::{OURS}:saml-provider/x", "https://id.example"]),
)
STRAYS = st.dictionaries(
    st.sampled_from(["Tags.member.1.Key", "Tags.member.1.Value", "Tags.member.0.Key", "TagKeys.member.1", "Tags.x"])
    | st.text(max_size=12),
    VALUES,
    max_size=3,
)


def request_of(action: str) -> st.SearchStrategy[tuple[str, dict[str, str]]]:
    """Draw most of an action's members, and some that are none of its."""
    shape = MODEL.operation_model(action).input_shape
    members = st.fixed_dictionaries({}, optional=dict.fromkeys(shape.members if shape else (), VALUES))
    return st.tuples(st.just(action), st.builds(lambda own, strays: strays | own, members, STRAYS))


REQUESTS = st.lists(st.sampled_from(sorted(ACTIONS)).flatmap(request_of), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(REQUESTS)
def test_whatever_is_sent_is_answered_in_xml(requests: Sequence[tuple[str, dict[str, str]]]) -> None:
    world = World()
    world.user()
    world.role()
    world.policy()
    for action, parameters in requests:
        status, body = world.raw(("Action", action), ("Version", "2010-05-08"), *parameters.items())
        root = fromstring(body)
        assert status in {200, 400, 403, 404, 409}, body
        assert root.tag == NAMESPACE + (f"{action}Response" if status == 200 else "ErrorResponse")


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_takes_plausible_values(action: str) -> None:
    """Each is served or refused for a reason, never by a crash, on an IAM that has one of everything."""
    world = World()
    world.user()
    world.role()
    world.policy()
    serial, totp = world.device()
    world.do("CreateGroup", GroupName="staff")
    world.do("CreateSAMLProvider", Name="x", SAMLMetadataDocument=METADATA)
    world.do("CreateOpenIDConnectProvider", Url="https://id.example")
    values = {
        "UserName": "ann",
        "GroupName": "staff",
        "RoleName": "ops",
        "PolicyName": "inline",
        "PolicyDocument": trust() if "AssumeRole" in action else policy(),
        "AssumeRolePolicyDocument": trust(),
        "PolicyArn": f"arn:aws:iam::{OURS}:policy/pol",
        "PermissionsBoundary": f"arn:aws:iam::{OURS}:policy/pol",
        "SAMLProviderArn": f"arn:aws:iam::{OURS}:saml-provider/x",
        "SAMLMetadataDocument": METADATA,
        "OpenIDConnectProviderArn": f"arn:aws:iam::{OURS}:oidc-provider/id.example",
        "SerialNumber": serial,
        "VirtualMFADeviceName": "another",
        "Name": "another",
        "Url": "https://another.example",
        "ClientID": "client",
        "ThumbprintList": ["0" * 40],
        "AccessKeyId": "A" * 20,
        "Status": "Inactive",
        "VersionId": "v1",
        "Tags": [{"Key": "k", "Value": "v"}],
        "TagKeys": ["k"],
        **world.codes(totp),
    }
    shape = MODEL.operation_model(action).input_shape
    given_members = {name: values[name] for name in (shape.members if shape else ()) if name in values}
    status, answer = world.ask(action, **given_members)
    refusable = {"NoSuchEntity", "EntityAlreadyExists", "DeleteConflict", "FeatureDisabled"}
    assert status == 200 or answer["Error"]["Code"] in refusable, answer


@pytest.mark.parametrize(
    "more",
    [
        {"Condition": {"StringEquals": {"no-colon": "x"}}},
        {"Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}},
        {"Principal": None, "NotPrincipal": {"AWS": "*"}},
    ],
)
def test_nothing_is_stored_that_decisions_could_not_be_made_by(world: World, more: dict[str, Any]) -> None:
    statement = json.loads(trust())["Statement"][0] | more
    text = json.dumps({"Version": "2012-10-17", "Statement": [{k: v for k, v in statement.items() if v is not None}]})
    members = {"RoleName": "new", "AssumeRolePolicyDocument": text}
    assert world.refused("CreateRole", **members) == (400, "MalformedPolicyDocument")
