"""The boto3 client as a second way to send: shows that a real client can read the answers.

boto3 makes, signs and reads; what it made is sent by our own client, so that all limits hold here as well: of size,
of time, of requests a second, and Ctrl-C. Validation, retries and every setting of the user's environment are off.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from specs.contract import load
from targets.http import Exchange
from targets.wire import Prepared, filled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from generators.answer import Answer
    from generators.case import Case
    from targets.credentials import Credentials
    from targets.http import Client
    from targets.provision import Estate
    from targets.target import Target

_INTEGERS = frozenset({"DurationSeconds", "MinimumSessionTokenSize"})
_METHODS = {
    "AssumeRole": "assume_role",
    "GetAccessKeyInfo": "get_access_key_info",
    "GetCallerIdentity": "get_caller_identity",
    "GetFederationToken": "get_federation_token",
    "GetSessionToken": "get_session_token",
}
# botocore takes it from the environment, and our client writes it itself.
_NOT_SENT = frozenset({"x-amzn-trace-id", "content-length"})
_DOCTYPE = b"<!DOCTYPE"


class SdkClients:
    """One boto3 client a caller, made when first needed."""

    def __init__(self, target: Target, estate: Estate, wire: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._estate = estate
        self._wire = wire
        self._loop = loop  # in which `wire` sends
        self._clients: dict[str, Any] = {}
        self._session: Any = None
        self._one_at_a_time = asyncio.Lock()  # making clients; using them is free for all
        self._calls = threading.local()  # botocore's events fire in the thread of the call
        self._under_way: set[Future[Exchange]] = set()
        self._stopped = False

    async def call(self, case: Case) -> Exchange:
        """Send a case through boto3; an answer that boto3 cannot read is the exchange's `problem`.

        What boto3 presigns is sent as any other request: a presigned URL is made to be sent by others.
        """
        async with self._one_at_a_time:
            client = await asyncio.to_thread(self._client, case.request.signing.caller)
        if case.request.signing.by != "query":
            return await asyncio.to_thread(self._request, client, case)
        return await self._wire.send(await asyncio.to_thread(_presigned, client, case))

    def stop(self) -> None:
        """Let the threads end that wait for an answer."""
        self._stopped = True
        for future in tuple(self._under_way):
            future.cancel()

    def _client(self, caller: str) -> Any:
        if caller not in self._clients:
            if self._session is None:
                self._session = _make_session()
            client = self._clients[caller] = _make_client(self._session, self._target, self._estate.callers[caller])
            client.meta.events.register("before-send.sts", self._send)
        return self._clients[caller]

    def _send(self, request: Any, **_event: object) -> Any:
        """Send in botocore's place, from the thread of a call: what a handler of this event returns is the answer."""
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - with the client

        call: _Call = self._calls.now
        call.exchange = Exchange(_as_prepared(request), None, "not sent: the run was ended")
        if self._stopped:
            raise _Unreadable
        future = asyncio.run_coroutine_threadsafe(self._wire.send(call.exchange.sent), self._loop)
        self._under_way.add(future)
        try:
            call.exchange = future.result()
        finally:
            self._under_way.discard(future)
        answer = call.exchange.answer
        if answer is None:
            raise _Unreadable
        if _DOCTYPE in answer.body:
            # botocore's parser expands entities.
            problem = "boto3 is not given the answer: it declares a document type"
            call.exchange = replace(call.exchange, problem=problem)
            raise _Unreadable
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))

    def _request(self, client: Any, case: Case) -> Exchange:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - with the client
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        call = self._calls.now = _Call()
        begun, problem = time.perf_counter(), ""
        try:
            parsed = getattr(client, _METHODS[case.request.operation])(**self._arguments(case))
            problem = _missing(case.request.operation, parsed)
        except _Unreadable:
            return call.exchange
        except ClientError as error:
            problem = _client_error(error, call.exchange.answer)
        except (BotoCoreError, ResponseParserError, *_CRASHES) as error:
            if call.exchange.answer is None:
                return replace(call.exchange, failure=f"boto3 sends nothing: {type(error).__name__}")
            problem = f"boto3 cannot read the answer: {type(error).__name__}"
        return replace(call.exchange, seconds=time.perf_counter() - begun, problem=problem)

    def _arguments(self, case: Case) -> dict[str, Any]:
        request = filled(case.request, self._estate.values, self._target.endpoint.partition)
        found: dict[str, Any] = {}
        for name, value in request.parameters:
            if value is not None and name not in {"Action", "Version"}:
                _put(found, name.split("."), int(value) if name in _INTEGERS else value)
        return found


