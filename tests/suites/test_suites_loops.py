"""Ending what runs on a loop that was interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from suites.loops import complete

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
    assert complete(loop, answer()) == 42


def test_what_it_raises_is_raised(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        raise RuntimeError("its own")

    with pytest.raises(RuntimeError, match="its own"):
        complete(loop, fail())
