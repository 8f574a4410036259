"""What an endpoint answers is data: no answer of it stops a run, fills the memory, or speaks for the suite.

Each fault stands between the suites and a reference that is otherwise right.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from targets.embedded import EmbeddedServer, start_reference
from tests.servers import ROOT, Forwarding, Ran, Received, Run, Told, clean_environment, error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Alter = Callable[[Received, Told], Told | Iterable[bytes]]

MEGABYTE = 1024 * 1024
MOST_MEMORY = 400 * MEGABYTE
SDK = "common.sdk.get-caller-identity/user"
OVERRIDE, ESCAPE = "\u202e", "\x1b[2J"


@pytest.fixture(scope="module")
def reference() -> Iterator[EmbeddedServer]:
    server = start_reference()
    server.ready()
    yield server
    server.stop()


@dataclass(frozen=True)
class Seen:
    """A run with a fault in between, and how much memory its process took at most."""

    ran: Ran
    memory: int  # bytes
    forwarding: Forwarding


def run_with(alter: Alter, reference: EmbeddedServer, folder: Path, *arguments: str) -> Seen:
    """Run the suites with a fault between them and the reference."""
    with Forwarding(reference.port, alter) as between:
        process = Run(folder / "report", f"--target={between.url}", "-q", "--examples=0", *arguments)
        peak = _Peak(process.process.pid)
        ran = process.wait(timeout=180)
        peak.join()
    return Seen(ran, peak.bytes, between)


class _Peak(threading.Thread):
    """Looks how much memory a process takes until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.bytes = 0
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while match := re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text(encoding="ascii")):
                self.bytes = int(match[1]) * 1024
                time.sleep(0.02)


def check_whole(seen: Seen, reference: EmbeddedServer) -> None:
    """Hold a run against what every run owes: an end, results, no traceback, nothing left behind."""
    ran = seen.ran
    assert ran.status in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}, ran.output[-3000:]
    assert ran.results.complete
    assert "INTERNALERROR" not in ran.output
    assert "Traceback" not in ran.output
    assert "fault of the suite" not in (ran.report / "results.json").read_text(encoding="utf-8")
    assert seen.memory < MOST_MEMORY
    for line in left_behind(reference).splitlines()[:-1]:  # what an endpoint misnames may stay, but it is told
        name = re.split("[ /]", line.partition(",")[0])[-1]
        assert re.search(rf"could not be removed from the target: .*{name}", ran.output)


def left_behind(reference: EmbeddedServer) -> str:
    """Return what a list of leftovers says, and remove them for the tests that follow."""
    command = [sys.executable, "-m", "targets.leftovers", f"--target={reference.url}", "--older-than=0"]
    listed = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)
    subprocess.run([*command, "--remove"], cwd=ROOT, env=clean_environment(), capture_output=True, check=False)
    return (listed.stdout + listed.stderr).strip()


def of_boto3(request: Received) -> bool:
    return request.headers.get("user-agent", "").startswith("Boto3")


# The boto3 path


def endless(request: Received, told: Told) -> Told | Iterable[bytes]:
    """Answer boto3 with a gigabyte."""
    if not of_boto3(request):
        return told
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n\r\n"
    return itertools.chain((head,), itertools.repeat(b" " * MEGABYTE, 1024))


def dripping(request: Received, told: Told) -> Told | Iterable[bytes]:
    """Answer boto3 a byte at a time, for minutes."""
    if not of_boto3(request):
        return told

    def drip() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 1000\r\n\r\n"
        for _ in range(1000):
            yield b"<"
            time.sleep(0.2)

    return drip()


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
ENTITIES = f'<!DOCTYPE r [<!ENTITY e0 "{"x" * 10}">{BOMB}]>'


@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="UTF-16"?>'], ids=["plain", "said UTF-16"])
def test_boto3_expands_no_entities(declaration: str, reference: EmbeddedServer, tmp_path: Path) -> None:
    """botocore reads as UTF-8 whatever is declared, and its parser expands."""

    def alter(request: Received, told: Told) -> Told:
        body = f"{declaration}{ENTITIES}{told.text.replace('<Account>', '<Account>&e9;')}"
        return replace(told, body=body.encode()) if of_boto3(request) else told

    seen = run_with(alter, reference, tmp_path, "-k", SDK)
    check_whole(seen, reference)
    assert seen.ran.verdicts == {SDK: "deviates"}
    assert seen.ran.cases[SDK].received == "boto3 is not given the answer: it declares a document type"


def test_boto3_reads_no_gigabyte(reference: EmbeddedServer, tmp_path: Path) -> None:
    seen = run_with(endless, reference, tmp_path, "-k", "common.sdk")
    check_whole(seen, reference)
    assert seen.ran.cases[SDK].verdict == "inconclusive"
    assert seen.ran.cases[SDK].reason == f"no answer: the answer's body is over {MEGABYTE} bytes"


def test_boto3_waits_no_longer_than_the_time_limit(reference: EmbeddedServer, tmp_path: Path) -> None:
    seen = run_with(dripping, reference, tmp_path, "-k", SDK, "--timeout=1")
    check_whole(seen, reference)
    assert seen.ran.cases[SDK].reason == "no answer: no answer within 1 s"
    drips = 1000 * 0.2
    assert seen.ran.seconds < drips / 2


