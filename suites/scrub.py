"""What pytest, its plug-ins and libraries show of a run, without secrets and without what would not show as itself.

Verdicts are cleaned where they are made. Here is the rest: log records of whatever library, at whatever level, and
tracebacks with the local variables that `--showlocals` adds.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _pytest._code.code import ReprEntry

from reports.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from targets.redactor import Redactor

_ROOT = Path(__file__).parents[1]
_OURS = tuple(_ROOT / name for name in ("specs", "generators", "targets", "suites", "reports"))
_DEEPEST = 20  # levels of a traceback's parts: exceptions chain, and each has entries with lines


class Scrubber:
    """Cleans what is about to be shown."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def text(self, text: str) -> str:
        """Return a text without secrets, and with all that moves a cursor or turns a line round written out."""
        return visible(self._redactor.clean_cut(self._redactor.clean(text)), lines=True)

    # Logs

    def clean_logs(self) -> Callable[[], None]:
        """Have every log record of this process cleaned when it is made; returns what undoes that.

        So whoever handles records (the terminal, `--log-file`, pytest's capturing, Allure) sees clean ones.
        """
        before = logging.getLogRecordFactory()

        def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
            return self._cleaned(before(*args, **kwargs))

        logging.setLogRecordFactory(make)
        return lambda: logging.setLogRecordFactory(before)

    def _cleaned(self, record: logging.LogRecord) -> logging.LogRecord:
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a library's mistake in a format; what it wanted to say is kept
            message = f"{record.msg!r} with arguments that do not fit it ({type(error).__name__})"
        record.msg, record.args = self.text(message), None
        if record.exc_info:
            record.exc_text = self.text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        return record

    # Tracebacks

    def report(self, report: pytest.TestReport | pytest.CollectReport, call: pytest.CallInfo[Any] | None) -> None:
        """Clean what a report says: its traceback, and what was captured meanwhile."""
        if isinstance(report.longrepr, str):
            report.longrepr = self.text(report.longrepr)
        elif report.failed:
            self.representation(report.longrepr)
        report.sections = [(name, self.text(content)) for name, content in report.sections]
        if call is not None and call.excinfo is not None and report.failed:
            error = call.excinfo.value  # Allure words it again
            error.args = tuple(self.text(part) if isinstance(part, str) else part for part in error.args)

    def representation(self, part: Any, depth: int = 0) -> None:
        """Clean, in place, what pytest has made of an exception. Of our own code no variables are shown."""
        if isinstance(part, ReprEntry) and part.reprlocals is not None and _is_ours(part):
            part.reprlocals = None
            part.reprfuncargs = None
        if depth > _DEEPEST or isinstance(part, type):
            return
        if isinstance(part, list):
            part[:] = [self._inner(item, depth) for item in part]
        elif dataclasses.is_dataclass(part) or hasattr(part, "__dict__"):
            for name, value in list(vars(part).items()):
                cleaned = self._inner(value, depth)
                if cleaned is not value:
                    setattr(part, name, cleaned)

    def _inner(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self._inner(item, depth + 1) for item in value)
        if isinstance(value, list) or type(value).__module__.startswith("_pytest._code"):
            self.representation(value, depth + 1)
        return value


def _is_ours(entry: ReprEntry) -> bool:
    place = entry.reprfileloc
    path = Path(place.path) if place is not None else None
    return path is not None and any(folder in (Path.cwd() / path).parents for folder in _OURS)
