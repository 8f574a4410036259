"""The reference's clock: the machine's time, moved by as much as a test wants, or standing still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time in UTC."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._stands_at: datetime | None = None

    def now(self) -> datetime:
        """Return the present moment."""
        return (self._stands_at or datetime.now(UTC)) + self._offset

    def move(self, seconds: float) -> None:
        """Go forward, or back if `seconds` is negative."""
        self._offset += timedelta(seconds=seconds)

    def stand(self, at: datetime | None) -> None:
        """Stand still at a moment, or go on with None."""
        self._stands_at = at
