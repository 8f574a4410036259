"""Runs one tool once, in a process of its own, and says what the stub and the clock saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.server import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.server import Server

_PEERS = Path(__file__).parent / "peers"
# What the user's shell may hold and a measurement must not depend on.
_IGNORED = ("PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "COVERAGE_PROCESS_START")


class RunFailedError(Exception):
    """A tool did not do its work; the text is the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. Seconds, by one clock for all processes."""

    cases: int
    requests: int  # counted by the stub
    start_up: float  # from the start of the process to its first request
    work: float  # from the first request to the end of the process
    sending: float  # from the first request to the last that is STS's
    verdicts: Mapping[str, int] = field(default_factory=dict)

    @property
    def whole(self) -> float:
        """The whole life of the process."""
        return self.start_up + self.work

    @property
    def rate(self) -> float:
        """Cases a second, start-up left out and all else counted."""
        return self.cases / self.work


def suite(server: Server, folder: Path, *, keep: bool = False) -> Measured:
    """Run the whole suite as a user would; `keep` has the stub keep its requests."""
    report = folder / "report"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--target={server.url}", f"--report={report}"]
    run = _run(server, command, good=(0, 1), keep=keep)
    cases = json.loads((report / "results.json").read_text())["cases"]
    return _with_cases(run, len(cases), Counter(case["verdict"] for case in cases))


def bare(server: Server, requests: Path, count: int) -> Measured:
    """Send requests bare; see `benchmarks.bare`."""
    return _with_cases(_run(server, [sys.executable, "-m", "benchmarks.bare", server.url, str(requests)]), count)


def boto3_loop(server: Server, count: int) -> Measured:
    """Call a boto3 client in a loop."""
    command = [sys.executable, "-m", "benchmarks.peers.boto3_loop", server.url, str(count)]
    return _with_cases(_run(server, command), count)


def schemathesis(python: Path, server: Server, folder: Path, count: int, document: str) -> Measured:
    """Let schemathesis make and send `count` examples of the one operation of a document."""
    command = [str(python.parent / "schemathesis"), "run", str(_PEERS / document), "--url", server.url]
    command += ["--phases", "fuzzing", "--mode", "positive", "--workers", "1", "--max-examples", str(count)]
    command += ["--checks", "granted", "--generation-deterministic", "--no-color"]
    settings = {"SCHEMATHESIS_HOOKS": "benchmarks.peers.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    return _with_cases(_run(server, command, folder=folder, settings=settings), count)


def tavern(python: Path, server: Server, folder: Path, count: int) -> Measured:
    """Let tavern run one stage, parametrized `count` times."""
    settings = {"PYTHONPATH": str(ROOT)}
    write = "import sys; from benchmarks.peers.tavern_hooks import stage; print(stage(sys.argv[1], int(sys.argv[2])))"
    made = subprocess.run(
        [str(python), "-c", write, server.url, str(count)],
        env=_environment(settings), capture_output=True, text=True, check=True,
    )  # fmt: skip
    (folder / "test_sts.tavern.yaml").write_text(made.stdout)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sts.tavern.yaml"]
    return _with_cases(_run(server, command, folder=folder, settings=settings), count)


def _with_cases(run: Measured, cases: int, verdicts: Mapping[str, int] | None = None) -> Measured:
    return Measured(cases, run.requests, run.start_up, run.work, run.sending, verdicts or {})


def _run(
    server: Server,
    command: Sequence[str],
    *,
    folder: Path = ROOT,
    settings: Mapping[str, str] | None = None,
    good: tuple[int, ...] = (0,),
    keep: bool = False,
) -> Measured:
    server.reset(keep=keep)
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=_environment(settings or {}), capture_output=True, text=True, check=False
    )
    ended = time.monotonic()
    seen = server.count()
    if done.returncode not in good or not seen.requests:
        said = (done.stdout + done.stderr)[-2000:]
        raise RunFailedError(f"{' '.join(command)}: exit status {done.returncode}\n{said}")
    return Measured(0, seen.requests, seen.first - begun, ended - seen.first, seen.last - seen.first)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _IGNORED} | dict(settings)
