"""Properties at run time: Hypothesis makes and shrinks examples in a thread, the runner's loop sends them."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from generators.expectation import describe, is_granted
from generators.plain import plain
from specs.contract import load
from targets.credentials import Credentials, handed_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from concurrent.futures import Future

    from generators.case import Case, Request
    from generators.properties import Example, Trouble
    from targets.http import Exchange

# What has no answer because of us, or of everything that came before: no example is to blame for that.
_NOT_ITS_FAULT = ("not sent", "throttled", "fault of the suite")
_SILENT_AT_ONCE = 4  # examples under way where one may have no answer: fewer in a row than mean a breakdown
_SILENCE = "silence"
_MOST_SILENT = 6  # requests of a batch or of shrinking without an answer in time: each takes as long as one waits
# Seconds to wait for an answer where silence would be a finding; what is found so is sent again, and waited for in
# full. Once it is known how long answers take: so many times as long, and so many seconds at least.
_PATIENCE = 5.0
_KNOWN_PATIENCE = (10, 2.0)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is tried."""

    examples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The smallest example found of one kind of failure, and the first."""

    example: Example
    trouble: Trouble
    first: Example

    @property
    def is_silence(self) -> bool:
        """Whether it is only that no answer came as soon as was hoped for."""
        return self.trouble.kind.endswith(_SILENCE)


@dataclass
class Explored:
    """What came of a property."""

    tried: int = 0  # examples
    findings: list[Finding] = field(default_factory=list)


class _Stopped(BaseException):
    """The run ends: not an Exception, so that Hypothesis does not take it for a failure of an example."""


class _NoAnswer(Exception):  # noqa: N818 - a turn of events
    """A request of an example was not answered; the text says why."""


@dataclass
class Trials:
    """Tries properties."""

    send: Callable[[Case, float | None], Awaitable[Exchange]]  # each by itself; within so many seconds, or as ever
    values: Callable[[Case], Mapping[str, str]]
    budget: Budget
    restrain: bool
    loop: asyncio.AbstractEventLoop
    _waiting: set[Future[list[Trouble | None]]] = field(default_factory=set)
    _stopping: bool = False
    _exchanges: dict[tuple[str, Example], list[Exchange]] = field(default_factory=dict)
    callers: dict[str, Credentials] = field(default_factory=dict)  # of steps, while their example is under way
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _silent: Counter[str] = field(default_factory=Counter)  # requests without an answer in time, by case
    _seconds: dict[str, list[float]] = field(default_factory=dict)  # that answers took, by case
    _patient: set[str] = field(default_factory=set)  # cases of which it is known how long answers take
    _within: dict[str, float] = field(default_factory=dict)  # seconds to wait for an answer, by case

    async def explore(self, case: Case, told: frozenset[str]) -> Explored | str:
        """Try the property of a case; returns what came of it, or why nothing did."""
        # Hypothesis takes a while to import, and not every run needs it.
        from generators.properties import PROPERTIES, Making  # noqa: PLC0415
        from suites.explore import explore  # noqa: PLC0415

        policies = sum(name.startswith("policy-arn-") for name in self.values(case))
        strategy = PROPERTIES[case.tried](Making(load(), case.operation, told, self.restrain, policies))
        if strategy is None:
            return "every constraint that it could break is told by cases of its own"

        def send(examples: list[Example]) -> list[Trouble | None]:
            return self._sent(case, examples)

        def work() -> Explored | str:
            try:
                return explore(strategy, self.budget, send)
            except _NoAnswer as none:
                return str(none)
            except _Stopped:
                return "the run was ended"

        explored = await asyncio.to_thread(work)
        self._forget(case, explored.findings if isinstance(explored, Explored) else [])
        return explored

    def _forget(self, case: Case, findings: list[Finding]) -> None:
        """Drop the exchanges of examples that nothing is told of: shrinking leaves hundreds."""
        told = {example for finding in findings for example in (finding.example, finding.first)}
        for key in [key for key in self._exchanges if key[0] == case.id and key[1] not in told]:
            del self._exchanges[key]

    def exchange(self, case: Case, finding: Finding) -> Exchange:
        """Return the exchange that shows a finding."""
        return self._exchanges[case.id, finding.example][finding.trouble.at]

    async def again(self, case: Case, finding: Finding) -> Finding | None:
        """Return what is found when the example is sent again, or the first one, waiting as long as ever; or None."""
        self._within.pop(case.id, None)
        for example in dict.fromkeys((finding.example, finding.first)):
            try:
                trouble = await self._tried(case, example)
            except _NoAnswer:
                continue
            if trouble is not None:
                return replace(finding, example=example, trouble=trouble)
        return None

    def stop(self) -> None:
        """Let the threads end."""
        self._stopping = True
        for future in tuple(self._waiting):
            future.cancel()

    def _sent(self, case: Case, examples: list[Example]) -> list[Trouble | None]:
        """Send examples from Hypothesis's thread."""
        if self._stopping:
            raise _Stopped
        future = asyncio.run_coroutine_threadsafe(self._all(case, examples), self.loop)
        self._waiting.add(future)
        try:
            return future.result()
        except CancelledError:
            raise _Stopped from None
        finally:
            self._waiting.discard(future)

    async def _all(self, case: Case, examples: list[Example]) -> list[Trouble | None]:
        if any(example.answered for example in examples):
            self._within.setdefault(case.id, _PATIENCE)
            slots = asyncio.Semaphore(_SILENT_AT_ONCE)

            async def sent(example: Example) -> Trouble | None:
                async with slots:
                    return await self._one(case, example)

            troubles = list(await asyncio.gather(*map(sent, examples)))
            self._learn_patience(case)
            return troubles
        return list(await asyncio.gather(*(self._one(case, example) for example in examples)))

    def _learn_patience(self, case: Case) -> None:
        """Learn from the first batch how long answers take."""
        seconds = self._seconds.pop(case.id, [])
        if case.id not in self._patient:
            self._patient.add(case.id)
            times, least = _KNOWN_PATIENCE
            self._within[case.id] = min(_PATIENCE, max(least, times * median(seconds or [0.0])))
            self._silent[case.id] = 0

    async def _one(self, case: Case, example: Example) -> Trouble | None:
        return None if self._silent[case.id] >= _MOST_SILENT else await self._tried(case, example)

    async def _tried(self, case: Case, example: Example) -> Trouble | None:
        """Send an example; what is wrong with it is remembered with its exchanges."""
        exchanges, trouble = await (self._steps if example.in_turn else self._together)(case, example)
        if trouble is not None and example.answered:
            trouble = await self._afterwards(case, trouble)
        if trouble is not None:
            self._exchanges[case.id, example] = [exchange.cut() for exchange in exchanges]
        return trouble

    async def _together(self, case: Case, example: Example) -> tuple[list[Exchange], Trouble | None]:
        from generators.properties import Seen  # noqa: PLC0415

        exchanges = list(await asyncio.gather(*(self._request(case, request) for request in example.requests)))
        seen = []
        for number, exchange in enumerate(exchanges):
            if exchange.answer is None:
                return exchanges, self._unanswered(case, example, number, exchange)
            seen.append(Seen(exchange.answer, exchange.sent.made_at, self.values(case)))
        return exchanges, example.judge(seen)

    async def _steps(self, case: Case, example: Example) -> tuple[list[Exchange], Trouble | None]:
        """Send requests one after the other, up to the first that is answered wrongly."""
        from generators.properties import Seen  # noqa: PLC0415

        own = f"example-{next(self._numbers)}-"  # others are under way, whose steps bear the same names
        exchanges, kept = [], []
        try:
            for number, request in enumerate(example.requests):
                if request.principal:
                    request = replace(request, principal=f"{own}{request.principal}")  # noqa: PLW2901 - the same one
                exchange = await self._request(case, request)
                exchanges.append(exchange)
                if exchange.answer is None:
                    return exchanges, self._unanswered(case, example, number, exchange)
                one = Seen(exchange.answer, exchange.sent.made_at, self.values(case))
                trouble = example.judge_one(number, one)
                if trouble is not None:
                    return exchanges, trouble
                kept.append(f"{own}step-{number + 1}")
                self._keep(kept[-1], exchange)
        finally:
            for name in kept:
                self.callers.pop(name, None)
        return exchanges, None

    def _keep(self, name: str, exchange: Exchange) -> None:
        """Remember the credentials that a step hands out, if it does."""
        session = handed_out(exchange.answer)
        if session is not None and session.session_token:
            self.callers[name] = session

    def _unanswered(self, case: Case, example: Example, number: int, exchange: Exchange) -> Trouble:
        """Return what is wrong, or raise _NoAnswer where that is no matter of the property."""
        if not example.answered or exchange.failure.startswith(_NOT_ITS_FAULT):
            raise _NoAnswer(f"no answer: {exchange.failure}")
        if not exchange.failure.startswith("no answer within"):
            return example.unanswered(number, exchange.failure, exchange.failure)
        self._silent[case.id] += 1
        return example.unanswered(number, exchange.failure, _SILENCE)  # however long one waited

    async def _afterwards(self, case: Case, trouble: Trouble) -> Trouble:
        """See whether the endpoint lives on."""
        exchange = await self._request(case, plain(load(), "GetCallerIdentity"))
        if exchange.answer is not None and is_granted(exchange.answer):
            return trouble
        words = describe(exchange.answer) if exchange.answer is not None else exchange.failure
        return replace(trouble, received=f"{trouble.received}; then GetCallerIdentity was answered: {words}")

    async def _request(self, case: Case, request: Request) -> Exchange:
        exchange = await self.send(replace(case, request=request, id=f"{case.id} example"), self._within.get(case.id))
        if exchange.answer is not None:
            self._seconds.setdefault(case.id, []).append(exchange.seconds)
        return exchange