def test_ctrl_c_ends_a_call_of_boto3(reference: EmbeddedServer, tmp_path: Path) -> None:
    with Forwarding(reference.port, dripping) as between:
        process = Run(tmp_path / "report", f"--target={between.url}", "-q", "-k", SDK, "--timeout=3000")
        deadline = time.monotonic() + 60
        while not any(of_boto3(request) for request in between.received):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.interrupt()
        ran = process.wait(timeout=60)
    assert ran.status == pytest.ExitCode.INTERRUPTED
    assert left_behind(reference) == "nothing was left behind"


# Answers that look like something of ours


def in_elements(names: str, change: Callable[[str], str], actions: str = ".*") -> Alter:
    """Change the texts of elements in answers to some actions."""

    def alter(request: Received, told: Told) -> Told:
        if not re.fullmatch(actions, request.action):
            return told
        body = re.sub(rf"(<({names})>)([^<]*)(?=<)", lambda match: match[1] + change(match[3]), told.text)
        return replace(told, body=body.encode())

    return alter


THINGS = "Arn|UserId|RoleId|AccessKeyId|SerialNumber|SAMLProviderArn|OpenIDConnectProviderArn|Base32StringSeed"
SCENARIOS = "test_scenarios and (saml or web-identity or mfa or trust or tags)"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "${name}" + text,
        lambda text: text + "${account}",
        lambda _: "${role-arn}",
        lambda text: text + '"}],"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}],"x":[{"y":"',
        lambda text: text + "{{ 7*7 }}{% raw %}%s %(x)s",
        lambda text: text + "&#13;&#10;X-Injected: yes",
        lambda text: text + OVERRIDE + "&#xFFFD;",
        lambda text: text + " " * 5000,
        lambda _: "",
    ],
    ids=["unknown name", "known name", "a name alone", "JSON", "templates", "lines", "override", "blanks", "empty"],
)
def test_names_and_ids_of_iam_are_data(
    change: Callable[[str], str], reference: EmbeddedServer, tmp_path: Path
) -> None:
    """What IAM says things are called goes into requests and policies."""
    alter = in_elements(THINGS, change, "Create.*|GetCallerIdentity")
    seen = run_with(alter, reference, tmp_path, "-k", f"assume-role.duration or sdk or {SCENARIOS}", "-ra")
    check_whole(seen, reference)
    sent = [request for request in seen.forwarding.received if request.headers.get("x-injected")]
    assert not sent
    assert OVERRIDE not in seen.ran.output
    documents = [
        request.parameters[name]
        for request in seen.forwarding.received
        for name in ("AssumeRolePolicyDocument", "PolicyDocument")
        if name in request.parameters
    ]
    assert documents
    assert not [document for document in documents if '"Principal":"*"' in document]


def test_placeholders_in_every_text_of_an_answer(reference: EmbeddedServer, tmp_path: Path) -> None:
    """Also in those that steps keep, and that deletions are answered with."""
    names = "Arn|UserId|AssumedRoleId|FederatedUserId|Subject|Provider|Issuer|SourceIdentity|Message|Account"
    alter = in_elements(names, lambda text: text + "${name}")
    seen = run_with(alter, reference, tmp_path, "-k", f"assume-role.duration or {SCENARIOS}")
    check_whole(seen, reference)


@pytest.mark.parametrize("broken", ["\r\nX-Injected: yes", "\n", "\x85", "é", " "])
@pytest.mark.parametrize("part", ["AccessKeyId", "SecretAccessKey", "SessionToken"])
def test_credentials_with_control_characters_are_not_used(
    part: str, broken: str, reference: EmbeddedServer, tmp_path: Path
) -> None:
    written = "".join(f"&#{ord(char)};" for char in broken)
    alter = in_elements(part, lambda text: text[:10] + written + text[10:])
    seen = run_with(alter, reference, tmp_path, "-k", "get-caller-identity or sdk or chain")
    check_whole(seen, reference)
    for request in seen.forwarding.received:
        assert "x-injected" not in request.headers
        assert b"X-Injected" not in request.raw


def test_digits_of_other_scripts_are_no_account(reference: EmbeddedServer, tmp_path: Path) -> None:
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    alter = in_elements("Account|PackedPolicySize", lambda text: text.translate(arabic))
    seen = run_with(alter, reference, tmp_path, "-k", "get-caller-identity or get-access-key-info")
    check_whole(seen, reference)
    told = ("get-caller-identity.response.account.meaning/user", "get-access-key-info.returns-account/own-key")
    assert [seen.ran.verdicts[case_id] for case_id in told] == ["deviates", "deviates"]


# What an endpoint calls a secret


WORDS = (
    "AccessDenied", "ValidationError", "DurationSeconds", "constraint-violation", "GetCallerIdentity", "2011-06-15",
    "https://sts.amazonaws.com/doc/2011-06-15/", "application/x-www-form-urlencoded", "AWS4-HMAC-SHA256",
    "assume-role.duration-seconds.min", "ExpiredTokenException", "MalformedPolicyDocument", "123456789012",
    "http://127.0.0.1", "aaaaaaaaaaaaaaaa", "deviates", "conforms",
)  # fmt: skip


