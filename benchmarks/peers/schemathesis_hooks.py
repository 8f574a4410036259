"""schemathesis's hooks: sign what it sends, hold the answer against a success. Named by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

from typing import Any

import schemathesis

from benchmarks.peers.signing import check, signed


class _Sign:
    """What `requests` calls with a request that is ready to go."""

    def __call__(self, request: Any) -> Any:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        request.headers.update(signed(request.url, body))
        return request


@schemathesis.hook  # type: ignore[untyped-decorator, unused-ignore]
def before_call(_context: Any, _case: Any, kwargs: dict[str, Any]) -> None:
    """Have the request signed when it is whole."""
    kwargs["auth"] = _Sign()


@schemathesis.check  # type: ignore[untyped-decorator, unused-ignore]
def granted(_context: Any, response: Any, _case: Any) -> None:
    """Hold an answer against what all tools ask of it."""
    check(response.status_code, response.content)
