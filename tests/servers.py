"""Servers on free loopback ports that the tests start and end, and runs of the suites against them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from reports.writer import read_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reports.model import CaseResult, Results

ROOT = Path(__file__).parents[1]
STS = "https://sts.amazonaws.com/doc/2011-06-15/"
IAM = "https://iam.amazonaws.com/doc/2010-05-08/"
ACCOUNT = "123456789012"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/sts-conformance/stub"
REQUEST_ID = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"

Tree = str | dict[str, "Tree"]


# Requests as they came


@dataclass(frozen=True)
class Received:
    """A request, byte for byte."""

    raw: bytes
    body: bytes

    @cached_property
    def head(self) -> list[str]:
        return self.raw[: len(self.raw) - len(self.body)].decode("latin-1").split("\r\n")

    @property
    def method(self) -> str:
        return self.head[0].split(" ")[0]

    @property
    def target(self) -> str:
        return self.head[0].split(" ")[1]

    @cached_property
    def headers(self) -> dict[str, str]:
        pairs = (line.partition(": ") for line in self.head[1:] if line)
        return {name.lower(): value for name, _, value in pairs}

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Of a parameter sent twice, the first."""
        text = f"{urlsplit(self.target).query}&{self.body[:200_000].decode('latin-1')}"
        found: dict[str, str] = {}
        for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
            found.setdefault(name, value)
        return found

    @property
    def action(self) -> str:
        return self.parameters.get("Action", "")


