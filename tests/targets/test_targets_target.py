"""What `--target` may be, and what is done for a real account. Nothing here is sent anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from generators import everything
from generators.restrain import restrained
from targets import target as targets
from targets.credentials import Credentials
from targets.endpoint import EndpointError, parse_endpoint
from targets.target import TargetError, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from generators.case import Case


@pytest.mark.parametrize(
    ("url", "authority", "normal"),
    [
        ("http://127.0.0.1:4566", "127.0.0.1:4566", "http://127.0.0.1:4566"),
        ("http://127.0.0.1:4566/", "127.0.0.1:4566", "http://127.0.0.1:4566"),
        ("http://localhost:80", "localhost", "http://localhost"),
        ("https://sts.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com", "https://sts.us-east-1.amazonaws.com"),
        ("https://[::1]:9000/sts/", "[::1]:9000", "https://[::1]:9000/sts"),
        ("https://minio.example.com:443", "minio.example.com", "https://minio.example.com"),
        ("HTTP://Example.COM:8080", "example.com:8080", "http://example.com:8080"),
    ],
)
def test_endpoints(url: str, authority: str, normal: str) -> None:
    endpoint = parse_endpoint(url)
    assert endpoint.authority == authority
    assert endpoint.url == normal


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "no http or https scheme"),
        ("localhost:4566", "no http or https scheme"),
        ("ftp://127.0.0.1", "no http or https scheme"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://a b/", "holds a space"),
        ("http://-x/", "names no host"),
        ("http://ex\u00e4mple/", "a letter that is not ASCII"),
        ("http://127.0.0.1:0", "expected 1 to 65535"),
        ("http://127.0.0.1:65536", "expected 1 to 65535"),
        ("http://127.0.0.1:-1", "expected 1 to 65535"),
        ("http://[::1", "names no host"),
        ("http://127.0.0.1/?x=1", "query or fragment"),
        ("http://127.0.0.1/#x", "query or fragment"),
        ("http://user@127.0.0.1/", "holds credentials"),
        ("http://user:secret@127.0.0.1/", "holds credentials"),
        ("http://sts.amazonaws.com", "AWS over plain http"),
        ("http://STS.AMAZONAWS.COM", "AWS over plain http"),
        ("http://sts.cn-north-1.amazonaws.com.cn", "AWS over plain http"),
        ("http://sts.us-east-1.api.aws", "AWS over plain http"),
    ],
)
def test_what_is_no_endpoint(url: str, complaint: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_endpoint(url)
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_aws"),
    [
        ("https://sts.amazonaws.com", True),
        ("https://sts.eu-west-1.amazonaws.com", True),
        ("https://sts.cn-north-1.amazonaws.com.cn", True),
        ("https://sts.us-east-1.api.aws", True),
        ("https://amazonaws.com.example.com", False),
        ("https://sts-amazonaws.com", False),
        ("https://evilamazonaws.com", False),
        ("https://127.0.0.1", False),
    ],
)
def test_what_is_aws(url: str, is_aws: bool) -> None:
    assert parse_endpoint(url).is_aws is is_aws


# Credentials


CANARY = ("AKIACANARYCANARYCAN1", "canary/canary/canary/canary/canary/cana1")


@pytest.fixture
def ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CANARY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY[1])
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("ambient")
@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:9", "https://127.0.0.1:9", "https://sts.amazonaws.com.example.com"]
)
def test_what_is_not_aws_gets_test_credentials(given: str) -> None:
    target = resolve(given)
    assert target.credentials == Credentials("test", "test")
    assert target.user is None


@pytest.mark.usefixtures("ambient")
def test_a_target_file_without_credentials_gets_test_credentials(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("endpoint: http://127.0.0.1:9\n", encoding="utf-8")
    target = resolve(str(path))
    assert target.credentials == Credentials("test", "test")
    assert target.name == "mine"


@pytest.mark.usefixtures("ambient")
@pytest.mark.parametrize("given", ["aws", "https://sts.eu-west-1.amazonaws.com"])
def test_aws_gets_the_users_credentials_and_nothing_is_made_there(given: str) -> None:
    target = resolve(given)
    assert target.credentials == Credentials(*CANARY)
    assert target.iam_endpoint is None
    assert target.one_region
    assert target.region == ("us-east-1" if given == "aws" else "eu-west-1")


@pytest.mark.usefixtures("ambient")
def test_provisioning_on_aws_is_asked_for() -> None:
    target = resolve("aws", provision=True, region="eu-west-1")
    assert target.iam_endpoint is not None
    assert target.iam_endpoint.url == "https://iam.amazonaws.com"
    assert target.endpoint.url == "https://sts.eu-west-1.amazonaws.com"


def test_aws_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(TargetError, match="no AWS credentials found"):
        resolve("aws")
    monkeypatch.setenv("AWS_PROFILE", "no-such")
    with pytest.raises(TargetError, match=r"no AWS credentials: .*no-such"):
        resolve("aws")


# Target files


FULL = """\
name: mine
endpoint: https://sts.example.com/base
iam-endpoint: https://iam.example.com
region: eu-central-1
credentials:
  access-key-id: AKIAIOSFODNN7EXAMPLE
  secret-access-key: aaaaaaaaaaaaaaaaaaaa
  session-token: bbbbbbbbbbbbbbb
