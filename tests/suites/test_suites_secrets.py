"""Nothing of the user's goes to an endpoint that is not AWS, and no secret of an endpoint into an artifact."""

from __future__ import annotations

import html
import json
import re
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from targets.embedded import EmbeddedServer, start_moto, start_reference
from tests.servers import Forwarding, Listener, Manner, Minted, Ran, Received, Run, Stub, Told, error, run
from tests.servers import http as answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

WINDOW = 16  # characters: so much of a secret must stand nowhere
SELECTED = "assume-role.duration or data-type.credentials or tag.key.required or sdk or access-key-info or json"


class Leaky(Stub):
    """Tells secrets that it gave out before: in messages, codes, headers, HTML, JSON and redirects."""

    def __init__(self) -> None:
        super().__init__(Manner(answer=self.tell))
        self.told: set[str] = set()

    def tell(self, request: Received) -> bytes | None:
        given, first = request.parameters, self.minted[:4]  # those that provisioning asked for
        if request.action == "AssumeRole" and given.get("DurationSeconds") == "900":
            body = self._grant(request)
            said = re.findall(r"<S\w+>([^<]+)</S", body)
            return self._said("its own", answer_of(200, body, {"x-leak": " ".join(said)}))
        return self._of_another(request, first[len(self.received) % 4]) if len(first) == 4 else None

    def _of_another(self, request: Received, which: Minted) -> bytes | None:
        given = request.parameters
        spoken = f"{which.secret} and {which.token}"
        if request.action == "GetAccessKeyInfo":
            page = f"<html><p title='{html.escape(spoken)}'>{quote(which.token, safe='')}</p></html>"
            return self._said("html", answer_of(200, page, {"x-leak": spoken, "content-type": "text/html"}))
        if given.get("DurationSeconds") in {"0", "899", "abc"}:
            body = error("ValidationError", f"DurationSeconds wrong for {spoken}")
            return self._said("message", answer_of(400, body, {"x-amzn-leak": quote(which.token)}))
        if "Tags.member.1.Key" in given and not request.headers.get("user-agent", "").startswith("Boto3"):
            body = json.dumps({"message": spoken}) + json.dumps({"escaped": spoken}).replace("/", "\\/")
            return self._said("json", answer_of(418, body, {"location": f"/?{quote(spoken)}"}))
        if request.headers.get("accept") == "application/json":
            return self._said("code", answer_of(400, error(which.token, which.secret)))
        return None

    def _said(self, how: str, answer: bytes) -> bytes:
        self.told.add(how)
        return answer


@lru_cache(maxsize=4)
def pieces(told: frozenset[str]) -> frozenset[str]:
    """Return every run of so many characters of secrets."""
    return frozenset(secret[n : n + WINDOW] for secret in told for n in range(len(secret) - WINDOW + 1))


def traces(text: str, told: Iterable[str]) -> set[str]:
    """Return the pieces of secrets that stand in `text`."""
    known = pieces(frozenset(told))
    runs = re.finditer(rf"[\w+/=%-]{{{WINDOW},}}", text)
    found = ((run[0], n) for run in runs for n in range(len(run[0]) - WINDOW + 1))
    return {piece for whole, n in found if (piece := whole[n : n + WINDOW]) in known}


def artifacts(ran: Ran) -> dict[str, str]:
    """Return what a run leaves behind, by name."""
    files = sorted(path for path in ran.report.parent.rglob("*") if path.is_file())
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    return texts | {"what it printed": ran.output}


def test_traces_are_found() -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert traces(f"x{secret}y", [secret])
    assert traces(f"<{secret[10:26]}>", [secret]) == {secret[10:26]}
    assert not traces(secret[:15], [secret])


class Canaries:
    """What a user's environment holds that is nobody's business."""

    def __init__(self, folder: Path, proxy: Listener, elsewhere: Listener) -> None:
        self.folder = folder
        self.words = {name: f"CANARY{secrets.token_hex(12)}" for name in ("id", "key", "token", "profile", "file")}
        (folder / ".aws").mkdir(parents=True)
        keys = "\n".join(f"aws_{part} = {self.words['file']}" for part in ("access_key_id", "secret_access_key"))
        for name in ("default", self.words["profile"]):
            for file, head in (("credentials", name), ("config", f"profile {name}")):
                with (folder / ".aws" / file).open("a", encoding="utf-8") as config:
                    config.write(f"[{head}]\n{keys}\nendpoint_url = {elsewhere.url}\nregion = eu-north-1\n")
        self.environment = {
            "HOME": str(folder),
            "AWS_ACCESS_KEY_ID": self.words["id"],
            "AWS_SECRET_ACCESS_KEY": self.words["key"],
            "AWS_SESSION_TOKEN": self.words["token"],
            "AWS_PROFILE": self.words["profile"],
            "AWS_ENDPOINT_URL": elsewhere.url,
            "AWS_ENDPOINT_URL_STS": elsewhere.url,
            "AWS_REGION": "eu-north-1",
            "HTTP_PROXY": proxy.url,
            "http_proxy": proxy.url,
            "ALL_PROXY": proxy.url,
        }


