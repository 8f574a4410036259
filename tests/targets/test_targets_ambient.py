"""The user's own credentials: where looking for them may ask, what of it shows, and what can be no credential."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError
from urllib3.util import connection

from targets import ambient
from targets.ambient import AmbientError, ambient_credentials
from targets.credentials import Credentials
from targets.target import TargetError, resolve
from tests.servers import Http, Listener, http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/CANARYROLE"


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the user nothing at all."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    (tmp_path / ".aws").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Keep what botocore would connect to; only loopback is let through."""
    found: list[tuple[str, int]] = []
    real = connection.create_connection

    def create(address: tuple[str, int], *arguments: Any, **named: Any) -> Any:
        found.append(address)
        if address[0] != "127.0.0.1":
            raise OSError("not from a test")
        return real(address, *arguments, **named)

    monkeypatch.setattr(connection, "create_connection", create)
    return found


def _web_identity(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "token").write_text("CANARYTOKEN", encoding="utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)


def _role_of_a_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "aws_access_key_id = AKIACANARY\naws_secret_access_key = CANARYSECRET\n"
    (home / ".aws" / "credentials").write_text(f"[source]\n{keys}", encoding="utf-8")
    monkeypatch.setenv("AWS_PROFILE", "chained")


def _config(home: Path, elsewhere: Listener, *, services: bool) -> None:
    role = f"role_arn = {ROLE}\nsource_profile = source\n"
    ends = f"services = foreign\n[services foreign]\nsts =\n  endpoint_url = {elsewhere.url}\n" if services else ""
    text = f"[default]\nendpoint_url = {elsewhere.url}\n[profile chained]\nregion = eu-west-1\n{role}"
    (home / ".aws" / "config").write_text(f"{text}endpoint_url = {elsewhere.url}\n{ends}", encoding="utf-8")


@pytest.mark.parametrize("kind", ["web identity", "role of a profile"])
@pytest.mark.parametrize("named", ["variable", "service's variable", "config", "services of the config", "data path"])
def test_looking_for_credentials_asks_aws_alone(
    kind: str,
    named: str,
    home: Path,
    elsewhere: Listener,
    asked: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    {"web identity": _web_identity, "role of a profile": _role_of_a_profile}[kind](home, monkeypatch)
    _config(home, elsewhere, services=named == "services of the config")
    if named == "variable":
        monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere.url)
    elif named == "service's variable":
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", elsewhere.url)
    elif named == "data path":
        outputs = {"dnsSuffix": "evil.test", "dualStackDnsSuffix": "evil.test", "implicitGlobalRegion": "us-east-1"}
        more = {"name": "aws", "supportsFIPS": True, "supportsDualStack": True}
        partition = {"id": "aws", "regionRegex": ".*", "regions": {}, "outputs": outputs | more}
        (home / "partitions.json").write_text(json.dumps({"partitions": [partition]}), encoding="utf-8")
        monkeypatch.setenv("AWS_DATA_PATH", str(home))
    with pytest.raises(TargetError, match=r"no AWS credentials: .*sts\..*amazonaws\.com") as caught:
        resolve("aws")
    assert "CANARY" not in str(caught.value)
    assert set(asked) <= {("sts.amazonaws.com", 443), ("sts.eu-west-1.amazonaws.com", 443)}
    assert asked
    assert elsewhere.connections == 0


def test_what_a_container_gives_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "its secret", "Token": "its-token"}
    given["Expiration"] = "2999-01-01T00:00:00Z"
    with Http(lambda _: http(200, json.dumps(given))) as container:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{container.url}/creds")
        assert ambient_credentials() == Credentials("ASIACONTAINER", "its secret", "its-token")
        given["Token"] = "CANARY\r\nX-Evil: 1"
        with pytest.raises(AmbientError) as caught:
            ambient_credentials()
    assert "CANARY" not in str(caught.value)
    assert str(caught.value).startswith("AWS credentials found, but their session token holds a space, a control")
    assert home.exists()


@pytest.mark.parametrize(
    ("variable", "part"),
    [
        ("AWS_ACCESS_KEY_ID", "access key id"),
        ("AWS_SECRET_ACCESS_KEY", "secret access key"),
        ("AWS_SESSION_TOKEN", "session token"),
    ],
)
@pytest.mark.parametrize("spoilt", ["CANARY\r\nX-Evil: 1", "CANARY\x7f", "CANARY\x1b[2J", "CANARY\n"])
@pytest.mark.usefixtures("home")
def test_controls_in_the_environment_are_refused(
    variable: str, part: str, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, spoilt if name == variable else "fine")
    with pytest.raises(TargetError) as caught:
        resolve("aws")
    assert str(caught.value).startswith(f"AWS credentials found, but their {part} holds a ")
    assert "CANARY" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ends", ["found", "not found", "fails"])
def test_nothing_of_it_is_logged(
    ends: str, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if ends == "found":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARYSECRET")
    elif ends == "fails":
        monkeypatch.setenv("AWS_PROFILE", "none")
    with caplog.at_level(logging.DEBUG):
        if ends == "found":
            ambient_credentials()
        else:
            with pytest.raises(AmbientError):
                ambient_credentials()
        assert not caplog.records
        logging.getLogger("botocore").debug("again")
        assert len(caplog.records) == 1
    assert home.exists()


class _Fails:
    """A session whose credentials cannot be had."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_credentials(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "CANARY"}}, "AssumeRole"),
            "no AWS credentials: AssumeRole was answered AccessDenied",
        ),
        (
            CredentialRetrievalError(provider="custom-process", error_msg="it said CANARY"),
            "no AWS credentials: they cannot be had from custom-process",
        ),
        (KeyError("CANARY"), "no AWS credentials: botocore stopped at a KeyError; expected a profile"),
        (FileNotFoundError("CANARY"), "no AWS credentials: botocore stopped at a FileNotFoundError; expected"),
        (ValueError("CANARY"), "no AWS credentials: botocore stopped at a ValueError; expected"),
    ],
)
def test_what_goes_wrong_is_told_in_a_line(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ambient, "_session", lambda: _Fails(error))
    with pytest.raises(TargetError) as caught:
        resolve("aws")
    assert str(caught.value).startswith(words)
    assert "CANARY" not in str(caught.value)


def test_a_program_that_gives_credentials_is_not_quoted(home: Path) -> None:
    config = "[default]\ncredential_process = sh -c 'echo CANARY >&2; exit 1'\n"
    (home / ".aws" / "config").write_text(config, encoding="utf-8")
    with pytest.raises(AmbientError) as caught:
        ambient_credentials()
    assert "CANARY" not in str(caught.value)


def test_what_is_not_aws_has_nothing_looked_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ambient, "_session", lambda: _Fails(AssertionError("it was asked for")))
    path = tmp_path / "x.yaml"
    path.write_text("endpoint: http://127.0.0.1:9\n", encoding="utf-8")
    for given in ("http://127.0.0.1:9", "https://bucket.s3.amazonaws.com", str(path)):
        assert resolve(given).credentials == Credentials("test", "test")
    path.write_text(
        "endpoint: https://sts.amazonaws.com\ncredentials: {access-key-id: A, secret-access-key: B}\n",
        encoding="utf-8",
    )
    assert resolve(str(path)).credentials == Credentials("A", "B")
