"""From answer and control to a verdict: the whole table, and what the runner makes of odd endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from generators import everything
from generators.expectation import Judgement
from suites.verdict import Control, decide
from tests.servers import Manner, Ran, Received, Stub, error, http, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.case import Case

GOOD = Control("a.b/c", conforms=True)
BAD = Control("a.b/c", conforms=False, received="403 AccessDenied")
LACKING = Control("a.b/c", conforms=False, lacking="needs a role")
ABSENT = Control("a.b/c", conforms=False, unsupported=True)
SILENT = Control("a.b/c", conforms=False, failure="no answer within 20 s")

# Outcome expected, does the answer conform, was the request granted, how the control fared: verdict.
TABLE: list[tuple[str, bool, bool, Control | None, str, str]] = [
    ("refusal", True, False, GOOD, "conforms", ""),
    ("refusal", True, False, None, "conforms", ""),
    ("refusal", True, False, BAD, "inconclusive", "does not conform (403 AccessDenied)"),
    ("refusal", True, False, LACKING, "untestable", "needs a role"),
    ("refusal", True, False, ABSENT, "unsupported", "does not exist here"),
    ("refusal", True, False, SILENT, "inconclusive", "was not answered: no answer within 20 s"),
    ("refusal", False, False, GOOD, "deviates", ""),
    ("refusal", False, False, None, "deviates", ""),
    ("refusal", False, False, BAD, "inconclusive", "proves nothing"),
    ("refusal", False, False, LACKING, "untestable", "a.b/c"),
    ("refusal", False, False, ABSENT, "unsupported", "a.b/c"),
    ("refusal", False, False, SILENT, "inconclusive", "a.b/c"),
    ("refusal", False, True, GOOD, "deviates", ""),
    ("refusal", False, True, None, "deviates", ""),
    ("refusal", False, True, BAD, "deviates", ""),  # granted what is forbidden: wrong, whatever the control did
    ("refusal", False, True, LACKING, "deviates", ""),
    ("refusal", False, True, SILENT, "deviates", ""),
    ("success", True, True, GOOD, "conforms", ""),
    ("success", True, True, None, "conforms", ""),
    ("success", False, False, None, "deviates", ""),
    ("success", False, False, GOOD, "deviates", ""),
    ("success", False, False, BAD, "inconclusive", "a.b/c"),
    ("success", False, True, BAD, "inconclusive", "a.b/c"),
    ("either", True, True, GOOD, "conforms", ""),
    ("either", True, False, BAD, "inconclusive", "a.b/c"),
    ("either", False, False, GOOD, "deviates", ""),
]


@pytest.fixture(scope="module")
def case() -> Case:
    return next(case for case in everything.cases() if case.id == "assume-role.duration-seconds.min/899")


@pytest.mark.parametrize(("outcome", "conforms", "granted", "control", "verdict", "words"), TABLE)
def test_verdict(
    case: Case, outcome: str, conforms: bool, granted: bool, control: Control | None, verdict: str, words: str
) -> None:
    case = replace(case, expectation=replace(case.expectation, outcome=outcome))
    decision = decide(case, Judgement(conforms, "400 ValidationError"), control, accepted=granted)
    assert decision.verdict == verdict
    assert words in decision.reason
    assert bool(decision.reason) == (verdict not in {"conforms", "deviates"})


# The runner


FLAKY = "assume-role.role-session-name.in-arn/every-character-class"
FLAKY_KNOWN = "common.wire.parameter-order/action-last"
THROTTLED = "get-access-key-info.returns-account/own-key"
OVERLOADED = "common.wire.charset/utf-8-capitals"
CUT_OFF = "assume-role.duration-seconds.lifetime/43200"
HOLLOW = "get-federation-token.duration-seconds.min/899"
GRANTED = "get-federation-token.duration-seconds.min/0"
SECOND_CUT = "assume-role.response.source-identity.echo/alice"


class Odd(Stub):
    """Answers some requests oddly; which, stands in the tests."""

    def __init__(self) -> None:
        super().__init__(Manner(answer=self.odd))
        self.seen: dict[str, int] = {}
        self.probed = False

    def odd(self, request: Received) -> bytes | None:
        given = request.parameters
        if given.get("RoleSessionName") == "aZ09_+=,.@-" and self._first(FLAKY, 1):
            return http(500, error("InternalFailure", None))
        if list(given)[:1] != ["Action"] and list(given)[-1:] == ["Action"] and self._first(FLAKY_KNOWN, 1):
            return http(500, error("InternalFailure", None))
        if request.action == "GetAccessKeyInfo" and self.probed and self._first(THROTTLED, 2):
            return http(400, error("Throttling", "Rate exceeded"))
        if "UTF-8" in request.headers.get("content-type", "") and self._first(OVERLOADED, 99):
            return http(503, error("ServiceUnavailable", None))
        if given.get("DurationSeconds") == "43200" and self._first(CUT_OFF, 99):
            return None if self.seen[CUT_OFF] > 0 and self._cut(request) else None
        if given.get("SourceIdentity") == "alice":
            return self._alice(request)
        return None

    def own(self, request: Received) -> bytes:
        if request.action == "GetFederationToken" and request.parameters.get("Name") == "conformance":
            return self._federation(request)
        self.probed = self.probed or request.action == "GetWebIdentityToken"
        return super().own(request)

    def _first(self, what: str, times: int) -> bool:
        with self._lock:
            self.seen[what] = self.seen.get(what, 0) + 1
            return self.seen[what] <= times
