"""Nothing of the user's, wherever SDKs look for it, reaches an endpoint that is not AWS: not in one byte."""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.servers import Http, Ran, Stub, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SELECTED = "sdk or get-caller-identity.wire or assume-role.duration or presigned"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY_BUT", "AWS_HTTP_PROXY", "AWS_HTTPS_PROXY")


class Canaries:
    """An environment and a home with a word of its own in every place where SDKs look, and where they send it."""

    def __init__(self, home: Path, elsewhere: str) -> None:
        self.words: dict[str, str] = {}
        self._home = home
        self._elsewhere = elsewhere
        self.environment = {"HOME": str(home), "USERPROFILE": str(home)}
        for place in (self._keys, self._files, self._roles, self._containers, self._endpoints, self._telling):
            place()

    def _word(self, place: str) -> str:
        return self.words.setdefault(place, f"CANARY{secrets.token_hex(8)}")

    def _write(self, name: str, text: str) -> str:
        path = self._home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _keys(self) -> None:
        for name in (
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
            "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_BEARER_TOKEN_STS", "AWS_ACCOUNT_ID",
        ):  # fmt: skip
            self.environment[name] = self._word(name)

    def _files(self) -> None:
        profile = self._word("AWS_PROFILE")
        self.environment |= {"AWS_PROFILE": profile, "AWS_DEFAULT_PROFILE": profile}
        files = {"AWS_CONFIG_FILE": ".aws/config", "AWS_SHARED_CREDENTIALS_FILE": ".aws/credentials"}
        for variable, name in files.items():
            for place in (name, f"other/{name}"):
                text = "".join(self._section(place, head) for head in ("default", profile, f"profile {profile}"))
                written = self._write(place, text)
            self.environment[variable] = written
        boto = f"[Credentials]\naws_access_key_id = {self._word('boto')}\naws_secret_access_key = x\n"
        self.environment["BOTO_CONFIG"] = self._write(".boto", boto)
        self.environment["NETRC"] = self._write(
            ".netrc", f"machine 127.0.0.1 login {self._word('netrc')} password {self._word('netrc password')}\n"
        )
        cached = {"accessToken": self._word("sso"), "expiresAt": "2999-01-01T00:00:00Z"}
        self._write(".aws/sso/cache/0.json", json.dumps(cached))

    def _section(self, place: str, head: str) -> str:
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "sdk_ua_app_id")
        words = "".join(f"{name} = {self._word(f'{place} {name}')}\n" for name in names)
        return (
            f"[{head}]\n{words}region = eu-canary-1\nendpoint_url = {self._elsewhere}\nca_bundle = /none\n"
            "use_fips_endpoint = true\nsts_regional_endpoints = legacy\nretry_mode = adaptive\n"
            "defaults_mode = mobile\nparameter_validation = true\nrequest_min_compression_size_bytes = 0\n"
        )

    def _roles(self) -> None:
        self.environment |= {
            "AWS_WEB_IDENTITY_TOKEN_FILE": self._write("token", self._word("web identity token")),
            "AWS_ROLE_ARN": f"arn:aws:iam::123456789012:role/{self._word('AWS_ROLE_ARN')}",
            "AWS_ROLE_SESSION_NAME": self._word("AWS_ROLE_SESSION_NAME"),
        }

    def _containers(self) -> None:
        self.environment |= {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._elsewhere}/{self._word('FULL_URI')}",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": f"/{self._word('RELATIVE_URI')}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._word("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self._write("container", self._word("container token")),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._elsewhere,
        }

    def _endpoints(self) -> None:
        names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM", "AWS_CSM_HOST")
        self.environment |= dict.fromkeys(names, self._elsewhere)
        for name in PROXIES:
            self.environment |= {name: self._elsewhere, name.lower(): self._elsewhere}
        self.environment |= {"NO_PROXY": "none.test", "no_proxy": "none.test"}
        self.environment |= {"AWS_REGION": "eu-canary-1", "AWS_DEFAULT_REGION": "eu-canary-1"}
        self.environment |= {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_STS_REGIONAL_ENDPOINTS": "legacy"}
        self.environment |= {"AWS_DATA_PATH": self._write("data/none", "")[: -len("/none")]}

    def _telling(self) -> None:
        for name in (
            "AWS_SDK_UA_APP_ID", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
            "_X_AMZN_TRACE_ID", "X_AMZN_TRACE_ID", "AWS_LAMBDA_LOG_STREAM_NAME",
        ):  # fmt: skip
            self.environment[name] = self._word(name)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Http]:
    with Http(lambda _: None) as listener:
        yield listener


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory, elsewhere: Http) -> Canaries:
    return Canaries(tmp_path_factory.mktemp("home"), elsewhere.url)


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub() as server:
        yield server


@pytest.fixture(scope="module", params=["URL", "target file"])
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, canaries: Canaries, stub: Stub
) -> Ran:
    folder = tmp_path_factory.mktemp("run")
    target = stub.url
    if request.param == "target file":
        target = str(folder / "mine.yaml")
        (folder / "mine.yaml").write_text(f"endpoint: {stub.url}\n", encoding="utf-8")
    stub.received.clear()
    return run(folder / "report", f"--target={target}", "-q", "-k", SELECTED, environment=canaries.environment)


def test_the_run_sends_what_it_always_does(ran: Ran, stub: Stub) -> None:
    assert len(ran.verdicts) > 20
    assert "conforms" in ran.verdicts.values()
    assert ran.cases["common.sdk.get-caller-identity/user"].exchange is not None
    agents = {request.headers.get("user-agent", "").partition("/")[0] for request in stub.received}
    assert {"Boto3", ""} <= agents
    assert any(b"/us-east-1/sts/aws4_request" in request.raw for request in stub.received)


def test_no_canary_is_in_any_byte(ran: Ran, stub: Stub, canaries: Canaries) -> None:
    assert ran.verdicts
    assert len(canaries.words) > 35
    sent = b"".join(request.raw for request in stub.received)
    assert len(sent) > 10_000
    told = {place for place, word in canaries.words.items() if word.encode() in sent}
    assert told == set()
    assert b"CANARY" not in sent
    assert b"eu-canary-1" not in sent
    headers = {name for request in stub.received for name in request.headers}
    assert not {name for name in headers if re.search(r"trace|authorization-token|proxy|cookie", name)}


def test_nothing_else_is_asked(ran: Ran, elsewhere: Http) -> None:
    assert ran.verdicts
    assert elsewhere.connections == 0
    assert elsewhere.received == []
