"""The kill table: every defect of the reference switched on in turn, and who notices.

A defect is killed when a case of its own rule deviates; it survives when none does. Those cases are sent over
HTTP and judged like any others. How many other rules notice is found by sending all requests once more within
the process, and comparing with what the correct reference answers.

`python -m suites.kill` runs it; with `--update` it writes the table that docs/ and the report show.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from generators import everything
from generators.answer import Answer
from specs.contract import load
from suites.baseline import Baseline
from suites.runner import Limits, Runner
from targets.credentials import Redactor
from targets.endpoint import parse_endpoint
from targets.http import Client
from targets.provision import Provisioner
from targets.reference.defects import registry
from targets.reference.model import HttpAnswer, HttpRequest
from targets.reference.server import BackgroundServer
from targets.reference.service import Settings, build, storage
from targets.target import REFERENCE, TEST_CREDENTIALS, Target
from targets.wire import Prepared, Signer, prepare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from generators.case import Case, Request
    from targets.provision import Estate
    from targets.reference.defects.registry import Defect
    from targets.reference.service import Service

TABLE = Path(__file__).parents[1] / "targets" / "reference" / "kill-table.json"
PAGE = Path(__file__).parents[1] / "docs" / "kill-table.md"
_LIMITS = Limits(in_flight=8, max_rate=0.0, timeout=20.0)
_LARGE = 1_000_000  # bytes; larger requests are sent to defects of their own rule only


@dataclass(frozen=True, slots=True)
class Kill:
    """What became of a defect."""

    defect: str
    rule: str
    says: str
    killed_by: str  # case id; '' if it survived
    others: tuple[str, ...]  # the other rules that notice


class Arena:
    """A reference in this process, provisioned once, whose service can be changed for one with a defect."""

    def __init__(self) -> None:
        self._settings = Settings(seed=2011)
        self._kept = storage(self._settings)
        self._service = self._correct = build(self._settings, self._kept)
        self._server = BackgroundServer(self._answer)
        endpoint = parse_endpoint(self._server.url)
        self._target = Target(
            REFERENCE, endpoint, endpoint, self._settings.region, TEST_CREDENTIALS,
            one_region=True, has_fixtures=True,
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._redactor = Redactor()
        self._cases = {case.id: case for case in everything.cases()}
        self._of_rule: dict[str, list[str]] = {}
        for case in self._cases.values():
            for rule in case.rules:
                self._of_rule.setdefault(rule, []).append(case.id)
        self._provisioner, self._estate = self._provisioned()

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        return self._service.answer(request)

    def _provisioned(self) -> tuple[Provisioner, Estate]:
        async def work() -> tuple[Provisioner, Estate]:
            client = Client(self._target.endpoint, in_flight=8, max_rate=0.0, timeout=20.0)
            provisioner = Provisioner(self._target, client, client, self._redactor)
            return provisioner, await provisioner.prepare()

        return self._loop.run_until_complete(work())

    def close(self) -> None:
        """End what was started."""
        self._loop.run_until_complete(self._provisioner.clean_up())
        self._loop.close()
        self._server.close()

    def judge(self, defect: Defect) -> Kill:
        """Switch a defect on and see who notices."""
        self._service = build(self._settings, self._kept)
        defect.apply(self._service)
        try:
            killed_by = self._killed_by(defect.rule)
            others = self._noticing(defect.rule)
        finally:
            self._service = self._correct
        return Kill(defect.id, defect.rule, defect.says, killed_by, others)

    def verdicts(self, ids: Sequence[str]) -> dict[str, str]:
        """Send cases over HTTP to the service as it is."""

        async def make() -> Runner:
            return Runner(
                self._target, self._estate, self._redactor, _LIMITS, Baseline(), self._cases, self._loop
            )

        runner = self._loop.run_until_complete(make())
        try:
            runner.start(ids)
            return {case_id: runner.result(case_id).verdict for case_id in ids}
        finally:
            runner.stop()

    def _killed_by(self, rule: str) -> str:
        verdicts = self.verdicts(self._of_rule[rule])
        return next((case_id for case_id, verdict in verdicts.items() if verdict == "deviates"), "")

    # Who else notices

    def _noticing(self, rule: str) -> tuple[str, ...]:
        rules: set[str] = set()
        self._kept.clock.stand(self._moment)
        try:
            for number, (request, prepared) in enumerate(self._prepared.items()):
                answer = self._local(self._service, number, prepared)
                if answer != self._usual[request]:
                    rules |= self._broken(request, answer, prepared)
        finally:
            self._kept.clock.stand(None)
        return tuple(sorted(rules - {rule}))

    def _broken(self, request: Request, answer: HttpAnswer, prepared: Prepared) -> set[str]:
        read = Answer(answer.status, tuple((n.lower(), v) for n, v in answer.headers), answer.body)
        return {
            rule
            for case in self._by_request[request]
            if not case.expectation.judge(read, values=self._estate.values, sent_at=prepared.made_at).conforms
            for rule in case.rules
        }

    def _local(self, service: Service, number: int, prepared: Prepared) -> HttpAnswer:
        """Answer within the process; the same request has the same ids and keys every time."""
        self._kept.entropy.seed(number)
        headers = tuple((name.lower(), value) for name, value in prepared.headers)
        try:
            return service.answer(HttpRequest(prepared.method, prepared.target, headers, prepared.body))
        except Exception as error:  # noqa: BLE001 - what the server would answer with 500
            return HttpAnswer(500, (), type(error).__name__.encode())

    @cached_property
    def _moment(self) -> datetime:
        return datetime.now(UTC)

    @cached_property
    def _by_request(self) -> dict[Request, list[Case]]:
        found: dict[Request, list[Case]] = {}
        for case in self._cases.values():
            if case.client == "wire" and (case.request.body_bytes or 0) < _LARGE:
                found.setdefault(case.request, []).append(case)
        return found

    @cached_property
    def _prepared(self) -> dict[Request, Prepared]:
        signer, values = Signer(self._target.endpoint, self._target.region), self._estate.values
        return {
            request: prepare(
                request, signer, self._estate.callers[request.signing.caller], values, self._moment
            )
            for request in self._by_request
        }

    @cached_property
    def _usual(self) -> dict[Request, HttpAnswer]:
        return {
            request: self._local(self._correct, number, prepared)
            for number, (request, prepared) in enumerate(self._prepared.items())
        }


_arena: Arena | None = None


def _judge(defect: str) -> Kill:
    """Judge one defect, in a process that keeps its arena."""
    global _arena  # noqa: PLW0603 - one arena a process, made when it is first needed
    if _arena is None:
        _arena = Arena()
    return _arena.judge(registry()[defect])


def run(defects: Sequence[str], processes: int) -> list[Kill]:
    """Judge defects, in their order; `processes` of them at once."""
    if processes == 1:
        return [_judge(defect) for defect in defects]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_judge, defects, chunksize=8))


def without_defect() -> list[str]:
    """Rules for which nothing can be made wrong."""
    broken = {defect.rule for defect in registry().values()}
    return [rule for rule in load().rules if rule not in broken]


def table(kills: Iterable[Kill]) -> str:
    """Return the kills as JSON, one a line."""
    rows = ",\n".join(json.dumps(asdict(kill), ensure_ascii=False) for kill in kills)
    return f"[\n{rows}\n]\n"


def main(arguments: list[str]) -> int:
    """Run the table; the exit status is 1 if a defect survives or a rule has none."""
    parser = argparse.ArgumentParser(prog="python -m suites.kill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rule", action="append", help="only the defects of this rule (may be repeated)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--update", action="store_true", help="write the table that docs/ and the report show")
    given = parser.parse_args(arguments)
    chosen = [name for name, defect in registry().items() if not given.rule or defect.rule in given.rule]
    kills = run(chosen, given.processes)
    survived = [kill for kill in kills if not kill.killed_by]
    bare = [] if given.rule else without_defect()
    for kill in survived:
        print(f"survived: {kill.defect}: {kill.says}")
    for rule in bare:
        print(f"no defect: {rule}")
    print(
        f"{len({kill.rule for kill in kills})} rules, {len(kills)} defects, "
        f"{len(kills) - len(survived)} killed, {len(survived)} survived, {len(bare)} rules without a defect"
    )
    if given.update:
        TABLE.write_text(table(kills), encoding="utf-8")
    return 1 if survived or bare else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
