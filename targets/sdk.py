"""The boto3 client as a second way to send: shows that a real client can read the answers.

Validation, retries, proxies and every setting of the user's environment are off.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from generators.answer import Answer
from generators.expectation import fill
from specs.contract import load
from targets.http import MAX_BODY, Exchange
from targets.wire import Prepared

if TYPE_CHECKING:
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


class SdkClients:
    """One boto3 client a caller, made when first needed."""

    def __init__(self, target: Target, estate: Estate, timeout: float) -> None:
        self._target = target
        self._estate = estate
        self._timeout = timeout
        self._clients: dict[str, Any] = {}
        self._session: Any = None
        self._one_at_a_time = asyncio.Lock()  # making clients; using them is free for all
        self._recorders = threading.local()  # botocore's events fire in the thread of the call

    async def call(self, case: Case, wire: Client) -> Exchange:
        """Send a case through boto3; an answer that boto3 cannot read is the exchange's `problem`.

        What boto3 presigns, `wire` sends: a presigned URL is made to be sent by others.
        """
        async with self._one_at_a_time:
            client = await asyncio.to_thread(self._client, case.request.signing.caller)
        if case.request.signing.by != "query":
            return await asyncio.to_thread(self._request, client, case)
        return await wire.send(await asyncio.to_thread(_presigned, client, case))

    def _client(self, caller: str) -> Any:
        if caller not in self._clients:
            if self._session is None:
                self._session = _make_session()
            keys = self._estate.callers[caller]
            client = self._clients[caller] = _make_client(self._session, self._target, keys, self._timeout)
            client.meta.events.register("before-send.sts", self._sends)
            client.meta.events.register("before-parse.sts", self._received)
        return self._clients[caller]

    def _sends(self, request: Any, **_event: object) -> None:
        self._recorders.now.request = request

    def _received(self, response_dict: dict[str, Any], **_event: object) -> None:
        self._recorders.now.keep(response_dict)

    def _request(self, client: Any, case: Case) -> Exchange:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - with the client
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        recorder = self._recorders.now = _Recorder()
        made_at, begun = datetime.now(UTC), time.perf_counter()
        problem = ""
        try:
            parsed = getattr(client, _METHODS[case.request.operation])(**self._arguments(case))
            problem = _missing(case.request.operation, parsed)
        except ClientError as error:
            problem = _client_error(error, recorder.answer)
        except BotoCoreError as error:
            if recorder.answer is None:
                return Exchange(recorder.sent(made_at), None, f"boto3: {' '.join(str(error).split())}")
            problem = _unreadable(error)
        except (ResponseParserError, *_CRASHES) as error:
            problem = _unreadable(error)
        failure = problem if recorder.answer is None else ""
        return Exchange(recorder.sent(made_at), recorder.answer, failure, time.perf_counter() - begun, problem)

    def _arguments(self, case: Case) -> dict[str, Any]:
        values = self._estate.values
        found: dict[str, Any] = {}
        for name, value in case.request.parameters:
            if value is not None and name not in {"Action", "Version"}:
                _put(found, name.split("."), int(value) if name in _INTEGERS else fill(value, values))
        return found

# What botocore's parser raises on answers of another shape than the model's, and on dates far away.
_CRASHES = (LookupError, TypeError, ArithmeticError, ValueError, AttributeError, RuntimeError)


class _Recorder:
    """Keeps what botocore sends and receives in one call."""

    def __init__(self) -> None:
        self.request: Any = None
        self.answer: Answer | None = None

    def keep(self, response: dict[str, Any]) -> None:
        """Take botocore's record of an answer."""
        headers = tuple((str(k).lower(), str(v)) for k, v in response["headers"].items())
        self.answer = Answer(response["status_code"], headers, response["body"][:MAX_BODY])

    def sent(self, made_at: datetime) -> Prepared:
        if self.request is None:
            return Prepared("POST", "/", (), b"", made_at)
        headers = tuple((str(k), _text(v)) for k, v in self.request.headers.items())
        body = self.request.body
        raw = body if isinstance(body, bytes) else str(body or "").encode()
        return Prepared("POST", urlsplit(self.request.url).path or "/", headers, raw, made_at)


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


def _unreadable(error: Exception) -> str:
    """Say that boto3 gave up; what it quotes of the body is spelled in ways in which no secret is recognised."""
    return f"boto3 cannot read the answer: {type(error).__name__}"


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
    """Make a session that reads nothing of the user's."""
    import boto3  # noqa: PLC0415 - a quarter of a second, for a few cases
    from botocore.session import Session  # noqa: PLC0415

    nothing = (None, None, None, None)
    session = Session(
        session_vars={
            "profile": nothing,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "ca_bundle": nothing,
            "ignore_configured_endpoint_urls": (None, None, True, None),
        }
    )
    return boto3.Session(botocore_session=session)


def _make_client(session: Any, target: Target, keys: Credentials, timeout: float) -> Any:
    from botocore.config import Config  # noqa: PLC0415 - with boto3

    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        proxies={},
        connect_timeout=timeout,
        read_timeout=timeout,
        signature_version="v4",
    )
    return session.client(
        "sts",
        region_name=target.region,
        endpoint_url=target.endpoint.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        config=config,
        verify=os.environ.get("SSL_CERT_FILE"),  # as Python's own TLS has it
    )