@pytest.fixture(scope="module")
def proxy() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory, proxy: Listener, elsewhere: Listener) -> Canaries:
    return Canaries(tmp_path_factory.mktemp("home"), proxy, elsewhere)


def reported(folder: Path, url: str, environment: dict[str, str], *more: str) -> Ran:
    """Run the suites with every kind of report there is."""
    kinds = (f"--junitxml={folder / 'junit.xml'}", f"--alluredir={folder / 'allure'}", "-rA", "-vv", "--showlocals")
    return Run(folder / "report", f"--target={url}", *kinds, *more, environment=environment).wait()


@pytest.fixture(scope="module", params=["one process", "two workers"])
def leaky(request: pytest.FixtureRequest) -> Iterator[tuple[str, Leaky]]:
    with Leaky() as stub:
        yield request.param, stub


@pytest.fixture(scope="module")
def stub(leaky: tuple[str, Leaky]) -> Leaky:
    return leaky[1]


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory, leaky: tuple[str, Leaky], canaries: Canaries) -> Ran:
    workers = ("-n", "2") if leaky[0] == "two workers" else ()
    folder = tmp_path_factory.mktemp("leaked")
    return reported(folder, leaky[1].url, canaries.environment, "-k", SELECTED, *workers)


def test_the_run_is_worth_looking_at(leaked: Ran, stub: Leaky) -> None:
    assert leaked.status == pytest.ExitCode.TESTS_FAILED
    assert stub.told == {"html", "message", "json", "code", "its own"}
    assert len(stub.minted) > 20
    assert {"deviates", "conforms"} <= set(leaked.verdicts.values())
    names = artifacts(leaked).keys()
    assert {"results.json", "index.html", "junit.xml"} <= names
    assert any(name.endswith("-attachment.txt") for name in names)


def test_canaries_are_in_no_request(leaked: Ran, stub: Leaky, canaries: Canaries) -> None:
    assert leaked.results.cases
    sent = b"".join(request.raw for request in stub.received)
    assert b"Credential=test/" in sent  # what is sent instead
    for word in canaries.words.values():
        assert word.encode() not in sent
    assert b"eu-north-1" not in sent


def test_canaries_are_in_no_artifact(leaked: Ran, canaries: Canaries) -> None:
    for name, text in artifacts(leaked).items():
        assert "CANARY" not in text, name


def test_neither_proxy_nor_endpoint_of_the_environment_is_used(
    leaked: Ran, proxy: Listener, elsewhere: Listener
) -> None:
    assert leaked.cases["common.sdk.get-caller-identity/user"].exchange is not None
    assert (proxy.connections, elsewhere.connections) == (0, 0)


def test_no_secret_of_the_endpoint_is_in_an_artifact(leaked: Ran, stub: Leaky) -> None:
    told = [text for minted in stub.minted for text in (minted.secret, minted.token)]
    for name, text in artifacts(leaked).items():
        assert not traces(text, told), name


def test_what_is_no_secret_stays(leaked: Ran) -> None:
    text = artifacts(leaked)["results.json"]
    assert "<redacted>" in text
    assert "DurationSeconds wrong for <redacted>" in text
    assert re.search(r"ASIA\w{16}", text)


@pytest.fixture(scope="module")
def moto() -> Iterator[EmbeddedServer]:
    server = start_moto()
    server.ready()
    yield server
    server.stop()


def test_no_secret_of_moto_is_in_an_artifact(moto: EmbeddedServer, tmp_path: Path, canaries: Canaries) -> None:
    with Forwarding(moto.port) as between:
        ran = reported(tmp_path, between.url, canaries.environment, "-k", "data-type.credentials or sdk")
    told = {
        html.unescape(secret)
        for text in between.answers
        for secret in re.findall(r"<(?:SecretAccessKey|SessionToken)>\s*([^<]+?)\s*<", text)
    }
    assert len(told) > 10
    assert ran.results.complete
    for name, text in artifacts(ran).items():
        assert not traces(text, told), name
        assert "CANARY" not in text, name