def read_request(reader: BinaryIO) -> Received | None:
    """Read one request; None at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline(200_000)
        if not line:
            return None
        head += line
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    body = reader.read(int(length[1])) if length else b""
    return Received(head + body, body)


# Servers


class Listener:
    """Accepts connections; each gets a thread that runs `talk`. The scripts of hostile servers are such."""

    def __init__(self, talk: Callable[[socket.socket], None] | None = None) -> None:
        self._talk = talk
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        self.ended = threading.Event()
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        """Have the conversation of one connection, which is closed at its end."""
        if self._talk is not None:
            self._talk(connection)

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self.ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Http(Listener):
    """Records requests and answers them with what `answer` makes: bytes, or pieces of them that end the connection.

    None closes it at once.
    """

    def __init__(self, answer: Callable[[Received], bytes | None] | None = None) -> None:
        self.received: list[Received] = []
        self.times: list[float] = []
        self.concurrent = self.peak = 0
        self._answer = answer
        super().__init__()

    def talk(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        while (request := read_request(reader)) is not None:
            with self._lock:
                self.received.append(request)
                self.times.append(time.monotonic())
                self.concurrent += 1
                self.peak = max(self.peak, self.concurrent)
            try:
                answer = self.answer(request)
            finally:
                with self._lock:
                    self.concurrent -= 1
            if answer is None:
                return
            if isinstance(answer, bytes):
                connection.sendall(answer)
                continue
            for piece in answer:
                connection.sendall(piece)
            return

    def answer(self, request: Received) -> bytes | Iterable[bytes] | None:
        """Return the bytes of an answer."""
        return self._answer(request) if self._answer is not None else None


def http(
    status: int, body: str | bytes = b"", headers: Mapping[str, str] | None = None, *, request: Received | None = None
) -> bytes:
    """Return an answer as bytes; to a HEAD request without its body."""
    data = body.encode() if isinstance(body, str) else body
    lines = {"content-type": "text/xml", "x-amzn-requestid": REQUEST_ID} | dict(headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    start = f"HTTP/1.1 {status} -\r\n{head}content-length: {len(data)}\r\n\r\n".encode("latin-1")
    return start if request is not None and request.method == "HEAD" else start + data


# Answers of an STS


def document(name: str, tree: Tree, namespace: str = STS) -> str:
    """Lay a document out as AWS does."""
    return _element(name, tree, 0, f' xmlns="{namespace}"')


def _element(name: str, tree: Tree, depth: int, attributes: str = "") -> str:
    indent = "  " * depth
    if isinstance(tree, str):
        return f"{indent}<{name}{attributes}>{escape(tree)}</{name}>\n"
    inner = "".join(_element(child, value, depth + 1) for child, value in tree.items())
    return f"{indent}<{name}{attributes}>\n{inner}{indent}</{name}>\n"


def error(code: str, message: str | None, namespace: str = STS) -> str:
    """Return the envelope of a refusal."""
    told: Tree = {} if message is None else {"Message": message}
    assert isinstance(told, dict)
    return document(
        "ErrorResponse", {"Error": {"Type": "Sender", "Code": code, **told}, "RequestId": REQUEST_ID}, namespace
    )


@dataclass(frozen=True)
class Minted:
    """Temporary credentials that a stub gave out."""

    key_id: str
    secret: str
    token: str
    arn: str


def mint(arn: str, key_id: str = "") -> Minted:
    """Make credentials of the forms that AWS gives them, never twice the same."""
    noise = base64.b32encode(os.urandom(10)).decode()
    secret = "/+" + base64.b64encode(os.urandom(30)).decode()[:38]
    token = "FwoGZXIvYXdzE+/" + base64.b64encode(os.urandom(360)).decode() + "=="
    return Minted(key_id or f"ASIA{noise[:16]}", secret, token, arn)


def granted(action: str, given: Mapping[str, str], minted: Minted, caller: str = USER_ARN) -> str:
    """Return the success of `action` as AWS would send it; KeyError for one that is never granted here."""
    seconds = int(given.get("DurationSeconds") or {"AssumeRole": 3600}.get(action, 43200))
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    credentials: Tree = {
        "AccessKeyId": minted.key_id,
        "SecretAccessKey": minted.secret,
        "SessionToken": minted.token,
        "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }
    passed = bool({"Policy", "Tags.member.1.Key"} & set(given))
    packed: dict[str, Tree] = {"PackedPolicySize": "6"} if passed else {}
    echoed: dict[str, Tree] = {"SourceIdentity": given["SourceIdentity"]} if given.get("SourceIdentity") else {}
    results: dict[str, Callable[[], Tree]] = {
        "GetCallerIdentity": lambda: {"Arn": caller, "UserId": user_id(caller), "Account": ACCOUNT},
        "GetAccessKeyInfo": lambda: {"Account": ACCOUNT},
        "GetSessionToken": lambda: {"Credentials": credentials},
        "AssumeRole": lambda: {
            **echoed,
            "AssumedRoleUser": {"AssumedRoleId": user_id(minted.arn), "Arn": minted.arn},
            **packed,
            "Credentials": credentials,
        },
        "GetFederationToken": lambda: {
            "FederatedUser": {"FederatedUserId": user_id(minted.arn), "Arn": minted.arn},
            "PackedPolicySize": "6" if passed else "0",
            "Credentials": credentials,
        },
    }
    result = results[action]()
    return document(f"{action}Response", {f"{action}Result": result, "ResponseMetadata": {"RequestId": REQUEST_ID}})


def user_id(arn: str) -> str:
    """Return the id that goes with an ARN."""
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    name = rest.rpartition("/")[2]
    return {
        "user": "AIDASTUBSTUBSTUBSTUB1",
        "assumed-role": f"AROASTUBSTUBSTUBSTUB1:{name}",
        "federated-user": f"{ACCOUNT}:{name}",
    }[kind]


@dataclass(frozen=True)
class Told:
    """An answer on its way."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class Forwarding(Http):
    """Stands between the suites and an endpoint, keeps what is said, and may alter an answer on its way.

    `alter` returns another answer, or pieces of bytes that are sent as they are.
    """

    def __init__(self, port: int, alter: Callable[[Received, Told], Told | Iterable[bytes]] | None = None) -> None:
        self.port_behind = port
        self.answers: list[str] = []
        self._alter = alter
        super().__init__()

    def answer(self, request: Received) -> bytes | Iterable[bytes] | None:
        with socket.create_connection(("127.0.0.1", self.port_behind)) as connection:
            connection.sendall(request.raw)
            response = HTTPResponse(connection, method=request.method)
            response.begin()
            body = response.read()
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
        came = Told(response.status, headers, body)
        told = self._alter(request, came) if self._alter is not None else came
        if not isinstance(told, Told):
            return told
        self.answers.append(told.text)
        return http(told.status, told.body, told.headers, request=request)


_HOP_BY_HOP = {"content-length", "transfer-encoding", "connection"}


MFA_SEED = base64.b64encode(base64.b32encode(b"0123456789abcdefghij")).decode()  # twice encoded, as IAM sends it
Refusal = tuple[int, str, str | None]
_LOWEST, _HIGHEST = 900, {"AssumeRole": 43200, "GetFederationToken": 129600, "GetSessionToken": 129600}


@dataclass
class Manner:
    """How a stub deviates from granting everything."""

    refuse: Callable[[Received], Refusal | None] = lambda _: None
    answer: Callable[[Received], bytes | None] = lambda _: None  # an answer in place of the stub's own
    delay: float = 0.0
    dies_after: int = 0  # requests; then connections are cut and nothing listens any more
    hangs_after: int = 0  # requests; then nothing is answered any more
    strict: bool = True  # holds DurationSeconds against its bounds
    actions: frozenset[str] = frozenset({*_HIGHEST, "GetCallerIdentity", "GetAccessKeyInfo"})
    headers: dict[str, str] = field(default_factory=dict)