user: {access-key-id-from: MY_ID, secret-access-key-from: MY_SECRET}
role-arn: arn:aws:iam::123456789012:role/x
role-max-session-seconds: 43200
one-region: true
baseline: known.yaml
"""


def test_a_full_target_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_ID", "AKIAMINE")
    monkeypatch.setenv("MY_SECRET", "cccccccccccccccc")
    path = tmp_path / "full.yaml"
    path.write_text(FULL, encoding="utf-8")
    target = resolve(str(path))
    assert (target.name, target.endpoint.url, target.region) == (
        "mine",
        "https://sts.example.com/base",
        "eu-central-1",
    )
    assert target.iam_endpoint == parse_endpoint("https://iam.example.com")
    assert target.credentials == Credentials("AKIAIOSFODNN7EXAMPLE", "a" * 20, "b" * 15)
    assert target.user == Credentials("AKIAMINE", "c" * 16)
    assert target.role_arn == "arn:aws:iam::123456789012:role/x"
    assert target.role_max_session_seconds == 43200
    assert target.one_region
    assert target.baseline == tmp_path / "known.yaml"
    assert resolve(str(path), region="us-west-2").region == "us-west-2"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "endpoint"),
        ("- endpoint: x\n", 1, "expected a mapping"),
        ("endpoint: [\n", 2, "not YAML"),
        ("region: us-east-1\n", 1, "'endpoint'"),
        ("endpoint: http://x\nregoin: y\n", 2, "found the unknown key 'regoin', expected 'region'"),
        ("endpoint: http://x\n\nprovision: maybe\n", 3, "'provision'"),
        ("endpoint: http://x\nrole-max-session-seconds: long\n", 2, "'role-max-session-seconds'"),
        ("endpoint: http://x\nendpoint: http://y\n", 2, "found the key 'endpoint' again"),
        ("endpoint: http://x\ncredentials: test\n", 2, "'credentials'"),
        (
            "endpoint: http://x\ncredentials: {access-key-id: a}\n",
            2,
            "either secret-access-key or secret-access-key-from",
        ),
        (
            "endpoint: http://x\nuser:\n  access-key-id: a\n  access-key-id-from: B\n  secret-access-key: c\n",
            2,
            "either access-key-id or access-key-id-from",
        ),
        (
            "endpoint: http://x\ncredentials: {access-key-id: a, secret-acess-key: b}\n",
            2,
            "'credentials.secret-acess-key'",
        ),
        ("endpoint: !!python/object:os.system x\n", 1, "found a tag"),
        ("endpoint: &a x\nname: *a\n", 1, "found an anchor"),
    ],
)
def test_a_mistake_in_a_target_file_names_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "mistaken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TargetError) as caught:
        resolve(str(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "endpoint: http://127.0.0.1\ncredentials: {access-key-id-from: NO_SUCH_VARIABLE, secret-access-key: x}\n",
        encoding="utf-8",
    )
    with pytest.raises(TargetError, match="NO_SUCH_VARIABLE is not set"):
        resolve(str(path))


def test_no_iam_of_another_for_aws(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    keys = "credentials: {access-key-id: AKIAIOSFODNN7EXAMPLE, secret-access-key: aaaaaaaaaaaaaaaaaaaa}\n"
    path.write_text(f"endpoint: https://sts.amazonaws.com\niam-endpoint: http://127.0.0.1\n{keys}", encoding="utf-8")
    with pytest.raises(TargetError, match="'iam-endpoint': is not AWS though endpoint is"):
        resolve(str(path))


@pytest.mark.parametrize(
    ("option", "asked", "made"), [("", False, False), ("", True, True), ("true", False, True), ("false", True, False)]
)
def test_on_aws_nothing_is_made_unless_file_or_option_say_so(
    tmp_path: Path, option: str, asked: bool, made: bool
) -> None:
    path = tmp_path / "x.yaml"
    keys = "credentials: {access-key-id: AKIAIOSFODNN7EXAMPLE, secret-access-key: aaaaaaaaaaaaaaaaaaaa}\n"
    more = f"provision: {option}\n" if option else ""
    path.write_text(f"endpoint: https://sts.amazonaws.com\n{keys}{more}", encoding="utf-8")
    assert (resolve(str(path), provision=asked).iam_endpoint is not None) is made


def test_defaults_of_a_target_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("endpoint: http://127.0.0.1:9\n", encoding="utf-8")
    target = resolve(str(path))
    assert (target.region, target.one_region, target.baseline) == ("us-east-1", False, None)
    assert target.iam_endpoint == parse_endpoint("http://127.0.0.1:9")
    path.write_text("endpoint: http://127.0.0.1:9\nprovision: false\n", encoding="utf-8")
    assert resolve(str(path)).iam_endpoint is None


def test_names_that_are_no_target_are_told_what_is() -> None:
    for given in ("", "mto", "MOTO", "localhost", "/etc/passwd"):
        with pytest.raises(TargetError, match=r"expected a URL .*, aws, a name .* or a \.yaml file"):
            resolve(given)
    assert set(targets.EMBEDDED) >= {"moto"}


# What is minted on a real account


MINTING = {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken"}


def names(case: Case) -> dict[str, str | None]:
    return dict(case.request.parameters)


def test_on_aws_what_is_minted_can_do_nothing_and_ends_soon() -> None:
    looked = 0
    for case in everything.cases():
        before, after = names(case), names(restrained(case))
        assert before.items() <= after.items(), case.id
        if case.request.operation not in MINTING | {"GetSessionToken"}:
            assert after == before, case.id
            continue
        looked += 1
        if "DurationSeconds" not in case.pinned | before.keys():
            assert after["DurationSeconds"] == "900", case.id
        own = {name.split(".")[0] for name in before.keys() | case.pinned}
        if case.request.operation in MINTING and not own & {"Policy", "PolicyArns"}:
            statements = json.loads(after["Policy"] or "")["Statement"]
            assert statements == [{"Effect": "Deny", "Action": "*", "Resource": "*"}], case.id
    assert looked > 500


def test_what_stays_unrestrained_is_about_policies() -> None:
    """No case that could be granted goes without a deny-all policy, unless policies are its point."""
    free = [
        case.id
        for case in map(restrained, everything.cases())
        if case.request.operation in MINTING
        and case.expectation.outcome != "refusal"
        and "Deny" not in (names(case).get("Policy") or "")
        and not any(name.startswith("PolicyArns.member.") for name in names(case))
    ]
    assert all("polic" in case_id for case_id in free), [c for c in free if "polic" not in c]


def test_a_restrained_case_is_the_same_case() -> None:
    for case in everything.cases():
        other = restrained(case)
        assert replace(other, request=case.request, setup=case.setup) == case
        assert [step.keep for step in other.setup] == [step.keep for step in case.setup]
        before = (case.request, *(step.request for step in case.setup))
        after = (other.request, *(step.request for step in other.setup))
        for one, two in zip(before, after, strict=True):
            assert replace(two, parameters=()) == replace(one, parameters=())


def test_sessions_that_go_on_calling_end_soon() -> None:
    steps = [step for case in everything.cases() for step in restrained(case).setup]
    assert steps
    for step in steps:
        given = dict(step.request.parameters).get("DurationSeconds") or ""
        assert step.request.operation not in MINTING | {"GetSessionToken"} or int(given) <= 3600
