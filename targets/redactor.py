"""The redactor: it knows every secret of the run by its value, and takes it out of whatever is shown or kept.

There are two kinds of secrets. Those that are *given* (keys of the target, tokens that we sign, keys that we call
with) are known for the whole run. Those that an answer *teaches* are what an endpoint says: hostile input. Of these
no more than a bounded number is kept, and none that is one of our own words: an endpoint that calls `AccessDenied`
a session token must not blank the report.
"""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from generators.answer import local_name
from specs.vocabulary import own_words
from targets.percent import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from generators.answer import Answer
    from targets.wire import Prepared

REDACTED = "<redacted>"
SHORTEST = 8  # characters; shorter texts are no secrets of STS, and would redact half the report
_PIECE = 12  # characters by which a secret is recognised
_STRIDE = 8  # of a text only every eighth position is looked up: a secret's pieces are known at eight offsets

# What an answer can teach. AWS's secret keys have 40 characters, its session tokens up to 4,096.
_TAUGHT = re.compile(r"[A-Za-z0-9+/=_.~|%-]{20,16384}", re.ASCII)
_OF_ONE_ANSWER = 16  # secrets; an answer of STS carries two
_MOST_TAUGHT = 20_000  # secrets, and
_MOST_CHARACTERS = 8_000_000  # of them; what was taught first is forgotten first
_MOST_PARSED = 64 * 1024  # bytes of an answer that are looked at
_MOST_OF_PIECE = 4_096  # lengths and offsets of secrets with the same piece; no honest ones have it in common
_MOST_COMPARED = 2_000  # comparisons with one text, beside one for every eight characters of it

_SECRET_NAMES = frozenset({"SecretAccessKey", "SessionToken", "WebIdentityToken", "Base32StringSeed"})
_NAMES = "[Ss]ecretAccessKey|[Ss]essionToken|[Ww]ebIdentityToken|Base32StringSeed"  # tools write them small, too
# Elements and JSON members that carry secrets, wherever they stand.
_SECRET_FIELDS = re.compile(
    rf"""(?P<element><(?:[\w.-]{{1,64}}:)?(?:{_NAMES})\b[^<>]{{0,256}}>)(?:<!\[CDATA\[)?(?P<text>[^<]++)
      | (?P<member>["'](?:{_NAMES}|Token)["']\s{{0,64}}:\s{{0,64}}["'])(?P<value>[^"']++)""",
    re.VERBOSE | re.ASCII,
)
_FIELD_PARTS = ("ecretAccessKey", "oken", "StringSeed")  # without one of these there is no such field
_HALVES = re.compile(rf"(?<=([^\s'\"]{{{_PIECE}}}))\.\.\.(?=([^\s'\"]{{{_PIECE}}}))", re.ASCII)
_MOST_HALVES = 200  # in a text; each is looked for in every secret
_BLANK = re.compile(r"[\s'\"]", re.ASCII)
_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]{16,}", re.ASCII)
# The header of a session token, in a request, a query string, a canonical request, the repr of a dictionary.
_TOKEN_HEADER = re.compile(
    r"""([Xx]-[Aa]mz-[Ss]ecurity-[Tt]oken["']?[=:]\s{0,8}(?:b?["'])?)[^&\s"'<]{8,}""", re.ASCII
)


