"""Run the reference: `python -m targets.reference [-p PORT] [--region REGION] [--defect ID ...]`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from targets.reference.server import serve
from targets.reference.service import Service, Settings, build
from targets.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

_HIGHEST_PORT = 65535


class _Mistake(Exception):  # noqa: N818 - the user's
    """The command line cannot be; the text is one line."""


def main(arguments: list[str]) -> int:
    """Serve on the loopback interface until the process is ended; 2 for a command line that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m targets.reference", description="Run the reference STS.")
    parser.add_argument("-p", "--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--region", default="us-east-1", help="the one region that is served (default: us-east-1)")
    parser.add_argument("--defect", action="append", default=[], metavar="ID", help="something to do wrong")
    parser.add_argument("--list-defects", action="store_true", help="list what can be done wrong, and end")
    given = parser.parse_args(arguments)
    try:
        if given.list_defects:
            return _list_defects()
        service = build(Settings(region=given.region))
        _spoil(service, given.defect)
        _check_port(given.port)
        _serve(service, given.port)
    except _Mistake as mistake:
        sys.stderr.write(f"error: {mistake}\n")
        return 2
    return 0


def _serve(service: Service, port: int) -> None:
    try:
        serve(service.answer, port=port, ready=_tell)
    except OSError as error:
        raise _Mistake(f"port {port}: {error.strerror}; expected one that nobody listens on") from None


def _check_port(port: int) -> None:
    if not 0 <= port <= _HIGHEST_PORT:
        raise _Mistake(f"port {port}: expected 0 to {_HIGHEST_PORT}")


def _spoil(service: Service, names: Sequence[str]) -> None:
    if not names:
        return
    from targets.reference.defects import registry  # noqa: PLC0415 - a correct reference needs none

    for name in names:
        if name not in registry():
            raise _Mistake(f"--defect {name}: found no such defect, expected one of --list-defects")
        registry()[name].apply(service)


def _list_defects() -> int:
    from targets.reference.defects import registry  # noqa: PLC0415 - a correct reference needs none

    tell(f"{defect.id}: {defect.says}" for defect in registry().values())
    return 0


def _tell(port: int) -> None:
    sys.stdout.write(f"reference STS: http://127.0.0.1:{port}  (access key id 'test', secret 'test')\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
