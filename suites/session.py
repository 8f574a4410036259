"""One run of the suites: opens the target, hands verdicts to pytest, writes what the run has found.

Without xdist one process does all of it. With xdist the controller opens the target, makes what cases need,
and writes the results; the workers, told through xdist's own pipes, send and judge.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter

from generators import everything
from reports.html import write_page
from reports.model import CaseResult, Edge, GoneDeviation, KillRow, Results, Rule, Run, Source
from reports.model import Target as TargetRecord
from reports.summary import render_table
from reports.text import visible
from reports.writer import ResultsWriter
from specs.contract import load
from suites import edges
from suites.baseline import Baseline, read_baseline, update_baseline
from suites.kill_page import TABLE
from suites.loops import wait
from suites.options import OptionError
from suites.runner import Hands, Limits, Runner
from suites.scrub import Scrubber
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.http import Client
from targets.provision import Estate, Provisioner
from targets.redactor import Redactor
from targets.target import REFERENCE, Target, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from generators.case import Case, Fixture
    from suites.options import Options

SUITE_VERSION = "0.1.0"
# Unless the user says otherwise: requests under way at once, and begun a second (0 for no limit).
_AWS_LIMITS = (4, 10.0)
_LIMITS = (64, 0.0)
_AWS_EXAMPLES, _EXAMPLES = 10, 30  # of each property
_NO_EXAMPLES = "examples"  # what properties need if none are to be made


@dataclass
class Session:
    """What a process of the run has; see `open_session` and `worker_session`."""

    target: Target
    limits: Limits
    baseline: Baseline
    fail_on: tuple[str, ...]
    redactor: Redactor = field(default_factory=Redactor)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    estate: Estate = field(default_factory=Estate)
    runner: Runner | None = None
    allure: bool = False
    allure_links_report: bool = False
    provisioner: Provisioner | None = None
    iam: Client | None = None
    first: Client | None = None

    @cached_property
    def scrubber(self) -> Scrubber:
        """What cleans whatever pytest and libraries show of this run."""
        return Scrubber(self.redactor)

    def prepare(self, *, for_workers: bool = False) -> None:
        """Probe the endpoint and make what cases need; for worker processes what any scenario needs, too.

        Raises NotAnSts.
        """
        if self.target.server is not None:
            self.target.server.ready()

        async def work() -> Estate:
            self.first = self._client(self.target.endpoint)
            if self.target.iam_endpoint is not None:
                self.iam = self._client(self.target.iam_endpoint)
            self.provisioner = Provisioner(self.target, self.first, self.iam, self.redactor)
            estate = await self.provisioner.prepare()
            if for_workers:
                await self._all_fixtures(self.provisioner)
            return estate

        task = self.loop.create_task(work())
        try:
            self.estate = wait(self.loop, task)
        except KeyboardInterrupt:
            # What is being made is made to its end, so that it is known and can be removed.
            wait(self.loop, asyncio.wait([task], timeout=self.limits.timeout))
            task.cancel()
            raise

    async def _all_fixtures(self, provisioner: Provisioner) -> None:
        fixtures = {fixture.key: fixture for case in everything.cases() for fixture in case.fixtures}
        for fixture in fixtures.values():  # in the order of the scenarios: what is trusted comes first
            missing = await provisioner.have(fixture)
            if missing:
                provisioner.estate.missing[fixture.key] = missing

    def _client(self, endpoint: Any) -> Client:
        limits = self.limits
        return Client(
            endpoint, in_flight=min(limits.in_flight, 16), max_rate=limits.max_rate, timeout=limits.timeout,
            redactor=self.redactor,
        )  # fmt: skip

    def start(self, ids: Sequence[str]) -> None:
        """Begin sending these cases."""
        cases = {case.id: self._tried(case) for case in everything.cases()}
        hands = Hands(self._made_before)
        if self.provisioner is not None:
            hands = Hands(self.provisioner.have, self.provisioner.remove)

        async def make() -> Runner:
            return Runner(
                self.target, self.estate, self.redactor, self.limits, self.baseline, cases, self.loop, hands
            )

        self.runner = wait(self.loop, make())
        self.runner.start(ids)

    def _tried(self, case: Case) -> Case:
        """Say of properties, if they are left out, what they lack."""
        if not case.tried or self.limits.examples:
            return case
        self.estate.missing[_NO_EXAMPLES] = "needs examples of requests: give --examples above 0"
        return replace(case, needs=case.needs | {_NO_EXAMPLES})

    def find_edges(self, results: Sequence[CaseResult], *, every: bool) -> tuple[Edge, ...]:
        """Find where the target draws the lines that it is known to break, or all those that cases were about."""
        assert self.runner is not None  # noqa: S101 - the cases have run
        assert self.provisioner is not None  # noqa: S101 - one process does it
        edging = edges.Edges(self.target, self.estate, self.provisioner, self.redactor, self.runner.client)
        task = self.loop.create_task(edging.found(edges.chosen(results, every=every)))
        try:
            return wait(self.loop, task)
        except KeyboardInterrupt:
            task.cancel()
            wait(self.loop, asyncio.gather(task, return_exceptions=True))
            raise

    async def _made_before(self, fixture: Fixture) -> str:
        """Tell a worker process what it was told of a fixture."""
        return self.estate.missing.get(fixture.key, "")

    def hold(self, case: Any) -> None:
        """Wait for the verdict of `case` and tell pytest."""
        assert self.runner is not None  # noqa: S101 - started before the first item runs
        result = self.runner.result(case.id)
        if self.allure:
            from suites.allure_labels import label  # noqa: PLC0415 - only with --alluredir

            label(case, result, link_report=self.allure_links_report)
        tell(result, self.fail_on)

    def attach(self, report: Any, case: Any, *, as_text: bool) -> None:
        """Let pytest's report carry the verdict; as text where it goes through xdist's pipe."""
        result = self.runner.results.get(case.id) if self.runner is not None else None
        if result is not None:
            report.sts_verdict = result.verdict
            report.sts_result = result.model_dump_json() if as_text else result

    def close(self) -> list[str]:
        """Stop sending, remove what was made, end the embedded server; returns what could not be removed."""
        left: list[str] = []
        try:
            if self.runner is not None:
                self.runner.stop()
            if self.provisioner is not None and not self.loop.is_closed():
                left = wait(self.loop, self.provisioner.clean_up())
        finally:
            for client in (self.first, self.iam):
                if client is not None:
                    client.close()
            self.loop.close()
            if self.target.server is not None:
                self.target.server.stop()
        return left


def tell(result: CaseResult, fail_on: Sequence[str]) -> None:
    """Turn a verdict into pytest's terms; whatever is neither conforming nor deviating never reads as a pass."""
    verdict = result.verdict
    if verdict == "conforms":
        return
    if verdict == "known-deviation":
        pytest.xfail(f"known deviation: {visible(result.reason)}")
    if verdict in {"deviates", "flaky"}:
        if result.level not in fail_on:
            pytest.xfail(f"{verdict}, at a level that does not decide: received {visible(result.received)}")
        pytest.fail(failure_text(result), pytrace=False)
    if verdict == "inconclusive" and (result.exchange is None or result.exchange.response is None):
        pytest.fail(f"{result.id}\n  inconclusive: {visible(result.reason)}", pytrace=False)
    pytest.skip(f"{verdict}: {visible(result.reason)}")