class Redactor:
    """Replaces every secret value that is known, whatever the text is and wherever it stands."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._given: set[str] = set()
        self._taught: dict[str, None] = {}  # in the order in which they came
        self._characters = 0  # of those taught
        # Pieces of spellings: at which offsets they stand in them, and how long these are. The cost of a text does
        # not grow with the number of secrets.
        self._pieces: dict[str, tuple[tuple[int, int], ...]] = {}
        self._spellings: set[str] = set()  # those that have pieces
        self._short: list[str] = []  # too short to have eight pieces; longest first
        self._longest = 0  # characters of a spelling
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._given) + len(self._taught)} secrets>"

    def add(self, secret: str | None, *, shortest: int = SHORTEST) -> None:
        """Know a secret for the whole run; not one of fewer characters than `shortest`."""
        if not secret or len(secret) < shortest or secret in self._given:
            return
        self._given.add(secret)
        if secret not in self._taught:
            self._index(secret)

    def add_handed_out(self, *secrets: str | None) -> None:
        """Know for the whole run what an endpoint handed out and we use; not what is one of our own words."""
        for secret in secrets:
            if secret and not own_words(secret):
                self.add(secret)

    @property
    def known(self) -> frozenset[str]:
        """Every secret so far; for the pipe to a worker process, nowhere else."""
        return frozenset(self._given | self._taught.keys())

    # What answers teach

    def learn(self, text: str, sent: Prepared | None = None) -> None:
        """Remember the secrets that a text carries in fields of their names.

        `sent`: the request that it answers. What that says is no secret of the endpoint's.
        """
        if not _may_have_fields(text):
            return
        for match in islice(_SECRET_FIELDS.finditer(text), _OF_ONE_ANSWER):
            value = (match["text"] or match["value"]).strip()
            meant = html.unescape(value)
            if self._learn_value(meant, sent) and value != meant:
                self._keep(value)

    def learn_from(self, answer: Answer, sent: Prepared | None = None) -> None:
        """Remember the secrets of an answer: of its text, and of its elements however they are written (CDATA)."""
        if len(answer.body) > _MOST_PARSED:  # more than any honest answer has: its text is not kept for this
            self.learn(answer.body[:_MOST_PARSED].decode("utf-8", errors="replace"), sent)
            return
        self.learn(answer.text, sent)
        if answer.root is None:
            return
        fields = (element for element in answer.root.iter() if local_name(element) in _SECRET_NAMES)
        for element in islice(fields, _OF_ONE_ANSWER):
            self._learn_value((element.text or "").strip(), sent)

    def _learn_value(self, value: str, sent: Prepared | None) -> bool:
        if value in self._given or value in self._taught:
            return True
        if not _TAUGHT.fullmatch(value) or own_words(value) or (sent is not None and value in sent.text):
            return False
        self._keep(value)
        return True

    def _keep(self, value: str) -> None:
        if value in self._taught:
            return
        self._taught[value] = None
        self._characters += len(value)
        self._index(value)
        if len(self._taught) > _MOST_TAUGHT or self._characters > _MOST_CHARACTERS:
            self._forget_the_older_half()

    # The index

    def _index(self, secret: str) -> None:
        for spelling in _spellings(secret):
            self._longest = max(self._longest, len(spelling))
            room = len(spelling) - _PIECE - _STRIDE + 1
            if room < 0:
                self._short = sorted({*self._short, spelling}, key=len, reverse=True)
            elif spelling not in self._spellings:
                # Tokens begin alike, or end alike: pieces from where no other secret has the same.
                candidates = (room, room // 2, room // 4, 0)
                place = next((n for n in candidates if spelling[n : n + _PIECE] not in self._pieces), room)
                self._spellings.add(spelling)
                for offset in range(place, place + _STRIDE):
                    piece, standing = spelling[offset : offset + _PIECE], _standing(offset, len(spelling))
                    known = self._pieces.get(piece, ())
                    if standing not in known and len(known) < _MOST_OF_PIECE:
                        self._pieces[piece] = (*known, standing)

    def _forget_the_older_half(self) -> None:
        """Make the index anew, of what is given and the newer half of what was taught."""
        newer = list(self._taught)[len(self._taught) // 2 :]
        self._taught = dict.fromkeys(newer)
        self._characters = sum(map(len, newer))
        self._pieces.clear()
        self._spellings.clear()
        self._short.clear()
        for secret in self.known:
            self._index(secret)

    # Cleaning

    def clean(self, text: str) -> str:
        """Return `text` without any known secret, without the contents of fields named for one, and signatures.

        A text that was made to be compared with very many secrets is withheld as a whole.
        """
        if "Signature=" in text:
            text = _SIGNATURE.sub(rf"\1{REDACTED}", text)
        if "ecurity-" in text:
            text = _TOKEN_HEADER.sub(rf"\1{REDACTED}", text)
        for secret in self._short:
            text = text.replace(secret, REDACTED)
        parts: list[str] = []
        done = 0
        try:
            for start, end in _merged(self._found(text)):
                parts += (text[done:start], REDACTED)
                done = end
        except _TooMany:
            return f"{REDACTED} ({len(text)} characters)"
        text = "".join((*parts, text[done:])) if done else text
        return _SECRET_FIELDS.sub(_emptied, text) if _may_have_fields(text) else text

    def clean_start(self, text: str, limit: int) -> str:
        """Return the first `limit` characters of what `clean` makes of a text, at a cost that does not grow with it.

        A secret that reaches beyond the limit is seen whole: the half of one is not recognised any more.
        """
        return self.clean(text[: limit + self._longest])[:limit]

    def clean_cut(self, text: str) -> str:
        """Return `text` without the halves of secrets that pytest leaves of a long value: 'abc...xyz'."""
        if "..." not in text:
            return text
        halves = list(islice(_HALVES.finditer(text), _MOST_HALVES + 1))
        if len(halves) > _MOST_HALVES:
            return f"{REDACTED} ({len(text)} characters)"
        parts: list[str] = []
        done = 0
        for match in halves:
            if match.start() >= done and self._is_cut(match):
                before = text[done : match.start()]
                end = _BLANK.search(text, match.end())
                parts += (before[: len(before) - len(_BLANK.split(before)[-1])], REDACTED)
                done = end.start() if end is not None else len(text)
        return "".join((*parts, text[done:]))

    def _is_cut(self, match: re.Match[str]) -> bool:
        return any(end in secret for secret in self.known for end in match.groups())

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets begin and end in `text`, in any order; they may overlap."""
        left = _MOST_COMPARED + len(text) // _STRIDE
        for position in range(0, len(text) - _PIECE + 1, _STRIDE):
            for offset, length in self._pieces.get(text[position : position + _PIECE], ()):
                start = position - offset
                left -= 1
                if left < 0:
                    raise _TooMany
                if start >= 0 and text[start : start + length] in self._spellings:
                    yield start, start + length


class _TooMany(Exception):  # noqa: N818 - a turn of events
    """A text takes more comparisons than any honest one."""


@lru_cache(maxsize=65536)
def _standing(offset: int, length: int) -> tuple[int, int]:
    """Return one pair for all pieces that stand alike: there are very many of them."""
    return offset, length


def _spellings(secret: str) -> set[str]:
    """Return the spellings in which a secret can travel."""
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        secret.replace("/", "\\/"),
        escaped(secret, "lower"),
        escaped(secret, "all"),
    }


def _may_have_fields(text: str) -> bool:
    return any(part in text for part in _FIELD_PARTS)


def _emptied(match: re.Match[str]) -> str:
    """Return a field that carries a secret without it."""
    before, said = (match["element"], match["text"]) if match["element"] else (match["member"], match["value"])
    return before + REDACTED if said.strip() not in {"", REDACTED} else match[0]


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges from left to right, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
