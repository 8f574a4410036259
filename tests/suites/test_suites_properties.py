"""Properties find what no value at a bound shows, and tell it with the request that a person would write."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl

import pytest

from generators import properties
from specs.contract import load
from suites import explore, kill, trials
from suites.baseline import Baseline
from suites.runner import Hands, Limits, Runner
from targets.endpoint import parse_endpoint
from targets.reference.defects import edits, registry
from targets.reference.defects.registry import Defect
from targets.reference.service import build
from tests.servers import Http, Listener, Manner, Stub, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reports.model import CaseResult, Finding
    from targets.reference.model import HttpAnswer, HttpRequest
    from tests.servers import Received

DEFAULT = Limits(in_flight=8, max_rate=0.0, timeout=20.0)  # thirty examples, seed 2011
# What every request of a run has, whoever writes it.
_OF_THE_RUN = frozenset({
    "Action", "Version", "RoleArn", "PrincipalArn", "SAMLAssertion", "WebIdentityToken",
})  # fmt: skip


@dataclass
class Bench:
    """Properties tried with a reference that has a defect."""

    arena: kill.Arena = field(default_factory=kill.Arena)

    def tried(
        self,
        rule: str,
        *defects: Defect,
        limits: Limits = DEFAULT,
        baseline: Baseline | None = None,
        url: str = "",
    ) -> CaseResult:
        """Return the result of a property's case."""
        if time.monotonic() - self.arena.begun > kill._LIFE:
            self.close()
            self.arena = kill.Arena()
        arena, case_id = self.arena, f"{rule}/examples"
        arena._service = build(arena._settings, arena._kept)
        for defect in defects:
            defect.apply(arena._service)
        arena._provisioner.renew()
        target = replace(arena._target, endpoint=parse_endpoint(url)) if url else arena._target

        async def make() -> Runner:
            return Runner(
                target, arena._estate, arena._redactor, limits, baseline or Baseline(), arena._cases, arena._loop,
                Hands(arena._provisioner.have, arena._provisioner.remove),
            )  # fmt: skip

        runner = arena._loop.run_until_complete(make())
        try:
            runner.start([case_id])
            return runner.result(case_id)
        finally:
            runner.stop()

    def close(self) -> None:
        self.arena.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


def members(finding: Finding) -> dict[str, str]:
    """Return the members that a finding's request has beside those of every run."""
    request = finding.exchange.request
    encoded = request.body if request.method == "POST" else request.url.partition("?")[2]
    pairs = parse_qsl(encoded, keep_blank_values=True)
    return {name: value for name, value in pairs if name not in _OF_THE_RUN}


def policy(*, statements: int) -> str:
    """Return the simplest policy of so many statements; of none: of one that is in no list."""
    simplest = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [simplest] * statements or simplest}
    return json.dumps(document, separators=(",", ":"))


ROLE = {"RoleSessionName": "aa"}
USER = {"Name": "aa"}
TAG = {"Tags.member.1.Key": "a"}
TWO_TAGS = {
    **TAG, "Tags.member.1.Value": "", "Tags.member.2.Value": "", "TransitiveTagKeys.member.1": "a",
}  # fmt: skip

