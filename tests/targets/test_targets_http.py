"""The client against servers that mean no good: every exchange ends, soon, and none raises."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from targets.endpoint import Endpoint, parse_endpoint
from targets.http import MAX_BODY, MAX_HEAD, Client, Exchange
from targets.wire import Prepared
from tests.servers import Http, Listener, Received, http, read_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ask(
    url: str | Endpoint,
    count: int = 1,
    *,
    method: str = "POST",
    in_flight: int = 64,
    max_rate: float = 0.0,
    timeout: float = 3.0,
) -> list[Exchange]:
    """Send so many requests at once."""
    length = (("Content-Length", "4"),) if method == "POST" else ()
    body = b"body" if method == "POST" else b""
    prepared = Prepared(method, "/", (("Host", "test"), *length), body, NOW)

    async def work() -> list[Exchange]:
        endpoint = url if isinstance(url, Endpoint) else parse_endpoint(url)
        client = Client(endpoint, in_flight=in_flight, max_rate=max_rate, timeout=timeout)
        try:
            return await asyncio.gather(*(client.send(prepared) for _ in range(count)))
        finally:
            client.close()

    return asyncio.run(work())


def one_by_one(url: str, count: int, *, timeout: float = 3.0) -> list[Exchange]:
    """Send so many requests, each when the one before it has been answered."""

    async def work() -> list[Exchange]:
        client = Client(parse_endpoint(url), in_flight=4, max_rate=0.0, timeout=timeout)
        prepared = Prepared("GET", "/", (("Host", "test"),), b"", NOW)
        found = []
        for _ in range(count):
            found.append(await client.send(prepared))
            await asyncio.sleep(0.05)
        client.close()
        return found

    return asyncio.run(work())


def script(*answer: bytes, wait: bool = False) -> Callable[[socket.socket], None]:
    """Make a server that reads a request, sends this in pieces, and closes or (`wait`) says no more."""

    def talk(connection: socket.socket) -> None:
        read_request(connection.makefile("rb"))
        for piece in answer:
            connection.sendall(piece)
            time.sleep(0.01)
        if wait:
            connection.settimeout(10)
            connection.recv(1)

    return talk


def endless(start: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        read_request(connection.makefile("rb"))
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return talk


def slow_drip(connection: socket.socket) -> None:
    """Send a byte now and then: never silent, never done."""
    read_request(connection.makefile("rb"))
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end


HEADERS = b"HTTP/1.1 200 OK\r\n"
GOOD: dict[str, tuple[Callable[[socket.socket], None], int, bytes]] = {
    "plain": (script(OK), 200, b"ok"),
    "in pieces": (script(b"HTTP/1.1 20", b"0 OK\r\nContent-Le", b"ngth: 2\r\n\r", b"\no", b"k"), 200, b"ok"),
    "chunked": (script(chunked(b"hel", b"lo")), 200, b"hello"),
    "chunked with trailers": (script(chunked(b"hello", end=b"0\r\nX-After: 1\r\n\r\n")), 200, b"hello"),
    "until the end of the connection": (script(HEADERS + b"\r\n", b"all ", b"of it"), 200, b"all of it"),
    "HTTP/1.0": (script(b"HTTP/1.0 404 Not Found\r\n\r\nnone"), 404, b"none"),
    "100 first": (script(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), 200, b"ok"),
    "several 1xx": (script(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + OK), 200, b"ok"),
    "no body": (script(b"HTTP/1.1 204 No Content\r\n\r\n", wait=True), 204, b""),
    "of just the limit": (
        script(HEADERS + b"Content-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY),
        200,
        b"x" * MAX_BODY,
    ),
    "a redirect": (
        script(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        302,
        b"",
    ),
    "an odd status": (script(b"HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n"), 999, b""),
}
BAD: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "endless headers": (endless(HEADERS, b"X-Padding: " + b"x" * 1000 + b"\r\n"), "head is over"),
    "one endless header": (endless(HEADERS + b"X: ", b"x" * 1000), "head is over"),
    "endless trailers": (
        endless(HEADERS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: " + b"x" * 1000 + b"\r\n"),
        "head is over",
    ),
    "endless 1xx": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "over"),
    "an endless body": (endless(HEADERS + b"\r\n", b"x" * 10_000), "body is over"),
    "an endless chunked body": (
        endless(HEADERS + b"Transfer-Encoding: chunked\r\n\r\n", b"2000\r\n" + b"x" * 0x2000 + b"\r\n"),
        "body is over",
    ),
    "a body over the limit": (
        script(HEADERS + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1)),
        "body is over",
    ),
    "a body that is cut off": (script(HEADERS + b"Content-Length: 100\r\n\r\nshort"), "before the answer was whole"),
    "a chunk that is cut off": (script(chunked(b"hel", end=b"ff\r\nlo")), "before the answer was whole"),
    "a chunk of no size": (script(HEADERS + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "no HTTP"),
    "a huge chunk": (script(HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n"), "no HTTP"),
    "a huge length": (script(HEADERS + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n"), "no HTTP"),
    "a negative length": (script(HEADERS + b"Content-Length: -1\r\n\r\n"), "no HTTP"),
    "a length of letters": (script(HEADERS + b"Content-Length: two\r\n\r\nok"), "no HTTP"),
    "two lengths": (script(HEADERS + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"), "no HTTP"),
    "length and chunks": (
        script(HEADERS + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "no HTTP",
    ),
    "a huge status": (script(b"HTTP/1.1 99999999999999999999 OK\r\n\r\n"), "no HTTP"),
    "garbage": (script(bytes(range(256)) * 10), "no HTTP"),
    "a request": (script(b"GET / HTTP/1.1\r\n\r\n"), "no HTTP"),
    "nothing": (script(), "closed before the answer was whole"),
    "silence": (script(wait=True), "no answer within 0.3 s"),
    "half a head and silence": (script(HEADERS, wait=True), "no answer within 0.3 s"),
    "half a body and silence": (
        script(HEADERS + b"Content-Length: 9\r\n\r\nhalf", wait=True),
        "no answer within 0.3 s",
    ),
    "a slow drip": (slow_drip, "no answer within 0.3 s"),
    "another protocol": (
        script(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        "",
    ),
}


@pytest.mark.parametrize("what", GOOD)
def test_an_answer_is_read(what: str) -> None:
    talk, status, body = GOOD[what]
    with Listener(talk) as server:
        (exchange,) = ask(server.url)
    assert exchange.failure == ""
    assert exchange.answer is not None
    assert (exchange.answer.status, exchange.answer.body) == (status, body)
    assert server.connections == 1


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_answer_ends_soon_with_a_reason(what: str) -> None:
    talk, reason = BAD[what]
    begun = time.monotonic()
    with Listener(talk) as server:
        (exchange,) = ask(server.url, timeout=0.3)
    assert exchange.answer is None
    assert exchange.failure
    assert reason in exchange.failure
    assert "\n" not in exchange.failure
    assert time.monotonic() - begun < 3


def test_a_head_just_within_the_limit_is_read() -> None:
    padding = b"X: %s\r\n" % (b"x" * (MAX_HEAD - len(OK) - 5))
    answer = OK.replace(b"\r\n", b"\r\n" + padding, 1)
    with Listener(script(answer)) as server:
        (exchange,) = ask(server.url)
    assert exchange.answer is not None
    assert len(exchange.answer.header("x") or "") > MAX_HEAD - 100


def test_names_are_in_lower_case_and_values_as_they_came() -> None:
    with Listener(
        script(HEADERS + b"X-Amzn-RequestId:  A b\r\nSet-Cookie: 1\r\nset-cookie: \xe9\r\nContent-Length: 0\r\n\r\n")
    ) as server:
        (exchange,) = ask(server.url)
    assert exchange.answer is not None
    assert exchange.answer.headers == (
        ("x-amzn-requestid", "A b"), ("set-cookie", "1"), ("set-cookie", "é"), ("content-length", "0"),
    )  # fmt: skip


def test_an_answer_to_head_has_no_body() -> None:
    with Listener(script(HEADERS + b"Content-Length: 500\r\n\r\n", wait=True)) as server:
        (exchange,) = ask(server.url, method="HEAD")
    assert exchange.answer is not None
    assert exchange.answer.header("content-length") == "500"
    assert exchange.answer.body == b""


def test_redirects_are_not_followed() -> None:
    with Listener() as elsewhere:
        location = {"location": elsewhere.url}
        with Http(lambda _: http(307, "", location)) as server:
            (exchange,) = ask(server.url)
        assert exchange.answer is not None
        assert exchange.answer.status == 307
        assert elsewhere.connections == 0


def test_nobody_there() -> None:
    with Listener() as listener:
        url = listener.url
    (exchange,) = ask(url)
    assert exchange.answer is None
    assert exchange.failure == "no connection: connection refused"


def test_a_host_that_no_name_can_be() -> None:
    (exchange,) = ask(Endpoint("http", "a..b", 1))  # none that parse_endpoint lets through
    assert exchange.answer is None
    assert exchange.failure.startswith("no connection: ")


def test_no_tls_where_tls_is_asked_for() -> None:
    with Listener(lambda connection: connection.sendall(OK)) as server:
        (exchange,) = ask(server.url.replace("http:", "https:"))
    assert exchange.answer is None
    assert exchange.failure.startswith("no connection")


# Kept connections


def test_a_connection_is_kept() -> None:
    with Http(lambda _: http(200, "x")) as server:
        exchanges = one_by_one(server.url, 5)
    assert all(e.answer is not None for e in exchanges)
    assert server.connections == 1


@pytest.mark.parametrize("how", ["at once", "when asked again"])
def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(how: str) -> None:
    """Servers close idle connections when they like; the request is sent again on a new one."""

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        read_request(reader)
        connection.sendall(OK)
        if how == "when asked again":
            read_request(reader)

    with Listener(talk) as server:
        exchanges = one_by_one(server.url, 4)
        assert [e.failure for e in exchanges] == [""] * 4
        assert server.connections == 4


def test_connection_close_is_heeded() -> None:
    with Http(lambda _: http(200, "x", {"connection": "close"})) as server:
        exchanges = one_by_one(server.url, 3)
        assert [e.failure for e in exchanges] == [""] * 3
        assert server.connections == 3


def test_an_answer_that_nobody_asked_for_is_given_to_nobody() -> None:
    """A second answer after the first must not be taken for that to the next request."""
    count = iter(range(100))

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        while read_request(reader) is not None:
            body = b"%02d" % next(count)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse")

    with Listener(talk) as server:
        exchanges = one_by_one(server.url, 5)
    bodies = [e.answer.body for e in exchanges if e.answer is not None]
    assert b"false" not in bodies
    assert bodies == sorted(set(bodies))


def test_a_broken_exchange_does_not_break_the_next() -> None:
    turns = iter(range(100))

    def answer(_: Received) -> bytes | None:
        return http(200, "good") if next(turns) % 2 else b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"

    with Http(answer) as server:
        exchanges = one_by_one(server.url, 4, timeout=0.3)
    assert [e.answer is not None for e in exchanges] == [False, True, False, True]


# Limits


@pytest.mark.parametrize("in_flight", [1, 7])
def test_no_more_than_so_many_are_in_flight(in_flight: int) -> None:
    def answer(_: Received) -> bytes:
        time.sleep(0.02)
        return http(200, "x")

    with Http(answer) as server:
        exchanges = ask(server.url, 40, in_flight=in_flight, timeout=10)
    assert all(e.answer is not None for e in exchanges)
    assert server.peak == in_flight
    assert server.connections == in_flight


def test_no_more_than_so_many_a_second_are_begun() -> None:
    with Http(lambda _: http(200, "x")) as server:
        ask(server.url, 41, max_rate=50.0, timeout=10)
    times = server.times
    assert 0.7 < times[-1] - times[0] < 3
    for first, later in zip(times, times[20:], strict=False):
        assert later - first > 0.3  # twenty take 0.4 s


def test_waiting_for_the_rate_is_no_time_out() -> None:
    with Http(lambda _: http(200, "x")) as server:
        exchanges = ask(server.url, 20, max_rate=20.0, timeout=0.3)
    assert all(e.answer is not None for e in exchanges)
