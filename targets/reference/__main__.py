"""Run the reference: `python -m targets.reference [PORT] [--region REGION] [--defect ID ...]`."""

from __future__ import annotations

import argparse
import sys

from targets.reference.server import serve
from targets.reference.service import Settings, build


def main(arguments: list[str]) -> int:
    """Serve on the loopback interface until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m targets.reference", description=__doc__)
    parser.add_argument("port", type=int, nargs="?", default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--region", default="us-east-1", help="the one region that is served (default: us-east-1)")
    given = parser.parse_args(arguments)
    service = build(Settings(region=given.region))
    serve(service.answer, port=given.port, ready=_tell)
    return 0


def _tell(port: int) -> None:
    print(f"reference STS: http://127.0.0.1:{port}  (access key id 'test', secret 'test')", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
