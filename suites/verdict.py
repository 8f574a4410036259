"""From an answer, its control and what the run has, to a verdict. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generators.case import Case
    from generators.expectation import Judgement
    from reports.model import Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and why it is not plain."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """How the control of a case fared."""

    id: str
    conforms: bool
    lacking: str = ""  # what it needs and the run does not have
    unsupported: bool = False
    received: str = ""
    failure: str = ""


def decide(case: Case, judgement: Judgement, control: Control | None, *, accepted: bool) -> Decision:
    """Weigh a judged answer against its control. `accepted`: the endpoint granted the request."""
    if not judgement.conforms:
        # A forbidden request that is granted is wrong whatever the control did. Any other wrong answer may
        # have the cause that made the control fail.
        if control is None or control.conforms or (accepted and case.expectation.outcome == "refusal"):
            return Decision("deviates")
        return _without_control(control)
    if control is None or control.conforms:
        return Decision("conforms")
    return _without_control(control)


def _without_control(control: Control) -> Decision:
    if control.unsupported:
        return Decision("unsupported", f"the operation of its control {control.id} does not exist here")
    if control.lacking:
        return Decision("untestable", f"its control {control.id} {control.lacking}")
    if control.failure:
        return Decision("inconclusive", f"its control {control.id} was not answered: {control.failure}")
    return Decision(
        "inconclusive", f"its control {control.id} does not conform ({control.received}): the answer proves nothing"
    )
