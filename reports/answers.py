"""What a target answered, without what differs from run to run: to tell whether two answers are the same."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_DIGIT: Final = re.compile(r"\d", re.ASCII)
_FRACTION: Final = re.compile(r"\.\d+", re.ASCII)
_CLOCK_STEP: Final = 10  # seconds: durations told from a clock are a second or two off

# Unique names first: a date within one is no date.
_NAMES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", re.ASCII), "<uuid>"),
    (re.compile(r"\bsts-conformance-[0-9a-f]{8}\b", re.ASCII), "sts-conformance-<run>"),
    (re.compile(r"\b(A[A-Z]{2}A)[A-Z0-9]{12,}\b", re.ASCII), r"\1<id>"),  # AKIA, ASIA, AROA, AIDA, ...
    (re.compile(r"(://[^\s/'\":]+|\b127\.0\.0\.1|\blocalhost|\[::1\]):\d{2,5}\b", re.ASCII), r"\1:<port>"),
)
# Letters with digits among them, longer than any word or date: request ids, user ids.
_UNIQUE: Final = re.compile(r"\b(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{18,}\b", re.ASCII)
_DATES: Final = re.compile(
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?"  # 2026-11-22T17:38:02.328746
    r"|\b20\d{6}(?:T\d{6}Z)?\b"  # 20261122T173802Z, and the date of a credential scope
    r"|\b\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\b"  # of an HTTP header
    r"|\b1[6-9]\d{8}\b",  # seconds since 1970
    re.ASCII,
)
_WEEKDAY: Final = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?=, 00 )", re.ASCII)
_MONTH: Final = re.compile(r"(?<=\b00 )(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?= 0000 )", re.ASCII)
_AGO: Final = re.compile(r"\b(\d+) s (?=(?:after|before) )", re.ASCII)
_SEVERAL: Final = re.compile(r"\b(\d+ validation errors? detected:) ", re.ASCII)


@lru_cache(maxsize=65536)
def essence(received: str) -> str:
    """Reduce an answer in words to what it would be in any other run; for comparing, not for showing.

    Put aside are request ids, the suffix of the run in names and ARNs, access key ids and other unique ids,
    dates (their form stays), ports, seconds of the clock to the nearest ten, and the order in which an answer
    lists what is wrong.
    """
    text = received
    for pattern, instead in _NAMES:
        text = pattern.sub(instead, text)
    text = _DATES.sub(_undated, text)
    text = _MONTH.sub("Mon", _WEEKDAY.sub("Day", text))
    text = _UNIQUE.sub("<id>", text)
    text = _AGO.sub(_rounded, text)
    first, *rest = _SEVERAL.sub(r"\1; ", text).split("; ")
    return "; ".join((first, *sorted(rest)))


def _undated(match: re.Match[str]) -> str:
    return _DIGIT.sub("0", _FRACTION.sub(".0", match[0]))


def _rounded(match: re.Match[str]) -> str:
    seconds = int(match[1])
    return f"{(seconds + _CLOCK_STEP // 2) // _CLOCK_STEP * _CLOCK_STEP} s "
