"""The shell command that sends a case's request again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from targets.wire import scope_region

if TYPE_CHECKING:
    from generators.case import Case
    from targets.target import Target
    from targets.wire import Prepared

_LONGEST = 2_500  # characters of a body that one still wants to read in a command
_SIGNED_HEADERS = frozenset(
    {"authorization", "x-amz-date", "x-amz-security-token", "host", "content-length", "x-amz-content-sha256", "date",
     "user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}
)


def command(case: Case, sent: Prepared, target: Target) -> str:
    """Return a `curl --aws-sigv4` line; where curl cannot, the pytest call of the one case.

    The key is read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    """
    signing = case.request.signing
    plain_signing = signing.by != "query" and signing.alter is None and not signing.skew_seconds
    never_sent = not sent.method
    alone = not case.fixtures and not case.setup  # what a scenario needs is made and removed by its run
    curl_can = plain_signing and signing.date_header == "x-amz-date" and len(sent.body) <= _LONGEST and _typable(sent)
    if never_sent or not alone or not curl_can:
        return f"pytest --target={shlex.quote(_name(target))} -k {shlex.quote(case.id)}"
    parts = ["curl", "--silent", "--show-error", "--include"]
    if signing.by == "header":
        scope = f"aws:amz:{scope_region(signing, target.region)}:{signing.service or 'sts'}"
        parts += ["--aws-sigv4", shlex.quote(scope), "--user", '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"']
        if signing.caller not in {"user", "unknown-key", "wrong-secret", "session-without-token"}:
            parts += ["--header", '"X-Amz-Security-Token: $AWS_SESSION_TOKEN"']
    if case.request.method == "HEAD":
        parts.append("--head")
    elif case.request.method != ("POST" if sent.body else "GET"):
        parts += ["--request", case.request.method]
    for name, value in sent.headers:
        if name.lower() not in _SIGNED_HEADERS:
            parts += ["--header", shlex.quote(f"{name}: {value}")]
    if sent.body:
        if case.request.content_type is None:
            parts += ["--header", "'Content-Type:'"]
        parts += ["--data-raw", shlex.quote(sent.body.decode("ascii", errors="replace"))]
    url = f"{target.endpoint.scheme}://{target.endpoint.authority}{sent.target}"
    return " ".join((*parts, "--path-as-is", shlex.quote(url)))


def _typable(sent: Prepared) -> bool:
    """Whether a command line can carry all of it as it is."""
    texts = (sent.body.decode("latin-1"), *(value for _, value in sent.headers))
    return all(text.isascii() and text.isprintable() for text in texts) and all(value for _, value in sent.headers)


def _name(target: Target) -> str:
    return target.name if target.server is not None else target.endpoint.url
