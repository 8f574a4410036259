"""Properties at run time: Hypothesis makes and shrinks examples in a thread, the runner's loop sends them."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from specs.contract import load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from concurrent.futures import Future

    from generators.case import Case, Request
    from generators.properties import Example, Trouble
    from targets.http import Exchange


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is tried."""

    examples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The smallest example found of one kind of failure."""

    example: Example
    trouble: Trouble


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

    send: Callable[[Case], Awaitable[Exchange]]  # each request by itself, never shared
    values: Callable[[Case], Mapping[str, str]]
    budget: Budget
    restrain: bool
    loop: asyncio.AbstractEventLoop
    _waiting: set[Future[list[Trouble | None]]] = field(default_factory=set)
    _stopping: bool = False
    _exchanges: dict[tuple[str, Example], list[Exchange]] = field(default_factory=dict)

    async def explore(self, case: Case, told: frozenset[str]) -> Explored | str:
        """Try the property of a case; returns what came of it, or why nothing did."""
        # Hypothesis takes a while to import, and not every run needs it.
        from generators.properties import PROPERTIES, Making  # noqa: PLC0415
        from suites.explore import explore  # noqa: PLC0415

        strategy = PROPERTIES[case.tried](Making(load(), case.operation, told, self.restrain))
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

        return await asyncio.to_thread(work)

    def exchange(self, case: Case, finding: Finding) -> Exchange:
        """Return the exchange that shows a finding."""
        return self._exchanges[case.id, finding.example][finding.trouble.at]

    async def again(self, case: Case, finding: Finding) -> bool:
        """Whether a finding is seen again."""
        return (await self._one(case, finding.example)) is not None

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
        return list(await asyncio.gather(*(self._one(case, example) for example in examples)))

    async def _one(self, case: Case, example: Example) -> Trouble | None:
        from generators.properties import Seen  # noqa: PLC0415

        exchanges = await asyncio.gather(*(self._request(case, request) for request in example.requests))
        seen = []
        for exchange in exchanges:
            if exchange.answer is None:
                raise _NoAnswer(f"no answer: {exchange.failure}")
            seen.append(Seen(exchange.answer, exchange.sent.made_at, self.values(case)))
        trouble = example.judge(seen)
        if trouble is not None:
            self._exchanges[case.id, example] = exchanges
        return trouble

    async def _request(self, case: Case, request: Request) -> Exchange:
        return await self.send(replace(case, request=request, id=f"{case.id} example"))
