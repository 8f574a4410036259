"""What killed runs left behind is found and removed, and nothing else is ever touched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pyotp
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from targets.embedded import EmbeddedServer, start_moto, start_reference
from targets.identity.saml import SamlIssuer
from targets.leftovers import main
from targets.leftovers_iam import MOST_PAGES
from tests.servers import IAM, ROOT, Http, Received, Run, Tree, clean_environment, document, error, http, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[[Callable[[Received], bytes | None]], Http]

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                             "Principal": {"Service": "ec2.amazonaws.com"}}]}
)  # fmt: skip
OURS = "sts-conformance-0badcafe"
ARN = "arn:aws:iam::123456789012:"


@dataclass(frozen=True)
class Ended:
    status: int
    lines: list[str]
    errors: str


def leftovers(target: str, *arguments: str) -> Ended:
    command = [sys.executable, "-m", "targets.leftovers", f"--target={target}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout.splitlines(), done.stderr)


# At real ones


@pytest.fixture(params=[start_reference, start_moto], ids=["reference", "moto"])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    server: EmbeddedServer = request.param()
    server.ready()
    yield server
    server.stop()


@pytest.fixture
def iam(server: EmbeddedServer) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("iam", endpoint_url=server.url, region_name="us-east-1", **keys)


def all_of(iam: Any) -> set[str]:
    """Return the names of everything that IAM holds."""
    arns = {each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}
    arns |= {each["Arn"] for each in iam.list_saml_providers()["SAMLProviderList"]}
    arns |= {each["SerialNumber"] for each in iam.list_virtual_mfa_devices()["VirtualMFADevices"]}
    for action, key in (("users", "Users"), ("groups", "Groups"), ("roles", "Roles"), ("policies", "Policies")):
        only = {"Scope": "Local"} if action == "policies" else {}
        pages = iam.get_paginator(f"list_{action}").paginate(**only)
        arns |= {each["Arn"] for page in pages for each in page[key]}
    return {re.sub(r"^arn:aws:iam::\d+:", "", arn) for arn in arns}


@cache
def metadata() -> str:
    return SamlIssuer().metadata()


def bystanders(iam: Any) -> set[str]:
    """Make what looks much like a leftover, and is none; returns its names."""
    for name in ("bystander", "sts-conformance-mine", "sts-conformance-0badcafe1", "my-sts-conformance-0badcafe"):
        iam.create_user(UserName=name)
        iam.create_role(RoleName=name, Path="/sts-conformance/", AssumeRolePolicyDocument=TRUST)
        iam.create_policy(PolicyName=name, PolicyDocument=ALLOW, Path="/sts-conformance/")
        iam.create_group(GroupName=name)
        iam.create_virtual_mfa_device(VirtualMFADeviceName=name)
        iam.create_saml_provider(Name=name, SAMLMetadataDocument=metadata())
    for url, clients in (
        ("https://127.0.0.1:7001", ["sts-conformance", "another"]),
        ("https://127.0.0.1:7002", ["another"]),
        ("https://localhost.example.com", ["sts-conformance"]),
        ("https://localhost:7003/tenant", ["sts-conformance"]),
    ):
        iam.create_open_id_connect_provider(Url=url, ClientIDList=clients, ThumbprintList=["a" * 40])
    return all_of(iam)


def everything_of_ours(iam: Any) -> None:
    """Make one of each kind by the name of a run, each holding what it can."""
    iam.create_user(UserName=OURS)
    iam.create_access_key(UserName=OURS)
    iam.put_user_policy(UserName=OURS, PolicyName="own", PolicyDocument=ALLOW)
    iam.create_group(GroupName=f"{OURS}-group")
    iam.put_group_policy(GroupName=f"{OURS}-group", PolicyName="own", PolicyDocument=ALLOW)
    for group in (f"{OURS}-group", "bystander"):
        iam.add_user_to_group(GroupName=group, UserName=OURS)
    iam.create_role(RoleName=f"{OURS}-role", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName=f"{OURS}-role", PolicyName="own", PolicyDocument=ALLOW)
    policy = iam.create_policy(PolicyName=f"{OURS}-1", PolicyDocument=ALLOW, Path="/sts-conformance/")
    policy_arn = policy["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy_arn, PolicyDocument=ALLOW, SetAsDefault=True)
    for arn in (policy_arn, policy_arn.replace(f"{OURS}-1", "bystander")):
        iam.attach_user_policy(UserName=OURS, PolicyArn=arn)
        iam.attach_group_policy(GroupName=f"{OURS}-group", PolicyArn=arn)
        iam.attach_role_policy(RoleName=f"{OURS}-role", PolicyArn=arn)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=OURS)["VirtualMFADevice"]
    totp, now = pyotp.TOTP(device["Base32StringSeed"].decode()), time.time()
    iam.enable_mfa_device(
        UserName=OURS, SerialNumber=device["SerialNumber"],
        AuthenticationCode1=totp.at(int(now)), AuthenticationCode2=totp.at(int(now) + 30),
    )  # fmt: skip
    iam.create_saml_provider(Name=OURS, SAMLMetadataDocument=metadata())
    for host in ("127.0.0.1", "localhost"):
        url = f"https://{host}:7100"
        iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts-conformance"], ThumbprintList=["a" * 40])


_OF_EVERY_KIND = "mfa.denied or caller-validated-by-token or policy-arns.type or cross-account"


def killed_run(target: str, report: Path, all_there: Callable[[], bool]) -> None:
    """Kill a run when it has made what it needs, so that it can remove nothing."""
    run = Run(
        report, f"--target={target}", "--in-flight=1", "--max-rate=20", "--baseline=", "-q", "-k", _OF_EVERY_KIND
    )
    until(all_there, 60)
    run.process.kill()
    run.process.communicate(timeout=10)


def kinds(names: set[str]) -> set[str]:
    return {name.partition("/")[0] for name in names}


def run_of(iam: Any, name: str) -> str:
    """Return what the tag of a thing says."""
    kind, last = name.partition("/")[0], name.rpartition("/")[2]
    arn = f"arn:aws:iam::{iam.list_users()['Users'][0]['Arn'].split(':')[4]}:{name}"
    listed: dict[str, Callable[[], Any]] = {
        "user": lambda: iam.list_user_tags(UserName=last),
        "role": lambda: iam.list_role_tags(RoleName=last),
        "policy": lambda: iam.list_policy_tags(PolicyArn=arn),
        "mfa": lambda: iam.list_mfa_device_tags(SerialNumber=arn),
        "saml-provider": lambda: iam.list_saml_provider_tags(SAMLProviderArn=arn),
        "oidc-provider": lambda: iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn),
    }
    (value,) = (tag["Value"] for tag in listed[kind]()["Tags"] if tag["Key"] == "sts-conformance")
    return str(value)


def age(name: str) -> str:
    """Return what is said of the age of a young thing."""
    made = r"made 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ, \d minutes? ago: perhaps of a run under way,"
    # Of an MFA device only the date is known at which it was switched on.
    return f"(?:{made}|of unknown age: perhaps of a run under way,)" if name.startswith("mfa") else made


EVERY_KIND = {"user", "role", "policy", "saml-provider", "oidc-provider", "mfa"}


def test_what_a_killed_run_left_is_listed_then_removed(server: EmbeddedServer, iam: Any, tmp_path: Path) -> None:
    before = bystanders(iam)
    killed_run(server.url, tmp_path, lambda: kinds(all_of(iam) - before) == EVERY_KIND)
    left = all_of(iam) - before
    assert len(left) > 10
    # moto keeps no tags of devices and SAML providers.
    told = {name for name in left if server.name != "targets.moto_server" or not name.startswith(("mfa", "saml"))}
    runs = {run_of(iam, name) for name in told}
    assert len(runs) == 1
    assert re.fullmatch("[0-9a-f]{8}", runs.pop())
    listed = leftovers(server.url)
    assert (listed.status, listed.errors) == (1, "")
    assert len(listed.lines) == len(left) + 1
    for name in left:
        start = rf"{name.partition('/')[0]}(-device)? (\S+/)?{name.rpartition('/')[2]}, "
        (line,) = (line for line in listed.lines if re.match(start, line))
        assert re.match(start + age(name), line)
    assert listed.lines[-1] == f"{len(left)} left behind"
    young = leftovers(server.url, "--remove")
    assert (young.status, young.lines[-1]) == (1, f"{len(left)} found, 0 removed")
    assert all_of(iam) == before | left
    removed = leftovers(server.url, "--remove", "--older-than", "0")
    assert (removed.status, removed.errors) == (0, "")
    assert removed.lines[-1] == f"{len(left)} found, {len(left)} removed"
    assert all_of(iam) == before
    assert leftovers(server.url, "--remove") == Ended(0, ["nothing was left behind"], "")


SECOND_KEYS = {"aws_access_key_id": "test-second", "aws_secret_access_key": "test"}


def target_file(path: Path, url: str, *more: str) -> str:
    path.write_text("\n".join((f"endpoint: {url}", *more)) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def reference() -> Iterator[EmbeddedServer]:
    server = start_reference()
    server.ready()
    yield server
    server.stop()


def test_the_second_account_is_looked_into(reference: EmbeddedServer, tmp_path: Path) -> None:
    second = boto3.client("iam", endpoint_url=reference.url, region_name="us-east-1", **SECOND_KEYS)
    keys = "second-account: {access-key-id: test-second, secret-access-key: test}"
    file = target_file(tmp_path / "two.yaml", reference.url, keys)
    killed_run(file, tmp_path, lambda: bool(all_of(second)))
    left = all_of(second)
    assert kinds(left) == {"role"}
    listed = leftovers(file)
    there = [line for line in listed.lines if "in the second account" in line]
    for name in left:
        start = f"role {name.rpartition('/')[2]} in the second account, made 20"
        assert sum(line.startswith(start) for line in there) == 1, listed
    assert leftovers(reference.url, "--remove", "--older-than=0").status == 0  # which knows of the first only
    assert all_of(second) == left
    removed = leftovers(file, "--remove", "--older-than=0")
    assert (removed.status, removed.lines[-1]) == (0, f"{len(left)} found, {len(left)} removed")
    assert not all_of(second)


def test_keys_of_the_same_account_again_show_nothing_twice(server: EmbeddedServer, iam: Any, tmp_path: Path) -> None:
    iam.create_role(RoleName=f"{OURS}-role", AssumeRolePolicyDocument=TRUST)
    keys = "second-account: {access-key-id: test, secret-access-key: test}"
    file = target_file(tmp_path / "one.yaml", server.url, keys)
    assert leftovers(file).lines[-1] == "1 left behind"
    assert leftovers(file, "--remove", "--older-than=0").lines[-1] == "1 found, 1 removed"


def test_a_second_account_that_cannot_be_looked_into_leaves_doubt(hostile: Start, tmp_path: Path) -> None:
    def answer(request: Received) -> bytes:
        second = "Credential=AKIASECOND/" in request.headers["authorization"]
        return http(403, error("InvalidClientTokenId", "Whose?", IAM)) if second else empty(request)

    keys = "second-account: {access-key-id: AKIASECOND, secret-access-key: test}"
    ended = leftovers(target_file(tmp_path / "two.yaml", hostile(answer).url, keys))
    assert (ended.status, ended.lines) == (1, [])
    assert re.fullmatch(
        r"error: in the second account: \w+ was answered 403 InvalidClientTokenId: .*\n", ended.errors
    )


def test_what_is_in_one_account_is_removed_there_only(hostile: Start, tmp_path: Path) -> None:
    gone: list[str] = []

    def answer(request: Received) -> bytes:
        key = request.headers["authorization"].partition("Credential=")[2].partition("/")[0]
        if request.action == "DeleteUser":
            gone.append(f"{key} {request.parameters['UserName']}")
        there = {"AKIAFIRST": f"{OURS}-1", "AKIASECOND": f"{OURS}-2"}[key]
        mine = user(there) if request.action == "ListUsers" and f"{key} {there}" not in gone else ""
        return listing("ListUsers", "Users", mine) if request.action == "ListUsers" else empty(request)

    first = "credentials: {access-key-id: AKIAFIRST, secret-access-key: test}"
    second = "second-account: {access-key-id: AKIASECOND, secret-access-key: test}"
    ended = leftovers(target_file(tmp_path / "two.yaml", hostile(answer).url, first, second), "--remove")
    assert (ended.status, ended.lines[-1]) == (0, "2 found, 2 removed")
    assert gone == [f"AKIAFIRST {OURS}-1", f"AKIASECOND {OURS}-2"]


TAGGED = {"Tags": [{"Key": "sts-conformance", "Value": "0badcafe"}]}
ISSUER = "https://idp.example.com/tenant"


def test_a_provider_is_known_by_its_tag(server: EmbeddedServer, iam: Any, tmp_path: Path) -> None:
    """Also one for other audiences, and one of the user's issuer if the target file lets runs register it."""

    def make(url: str, *audiences: str, **tags: Any) -> str:
        thumbprint = {"ThumbprintList": ["a" * 40]}
        made = iam.create_open_id_connect_provider(Url=url, ClientIDList=list(audiences), **thumbprint, **tags)
        return str(made["OpenIDConnectProviderArn"])

    before = bystanders(iam)
    make("https://localhost:7200", "one", "two", **TAGGED)
    ours = make(ISSUER, "one", **TAGGED)
    registered = target_file(tmp_path / "registered.yaml", server.url, *openid_provider(tmp_path, arn=ours))
    assert leftovers(registered).lines[-1] == "1 left behind"
    unregistered = target_file(tmp_path / "unregistered.yaml", server.url, *openid_provider(tmp_path))
    assert leftovers(unregistered).lines[-1] == "2 left behind"
    assert leftovers(unregistered, "--remove", "--older-than=0").status == 0
    assert all_of(iam) == before
    make(ISSUER, "sts-conformance")  # the user's own
    assert leftovers(unregistered) == Ended(0, ["nothing was left behind"], "")


