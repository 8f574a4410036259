"""Codes of MFA devices: time-based one-time passwords of RFC 6238, six digits, a new one every 30 seconds.

Source: API reference, AssumeRole > Using MFA with AssumeRole; the messages: observed.yaml, ar-mfa-*, gst-mfa-*.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from typing import TYPE_CHECKING

import pyotp

from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from targets.reference.model import MfaDevice

_CODE = re.compile(r"[0-9]{6}")  # ASCII: other digits are no code
_WINDOW = 2  # steps by which the device's clock may be off, either way; observed.yaml, gst-mfa-code-window

_INCOMPLETE = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
_UNKNOWN = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
_WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


class MfaChecker:
    """Checks codes, and takes each of them once (RFC 6238, 5.2)."""

    def __init__(self, memory: int = 1000) -> None:
        self._used: OrderedDict[tuple[str, int, str], None] = OrderedDict()  # serial, step, code; oldest first
        self._memory = memory
        self.window = _WINDOW

    def check(self, device: MfaDevice | None, code: str, now: datetime) -> bool:
        """Whether `code` is one that the device shows about now and that was not accepted before."""
        if device is None or not _CODE.fullmatch(code):
            return False
        totp = pyotp.TOTP(device.seed)
        current = totp.timecode(now)
        for step in range(current - self.window, current + self.window + 1):
            # The code is part of what is remembered: a device made anew under the same serial number begins anew.
            use = (device.serial, step, code)
            if step >= 0 and hmac.compare_digest(totp.generate_otp(step), code) and use not in self._used:
                self.remember(use)
                return True
        return False

    def require(self, devices: Iterable[MfaDevice], serial: str | None, code: str | None, now: datetime) -> bool:
        """Whether the request proves MFA: True with a good code, False where it speaks of none.

        `devices` are those of the user who calls. Raises Refused, mfa-failed, for half of the two values, for a
        device that is not the user's and for a code that is wrong, outdated or used.
        """
        if serial is None and code is None:
            return False
        if serial is None or code is None:
            raise Refused("mfa-failed", _INCOMPLETE)
        device = next((device for device in devices if device.serial == serial), None)
        if device is None:
            raise Refused("mfa-failed", _UNKNOWN)
        if not self.check(device, code, now):
            raise Refused("mfa-failed", _WRONG)
        return True

    def remember(self, use: tuple[str, int, str]) -> None:
        """Keep in mind that a code was taken."""
        self._used[use] = None
        while len(self._used) > self._memory:
            self._used.popitem(last=False)