# By defect: what its smallest request has, or may have: a person may write either.
MINIMAL: dict[str, tuple[dict[str, str], ...]] = {
    "assume-role.property.valid/equals-after-at": ({"RoleSessionName": "@="},),
    "get-federation-token.property.valid/equals-after-at": ({"Name": "@="},),
    "assume-role.property.valid/digit-cut": ({"RoleSessionName": "0a"}, {"RoleSessionName": "00"}),
    "assume-role.property.valid/whole-hours": ({**ROLE, "DurationSeconds": "3660"},),
    "get-session-token.property.valid/whole-hours": ({"DurationSeconds": "3660"},),
    "assume-role.property.valid/statement-in-list": ({**ROLE, "Policy": policy(statements=0)},),
    "assume-role.property.valid/line-separator-in-tag": ({**ROLE, **TAG, "Tags.member.1.Value": "\u2028"},),
    "get-federation-token.property.valid/wide-space-in-tag": ({**USER, **TAG, "Tags.member.1.Value": "\u3000"},),
    "assume-role.property.valid/source-identity-folded": (
        {**ROLE, "SourceIdentity": "aA"}, {**ROLE, "SourceIdentity": "AA"},
    ),
    "assume-role.property.one-broken/start-alone": tuple(
        members | {name: "a" * 16 + bad}
        for bad in " !"
        for name, members in {
            "RoleSessionName": {}, "ExternalId": ROLE, "SourceIdentity": ROLE,
            "Tags.member.1.Key": {**ROLE, "Tags.member.1.Value": "Unicorn"},
            "Tags.member.1.Value": {**ROLE, "Tags.member.1.Key": "Project"},
        }.items()
    ),
    "get-federation-token.property.one-broken/far-too-long": (
        {"Name": "a" * 43},
        {**USER, "Tags.member.1.Key": "a" * 139, "Tags.member.1.Value": "Unicorn"},
        {**USER, "Tags.member.1.Key": "Project", "Tags.member.1.Value": "a" * 267},
    ),
    "get-session-token.property.one-broken/sign-lost": (
        {"DurationSeconds": "-900"}, {"MinimumSessionTokenSize": "-100"},
    ),
    "get-session-token.property.several-broken/cancelled-out": (
        {"DurationSeconds": "129601", "MinimumSessionTokenSize": "-1"},
    ),
    "assume-role.property.by-get/no-policy": ({**ROLE, "Policy": policy(statements=1)},),
    "get-session-token.property.by-get/no-duration": ({"DurationSeconds": "900"},),
    "assume-role.property.rearranged/lower-case-escapes": (ROLE,),
    "get-session-token.property.rearranged/action-last": ({},),
    "assume-role.property.with-more/dotted": ({**ROLE, "X.": ""},),
    "get-session-token.property.fresh/kept-by-duration": ({"DurationSeconds": "900"},),
    "assume-role.property.request-ids/run-out": (ROLE,),
    "assume-role.property.transitive-packed/second-counts": tuple(
        {**ROLE, **TWO_TAGS, "Tags.member.2.Key": key, "TransitiveTagKeys.member.2": key} for key in ("aa", "b")
    ),
    "get-federation-token.property.longer-policy/many-smaller": ({**USER, "Policy": policy(statements=4)},),
}  # fmt: skip


@pytest.mark.parametrize("name", MINIMAL)
def test_a_defect_is_found_and_told_with_the_smallest_request(bench: Bench, name: str) -> None:
    defect = registry()[name]
    result = bench.tried(defect.rule, defect)
    assert result.verdict == "deviates"
    assert result.examples <= DEFAULT.examples
    for finding in result.findings:
        assert members(finding) in MINIMAL[name], finding.received


def test_the_defects_are_many_and_of_every_kind() -> None:
    kinds = {name.partition(".property.")[2] for name in MINIMAL}
    assert len(kinds) >= 15
    assert {kind.partition("/")[0] for kind in kinds} == {
        "valid", "one-broken", "several-broken", "by-get", "rearranged", "with-more", "fresh", "request-ids",
        "transitive-packed", "longer-policy",
    }  # fmt: skip


def test_a_finding_says_what_is_wrong_and_how_to_see_it_again(bench: Bench) -> None:
    defect = registry()["assume-role.property.valid/equals-after-at"]
    result = bench.tried(defect.rule, defect)
    (finding,) = result.findings
    assert finding.about == defect.rule
    assert finding.expected.startswith("accepted with 200")
    assert finding.received.startswith("400 ValidationError")
    for part in ("expected", "received", "exchange", "reproduce"):
        assert getattr(result, part) == getattr(finding, part)
    assert "curl" in finding.reproduce
    assert "RoleSessionName=%40%3D" in finding.reproduce


def test_what_breaks_one_constraint_is_told_of_the_rule_that_it_breaks(bench: Bench) -> None:
    defect = registry()["get-session-token.property.one-broken/sign-lost"]
    assert {finding.about: members(finding) for finding in bench.tried(defect.rule, defect).findings} == {
        "get-session-token.duration-seconds.range": {"DurationSeconds": "-900"},
        "get-session-token.minimum-session-token-size.range": {"MinimumSessionTokenSize": "-100"},
    }


# What was broken already


