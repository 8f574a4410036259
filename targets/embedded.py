"""Servers that we start ourselves: in a process of their own, on a free loopback port, ended by process id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class EmbeddedServerError(Exception):
    """The server did not come up; the text is one line."""


@dataclass
class EmbeddedServer:
    """A running server process."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    name: str

    def ready(self) -> None:
        """Wait until it listens.

        Raises:
            EmbeddedServerError: it ended, or did not listen within 30 s.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise EmbeddedServerError(f"{self.name} ended with status {self.process.returncode} at its start")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.02)
        self.stop()
        raise EmbeddedServerError(f"{self.name} did not listen on port {self.port} within {_START_SECONDS:g} s")

    def stop(self) -> None:
        """End the process: politely, then firmly. May be called twice."""
        if self.process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None  # noqa: S101 - as it was started
            self.process.stdin.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(module: str, port: int, *arguments: str) -> EmbeddedServer:
    """Run a Python module that is to listen on `port` of the loopback interface; `ready` waits for that.

    It ends with this process at the latest, however that ends; see `targets.tether`.
    """
    # Ambient AWS settings are none of an emulator's business, neither credentials nor endpoints.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    process = subprocess.Popen(  # noqa: S603 - the commands are our own
        [sys.executable, "-m", "targets.tether", module, *arguments],
        env=inherited,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for pytest, which then stops the server
    )
    return EmbeddedServer(f"http://127.0.0.1:{port}", port, process, module)


def start_moto(_region: str = "us-east-1") -> EmbeddedServer:
    """Start moto's server, which serves every region."""
    port = free_port()
    return launch("targets.moto_server", port, str(port))


def start_reference(region: str = "us-east-1") -> EmbeddedServer:
    """Start the reference STS; it serves one region, as AWS's endpoints do."""
    port = free_port()
    return launch("targets.reference", port, "-p", str(port), "--region", region)
