"""Credentials, and the redactor that knows every secret of the run by its value."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from generators.answer import local_name
from targets.percent import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from generators.answer import Answer

REDACTED = "<redacted>"
_SHORTEST = 8  # characters; shorter texts are no secrets of STS, and would redact half the report
_PIECE = 12  # characters by which a secret is recognised
_STRIDE = 8  # of a text only every eighth position is looked up: a secret's pieces are known at eight offsets


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AWS key; its secret parts never show in repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


_SENDABLE = re.compile(r"[!-~]{1,32768}")


def sendable(text: str) -> bool:
    """Whether a header can carry `text` as a value: printable ASCII without spaces, 1 to 32,768 characters."""
    return _SENDABLE.fullmatch(text) is not None


_SECRET_NAMES = frozenset({"SecretAccessKey", "SessionToken", "WebIdentityToken"})
# Elements and JSON members of answers that carry secrets, wherever they stand.
_SECRET_FIELDS = re.compile(
    r"""<(?:[\w.-]{1,64}:)?(?:SecretAccessKey|SessionToken|WebIdentityToken)\b[^<>]{0,256}>([^<]++)<
      | ["'](?:SecretAccessKey|SessionToken|WebIdentityToken)["']\s{0,64}:\s{0,64}["']([^"']++)["']""",
    re.VERBOSE,
)
_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]{16,}")


class Redactor:
    """Replaces every secret value that was ever seen, whatever the text is and wherever it stands."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        # Pieces of secrets with their offsets: the cost of a text does not grow with the number of secrets.
        self._pieces: dict[str, list[tuple[str, int]]] = {}
        self._short: list[str] = []  # too short to have eight pieces; longest first
        self._known: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None, *, shortest: int = _SHORTEST) -> None:
        """Remember a secret, in the spellings that it can travel in; not one of fewer characters than `shortest`."""
        if not secret or len(secret) < shortest or secret in self._known:
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
            escaped(secret, "lower"),
            escaped(secret, "all"),
        }:
            self._index(spelling)

    def _index(self, spelling: str) -> None:
        room = len(spelling) - _PIECE - _STRIDE + 1
        if room < 0:
            self._short = sorted({*self._short, spelling}, key=len, reverse=True)
            return
        # Tokens begin alike, or end alike: pieces from where no other secret has the same.
        places = (room, room // 2, room // 4, 0)
        place = next((n for n in places if spelling[n : n + _PIECE] not in self._pieces), room)
        for offset in range(place, place + _STRIDE):
            bucket = self._pieces.setdefault(spelling[offset : offset + _PIECE], [])
            if (spelling, offset) not in bucket:
                bucket.append((spelling, offset))

    @property
    def known(self) -> frozenset[str]:
        """Every secret so far; for the pipe to a worker process, nowhere else."""
        return frozenset(self._known)

    def learn(self, text: str) -> None:
        """Remember the secrets that an answer carries."""
        if "SecretAccessKey" not in text and "Token" not in text:
            return
        for match in _SECRET_FIELDS.finditer(text):
            value = (match[1] or match[2]).strip()
            self.add(value)
            self.add(html.unescape(value))

    def learn_from(self, answer: Answer) -> None:
        """Remember the secrets of an answer: of its text, and of its elements however they are written (CDATA)."""
        self.learn(answer.text)
        if answer.root is not None:
            for element in answer.root.iter():
                if local_name(element) in _SECRET_NAMES and element.text:
                    self.add(element.text.strip())

    def clean(self, text: str) -> str:
        """Return `text` without any known secret, and without signatures."""
        if "Signature=" in text:
            text = _SIGNATURE.sub(rf"\1{REDACTED}", text)
        for secret in self._short:
            text = text.replace(secret, REDACTED)
        if len(text) < _PIECE or not self._pieces:
            return text
        parts: list[str] = []
        done = 0
        for start, end in _merged(self._found(text)):
            parts += (text[done:start], REDACTED)
            done = end
        return "".join((*parts, text[done:])) if done else text

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets begin and end in `text`, in any order; they may overlap."""
        for position in range(0, len(text) - _PIECE + 1, _STRIDE):
            for secret, offset in self._pieces.get(text[position : position + _PIECE], ()):
                start = position - offset
                if start >= 0 and text.startswith(secret, start):
                    yield start, start + len(secret)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges from left to right, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
