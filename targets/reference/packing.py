"""How large session policies and tags may be, and how large a session token is.

Since September 2026 there is one limit of 4,096 characters for the whole token (observed.yaml, size-announcement).
Here policies and tags, compressed as the token's content is, have a share of it: the rest is for what a token holds
besides.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN_LIMIT = 4096  # characters
# Characters of base64. The rest is for names, ids, transitive keys, and what a federated identity brings along.
LIMIT = 2600


def packed_percent(policies: Iterable[str], arns: Iterable[str], tags: Iterable[tuple[str, str]]) -> int:
    """Return the packed size in percent, rounded up."""
    parts = [json.dumps(json.loads(text), separators=(",", ":")) for text in policies]
    size = len(zlib.compress(json.dumps([parts, list(arns), list(tags)]).encode())) * 4 // 3
    return -(-100 * size // LIMIT)


def utilization(token: str) -> int:
    """Return the percentage that a token has of what it may have, rounded down (observed.yaml, size-ar-plain)."""
    return 100 * len(token) // TOKEN_LIMIT


def check_packed(percent: int, *, tags_only: bool) -> None:
    """Raise Refused above 100 percent (observed.yaml, ar-packed-tags, ar-packed-policy)."""
    if percent <= 100:  # noqa: PLR2004 - percent
        return
    if tags_only:
        message = f"Packed size of session tags consumes {percent}% of allotted space."
    else:
        message = f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
    raise Refused("packed-policy-too-large", message)
