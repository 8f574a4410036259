"""The stub as a process: started, asked what it counted, ended by its process id."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.request import urlopen

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Count:
    """What the stub has seen since it was last asked to forget."""

    requests: int
    matched: int  # answered from the file of answers
    connections: int
    first: float  # time.monotonic() of the first and of the last request
    last: float


class Server:
    """A stub in a process of its own, on a free port of the loopback; a context manager."""

    def __init__(self, *, delay_ms: float = 0.0, answers: Path | None = None) -> None:
        command = [sys.executable, "-m", "benchmarks.stub", "--delay-ms", str(delay_ms)]
        if answers is not None:
            command += ["--answers", str(answers)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)

    def count(self) -> Count:
        """Return what was counted."""
        told = self._ask("count")
        return Count(**{name: told[name] for name in ("requests", "matched", "connections", "first", "last")})

    def reset(self, *, keep: bool = False) -> None:
        """Count from nought; `keep` also keeps each request, for `kept`."""
        self._ask("keep" if keep else "reset")

    def kept(self) -> list[tuple[str, str]]:
        """Return the requests since `reset(keep=True)`: head and body."""
        return [(head, body) for head, body in self._ask("kept")["kept"]]

    def _ask(self, what: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/-stub/{what}", timeout=60) as answer:  # noqa: S310 - our own loopback server
            told: dict[str, Any] = json.load(answer)
        return told
