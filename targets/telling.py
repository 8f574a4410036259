"""Printing for programs whose reader may go away, as `head` does."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def tell(lines: Iterable[str]) -> None:
    """Print lines to stdout, as many of them as are read."""
    with contextlib.suppress(BrokenPipeError):  # whoever reads has seen enough
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed at the end
