"""What the stub must answer for the suite to be content: made from the suite's own cases, by its own encoder.

With these answers few cases deviate, so few requests are sent a second time: the run of a good endpoint.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from re import _parser  # type: ignore[attr-defined]  # how the standard library reads patterns
from typing import TYPE_CHECKING, Any

from benchmarks import canned
from benchmarks.stub import Reply, key, to_bytes
from generators import everything
from generators.answer import Answer
from generators.expectation import fill
from targets.http import Client
from targets.provision import Estate, Provisioner
from targets.redactor import Redactor
from targets.target import Target, resolve
from targets.wire import Prepared, Signer, filled, prepare

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from generators.case import Case
    from specs.model import AnswerSpec, CheckSpec


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: how many cases the answers content, of how many that are sent."""

    cases: int
    content: int


def make(url: str, path: Path) -> Made:
    """Ask the stub at `url` what a run would find there, and write the file of answers."""
    target = resolve(url)
    estate = asyncio.run(_estate(target))
    signer = Signer(target.endpoint, target.region)
    now = datetime.now(UTC)
    groups: dict[str, list[tuple[Case, Prepared]]] = defaultdict(list)
    for case in everything.cases():
        if case.client == "wire" and _sendable(case, estate):
            signing = case.request.signing
            caller = None if signing.by == "none" else estate.callers[signing.caller]
            sent = prepare(filled(case.request, estate.values), signer, caller, now)
            head, _, body = sent.to_bytes().partition(b"\r\n\r\n")
            groups[key(head, body, now)].append((case, sent))
    answers, cases, content = {}, 0, 0
    for name, group in groups.items():
        reply, pleased = _best(group, estate)
        answers[name] = reply
        cases, content = cases + len(group), content + pleased
    path.write_text(json.dumps(answers))
    return Made(cases, content)


async def _estate(target: Target) -> Estate:
    client = Client(target.endpoint, in_flight=1, max_rate=0, timeout=20)
    try:
        return await Provisioner(target, client, client, Redactor()).prepare()
    finally:
        client.close()


def _sendable(case: Case, estate: Estate) -> bool:
    signing = case.request.signing
    try:
        for _, value in case.request.parameters:
            _filled(value or "", estate)
    except KeyError:
        return False
    return not estate.lacks(case.needs) and (signing.by == "none" or signing.caller in estate.callers)


def _filled(text: str, estate: Estate) -> str:
    return fill(text, estate.values)


def _best(group: list[tuple[Case, Prepared]], estate: Estate) -> tuple[Reply, int]:
    """Return the reply that contents most cases of a group that sends one request."""
    best: tuple[Reply, int] | None = None
    for reply in _replies([case for case, _ in group], estate):
        pleased = sum(_judges(case, sent, reply, estate) for case, sent in group)
        if best is None or pleased > best[1]:
            best = reply, pleased
        if pleased == len(group):
            break
    assert best is not None  # noqa: S101 - there is always the plain success
    return best


def _judges(case: Case, sent: Prepared, reply: Reply, estate: Estate) -> bool:
    status, headers, text, seconds = reply
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    body = text.replace(canned.EXPIRATION, end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    got = _headers(to_bytes((status, headers, body, 0), head_only=True))
    answer = Answer(status, got, b"" if sent.method == "HEAD" else body.encode())
    return case.expectation.judge(answer, values=estate.values, sent_at=sent.made_at).conforms


def _headers(head: bytes) -> tuple[tuple[str, str], ...]:
    rows = head.decode("latin-1").split("\r\n")[1:]
    pairs = (row.partition(": ") for row in rows if row)
    return tuple((name.lower(), value) for name, _, value in pairs)


def _replies(cases: list[Case], estate: Estate) -> Iterable[Reply]:
    """Yield replies that may content these cases, the likeliest first."""
    checks = [check for case in cases for check in case.expectation.checks]
    headers = [
        (check.header, sample(check.header_matches or "x"))
        for check in checks
        if check.header and check.header != "content-length"  # that one is told by every answer
    ]
    layouts = [check.layout for check in checks if check.layout]
    message = next((sample(check.message) for check in checks if check.message), "refused by the stub")
    silent = any(check.no_message for check in checks)
    for case in cases:
        for backed in case.expectation.refusal.answers if case.expectation.refusal is not None else ():
            yield _refusal(backed, headers, None if silent else message, layouts)
    request = cases[0].request
    given = {name: _filled(value or "", estate) for name, value in request.parameters}
    text = canned.success(request.operation, given)
    lasts = canned.lasts(request.operation, given)
    yield 200, headers, text, lasts
    yield 200, headers, _adjusted(text, checks, estate), lasts
    for layout in layouts:
        yield 200, headers, sample(layout), 0


def _refusal(backed: AnswerSpec, headers: list[tuple[str, str]], message: str | None, layouts: list[str]) -> Reply:
    if backed.code is None:
        return backed.status, headers, sample(layouts[0]) if layouts else "", 0
    return backed.status, headers, canned.refusal(backed.code, message), 0


def _adjusted(text: str, checks: list[CheckSpec], estate: Estate) -> str:
    """Put what checks ask for into the elements that they look at."""
    for check in checks:
        if check.at and check.matches:
            name = check.at.rpartition("/")[2]
            before, start, rest = text.partition(f"<{name}>")
            _, end, after = rest.partition(f"</{name}>")
            if start and end:
                text = f"{before}{start}{sample(_filled(check.matches, estate))}{end}{after}"
    return text


def sample(pattern: str) -> str:
    """Return a short text that `pattern` matches."""
    return "".join(map(_sample, _parser.parse(pattern)))


def _sample(node: tuple[Any, Any]) -> str:
    kind, value = str(node[0]), node[1]
    if kind == "LITERAL":
        return chr(value)
    if kind == "IN":
        first = value[0] if str(value[0][0]) != "NEGATE" else ("LITERAL", ord("x"))
        return _member(first)
    if kind == "BRANCH":
        return "".join(map(_sample, value[1][0]))
    if kind == "SUBPATTERN":
        return "".join(map(_sample, value[3]))
    if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
        return "".join(map(_sample, value[2])) * int(value[0])
    return "" if kind in {"AT", "ASSERT", "ASSERT_NOT"} else "x"


def _member(node: tuple[Any, Any]) -> str:
    kind, value = str(node[0]), node[1]
    if kind == "RANGE":
        return chr(value[0])
    if kind == "CATEGORY":
        return {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " "}.get(str(value), "x")
    return chr(int(value)) if kind == "LITERAL" else "x"
