"""Sessions that run out: waited for with --slow, all of them together; elsewhere the clock is told to be ahead."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from generators import everything
from generators.scenarios import THEME
from suites import runner
from suites.baseline import Baseline
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.provision import Estate
from targets.redactor import Redactor
from targets.target import Target
from tests.servers import Stub, run

if TYPE_CHECKING:
    from pathlib import Path

    from generators.case import Case, Fixture

SLOW = {case.id: case for case in everything.cases() if case.after}
RULE = "data-type.credentials.expiration.meaning"
WAIT = 2


def test_there_are_slow_cases() -> None:
    assert {f"{RULE}/expired", f"{RULE}/longer"} <= SLOW.keys()
    assert all(case.theme == THEME and case.setup for case in SLOW.values())
    assert all(case.after >= 905 for case in SLOW.values())  # no session is shorter than 900 s


def test_without_slow_they_are_untestable(tmp_path: Path) -> None:
    with Stub() as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", RULE)
        assert set(ran.verdicts.values()) == {"untestable"}
        assert all(case.reason == "needs 905 seconds to pass: give --slow" for case in ran.results.cases)
        assert all(request.action != "AssumeRole" or "one" not in request.body.decode() for request in stub.received)


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_the_reference_needs_no_waiting(tmp_path: Path, workers: str) -> None:
    ran = run(tmp_path, "--target=reference", "-q", "-k", RULE, workers)
    assert set(ran.verdicts.values()) == {"conforms"}, ran.output


def test_slow_and_several_processes(tmp_path: Path) -> None:
    ran = run(tmp_path, "--target=reference", "-q", "--slow", "-n2")
    assert ran.status == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --slow and -n: one process waits for all slow cases together; leave -n out" in ran.output


def test_they_are_the_last_to_be_reported(tmp_path: Path) -> None:
    ran = run(tmp_path, "--target=reference", "-q", "-m", "scenario")
    order = [name in SLOW for name in ran.verdicts]
    assert order == sorted(order)


def test_all_wait_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cases, each two seconds after a session of its own: they are sent at about the same time."""
    monkeypatch.setattr(runner, "_MARGIN", 0.0)
    cases = {name: waiting(SLOW[f"{RULE}/longer"], name) for name in ("a", "b", "c")}
    with Stub() as stub:
        loop = asyncio.new_event_loop()
        asking = runner.Runner(
            Target("stub", parse_endpoint(stub.url), None, "us-east-1", Credentials("AKIA1", "secret")),
            Estate(values={"role-1": "arn:aws:iam::111122223333:role/r"}, has={"user"},
                   callers={"user": Credentials("AKIA1", "secret")}),
            Redactor(), runner.Limits(8, 0.0, 5.0, slow=True), Baseline(), cases, loop,
            runner.Hands(made),
        )  # fmt: skip
        asking.start(cases)
        assert {asking.result(name).verdict for name in cases} == {"conforms"}
        asking.stop()
        loop.close()
        sent = {request.action: at for request, at in zip(stub.received, stub.times, strict=True)}
        times = [at for request, at in zip(stub.received, stub.times, strict=True) if request.action != "AssumeRole"]
    assert len(times) == 3
    assert min(times) - sent["AssumeRole"] >= WAIT - 0.05
    assert max(times) - min(times) < WAIT / 2


async def made(_fixture: Fixture) -> str:
    return ""


def waiting(case: Case, name: str) -> Case:
    """Return a case of its own that waits for two seconds."""
    step = case.setup[0]
    request = step.request.with_parameters(("RoleArn", "${role-1}"), ("RoleSessionName", name))
    step = replace(step, request=request, keep=f"kept-{name}")
    caller = replace(case.request, principal=step.keep)
    return replace(case, id=name, setup=(step,), request=caller, fixtures=(), after=WAIT)
