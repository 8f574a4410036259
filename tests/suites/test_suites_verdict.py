"""From answer and control to a verdict: the whole table, and what the runner makes of odd endpoints."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from generators import everything
from generators.expectation import Judgement
from suites.verdict import Control, decide
from tests.servers import Manner, Ran, Received, Stub, error, http, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


# The runner, against an endpoint that answers some requests oddly


FLAKY = "assume-role.role-session-name.in-arn/every-character-class"
FLAKY_KNOWN = "common.wire.parameter-order/action-last"
THROTTLED = "common.wire.space/tag-value-plus"
OVERLOADED = "common.wire.space/tag-value-percent-20"
CUT_OFF = "assume-role.duration-seconds.lifetime/43200"
CUT_OFF_THEN = "assume-role.response.source-identity.echo/alice"
HOLLOW = "get-federation-token.duration-seconds.min/899"
GRANTED = "get-federation-token.duration-seconds.min/0"
BY_RULE = "assume-role.external-id.max-length/1225"
ONE_REGION = "common.authentication.scope-region/another-region"
REFUSED_ONCE = "assume-role.duration-seconds.min/899"
GRANTED_TWICE = "get-session-token.serial-number.max-length/257"
ALL = (FLAKY, FLAKY_KNOWN, THROTTLED, OVERLOADED, CUT_OFF, CUT_OFF_THEN, HOLLOW, GRANTED, BY_RULE, ONE_REGION,
       REFUSED_ONCE, GRANTED_TWICE)  # fmt: skip
BASELINE = f"""\
target: odd
known-deviations:
- {{reason: it is slow on Mondays, cases: [{FLAKY_KNOWN}]}}
- {{reason: takes any external id, rules: [{BY_RULE.partition("/")[0]}]}}
- {{reason: cannot be seen here, cases: [{HOLLOW}]}}
"""


class Odd(Stub):
    """Answers some requests oddly."""

    def __init__(self) -> None:
        super().__init__(Manner(answer=self.odd))
        self.seen: Counter[str] = Counter()

    def odd(self, request: Received) -> bytes | None:
        name = next((name for name, meant in _MEANT.items() if meant(request)), "")
        with self._lock:
            self.seen[name] += 1
        count = self.seen[name]
        if name in {FLAKY, FLAKY_KNOWN, CUT_OFF_THEN} and count == 1:
            return http(500, error("InternalFailure", None))
        if name == CUT_OFF or (name == CUT_OFF_THEN and count > 1):
            raise ConnectionAbortedError
        if name == OVERLOADED or (name == THROTTLED and count <= 2):
            return http(400, error("Throttling", "Rate exceeded"))
        if name == "the control of HOLLOW":
            return http(403, error("AccessDenied", "not you"))
        if name == GRANTED:
            return http(200, self._grant(request))
        return None


_MEANT: dict[str, Callable[[Received], bool]] = {
    FLAKY: lambda r: r.parameters.get("RoleSessionName") == "aZ09_+=,.@-",
    FLAKY_KNOWN: lambda r: r.action == "AssumeRole" and r.body.endswith(b"Action=AssumeRole"),
    THROTTLED: lambda r: b"red+and+blue" in r.body,
    OVERLOADED: lambda r: b"red%20and%20blue" in r.body,
    CUT_OFF: lambda r: r.parameters.get("DurationSeconds") == "43200" and r.action == "AssumeRole",
    CUT_OFF_THEN: lambda r: r.parameters.get("SourceIdentity") == "alice",
    "the control of HOLLOW": lambda r: (
        r.action == "GetFederationToken" and r.parameters.get("DurationSeconds") == "900"
    ),
    GRANTED: lambda r: r.action == "GetFederationToken" and r.parameters.get("DurationSeconds") == "0",
    REFUSED_ONCE: lambda r: r.action == "AssumeRole" and r.parameters.get("DurationSeconds") == "899",
    GRANTED_TWICE: lambda r: r.action == "GetSessionToken" and len(r.parameters.get("SerialNumber", "")) == 257,
}


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with Odd() as stub:
        yield stub


@pytest.fixture(scope="module")
def ran(odd: Odd, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "baseline.yaml").write_text(BASELINE, encoding="utf-8")
    selected = " or ".join((*ALL, "validation-error.message/assume-role.duration-seconds"))
    return run(folder, f"--target={odd.url}", f"--baseline={folder / 'baseline.yaml'}", "-q", "-k", selected)


@pytest.mark.parametrize(
    ("case_id", "verdict", "reason"),
    [
        (FLAKY, "flaky", "sent again, it was answered 200 <AssumeRoleResponse>"),
        (FLAKY_KNOWN, "known-deviation", "it is slow on Mondays"),
        (THROTTLED, "conforms", ""),
        (OVERLOADED, "inconclusive", "throttled: 400 Throttling: Rate exceeded"),
        (CUT_OFF, "inconclusive", "no answer: the connection was closed"),
        (CUT_OFF_THEN, "inconclusive", "no answer when sent again: the connection was closed"),
        (HOLLOW, "inconclusive", "get-federation-token.duration-seconds.min/900 does not conform (403 AccessDenied"),
        (GRANTED, "deviates", ""),
        (BY_RULE, "known-deviation", "takes any external id"),
        (ONE_REGION, "untestable", "needs an endpoint that serves one region only"),
        (REFUSED_ONCE, "conforms", ""),
        (GRANTED_TWICE, "deviates", ""),
    ],
)
def test_what_the_runner_makes_of_it(ran: Ran, case_id: str, verdict: str, reason: str) -> None:
    case = ran.cases[case_id]
    assert case.verdict == verdict
    assert reason in case.reason
    assert bool(case.reason) == bool(reason)


def test_nothing_but_conforming_cases_passes(ran: Ran) -> None:
    counts = Counter(ran.verdicts.values())
    line = ran.output.rstrip().splitlines()[-1]
    assert f"{counts['conforms']} passed" in line
    assert "2 known-deviation" in line
    assert ran.status == pytest.ExitCode.TESTS_FAILED


def test_what_deviates_is_sent_again_and_nothing_else(ran: Ran, odd: Odd) -> None:
    assert ran.results.complete
    assert odd.seen[THROTTLED] == 3
    assert odd.seen[FLAKY] == 2
    assert odd.seen[GRANTED_TWICE] == 2
    sharing = [
        c for c in ran.cases.values() if "DurationSeconds=899" in (c.exchange.request.body if c.exchange else "")
    ]
    assert len(sharing) > 1  # the bound, and its wording
    assert odd.seen[REFUSED_ONCE] == 1


def test_an_entry_that_cannot_be_looked_at_is_not_gone(ran: Ran) -> None:
    assert not ran.results.gone


def test_boto3_given_no_xml_is_a_deviation(tmp_path: Path) -> None:
    """botocore's ResponseParserError is no BotoCoreError."""

    def tell(request: Received) -> bytes | None:
        boto3 = request.headers.get("user-agent", "").startswith("Boto3")
        return http(200, "<html>", {"content-type": "text/html"}) if boto3 else None

    with Stub(Manner(answer=tell)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", "common.sdk.get-caller-identity/user")
    case = ran.cases["common.sdk.get-caller-identity/user"]
    assert "fault of the suite" not in case.reason
    assert case.verdict == "deviates"
    assert case.exchange is not None
    assert case.exchange.response is not None


def test_a_flaky_case_shows_the_answer_that_deviated(ran: Ran) -> None:
    exchange = ran.cases[FLAKY].exchange
    assert exchange is not None
    assert exchange.response is not None
    assert exchange.response.status == 500
    assert "InternalFailure" in ran.cases[FLAKY].received
