"""HTTP/1.1 for the reference: uvicorn listens and stops, httptools parses, a synchronous handler answers.

The protocol between the two is ours, because uvicorn's own cannot keep what AWS does: it writes header names in
lower case, loses the request line's target, reads heads of any size, waits for ever for the rest of a request,
and closes with input unread, which resets the connection and takes the 413 or 400 away from the client.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
import traceback
import uuid
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, Self, cast

import httptools
import uvicorn

from targets.reference.model import HttpAnswer, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from uvicorn.server import ServerState

HEAD_BYTES = 16_000  # request line and headers
BODY_BYTES = 11_000_000  # what is held at most; what STS takes, which is less, the handler knows

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_BACKLOG = 2048
_START_SECONDS = 30.0
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = re.compile(r"(?i)(?:^|,)[ \t]*close[ \t]*(?:,|$)")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds clients are waited for."""

    stall: float = 10.0  # for a whole head, for the next piece of a body, and for a client to read its answer
    request: float = 120.0  # for a whole request that comes in drops
    idle: float = 75.0  # between requests
    linger: float = 5.0  # for the client's end of the connection, once we have ended ours


def serve(
    answer: Callable[[HttpRequest], HttpAnswer],
    *,
    host: str = "127.0.0.1",
    port: int,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        answer: is called in this thread, one request at a time; what it raises becomes a 500.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        ready: is called with the port once connections are accepted.

    Raises:
        OSError: the port cannot be had.
    """
    listener = socket.create_server((host, port), backlog=_BACKLOG)
    taken: int = listener.getsockname()[1]
    server = _Server(_Service(answer, Patience()), lambda: ready(taken) if ready else None)
    server.run(sockets=[listener])


class BackgroundServer:
    """A server in a thread of its own, on a free loopback port; also a context manager.

    Attributes:
        port: where it listens.
        url: the same as a URL without a path.
    """

    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer], *, patience: Patience | None = None) -> None:
        """Start; connections are accepted when this returns."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._service = _Service(answer, patience or Patience())
        self._up = threading.Event()
        self._server = _Server(self._service, self._up.set)
        self._thread = threading.Thread(target=self._run, args=(listener,), daemon=True)
        self._thread.start()
        if not self._up.wait(_START_SECONDS) or not self._server.started:
            raise RuntimeError("the reference's server did not start")

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        finally:
            self._up.set()  # whoever waits for a start that failed need not wait on

    @property
    def failures(self) -> int:
        """How often the handler raised, or we failed ourselves."""
        return self._service.failures

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.server_state.connections)

    def close(self) -> None:
        """Stop listening, cut all connections and wait for the thread's end; may be called twice."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Service:
    """The handler, with a net below it."""

    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer], patience: Patience) -> None:
        self._answer = answer
        self.patience = patience
        self.failures = 0

    def __call__(self, request: HttpRequest) -> tuple[bytes, bool]:
        """Return the answer's bytes, and whether another answer may follow them."""
        try:
            return _render(self._answer(request), request.method)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and stderr a line
            self.failed(error)
        return _render(_internal_failure(), request.method)

    def failed(self, error: BaseException) -> None:
        """Count a failure and tell where it came from; its message stays out, as it may quote secrets."""
        self.failures += 1
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "nowhere"
        _log.error("reference: %s at %s", type(error).__name__, place)


class _Server(uvicorn.Server):
    """uvicorn's server with our protocol; it ends quietly, and cuts who overstays."""

    def __init__(self, service: _Service, ready: Callable[[], None]) -> None:
        # The application is no ASGI one: _Connection calls it, and uvicorn only hands it through.
        config = uvicorn.Config(
            service,
            http=_Connection,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            backlog=_BACKLOG,
        )
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:  # noqa: ARG002 - ten times a second, by uvicorn
        """Cut connections that are over their time; return whether to end."""
        now = asyncio.get_running_loop().time()
        for connection in list(_connections(self.server_state)):
            connection.expire(now)
        return self.should_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as uvicorn calls it
        """Take a signal; uvicorn's own way raises it once more at the end."""
        self.should_exit = True


