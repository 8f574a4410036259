"""What is asked of the IAM of an endpoint, by whoever makes something there."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from targets.http import Exchange

PATH = "/sts-conformance/"  # of what a run makes

IamCall = Callable[..., Awaitable["Exchange"]]  # of an action, with its parameters by name


@dataclass(frozen=True, slots=True)
class Removal:
    """How something that was made is removed again."""

    iam: IamCall
    action: str
    parameters: tuple[tuple[str, str], ...]  # the first names the thing, or what it is part of
    presumed: bool = False  # IAM made it, and did not tell its ARN: that there is none of this one proves nothing

    @property
    def what(self) -> str:
        """What is removed, for people: 'role sts-conformance-1f3870be'."""
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub("^[A-Z][a-z]+", "", self.action)).lower()
        return " ".join((kind.replace("openidconnect", "openid connect"), *(value for _, value in self.parameters)))

    async def __call__(self) -> Exchange:
        """Remove it."""
        return await self.iam(self.action, **dict(self.parameters))


Undo = list[Removal]


def removal(iam: IamCall, action: str, **parameters: str) -> Removal:
    """Return how something is removed: by an action with its parameters."""
    return Removal(iam, action, tuple(parameters.items()))


async def create(
    undo: Undo, creating: Awaitable[Exchange], at: str, gone_by: Callable[[str], Removal], expected: str = ""
) -> tuple[str, Exchange]:
    """Make something; returns its ARN, '' if the answer has none that can be one, and the exchange.

    `at`: where the answer has the ARN. `gone_by` gives its removal from its ARN; until the answer is there, and
    where it has none, that is the ARN `expected`. Only what was refused needs no removal: an answer that is lost,
    garbled or cut off by Ctrl-C may be that of something made.
    """
    presumed = gone_by(expected)
    undo.append(presumed)
    made = await creating
    arn = made.name_at(at)
    undo.remove(presumed)
    if arn:
        undo.append(gone_by(arn))
    elif not _is_refused(made):
        undo.append(replace(presumed, presumed=bool(expected) and made.granted))
    return arn, made


def _is_refused(exchange: Exchange) -> bool:
    answer = exchange.answer
    return answer is not None and (300 <= answer.status < 500 or answer.is_error)  # noqa: PLR2004 - of HTTP


def role_request(
    iam: IamCall, name: str, trust: str, *, seconds: int = 43200, **more: str
) -> Awaitable[Exchange]:
    """Ask for a role whose sessions may last `seconds`, twelve hours unless told otherwise."""
    return iam(
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


def is_gone(removing: Removal, exchange: Exchange) -> bool:
    """Whether what was to be removed is not there any more, as far as the answer to its removal tells."""
    if exchange.granted:
        return True
    return not removing.presumed and exchange.answer is not None and exchange.answer.error_code == "NoSuchEntity"
