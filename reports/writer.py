"""Writes results.json case by case, and reads it back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from reports.model import FORMAT, CaseResult, Edge, GoneDeviation, KillRow, Record, Results, Rule, Run
from reports.text import visible, visible_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

_OPEN_TAIL = '\n],"gone":[],"edges":[],"complete":false}'
_SURROGATE = re.compile("[\ud800-\udfff]")


class ResultsError(Exception):
    """A results file that cannot be read; the message is one line."""


class ResultsWriter:
    """Keeps a results.json that is whole after every call, so that a killed run leaves what it had.

    A kill within a call can tear the last line; `read_results` then leaves that line out.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        run: Run,
        rules: Sequence[Rule],
        unsupported: Sequence[str] = (),
        kill_table: Sequence[KillRow] = (),
    ) -> None:
        start = Results(
            run=run, rules=tuple(rules), unsupported=tuple(unsupported), kill_table=tuple(kill_table), cases=()
        )
        self._rules = frozenset(rule.id for rule in rules)
        self._seen: set[str] = set()
        head = to_json(start).removesuffix(_OPEN_TAIL.lstrip()).encode()
        _replace(Path(path), head + _OPEN_TAIL.encode())
        self._file = Path(path).open("r+b", buffering=0)  # noqa: SIM115 - open for as long as the run
        self._end = len(head)  # where the last case ends and the tail begins

    def add(self, case: CaseResult) -> None:
        """Append a case; its id must be new and its rules among those of the run."""
        if case.id in self._seen:
            raise ValueError(f"case {case.id} is already in the results")
        if unknown := set(case.rules) - self._rules:
            raise ValueError(f"case {case.id} names rules that the run does not have: {sorted(unknown)}")
        self._append((",\n" if self._seen else "\n") + to_json(case))
        self._seen.add(case.id)

    def finish(self, gone: Sequence[GoneDeviation] = (), edges: Sequence[Edge] = ()) -> None:
        """Mark the run as complete and close the file."""
        listed, drawn = ",".join(map(to_json, gone)), ",".join(map(to_json, edges))
        # Never shorter than the tail it overwrites, and torn at no byte into JSON of another meaning.
        self._put(f'\n],"gone":[{listed}],"edges":[{drawn}],"complete":true}}\n'.encode())
        self.close()

    def close(self) -> None:
        """Close the file; without `finish` it says that the run was cut off."""
        self._file.close()

    def _append(self, text: str) -> None:
        """Write over the tail: text, then the tail again, in one call to the system."""
        data = text.encode()
        self._put(data + _OPEN_TAIL.encode())
        self._end += len(data)

    def _put(self, data: bytes) -> None:
        self._file.seek(self._end)
        try:
            self._write(data)
        except OSError:  # a full disk: drop the half of a case, keep those before it
            self._file.truncate(self._end)
            self._file.seek(self._end)
            self._write(_OPEN_TAIL.encode())
            raise

    def _write(self, data: bytes) -> None:
        written = 0
        while written < len(data):
            written += self._file.write(data[written:])


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: until the new one is on the disk, the former stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def to_json(record: Record) -> str:
    r"""Dump a record as JSON; a lone surrogate, which no UTF-8 can hold, becomes the text ``\ud800``."""
    try:
        text = record.model_dump_json()
    except PydanticSerializationError:
        text = json.dumps(record.model_dump(), ensure_ascii=False, separators=(",", ":"))
        text = _SURROGATE.sub(lambda match: f"\\\\u{ord(match.group()):04x}", text)
    return visible_json(text)


def read_results(path: str | PathLike[str]) -> Results:
    """Read a results.json; raises ResultsError with the file and what is wrong with it."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from error
    try:
        return Results.model_validate_json(data)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid" and (mended := _mend(data)):
            return mended
        raise ResultsError(visible(f"{path}: {_first(error)}")) from error


def _mend(data: bytes) -> Results | None:
    """Leave out the last line, torn because the run was killed in the very moment of writing it."""
    whole = data.rpartition(b"\n")[0].removesuffix(b",")
    try:
        return Results.model_validate_json(whole + _OPEN_TAIL.encode())
    except ValidationError:
        return None


def _first(error: ValidationError) -> str:
    """Put the first of a model's complaints in words, and how many follow."""
    details = error.errors(include_url=False, include_context=False)
    first = next((each for each in details if each["loc"] == ("format",)), details[0])
    if first["loc"] == ("format",) and first["type"] == "literal_error":
        return f"the format is {first['input']!r}; this suite reads {FORMAT!r}"
    where = ".".join(map(str, first["loc"]))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return (f"{where}: " if where else "") + first["msg"] + more
