"""A client that sends the bytes it is given and reads answers with distrust: limits, no redirects, TLS verified.

Built on asyncio and llhttp (httptools). Connections are kept alive; `in_flight` bounds how many there are,
`max_rate` how many requests a second are begun, over all of them together.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httptools

from generators.answer import Answer
from targets.wire import Unsendable

if TYPE_CHECKING:
    from targets.endpoint import Endpoint
    from targets.redactor import Redactor
    from targets.wire import Prepared

MAX_HEAD = 64 * 1024  # bytes of status line and headers
MAX_BODY = 1024 * 1024  # bytes
_MAX_KEPT = 16 * 1024  # bytes of a body that stay in memory to the end of a run
_NO_BODY = frozenset({204, 304})
_NAME = re.compile(r"[\w+=,.@:/-]{1,4096}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was sent and what came back; `failure` says why there is no answer."""

    sent: Prepared
    answer: Answer | None
    failure: str = ""
    seconds: float = 0.0
    problem: str = ""  # what the SDK could not do with the answer

    @property
    def granted(self) -> bool:
        """Whether it was answered with status 200."""
        return self.answer is not None and self.answer.status == 200  # noqa: PLR2004 - success

    def text_at(self, path: str) -> str:
        """Return the text of the answer's element at `path`, '' if there is none."""
        return (self.answer.text_at(path) or "") if self.answer is not None else ""

    def name_at(self, path: str) -> str:
        """Return the ARN, name or id at `path`; '' if there is none, or something that can be no such thing.

        What passes can stand in a policy, a request and a message as it is.
        """
        text = self.text_at(path)
        return text if _NAME.fullmatch(text) else ""

    @property
    def is_large(self) -> bool:
        """Whether the body is longer than any honest one: such an answer is not kept whole."""
        return self.answer is not None and len(self.answer.body) > _MAX_KEPT

    def cut(self, kept: int = _MAX_KEPT) -> Exchange:
        """Return this with no more than `kept` bytes of a large body: whoever judges it has done so."""
        if self.answer is None or not self.is_large:
            return self
        return replace(self, answer=replace(self.answer, body=self.answer.body[:kept]))


