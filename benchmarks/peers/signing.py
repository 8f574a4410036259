"""What every tool sends and how it is signed; runs in the tools' own environments, so it imports little."""

from __future__ import annotations

from xml.etree import ElementTree

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FORM = "application/x-www-form-urlencoded; charset=utf-8"
ROLE_ARN = "arn:aws:iam::123456789012:role/sts-conformance/stub"
_SIGNER = SigV4Auth(Credentials("test", "test"), "sts", "us-east-1")


def members(number: int) -> dict[str, str]:
    """Return the parameters of request `number`: an AssumeRole like the others but for its duration."""
    return {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE_ARN,
        "RoleSessionName": "conformance",
        "DurationSeconds": str(900 + number % 42301),
    }


def signed(url: str, body: bytes) -> dict[str, str]:
    """Return the headers of a signed POST of `body`."""
    request = AWSRequest("POST", url, {"Content-Type": FORM}, body)
    _SIGNER.add_auth(request)
    return dict(request.headers.items())


def check(status: int, body: bytes) -> None:
    """Hold an answer against what a success looks like: status, root element, a session's key."""
    root = ElementTree.fromstring(body)  # noqa: S314 - our own stub's answer
    key = root.find("{*}AssumeRoleResult/{*}Credentials/{*}AccessKeyId")
    if status != 200 or not root.tag.endswith("}AssumeRoleResponse") or key is None:  # noqa: PLR2004 - success
        raise AssertionError(f"{status}: {body[:200]!r}")
