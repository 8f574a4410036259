"""Sends cases ahead of pytest and turns what comes back into verdicts.

One asyncio loop, driven by whoever waits for a verdict: while pytest reports a case, the requests of the next
ones are in flight. Equal requests are sent once and judged by all cases that look at them. A case that
deviates is sent a second time before it is called so.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from generators.expectation import Judgement, describe, fill, is_granted, placeholders, shorten
from generators.restrain import restrained, step_as_case
from generators.written import needed_values
from reports.model import CaseResult, ReceivedResponse, SentRequest
from reports.model import Exchange as ExchangeRecord
from reports.model import Finding as FindingRecord
from suites.loops import wait
from suites.reproduce import command
from suites.trials import Budget, Trials
from suites.verdict import Control, Decision, decide
from targets.credentials import handed_out
from targets.fresh import CODES, Fresh
from targets.http import Client, Exchange
from targets.redactor import REDACTED, SHORTEST
from targets.sdk import SdkClients
from targets.wire import Prepared, Signer, filled, prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from generators.answer import Answer
    from generators.case import Case, Fixture, Request, Step
    from suites.baseline import Baseline
    from suites.trials import Finding
    from targets.provision import Estate
    from targets.redactor import Redactor
    from targets.target import Target

_KEPT_WORDS = 500  # characters of a description that a result keeps
_KEPT_BODY = 2_000  # characters of a body that a result keeps
_DEAD_AFTER = 8  # requests without an answer, one after another, and the endpoint counts as broken down
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"})
_WRONG = frozenset({"deviates", "known-deviation", "flaky"})
_MARGIN = 5.0  # seconds that are waited beyond what a case wants: the target's clock may be behind
_BACK_OFF = (0.5, 1.0, 2.0, 4.0)  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard the endpoint is used."""

    in_flight: int
    max_rate: float  # requests a second, 0 for no limit
    timeout: float  # seconds for one exchange
    slow: bool = False  # whether to wait for what takes minutes
    examples: int = 30  # of each property
    seed: int = 2011  # what Hypothesis begins with


@dataclass(frozen=True, slots=True)
class Hands:
    """What makes fixtures at the target, and removes one before the end; each returns '' or what hinders it."""

    have: Callable[[Fixture], Awaitable[str]]
    remove: Callable[[Fixture], Awaitable[str]] | None = None  # None: where other processes use them, too


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A case's exchange with what its expectation says to it."""

    exchange: Exchange
    judgement: Judgement
    accepted: bool


# Place in the order, number, case, seconds to wait if not as long as ever, and where the exchange goes.
_Queued = tuple[int, int, "Case", "float | None", "asyncio.Future[Exchange]"]