def _connections(state: ServerState) -> set[_Connection]:
    return cast("set[_Connection]", state.connections)


class _Connection(asyncio.Protocol):
    """A client's connection: bytes to requests, answers to bytes, in order.

    A request is answered at the moment its last byte is parsed, so nothing is ever pending but unsent bytes.
    """

    def __init__(self, config: uvicorn.Config, server_state: ServerState, **_: object) -> None:
        if not config.loaded:
            config.load()
        self._service: _Service = config.loaded_app
        self._peers = _connections(server_state)
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._stage: Literal["idle", "head", "body"] = "idle"
        self._ended = False  # the last answer has been given, what still comes is thrown away
        self._blocked = False  # the client does not read
        self._now = self._began = self._deadline = 0.0
        self._moved = False  # the data at hand brought more than a piece of a head, trailer or chunk extension
        self._quiet = 0  # bytes since the last data that did
        self._method, self._target, self._keep = "", b"", True
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    # What asyncio and uvicorn call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._peers.add(self)
        self._deadline = self._loop.time() + self._service.patience.idle

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it was lost
        """Forget everything."""
        self._ended = True
        self._peers.discard(self)
        self._body = bytearray()
        del self._parser  # the two hold each other

    def data_received(self, data: bytes) -> None:
        """Parse, and answer what is complete."""
        if self._ended:
            return
        self._now, self._moved = self._loop.time(), False
        self._feed(data)
        # The parser keeps a name or value that does not end, and says nothing about it.
        self._quiet = 0 if self._moved else self._quiet + len(data)
        if self._quiet > HEAD_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST)
        if not self._ended and not self._blocked:
            self._deadline = self._due()

    def eof_received(self) -> None:
        """Let the transport close once all answers are sent; half a request gets a refusal first."""
        if self._stage != "idle":
            self._refuse(HTTPStatus.BAD_REQUEST)

    def pause_writing(self) -> None:
        """Read no more from a client that does not read its answers."""
        self._blocked = True
        self._transport.pause_reading()
        if not self._ended:
            self._deadline = self._loop.time() + self._service.patience.stall

    def resume_writing(self) -> None:
        """Go on."""
        self._blocked = False
        self._transport.resume_reading()
        if not self._ended:
            self._now = self._loop.time()
            self._deadline = self._due()

    def shutdown(self) -> None:
        """Close, without waiting for clients that do not read."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def expire(self, now: float) -> None:
        """Cut the connection if its time is over."""
        if now > self._deadline:
            self._transport.abort()

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._ended:
            return
        self._stage, self._moved, self._began = "head", True, self._now
        self._target, self._headers, self._body = b"", [], bytearray()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are dropped, they could contradict what was signed."""
        if self._stage == "head":
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        """Refuse the request by its head, or let its body come."""
        if self._ended:
            return
        self._stage, self._moved = "body", True
        self._method = self._parser.get_method().decode("ascii")
        modern = self._parser.get_http_version() == "1.1"
        self._keep = modern and self._parser.should_keep_alive() and self._method != "CONNECT"
        length, encodings, expects = self._framing()
        if refusal := self._objection(length, encodings, modern=modern):
            self._refuse(refusal)
        elif expects and modern and (length or encodings):
            self._send(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._ended:
            return
        self._moved = True
        if len(self._body) + len(body) > BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        if self._ended:
            return
        self._stage, self._moved = "idle", True
        request = HttpRequest(self._method, self._target.decode("latin-1"), tuple(self._headers), bytes(self._body))
        self._body = bytearray()
        answer, more = self._service(request)
        self._send(answer)
        if not (self._keep and more):
            self._end()

    # How it is done

    def _feed(self, data: bytes) -> None:
        while data and not self._ended:
            data = self._parse(data)

    def _parse(self, data: bytes) -> bytes:
        """Parse; return what is left where the parser expects another protocol: we never upgrade, and go on."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            self._service.failed(error.__context__ or error)  # a mistake of ours
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        return b""

    def _framing(self) -> tuple[int, list[str], bool]:
        """Return the announced length, the transfer encodings, and whether 100 Continue is awaited."""
        length, encodings, expects = 0, [], False
        for name, value in self._headers:
            if name == "content-length":
                length = int(value)  # the parser has checked it
            elif name == "transfer-encoding":
                encodings.append(value.lower())
            elif name == "expect":
                expects = value.lower() == "100-continue"
        return length, encodings, expects

    def _objection(self, length: int, encodings: list[str], *, modern: bool) -> HTTPStatus | None:
        size = len(f"{self._method}  HTTP/1.1\r\n\r\n") + len(self._target)
        size += sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > HEAD_BYTES:
            return HTTPStatus.BAD_REQUEST
        if not modern and (encodings or self._parser.get_http_version() != "1.0"):
            return HTTPStatus.BAD_REQUEST
        if encodings not in ([], ["chunked"]):
            return HTTPStatus.BAD_REQUEST
        if self._parser.should_upgrade() and (length or encodings):
            return HTTPStatus.BAD_REQUEST  # the parser would not give us the body
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length > BODY_BYTES else None

    def _due(self) -> float:
        patience = self._service.patience
        if self._stage == "idle":
            return self._now + patience.idle
        if self._stage == "head":
            return self._began + patience.stall
        return min(self._now + patience.stall, self._began + patience.request)

    def _send(self, data: bytes) -> None:
        if self._transport.is_closing():  # the client has gone
            self._ended = True
        else:
            self._transport.write(data)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer in AWS's front end's manner: nothing but the status."""
        if self._ended:
            return
        headers = (("Date", formatdate(usegmt=True)), ("Content-Length", "0"), ("Connection", "close"))
        self._body = bytearray()
        self._send(_render(HttpAnswer(status, headers), "")[0])
        self._end()

    def _end(self) -> None:
        """End our side; the client's is read and thrown away, as closing now would reset the connection."""
        if self._ended:
            return
        self._ended = True
        self._deadline = self._loop.time() + self._service.patience.linger
        try:
            self._transport.write_eof()
        except OSError:  # the client has reset it
            self._transport.abort()


def _render(answer: HttpAnswer, method: str) -> tuple[bytes, bool]:
    """Return an answer's bytes, and whether another answer may follow them."""
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
    length, closes = None, False
    for name, value in answer.headers:
        lines.append(f"{name}: {value}")
        if name.lower() == "content-length":
            length = value
        elif name.lower() == "connection":
            closes = closes or bool(_CLOSE.search(value))
    head = "\r\n".join(lines)
    if not head.count("\r") == head.count("\n") == len(lines) - 1:
        raise ValueError("a header with a line break")
    bodiless = method == "HEAD" or answer.status in _BODILESS
    body = b"" if bodiless else answer.body
    # An answer whose end the client cannot tell, or tells wrongly, has to be the last.
    told = bodiless or length == str(len(body))
    return f"{head}\r\n\r\n".encode("latin-1") + body, told and not closes


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _internal_failure() -> HttpAnswer:
    request_id = uuid.uuid4()
    body = (
        f'<ErrorResponse xmlns="{_NAMESPACE}">\n  <Error>\n    <Type>Receiver</Type>\n'
        f"    <Code>InternalFailure</Code>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    ).encode()
    headers = (
        ("x-amzn-RequestId", str(request_id)),
        ("Content-Type", "text/xml"),
        ("Content-Length", str(len(body))),
        ("Date", formatdate(usegmt=True)),
    )
    return HttpAnswer(500, headers, body)
