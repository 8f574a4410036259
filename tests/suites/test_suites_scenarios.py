"""Scenarios at run time: what they need is made once and removed; what cannot be had is told, and proves nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from generators import everything, scenarios
from tests.servers import Manner, Received, Refusal, Stub, run, undone

if TYPE_CHECKING:
    from pathlib import Path

CASES = {case.id: case for case in everything.cases() if case.theme == scenarios.THEME}
PROVED = {"conforms", "deviates", "inconclusive", "flaky"}
CHAINING = "assume-role.duration-seconds.role-chaining"


def test_fixtures_are_made_once_and_removed(tmp_path: Path) -> None:
    with Stub() as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-m", "scenario")
        assert set(ran.verdicts) == set(CASES)
        sent = [case for name, case in CASES.items() if ran.verdicts[name] in PROVED]
        wanted = {made.key for case in sent for made in case.fixtures if made.kind in {"user", "role", "policy"}}
        made = Counter(named(request) for request in stub.iam if creates(request))
        assert len(wanted) > 20
        assert all(any(fixture in names for names in made) for fixture in wanted)
        assert set(made.values()) == {1}
        assert not undone(stub)


def named(request: Received) -> str:
    names = ("RoleName", "UserName", "PolicyName", "Name", "Url", "VirtualMFADeviceName")
    return request.action + " ".join(request.parameters[name] for name in names if name in request.parameters)


def creates(request: Received) -> bool:
    return request.action.startswith("Create") and request.action != "CreateAccessKey"


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_what_cannot_be_made_is_untestable(tmp_path: Path, workers: str) -> None:
    """The stub refuses roles that a scenario needs, but not the run's own."""

    def refuse(request: Received) -> bytes | None:
        wanted = request.action == "CreateRole" and "-role-" in request.parameters["RoleName"]
        return b"HTTP/1.1 403 -\r\ncontent-length: 0\r\n\r\n" if wanted else None

    with Stub(Manner(answer=refuse)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", CHAINING, workers)
        assert set(ran.verdicts.values()) == {"untestable"}, ran.output
        assert all("CreateRole was answered 403" in case.reason for case in ran.results.cases)
        assert not undone(stub)


def test_a_step_that_is_refused_proves_nothing(tmp_path: Path) -> None:
    def refuse(request: Received) -> Refusal | None:
        given = request.parameters
        first = "-role-" in given.get("RoleArn", "") and given.get("RoleSessionName") == "one"
        return (403, "AccessDenied", "Not authorized to perform sts:AssumeRole") if first else None

    with Stub(Manner(refuse=refuse)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", CHAINING)
        assert set(ran.verdicts.values()) == {"inconclusive"}
        for case in ran.results.cases:
            assert "the AssumeRole before it was answered 403 AccessDenied" in case.reason


def test_the_session_of_a_step_calls(tmp_path: Path) -> None:
    """The stub grants all but what is asked for with the key of a session it gave out; so the refusal conforms."""

    def refuse(request: Received) -> Refusal | None:
        if request.parameters.get("DurationSeconds") != "3601":
            return None
        limit = (400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit")
        return limit if "Credential=ASIA" in request.headers["authorization"] else None

    with Stub(Manner(refuse=refuse)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", CHAINING)
        assert ran.verdicts == {f"{CHAINING}/3600": "conforms", f"{CHAINING}/3601": "conforms"}
        for case in ran.results.cases:  # what a scenario needs is gone after the run: only another run shows it again
            assert case.reproduce == f"pytest --target={stub.url} -k {case.id}"
