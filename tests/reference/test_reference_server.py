"""The reference's HTTP server, by raw sockets: what it hands over, what it refuses, and that nothing unsettles it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from targets.reference.model import HttpAnswer, HttpRequest
from targets.reference.server import BODY_BYTES, HEAD_BYTES, BackgroundServer, Patience, serve
from tests.servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 5.0  # no answer may take longer
HOST = b"Host: sts.example.com\r\n"
CLOSE = b"Connection: close\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
BIG = b"x" * 300_000


def short(value: object) -> str:
    """Make a test's id of bytes."""
    return ascii(value)[:60]


def echo(request: HttpRequest) -> HttpAnswer:
    """Tell what arrived; some paths misbehave."""
    if request.target == "/raise":
        raise RuntimeError("AKIASECRET in a message")
    if request.target == "/break":
        return HttpAnswer(200, (("X-Break", "a\r\nSet-Cookie: b"), ("Content-Length", "0")))
    if request.target == "/wait":
        time.sleep(0.05)
    if request.target == "/big":
        return HttpAnswer(200, (("Content-Length", str(len(BIG))),), BIG)
    if request.target == "/endless":
        return HttpAnswer(200, (), b"no length")
    told: dict[str, Any] = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "length": len(request.body),
        "sha256": hashlib.sha256(request.body).hexdigest(),
    }
    body = json.dumps(told).encode()
    headers = [("x-amzn-RequestId", "one"), ("X-MiXeD", "  as: given"), ("Content-Length", str(len(body)))]
    if request.target == "/close":
        headers.append(("connection", "Close"))
    status = int(request.target[8:]) if request.target.startswith("/status/") else 200
    return HttpAnswer(status, (*headers, ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")), body)


@pytest.fixture(scope="module")
def lasting() -> Iterator[BackgroundServer]:
    with BackgroundServer(echo) as server:
        yield server


@pytest.fixture(scope="module")
def impatient() -> Iterator[BackgroundServer]:
    with BackgroundServer(echo, patience=Patience(stall=0.4, request=1.2, idle=1.8, linger=0.4)) as server:
        yield server


@pytest.fixture
def server(
    lasting: BackgroundServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[BackgroundServer]:
    """The server, which must be well and have had nothing to say when the test is over."""
    failures = lasting.failures
    yield lasting
    assert well(lasting)
    assert lasting.failures == failures
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")


# A client


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


def connect(server: BackgroundServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE)


def rest(client: socket.socket) -> bytes:
    """Read to the end of the connection; a hang is a TimeoutError, a reset another OSError."""
    deadline = time.monotonic() + PATIENCE
    received = b""
    while data := client.recv(1 << 16):
        received += data
        assert time.monotonic() < deadline
    return received


def talk(server: BackgroundServer, *pieces: bytes, end: bool = False) -> bytes:
    """Send and return all that comes back; with `end` our side is closed after sending."""
    with connect(server) as client:
        for piece in pieces:
            client.sendall(piece)
            if len(pieces) > 1:
                time.sleep(0.002)
        if end:
            client.shutdown(socket.SHUT_WR)
        return rest(client)


def replies(data: bytes, *methods: str) -> list[Reply]:
    """Read the answers to requests; all but those named are taken to be GET or POST."""
    found: list[Reply] = []
    while data:
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        head, gap, data = data.partition(b"\r\n\r\n")
        assert gap, head
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        length = 0 if method == "HEAD" or status == "100" else length
        assert len(data) >= length
        found.append(Reply(int(status), headers, data[:length]))
        data = data[length:]
    return found


def one(data: bytes, method: str = "GET") -> Reply:
    (reply,) = replies(data, method)
    return reply


def read(client: socket.socket) -> Reply:
    """Read one answer and no more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += some(client, 1)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    body = b""
    while length and len(body) < int(length[1]):
        body += some(client, int(length[1]) - len(body))
    return one(head + body)


def some(client: socket.socket, most: int) -> bytes:
    data = client.recv(most)
    assert data, "the server has ended the connection"
    return data


def get(target: bytes = b"/", headers: bytes = b"", method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return method + b" " + target + b" " + version + b"\r\n" + HOST + headers + b"\r\n"


def post(body: bytes, headers: bytes = b"") -> bytes:
    return get(headers=headers + b"Content-Length: %d\r\n" % len(body), method=b"POST") + body


def well(server: BackgroundServer) -> bool:
    return bool(one(talk(server, get(b"/well"), end=True)).told["target"] == "/well")


def refused(data: bytes, status: int = 400) -> bool:
    """Whether this is a refusal in AWS's front end's manner, and nothing else."""
    reply = one(data)
    names = [name for name, _ in reply.headers]
    assert names == ["Date", "Content-Length", "Connection"], names
    return (reply.status, reply.body, dict(reply.headers)["Connection"]) == (status, b"", "close")


# What is handed over and back


def test_request_arrives_as_it_was_sent(server: BackgroundServer) -> None:
    target = b"/a%2Fb/../c?Action=x&b=%zz&&=;'\"|^+#frag"
    headers = b"X-A:  one \t\r\nx-a: two\r\nX-Empty:\r\nX-Latin: \xe9\xff\r\n"
    reply = one(talk(server, get(target, headers, b"DELETE"), end=True))
    assert reply.told["method"] == "DELETE"
    assert reply.told["target"] == target.decode()
    assert reply.told["headers"] == [
        ["host", "sts.example.com"],
        ["x-a", "one"],
        ["x-a", "two"],
        ["x-empty", ""],
        ["x-latin", "\xe9\xff"],
    ]


def test_answer_leaves_as_it_was_given(server: BackgroundServer) -> None:
    reply = one(talk(server, get(b"/status/403"), end=True))
    assert reply.status == 403
    assert [(name, value) for name, value in reply.headers if name != "Content-Length"] == [
        ("x-amzn-RequestId", "one"),
        ("X-MiXeD", "  as: given"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ]


@pytest.mark.parametrize("status", [200, 302, 413, 499, 599])
def test_status_is_the_handlers(server: BackgroundServer, status: int) -> None:
    assert one(talk(server, get(b"/status/%d" % status), end=True)).status == status


def test_head_has_no_body(server: BackgroundServer) -> None:
    first, second = replies(talk(server, get(method=b"HEAD") + get(b"/2"), end=True), "HEAD", "GET")
    assert int(dict(first.headers)["Content-Length"]) > 0
    assert second.told["target"] == "/2"


@pytest.mark.parametrize(
    "body", [b"", b"a", b"Action=GetCallerIdentity&Version=2011-06-15", bytes(range(256)) * 4000], ids=len
)
@pytest.mark.parametrize("chunked", [False, True])
def test_body_arrives(server: BackgroundServer, body: bytes, *, chunked: bool) -> None:
    pieces = [body[at : at + 7777] for at in range(0, len(body), 7777)]
    in_chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    told = one(talk(server, CHUNKED + in_chunks if chunked else post(body), end=True)).told
    assert told["sha256"] == hashlib.sha256(body).hexdigest()


def test_trailers_are_no_headers(server: BackgroundServer) -> None:
    told = one(talk(server, CHUNKED + b"1\r\na\r\n0\r\nAuthorization: evil\r\n\r\n", end=True)).told
    assert [name for name, _ in told["headers"]] == ["host", "transfer-encoding"]


def test_request_may_come_byte_by_byte(server: BackgroundServer) -> None:
    data = b"\r\n" + get(b"/slow?a=b", b"X-Long: some value\r\n") + post(b"abc")
    first, second = replies(talk(server, *(data[at : at + 1] for at in range(len(data))), end=True))
    assert first.told["target"] == "/slow?a=b"
    assert first.told["headers"] == [["host", "sts.example.com"], ["x-long", "some value"]]
    assert second.told["length"] == 3


def test_pipelined_requests_are_answered_in_order(server: BackgroundServer) -> None:
    sent, targets = b"", []
    for number in range(300):
        targets.append(f"/{number}" if number % 3 else "/")
        sent += get(f"/{number}".encode()) if number % 3 else post(b"x" * number)
    assert [reply.told["target"] for reply in replies(talk(server, sent, end=True))] == targets


def test_a_connection_serves_many_requests(server: BackgroundServer) -> None:
    with connect(server) as client:
        for number in range(50):
            client.sendall(get(b"/%d" % number))
            assert read(client).told["target"] == f"/{number}"


@pytest.mark.parametrize(
    "request_",
    [
        get(headers=CLOSE),
        get(version=b"HTTP/1.0"),
        get(version=b"HTTP/1.0", headers=b"Connection: keep-alive\r\n"),
        get(b"/close"),
    ],
    ids=short,
)
def test_connection_ends_when_one_side_says_so(server: BackgroundServer, request_: bytes) -> None:
    assert one(talk(server, request_ + get(b"/2"))).status == 200


def test_answer_without_a_length_is_the_last(server: BackgroundServer) -> None:
    assert talk(server, get(b"/endless") + get(b"/2")) == b"HTTP/1.1 200 OK\r\n\r\nno length"


def test_expected_continue_is_given(server: BackgroundServer) -> None:
    with connect(server) as client:
        client.sendall(get(headers=b"Expect: 100-continue\r\nContent-Length: 3\r\n", method=b"POST"))
        assert read(client) == Reply(100, [], b"")
        client.sendall(b"abc")
        assert read(client).told["length"] == 3
        client.sendall(get(headers=b"Expect: 100-continue\r\n"))  # nothing to continue with
        assert read(client).status == 200


def test_upgrade_is_ignored(server: BackgroundServer) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    found = replies(talk(server, get(b"/1", upgrade) * 3000 + get(b"/2"), end=True))
    assert [reply.told["target"] for reply in found] == ["/1"] * 3000 + ["/2"]


# Limits


def whole(body: bytes, *, chunked: bool) -> bytes:
    return CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else post(body)


@pytest.mark.parametrize("chunked", [False, True])
def test_body_at_the_limit_is_taken(server: BackgroundServer, *, chunked: bool) -> None:
    assert one(talk(server, whole(b"a" * BODY_BYTES, chunked=chunked), end=True)).told["length"] == BODY_BYTES


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_refused(server: BackgroundServer, *, chunked: bool) -> None:
    # The client sends all of it before it reads: closing at once would reset the connection and lose the answer.
    assert refused(talk(server, whole(b"a" * (BODY_BYTES + 1), chunked=chunked)), 413)


@pytest.mark.parametrize("expecting", [b"", b"Expect: 100-continue\r\n"])
def test_announced_body_over_the_limit_is_refused_at_once(server: BackgroundServer, expecting: bytes) -> None:
    announced = b"Content-Length: %d\r\n" % (BODY_BYTES + 1)
    assert refused(talk(server, get(headers=announced + expecting, method=b"POST")), 413)


def head(size: int, kind: str) -> bytes:
    """Make a request whose head has `size` bytes."""
    if kind == "target":
        return get(b"/" + b"a" * (size - len(get())))
    if kind == "header":
        return get(headers=b"X: %s\r\n" % (b"a" * (size - len(get()) - 5)))
    count, left = divmod(size - len(get()), 5)
    return get(headers=b"X: \r\n" * (count - 1) + b"X: %s\r\n" % (b"a" * left))


@pytest.mark.parametrize("kind", ["target", "header", "headers"])
@pytest.mark.parametrize("pause", [False, True])
def test_head_limit(server: BackgroundServer, kind: str, *, pause: bool) -> None:
    fits, over = head(HEAD_BYTES, kind), head(HEAD_BYTES + 1, kind)
    assert (len(fits), len(over)) == (HEAD_BYTES, HEAD_BYTES + 1)
    cut = slice(None, 99), slice(99, 9000), slice(9000, None)
    assert one(talk(server, *([fits[part] for part in cut] if pause else [fits]), end=True)).status == 200
    assert refused(talk(server, *([over[part] for part in cut] if pause else [over])))


@pytest.mark.parametrize(
    ("begin", "again", "status"),
    [
        (b"GET /", b"a" * 9999, 400),
        (b"GET / HTTP/1.1\r\nX", b"x" * 9999, 400),
        (b"GET / HTTP/1.1\r\nX: ", b"x" * 9999, 400),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 2000, 400),
        (b"", b"\r\n" * 5000, 400),
        (CHUNKED, b"2000\r\n" + b"a" * 0x2000 + b"\r\n", 413),
        (CHUNKED + b"fffffffffffffff\r\n", b"a" * 9999, 413),
        (CHUNKED + b"1;", b"a" * 9999, 400),
        (CHUNKED + b"1;a=", b"a" * 9999, 400),
        (CHUNKED + b"1\r\na\r\n0\r\nX", b"a" * 9999, 400),
        (CHUNKED + b"1\r\na\r\n0\r\nX: ", b"a" * 9999, 400),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X: y\r\n" * 2000, 400),
    ],
    ids=short,
)
def test_what_never_ends_is_refused(server: BackgroundServer, begin: bytes, again: bytes, status: int) -> None:
    with connect(server) as client:
        client.sendall(begin)
        sent, most = 0, 2 * BODY_BYTES if status == 413 else 8_000_000  # buffers on the way hold some
        while not select.select([client], [], [], 0)[0]:
            client.sendall(again)
            sent += len(again)
            assert sent < most
        assert refused(rest(client), status)


# Malformed HTTP

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x80"
HELLO = b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3" + bytes(range(256)) + b"\r\n\r\n"


def framed(*headers: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    """Make a POST with such headers and a body that is good for any of them."""
    return get(headers=b"".join(header + b"\r\n" for header in headers), method=b"POST", version=version) + (
        b"1\r\nx\r\n0\r\n\r\n"
    )


MALFORMED = {
    "garbage": b"\x00\x01\x02\xff" * 50,
    "words": b"hello there\r\n\r\n",
    "html": b"<html></html>\r\n\r\n",
    "unknown-method": get(method=b"FOO"),
    "small-method": get(method=b"get"),
    "long-method": get(method=b"A" * 5000),
    "no-method": b" / HTTP/1.1\r\n\r\n",
    "http-0.9": b"GET /\r\n\r\n",
    "http-0.9-named": get(version=b"HTTP/0.9"),
    "http-1.2": get(version=b"HTTP/1.2"),
    "http-2.0": get(version=b"HTTP/2.0"),
    "http-11": get(version=b"HTTP/11.1"),
    "http-small": get(version=b"http/1.1"),
    "other-protocol": get(version=b"SIP/2.0"),
    "h2-preface": PREFACE,
    "tls-hello": HELLO,
    "socks": b"\x05\x01\x00",
    "smtp": b"EHLO a\r\n",
    "target-nul": get(b"/\0"),
    "target-space": get(b"/a b"),
    "target-high": get(b"/\xff"),
    "target-control": get(b"/\x01"),
    "target-none": b"GET HTTP/1.1\r\n\r\n",
    "target-relative": get(b"a"),
    "name-nul": get(headers=b"X\0: a\r\n"),
    "name-space": get(headers=b"X : a\r\n"),
    "name-empty": get(headers=b": a\r\n"),
    "no-colon": get(headers=b"X\r\n"),
    "value-nul": get(headers=b"X: a\0b\r\n"),
    "value-cr": get(headers=b"X: a\rb\r\n"),
    "value-control": get(headers=b"X: \x01\r\n"),
    "folded": get(headers=b"X: a\r\n b\r\n"),
    "folded-tab": get(headers=b"X: a\r\n\tb\r\n"),
    "folded-first": b"GET / HTTP/1.1\r\n X: a\r\n\r\n",
    "line-feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "length-negative": framed(b"Content-Length: -1"),
    "length-plus": framed(b"Content-Length: +1"),
    "length-empty": framed(b"Content-Length:"),
    "length-word": framed(b"Content-Length: one"),
    "length-hex": framed(b"Content-Length: 0x1"),
    "length-point": framed(b"Content-Length: 1.0"),
    "length-list": framed(b"Content-Length: 1, 1"),
    "length-overflow": framed(b"Content-Length: 99999999999999999999"),
    "length-two": framed(b"Content-Length: 1", b"Content-Length: 2"),
    "length-twice": framed(b"Content-Length: 1", b"Content-Length: 1"),
    "length-and-chunked": framed(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
    "chunked-and-length": framed(b"Transfer-Encoding: chunked", b"Content-Length: 1"),
    "encoding-unknown": framed(b"Transfer-Encoding: xchunked"),
    "encoding-identity": framed(b"Transfer-Encoding: identity"),
    "encoding-empty": framed(b"Transfer-Encoding:"),
    "encoding-gzip": framed(b"Transfer-Encoding: gzip, chunked"),
    "encoding-gzip-apart": framed(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
    "encoding-not-last": framed(b"Transfer-Encoding: chunked, identity"),
    "encoding-twice": framed(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "encoding-vertical-tab": framed(b"Transfer-Encoding: \x0bchunked"),
    "encoding-parameter": framed(b"Transfer-Encoding: chunked;a=b"),
    "encoding-space": framed(b"Transfer-Encoding : chunked"),
    "encoding-http-1.0": framed(b"Transfer-Encoding: chunked", version=b"HTTP/1.0"),
    "chunk-negative": CHUNKED + b"-1\r\nx",
    "chunk-word": CHUNKED + b"g\r\nx",
    "chunk-prefix": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "chunk-space": CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    "chunk-overflow": CHUNKED + b"f" * 17 + b"\r\nx",
    "chunk-empty": CHUNKED + b"\r\nx",
    "chunk-line-feed": CHUNKED + b"1\nx\n0\n\n",
    "chunk-longer": CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
    "chunk-extension-nul": CHUNKED + b"1;\0\r\nx\r\n0\r\n\r\n",
    "trailer-length": CHUNKED + b"0\r\nContent-Length: 7\r\n\r\n",
    "trailer-no-colon": CHUNKED + b"0\r\nX\r\n\r\n",
    "upgrade-with-body": framed(b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: 1"),
    "upgrade-with-chunks": framed(b"Connection: upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_is_refused(server: BackgroundServer, name: str) -> None:
    assert refused(talk(server, MALFORMED[name]))  # it is the server that ends the connection


@pytest.mark.parametrize("name", ["unknown-method", "length-two", "chunk-word", "folded"])
def test_refusal_comes_after_the_answers_before_it(server: BackgroundServer, name: str) -> None:
    good, bad = replies(talk(server, get(b"/1") + MALFORMED[name] + get(b"/2")))
    assert (good.told["target"], bad.status) == ("/1", 400)


@pytest.mark.parametrize(
    "data",
    [
        get(b"*", method=b"OPTIONS"),
        get(b"*"),
        get(b"http://sts.example.com/?a=b"),
        get(b"sts.example.com:443", method=b"CONNECT"),
        get(b"sts.example.com:443", method=b"CONNECT") + HELLO,
        get(b"/", method=b"CONNECT"),
        get(b"//"),
        get(b"/?"),
        get(b"http://"),
        get(b"http://[::1"),
        get(method=b"TRACE"),
        get(method=b"M-SEARCH"),
        get(version=b"RTSP/1.0"),
        b"GET / HTTP/1.1\r\n\r\n",
        get(headers=HOST),
        get(headers=b"Expect: the-unexpected\r\n"),
        get(headers=b"Connection: \r\nConnection: ,,\r\n"),
        get(headers=b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"),
        get(headers=b"Content-Length: 0\r\n" + b"X: y\r\n" * 1000),
    ],
    ids=short,
)
def test_odd_request_gets_one_answer(server: BackgroundServer, data: bytes) -> None:
    assert one(talk(server, data, end=True)).status in (200, 400)


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n", b"G", b"GET / HT", get()[:-2], get()[:-1], post(b"abc")[:-1], CHUNKED, CHUNKED + b"5\r\na"],
    ids=short,
)
def test_request_cut_short_gets_no_answer_but_an_end(server: BackgroundServer, data: bytes) -> None:
    reply = talk(server, data, end=True)
    assert reply == b"" if not data.strip() else refused(reply)


# Whole requests and malformed ones, to be spoilt further.
WHOLE = [
    get(b"/a?b"),
    get(method=b"HEAD"),
    post(b"Action=x"),
    CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    *MALFORMED.values(),
]
changes = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9), st.binary(max_size=9)), max_size=4)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Make a request with some stretches replaced."""
    data = draw(st.sampled_from(WHOLE))
    for at, length, new in draw(changes):
        data = data[:at] + new + data[at + length :]
    return data


@settings(max_examples=250, deadline=None)
@given(pieces=st.lists(st.one_of(st.binary(max_size=200), spoilt()), min_size=1, max_size=3))
@example(pieces=[b"\r"])
def test_no_bytes_unsettle_the_server(lasting: BackgroundServer, pieces: list[bytes]) -> None:
    failures = lasting.failures
    received = talk(lasting, *pieces, end=True)
    assert b"Traceback" not in received
    assert b"<" not in received.partition(b"\r\n\r\n")[0]
    assert not received or re.match(rb"HTTP/1\.1 (100|200|400|413) ", received)
    assert well(lasting)
    assert lasting.failures == failures


# Clients that stall, leave or come in crowds


@pytest.mark.parametrize(
    ("data", "least", "most"),
    [
        (b"", 1.8, PATIENCE),
        (b"G", 0.4, 1.6),
        (get()[:-1], 0.4, 1.6),
        (post(b"abc")[:-1], 0.4, 1.6),
        (CHUNKED + b"5\r\na", 0.4, 1.6),
        (get(), 1.8, PATIENCE),
        (get() + b"GET", 0.4, 1.6),
    ],
    ids=short,
)
def test_stalling_client_is_cut(impatient: BackgroundServer, data: bytes, least: float, most: float) -> None:
    begun = time.monotonic()
    received = talk(impatient, data)
    assert least <= time.monotonic() - begun < most
    assert received.count(b"HTTP/1.1 200") == data.count(b"HTTP/1.1\r\nHost: sts.example.com\r\n\r\n")


@pytest.mark.parametrize(
    ("data", "drop", "least", "most"),
    [(b"GET / HTTP/1.1\r\nX: ", b"x", 0.4, PATIENCE), (post(BIG)[:-300_000], b"x", 1.2, PATIENCE)],
    ids=short,
)
def test_dripping_client_is_cut(
    impatient: BackgroundServer, data: bytes, drop: bytes, least: float, most: float
) -> None:
    begun = time.monotonic()
    with connect(impatient) as client:
        client.sendall(data)
        with contextlib.suppress(ConnectionError):
            while not select.select([client], [], [], 0.1)[0]:
                client.sendall(drop)
                assert time.monotonic() < begun + PATIENCE
            assert client.recv(1) == b""
    assert least <= time.monotonic() - begun < most


def test_client_that_does_not_read_is_cut(impatient: BackgroundServer) -> None:
    with connect(impatient) as client:
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:
                client.sendall(get(b"/big"))
        assert gone(impatient, 0)
    assert well(impatient)


def test_client_that_never_leaves_is_cut(impatient: BackgroundServer) -> None:
    with connect(impatient) as client:
        client.sendall(get(headers=CLOSE))
        assert one(rest(client)).status == 200
        assert impatient.connections == 1  # our side still stands
        assert gone(impatient, 0)


def gone(server: BackgroundServer, count: int) -> bool:
    """Wait until no more than `count` connections are open."""
    deadline = time.monotonic() + PATIENCE
    while server.connections > count and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.connections <= count


@pytest.mark.parametrize(
    "data",
    [b"", b"G", get(), get(b"/big") * 50, post(BIG), post(BIG)[:-9], get() + b"\0", get(b"/wait", CLOSE)],
    ids=short,
)
@pytest.mark.parametrize("reset", [False, True])
def test_client_that_leaves_early_does_no_harm(server: BackgroundServer, data: bytes, *, reset: bool) -> None:
    for _ in range(5):
        with connect(server) as client:
            client.sendall(data)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert gone(server, 0)


def test_half_closed_client_gets_its_answers(server: BackgroundServer) -> None:
    found = replies(talk(server, get(b"/big") * 20 + get(b"/last"), end=True))
    assert len(found) == 21
    assert found[-1].told["target"] == "/last"


def test_slow_reader_gets_all_answers(server: BackgroundServer) -> None:
    with connect(server) as client:
        client.sendall(get(b"/big") * 40)
        time.sleep(0.3)
        client.sendall(get(b"/last", CLOSE))
        found = replies(rest(client))
    assert [len(reply.body) for reply in found[:-1]] == [len(BIG)] * 40
    assert found[-1].told["target"] == "/last"


def test_a_thousand_connections_at_once(server: BackgroundServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(1000)]
        for turn in range(2):
            for number, client in enumerate(clients):
                client.sendall(get(b"/%d/%d" % (turn, number)))
            for number, client in enumerate(clients):
                assert read(client).told["target"] == f"/{turn}/{number}"
        assert server.connections == 1000


def test_parallel_clients(server: BackgroundServer) -> None:
    def many(number: int) -> bool:
        with connect(server) as client:
            for turn in range(20):
                client.sendall(post(b"x" * turn))
                if read(client).told["length"] != turn:
                    return False
        return number >= 0

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(many, range(32)))


# Failures


@pytest.mark.parametrize("path", [b"/raise", b"/break"])
def test_failure_of_the_handler_is_an_internal_failure(
    lasting: BackgroundServer, path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    failures = lasting.failures
    failed, after = replies(talk(lasting, get(path) + get(b"/2"), end=True))
    assert failed.status == 500
    text = failed.body.decode()
    namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
    request_id = dict(failed.headers)["x-amzn-RequestId"]
    assert re.sub(r"\s", "", text) == (
        f'<ErrorResponsexmlns="{namespace}"><Error><Type>Receiver</Type><Code>InternalFailure</Code></Error>'
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    assert after.told["target"] == "/2"
    assert lasting.failures == failures + 1
    (record,) = caplog.records
    error = "RuntimeError" if path == b"/raise" else "ValueError"
    assert re.fullmatch(rf"reference: {error} at \S+\.py:\d+", record.getMessage())
    assert record.exc_info is None


# Starting and ending

PROGRAM = """
from targets.reference.model import HttpAnswer
from targets.reference.server import serve

def answer(request):
    if request.body:
        raise KeyError(request.body)
    return HttpAnswer(200, (("Content-Length", "2"),), b"ok")

serve(answer, port=0, ready=lambda port: print(port, flush=True))
print("ended", flush=True)
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_quietly(process: subprocess.Popen[str], how: signal.Signals) -> None:
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(post(b"a secret"))
        assert read(client).status == 500
        client.sendall(get())
        assert read(client).body == b"ok"
        client.sendall(b"GET / HT")  # neither this one nor idle clients hold it up
        process.send_signal(how)
        begun = time.monotonic()
        output, errors = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - begun < 2.0
    assert (process.returncode, output) == (0, "ended\n")
    assert re.fullmatch(r"reference: KeyError at <string>:7\n", errors)


def test_port_in_use_is_told(server: BackgroundServer) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(echo, port=server.port)


def test_closed_server_listens_no_more() -> None:
    server = BackgroundServer(echo)
    assert server.url == f"http://127.0.0.1:{server.port}"
    with connect(server) as client:
        server.close()
        server.close()
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(server)
