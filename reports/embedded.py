"""What the page carries as data for its script: an index of all cases, and packs of their details.

The index is read when the page opens; filters and search need nothing else. Requests, answers and commands are
most of the bytes and are looked at one by one: they stand in packs of their own, compressed, each unpacked
when the first of its details is opened. All text is marked (see `reports.marks`), so it is harmless already.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from markupsafe import Markup

from reports.marks import mark, mark_difference
from reports.model import LEVELS, VERDICTS, CaseResult, Exchange, Finding
from reports.summary import BROKEN, RuleOutcome
from reports.text import clip, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LINE_LIMIT: Final = 600  # characters that the page shows of what a case says in words
TEXT_LIMIT: Final = 4000  # the same of a body, a head, a command or a story
NOT_RUN: Final = "not-run"
_PACK: Final = 200_000  # characters of details, unpacked, from which a pack is full


@dataclass(frozen=True, slots=True)
class Embedded:
    """The script elements' contents, ready to be put into the page."""

    index: Markup
    packs: tuple[Markup, ...]


def embed(outcomes: Sequence[RuleOutcome]) -> Embedded:
    """Make the page's data; `outcomes` are the rules in the order in which they stand on the page."""
    details, texts = _Details(), _Numbers()
    own, elsewhere = _spread(outcomes)
    ordered = [case for cases in own for case in cases]
    numbers = {case.id: number for number, case in enumerate(ordered)}
    facets = facet_values(outcomes)
    index = {
        "facets": facets,
        "rules": [
            [*_facets_of(outcome, facets), len(cases), [numbers[case.id] for case in others]]
            for outcome, cases, others in zip(outcomes, own, elsewhere, strict=True)
        ],
        "cases": [_case(case, numbers, texts, details) for case in ordered],
        "names": [mark(case_id, LINE_LIMIT) for case_id in numbers],
        "anchors": {anchor(case_id): number for case_id, number in numbers.items() if anchor(case_id) != case_id},
        "verdicts": VERDICTS,
        "broken": BROKEN,
        "texts": texts.values,
        "packs": details.starts,
    }
    return Embedded(_script(index), tuple(_packed(pack) for pack in details.packs))


def facet_values(outcomes: Iterable[RuleOutcome]) -> dict[str, list[str]]:
    """Tell what rules can be filtered by and the values that there are, in the order of the page."""
    rows = [_facets(outcome) for outcome in outcomes]
    order = {"level": LEVELS, "verdict": (*VERDICTS, NOT_RUN)}
    values = {name: list(dict.fromkeys(row[name] for row in rows)) for name in _NAMES}
    return {
        name: [value for value in order[name] if value in found] if name in order else sorted(found)
        for name, found in values.items()
    }


_NAMES: Final = ("operation", "theme", "level", "verdict", "authority")


def _facets(outcome: RuleOutcome) -> dict[str, str]:
    rule = outcome.rule
    found = (rule.operation, rule.theme, rule.level, outcome.verdict or NOT_RUN, rule.authority)
    return {name: visible(clip(value, LINE_LIMIT)[0]) for name, value in zip(_NAMES, found, strict=True)}


def _facets_of(outcome: RuleOutcome, facets: dict[str, list[str]]) -> list[int]:
    return [facets[name].index(value) for name, value in _facets(outcome).items()]


def anchor(text: str) -> str:
    """Make an id usable as an element's id, in a link, and inside an attribute."""
    return quote(text, safe="/.:=,@+", errors="backslashreplace")


def home_of(case: CaseResult) -> str:
    """Tell under which rule the page shows a case in full: the one of its id, or else its first."""
    owner = case.id.partition("/")[0]
    return owner if owner in case.rules else case.rules[0]


