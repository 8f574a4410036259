"""Run moto as a server of STS and IAM: `python -m targets.moto_server PORT`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main(port: int) -> None:
    """Serve on the loopback interface until the process is ended."""
    signal.signal(signal.SIGTERM, _end)
    from moto.server import main as serve  # noqa: PLC0415 - slow; after the signal handler

    serve(["-H", "127.0.0.1", "-p", str(port)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
