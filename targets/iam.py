"""What is asked of the IAM of an endpoint, by whoever makes something there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from targets.http import Exchange

PATH = "/sts-conformance/"  # of what a run makes


async def create_role(
    iam: Callable[..., Awaitable[Exchange]], name: str, trust: str, *, seconds: int = 43200, **more: str
) -> Exchange:
    """Make a role whose sessions may last `seconds`, twelve hours unless told otherwise."""
    return await iam(
        "CreateRole",
        RoleName=name,
        Path=PATH,
        AssumeRolePolicyDocument=trust,
        MaxSessionDuration=str(seconds),
        **more,
    )


def document(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def tag_parameters(tags: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return tags as parameters of IAM."""
    return {
        name: text
        for number, (key, value) in enumerate(tags, 1)
        for name, text in ((f"Tags.member.{number}.Key", key), (f"Tags.member.{number}.Value", value))
    }


def is_gone(exchange: Exchange) -> bool:
    """Whether what was to be removed is not there any more."""
    return exchange.answer is not None and exchange.answer.error_code == "NoSuchEntity"