def _spread(outcomes: Iterable[RuleOutcome]) -> tuple[list[list[CaseResult]], list[list[CaseResult]]]:
    """Tell of each rule the cases that it shows in full and those that stand under another rule."""
    own, elsewhere = [], []
    for outcome in outcomes:
        at_home = [home_of(case) == outcome.rule.id for case in outcome.cases]
        own.append([case for case, here in zip(outcome.cases, at_home, strict=True) if here])
        elsewhere.append([case for case, here in zip(outcome.cases, at_home, strict=True) if not here])
    return own, elsewhere


@dataclass(slots=True)
class _Numbers:
    """Texts, each once, told by number; 0 is the empty one."""

    numbers: dict[str, int] = field(default_factory=lambda: {"": 0})

    def of(self, text: str) -> int:
        """Tell the number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))

    @property
    def values(self) -> list[str]:
        """All texts, in the order of their numbers."""
        return list(self.numbers)


@dataclass(slots=True)
class _Details:
    """Details of cases, equal ones once, in packs of about one size."""

    packs: list[list[str]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # number of each pack's first detail
    numbers: dict[str, int] = field(default_factory=dict)
    size: int = 0  # of the pack that is being filled

    def of(self, detail: object) -> int:
        """Tell the number of a detail."""
        text = _json(detail)
        if text in self.numbers:
            return self.numbers[text]
        if not self.packs or self.size >= _PACK:
            self.packs.append([])
            self.starts.append(len(self.numbers))
            self.size = 0
        self.packs[-1].append(text)
        self.size += len(text)
        return self.numbers.setdefault(text, len(self.numbers))


def _case(case: CaseResult, numbers: dict[str, int], texts: _Numbers, details: _Details) -> list[object]:
    """Tell what the index holds of a case: numbers of texts, and its control as a number or as words."""
    if case.verdict in BROKEN:
        expected, received = mark_difference(case.expected, case.received, LINE_LIMIT)
    else:
        expected, received = mark(case.expected, LINE_LIMIT), mark(case.received, LINE_LIMIT)
    control = numbers.get(case.control, mark(case.control, LINE_LIMIT))
    return [
        VERDICTS.index(case.verdict),
        *(texts.of(text) for text in (expected, received, mark(case.reason, LINE_LIMIT), ", ".join(case.follows))),
        control,
        case.examples,
        details.of(_detail(case)) if case.exchange or case.reproduce or case.findings else -1,
    ]


def _detail(case: CaseResult) -> dict[str, object]:
    return {
        "exchange": _exchange(case.exchange),
        "command": mark(case.reproduce, TEXT_LIMIT),
        "findings": [_finding(finding) for finding in case.findings],
    }


def _finding(finding: Finding) -> dict[str, object]:
    expected, received = mark_difference(finding.expected, finding.received, LINE_LIMIT)
    return {
        "about": mark(finding.about, LINE_LIMIT),
        "expected": expected,
        "received": received,
        "story": mark(finding.story, TEXT_LIMIT),
        "exchange": _exchange(finding.exchange),
        "command": mark(finding.reproduce, TEXT_LIMIT),
    }


def _exchange(exchange: Exchange | None) -> dict[str, object] | None:
    if exchange is None:
        return None
    request, response = exchange.request, exchange.response
    return {
        "sent": _message(f"{request.method} {request.url}", request.headers, request.body),
        "received": response and _message(str(response.status), response.headers, response.body),
        "truncated": response is not None and response.truncated,
        "failure": mark(exchange.failure, LINE_LIMIT),
    }


def _message(start: str, headers: Iterable[tuple[str, str]], body: str) -> list[str]:
    head = "\n".join([start, *(f"{name}: {value}" for name, value in headers)])
    return [mark(head, TEXT_LIMIT), mark(body, TEXT_LIMIT)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _script(value: object) -> Markup:
    """Write JSON that cannot end the script element it stands in."""
    return Markup(_json(value).replace("<", "\\u003c"))  # noqa: S704 - no markup is left in it


def _packed(details: Iterable[str]) -> Markup:
    """Compress a pack; the same bytes for the same details."""
    data = gzip.compress(f"[{','.join(details)}]".encode(), mtime=0)
    return Markup(b64encode(data).decode())  # noqa: S704 - base64