def test_our_own_words_are_no_secrets(reference: EmbeddedServer, tmp_path: Path) -> None:
    """An endpoint that calls AccessDenied a session token would blank the report."""
    secrets = itertools.cycle(WORDS)
    alter = in_elements("SessionToken|SecretAccessKey", lambda _: next(secrets))
    selected = "assume-role.duration or get-caller-identity"
    seen = run_with(alter, reference, tmp_path / "words", "-k", selected)
    check_whole(seen, reference)
    plain = run_with(lambda _, told: told, reference, tmp_path / "plain", "-k", selected)
    for case_id, case in plain.ran.cases.items():
        other = seen.ran.cases[case_id]
        assert other.expected.count("<redacted>") == case.expected.count("<redacted>"), case_id
        assert "<redacted>" not in other.received, case_id
        assert "<redacted>" not in other.reason, case_id


def flood(request: Received, told: Told) -> Told:
    """Hand out thousands of made-up session tokens that begin and end alike."""
    if not request.action.startswith(("Assume", "Get")) or request.action == "GetCallerIdentity":
        return told
    numbers = range(len(told.body) % 7, 26_000)
    tokens = "".join(f"<SessionToken>{'Fw' * 5}{number:08d}{'oG' * 5}</SessionToken>" for number in numbers)
    text = told.text.replace("<ResponseMetadata>", f"<More>{tokens[: MEGABYTE * 9 // 10]}</More><ResponseMetadata>")
    return replace(told, body=text.replace("<RequestId>", "<!-- --><RequestId>").encode())


def test_thousands_of_made_up_tokens_do_not_stop_a_run(reference: EmbeddedServer, tmp_path: Path) -> None:
    seen = run_with(flood, reference, tmp_path, "-k", "assume-role or get-session-token")
    check_whole(seen, reference)
    assert len(seen.ran.results.cases) > 500


@pytest.mark.parametrize("size", [15, 40, 4096])
def test_new_tokens_in_every_answer_do_not_stop_a_run(size: int, reference: EmbeddedServer, tmp_path: Path) -> None:
    count = itertools.count()

    def alter(_: Received, told: Told) -> Told:
        number = next(count)
        texts = (f"{number:x}.{n:x}.".ljust(size, "b") for n in range(400_000 // (size + 31)))
        made_up = "".join(f"<SessionToken>{text}</SessionToken>" for text in texts)
        return replace(told, body=told.body.replace(b"<RequestId>", f"<More>{made_up}</More><RequestId>".encode()))

    seen = run_with(alter, reference, tmp_path, "-k", "assume-role.duration or get-session-token.duration or sdk")
    check_whole(seen, reference)


# What reaches the terminal


def test_what_could_not_be_removed_is_named_in_harmless_words(reference: EmbeddedServer, tmp_path: Path) -> None:
    said = f"no{OVERRIDE}{ESCAPE}\r\n\u2066way\u0085"

    def alter(request: Received, told: Told) -> Told | Iterable[bytes]:
        if request.action != "DeleteRole":
            return told
        body = error("DeleteConflict", said.replace(ESCAPE, "&#x9b;2J")).encode()
        return replace(told, status=409, body=body)

    seen = run_with(alter, reference, tmp_path, "-k", "assume-role.duration-seconds.min")
    assert left_behind(reference) == "nothing was left behind"  # it is gone all the same
    line = next(line for line in seen.ran.output.splitlines() if "could not be removed" in line)
    assert re.search(r"could not be removed from the target: role sts-conformance-[0-9a-f]{8}: DeleteRole", line)
    for character in (OVERRIDE, "\x1b", "\u2066", "\x85", "\x9b"):
        assert character not in seen.ran.output
    assert "\\u202e" in line


def test_no_text_of_an_endpoint_moves_the_cursor(reference: EmbeddedServer, tmp_path: Path) -> None:
    """Codes, messages, headers and bodies, in every line that pytest prints and in every file."""
    wild = f"x{OVERRIDE}\u2066\x85\u200b"

    def alter(request: Received, told: Told) -> Told:
        if request.parameters.get("DurationSeconds") is None:
            return told
        body = error(f"Wild{wild}", f"wild{wild}").encode()
        return replace(told, status=400, body=body, headers={"server": "\xad"})

    logs = ("--log-cli-level=DEBUG", f"--log-file={tmp_path / 'log.txt'}", f"--junitxml={tmp_path / 'junit.xml'}")
    selected = ("-k", "assume-role.duration or get-session-token.duration or sdk", "-rA", "-vv")
    seen = run_with(alter, reference, tmp_path, *logs, f"--alluredir={tmp_path / 'allure'}", *selected)
    check_whole(seen, reference)
    assert "Wildx\\u202e" in seen.ran.output
    texts = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()}
    for name, text in (texts | {"what it printed": seen.ran.output}).items():
        for character in wild[1:]:
            assert character not in text, (name, hex(ord(character)))
