"""When the endpoint breaks down, or the user breaks the run off, what was found is kept and nothing stays behind."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.writer import read_results
from tests.servers import Manner, Ran, Received, Run, Stub, alive, undone, until

if TYPE_CHECKING:
    from collections.abc import Iterator

SELECTED = "assume-role.duration or get-federation-token or get-session-token"
KEPT = ("--baseline=", "-q", "-k", SELECTED)


def whole(ran: Ran) -> None:
    """Hold that everything a run leaves behind is there and says the same."""
    assert ran.results.complete
    page = (ran.report / "index.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    assert "cut off" not in page
    for case in ran.results.cases:
        assert case.id in page


# The endpoint


@pytest.fixture(scope="module", params=["dies", "hangs"])
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, int]:
    manner = Manner(dies_after=150) if request.param == "dies" else Manner(hangs_after=150)
    with Stub(manner) as stub:
        folder = tmp_path_factory.mktemp("broken")
        ran = Run(folder, f"--target={stub.url}", "--in-flight=8", "--timeout=0.5", *KEPT).wait(60)
        return ran, len(stub.received)


def test_the_run_ends_soon(broken: tuple[Ran, int]) -> None:
    """Fifteen steps of cleaning up, each with its own time-out, would take five minutes at the default of 20 s."""
    ran, received = broken
    assert received < 200
    assert ran.seconds < 10
    assert ran.status == pytest.ExitCode.TESTS_FAILED


def test_what_was_not_answered_is_inconclusive(broken: tuple[Ran, int]) -> None:
    ran, _ = broken
    cases = list(ran.cases.values())
    unanswered = [c for c in cases if c.exchange is not None and c.exchange.response is None]
    assert len(unanswered) > 100
    assert {c.verdict for c in unanswered} == {"inconclusive"}
    assert all("no answer" in c.reason for c in unanswered)
    assert any("not sent: the endpoint broke down" in c.reason for c in unanswered)
    answered = [c for c in cases if c.exchange is not None and c.exchange.response is not None]
    assert {"conforms", "deviates"} <= {c.verdict for c in answered}


def test_nothing_is_lost(broken: tuple[Ran, int]) -> None:
    ran, _ = broken
    whole(ran)
    summary = next(line for line in reversed(ran.output.splitlines()) if " failed" in line)
    conforming = sum(verdict == "conforms" for verdict in ran.verdicts.values())
    assert f"{conforming} passed" in summary
    inconclusive = sum(verdict == "inconclusive" for verdict in ran.verdicts.values())
    assert inconclusive > 100
    assert f"{conforming + 1} passed" not in summary


def test_it_says_what_could_not_be_removed(broken: tuple[Ran, int]) -> None:
    ran, _ = broken
    left = [line for line in ran.output.splitlines() if "could not be removed from the target" in line]
    assert left


# The user


class Slow(Stub):
    """Takes long enough for a run to be broken off."""

    def __init__(self) -> None:
        super().__init__(Manner(delay=0.02))

    def sent(self, number: int) -> bool:
        return len(self.received) > number


@pytest.fixture
def slow() -> Iterator[Slow]:
    with Slow() as stub:
        yield stub


def begin(stub: Stub, report: Path, *more: str) -> Run:
    """Begin a run that takes some seconds."""
    return Run(report, f"--target={stub.url}", "--in-flight=2", "--baseline=", "-q", *more)


def on_disk(report: Path) -> int:
    """Return how many cases the results hold by now, without reading them as JSON: they are being written."""
    path = report / "results.json"
    return path.read_bytes().count(b'\n{"id":"') if path.exists() else 0


def test_ctrl_c_keeps_what_was_found_and_cleans_up(slow: Slow, tmp_path: Path) -> None:
    under_way = begin(slow, tmp_path)
    until(lambda: on_disk(tmp_path) > 20)
    under_way.interrupt()
    ran = under_way.wait(30)
    assert ran.status == pytest.ExitCode.INTERRUPTED
    assert 20 < on_disk(tmp_path) < 1000
    assert not ran.results.complete
    assert {"deviates", "conforms"} <= set(ran.verdicts.values())
    assert "Traceback" not in ran.output
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert ran.results.cases[0].id in page
    assert "cut off" in page
    assert {r.action for r in slow.iam if r.action.startswith("Create")} >= {"CreateUser", "CreateRole"}
    assert not undone(slow)


def test_ctrl_c_under_xdist_cleans_up(slow: Slow, tmp_path: Path) -> None:
    under_way = begin(slow, tmp_path, "-n", "2")
    until(lambda: on_disk(tmp_path) > 20)
    under_way.interrupt()
    ran = under_way.wait(30)
    assert ran.status == pytest.ExitCode.INTERRUPTED
    assert ran.results.cases
    assert not undone(slow)


def test_a_killed_run_leaves_whole_results(slow: Slow, tmp_path: Path) -> None:
    under_way = begin(slow, tmp_path)
    until(lambda: on_disk(tmp_path) > 20)
    under_way.process.kill()
    under_way.wait(10)
    data = json.loads((tmp_path / "results.json").read_bytes())
    results = read_results(tmp_path / "results.json")
    assert len(data["cases"]) == len(results.cases)
    assert not results.complete
    assert len(results.cases) > 20
    assert len({case.id for case in results.cases}) == len(results.cases)


@pytest.fixture(scope="module", params=["CreateUser", "CreatePolicy"])
def interrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    def wait(received: Received) -> bytes | None:
        if received.action == request.param:
            stub.ended.wait(0.5)
        return None

    with Stub(Manner(answer=wait)) as stub:
        under_way = Run(tmp_path_factory.mktemp("report"), f"--target={stub.url}", "--in-flight=2", "-q")
        until(lambda: any(r.action == request.param for r in stub.received))
        time.sleep(0.1)
        under_way.interrupt()
        assert under_way.wait(30).status == pytest.ExitCode.INTERRUPTED
        until(lambda: not stub.concurrent)
        return undone(stub)


def test_ctrl_c_while_provisioning_leaves_nothing(interrupted: set[str]) -> None:
    assert not interrupted


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def test_ctrl_c_ends_the_embedded_server(tmp_path: Path) -> None:
    under_way = Run(tmp_path, "--target=moto", "--in-flight=2", "-q")
    until(lambda: on_disk(tmp_path) > 5, 40)
    servers = children(under_way.process.pid)
    assert len(servers) == 1
    assert "moto" in Path(f"/proc/{servers[0]}/cmdline").read_text(encoding="utf-8")
    under_way.interrupt()
    ran = under_way.wait(30)
    assert ran.status == pytest.ExitCode.INTERRUPTED
    assert ran.results.cases
    assert not alive(servers[0])


def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    with Stub() as stub:
        under_way = Run(tmp_path, f"--target={stub.url}", "--in-flight=2", "-q")
        until(lambda: on_disk(tmp_path) > 5, 40)
        under_way.process.terminate()
        ran = under_way.wait(30)
        assert ran.status == pytest.ExitCode.INTERRUPTED, ran.output
        assert not undone(stub)
        assert not ran.results.complete


@pytest.mark.parametrize("name", ["moto", "reference"])
def test_an_embedded_server_outlives_nobody(tmp_path: Path, name: str) -> None:
    under_way = Run(tmp_path, f"--target={name}", "--in-flight=2", "-q")
    until(lambda: on_disk(tmp_path) > 5, 40)
    (server,) = children(under_way.process.pid)
    under_way.process.kill()
    under_way.process.communicate(timeout=10)
    until(lambda: not alive(server))
