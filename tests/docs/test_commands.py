"""Every command of the documentation runs: a document is one shell session, in a copy of the checkout.

Blocks run in their order. Notes above a block: `file` and `append` write it, `exits` names the exit status of
its last command, `not run` says why it is left out. Ports are replaced by free ones, `pytest` runs with this
interpreter and takes few cases unless the command selects some itself, `make` only shows what it would do.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from targets.embedded import free_port
from tests.docs.documents import DOCUMENTS, NOTES, ROOT, SHELL, Block, blocks

FEW = "assume-role.duration-seconds.min"
SECONDS = 150

# All blocks that nothing runs. A new one needs a reason as good as these.
NOT_RUN = {
    "docs/adding-a-target.md": ["ministack is no dependency"],
    "docs/aws.md": ["needs an AWS account"] * 2,
    "docs/results.md": [],
    "docs/writing-a-rule.md": ["needs the folder of facts"],
}

_PORT = re.compile(r"127\.0\.0\.1:(\d+)|-p (\d+)")
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "compliance-report", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"
)


@cache
def port(_written: str) -> str:
    return str(free_port())


def with_free_ports(text: str) -> str:
    """Put free ports for those that a document names, the same one for the same number."""
    return _PORT.sub(lambda m: m[0].replace(m[1] or m[2], port(m[1] or m[2])), text)


def session(document: Path, checkout: Path) -> str:
    """Write a document's files into `checkout` and return its commands as one script."""
    lines = [
        "set -Eeuo pipefail",
        "trap 'echo \"failed: $place\" >&2' ERR",
        "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT",
    ]
    for block in blocks(document):
        text = with_free_ports(block.commands)
        written = block.notes.get("file") or block.notes.get("append")
        if written:
            name = shlex.quote(block.place.replace("/", "-").replace(":", "-"))
            (checkout / ".blocks").mkdir(exist_ok=True)
            (checkout / ".blocks" / name).write_text(text + "\n", encoding="utf-8")
            redirect = ">" if "file" in block.notes else ">>"
            lines.append(f"cat .blocks/{name} {redirect}{shlex.quote(written)}")
        elif block.language in SHELL and "not run" not in block.notes:
            lines += _step(block, text)
    return "\n".join(lines) + "\n"


def _step(block: Block, text: str) -> list[str]:
    status = int(block.notes.get("exits", "0"))
    lines = [f"place={block.place}"]
    if status:
        *before, last = text.splitlines()
        lines += [*before, f"status=0; {last} || status=$?", f'[ "$status" -eq {status} ]']
    else:
        lines.append(text)
    for line in text.splitlines():
        if line.endswith("&"):
            lines += [f"until (: </dev/tcp/127.0.0.1/{m[1] or m[2]}) 2>&-; do sleep 0.1; done"
                      for m in _PORT.finditer(line)]  # fmt: skip
    return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the checkout, with a .venv whose programs are those of this interpreter."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    python, make = shlex.quote(sys.executable), shlex.quote(shutil.which("make") or "make")
    few = f'case " $* " in *" -k "* | *" -m "*) ;; *) set -- -k {FEW} "$@" ;; esac'
    for name, command in (
        ("python", f'exec {python} "$@"'),
        ("pytest", f'{few}\nexec {python} -m pytest "$@"'),
        ("make", f'exec {make} -n "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    (programs / "activate").write_text("hash -r\n", encoding="utf-8")
    return copy


def run(script: str, checkout: Path) -> tuple[int, str]:
    """Run a script with nothing of the user's about it; returns its status and what it said."""
    home = checkout.parent / "home"
    home.mkdir()
    path = os.pathsep.join((str(checkout / ".venv/bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTEST_", "MAKE", "MFLAGS"))}
    said = checkout.parent / "said"
    with said.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=checkout, env=environment | {"PATH": path, "HOME": str(home)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            status = shell.wait(SECONDS)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGTERM)
                shell.wait()
    return status, said.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_commands_of_a_document_run(document: Path, checkout: Path) -> None:
    status, said = run(session(document, checkout), checkout)
    assert status == 0, said[-3000:]


def test_what_is_not_run_is_known() -> None:
    for document in DOCUMENTS:
        reasons = [block.notes["not run"] for block in blocks(document) if "not run" in block.notes]
        assert reasons == NOT_RUN.get(str(document), []), document


def test_notes_are_known() -> None:
    for document in DOCUMENTS:
        for block in blocks(document):
            assert set(block.notes) <= NOTES, block.place


# That a command which fails is noticed.


def written(checkout: Path, text: str) -> tuple[int, str]:
    lines = ["set -Eeuo pipefail", "trap 'echo \"failed: $place\" >&2' ERR"]
    for block in blocks(Path("x.md"), text):
        lines += _step(block, block.commands)
    return run("\n".join(lines), checkout)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("```sh\ntrue\n```\n\n```sh\nfalse\ntrue\n```\n", "x.md:5"),
        ("<!-- exits: 1 -->\n```sh\ntrue\n```\n", "x.md:2"),
        ("<!-- exits: 1 -->\n```sh\nfalse\ntrue\n```\n", "x.md:2"),
        ("```sh\nnot-a-program\n```\n", "x.md:1"),
        ("```console\n$ false\nwhat it says\n```\n", "x.md:1"),
        ("```sh\nmake no-such-target\n```\n", "x.md:1"),
        ("```sh\npytest -q --no-such-option\n```\n", "x.md:1"),
    ],
)
def test_a_command_that_fails_is_noticed(checkout: Path, text: str, place: str) -> None:
    status, said = written(checkout, text)
    assert status != 0
    assert f"failed: {place}" in said


def test_a_status_that_is_expected_is_none(checkout: Path) -> None:
    assert written(checkout, "<!-- exits: 3 -->\n```sh\ntrue\n(exit 3)\n```\n")[0] == 0
