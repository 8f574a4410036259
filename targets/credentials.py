"""Credentials, and the redactor that knows every secret of the run by its value."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REDACTED = "<redacted>"
_SHORTEST = 12  # characters; shorter texts are no secrets of STS, and would redact half the report


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AWS key; its secret parts never show in repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


# Elements and JSON members of answers that carry secrets, wherever they stand.
_SECRET_FIELDS = re.compile(
    r"""<(?:[\w.-]+:)?(SecretAccessKey|SessionToken|WebIdentityToken)\b[^>]*>\s*([^<]+?)\s*<
      | ["'](?:SecretAccessKey|SessionToken|WebIdentityToken)["']\s*:\s*["']([^"']+)["']""",
    re.VERBOSE,
)
_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]{16,}")
_RUN = re.compile(rf"[^\s<>\"'&,;(){{}}\[\]]{{{_SHORTEST},}}")


class Redactor:
    """Replaces every secret value that was ever seen, whatever the text is and wherever it stands."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        # By the first characters of each secret: a look-up a position, however many secrets there are.
        self._by_start: dict[str, list[str]] = {}
        self._known: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Remember a secret, in the spellings that it can travel in."""
        if not secret or len(secret) < _SHORTEST or secret in self._known:
            return
        self._known.add(secret)
        for spelling in {
            secret,
            quote(secret, safe=""),
            quote(secret),
            quote_plus(secret),
            html.escape(secret),
            json.dumps(secret)[1:-1],
            secret.replace("/", "\\/"),
        }:
            bucket = self._by_start.setdefault(spelling[:_SHORTEST], [])
            if spelling not in bucket:
                bucket.append(spelling)
                bucket.sort(key=len, reverse=True)

    def learn(self, text: str) -> None:
        """Remember the secrets that an answer carries."""
        if "SecretAccessKey" not in text and "Token" not in text:
            return
        for match in _SECRET_FIELDS.finditer(text):
            value = match[2] or match[3]
            self.add(value)
            self.add(html.unescape(value))

    def clean(self, text: str) -> str:
        """Return `text` without any known secret, and without signatures."""
        text = _SIGNATURE.sub(rf"\1{REDACTED}", text)
        if not self._by_start:
            return text
        parts: list[str] = []
        done = 0
        for start, length in self._found(text):
            if start >= done:
                parts += (text[done:start], REDACTED)
                done = start + length
        return "".join((*parts, text[done:])) if done else text

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        starts = self._by_start
        for run in _RUN.finditer(text):
            position, end = run.start(), run.end() - _SHORTEST
            while position <= end:
                bucket = starts.get(text[position : position + _SHORTEST])
                hit = next((s for s in bucket if text.startswith(s, position)), None) if bucket else None
                if hit is not None:
                    yield position, len(hit)
                    position += len(hit)
                else:
                    position += 1
