r"""Text that an endpoint sent, made safe to look at.

A control character can clear a terminal, a bidirectional override can turn a line round, a lone surrogate
cannot be encoded at all. Here each of them becomes its escape (``\x1b``, ``\u202e``, ``\ud800``).
"""

from __future__ import annotations

import json
import re
import unicodedata

_PLAIN_CATEGORIES = frozenset("LMNPS")
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks with no ink
_SUSPECT = re.compile(r"[^\x20-\x7e]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")  # JSON has escaped the controls below
_SUSPECT_IN_LINES = re.compile(r"[^\x20-\x7e\n\t]")
_VARIATION_SELECTORS = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def visible(text: str, *, lines: bool = False, marks: tuple[str, str] = ("", "")) -> str:
    """Replace each character that does not show as itself by its escape.

    `lines` keeps newlines and tabs; `marks` go before and after each escape.
    """
    before, after = marks

    def escape(match: re.Match[str]) -> str:
        char = match.group()
        return char if _has_ink(char) else before + char.encode("unicode_escape").decode() + after

    return (_SUSPECT_IN_LINES if lines else _SUSPECT).sub(escape, text)


def visible_json(text: str) -> str:
    r"""Return a JSON text that means the same, and in which no character is left that does not show as itself."""

    def escape(match: re.Match[str]) -> str:
        char = match.group()
        return char if _has_ink(char) else json.dumps(char)[1:-1]

    return _BEYOND_ASCII.sub(escape, text)


def clip(text: str, limit: int) -> tuple[str, int]:
    """Cut a text to `limit` characters; also the number of characters left out."""
    return text[:limit], max(0, len(text) - limit)


def _has_ink(char: str) -> bool:
    """Say whether a character shows as itself."""
    if char == " ":
        return True
    plain = unicodedata.category(char)[0] in _PLAIN_CATEGORIES
    return plain and char not in _BLANK and not _VARIATION_SELECTORS.match(char)