def openid_provider(folder: Path, arn: str = "") -> list[str]:
    """Return lines of a target file about an issuer of the user's."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    told = {"issuer": ISSUER, "key": "key.pem", "key-id": "one"} | ({"arn": arn} if arn else {})
    return ["openid-provider:", *(f"  {name}: {value}" for name, value in told.items())]


def test_everything_that_a_thing_can_hold_goes_before_it(
    server: EmbeddedServer, iam: Any, request: pytest.FixtureRequest
) -> None:
    before = bystanders(iam)
    everything_of_ours(iam)
    if "moto" in request.node.name:
        iam.create_login_profile(UserName=OURS, Password="Long-enough-1")
    number = len(all_of(iam) - before)
    assert number == 8
    removed = leftovers(server.url, "--remove", "--older-than=0")
    assert removed.lines[-1] == f"{number} found, {number} removed", removed
    assert (removed.status, removed.errors) == (0, "")
    assert all_of(iam) == before
    iam.delete_group(GroupName="bystander")  # which holds nobody any more
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_user(UserName=OURS)


def test_many_things_come_in_pages(server: EmbeddedServer, iam: Any) -> None:
    for number in range(230):
        iam.create_role(RoleName=f"{OURS}-{number}", AssumeRolePolicyDocument=TRUST)
    assert leftovers(server.url).lines[-1] == "230 left behind"
    assert leftovers(server.url, "--remove", "--older-than=0").status == 0
    assert not all_of(iam)


def test_what_others_still_use_is_told(iam: Any, server: EmbeddedServer, request: pytest.FixtureRequest) -> None:
    if "moto" in request.node.name:
        pytest.skip("moto deletes policies that are in use")
    iam.create_user(UserName="bystander")
    policy = iam.create_policy(PolicyName=OURS, PolicyDocument=ALLOW)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="bystander", PolicyArn=policy)
    ended = leftovers(server.url, "--remove", "--older-than=0")
    assert ended.status == 1
    assert "could not be removed: DeletePolicy was answered 409 DeleteConflict" in ended.lines[0]
    assert ended.lines[-1] == "1 found, 0 removed"
    assert all_of(iam) == {"user/bystander", f"policy/{OURS}"}


# At hostile ones


def listing(action: str, members: str, entries: str = "", more: str = "") -> bytes:
    result = f"<{members}>{entries}</{members}>{more}"
    text = f'<{action}Response xmlns="{IAM}"><{action}Result>{result}</{action}Result></{action}Response>'
    return http(200, text)


LISTS = {
    "ListUsers": "Users", "ListGroups": "Groups", "ListRoles": "Roles", "ListPolicies": "Policies",
    "ListVirtualMFADevices": "VirtualMFADevices", "ListSAMLProviders": "SAMLProviderList",
    "ListOpenIDConnectProviders": "OpenIDConnectProviderList",
}  # fmt: skip


def empty(request: Received) -> bytes:
    """Answer as an IAM that holds nothing and grants everything."""
    action = request.action
    return listing(action, LISTS[action]) if action in LISTS else granted(action)


def granted(action: str) -> bytes:
    body: Tree = {"ResponseMetadata": {"RequestId": "1"}}
    return http(200, document(f"{action}Response", body, IAM))


@pytest.fixture
def hostile() -> Iterator[Start]:
    servers: list[Http] = []

    def start(answer: Callable[[Received], bytes | None]) -> Http:
        servers.append(Http(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def user(name: str, date: str = "2020-01-31T23:59:59Z") -> str:
    return f"<member><UserName>{name}</UserName><CreateDate>{date}</CreateDate></member>"


def test_pages_without_end_are_cut(hostile: Start) -> None:
    def answer(request: Received) -> bytes:
        if request.action != "ListUsers":
            return empty(request)
        number = int(request.parameters.get("Marker", "0")) + 1
        entries = user(OURS) if number == MOST_PAGES else ""
        return listing("ListUsers", "Users", entries, f"<IsTruncated>true</IsTruncated><Marker>{number}</Marker>")

    server = hostile(answer)
    ended = leftovers(server.url)
    assert ended.status == 1
    assert ended.errors == f"error: ListUsers does not end; what comes after {MOST_PAGES} pages was not looked at\n"
    assert ended.lines[-1] == "1 left behind"
    assert sum(request.action == "ListUsers" for request in server.received) == MOST_PAGES


def test_pages_of_too_much_are_cut(hostile: Start) -> None:
    def answer(request: Received) -> bytes:
        if request.action != "ListUsers":
            return empty(request)
        number = int(request.parameters.get("Marker", "0")) + 1
        entries = user("another") * 6000
        return listing("ListUsers", "Users", entries, f"<IsTruncated>true</IsTruncated><Marker>{number}</Marker>")

    ended = leftovers(hostile(answer).url)
    assert (ended.status, ended.lines) == (1, [])
    assert ended.errors == "error: ListUsers does not end; what comes after 2 pages was not looked at\n"


@pytest.mark.parametrize(
    "marker", ["", "<Marker>1</Marker>", "<Marker>a&#10;b</Marker>", f"<Marker>{'1' * 5000}</Marker>"]
)
def test_a_marker_that_leads_nowhere(hostile: Start, marker: str) -> None:
    def answer(request: Received) -> bytes:
        if request.action != "ListRoles":
            return empty(request)
        return listing("ListRoles", "Roles", "", f"<IsTruncated>true</IsTruncated>{marker}")

    server = hostile(answer)
    ended = leftovers(server.url)
    assert ended.status == 1
    assert ended.errors == "error: ListRoles says that there is more, but not where; the rest was not looked at\n"
    assert sum(request.action == "ListRoles" for request in server.received) <= 2


def test_a_marker_that_looks_like_a_placeholder_is_sent_as_it_is(hostile: Start) -> None:
    def answer(request: Received) -> bytes:
        if request.action != "ListRoles" or "Marker" in request.parameters:
            return empty(request)
        marker = "<Marker>${user-arn}/é+&amp;=</Marker>"
        return listing("ListRoles", "Roles", "", f"<IsTruncated>true</IsTruncated>{marker}")

    server = hostile(answer)
    assert leftovers(server.url) == Ended(0, ["nothing was left behind"], "")
    markers = [r.parameters["Marker"] for r in server.received if "Marker" in r.parameters]
    assert markers == ["${user-arn}/é+&="]


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (http(200, "<html>", {"content-type": "text/html"}), "200 with an HTML page"),
        (http(200, "{}"), "200"),
        (http(200), "200 without a body"),
        (http(403, error("AccessDenied", "No\x1b[2J")), "403"),
        (http(400, error("InvalidClientTokenId", "The key is \u202ewrong", IAM)), r"\\u202ewrong"),
        (http(302, b"", {"location": "http://127.0.0.1:1/"}), "302 to http://127.0.0.1:1/"),
        (granted("ListUsers"), "200 <ListUsersResponse>"),
        (http(400, error("InvalidAction", "Could not find operation", IAM)), "knows no action of IAM"),
        (b"nonsense\r\n\r\n", "no HTTP"),
        (None, "closed"),
    ],
)
def test_what_is_no_iam_is_told_in_a_line(hostile: Start, answered: bytes | None, told: str) -> None:
    server = hostile(lambda _: answered)
    ended = leftovers(server.url, "--remove", "--older-than=0")
    assert (ended.status, ended.lines) == (4, [])
    assert re.fullmatch(rf"error: {server.url}: .*{told}.*; expected an IAM that lists what it has\n", ended.errors)
    assert ended.errors.rstrip("\n").isprintable()


def test_one_list_that_is_refused_leaves_doubt(hostile: Start) -> None:
    def answer(request: Received) -> bytes:
        refused = http(403, error("AccessDenied", "Not for you", IAM))
        return refused if request.action == "ListPolicies" else empty(request)

    ended = leftovers(hostile(answer).url, "--remove", "--older-than=0")
    assert (ended.status, ended.lines) == (1, [])
    assert ended.errors == "error: ListPolicies was answered 403 AccessDenied: Not for you\n"


@pytest.mark.parametrize("unserved", [http(400, error("InvalidAction", "?")), http(501, "no")])
def test_a_kind_that_is_not_served_holds_nothing(hostile: Start, unserved: bytes) -> None:
    server = hostile(lambda request: unserved if request.action == "ListGroups" else empty(request))
    assert leftovers(server.url) == Ended(0, ["nothing was left behind"], "")


NAMES = [
    f"{OURS}/../admin", f"{OURS}-a/b", f"{OURS}-&#10;", f"{OURS}&#10;", f"{OURS}-\u202e", f"{OURS}-\uff11",
    "sts-conformance-0BADCAFE", "sts-conformance-0badcaf", "sts-conformance-0badcafeX", f" {OURS}", f"x{OURS}",
    f"{OURS}-${{user-arn}}", f"{OURS}-", f"{OURS}-{'x' * 200}", "sts-conformance-mine", "",
]  # fmt: skip


def test_names_that_no_run_gives_are_in_no_request(hostile: Start) -> None:
    prefixes = {
        "ListPolicies": ("Arn", "policy/"), "ListSAMLProviders": ("Arn", "saml-provider/"),
        "ListVirtualMFADevices": ("SerialNumber", "mfa/"), "ListUsers": ("UserName", None),
        "ListRoles": ("RoleName", None), "ListGroups": ("GroupName", None),
        "ListOpenIDConnectProviders": ("Arn", "oidc-provider/"),
    }  # fmt: skip
    others = (
        f"{ARN}policy/other/{OURS}", f"{ARN}policy/production", f"{ARN}mfa/other/{OURS}",
        f"{ARN}oidc-provider/localhost:80/x", f"{ARN}oidc-provider/127.0.0.1.example.com", f"{ARN}oidc-provider/",
    )  # fmt: skip

    def answer(request: Received) -> bytes:
        if request.action not in prefixes:
            return empty(request)
        element, prefix = prefixes[request.action]
        texts = [name if prefix is None else f"{ARN}{prefix}{name}" for name in NAMES]
        texts += others if prefix else ()
        entries = "".join(
            f"<member><{element}>{text}</{element}><PolicyName>{OURS}</PolicyName></member>" for text in texts
        )
        return listing(request.action, LISTS[request.action], entries)

    server = hostile(answer)
    ended = leftovers(server.url, "--remove", "--older-than=0")
    assert ended == Ended(0, ["nothing was left behind"], "")
    assert {request.action for request in server.received} == set(LISTS)


def test_parts_with_names_of_no_iam_are_in_no_request(hostile: Start) -> None:
    parts = {"ListAccessKeys": ("AccessKeyMetadata", "AccessKeyId"), "ListGroupsForUser": ("Groups", "GroupName"),
             "ListAttachedUserPolicies": ("AttachedPolicies", "PolicyArn"),
             "ListMFADevices": ("MFADevices", "SerialNumber"), "ListUserPolicies": ("PolicyNames", "")}  # fmt: skip
    bad = ("a/&#10;b", "x&#9;", "\u202e", "a\u00e9", "")
    gone: list[str] = []

    def answer(request: Received) -> bytes:
        if request.action == "ListUsers":
            return listing("ListUsers", "Users", "" if gone else user(OURS))
        if request.action in parts:
            members, at = parts[request.action]
            inner = (f"<{at}>{text}</{at}>" if at else text for text in bad)
            return listing(request.action, members, "".join(f"<member>{each}</member>" for each in inner))
        if request.action == "DeleteUser":
            gone.append(request.parameters["UserName"])
        return empty(request)

    server = hostile(answer)
    ended = leftovers(server.url, "--remove")
    assert (ended.status, ended.lines[-1]) == (0, "1 found, 1 removed")
    assert gone == [OURS]
    sent = {request.action for request in server.received if not request.action.startswith("List")}
    assert sent == {"DeleteLoginProfile", "DeleteUser"}


@pytest.mark.parametrize(
    ("date", "words", "removed"),
    [
        ("2020-01-31T23:59:59Z", "made 2020-01-31T23:59:59Z, ", "2020"),
        ("2020-01-31T23:59:59.123456+02:00", "made 2020-01-31T21:59:59Z, ", "2020"),
        ("2999-01-31T23:59:59Z", "made 2999-01-31T23:59:59Z, 0 minutes ago", ""),
        ("0001-01-01T00:00:00+14:00", "of unknown age", ""),
        ("yesterday", "of unknown age", ""),
        ("", "of unknown age", ""),
    ],
)
def test_only_what_is_known_to_be_old_is_removed(hostile: Start, date: str, words: str, removed: str) -> None:
    gone: list[str] = []

    def answer(request: Received) -> bytes:
        if request.action == "DeleteUser":
            gone.append(request.action)
        entries = "" if gone else user(OURS, date)
        return listing("ListUsers", "Users", entries) if request.action == "ListUsers" else empty(request)

    server = hostile(answer)
    ended = leftovers(server.url, "--remove")
    assert ended.lines[0].startswith(f"user {OURS}, {words}")
    assert bool(gone) == bool(removed)
    assert ended.status == (0 if removed else 1)
    if not removed:
        assert "left alone" in ended.lines[0]
        assert leftovers(server.url, "--remove", "--older-than=0").status == 0
        assert gone


def test_what_is_still_listed_is_not_gone(hostile: Start) -> None:
    def answer(request: Received) -> bytes:
        return listing("ListUsers", "Users", user(OURS)) if request.action == "ListUsers" else empty(request)

    ended = leftovers(hostile(answer).url, "--remove")
    assert ended.status == 1
    assert ended.lines[0].endswith(": could not be removed: IAM says that it is, and goes on listing it")
    assert ended.lines[-1] == "1 found, 0 removed"


def test_an_endpoint_that_dies_meanwhile_is_asked_no_more(hostile: Start) -> None:
    def answer(request: Received) -> bytes | None:
        if request.action == "ListUsers":
            return listing("ListUsers", "Users", "".join(user(f"{OURS}-{n}") for n in range(100)))
        return empty(request) if request.action in LISTS else None

    server = hostile(answer)
    ended = leftovers(server.url, "--remove")
    assert ended.status == 1
    assert ended.lines[-1] == "100 found, 0 removed"
    assert "not sent: the endpoint answers no more" in ended.lines[99]
    assert len(server.received) < 40


def test_no_secret_is_printed(hostile: Start) -> None:
    secret = "S3cretS3cretS3cretS3cretS3cretS3cretS3cr"

    def answer(request: Received) -> bytes:
        if request.action == "ListRoles":
            leak = f"<SecretAccessKey>{secret}</SecretAccessKey>"
            return listing("ListRoles", "Roles", f"<member><RoleName>{OURS}-{secret}</RoleName>{leak}</member>")
        if request.action == "ListUsers":
            return http(403, error("AccessDenied", secret, IAM))
        refused = http(400, error("No", f"{'x' * 270}{secret}", IAM))
        return refused if request.action == "DeleteRole" else empty(request)

    ended = leftovers(hostile(answer).url, "--remove", "--older-than=0")
    assert ended.lines[0].startswith(f"role {OURS}-<redacted>, ")
    assert "DeleteRole was answered 400 No: xxxx" in ended.lines[0]
    assert ended.errors == "error: ListUsers was answered 403 AccessDenied: <redacted>\n"
    assert secret[:12] not in str(ended)


# The command line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: --target"),
        (["--target=moto"], "--target moto: what is embedded ends with its run, and nothing is left behind; .*"),
        (["--target=reference", "--remove"], "--target reference: what is embedded ends with its run, .*"),
        (["--target=nothing"], "--target: 'nothing' is no target; expected .*"),
        (["--target=http://127.0.0.1:1", "--older-than=-1"], "argument --older-than: '-1' is no number .*"),
        (["--target=http://127.0.0.1:1", "--older-than=1e3"], "argument --older-than: '1e3' is no number .*"),
        (["--target=http://127.0.0.1:1", "--rem"], "unrecognized arguments: --rem"),
        (["--target=http://127.0.0.1:1"], "http://127.0.0.1:1: .*connection refused; expected an IAM .*"),
        (["--target=http://a..b"], r"--target: the URL names no host; .*"),
        (["--target=http://\x1b[2J\n"], r"--target: the URL holds a space, a control character .*"),
        (["--target=\x1b[2J\n"], r"--target: what was given is no target; .*"),
        (["--target=http://127.0.0.1:1", "--region=a/b\n"], r"--target: --region: what was given is no region, .*"),
        (["--target=none.yaml"], "--target: none.yaml: no such file"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 4
    output, errors = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(f"error: {complaint}\n", errors)


def test_a_target_where_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("endpoint: http://127.0.0.1:1\nprovision: false\n", encoding="utf-8")
    assert main([f"--target={file}"]) == 4
    assert "says provision: false" in capsys.readouterr().err


def test_the_keys_of_a_target_file_sign(hostile: Start, tmp_path: Path) -> None:
    server = hostile(empty)
    file = tmp_path / "t.yaml"
    keys = "{access-key-id: AKIAOFTHEFILE, secret-access-key: secret-of-the-file}"
    file.write_text(
        f"endpoint: http://127.0.0.1:1\niam-endpoint: {server.url}/iam\ncredentials: {keys}\n", encoding="utf-8"
    )
    assert leftovers(str(file)).status == 0
    for request in server.received:
        assert "Credential=AKIAOFTHEFILE/" in request.headers["authorization"]
        assert request.target == "/iam/"
        assert "/us-east-1/iam/" in request.headers["authorization"]


def test_aws_is_given_no_request_without_credentials(tmp_path: Path) -> None:
    environment = clean_environment() | {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-m", "targets.leftovers", "--target=aws"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert re.fullmatch("error: --target: no AWS credentials.*\n", done.stderr)


def test_nobody_need_read_the_list(hostile: Start) -> None:
    many = "".join(user(f"{OURS}-{n}") for n in range(5000))
    server = hostile(lambda r: listing("ListUsers", "Users", many) if r.action == "ListUsers" else empty(r))
    piped = f"{sys.executable} -m targets.leftovers --target={server.url} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", piped], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (1, "", 0)
