"""The reference's clock: the machine's time, moved by as much as a test wants, or standing still."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What signatures, tokens and codes can tell: no second before 1970, and years of four digits for every expiration.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


class Clock:
    """Tells the time in UTC."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._ahead = timedelta()  # for one request alone
        self._stands_at: datetime | None = None

    def now(self) -> datetime:
        """Return the present moment."""
        return self._base() + self._offset + self._ahead

    def move(self, seconds: float) -> None:
        """Go forward, or back if `seconds` is negative; raises as `ahead` does, and then stays as it is."""
        offset = self._offset + timedelta(seconds=seconds)
        self._check(offset)
        self._offset = offset

    @contextmanager
    def ahead(self, seconds: float) -> Iterator[None]:
        """Be so far ahead, or behind, for as long as the context lasts.

        Raises:
            ValueError: not a number, or before 1970, or after the years that can be written down.
            OverflowError: farther than Python can count.
        """
        ahead = timedelta(seconds=seconds)
        self._check(self._offset + ahead)
        before, self._ahead = self._ahead, ahead
        try:
            yield
        finally:
            self._ahead = before

    def stand(self, at: datetime | None) -> None:
        """Stand still at a moment, or go on with None."""
        self._stands_at = at

    def _base(self) -> datetime:
        return self._stands_at or datetime.now(UTC)

    def _check(self, offset: timedelta) -> None:
        if not _FIRST <= self._base() + offset <= _LAST:
            raise ValueError("no such time")


def seconds_of(text: str) -> float:
    """Read a decimal number of seconds; raises ValueError for anything else, 1e3 and nan among it."""
    if not _SECONDS.fullmatch(text):
        raise ValueError("not a decimal number")
    return float(text)
