"""The suites at the reference: every case of every level conforms, and what is switched on is noticed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from generators import everything
from tests.servers import ROOT, clean_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL_LEVELS = "--fail-on=must,should,exact"


@contextmanager
def reference(*arguments: str) -> Iterator[str]:
    """Run the reference as its users do, on a free port; gives its URL."""
    command = [sys.executable, "-m", "targets.reference", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert told is not None
        yield told[0]
    finally:
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_every_case_of_every_level_conforms(tmp_path: Path) -> None:
    ran = run(tmp_path, "--target=reference", "-q", ALL_LEVELS)
    assert ran.status == 0, ran.output[-3000:]
    assert Counter(ran.verdicts.values()) == {"conforms": len(everything.cases())}
    assert ran.results.run.target.name == "reference"
    # What is expected is told as it is, not by the names of fixtures.
    assert not [case.id for case in ran.results.cases if "${" in case.expected]


def test_another_region(tmp_path: Path) -> None:
    ran = run(tmp_path, "--target=reference", "--region=eu-west-1", "-q", ALL_LEVELS)
    assert Counter(ran.verdicts.values()) == {"conforms": len(everything.cases())}


def test_by_hand_nothing_deviates(tmp_path: Path) -> None:
    """A URL tells nothing of what the endpoint has, so that some cases cannot be tested; none deviates."""
    with reference() as url:
        ran = run(tmp_path, f"--target={url}", "-q", ALL_LEVELS)
    assert ran.status == 0, ran.output[-3000:]
    assert set(ran.verdicts.values()) == {"conforms", "untestable"}


@pytest.mark.parametrize(
    ("defect", "noticing"),
    [
        ("assume-role.duration-seconds.min/one-too-wide", {"assume-role.duration-seconds.min/899"}),
        ("get-caller-identity.wire.root/another-root", {"get-caller-identity.wire.root/answer"}),
    ],
)
def test_a_defect_of_the_command_line_is_noticed(tmp_path: Path, defect: str, noticing: set[str]) -> None:
    with reference("--defect", defect) as url:
        ran = run(tmp_path, f"--target={url}", "-q", "-k", defect.partition("/")[0])
    assert ran.status == 1
    assert noticing <= {case_id for case_id, verdict in ran.verdicts.items() if verdict == "deviates"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--defect", "none"], "error: --defect none: found no such defect, expected one of --list-defects\n"),
        (["-p", "70000"], "error: port 70000: expected 0 to 65535\n"),
    ],
)
def test_mistakes_of_the_command_line(arguments: list[str], complaint: str) -> None:
    command = [sys.executable, "-m", "targets.reference", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", complaint)


def test_a_taken_port_is_told() -> None:
    with reference() as url:
        port = url.rpartition(":")[2]
        command = [sys.executable, "-m", "targets.reference", "-p", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: port {port}: .*; expected one that nobody listens on\n", done.stderr)


def test_the_list_of_defects_may_be_cut_off() -> None:
    piped = f"{sys.executable} -m targets.reference --list-defects | head -n 2"
    command = ["bash", "-o", "pipefail", "-c", piped]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)
