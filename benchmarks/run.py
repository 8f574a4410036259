"""`python -m benchmarks.run`: everything measured side by side in one run, and told as rates and ratios.

Every round runs each tool once, one after another, so that whatever else the machine does falls on all alike;
what is told is the median over the rounds. Nothing but servers of our own on the loopback is sent to. The
other tools get environments of their own in a temporary folder (or in `--environments`, to keep them).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from benchmarks import answers, bare, measure, table
from benchmarks.peers.signing import FORM, members
from benchmarks.server import ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Measured
    from benchmarks.table import Results

    Jobs = dict[str, Callable[[], Measured]]

PAGE = ROOT / "docs" / "performance.md"
DELAY_MS = 80.0
SIZES = (200, 1000)  # cases: two sizes tell what starting costs from what a case costs
_PEERS = Path(__file__).parent / "peers"


def main() -> None:
    """Measure, print, and write the tables into the page."""
    parser = argparse.ArgumentParser(description="the suite beside a bare loop and beside other tools")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds (default: 5)")
    parser.add_argument("--no-peers", action="store_true", help="leave schemathesis and tavern out")
    parser.add_argument("--no-page", action="store_true", help="print only; leave docs/performance.md as it is")
    parser.add_argument("--environments", type=Path, metavar="DIR", help="where the tools' environments are kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sts-benchmark-") as name:
        folder = Path(name)
        environments = None if options.no_peers else (options.environments or folder).resolve()
        with ExitStack() as servers:
            jobs = _suite(servers, folder) | _peers(servers, folder, environments)
            results = _rounds(jobs, options.runs)
    text = table.render(results, options.runs)
    print(text)
    if not options.no_page and not options.no_peers:
        table.write(PAGE, text)


def _suite(servers: ExitStack, folder: Path) -> Jobs:
    """Return the jobs of the whole suite at two stubs, with and without delay, and the same requests bare."""
    told = folder / "answers.json"
    with Server() as server:
        made = answers.make(server.url, told)
    _note(f"answers that content {made.content} of the {made.cases} cases sent over the wire")
    jobs: Jobs = {}
    for mode, path in (("granting", None), ("conforming", told)):
        prompt = servers.enter_context(Server(answers=path))
        late = servers.enter_context(Server(answers=path, delay_ms=DELAY_MS))
        kept, count = _kept(prompt, folder, mode)
        jobs |= {
            f"suite, {mode}": partial(measure.suite, prompt, folder),
            f"bare, {mode}": partial(measure.bare, prompt, kept, count),
            f"suite, {mode}, delayed": partial(measure.suite, late, folder),
        }
    return jobs


def _kept(server: Server, folder: Path, mode: str) -> tuple[Path, int]:
    """Run the suite once, uncounted, and keep what it sent."""
    path = folder / f"{mode}.json"
    measure.suite(server, folder, keep=True)
    kept = server.kept()
    bare.write(path, kept)
    return path, len(kept)


def _peers(servers: ExitStack, folder: Path, environments: Path | None) -> Jobs:
    """Return the jobs of one operation, by every tool, in two sizes."""
    pythons = {tool: _python(environments, tool) for tool in ("schemathesis", "tavern")} if environments else {}
    server = servers.enter_context(Server())
    jobs: Jobs = {}
    for size in SIZES:
        path = folder / f"assume-role-{size}.json"
        bare.write(path, [_assume_role(number) for number in range(size)])
        jobs[f"bare, {size}"] = partial(measure.bare, server, path, size)
        jobs[f"boto3, {size}"] = partial(measure.boto3_loop, server, size)
        if pythons:
            jobs |= _tools(pythons, server, folder, size)
    return jobs


def _tools(pythons: dict[str, Path], server: Server, folder: Path, size: int) -> Jobs:
    """Return the jobs of tools that are no part of this project."""
    generates, parametrizes = pythons["schemathesis"], pythons["tavern"]
    return {
        f"schemathesis, {size}": lambda: measure.schemathesis(generates, server, folder, size, "openapi.yaml"),
        f"schemathesis fixed, {size}": lambda: measure.schemathesis(
            generates, server, folder, size, "openapi-fixed.yaml"
        ),
        f"tavern, {size}": lambda: measure.tavern(parametrizes, server, folder, size),
    }


def _assume_role(number: int) -> tuple[str, str]:
    head = f"POST / HTTP/1.1\r\nContent-Type: {FORM}\r\nAuthorization: to be made"
    return head, urlencode(members(number))


def _rounds(jobs: Jobs, runs: int) -> Results:
    found: dict[str, list[Measured]] = defaultdict(list)
    for number in range(1, runs + 1):
        for name, job in jobs.items():
            one = job()
            found[name].append(one)
            _note(f"{number}/{runs} {name}: {one.cases} cases, {one.requests} requests, {one.rate:.0f} cases/s")
    return dict(found)


def _python(environments: Path, tool: str) -> Path:
    """Return the interpreter of a tool's own environment, made if it is not there."""
    folder = environments / tool
    python = folder / "bin" / "python"
    if not python.exists():
        _note(f"installing {tool}")
        venv.create(folder, with_pip=True)
        wanted = str(_PEERS / f"{tool}.txt")
        subprocess.run([str(python), "-m", "pip", "install", "-qq", "-r", wanted], check=True, stdout=sys.stderr)
    return python


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
