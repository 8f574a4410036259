"""The same requests sent bare: one kept connection, botocore's SigV4, urllib3, the answer's XML parsed.

`python -m benchmarks.bare URL FILE` sends the requests of FILE one after another. No test framework, no
expectations, no report: what one worker can do at most with these libraries.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from defusedxml import ElementTree

from benchmarks import canned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MADE_ANEW = frozenset({"host", "content-length", "authorization", "x-amz-date", "x-amz-security-token"})


@dataclass(frozen=True, slots=True)
class Plain:
    """A request before it is signed."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    signed: bool


def plain(head: str, body: str) -> Plain:
    """Read a request that the stub kept, and take its signature off."""
    line, *rest = head.split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {}
    signed = False
    for row in rest:
        name, _, value = row.partition(":")
        if name.lower() == "authorization":
            signed = True
        if name.lower() not in _MADE_ANEW:
            headers[name] = value.strip()
    return Plain(method, target, headers, body.encode("latin-1"), signed)


def send(url: str, requests: Sequence[Plain]) -> float:
    """Send them one after another; returns the seconds it took."""
    parts = urlsplit(url)
    pool = urllib3.HTTPConnectionPool(parts.hostname or "", parts.port, maxsize=1, retries=False)
    signer = SigV4Auth(Credentials(canned.ACCESS_KEY_ID, canned.SECRET_ACCESS_KEY), "sts", "us-east-1")
    begun = time.perf_counter()
    for request in requests:
        headers = request.headers
        if request.signed:
            signed = AWSRequest(request.method, f"{url}{request.target}", dict(headers), request.body)
            signer.add_auth(signed)
            headers = dict(signed.headers.items())
        answer = pool.urlopen(
            request.method, request.target, body=request.body, headers=headers, redirect=False, retries=False
        )
        if answer.data[:1] == b"<":
            ElementTree.fromstring(answer.data)
    seconds = time.perf_counter() - begun
    pool.close()
    return seconds


def write(path: Path, kept: Iterable[tuple[str, str]]) -> None:
    """Keep requests in a file."""
    path.write_text(json.dumps(list(kept)))


def main() -> None:
    """Send what a file holds, and print how long it took."""
    url, path = sys.argv[1:]
    requests = [plain(head, body) for head, body in json.loads(Path(path).read_text())]
    print(json.dumps({"seconds": send(url, requests), "requests": len(requests)}))


if __name__ == "__main__":
    main()
