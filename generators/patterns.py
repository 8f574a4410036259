"""Patterns of the contract as Java reads them, and characters that lie just outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import regex


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    r"""Compile a Java pattern: `\w` and `\d` are ASCII, `\p{L}` is Unicode, `\u` takes four digits.

    The API's patterns match the whole value: use `fullmatch`.
    """
    ascii_only = pattern.replace(r"\w", "a-zA-Z_0-9").replace(r"\d", "0-9")
    return regex.compile(ascii_only, regex.V0)


def admits(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches."""
    return compile_pattern(pattern).fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Trap:
    """A character that careless implementations of a pattern get wrong."""

    name: str
    text: str


# Only characters that XML can carry: a refusal may echo the value.
ORDINARY = (Trap("space", " "), Trap("exclamation-mark", "!"), Trap("number-sign", "#"), Trap("less-than", "<"))
TRAPS = (
    Trap("trailing-newline", "\n"),
    Trap("full-width-digit", "\uff11"),
    Trap("arabic-digit", "\u0663"),
    Trap("letter-e-acute", "\u00e9"),
    Trap("letter-sharp-s", "\u00df"),
    Trap("letter-cyrillic", "\u0436"),
    Trap("combining-acute", "e\u0301"),
    Trap("astral-letter", "\U0001d4b3"),
    Trap("emoji", "\U0001f600"),
    Trap("line-separator", "\u2028"),
    Trap("latin-extended", "\u0100"),
)


def outsider(pattern: str) -> Trap | None:
    """Return the most ordinary single character that the pattern does not admit."""
    return next(
        (trap for trap in (*ORDINARY, *TRAPS) if len(trap.text) == 1 and not admits(pattern, trap.text)), None
    )
