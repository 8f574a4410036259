"""Credentials: an AWS key, with the session token of a session; and where answers hand them out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from generators.answer import local_name
from generators.expectation import is_granted

if TYPE_CHECKING:
    from generators.answer import Answer

_SENDABLE = re.compile(r"[!-~]{1,32768}", re.ASCII)


def sendable(text: str) -> bool:
    """Whether a text can be sent in a header: printable ASCII without blanks, not of any length."""
    return _SENDABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AWS key; its secret parts never show in repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def handed_out(answer: Answer | None) -> Credentials | None:
    """Return the credentials in an answer that grants a request, whatever operation it is of.

    None if there are none, or if they cannot be sent in a header: no endpoint makes us write its lines into ours.
    """
    if answer is None or answer.root is None or not is_granted(answer):
        return None
    found: dict[str, str] = {}
    for element in answer.root.iter():
        if element.text:
            found.setdefault(local_name(element), element.text)
    parts = [found.get(name, "") for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    if not (parts[0] and parts[1]) or not all(sendable(part) for part in parts if part):
        return None
    return Credentials(parts[0], parts[1], parts[2] or None)