SECRETS = "SecretAccessKey|SessionToken|WebIdentityToken|Base32StringSeed"
PROBE = """
import logging
from targets.wire import filled, prepare

def locals_of_a_test(sts):
    session = sts.estate.callers["session"]
    token, secret = session.session_token, session.secret_access_key
    seeds, issuers, values = sts.estate.seeds, sts.estate.issuers, dict(sts.estate.values)
    logging.getLogger("probe").warning("%s and %r", token, [secret])
    logging.getLogger("probe").error("does not fit: %d", token)
    print(token, secret)
    raise ValueError(f"{token} {secret} {list(seeds.values())}")

def test_one(sts):
    locals_of_a_test(sts)

def test_two(sts):
    token = sts.estate.callers["session"].session_token
    assert token == "another"

def test_three(sts):
    raise ValueError from KeyError(sts.estate.callers["session"].session_token)
"""


@pytest.fixture(scope="module")
def reference() -> Iterator[EmbeddedServer]:
    server = start_reference()
    server.ready()
    yield server
    server.stop()


@pytest.mark.parametrize("verbosity", [("-vv", "-l", "--tb=long"), ("-l", "--tb=short"), ("--tb=native", "-vv")])
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_no_secret_of_the_reference_is_in_an_artifact(
    workers: tuple[str, ...], verbosity: tuple[str, ...], reference: EmbeddedServer, tmp_path: Path
) -> None:
    """Whatever libraries log, whatever variables tracebacks show."""
    probe = tmp_path / "suites_probe.py"
    probe.write_text(PROBE, encoding="utf-8")
    folder = tmp_path / "artifacts"
    files = (f"--junitxml={folder / 'junit.xml'}", f"--alluredir={folder / 'allure'}", "-rA", "--rootdir=.")
    logs = ("--log-cli-level=DEBUG", f"--log-file={folder / 'log.txt'}", "--log-file-level=DEBUG")
    signatures: set[str] = set()  # of tokens that let somebody in

    def keep(request: Received, told: Told) -> Told:
        token = request.parameters.get("WebIdentityToken", "")
        if told.status == 200 and token:
            signatures.add(token.rpartition(".")[2])
        return told

    with Forwarding(reference.port, keep) as between:
        ran = Run(
            folder / "report", f"--target={between.url}", *files, *logs, *verbosity, *workers, "suites", str(probe),
            "-k", "probe or sdk or get-session-token or mfa or saml or web-identity or chain", "--examples=5",
        ).wait()  # fmt: skip
    handed_out = {
        html.unescape(secret)
        for text in between.answers
        for secret in re.findall(rf"<(?:{SECRETS})>\s*([^<]+?)\s*<", text)
    }
    assert len(handed_out) > 50
    assert len(signatures) > 10
    assert ran.results.complete
    assert "locals_of_a_test" in ran.output
    assert ran.output.count("ValueError") > 1
    told = frozenset(handed_out | signatures)
    for name, text in artifacts(ran).items():
        assert not traces(text, told), name


def test_a_traceback_holds_no_secret(tmp_path: Path) -> None:
    """--showlocals prints what is in reach of a failing test: the session with its credentials."""
    probe = tmp_path / "suites_probe.py"
    probe.write_text(
        "def test_it(sts):\n    target, estate = sts.target, sts.estate\n    assert not estate\n",
        encoding="utf-8",
    )
    with Stub() as stub:
        ran = Run(
            tmp_path / "report", f"--target={stub.url}", "-vv", "--showlocals", "--rootdir=.", "suites",
            str(probe), "-k", "test_it or get-access-key-info",
        ).wait()  # fmt: skip
        told = [text for minted in stub.minted for text in (minted.secret, minted.token)]
    assert "assert not estate" in ran.output
    assert "AKIASTUB" in ran.output  # the locals are there
    assert told
    assert not traces(ran.output, told)


def test_what_boto3_says_of_a_body_holds_no_secret(tmp_path: Path) -> None:
    r"""ResponseParserError quotes the body as Python's repr: JSON's `\/` becomes `\\/`, no known spelling."""

    def tell(request: Received) -> bytes | None:
        if server.minted and request.headers.get("user-agent", "").startswith("Boto3"):
            return answer_of(200, json.dumps({"token": server.minted[1].token}).replace("/", "\\/"))
        return None

    with Stub(Manner(answer=tell)) as server:
        ran = run(tmp_path, f"--target={server.url}", "-q", "-k", "common.sdk.get-access-key-info/user")
        told = [minted.token for minted in server.minted]
    assert ran.verdicts == {"common.sdk.get-access-key-info/user": "deviates"}
    assert not traces((tmp_path / "results.json").read_text(encoding="utf-8"), told)
    assert not traces(ran.output, told)
