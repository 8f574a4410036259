"""The kill table: every defect of the reference switched on in turn, and who notices.

A defect is killed when a case of its own rule deviates; it survives when none does. Those cases are sent over
HTTP and judged like any others. How many other rules notice is found by sending all requests once more within
the process, and comparing with what the correct reference answers.

`python -m suites.kill` runs it; with `--update` it writes the table that the report shows, and its page in docs/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from multiprocessing import get_context
from typing import TYPE_CHECKING

from generators import everything
from generators.answer import Answer
from generators.scenarios import THEME
from reports.model import KillRow
from reports.summary import count_kills
from specs.contract import load
from suites.baseline import Baseline
from suites.kill_page import PAGE, TABLE, page
from suites.runner import Hands, Limits, Runner
from targets.endpoint import parse_endpoint
from targets.federation import take_fixtures
from targets.fresh import Fresh
from targets.http import Client
from targets.provision import Provisioner
from targets.redactor import Redactor
from targets.reference.defects import registry
from targets.reference.model import HttpAnswer, HttpRequest
from targets.reference.server import BackgroundServer
from targets.reference.service import Settings, build, storage
from targets.target import REFERENCE, SECOND_ACCOUNT, TEST_CREDENTIALS, Target
from targets.wire import Prepared, Signer, filled, prepare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from generators.case import Case, Request
    from targets.provision import Estate
    from targets.reference.defects.registry import Defect
    from targets.reference.service import Service

_LIMITS = Limits(in_flight=8, max_rate=0.0, timeout=20.0)
_LIFE = 100.0  # seconds; what an arena holds expires, a SAML assertion first, after five minutes
_LARGE = 1_000_000  # bytes; larger requests are sent to defects of their own rule only


@dataclass(frozen=True, slots=True)
class Kill:
    """What became of a defect."""

    defect: str
    rule: str
    says: str
    killed_by: str  # case id; '' if it survived
    others: tuple[str, ...]  # the other rules that notice

    @property
    def row(self) -> KillRow:
        """What is stored of it: the names of the other rules would be most of the table, and change most."""
        return KillRow(
            defect=self.defect, rule=self.rule, says=self.says, killed_by=self.killed_by, others=len(self.others)
        )


class Arena:
    """A reference in this process, provisioned once, whose service can be changed for one with a defect."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self._settings = Settings(seed=2011)
        self._kept = storage(self._settings)
        self._service = self._correct = build(self._settings, self._kept)
        self._server = BackgroundServer(self._answer)
        endpoint = parse_endpoint(self._server.url)
        self._target = Target(
            REFERENCE, endpoint, endpoint, self._settings.region, TEST_CREDENTIALS,
            second_account=SECOND_ACCOUNT, one_region=True, has_fixtures=True,
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
            estate = await provisioner.prepare()
            for fixture in {fixture.key: fixture for case in self._alone for fixture in case.fixtures}.values():
                if missing := await provisioner.have(fixture):
                    raise RuntimeError(f"the reference lacks {fixture.key}: {missing}")
            # Chance makes them; whether a form escapes any of their characters is not left to it.
            for _ in range(100):
                if all({"+", "/"} <= set(estate.values[name]) for name in ("encoded-message", "trade-in-token")):
                    break
                await take_fixtures(estate, client)
            return provisioner, estate

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
        crashes = self._server.failures
        try:
            killed_by = self._killed_by(defect.rule)
            others = self._noticing(defect.rule)
        finally:
            # A new one for the proof: it has accepted no code of an MFA device yet.
            self._service = build(self._settings, self._kept)
        if killed_by and self.verdicts([killed_by])[killed_by] != "conforms":
            raise RuntimeError(f"{killed_by}: does not conform without '{defect.id}' either, so it proves nothing")
        if self._server.failures > crashes:
            raise RuntimeError(f"'{defect.id}' crashes the service: that a 500 is noticed proves nothing")
        return Kill(defect.id, defect.rule, defect.says, killed_by, others)

    def verdicts(self, ids: Sequence[str]) -> dict[str, str]:
        """Send cases over HTTP to the service as it is."""
        self._provisioner.renew()

        async def make() -> Runner:
            return Runner(
                self._target, self._estate, self._redactor, _LIMITS, Baseline(), self._cases, self._loop,
                Hands(self._provisioner.have, self._provisioner.remove),
            )  # fmt: skip

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
        for case in self._alone:
            if case.client == "wire" and (case.request.body_bytes or 0) < _LARGE:
                found.setdefault(case.request, []).append(case)
        return found

    @cached_property
    def _alone(self) -> list[Case]:
        """Cases of one request each, which scenarios are not."""
        return [case for case in self._cases.values() if case.theme != THEME]

    @cached_property
    def _prepared(self) -> dict[Request, Prepared]:
        signer, callers = Signer(self._target.endpoint, self._target.region), self._estate.callers
        recipes = tuple({recipe.name: recipe for case in self._alone for recipe in case.recipes}.values())
        values = Fresh(self._estate, self._redactor, recipes=recipes)
        return {
            request: prepare(filled(request, values), signer, callers.get(request.caller), self._moment)
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
    """Judge one defect, in a process that keeps its arena as long as what it holds is valid."""
    global _arena  # noqa: PLW0603 - one arena a process, made when it is first needed
    if _arena is not None and time.monotonic() - _arena.begun > _LIFE:
        _arena.close()
        _arena = None
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
    rows = ",\n".join(json.dumps(kill.row.model_dump(), ensure_ascii=False) for kill in kills)
    return f"[\n{rows}\n]\n"


def main(arguments: list[str]) -> int:
    """Run the table; the exit status is 1 if a defect survives or a rule has none."""
    given = _parsed(arguments)
    kills = run([name for name, defect in registry().items() if _chosen(defect.rule, given)], given.processes)
    bare = [rule for rule in without_defect() if _chosen(rule, given)]
    for kill in kills:
        if not kill.killed_by:
            print(f"survived: {kill.defect}: {kill.says}")
    for rule in bare:
        print(f"no defect: {rule}")
    count = count_kills([kill.row for kill in kills])
    print(
        f"{count.rules} rules, {count.defects} defects, {count.killed} killed, {count.survived} survived, "
        f"{len(bare)} rules without a defect"
    )
    if given.update:
        TABLE.write_text(table(kills), encoding="utf-8")
        PAGE.write_text(page(kills), encoding="utf-8")
    return 1 if count.survived or bare else 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m suites.kill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-r", "--rule", action="append", help="only the defects of this rule (may be repeated)")
    parser.add_argument("-p", "--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-u", "--update", action="store_true", help="write the table and docs/kill-table.md")
    given = parser.parse_args(arguments)
    if given.update and given.rule:
        parser.error("--update writes the whole table; leave --rule out")
    if unknown := set(given.rule or ()) - load().rules.keys():
        parser.error(f"--rule {min(unknown)}: the contract has no such rule")
    return given


def _chosen(rule: str, given: argparse.Namespace) -> bool:
    return not given.rule or rule in given.rule


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