class Stub(Http):
    """An STS and IAM that grants what is asked, checks durations, and remembers the secrets it gave out."""

    def __init__(self, manner: Manner | None = None) -> None:
        self.manner = manner or Manner()
        self.minted: list[Minted] = []
        self.iam: list[Received] = []
        super().__init__()

    def answer(self, request: Received) -> bytes | None:
        manner, count = self.manner, len(self.received)
        if manner.dies_after and count > manner.dies_after:
            self.close()
            return None
        if manner.hangs_after and count > manner.hangs_after:
            self.ended.wait()
            return None
        if manner.delay:
            time.sleep(manner.delay)
        own = manner.answer(request)
        return own if own is not None else self.own(request)

    def own(self, request: Received) -> bytes:
        """Answer in the stub's own way."""
        action = request.action
        if request.parameters.get("Version") == "2010-05-08":
            return self._iam(request)
        refusal = self.manner.refuse(request)
        if refusal is None and self.manner.strict:
            refusal = _violation(request)
        if refusal is None and action not in self.manner.actions:
            version = request.parameters.get("Version", "NO_VERSION_SPECIFIED")
            refusal = 400, "InvalidAction", f"Could not find operation {action} for version {version}"
        if refusal is not None:
            status, code, message = refusal
            return http(status, error(code, message), self.manner.headers, request=request)
        return http(200, self._grant(request), self.manner.headers, request=request)

    def _grant(self, request: Received) -> str:
        given, account = request.parameters, ACCOUNT
        role = given.get("RoleArn", "").rpartition("/")[2]
        arns = {
            "AssumeRole": f"arn:aws:sts::{account}:assumed-role/{role}/{given.get('RoleSessionName')}",
            "GetFederationToken": f"arn:aws:sts::{account}:federated-user/{given.get('Name')}",
        }
        minted = mint(arns.get(request.action, self._caller(request)))
        if request.action in _HIGHEST:
            self.minted.append(minted)
        return granted(request.action, given, minted, self._caller(request))

    def _caller(self, request: Received) -> str:
        text = request.headers.get("authorization", "") + request.parameters.get("X-Amz-Credential", "")
        return next((m.arn for m in reversed(self.minted) if m.key_id in text), USER_ARN)

    def _iam(self, request: Received) -> bytes:
        self.iam.append(request)
        action, given = request.action, request.parameters
        made: dict[str, Tree] = {}
        if action == "CreateUser":
            made = {"User": {"Arn": USER_ARN, "UserId": user_id(USER_ARN)}}
        elif action == "CreateAccessKey":
            keys = mint(USER_ARN, "AKIASTUBSTUBSTUB0001")
            keys = replace(keys, token=keys.secret)  # long-term keys have none
            self.minted.append(keys)
            made = {"AccessKey": {"AccessKeyId": keys.key_id, "SecretAccessKey": keys.secret}}
        elif action == "CreateRole":
            made = {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/sts-conformance/{given['RoleName']}"}}
        elif action == "CreateSAMLProvider":
            made = {"SAMLProviderArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/{given['Name']}"}
        elif action == "CreateOpenIDConnectProvider":
            issuer = given["Url"].partition("://")[2]
            made = {"OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}
        elif action == "CreateVirtualMFADevice":
            serial = f"arn:aws:iam::{ACCOUNT}:mfa/sts-conformance/{given['VirtualMFADeviceName']}"
            made = {"VirtualMFADevice": {"SerialNumber": serial, "Base32StringSeed": MFA_SEED}}
        elif action == "CreatePolicy":
            made = {"Policy": {"Arn": f"arn:aws:iam::{ACCOUNT}:policy/sts-conformance/{given['PolicyName']}"}}
        body: dict[str, Tree] = {f"{action}Result": made} if made else {}
        return http(200, document(f"{action}Response", body | {"ResponseMetadata": {"RequestId": REQUEST_ID}}, IAM))


# Parameters of IAM that say what is made or removed: the first of them that is there.
_NAMING = (
    "PolicyArn", "SAMLProviderArn", "OpenIDConnectProviderArn", "SerialNumber", "VirtualMFADeviceName", "Url", "Name",
    "AccessKeyId", "RoleName", "UserName", "PolicyName",
)  # fmt: skip


def undone(stub: Stub) -> set[str]:
    """Return what was made through IAM and not removed."""
    made: set[str] = set()
    gone: set[str] = set()
    for request in stub.iam:
        verb, kind = re.sub("(Create|Put|Delete|Update|Enable|Deactivate)", r"\1 ", request.action).split()
        given = request.parameters
        if verb == "Update":
            continue
        named = {"AccessKey": "UserName", "UserPolicy": "UserName", "RolePolicy": "RoleName"}.get(kind)
        name = given[named or next(name for name in _NAMING if name in given)]
        name = name.partition("://")[2].rpartition("/")[2] or name.rpartition("/")[2]
        (gone if verb in {"Delete", "Deactivate"} else made).add(f"{kind} {name}")
    assert made
    return made - gone


def _violation(request: Received) -> Refusal | None:
    """Hold DurationSeconds against its bounds; nothing else, so that there are deviations to see."""
    text = request.parameters.get("DurationSeconds")
    highest = _HIGHEST.get(request.action)
    if text is None or highest is None:
        return None
    try:
        number = int(text)
    except ValueError:
        return 400, "MalformedInput", None if text else "missing value for decimal type"
    if -(2**31) <= number < 2**31:
        for wrong, words in (
            (number < _LOWEST, f"greater than or equal to {_LOWEST}"),
            (number > highest, f"less than or equal to {highest}"),
        ):
            if wrong:
                clause = f"Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member must have value"
                return 400, "ValidationError", f"1 validation error detected: {clause} {words}"
        return None
    return 400, "MalformedInput", None


# Runs of the suites


@dataclass(frozen=True)
class Ran:
    """A run of the suites that has ended."""

    status: int
    output: str  # both streams
    seconds: float
    report: Path

    @cached_property
    def results(self) -> Results:
        return read_results(self.report / "results.json")

    @property
    def cases(self) -> dict[str, CaseResult]:
        return {case.id: case for case in self.results.cases}

    @property
    def verdicts(self) -> dict[str, str]:
        return {case.id: case.verdict for case in self.results.cases}


class Run:
    """A run of the suites in a process of its own."""

    def __init__(
        self,
        report: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        cache: Path | None = None,
        script: Path | None = None,
    ) -> None:
        self.report = report
        self._begun = time.monotonic()
        keeping = ["-p", "no:cacheprovider"] if cache is None else ["-o", f"cache_dir={cache}"]
        pytest = ["-m", "pytest"] if script is None else [str(script)]
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background, and children inherit that
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command = [sys.executable, *pytest, *keeping, f"--report={report}", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment() | ({"PYTHONPATH": str(ROOT)} if script else {}) | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def interrupt(self) -> None:
        """Send what Ctrl-C sends: SIGINT to all processes of the foreground, of which servers of ours are none."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, timeout: float = 120.0) -> Ran:
        """Wait for its end."""
        try:
            output, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, _ = self.process.communicate()
            raise AssertionError(f"no end within {timeout} s:\n{output[-3000:]}") from None
        return Ran(self.process.returncode, output, time.monotonic() - self._begun, self.report)


# Forks a process for each list of arguments that comes in a line: what all runs import is imported once.
_FORKING = """
import json, os, sys
import pytest, generators.everything, suites.session
generators.everything.cases()
for line in sys.stdin:
    given = json.loads(line)
    if not (child := os.fork()):
        descriptor = os.open(given["output"], os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        status = pytest.main(given["arguments"])
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Preloaded:
    """Runs of the suites, one after another, that begin with everything imported: for runs that end early."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, *arguments: str) -> Ran:
        """Run with `folder` / report and wait for the end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        report, output = folder / "report", folder / "output"
        given = ["-p", "no:cacheprovider", f"--report={report}", *arguments]
        begun = time.monotonic()
        self._process.stdin.write(json.dumps({"arguments": given, "output": str(output)}) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Ran(status, output.read_text(encoding="utf-8"), time.monotonic() - begun, report)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def clean_environment() -> dict[str, str]:
    """Return the environment without what tells pytest or AWS clients what to do."""
    told = ("AWS_", "PYTEST_", "HTTP_PROXY", "http_proxy")
    return {name: value for name, value in os.environ.items() if not name.startswith(told)}


def run(
    report: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    cache: Path | None = None,
    script: Path | None = None,
) -> Ran:
    """Run the suites, as `python -m pytest` or by a script of the test's, and wait for their end."""
    return Run(report, *arguments, environment=environment, cache=cache, script=script).wait()


def deviations(path: Path) -> dict[str, str]:
    """Return the cases that a results file calls deviating, with what was received."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {case["id"]: case["received"] for case in data["cases"] if case["verdict"] == "deviates"}


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for `condition`; AssertionError if it does not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False
