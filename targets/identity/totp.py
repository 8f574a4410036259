"""Codes as an authenticator app shows them (RFC 6238: six digits, a new one every 30 seconds), and wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyotp

if TYPE_CHECKING:
    from datetime import datetime

# Steps either way in which no wrong code may be right: AWS takes those of two, and it stays wrong until it is sent.
_NEAR = 4


def new_seed() -> str:
    """Return a seed in base32, of 160 random bits."""
    return pyotp.random_base32()


def code(seed: str, at: datetime, *, steps: int = 0) -> str:
    """Return the code that the device shows at `at`, or `steps` times 30 seconds later."""
    return pyotp.TOTP(seed).at(at, counter_offset=steps)


def wrong_code(seed: str, at: datetime) -> str:
    """Return six digits that are not the device's code, neither at `at` nor within two minutes of it."""
    right = {code(seed, at, steps=steps) for steps in range(-_NEAR, _NEAR + 1)}
    return next(digits for number in range(len(right) + 1) if (digits := f"{number:06}") not in right)