def test_a_bound_that_cases_tell_is_not_told_again(bench: Bench) -> None:
    broken = [registry()[f"get-session-token.{name}"] for name in _unchecked("get-session-token")]
    result = bench.tried("get-session-token.property.one-broken", *broken)
    assert {finding.about for finding in result.findings} == set()
    assert result.verdict == "conforms"


def _unchecked(operation: str) -> list[str]:
    """Return the defects by which an upper bound of an operation is not looked at."""
    found = [name for name, defect in registry().items() if defect.rule == f"{operation}.duration-seconds.max"]
    return [name.removeprefix(f"{operation}.") for name in found]


# Deterministic


def recorder(into: list[bytes]) -> Defect:
    """Return what is no defect: it remembers what comes in."""

    def noted(request: HttpRequest) -> HttpRequest:
        if b"Action=GetSessionToken" in request.body:
            into.append(request.body)
        return request

    return Defect("get-session-token.property.valid", "recorded", "nothing is changed", edits.request(noted))


def sent(bench: Bench, *, seed: int = DEFAULT.seed, examples: int = DEFAULT.examples) -> list[bytes]:
    """Return the requests of a property that holds, in any order."""
    bodies: list[bytes] = []
    limits = replace(DEFAULT, seed=seed, examples=examples)
    result = bench.tried("get-session-token.property.valid", recorder(bodies), limits=limits)
    assert result.verdict == "conforms"
    assert 0 < result.examples <= examples
    assert result.findings == ()
    return sorted(bodies)


def test_the_same_seed_sends_the_same_and_another_sends_others(bench: Bench) -> None:
    first = sent(bench)
    assert sent(bench) == first
    assert sent(bench, seed=2012) != first
    assert len(sent(bench, examples=60)) > len(first)


def test_the_same_seed_has_the_same_findings(bench: Bench) -> None:
    defect = registry()["get-federation-token.property.one-broken/start-alone"]
    one, two = (bench.tried(defect.rule, defect).findings for _ in range(2))
    assert [told(finding) for finding in one] == [told(finding) for finding in two]
    assert one


def told(finding: Finding) -> tuple[object, ...]:
    return finding.about, finding.expected, finding.received, members(finding)


# Told once


def test_equal_failures_of_a_rule_are_told_once(bench: Bench) -> None:
    defect = registry()["assume-role.property.by-get/no-duration"]
    failed: list[bytes] = []
    counting = Defect(defect.rule, "counted", defect.says, edits.answer(lambda _, found: _noted(found, failed)))
    result = bench.tried(defect.rule, defect, counting)
    assert len(failed) > 5
    assert len(result.findings) == 1


def _noted(found: HttpAnswer, into: list[bytes]) -> HttpAnswer:
    if b"is not understood" in found.body:
        into.append(found.body)
    return found


def test_failures_that_differ_are_told_each(bench: Bench) -> None:
    rule = "assume-role.property.valid"
    both = [registry()[f"{rule}/{name}"] for name in ("equals-after-at", "line-separator-in-tag")]
    result = bench.tried(rule, *both)
    assert len(result.findings) == len(both)
    for defect in both:
        assert any(members(finding) in MINIMAL[defect.id] for finding in result.findings)


# Verdicts


def test_a_baseline_covers_it(bench: Bench) -> None:
    defect = registry()["get-session-token.property.by-get/no-duration"]
    reason = "is known"
    for baseline in (Baseline(rules={defect.rule: reason}), Baseline(cases={f"{defect.rule}/examples": reason})):
        result = bench.tried(defect.rule, defect, baseline=baseline)
        assert (result.verdict, result.reason) == ("known-deviation", reason)
        assert len(result.findings) == 1


def test_a_failure_that_is_not_seen_again_is_flaky(bench: Bench) -> None:
    rule = "get-session-token.property.valid"
    seen: set[bytes] = set()

    def better_then(request: HttpRequest, found: HttpAnswer) -> HttpAnswer:
        first = request.body not in seen
        seen.add(request.body)
        return replace(found, status=503) if first and b"DurationSeconds=1" in request.body else found

    result = bench.tried(rule, Defect(rule, "better-then", "fails once", edits.answer(better_then)))
    assert (result.verdict, result.reason) == ("flaky", "not seen when sent again")


