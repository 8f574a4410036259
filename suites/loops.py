"""Event loops that Ctrl-C ends between two of their steps.

An interrupt that is raised amid a step tears a task, and is raised again by whoever waits for that task: in the
clean-up, say.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_interrupted: set[asyncio.AbstractEventLoop] = set()


def catch_interrupts() -> Callable[[], None]:
    """Have Ctrl-C and SIGTERM, which a cancelled job gets, end `wait`; returns what undoes that."""
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is to be ignored
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, _interrupt) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def _interrupt(_signal: int, _frame: object) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise KeyboardInterrupt from None
    if loop in _interrupted:  # asked for before, and the step under way does not end
        raise KeyboardInterrupt
    _interrupted.add(loop)
    loop.call_soon_threadsafe(loop.stop)


def wait(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[T]) -> T:
    """Run `awaitable` to its end; raises KeyboardInterrupt between two steps if one is asked for.

    Whoever was waited for when an interrupt came may have been done just then: what should have ended that wait
    is still in the loop, and stops it once.
    """
    future = asyncio.ensure_future(awaitable, loop=loop)
    for is_last in (False, True):
        try:
            found = loop.run_until_complete(future)
        except RuntimeError:
            if loop not in _interrupted and (is_last or future.done()):
                raise
        else:
            if loop not in _interrupted:
                return found
        finally:
            is_interrupted = loop in _interrupted
            _interrupted.discard(loop)
        if is_interrupted:
            raise KeyboardInterrupt
    raise AssertionError  # the last time returns or raises