class Runner:
    """Verdicts for cases, computed in the background of each other."""

    def __init__(
        self,
        target: Target,
        estate: Estate,
        redactor: Redactor,
        limits: Limits,
        baseline: Baseline,
        cases: Mapping[str, Case],
        loop: asyncio.AbstractEventLoop,
        hands: Hands,
    ) -> None:
        self._hands = hands
        self._steps: dict[str, asyncio.Task[str]] = {}
        self._answers: dict[str, Answer] = {}  # of steps, by what they keep
        self._kept_at: dict[str, float] = {}  # by the loop's clock
        self._target = target
        self._estate = estate
        self._redactor = redactor
        self._limits = limits
        self._baseline = baseline
        self._cases = cases
        self._loop = loop
        self.client = Client(
            target.endpoint, in_flight=limits.in_flight, max_rate=limits.max_rate, timeout=limits.timeout,
            redactor=redactor,
        )  # fmt: skip
        self._sdk = SdkClients(target, estate, self.client, loop)
        self._signer = Signer(target.endpoint, target.region)
        self._trials = Trials(
            self._alone, self._values, Budget(limits.examples, limits.seed), target.endpoint.is_aws, loop
        )
        self._queue: asyncio.PriorityQueue[_Queued] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._exchanges: dict[object, asyncio.Future[Exchange]] = {}
        self._outcomes: dict[str, asyncio.Task[_Outcome]] = {}
        self._verdicts: dict[str, asyncio.Task[CaseResult]] = {}
        self._records: dict[int, ExchangeRecord] = {}
        self._commands: dict[int, str] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._unanswered = 0
        self._dead = ""
        self.results: dict[str, CaseResult] = {}

    # From pytest's side

    def start(self, ids: Iterable[str]) -> None:
        """Begin with these cases, in this order."""
        self._workers = [self._loop.create_task(self._work()) for _ in range(self._limits.in_flight)]
        for order, case_id in enumerate(ids):
            self._verdicts[case_id] = self._loop.create_task(self._verdict(order, self._cases[case_id]))

    def result(self, case_id: str) -> CaseResult:
        """Wait for the verdict of a case; one that was not started yet is started now."""
        result = wait(self._loop, self._verdict_of(self._cases[case_id]))
        self.results[case_id] = result
        return result

    def stop(self) -> None:
        """End what is under way and close the connections."""
        self._trials.stop()
        self._sdk.stop()
        under_way = (*self._verdicts.values(), *self._workers, *self._outcomes.values(), *self._steps.values())
        tasks = [task for task in under_way if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks and not self._loop.is_closed():
            wait(self._loop, asyncio.gather(*tasks, return_exceptions=True))
        self.client.close()

    # Verdicts

    async def _verdict(self, order: int, case: Case) -> CaseResult:
        base = CaseResult(
            id=case.id, rules=case.rules, operation=case.operation, theme=case.theme, level=case.level.value,
            verdict="untestable", expected=case.expectation.describe(), control=case.control,
        )  # fmt: skip
        unsupported = self._unsupported(case)
        if unsupported:
            return self._unsupported_result(case, base, unsupported)
        blocked = await self._blocked(order, case)
        if blocked is not None:
            return base.model_copy(update={"verdict": blocked.verdict, "reason": blocked.reason})
        if case.tried:
            return await self._explored(case, base)
        looking = self._look(order, case)
        control = await self._control(order, case)
        outcome = looking.result() if looking.done() else await asyncio.shield(looking)
        if outcome.exchange.answer is None:
            decision = Decision("inconclusive", f"no answer: {self._words(outcome.exchange.failure)}")
            return self._result(case, base, outcome, decision)
        decision = decide(case, outcome.judgement, control, accepted=outcome.accepted)
        if decision.verdict == "deviates" and not _holds_code(case):
            outcome, decision = await self._second_look(order, case, outcome, control)
        return self._result(case, base, outcome, self._listed(case, decision))

    async def _explored(self, case: Case, base: CaseResult) -> CaseResult:
        """Try a property with many examples, once it is known what the operation's own cases tell."""
        told = await self._told(case)
        explored = f"no answer: {self._gone}" if self._dead else await self._trials.explore(case, told)
        if isinstance(explored, str):
            verdict = "inconclusive" if explored.startswith("no answer") else "untestable"
            return base.model_copy(update={"verdict": verdict, "reason": self._words(explored)})
        base = base.model_copy(update={"examples": explored.tried})
        if not explored.findings:
            return base.model_copy(update={"verdict": "conforms"})
        again = [await self._trials.again(case, finding) for finding in explored.findings]
        seen = [finding for finding in again if finding is not None]
        if not seen and all(finding.is_silence for finding in explored.findings):
            return base.model_copy(update={"verdict": "conforms"})  # slow, and no more
        decision = self._listed(case, Decision("deviates") if seen else Decision("flaky", "not seen when sent again"))
        findings = tuple(self._finding(case, finding) for finding in seen or explored.findings)
        first = findings[0]
        return base.model_copy(
            update={
                "verdict": decision.verdict, "reason": decision.reason, "findings": findings,
                "expected": first.expected, "received": first.received, "exchange": first.exchange,
                "reproduce": first.reproduce,
            }
        )  # fmt: skip

    def _finding(self, case: Case, finding: Finding) -> FindingRecord:
        exchange, trouble = self._trials.exchange(case, finding), finding.trouble
        shown = replace(case, request=finding.example.requests[trouble.at])
        return FindingRecord(
            about=trouble.about,
            expected=self._filled(case, trouble.expected),
            received=self._words(trouble.received),
            exchange=self._record(exchange),
            reproduce=self._redactor.clean(command(shown, exchange.sent, self._target)),
            story="\n".join(finding.example.story[: trouble.at + 1]),
        )

    async def _told(self, case: Case) -> frozenset[str]:
        """Return the rules that the operation's own cases show to be broken."""
        own = [
            other for other in self._cases.values()
            if (other.operation == case.operation and other.theme in {"constraint", "type"} and len(other.rules) == 1)
            or case.told_by & frozenset(other.rules)
        ]  # fmt: skip
        verdicts = await asyncio.gather(*(asyncio.shield(self._verdict_of(other)) for other in own))
        wrong = [result for result in verdicts if result.verdict in _WRONG]
        return frozenset(rule for result in wrong for rule in (result.rules[0], *case.told_by & {*result.rules}))

    def _verdict_of(self, case: Case) -> asyncio.Task[CaseResult]:
        task = self._verdicts.get(case.id)
        if task is None:
            task = self._verdicts[case.id] = self._loop.create_task(self._verdict(0, case))
        return task

    def _unsupported(self, case: Case) -> str:
        return self._estate.unsupported.get(case.request.operation, "")

    def _unsupported_result(self, case: Case, base: CaseResult, answered: str) -> CaseResult:
        """Tell the absence of an operation as one deviation, in the case that asks for it."""
        if not case.id.endswith(".wire.request.action/served"):
            reason = f"{case.request.operation} does not exist at this target"
            return base.model_copy(update={"verdict": "unsupported", "reason": reason})
        decision = self._listed(case, Decision("deviates", "answers as to an action that does not exist"))
        received = self._words(answered)
        return base.model_copy(
            update={"verdict": decision.verdict, "received": received, "reason": decision.reason}
        )

    def _unserved(self, case: Case) -> str:
        """Say which operation that a case rests on does not exist here."""
        operations = (step.request.operation for step in case.setup)
        missing = next((name for name in operations if name in self._estate.unsupported), "")
        return f"needs {missing}, which does not exist at this target" if missing else ""

    def _lacking(self, case: Case) -> str:
        unknown = sorted(name for name in needed_values(case) if not self._known(name, case))
        if any(name.partition(".")[2] in CODES for name in unknown):
            return "needs codes of an MFA device, each of which is good once: leave -n out"
        if any(name.startswith("policy-arn-") for name in unknown):
            return self._estate.missing["managed-policies"]
        if unknown:
            return f"needs {', '.join(name.replace('-', ' ') for name in unknown)}, which this run does not have"
        return ""

    def _uncalled(self, case: Case) -> str:
        caller = case.request.caller
        if caller and caller not in self._estate.callers:
            return self._estate.missing.get("session", f"needs the credentials of a {caller.replace('-', ' ')}")
        return ""

    def _known(self, name: str, case: Case) -> bool:
        """Whether there is a value of that name, or will be when it is needed."""
        key, _, part = name.partition(".")
        kept = any(step.keep == key for step in case.setup)
        made = (part in CODES and key in self._estate.seeds) or any(recipe.name == name for recipe in case.recipes)
        return name in self._estate.values or kept or made

    def _values(self, case: Case) -> Fresh:
        return Fresh(self._estate, self._redactor, self._answers, case.recipes, case.after)

    # What scenarios need before

    async def _blocked(self, order: int, case: Case) -> Decision | None:
        """Have everything that a case needs before it can be sent; returns why it cannot be."""
        lacking = self._out_of_reach(case) or self._unserved(case) or self._estate.lacks(case.needs)
        lacking = lacking or await self._made(case) or self._lacking(case) or self._estate.cannot_sign(case.recipes)
        if not lacking:
            failed = await self._set_up(order, case)
            if failed:
                return Decision("inconclusive", failed)
            lacking = self._uncalled(case)
        return Decision("untestable", lacking) if lacking else None

    async def _made(self, case: Case) -> str:
        """Have the fixtures of a case made; returns what is missing."""
        lacking = await asyncio.gather(*(self._hands.have(fixture) for fixture in case.fixtures))
        return next(filter(None, lacking), "")

    async def _set_up(self, order: int, case: Case) -> str:
        """Send the calls that a case rests on, each once a run; returns why one proves nothing."""
        for step in case.setup:
            task = self._steps.get(step.keep)
            if task is None:
                task = self._steps[step.keep] = self._loop.create_task(self._keep(order, case, step))
            failed = await asyncio.shield(task)
            if failed:
                return failed
        caller = case.request.caller
        handing = next((step for step in case.setup if step.keep == caller), None)
        if handing is not None and caller not in self._estate.callers:
            return f"the {handing.request.operation} before it handed out no credentials that can be sent"
        for name in needed_values(case) if case.setup else ():
            key, _, path = name.partition(".")
            if key in self._answers and self._answers[key].text_at(path) is None:
                return f"the answer before it has no {path}"
        return ""

    async def _keep(self, order: int, case: Case, step: Step) -> str:
        """Send a step and remember its answer, with the credentials that it hands out; returns why there is none."""
        caller = step.request.caller
        if caller and caller not in self._estate.callers:
            return f"the {step.request.operation} before it has no caller: none was handed out"
        exchange = await self._exchange(order, step_as_case(case, step), attempt=0, keep=step.keep)
        answer = exchange.answer
        if answer is None or not is_granted(answer):
            words = self._words(describe(answer) if answer is not None else exchange.failure)
            return f"the {step.request.operation} before it was answered {words}"
        if exchange.is_large:
            return f"the {step.request.operation} before it was answered with {len(answer.body)} bytes"
        self._answers[step.keep] = answer
        self._kept_at[step.keep] = self._loop.time()
        session = handed_out(answer)
        if session is not None and session.session_token:
            self._redactor.add_handed_out(session.secret_access_key, session.session_token)
            self._estate.callers[step.keep] = session
        return await self._without_role(case, step)

    async def _without_role(self, case: Case, step: Step) -> str:
        """Remove the role of a session that is to outlive it."""
        named = set().union(*(placeholders(value or "") for _, value in step.request.parameters))
        for fixture in case.fixtures:
            if fixture.removed and fixture.key in named:
                assert self._hands.remove is not None  # noqa: S101 - it is within reach
                return await self._hands.remove(fixture)
        return ""

    def _out_of_reach(self, case: Case) -> str:
        """Say what this run does not do: wait for minutes, or remove things that other processes may use."""
        if self._hands.remove is None and any(fixture.removed for fixture in case.fixtures):
            return "needs a role removed in the middle of the run: leave -n out"
        if case.after and not self._limits.slow and "clock-ahead" not in self._estate.has:
            return f"needs {case.after} seconds to pass: give --slow"
        return ""

    async def _ripe(self, case: Case) -> None:
        """Wait until as much time has passed as the case wants; all such cases wait at the same time."""
        if case.after and "clock-ahead" not in self._estate.has:
            begun = max(self._kept_at[step.keep] for step in case.setup)
            await asyncio.sleep(max(0.0, begun + case.after + _MARGIN - self._loop.time()))

    async def _control(self, order: int, case: Case) -> Control | None:
        if not case.control:
            return None
        control = self._cases[case.control]
        if self._unsupported(control):
            return Control(control.id, conforms=False, unsupported=True)
        blocked = await self._blocked(order, control)
        if blocked is not None:
            inconclusive = blocked.verdict == "inconclusive"
            failure, lacking = (blocked.reason, "") if inconclusive else ("", blocked.reason)
            return Control(control.id, conforms=False, failure=failure, lacking=lacking)
        outcome = await self._outcome(order, control)
        return Control(
            control.id,
            # One that is granted though it should not be has got as far as the next refusal, too.
            conforms=outcome.judgement.conforms or (outcome.accepted and control.expectation.outcome == "refusal"),
            received=self._words(outcome.judgement.received),
            failure=self._words(outcome.exchange.failure),
        )

    async def _second_look(
        self, order: int, case: Case, first: _Outcome, control: Control | None
    ) -> tuple[_Outcome, Decision]:
        """Send a deviating case again: what conforms then is flaky, not wrong."""
        again = await self._judged(case, await self._exchange(order, case, attempt=1))
        if again.exchange.answer is None:
            failure = self._words(again.exchange.failure)
            return first, Decision("inconclusive", f"no answer when sent again: {failure}")
        decision = decide(case, again.judgement, control, accepted=again.accepted)
        if decision.verdict == "deviates":
            return first, decision
        then = self._words(again.judgement.received)
        return first, Decision("flaky", f"sent again, it was answered {then}")

    def _listed(self, case: Case, decision: Decision) -> Decision:
        reason = self._baseline.reason(case.id)
        if decision.verdict in {"deviates", "flaky"} and reason:
            return Decision("known-deviation", reason)
        return decision

    def _result(self, case: Case, base: CaseResult, outcome: _Outcome, decision: Decision) -> CaseResult:
        return base.model_copy(
            update={
                "verdict": decision.verdict,
                "reason": decision.reason,
                "expected": self._filled(case, base.expected),
                "received": self._words(outcome.judgement.received),
                "follows": tuple(a.value for a in outcome.judgement.follows),
                "exchange": self._record(outcome.exchange),
                "reproduce": self._command(case, outcome.exchange.sent),
            }
        )

    def _filled(self, case: Case, expected: str) -> str:
        """Put what was made for this run for the names of fixtures, which tell people nothing."""
        try:
            return self._redactor.clean(fill(expected, self._values(case)))
        except KeyError:  # of a step that was not answered as it had to be
            return expected

    def _words(self, text: str) -> str:
        """Clean what tells of an answer of secrets, then cut it."""
        return shorten(self._redactor.clean(text), _KEPT_WORDS)

    def _command(self, case: Case, sent: Prepared) -> str:
        """Word the command that sends a request again, once for all cases that share the exchange."""
        known = self._commands.get(id(sent))
        if known is None or known.startswith("pytest "):  # which names the case
            known = self._commands[id(sent)] = self._redactor.clean(command(case, sent, self._target))
        return known

    # Exchanges

    async def _outcome(self, order: int, case: Case) -> _Outcome:
        task = self._look(order, case)
        return task.result() if task.done() else await asyncio.shield(task)

    def _look(self, order: int, case: Case) -> asyncio.Task[_Outcome]:
        """Begin to judge a case's own answer, once however many ask for it."""
        task = self._outcomes.get(case.id)
        if task is None:
            task = self._loop.create_task(self._first_look(order, case))
            self._outcomes[case.id] = task
        return task

    async def _first_look(self, order: int, case: Case) -> _Outcome:
        await self._ripe(case)
        return await self._judged(case, await self._exchange(order, case, attempt=0))

    async def _judged(self, case: Case, exchange: Exchange) -> _Outcome:
        if exchange.answer is None:
            return _Outcome(exchange, Judgement(conforms=False, received=exchange.failure), accepted=False)
        if case.client == "boto3" and exchange.problem:
            return _Outcome(self._cut(exchange), Judgement(conforms=False, received=exchange.problem), accepted=False)
        values, sent_at = self._values(case), exchange.sent.made_at
        judgement = case.expectation.judge(exchange.answer, values=values, sent_at=sent_at)
        return _Outcome(self._cut(exchange), judgement, is_granted(exchange.answer))

    def _cut(self, exchange: Exchange) -> Exchange:
        """Return an exchange without the body of a large answer, of which the record has what is shown."""
        if not exchange.is_large:
            return exchange
        cut = exchange.cut(0)
        self._records[id(cut)] = self._make_record(exchange)
        return cut

    async def _exchange(self, order: int, case: Case, *, attempt: int, keep: str = "") -> Exchange:
        """Return the exchange of a request; equal requests share one, but for those whose answers are kept."""
        if self._target.endpoint.is_aws:
            case = restrained(case)
        key = (case.request, case.client, attempt, case.after, keep)
        future = self._exchanges.get(key)
        if future is None:
            future = self._exchanges[key] = self._loop.create_future()
            self._queue.put_nowait((order, next(self._numbers), case, None, future))
        exchange = await asyncio.shield(future)
        if exchange.is_large and self._exchanges.get(key) is future:
            del self._exchanges[key]  # whoever comes later sends it again: memory is bounded
        return exchange

    async def _alone(self, case: Case, within: float | None) -> Exchange:
        """Send a request by itself, whatever was sent before; wait for `within` seconds, or as long as ever."""
        future: asyncio.Future[Exchange] = self._loop.create_future()
        self._queue.put_nowait((len(self._cases), next(self._numbers), case, within, future))
        return await future

    async def _work(self) -> None:
        while True:
            _, _, case, within, future = await self._queue.get()
            try:
                exchange = await self._send(case, within)
            except Exception as error:  # noqa: BLE001 - our own fault must end a case, not the run
                exchange = Exchange(_NOTHING, None, f"fault of the suite: {type(error).__name__}: {error}")
            if not future.done():
                future.set_result(exchange)
            del future, exchange  # an answer may be large, and the next request long in coming

    async def _send(self, case: Case, within: float | None) -> Exchange:
        for pause in (*_BACK_OFF, 0.0):
            if self._dead:
                return Exchange(_NOTHING, None, self._gone)
            exchange = await self._send_once(case, within)
            answer = exchange.answer
            self._watch(exchange)
            if answer is None or answer.error_code not in _THROTTLED:
                return exchange
            exchange = replace(exchange, answer=None, failure=f"throttled: {describe(answer)}")
            await asyncio.sleep(pause)
        return exchange

    @property
    def _gone(self) -> str:
        return f"not sent: the endpoint broke down ({self._dead})"

    async def _send_once(self, case: Case, within: float | None) -> Exchange:
        if case.client == "boto3":
            return await self._sdk.call(case)
        return await self.client.send(self._prepared(case), within)

    def _prepared(self, case: Case) -> Prepared:
        request, now = case.request, datetime.now(UTC)
        caller = None
        if request.caller:
            caller = self._trials.callers.get(request.caller) or self._estate.callers[request.caller]
        if case.after and "clock-ahead" in self._estate.has:
            now += timedelta(seconds=case.after)
            request = replace(request, headers=(*request.headers, ("X-Reference-Clock", str(case.after))))
        return prepare(self._filled_in(request, case), self._signer, caller, now)

    def _filled_in(self, request: Request, case: Case) -> Request:
        return filled(request, self._values(case), self._target.endpoint.partition)

    def _watch(self, exchange: Exchange) -> None:
        self._unanswered = 0 if exchange.answer is not None else self._unanswered + 1
        if self._unanswered >= _DEAD_AFTER:
            self._dead = exchange.failure

    def _record(self, exchange: Exchange) -> ExchangeRecord:
        record = self._records.get(id(exchange))
        if record is None:
            record = self._records[id(exchange)] = self._make_record(exchange)
        return record

    def _make_record(self, exchange: Exchange) -> ExchangeRecord:
        sent, answer = exchange.sent, exchange.answer
        clean, clean_start = self._redactor.clean, self._redactor.clean_start
        url = f"{self._target.endpoint.scheme}://{self._target.endpoint.authority}{sent.target}"
        received = None
        if answer is not None:
            received = ReceivedResponse(
                status=answer.status,
                headers=tuple((clean(name), clean(value)) for name, value in answer.headers),
                body=clean_start(answer.text, _KEPT_BODY),
                truncated=len(answer.text) > _KEPT_BODY,
            )
        return ExchangeRecord(
            request=SentRequest(
                method=sent.method,
                url=clean_start(url, 2 * _KEPT_BODY),
                headers=tuple((name, _shown_header(name, clean(value))) for name, value in sent.headers),
                body=clean_start(sent.body.decode("utf-8", errors="replace"), _KEPT_BODY),
            ),
            response=received,
            failure=self._words(exchange.failure),
            seconds=round(exchange.seconds, 6),
        )


def _shown_header(name: str, value: str) -> str:
    """Return a header's value as it is shown: a session token never is, whatever an endpoint handed out as one."""
    is_token = name.lower() == "x-amz-security-token" and len(value) >= SHORTEST
    return REDACTED if is_token else value


def _holds_code(case: Case) -> bool:
    """Whether it sends a code of an MFA device: once accepted, it is refused the second time."""
    return any(name.partition(".")[2] in CODES for name in needed_values(case))


_NOTHING = Prepared("", "", (), b"", datetime(1970, 1, 1, tzinfo=UTC))