class _Broken(Exception):  # noqa: N818 - a turn of events, not an error of the program
    """The connection gave no whole answer; `nothing_came` tells whether not a byte of one had."""

    def __init__(self, why: str, *, nothing_came: bool = False) -> None:
        super().__init__(why)
        self.nothing_came = nothing_came


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.reusable = True
        self.used = False
        self._waiter: asyncio.Future[Answer] | None = None
        self._reset(head=False)

    def _reset(self, *, head: bool) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head = head
        self._headers: list[tuple[str, str]] = []
        self._header_bytes = 0  # trailers behind a chunked body among them
        self._body = bytearray()  # not a list: chunks may be of one byte each
        self._size = 0
        self._received = 0
        self._in_body = False

    async def exchange(self, prepared: Prepared) -> Answer:
        """Send one request and wait for its whole answer."""
        if self.transport is None or self.transport.is_closing():
            raise _Broken("the connection was closed", nothing_came=True)
        self._reset(head=prepared.method == "HEAD")
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(prepared.to_bytes())
        try:
            return await self._waiter
        finally:
            self._waiter = None
            self.used = True

    def close(self) -> None:
        """Close now, whatever is under way."""
        self.reusable = False
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection gives
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Feed the parser, within limits."""
        self._received += len(data)
        if self._waiter is None:
            self.close()  # nobody asked: an answer without a request
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("the answer switches protocols")
        except httptools.HttpParserError as error:
            self._fail(f"the answer is no HTTP: {error}")
        if not self._in_body and self._received > MAX_HEAD:
            self._fail(f"the answer's head is over {MAX_HEAD} bytes")

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer, if its end is that of the connection, or fail it."""
        self.reusable = False
        if self._waiter is None or self._waiter.done():
            return
        if self._in_body and not self._framed():
            self._complete()
            return
        self._fail(
            f"the connection broke: {exc}" if exc else "the connection was closed before the answer was whole",
            nothing_came=self._received == 0,
        )

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, up to the limit."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEAD:
            self._fail(f"the answer's head is over {MAX_HEAD} bytes")
            return
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Know that the head is whole; an answer to HEAD ends here."""
        status = self._parser.get_status_code()
        self._in_body = status >= 200  # noqa: PLR2004 - 1xx are not the answer
        if self._in_body and (self._head or status in _NO_BODY):
            self.reusable = self.reusable and not any(n == "content-length" and v != "0" for n, v in self._headers)
            self._complete()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body, up to the limit."""
        self._size += len(data)
        if self._size > MAX_BODY:
            self._fail(f"the answer's body is over {MAX_BODY} bytes")
            return
        self._body += data

    def on_message_complete(self) -> None:
        """Hand the answer over; drop 1xx ones and go on."""
        if self._in_body:
            self._complete()
        else:
            self._headers.clear()

    def _framed(self) -> bool:
        return any(name in {"content-length", "transfer-encoding"} for name, _ in self._headers)

    def _complete(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if not self._parser.should_keep_alive():
            self.reusable = False
        answer = Answer(self._parser.get_status_code(), tuple(self._headers), bytes(self._body))
        self._body.clear()  # a kept connection may stay idle for long
        self._waiter.set_result(answer)

    def _fail(self, why: str, *, nothing_came: bool = False) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(_Broken(why, nothing_came=nothing_came))
        self.close()


class Client:
    """Sends prepared requests to one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        in_flight: int,
        max_rate: float,
        timeout: float,
        redactor: Redactor | None = None,
    ) -> None:
        """`redactor` learns the secrets of every answer before anybody else sees it."""
        self.endpoint = endpoint
        self._redactor = redactor
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(in_flight)
        self._interval = 1.0 / max_rate if max_rate else 0.0
        self._next_start = 0.0
        self._timeout = timeout
        self._tls = ssl.create_default_context() if endpoint.scheme == "https" else None
        self.sent = 0  # requests begun, for the summary and the benchmarks

    async def send(self, prepared: Prepared, within: float | None = None) -> Exchange:
        """Send and wait, for `within` seconds if that is less than usual; never raises for what an endpoint does."""
        patience = min(self._timeout, within or self._timeout)
        async with self._slots:
            await self.pace()
            self.sent += 1
            begun = time.perf_counter()
            answer, failure = None, ""
            try:
                async with asyncio.timeout(patience):
                    answer = await self._attempt(prepared)
            except TimeoutError:
                failure = f"no answer within {patience:.3g} s"
            except (OSError, ssl.SSLError, UnicodeError) as error:  # the last of a host that no name can be
                failure = f"no connection: {_reason(error)}"
            except (_Broken, Unsendable) as broken:
                failure = str(broken)
            if answer is not None and self._redactor is not None:
                self._redactor.learn_from(answer, prepared)
            return Exchange(prepared, answer, failure, time.perf_counter() - begun)

    async def pace(self) -> None:
        """Wait for the turn that the rate limit gives."""
        if not self._interval:
            return
        now = time.monotonic()
        self._next_start = max(self._next_start, now) + self._interval
        delay = self._next_start - self._interval - now
        if delay > 0:
            await asyncio.sleep(delay)

    async def _attempt(self, prepared: Prepared) -> Answer:
        while True:
            connection = await self._connect()
            reused = connection.used
            try:
                answer = await connection.exchange(prepared)
            except _Broken as broken:
                # A kept connection that the endpoint had closed meanwhile says nothing about the request.
                if reused and broken.nothing_came:
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            if connection.reusable:
                self._idle.append(connection)
            else:
                connection.close()
            return answer

    async def _connect(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.transport is not None and not connection.transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            _Connection,
            self.endpoint.host,
            self.endpoint.port,
            ssl=self._tls,
            server_hostname=self.endpoint.host if self._tls else None,
        )
        return connection

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().close()


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())
