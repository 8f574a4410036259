"""Where the user's credentials would go: to STS and IAM of AWS itself, whatever is called like them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from targets import aws
from targets.aws import in_partition, service_at
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.target import TEST_CREDENTIALS, TargetError, points_at_aws, resolve
from tests.servers import ROOT, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

AMBIENT = Credentials("AKIACANARYCANARYCAN1", "canary/canary/canary/canary/canary/cana1", "canarytoken" * 4)


@pytest.fixture(autouse=True)
def _ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AMBIENT.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AMBIENT.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", AMBIENT.session_token or "")


@dataclass(frozen=True)
class Goes:
    """Ambient credentials go to a host."""

    host: str
    partition: str
    region: str
    iam: str
    iam_region: str


def _aws(host: str, region: str) -> Goes:
    return Goes(host, "aws", region, "iam.amazonaws.com", "us-east-1")


def _china(host: str, region: str) -> Goes:
    return Goes(host, "aws-cn", region, "iam.cn-north-1.amazonaws.com.cn", "cn-north-1")


def _gov(host: str, region: str) -> Goes:
    return Goes(host, "aws-us-gov", region, "iam.us-gov.amazonaws.com", "us-gov-west-1")


TEST = "test credentials"
NOT_ASCII = "the URL holds a space, a control character or a letter that is not ASCII"
NO_REGION = "--region: what was given is no region, expected one of AWS's like us-east-1"
NO_WORD = "--region: what was given is no region, expected one like us-east-1"
EXAMPLE = "expected a URL like http://127.0.0.1:4566"
NO_HOST = f"the URL names no host; {EXAMPLE}"
NO_PORT = "the URL's port is none; expected 1 to 65535"
PASSWORD = "the URL holds credentials (an '@'); put them into a target file (docs/adding-a-target.md)"
QUERY = "the URL has a query or fragment; expected scheme, host, port and path only"
STS_OF = "expected one like https://sts.us-east-1.amazonaws.com"

# What is given as --target and --region, and where credentials would go: to AWS, the test credentials to what is
# not AWS, or nowhere, with the line that says so.
FORMS: dict[tuple[str, str | None], Goes | str] = {
    # aws
    ("aws", None): _aws("sts.us-east-1.amazonaws.com", "us-east-1"),
    ("aws", "eu-west-1"): _aws("sts.eu-west-1.amazonaws.com", "eu-west-1"),
    ("aws", "mx-central-9"): _aws("sts.mx-central-9.amazonaws.com", "mx-central-9"),  # one to come
    ("aws", "cn-north-1"): _china("sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("aws", "us-gov-east-1"): _gov("sts.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
    ("aws", "eusc-de-east-1"): Goes(
        "sts.eusc-de-east-1.amazonaws.eu", "aws-eusc", "eusc-de-east-1",
        "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1",
    ),
    ("aws", "us-iso-west-1"): Goes(
        "sts.us-iso-west-1.c2s.ic.gov", "aws-iso", "us-iso-west-1", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"
    ),
    ("aws", "us-isob-east-1"): Goes(
        "sts.us-isob-east-1.sc2s.sgov.gov", "aws-iso-b", "us-isob-east-1",
        "iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1",
    ),
    ("aws", "eu-isoe-west-1"): Goes(
        "sts.eu-isoe-west-1.cloud.adc-e.uk", "aws-iso-e", "eu-isoe-west-1",
        "iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1",
    ),
    ("aws", "us-isof-east-1"): Goes(
        "sts.us-isof-east-1.csp.hci.ic.gov", "aws-iso-f", "us-isof-east-1",
        "iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1",
    ),
    ("aws", "evil.test/"): NO_REGION,
    ("aws", "us-east-1@evil.test"): NO_REGION,
    ("aws", "us-east-1.evil.test"): NO_REGION,
    ("aws", "us-east-1#"): NO_REGION,
    ("aws", "us-east-1\r\nX-Evil: 1"): NO_REGION,
    ("aws", "us-east-1\n"): NO_REGION,
    ("aws", "us-east-\u0661"): NO_REGION.replace("us-east-1", "us-east-2"),
    ("aws", "us-e\u00e4st-1"): NO_REGION.replace("us-east-1", "us-west-1"),
    ("aws", ""): NO_REGION,
    ("aws", "US-EAST-1"): "--region: 'US-EAST-1' is no region, expected one of AWS's like us-east-1",
    ("aws", "us-ea_st-1"): NO_REGION,
    ("aws", "aws-global"): "--region: 'aws-global' is no region, expected one of AWS's like us-east-1",
    ("aws", "eu-wets"): "--region: 'eu-wets' is no region, expected one of AWS's like eu-west-3",
    ("aws", f"us-{'a' * 70}-1"): NO_REGION,
    # Hosts of AWS
    ("https://sts.amazonaws.com", None): _aws("sts.amazonaws.com", "us-east-1"),
    ("https://sts.amazonaws.com", "us-west-2"): _aws("sts.amazonaws.com", "us-west-2"),
    ("https://sts.amazonaws.com", "cn-north-1"):
        "--region: 'cn-north-1' is no region of https://sts.amazonaws.com, expected us-east-1",
    ("HTTPS://STS.Eu-West-1.AmazonAWS.com:443/", None): _aws("sts.eu-west-1.amazonaws.com", "eu-west-1"),
    ("https://sts.eu-west-1.amazonaws.com", "eu-west-1"): _aws("sts.eu-west-1.amazonaws.com", "eu-west-1"),
    ("https://sts.eu-west-1.amazonaws.com", "us-east-1"):
        "--region: 'us-east-1' is no region of https://sts.eu-west-1.amazonaws.com, expected eu-west-1",
    ("https://sts-fips.us-east-2.amazonaws.com", None): _aws("sts-fips.us-east-2.amazonaws.com", "us-east-2"),
    ("https://sts.us-west-2.api.aws", None): _aws("sts.us-west-2.api.aws", "us-west-2"),
    ("https://sts-fips.us-west-2.api.aws", None): _aws("sts-fips.us-west-2.api.aws", "us-west-2"),
    ("https://sts.us-gov-west-1.amazonaws.com", None): _gov("sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ("https://sts.us-gov-west-1.api.aws", None): _gov("sts.us-gov-west-1.api.aws", "us-gov-west-1"),
    ("https://sts.cn-northwest-1.amazonaws.com.cn", None):
        _china("sts.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
    ("https://sts.cn-north-1.api.amazonwebservices.com.cn", None):
        _china("sts.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
    # Called like them
    ("http://sts.amazonaws.com", None):
        "'http://sts.amazonaws.com' is AWS over plain http; expected https://sts.amazonaws.com",
    ("http://sts.amazonaws.com:443", None):
        "'http://sts.amazonaws.com:443' is AWS over plain http; expected https://sts.amazonaws.com",
    ("https://sts.amazonaws.com:8443", None):
        "'https://sts.amazonaws.com:8443' is AWS's STS at another port than 443; expected https://sts.amazonaws.com",
    ("https://sts.amazonaws.com/secret", None):
        "'https://sts.amazonaws.com' is AWS's STS, with a path; expected https://sts.amazonaws.com",
    ("https://sts.amazonaws.com.", None): "the URL's host ends in a dot; expected 'sts.amazonaws.com'",
    ("https://sts.us-esat.amazonaws.com", None):
        "'https://sts.us-esat.amazonaws.com' is called like AWS's STS and is none; "
        "expected one like https://sts.us-west-2.amazonaws.com",
    ("https://vpce-0a1b-2c3d.sts.eu-west-2.vpce.amazonaws.com", None):
        "'https://vpce-0a1b-2c3d.sts.eu-west-2.vpce.amazonaws.com' is called like AWS's STS and is none; "
        "expected one like https://sts.eu-west-2.amazonaws.com",
    ("https://sts.cn-north-1.amazonaws.com", None):
        "'https://sts.cn-north-1.amazonaws.com' is called like AWS's STS and is none; "
        "expected one like https://sts.cn-north-1.amazonaws.com.cn",
    ("https://sts.us-east-1.amazonaws.com.cn", None):
        f"'https://sts.us-east-1.amazonaws.com.cn' is called like AWS's STS and is none; {STS_OF}",
    ("https://sts.aws-global.amazonaws.com", None):
        f"'https://sts.aws-global.amazonaws.com' is called like AWS's STS and is none; {STS_OF}",
    ("https://sts.s3.amazonaws.com", None):
        f"'https://sts.s3.amazonaws.com' is called like AWS's STS and is none; {STS_OF}",
    ("https://sts.xn--us-east-1-x.amazonaws.com", None):
        f"'https://sts.xn--us-east-1-x.amazonaws.com' is called like AWS's STS and is none; {STS_OF}",
    ("https://iam.amazonaws.com", None): f"'https://iam.amazonaws.com' is AWS's IAM, expected its STS, {STS_OF[9:]}",
    ("https://iam.us-east-1.amazonaws.com", None):
        "'https://iam.us-east-1.amazonaws.com' is called like AWS's IAM and is none; "
        "expected one like https://iam.amazonaws.com",
    # Of anybody, in AWS's domains and elsewhere
    ("https://a1b2c3.execute-api.us-east-1.amazonaws.com/stage", None): TEST,
    ("https://bucket.s3.amazonaws.com", None): TEST,
    ("https://s3.us-east-1.amazonaws.com/bucket", None): TEST,
    ("http://ec2-203-0-113-7.compute-1.amazonaws.com:4566", None): TEST,
    ("https://mine-1234.eu-west-1.elb.amazonaws.com", None): TEST,
    ("https://x--sts.amazonaws.com", None): TEST,
    ("https://amazonaws.com", None): TEST,
    ("https://sts.amazonaws.com.evil.test", None): TEST,
    ("https://sts-amazonaws.com", None): TEST,
    ("https://evilamazonaws.com", None): TEST,
    ("https://sts.us-east-1.amazonaws.co", None): TEST,
    ("https://sts.us-east-1.xn--mazonaws-5za.com", None): TEST,
    ("https://127.0.0.1", None): TEST,
    ("http://[::1]:4566", None): TEST,
    ("https://localhost:443/sts.amazonaws.com", None): TEST,
    ("http://sts.us-east-1.localhost.localstack.cloud:4566", None): TEST,
    ("http://127.0.0.1:4566", "mars-1"): TEST,
    ("http://127.0.0.1:4566", "a/b"): NO_WORD,
    ("http://127.0.0.1:4566", "a\r\nX: 1"): NO_WORD,
    ("http://127.0.0.1:4566", "\u0661"): NO_WORD,
    ("http://127.0.0.1:4566", ""): NO_WORD,
    ("http://127.0.0.1:4566", "a" * 65): NO_WORD,
    ("reference", "a/b"): NO_WORD,
    # No URLs
    ("https://user:PASSWORD@sts.amazonaws.com", None): PASSWORD,
    ("https://PASSWORD@127.0.0.1:x/?y", None): PASSWORD,
    ("https://sts.amazonaws.com@evil.test/", None): PASSWORD,
    ("ftp://u:PASSWORD@x", None): PASSWORD,
    ("http://u:PASSWORD", None): NO_PORT,
    ("http://u:PASSWORD@x/y.yaml", None): PASSWORD,
    ("u:PASSWORD@127.0.0.1", None):
        "what was given is no target; expected a URL (http://127.0.0.1:4566), aws, a name (moto, reference) "
        "or a .yaml file",
    ("http://u:PASSWORD%40x", None): NO_PORT,
    ("https://sts.amazonaws.com\n.evil.test", None): f"{NOT_ASCII}; {EXAMPLE}",
    ("https://sts.amazo\tnaws.com", None): f"{NOT_ASCII}; {EXAMPLE}",
    (" https://sts.amazonaws.com", None): f"{NOT_ASCII}; {EXAMPLE}",
    ("https://sts.amazonaws.com\u3002", None): f"{NOT_ASCII}; {EXAMPLE}",
    ("https://st\u0455.amazonaws.com", None): f"{NOT_ASCII}; {EXAMPLE}",
    ("https://sts.us-east-\u0661.amazonaws.com", None): f"{NOT_ASCII}; {EXAMPLE}",
    ("https://evil.test\\.sts.amazonaws.com", None): f"the URL holds a backslash; {EXAMPLE}",
    ("https://sts.amazonaws.com?PASSWORD", None): QUERY,
    ("https://evil.test#.sts.amazonaws.com", None): QUERY,
    ("https://evil.test%2f.sts.amazonaws.com", None): NO_HOST,
    ("https://sts..amazonaws.com", None): NO_HOST,
    ("https://.sts.amazonaws.com", None): NO_HOST,
    ("https://-sts.amazonaws.com", None): NO_HOST,
    ("https://[::1", None): NO_HOST,
    ("https://[::1]x", None): NO_HOST,
    ("https://[evil.test]", None): "the URL names no host: no IPv6 address stands in the brackets",
    ("https://[fe80::1%25lo]", None): "the URL names an IPv6 address with a zone; expected one without",
    ("https://127.0.0.1:0", None): NO_PORT,
    ("https://127.0.0.1:", None): NO_PORT,
    ("https://127.0.0.1:+443", None): NO_PORT,
    ("https://127.0.0.1:65536", None): NO_PORT,
    ("https:///sts.amazonaws.com", None): NO_HOST,
    (f"https://{'a.' * 127}aa", None): NO_HOST,
    (f"https://127.0.0.1/{'a' * 2048}", None): f"the URL has more than 2048 characters; {EXAMPLE}",
}  # fmt: skip


@pytest.mark.parametrize(("given", "region"), FORMS)
def test_where_credentials_would_go(given: str, region: str | None) -> None:
    expected = FORMS[given, region]
    if isinstance(expected, Goes):
        target = resolve(given, region=region, provision=True)
        assert target.credentials == AMBIENT
        assert target.endpoint.url == f"https://{expected.host}"
        assert (target.endpoint.port, target.endpoint.partition) == (443, expected.partition)
        assert target.region == expected.region
        assert target.iam_endpoint is not None
        assert target.iam_endpoint.url == f"https://{expected.iam}"
        assert target.iam_endpoint.iam_region == expected.iam_region
        assert target.one_region
        assert points_at_aws(given, region)
        assert resolve(given, region=region).iam_endpoint is None
    elif expected == TEST:
        target = resolve(given, region=region)
        assert target.credentials == TEST_CREDENTIALS
        assert not target.endpoint.is_aws
        assert target.region == (region or "us-east-1")
        assert not points_at_aws(given, region)
    else:
        for ask in (lambda: resolve(given, region=region), lambda: points_at_aws(given, region)):
            with pytest.raises(TargetError) as caught:
                ask()
            assert str(caught.value) == expected
            assert "PASSWORD" not in str(caught.value)
            assert "evil" not in str(caught.value)


def test_there_are_forms_enough() -> None:
    kinds = [type(one) if isinstance(one, Goes) or one == TEST else one for one in FORMS.values()]
    assert len(FORMS) > 100
    assert len(set(kinds)) > 25


@pytest.mark.parametrize(("given", "region"), [form for form, where in FORMS.items() if isinstance(where, Goes)])
def test_in_a_target_file_it_is_the_same(tmp_path: Path, given: str, region: str | None) -> None:
    expected = FORMS[given, region]
    assert isinstance(expected, Goes)
    path = tmp_path / "x.yaml"
    for keys, credentials in (
        ("", AMBIENT),
        ("credentials: {access-key-id: AKIAOWN, secret-access-key: own}\n", Credentials("AKIAOWN", "own")),
    ):
        path.write_text(f"endpoint: https://{expected.host}\n{keys}provision: true\n", encoding="utf-8")
        target = resolve(str(path), region=region)
        assert target.credentials == credentials
        assert target.region == expected.region
        assert target.endpoint.is_aws
        assert target.one_region
        assert target.iam_endpoint is not None
        assert target.iam_endpoint.url == f"https://{expected.iam}"
        assert points_at_aws(str(path), region)
        path.write_text(f"endpoint: https://{expected.host}\n{keys}", encoding="utf-8")
        assert resolve(str(path), region=region).iam_endpoint is None


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("endpoint: https://u:PASSWORD@127.0.0.1", 1, f"'endpoint': {PASSWORD}"),
        ("endpoint: https://iam.amazonaws.com", 1, "'endpoint': 'https://iam.amazonaws.com' is AWS's IAM"),
        ("endpoint: http://127.0.0.1\niam-endpoint: 'http://u:PASSWORD@x'", 2, f"'iam-endpoint': {PASSWORD}"),
        ("endpoint: https://sts.eu-west-1.amazonaws.com\nregion: us-east-1", 2,
         "'region': 'us-east-1' is no region of https://sts.eu-west-1.amazonaws.com, expected eu-west-1"),
        ('endpoint: http://127.0.0.1\nregion: "a\\r\\nX: PASSWORD"', 2, "'region': is no region, expected one like"),
        ("endpoint: http://127.0.0.1\nregion: a/b", 2, "'region': is no region, expected one like us-east-1"),
        ("endpoint: https://sts.amazonaws.com\niam-endpoint: http://127.0.0.1", 2,
         "'iam-endpoint': is not AWS though endpoint is, expected https://iam.amazonaws.com, or none"),
        ("endpoint: http://127.0.0.1\niam-endpoint: https://iam.amazonaws.com", 2,
         "'iam-endpoint': is AWS though endpoint is not, expected both or neither"),
        ("endpoint: https://bucket.s3.amazonaws.com\niam-endpoint: https://iam.amazonaws.com", 2,
         "'iam-endpoint': is AWS though endpoint is not, expected both or neither"),
        ("endpoint: https://sts.cn-north-1.amazonaws.com.cn\niam-endpoint: https://iam.amazonaws.com", 2,
         ("'iam-endpoint': is of the partition aws though endpoint is of aws-cn, "
          "expected https://iam.cn-north-1.amazonaws.com.cn, or none")),
        ("endpoint: https://sts.us-gov-west-1.amazonaws.com\niam-endpoint: https://iam.amazonaws.com", 2,
         "'iam-endpoint': is of the partition aws though endpoint is of aws-us-gov, expected https://iam.us-gov."),
        ("endpoint: https://sts.amazonaws.com\niam-endpoint: https://sts.amazonaws.com", 2,
         "'iam-endpoint': is AWS's STS, expected https://iam.amazonaws.com, or none"),
        ("endpoint: https://sts.amazonaws.com\niam-endpoint: https://iam.eu-west-1.amazonaws.com", 2,
         "'iam-endpoint': 'https://iam.eu-west-1.amazonaws.com' is called like AWS's IAM and is none"),
    ],
)  # fmt: skip
def test_what_a_target_file_cannot_say(tmp_path: Path, text: str, line: int, complaint: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{text}\n", encoding="utf-8")
    with pytest.raises(TargetError) as caught:
        resolve(str(path), provision=True)
    assert str(caught.value).startswith(f"{path}:{line}: {complaint}")
    assert "PASSWORD" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("iam", ["iam.global.api.aws", "iam-fips.amazonaws.com", "iam.amazonaws.com"])
def test_an_iam_of_the_same_partition_may_be_named(tmp_path: Path, iam: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"endpoint: https://sts.eu-west-1.amazonaws.com\niam-endpoint: https://{iam}\n", encoding="utf-8")
    target = resolve(str(path), provision=True)
    assert target.iam_endpoint is not None
    assert (target.iam_endpoint.host, target.iam_endpoint.iam_region) == (iam, "us-east-1")


def test_every_region_that_botocore_knows_has_its_host() -> None:
    known = [region for partition in aws._partitions() for region in partition.known]
    assert len(known) > 40
    for region in known:
        service = service_at(aws.sts_host(region))
        assert service is not None
        assert (service.name, service.region) == ("sts", region)
        assert service.partition == aws.partition_of(region)


def test_what_the_user_adds_to_botocores_data_does_not_count(tmp_path: Path) -> None:
    """Neither AWS_DATA_PATH nor ~/.aws/models makes a host AWS's."""
    for folder in (tmp_path / "data", tmp_path / ".aws" / "models"):
        folder.mkdir(parents=True)
        outputs = {"dnsSuffix": "evil.test", "dualStackDnsSuffix": "evil.test", "implicitGlobalRegion": "us-east-1"}
        more = {"name": "aws", "supportsFIPS": True, "supportsDualStack": True}
        evil = {"id": "aws", "regionRegex": "^us-east-1$", "regions": {}, "outputs": outputs | more}
        (folder / "partitions.json").write_text(json.dumps({"partitions": [evil]}), encoding="utf-8")
    program = (
        "from targets.endpoint import parse_endpoint as p; from targets.aws import sts_host as h\n"
        "print(p('https://sts.us-east-1.evil.test').is_aws, h('us-east-1'))"
    )
    environment = clean_environment() | {"HOME": str(tmp_path), "AWS_DATA_PATH": str(tmp_path / "data")}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False sts.us-east-1.amazonaws.com\n"