def test_an_endpoint_that_is_gone_makes_it_inconclusive(bench: Bench) -> None:
    with Listener() as listener:
        url = listener.url
    result = bench.tried("get-session-token.property.valid", url=url)
    assert result.verdict == "inconclusive"
    assert result.reason.startswith("no answer")
    assert result.findings == ()


def test_an_endpoint_that_stops_answering_makes_it_inconclusive(tmp_path: Path) -> None:
    with Stub(Manner(dies_after=70)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", "get-session-token.property.by-get")
    (result,) = ran.cases.values()
    assert result.verdict == "inconclusive"
    assert result.reason.startswith("no answer")
    assert ran.status == 1


# Secrets


def test_no_secret_is_in_a_result(bench: Bench) -> None:
    for name in ("fresh/kept-by-duration", "valid/whole-hours", "rearranged/lower-case-escapes"):
        defect = registry()[f"assume-role-with-web-identity.property.{name}"]
        result = bench.tried(defect.rule, defect)
        text = result.model_dump_json()
        assert result.findings
        assert "<redacted>" in text
        known = [secret for secret in bench.arena._redactor.known if len(secret) > 16]
        assert len(known) > 60
        assert not [secret for secret in known if secret[:16] in text or secret[-16:] in text]


# Silence


def test_silence_is_made_small_with_little_patience_and_seen_again_with_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_KNOWN_PATIENCE", (10, 0.1))
    granted = b"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"

    def hanging(received: Received) -> bytes:
        if re.search(rb"%5[Bb]", received.body):  # a bracket
            time.sleep(2)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(granted), granted)

    limits = replace(DEFAULT, timeout=1.0)
    begun = time.monotonic()
    with Http(hanging) as server:
        result = bench.tried("get-caller-identity.property.robust", limits=limits, url=server.url)
    assert time.monotonic() - begun < 15
    (finding,) = result.findings
    assert result.verdict == "deviates"
    assert finding.received == "no answer: no answer within 1 s"
    bracket = [value for value in members(finding).values() if "[" in value] or [
        name for name in members(finding) if "[" in name
    ]
    assert len(bracket) == 1
    assert len(members(finding)) <= 3


def test_what_is_slow_and_no_more_is_no_silence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than the patience of shrinking, and is answered in the time that one may wait, conforms."""
    monkeypatch.setattr(trials, "_PATIENCE", 0.05)
    granted = b"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"

    def slow(received: Received) -> bytes:
        time.sleep(0.1 if b"%" in received.body else 0)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(granted), granted)

    with Http(slow) as server:
        result = bench.tried("get-caller-identity.property.robust", url=server.url)
    assert (result.verdict, result.findings) == ("conforms", ())


def test_a_dead_endpoint_costs_no_examples(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*_: object) -> NoReturn:
        raise AssertionError("an example is made")

    monkeypatch.setattr(explore, "_made", made)
    with Listener() as listener:
        url = listener.url
    result = bench.tried("assume-role.property.valid", url=url)
    assert (result.verdict, result.examples) == ("inconclusive", 0)


def test_answers_are_held_against_what_cases_do_not_tell(bench: Bench) -> None:
    """That the source identity is not given back is told by a case; what else is wrong is told by the property."""
    echo = "assume-role.response.source-identity.echo/"
    lost = next(defect for name, defect in registry().items() if name.startswith(echo))
    rule = "assume-role.property.valid"
    assert bench.tried(rule, lost).verdict == "conforms"
    assert bench.tried(rule, lost, registry()[f"{rule}/equals-after-at"]).verdict == "deviates"


def test_examples_are_the_same_after_a_failing_exploration() -> None:
    """Hypothesis goes on with a source of its own when an example has failed; what that finds must not stay."""
    strategy = properties.PROPERTIES["robust"](properties.Making(load(), "GetCallerIdentity", frozenset(), False, 0))
    assert strategy is not None
    budget = trials.Budget(30, 2011)
    before = explore._made(strategy, budget)

    def failing(examples: list[properties.Example]) -> list[properties.Trouble | None]:
        return [one.unanswered(0, "failure", "kind") if "%" in repr(one.requests) else None for one in examples]

    assert explore.explore(strategy, budget, failing).findings
    assert explore._made(strategy, budget) == before