# What botocore's parser raises on answers of another shape than the model's, and on dates far away.
_CRASHES = (LookupError, TypeError, ArithmeticError, ValueError, AttributeError, RuntimeError)


class _Unreadable(Exception):  # noqa: N818 - a turn of events
    """There is no answer that botocore could read; the call's exchange says why."""


class _Call:
    """What came of one call so far."""

    def __init__(self) -> None:
        self.exchange = Exchange(Prepared("POST", "/", (), b"", datetime.now(UTC)), None)


class _Body:
    """A body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        """Yield all of it."""
        yield self._body


def _as_prepared(request: Any) -> Prepared:
    """Return a request that botocore has made and signed."""
    url, body = urlsplit(request.url), request.body
    raw = body if isinstance(body, bytes) else str(body or "").encode()
    headers = [(str(name), _text(value)) for name, value in request.headers.items() if name.lower() not in _NOT_SENT]
    headers += [("Host", url.netloc), ("Content-Length", str(len(raw)))]
    return Prepared(request.method, url.path or "/", tuple(headers), raw, datetime.now(UTC))


def _put(into: dict[str, Any], path: list[str], value: object) -> None:
    """Undo the flattening of the Query protocol: Tags.member.2.Key is Key of the second of Tags."""
    name, rest = path[0], path[1:]
    if not rest:
        into[name] = value
    elif rest[0] == "member":
        items = into.setdefault(name, [])
        index = int(rest[1]) - 1
        items.extend({} for _ in range(index + 1 - len(items)))
        if rest[2:]:
            _put(items[index], rest[2:], value)
        else:
            items[index] = value
    else:
        _put(into.setdefault(name, {}), rest, value)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _presigned(client: Any, case: Case) -> Prepared:
    method = _METHODS[case.request.operation]
    url = client.generate_presigned_url(method, ExpiresIn=case.request.signing.expires_seconds, HttpMethod="GET")
    parts = urlsplit(url)
    return Prepared("GET", f"{parts.path or '/'}?{parts.query}", (("Host", parts.netloc),), b"", datetime.now(UTC))


def _missing(operation: str, parsed: dict[str, Any]) -> str:
    """Say which response element boto3 did not find."""
    output = load().operations[operation].output
    for name, member in output.items():
        if member.presence == "always" and parsed.get(name) in (None, "", {}):
            return f"boto3 finds no {name} in the answer"
    if not parsed.get("ResponseMetadata", {}).get("RequestId"):
        return "boto3 finds no RequestId in ResponseMetadata"
    expiration = parsed.get("Credentials", {}).get("Expiration")
    if "Credentials" in output and not isinstance(expiration, datetime):
        return "boto3 finds no date and time in Credentials.Expiration"
    return ""


def _client_error(error: Any, answer: Answer | None) -> str:
    code = error.response.get("Error", {}).get("Code")
    if answer is None or code == answer.error_code:
        return ""
    return f"boto3 reads the code '{code}' from the answer"


def _make_session() -> Any:
    """Make a session that reads nothing of the user's: no variable, no file, no models of their own."""
    import boto3  # noqa: PLC0415 - a quarter of a second, for a few cases
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as VARIABLES  # noqa: PLC0415
    from botocore.loaders import Loader  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    defaults = {name: (None, None, default, cast) for name, (_, _, default, cast) in VARIABLES.items()}
    session = Session(
        session_vars=defaults
        | dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
        | {"ignore_configured_endpoint_urls": (None, None, True, None)}
    )
    built_in = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", built_in)
    return boto3.Session(botocore_session=session)


def _make_client(session: Any, target: Target, keys: Credentials) -> Any:
    import boto3  # noqa: PLC0415
    import botocore  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        proxies={},
        signature_version="v4",
        # botocore would add what the environment says of where it runs.
        user_agent=f"Boto3/{boto3.__version__} md/Botocore#{botocore.__version__}",
    )
    return session.client(
        "sts",
        region_name=target.region,
        endpoint_url=target.endpoint.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        config=config,
    )
