"""Event loops that are interrupted, and what runs on them after that."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from suites.loops import catch_interrupts, wait

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    found = asyncio.new_event_loop()
    yield found
    found.close()


async def answer() -> int:
    await asyncio.sleep(0.01)
    return 42


def test_a_leftover_stop_does_not_end_it(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)  # as an interrupted wait leaves it
    assert wait(loop, answer()) == 42


def test_what_it_raises_is_raised(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        raise RuntimeError("its own")

    with pytest.raises(RuntimeError, match="its own"):
        wait(loop, fail())


@pytest.fixture
def caught() -> Iterator[None]:
    restore = catch_interrupts()
    yield
    restore()


@pytest.mark.usefixtures("caught")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_wait_and_no_task(loop: asyncio.AbstractEventLoop, number: int) -> None:
    """A task that is torn would raise the interrupt again."""
    torn: list[BaseException] = []
    ended: list[bool] = []

    async def busy() -> int:
        try:
            while not ended:
                sum(range(10_000))
                await asyncio.sleep(0)
        except BaseException as error:
            torn.append(error)
            raise
        return 42

    task = loop.create_task(busy())
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    with pytest.raises(KeyboardInterrupt):
        wait(loop, task)
    ended.append(True)
    assert wait(loop, task) == 42
    assert not torn


@pytest.mark.usefixtures("caught")
def test_an_interrupt_while_no_loop_runs_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("caught")
def test_an_interrupt_in_the_last_step_is_not_lost(loop: asyncio.AbstractEventLoop) -> None:
    async def last() -> None:
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        wait(loop, last())
    assert wait(loop, answer()) == 42


@pytest.mark.usefixtures("caught")
def test_the_second_interrupt_does_not_wait_for_the_step(loop: asyncio.AbstractEventLoop) -> None:
    async def stuck() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        wait(loop, stuck())


def test_interrupts_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    catch_interrupts()()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        restore = catch_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        restore()
    finally:
        signal.signal(signal.SIGINT, before)
