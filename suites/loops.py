"""Ending what runs on an event loop that Ctrl-C may have interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


def complete(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[T]) -> T:
    """Run `awaitable` to its end.

    Whoever was waited for when the interrupt came may have been done just then: what should have ended that wait
    is still in the loop, and stops it once.
    """
    future = asyncio.ensure_future(awaitable, loop=loop)
    try:
        return loop.run_until_complete(future)
    except RuntimeError:
        if future.done():
            raise
        return loop.run_until_complete(future)
