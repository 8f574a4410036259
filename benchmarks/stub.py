"""A server that answers at once: what it costs is as little as Python can make it cost.

`python -m benchmarks.stub [--delay-ms MS] [--answers FILE]` prints its port, then serves until it is ended.
Without `--answers` it grants everything. With it, requests that stand in the file are answered as told there
(see `benchmarks.answers`), all others are granted. Paths below /-stub/ are for the benchmark and not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl

from benchmarks import canned

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_IAM_VERSION = b"Version=2010-05-08"
_FIRST_ACTION = re.compile(rb"(?:^|[&?])Action=([A-Za-z]*)")
_PRESIGNED = re.compile(rb"[?&]X-Amz-(?:Credential|Date|Signature|Security-Token)=[^&]*")
_TRAITS = re.compile(
    rb"\r\n(authorization|x-amz-date|date|x-amz-security-token|content-type|x-amz-content-sha256|accept): *([^\r]*)",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(rb"Signature=[0-9a-f]*")
_SCOPE_DATE = re.compile(rb"/(\d{8})/")
_STAMP = re.compile(rb"\d{8}T\d{6}Z")
_AMZ_DATE = re.compile(rb"X-Amz-Date=(\d{8}T\d{6}Z)")

# Status, headers, body; EXPIRATION in the body becomes the time in so many seconds.
Reply = tuple[int, list[tuple[str, str]], str, int]


def key(head: bytes, body: bytes, now: datetime) -> str:
    """Return what tells requests apart, free of what differs from run to run: times, signatures, hosts."""
    line = head[: head.index(b"\r\n")]
    traits = []
    for name, value in _TRAITS.findall(head):
        lower = name.lower()
        if lower in {b"x-amz-date", b"date"}:
            traits.append(lower + _age(value, now))
        elif lower == b"authorization":
            bare = _SIGNATURE.sub(b"Signature=", value)
            traits.append(_SCOPE_DATE.sub(lambda match: b"/" + _days(match[1], now) + b"/", bare))
        else:
            traits.append(lower + b"=" + value)
    stamp = _AMZ_DATE.search(line)
    if stamp is not None:
        traits.append(_age(stamp[1], now))
        credential = line.partition(b"X-Amz-Credential=")[2].partition(b"&")[0]
        traits.append(credential.partition(b"%2F")[0])
    return b"\0".join((_PRESIGNED.sub(b"", line), *sorted(traits), body)).decode("latin-1")


def _age(value: bytes, now: datetime) -> bytes:
    """Round a time stamp to two minutes from now, so that a run's own pace does not matter."""
    if not _STAMP.fullmatch(value):
        return b"other"
    moment = datetime.strptime(value.decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return b"%d" % round((moment - now).total_seconds() / 120)


def _days(value: bytes, now: datetime) -> bytes:
    moment = datetime.strptime(value.decode(), "%Y%m%d").replace(tzinfo=UTC)
    return b"%d" % ((now.date() - moment.date()).days // 2)


@lru_cache(maxsize=4096)
def _granted(action: str, body: bytes) -> Reply:
    given = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    return 200, [], canned.success(action, given), canned.lasts(action, given)


def to_bytes(reply: Reply, *, head_only: bool = False) -> bytes:
    """Return a reply in HTTP/1.1."""
    status, headers, text, seconds = reply
    if canned.EXPIRATION in text:
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        text = text.replace(canned.EXPIRATION, end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    body = text.encode()
    lines = [f"HTTP/1.1 {status} -"]
    if not any(name.lower() == "content-type" for name, _ in headers):
        lines.append("content-type: text/xml")
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"x-amzn-requestid: {canned.REQUEST_ID}", f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + (b"" if head_only else body)


class Stub:
    """What all connections share."""

    def __init__(self, *, delay: float, answers: dict[str, Reply]) -> None:
        self.delay = delay
        self.answers = answers
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self.requests = self.matched = self.connections = 0
        self.first = self.last = 0.0
        self.kept: list[tuple[str, str]] | None = None

    def reply(self, head: bytes, body: bytes) -> bytes:
        """Answer one request."""
        target = head[: head.index(b"\r\n")].split(b" ")[1]
        if target.startswith(b"/-stub/"):
            return self._control(target)
        now = time.monotonic()
        if not self.requests:
            self.first = now
        if _IAM_VERSION not in body:  # making and removing users is not sending cases
            self.last = now
        self.requests += 1
        if self.kept is not None:
            self.kept.append((head.decode("latin-1"), body.decode("latin-1")))
        if self.answers:
            told = self.answers.get(key(head, body, datetime.now(UTC)))
            if told is not None:
                self.matched += 1
                return to_bytes(told, head_only=head.startswith(b"HEAD "))
        action = _FIRST_ACTION.search(body) or _FIRST_ACTION.search(target)
        return to_bytes(_granted(action[1].decode() if action else "", body), head_only=head.startswith(b"HEAD "))

    def _control(self, target: bytes) -> bytes:
        if target == b"/-stub/reset":
            self.reset()
        elif target == b"/-stub/keep":
            self.reset()
            self.kept = []
        told = {
            "requests": self.requests, "matched": self.matched, "connections": self.connections,
            "first": self.first, "last": self.last,
            "kept": self.kept if target == b"/-stub/kept" else None,
        }  # fmt: skip
        return to_bytes((200, [("content-type", "application/json")], json.dumps(told), 0))


class _Connection(asyncio.Protocol):
    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server gives
        self._transport = transport
        self._stub.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while True:
            end = self._buffer.find(_END)
            if end < 0:
                return
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            whole = end + len(_END) + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                if b"\r\nExpect: 100" in head and len(self._buffer) == end + len(_END):
                    self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body = self._buffer[end + len(_END) : whole]
            self._buffer = self._buffer[whole:]
            reply = self._stub.reply(head, body)
            if self._stub.delay:
                asyncio.get_running_loop().call_later(self._stub.delay, self._write, reply)
            else:
                self._write(reply)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def _serve(stub: Stub) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(stub), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="a stub of STS that answers at once")
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--answers", type=Path)
    options = parser.parse_args()
    answers: dict[str, Reply] = {}
    if options.answers is not None:
        answers = {name: tuple(reply) for name, reply in json.loads(options.answers.read_text()).items()}
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Stub(delay=options.delay_ms / 1000, answers=answers)))


if __name__ == "__main__":
    main()