def failure_text(result: CaseResult) -> str:
    """Say what was expected, what came, whose word it is, and how to see it again."""
    rule = load().rules[result.rules[0]]
    lines = [
        result.id,
        f"  rule      {rule.statement} ({rule.level})",
        f"  source    {load().documents[rule.source.document].title}: {rule.source.heading}",
        f"  expected  {result.expected}",
        f"  received  {visible(result.received)}",
    ]
    if result.reason:
        lines.append(f"  {result.verdict:<9} {visible(result.reason)}")
    if result.control:
        lines.append(f"  control   {result.control}")
    for number, finding in enumerate(result.findings):
        if number:
            lines.append(f"  and       {finding.about}: received {visible(finding.received)}")
        lines += [f"            {visible(line)}" for line in finding.story.splitlines()]
    if result.reproduce and len(result.reproduce) < 1500:  # noqa: PLR2004 - longer ones stand in the report
        lines.append(f"  see it    {visible(result.reproduce)}")
    return "\n".join(lines)


def open_session(options: Options, *, workers: int = 1) -> Session:
    """Find the target (starting an embedded one) and read its baseline.

    Raises:
        TargetError, OptionError, SpecError: one line each.
    """
    target = resolve(options.target, region=options.region, provision=options.provision)
    try:
        baseline = _baseline(options, target)
    except BaseException:
        if target.server is not None:
            target.server.stop()
        raise
    in_flight, rate = _AWS_LIMITS if target.endpoint.is_aws else _LIMITS
    in_flight, rate = options.in_flight or in_flight, options.max_rate or rate
    examples = options.examples
    if examples is None:
        examples = _AWS_EXAMPLES if target.endpoint.is_aws else _EXAMPLES
    limits = Limits(
        max(1, in_flight // workers), rate / workers, options.timeout, options.slow, examples, options.seed
    )
    session = Session(target, limits, baseline, options.fail_on)
    for keys in (target.credentials, target.user):
        if keys is not None and keys.secret_access_key != "test":  # noqa: S105 - the emulators' well-known one
            session.redactor.add(keys.secret_access_key, shortest=4)
            session.redactor.add(keys.session_token, shortest=4)
    return session


def _baseline(options: Options, target: Target) -> Baseline:
    path = None if options.no_baseline else options.baseline or target.baseline
    if options.update_baseline and path is None:
        raise OptionError("--update-baseline: this target has no baseline yet; name one with --baseline FILE")
    if path is None or (options.update_baseline and not path.exists()):
        return Baseline(path=path)
    if not path.exists():
        raise OptionError(f"--baseline {path}: no such file; make it with --update-baseline")
    return read_baseline(path, {case.id: case for case in everything.cases()}, load().rules)


def worker_input(session: Session) -> str:
    """Return what an xdist worker must know, as text; goes through xdist's pipe and nowhere else."""
    target = session.target
    return json.dumps(
        {
            "name": target.name,
            "endpoint": target.endpoint.url,
            "region": target.region,
            "credentials": asdict(target.credentials),
            "limits": asdict(session.limits),
            "rules": session.baseline.rules,
            "cases": session.baseline.cases,
            "fail_on": session.fail_on,
            # A code of an MFA device is good once, whichever process sends it: none gets the seeds.
            "estate": replace(session.estate, seeds={}).to_json(),
            "secrets": sorted(session.redactor.known),
        }
    )


def worker_session(text: str) -> Session:
    """Make a worker's session of what `worker_input` wrote."""
    data = json.loads(text)
    target = Target(
        name=data["name"],
        endpoint=parse_endpoint(data["endpoint"]),
        iam_endpoint=None,
        region=data["region"],
        credentials=Credentials(**data["credentials"]),
    )
    baseline = Baseline(rules=data["rules"], cases=data["cases"])
    session = Session(target, Limits(**data["limits"]), baseline, tuple(data["fail_on"]))
    session.estate = Estate.from_json(data["estate"])
    for secret in data["secrets"]:
        session.redactor.add(secret, shortest=1)
    return session


class Report:
    """The results of a run: written as they come, rendered at the end."""

    def __init__(self, options: Options, session: Session, command: str, ids: Sequence[str] | None = None) -> None:
        """Open the files. `ids` are the selected cases, None for all of them."""
        self._options = options
        self._session = session
        options.report.mkdir(parents=True, exist_ok=True)
        self.path = options.report / "results.json"
        self.page = options.report / "index.html"
        target = session.target
        self._rules = tuple(_rule_records(ids))
        self._run = Run(
            suite_version=SUITE_VERSION,
            contract=load().hash,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            target=TargetRecord(
                name=target.name,
                endpoint=target.endpoint.url,
                server=session.estate.server,
                baseline=_shown(session.baseline.path),
            ),
            fail_on=options.fail_on,
            command=session.redactor.clean(command),
            examples=session.limits.examples,
            seed=session.limits.seed,
        )
        self._results: list[CaseResult] = []
        self._edges: tuple[Edge, ...] = ()
        self._selected = None if ids is None else len(ids)
        self._kill_table = _kill_table(target)
        unsupported = tuple(session.estate.unsupported)
        self._writer = ResultsWriter(self.path, self._run, self._rules, unsupported, self._kill_table)

    def add(self, result: CaseResult) -> None:
        """Keep a verdict, on disk at once."""
        self._results.append(result)
        self._writer.add(result)

    def find_edges(self) -> None:
        """Find where the target draws lines, if asked to."""
        if self._options.edges:
            self._edges = self._session.find_edges(self._results, every=self._options.edges == "all")

    def finish(self, *, broken_off: bool) -> Results:
        """End results.json, render the page, write the baseline if asked to."""
        gone = self._session.baseline.gone(self._results)
        deviations = [GoneDeviation(id=name, reason=reason) for name, reason in gone.items()]
        complete = not broken_off and (self._selected is None or len(self._results) >= self._selected)
        if complete:
            self._writer.finish(deviations, self._edges)
        self._writer.close()
        results = Results(
            run=self._run, rules=self._rules, unsupported=tuple(self._session.estate.unsupported),
            kill_table=self._kill_table, cases=tuple(self._results), gone=tuple(deviations), complete=complete,
            edges=self._edges,
        )  # fmt: skip
        write_page(results, self.page)
        path = self._session.baseline.path
        if self._options.update_baseline and path is not None:
            update_baseline(self._session.baseline, path, self._session.target.name, self._results)
        return results


def table(results: Results) -> str:
    """Render the summary for the terminal."""
    return render_table(results)


def _shown(path: Path | None) -> str:
    return path.name if path is not None else ""


def _kill_table(target: Target) -> tuple[KillRow, ...]:
    """Return what is known of the reference's defects; it says nothing of any other target, whatever its name."""
    if target.name != REFERENCE or target.server is None or not TABLE.exists():
        return ()
    return TypeAdapter(tuple[KillRow, ...]).validate_json(TABLE.read_bytes())


def _rule_records(ids: Sequence[str] | None) -> list[Rule]:
    contract = load()
    wanted = None if ids is None else set(ids)
    shown = {rule for case in everything.cases() if wanted is None or case.id in wanted for rule in case.rules}
    return [
        Rule(
            id=rule.id, statement=rule.statement, operation=rule.operation, theme=rule.theme,
            level=rule.level.value, authority=rule.authority.value,
            source=Source(document=contract.documents[rule.source.document].title, heading=rule.source.heading),
            ledger=rule.ledger,
        )
        for rule in contract.rules.values()
        if rule.id in shown
    ]  # fmt: skip


