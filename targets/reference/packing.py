"""The packed size of session policies and tags, in percent of what is allowed.

AWS does not tell how it packs. Here it is the number of bytes without JSON's white space, so that more never
packs smaller, and marking a tag transitive changes nothing (AssumeRole > TransitiveTagKeys).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 8192  # bytes; fifty tags of full length are above, a policy of 2,048 characters with ten tags is below


def packed_percent(policies: Iterable[str], arns: Iterable[str], tags: Iterable[tuple[str, str]]) -> int:
    """Return the packed size in percent, rounded up."""
    size = sum(len(json.dumps(json.loads(text), separators=(",", ":")).encode()) for text in policies)
    size += sum(len(arn.encode()) for arn in arns)
    size += sum(len(key.encode()) + len(value.encode()) + 2 for key, value in tags)
    return -(-100 * size // LIMIT)


def check_packed(percent: int, *, tags_only: bool) -> None:
    """Raise Refused above 100 percent (observed.yaml, ar-packed-tags, ar-packed-policy)."""
    if percent <= 100:  # noqa: PLR2004 - percent
        return
    if tags_only:
        message = f"Packed size of session tags consumes {percent}% of allotted space."
    else:
        message = f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
    raise Refused("packed-policy-too-large", message)
