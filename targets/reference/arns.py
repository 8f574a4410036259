"""ARNs of roles, users and providers, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from targets.reference.model import Refused

_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):([a-z0-9-]+):([a-z0-9-]*):([0-9]{12}|aws|):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN."""

    text: str
    service: str
    account: str
    resource: str  # role/path/name


def parse_arn(text: str) -> Arn:
    """Read an ARN; raises Refused malformed-arn (observed.yaml, ar-malformed-rolearn)."""
    found = _ARN.fullmatch(text)
    if found is None:
        raise Refused("malformed-arn", f"{text} is invalid")
    return Arn(text, found[2], found[4], found[5])
