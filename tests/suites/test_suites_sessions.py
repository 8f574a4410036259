"""Programs of sessions and odd requests at run time: what is kept, what is told, and how small it gets."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from generators import everything
from suites import kill
from suites.baseline import Baseline
from suites.reproduce import command
from suites.runner import Hands, Runner
from targets.endpoint import parse_endpoint
from targets.reference.defects import registry
from targets.reference.service import build
from targets.target import REFERENCE, TEST_CREDENTIALS, Target
from targets.wire import Prepared
from tests.servers import Http, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reports.model import CaseResult
    from targets.reference.model import HttpAnswer, HttpRequest
    from tests.servers import Received

SESSIONS = "assume-role.property.sessions"
ROBUST = "get-caller-identity.property.robust"


class Arena(kill.Arena):
    """One whose verdicts come with all that is told."""

    def told(
        self,
        rule: str,
        defect: str = "",
        examples: int = 30,
        after: Callable[[HttpRequest, HttpAnswer], HttpAnswer] | None = None,
    ) -> CaseResult:
        """Try a property at the reference, or at one with a defect; `after` sees every answer."""
        self._service = build(self._settings, self._kept)
        self._service.after += [after] if after is not None else []
        if defect:
            registry()[f"{rule}/{defect}"].apply(self._service)
        self._provisioner.renew()

        async def make() -> Runner:
            return Runner(
                self._target, self._estate, self._redactor, replace(kill._LIMITS, examples=examples), Baseline(),
                self._cases, self._loop, Hands(self._provisioner.have, self._provisioner.remove),
            )  # fmt: skip

        runner = self._loop.run_until_complete(make())
        try:
            runner.start([f"{rule}/examples"])
            found = runner.result(f"{rule}/examples")
        finally:
            runner.stop()
        # What steps hand out is theirs alone, and is forgotten with their program.
        assert runner._trials.callers == {}
        assert not any(name.startswith("example") for name in self._estate.callers)
        return found


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    found = Arena()
    yield found
    found.close()


def test_the_reference_keeps_its_sessions_straight(arena: Arena) -> None:
    found = arena.told(SESSIONS, examples=100)
    assert (found.verdict, found.findings) == ("conforms", ())
    assert found.examples > 80


@pytest.mark.parametrize(
    ("defect", "story"),
    [
        (
            "tag-overridden",
            [
                "1 user AssumeRole open tag Project=Unicorn transitive, source identity alice -> session 1",
                "2 session 1 AssumeRole wide tag Project=Unicorn (to be refused: inherited-tag)",
            ],
        ),
        (
            "federated-root",
            [
                "1 user GetFederationToken as root -> session 1",
                "2 session 1 AssumeRole open (to be refused: role-not-assumable)",
            ],
        ),
        (
            "chained-name",
            [
                "1 user AssumeRole open tag Project=Unicorn transitive -> session 1",
                "2 session 1 AssumeRole wide as two -> session 2",
            ],
        ),
        (
            "limit-forgotten",
            [
                "1 user AssumeRole open source identity alice -> session 1",
                "2 session 1 AssumeRole wide for 3601 s (to be refused: duration-over-chaining-limit)",
            ],
        ),
    ],
)
def test_a_program_is_shrunk_to_what_a_person_would_write(arena: Arena, defect: str, story: list[str]) -> None:
    """Tags, names and who called are as plain as they can be; a step or a mark more is all that may be left."""
    found = arena.told(SESSIONS, defect)
    assert found.verdict == "deviates"
    shortest = min(found.findings, key=lambda finding: len(finding.story))
    lines = shortest.story.splitlines()
    assert len(lines) <= len(story) + 1
    assert _kinds(lines[-1]) == _kinds(story[-1])
    assert found.reproduce.endswith(f"-k {SESSIONS}/examples")
    assert "<redacted>" in (found.exchange.model_dump_json() if found.exchange else "")


def _kinds(line: str) -> list[str]:
    """Return who calls what, and what must come of it."""
    return re.findall(r"Assume\w+|Get\w+|to be refused: .*", line)


# Odd requests


def test_html_is_told_with_the_request_that_brought_it(arena: Arena) -> None:
    found = arena.told(ROBUST, "nameless")
    assert found.verdict == "deviates"
    assert found.received.endswith("; a page of HTML")
    assert found.exchange is not None
    assert re.search("&=", found.exchange.request.body)
    assert len(found.exchange.request.body) < 200


@pytest.mark.parametrize("operation", ["AssumeRole", "GetFederationToken"])
def test_odd_requests_are_signed_well(arena: Arena, operation: str) -> None:
    """What the reference refuses, it refuses for another reason."""
    seen: list[bytes] = []

    def noted(_request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
        seen.append(answer.body)
        return answer

    rule = next(case.rule for case in everything.cases() if (case.operation, case.tried) == (operation, "robust"))
    assert arena.told(rule, after=noted).verdict == "conforms"
    assert len(seen) > 20
    assert not any(b"SignatureDoesNotMatch" in body for body in seen)


def silent(received: Received) -> bytes | None:
    """Close without a word on whatever names X."""
    if b"X" in received.body:
        return None
    body = b"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_silence_is_a_finding(tmp_path: Path) -> None:
    with Http(silent) as server:
        ran = run(tmp_path, f"--target={server.url}", "-q", "-k", ROBUST, "--examples=60")
    (case,) = ran.results.cases
    assert case.verdict == "deviates"
    assert {finding.received for finding in case.findings} == {
        "no answer: the connection was closed before the answer was whole"
    }


@pytest.mark.parametrize(
    ("body", "headers", "tool"),
    [
        (b"Action=X", (("X-Odd", "1"),), "curl"),
        (b"Action=\xff", (), "pytest"),
        (b"Action=\x00", (), "pytest"),
        (b"Action=X", (("X-Odd", "\xe9"),), "pytest"),
        (b"Action=X", (("Content-Type", ""),), "pytest"),
    ],
)
def test_what_no_command_line_carries_is_sent_by_pytest(
    body: bytes, headers: tuple[tuple[str, str], ...], tool: str
) -> None:
    case = next(case for case in everything.cases() if case.id == f"{ROBUST}/examples")
    endpoint = parse_endpoint("http://127.0.0.1:1")
    target = Target(REFERENCE, endpoint, endpoint, "us-east-1", TEST_CREDENTIALS)
    sent = Prepared("POST", "/", headers, body, datetime.now(UTC))
    assert command(case, sent, target).partition(" ")[0] == tool
