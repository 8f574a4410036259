"""Baselines: the deviations of a target that are known, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml
from pydantic import Field, model_validator

from reports.text import visible
from specs.loader import SpecError, load
from specs.model import Doc, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reports.model import CaseResult

# Verdicts under which a listed deviation is still there.
_DEVIATING = frozenset({"deviates", "known-deviation", "flaky"})
# Verdicts that say nothing about it.
_SILENT = frozenset({"inconclusive", "unsupported", "untestable"})


class BaselineEntry(Doc):
    """Deviations with one reason."""

    reason: Text
    rules: tuple[str, ...] = Field(default=(), description="Rule ids: whatever case of theirs deviates")
    cases: tuple[str, ...] = Field(default=(), description="Case ids")

    @model_validator(mode="after")
    def _names_something(self) -> BaselineEntry:
        if not self.rules and not self.cases:
            raise ValueError("name rules or cases")
        return self


class BaselineFile(Doc):
    """A baseline file."""

    target: Text
    known_deviations: tuple[BaselineEntry, ...] = ()


@dataclass
class Baseline:
    """Reasons by rule and case id."""

    path: Path | None = None
    target: str = ""
    rules: dict[str, str] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)

    def reason(self, case_id: str) -> str:
        """Return why `case_id` may deviate, '' if it may not."""
        return self.cases.get(case_id) or self.rules.get(case_id.partition("/")[0], "")

    def gone(self, results: Iterable[CaseResult]) -> dict[str, str]:
        """Return the entries, with their reasons, whose deviation was not seen though it was looked for."""
        looked: set[str] = set()
        seen: set[str] = set()
        for result in results:
            if result.verdict in _SILENT:
                continue
            names = {result.id, result.id.partition("/")[0]}
            looked |= names
            if result.verdict in _DEVIATING:
                seen |= names
        listed = self.rules | self.cases
        return {name: reason for name, reason in listed.items() if name in looked - seen}


def read_baseline(path: Path, cases: Mapping[str, object], rules: Mapping[str, object]) -> Baseline:
    """Read a baseline; raises SpecError with file and line, also for an id that nothing bears."""
    file = load(path, BaselineFile)
    baseline = Baseline(path=path, target=file.target)
    for entry in file.known_deviations:
        for kind, names, known, into in (
            ("rule", entry.rules, rules, baseline.rules),
            ("case", entry.cases, cases, baseline.cases),
        ):
            for name in names:
                if name not in known:
                    line = _line_of(path, name)
                    raise SpecError(f"{path}:{line}: found the {kind} id '{name}', expected one that a {kind} bears")
                if name in into:
                    line = _line_of(path, name, last=True)
                    raise SpecError(f"{path}:{line}: found the {kind} id '{name}' again, expected it once")
                into[name] = entry.reason
    return baseline


def _line_of(path: Path, name: str, *, last: bool = False) -> int:
    """Return the first (or last) line on which `name` stands by itself."""
    alone = re.compile(rf"(?<![\w./-]){re.escape(name)}(?![\w./-])", re.ASCII)
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if alone.search(line)] or [1]
    return found[-1 if last else 0]


def update_baseline(baseline: Baseline, path: Path, target: str, results: Iterable[CaseResult]) -> None:
    """Write `path` so that it lists what deviates now: known reasons kept, gone entries dropped, new ones added.

    Cases that were not run, or that said nothing, keep their entries. Deviations of level exact are left
    out unless they are listed already: they do not decide.
    """
    results = list(results)
    gone = baseline.gone(results)
    by_case = {name: reason for name, reason in baseline.cases.items() if name not in gone}
    by_rule = {name: reason for name, reason in baseline.rules.items() if name not in gone}
    for result in results:
        rule = result.id.partition("/")[0]
        if result.verdict == "deviates" and result.level != "exact" and rule not in by_rule:
            by_case.setdefault(result.id, f"answers {visible(_terse(result.received))}")
    _write(path, baseline.target or target, by_rule, by_case)


def _terse(received: str) -> str:
    """Return the kind of an answer without what varies from case to case."""
    return received.partition(":")[0].partition(";")[0].strip()


def _write(path: Path, target: str, by_rule: dict[str, str], by_case: dict[str, str]) -> None:
    entries: dict[str, dict[str, list[str]]] = {}
    for kind, names in (("rules", by_rule), ("cases", by_case)):
        for name, reason in names.items():
            entries.setdefault(reason, {}).setdefault(kind, []).append(name)
    document = {
        "target": target,
        "known-deviations": [
            {"reason": reason, **{kind: sorted(names) for kind, names in kinds.items()}}
            for reason, kinds in sorted(entries.items())
        ],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    head = "# Deviations that are known, each with its reason (docs/adding-a-target.md).\n"
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(head + text, encoding="utf-8")
    temporary.replace(path)