def test_what_is_on_loopback_costs_no_data_of_aws() -> None:
    program = (
        "import sys; from targets import aws; from targets.target import resolve\n"
        "for url in ('http://127.0.0.1:1', 'http://[::1]:1', 'http://localhost:1'): resolve(url)\n"
        "print(aws._partitions.cache_info().currsize, aws._rules.cache_info().currsize)\n"
        "resolve('https://minio.example.com')\n"
        "print(aws._partitions.cache_info().currsize, aws._rules.cache_info().currsize)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "0 0\n1 0\n"


def test_arns_of_the_run_are_in_its_partition() -> None:
    text = (
        "arn:aws:iam::${account}:root arn:aws:sts::${second-account}:x arn:aws:s3:::b "
        "arn:aws:iam::123456789012:role/x"
    )
    assert in_partition(text, "aws") == text
    assert in_partition(text, "aws-cn") == (
        "arn:aws-cn:iam::${account}:root arn:aws-cn:sts::${second-account}:x arn:aws:s3:::b "
        "arn:aws:iam::123456789012:role/x"
    )


def test_iam_of_emulators_is_signed_for_as_ever() -> None:
    endpoint = parse_endpoint("http://127.0.0.1:4566")
    assert (endpoint.iam_region, endpoint.partition) == ("us-east-1", "aws")
