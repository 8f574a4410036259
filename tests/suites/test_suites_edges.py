"""Observed edges: the search, what is searched, and runs with `--edges` against targets with lines of their own."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from generators.answer import Answer
from specs.contract import load
from suites.edges import Bound, Edges, Kind, Line, Look, Span, bounds, chosen, follow, look_at, strides
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.http import Exchange
from targets.provision import Estate
from targets.redactor import Redactor
from targets.target import Target
from tests.reports.synthetic import make_case
from tests.servers import Manner, Ran, Received, Refusal, Run, Stub, error, http, run, undone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reports.model import Edge
    from targets.wire import Prepared

DURATION = Span(43_200, 2**31 - 1, 900)
SHORTEST = Span(900, -(2**31), 43_200)
NAME = Span(64, 1_000_000, 2)
EMPTY = Span(2, 0, 64)

# The search


def searched(span: Span, judge: Callable[[int], bool | Kind]) -> tuple[Line, list[int]]:
    """Search a line of which `judge` tells what becomes of a value; also the values that were tried."""
    tried: list[int] = []
    words = {"taken": "200", "refused": "400 ValidationError", "other": "500 with an HTML page", "too-large": "413"}

    async def ask(value: int) -> Look:
        tried.append(value)
        judged = judge(value)
        kind = judged if isinstance(judged, str) else "taken" if judged else "refused"
        return Look(kind, words.get(kind, "no answer within 20 s"))

    line, asked = asyncio.run(follow(span, ask))
    assert asked == len(tried)
    assert len(set(tried)) == len(tried), "nothing is asked twice"
    return line, tried


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (900, 0, [899, 449, 224, 112, 56, 28, 14, 7, 3, 1, 0]),
        (3, -9, [2, 1, 0, -1, -2, -4, -8, -9]),
        (0, -3, [-1, -2, -3]),
        (64, 500, [65, 130, 260, 500]),
        (0, 5, [1, 2, 4, 5]),
        (-5, 3, [-4, -2, -1, 0, 1, 2, 3]),
        (1, 0, [0]),
        (11, 11, []),
    ],
)
def test_strides_double_away_from_zero_and_halve_towards_it(begin: int, end: int, expected: list[int]) -> None:
    assert list(strides(begin, end)) == expected


@pytest.mark.parametrize(
    ("span", "line", "most"),
    [
        (DURATION, 1_000_000, 32), (DURATION, 43_201, 24), (DURATION, 43_200, 4), (DURATION, 129_600, 26),
        (DURATION, 2**31 - 2, 60), (DURATION, 3600, 24), (DURATION, 43_199, 8), (DURATION, 900, 24),
        (SHORTEST, 1, 16), (SHORTEST, 0, 18), (SHORTEST, 60, 16), (SHORTEST, -5, 22), (SHORTEST, 901, 8),
        (SHORTEST, 3600, 24), (NAME, 65, 12), (NAME, 256, 16), (NAME, 999_999, 40), (NAME, 32, 12), (EMPTY, 1, 5),
    ],
)  # fmt: skip
def test_the_line_is_found_with_few_requests(span: Span, line: int, most: int) -> None:
    found, tried = searched(span, lambda value: (line - value) * span.outward >= 0)
    assert found.observed == line
    assert found.words == (f"{line:,}, as documented" if line == span.documented else f"{line:,}")
    assert len(tried) <= most, tried


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (DURATION, "none up to 2,147,483,647"),
        (SHORTEST, "none down to -2,147,483,648"),
        (NAME, "none up to 1,000,000"),
        (EMPTY, "none down to 0"),
    ],
)
def test_where_there_is_no_line_the_horizon_is_told(span: Span, words: str) -> None:
    found, tried = searched(span, lambda _: True)
    assert (found.observed, found.words) == (None, words)
    assert tried[-1] == span.horizon
    assert len(tried) < 50


def test_a_server_that_breaks_is_told_as_that() -> None:
    found, _ = searched(NAME, lambda value: "taken" if value < 4096 else "other")
    assert (found.observed, found.words) == (4095, "500 with an HTML page from 4,096 on")
    found, _ = searched(SHORTEST, lambda value: "taken" if value > 10 else "other")
    assert (found.observed, found.words) == (11, "500 with an HTML page from 10 down")


def test_a_line_before_the_server_breaks_is_that_line() -> None:
    found, _ = searched(NAME, lambda value: "taken" if value <= 100 else "refused" if value < 9000 else "other")
    assert found.words == "100"


def test_a_body_that_is_refused_as_such_ends_the_search() -> None:
    found, tried = searched(NAME, lambda value: "taken" if value < 300_000 else "too-large")
    assert (found.observed, found.words) == (None, "none up to 266,240 (at 532,480: 413)")
    assert tried[-1] == 532_480


@pytest.mark.parametrize("silent", [64, 65, 532_480])
def test_nothing_more_is_sent_once_there_is_no_answer(silent: int) -> None:
    found, tried = searched(NAME, lambda value: "silent" if value >= silent else "taken")
    assert found.observed is None
    assert "no answer within 20 s" in found.words
    assert tried[-1] == silent


def test_no_answer_while_bisecting_ends_the_search() -> None:
    found, tried = searched(NAME, lambda value: "silent" if 180 < value < 250 else value <= 180)
    assert found.words == "none up to 130 (at 195: no answer within 20 s)"
    assert tried[-1] == 195


@pytest.mark.parametrize(
    ("span", "judge", "words"),
    [
        # An upper bound with a hole just below, and with a value taken just above.
        (NAME, lambda v: v <= 100 and v != 99, "no single line: 98 taken, 99 refused, 100 taken"),
        (NAME, lambda v: v <= 100 or v == 102, "no single line: 100 taken, 101 refused, 102 taken"),
        # The empty value counts as left out, a short one is refused.
        (EMPTY, lambda v: v == 0 or v >= 2, "no single line: 0 taken, 1 refused, 2 taken"),
        (SHORTEST, lambda v: v >= 60 or v == -(2**31), "no single line: -2,147,483,648 taken, 59 refused, 60 taken"),
    ],
)
def test_what_is_no_single_line_is_told_so(span: Span, judge: Callable[[int], bool], words: str) -> None:
    found, _ = searched(span, judge)
    assert (found.observed, found.words) == (None, words)


def test_what_breaks_beside_the_line_is_told_in_its_words() -> None:
    found, _ = searched(NAME, lambda value: "other" if value == 99 else value <= 100)
    assert found.words == "no single line: 98 taken, 99 500 with an HTML page, 100 taken"


def test_a_target_that_takes_nothing() -> None:
    found, tried = searched(NAME, lambda _: False)
    assert (found.observed, found.words) == (None, "none taken from 64 to 2: 400 ValidationError")
    assert tried[-1] == 2


def test_nothing_is_tried_further_in_where_that_tells_nothing() -> None:
    found, tried = searched(Span(2048, 1_000_000, 2048), lambda _: False)
    assert found.words == "cannot be told: 400 ValidationError, at 2,048 already"
    assert tried == [2048]


def test_a_fixed_length_has_a_line_on_each_side() -> None:
    for span in (Span(6, 0, 6), Span(6, 1_000_000, 6)):
        found, _ = searched(span, lambda value: value == 6)
        assert found.words == "6, as documented"


def test_values_that_meet_the_next_refusal_throughout_are_told_with_it() -> None:
    async def ask(_: int) -> Look:
        return Look("taken", "400 InvalidIdentityToken")

    line, _ = asyncio.run(follow(Span(20_000, 1_000_000, 4), ask))
    assert line.words == "none up to 1,000,000 (400 InvalidIdentityToken throughout)"


# Answers

GRANTED = b"<AssumeRoleResponse/>"
HTML = b"<!DOCTYPE html><html><body>oh no</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (200, GRANTED, "taken", "200"),
        (400, error("ValidationError", "1 validation error: hunter2").encode(), "refused", "400 ValidationError"),
        (403, error("AccessDenied", None).encode(), "taken", "403 AccessDenied"),
        (500, error("InternalFailure", None).encode(), "other", "500 InternalFailure"),
        (500, HTML, "other", "500 with an HTML page"),
        (400, HTML, "other", "400 with an HTML page"),
        (200, b"", "other", "200 without a body"),
        (200, b"<ErrorResponse/>", "other", "200 <ErrorResponse>"),
        (413, HTML, "too-large", "413"),
        (413, error("RequestEntityTooLarge", None).encode(), "too-large", "413"),
    ],
)
def test_what_becomes_of_a_value(status: int, body: bytes, kind: str, words: str) -> None:
    look = look_at(Answer(status, (), body), frozenset({(403, "AccessDenied")}))
    assert (look.kind, look.words) == (kind, words)


# What is looked for


def bound(name: str, trait: str) -> Bound:
    operation, _, parameter = name.partition(".")
    return next(b for b in bounds() if (b.leaf.operation, b.name, b.trait) == (operation, parameter, trait))


def test_every_bound_of_an_input_member_is_known() -> None:
    contract = load()
    known = {f"{each.leaf.prefix}.{each.rule_trait}" for each in bounds()}
    assert known <= set(contract.rules)
    traits = ("min", "max", "length", "min-length", "max-length", "min-items", "max-items")
    for rule in contract.rules.values():
        if rule.theme == "constraint" and rule.id.rpartition(".")[2] in traits:
            # A lower bound of 0 characters cannot be broken.
            assert rule.id in known or rule.id == "data-type.tag.value.min-length", rule.id


def test_each_bound_has_a_place_to_look_outside_of_it() -> None:
    for each in bounds():
        span = each.span(policies=11)
        assert span.horizon != span.documented, each
        assert each.is_upper == (span.outward > 0), each
        assert each.case(span.documented).request != each.case(next(strides(span.documented, span.horizon))).request


def test_further_in_is_looked_only_where_a_refusal_there_tells_something() -> None:
    assert bound("AssumeRole.RoleArn", "max-length").span(11).inner == 2048  # no such role, whatever its length
    assert bound("AssumeRole.RoleSessionName", "max-length").span(11).inner == 2
    assert bound("AssumeRole.RoleSessionName", "min-length").span(11).inner == 64


def test_the_value_has_the_size() -> None:
    def given(name: str, trait: str, size: int) -> dict[str, str | None]:
        return dict(bound(name, trait).case(size).request.parameters)

    assert given("AssumeRole.DurationSeconds", "max", 77)["DurationSeconds"] == "77"
    assert given("AssumeRole.RoleSessionName", "max-length", 77)["RoleSessionName"] == "a" * 77
    assert given("AssumeRole.Tags", "max-items", 77)["Tags.member.77.Key"] == "k77"
    assert "Tags.member.78.Key" not in given("AssumeRole.Tags", "max-items", 77)
    keys = given("AssumeRole.TransitiveTagKeys", "max-length", 77)
    assert keys["TransitiveTagKeys.member.1"] == keys["Tags.member.1.Key"] == "a" * 77
    none = given("AssumeRole.ProvidedContexts", "min-items", 0)
    assert none["ProvidedContexts"] == ""
    assert not any(name.startswith("ProvidedContexts.member") for name in none)


def test_a_federated_request_is_one_that_can_be_granted() -> None:
    case = bound("AssumeRoleWithWebIdentity.RoleSessionName", "max-length").case(65)
    assert dict(case.request.parameters)["WebIdentityToken"] == "${web-identity-token}"
    assert case.fixtures
    assert [recipe.name for recipe in case.recipes] == ["web-identity-token"]


def test_broken_bounds_are_those_of_the_cases_and_their_operation() -> None:
    results = [
        make_case("assume-role.duration-seconds.max/43201", verdict="deviates"),
        make_case("assume-role.duration-seconds.min/899"),
        make_case("assume-role.token-code.length/7", verdict="known-deviation"),
        make_case("data-type.tag.key.max-length/get-federation-token.tags.129", verdict="deviates"),
        make_case("assume-role.role-session-name.max-length/65", verdict="unsupported"),
    ]
    names = [f"{each.leaf.operation}.{each.name} {each.trait}" for each in chosen(results, every=False)]
    assert names == [
        "AssumeRole.DurationSeconds max",
        "AssumeRole.TokenCode min-length",
        "AssumeRole.TokenCode max-length",
        "GetFederationToken.Tags.Key max-length",
    ]
    assert len(chosen(results, every=True)) == len(names) + 2
    assert chosen([], every=True) == []


def test_a_refusal_that_a_violation_may_meet_is_no_sign_of_a_good_value() -> None:
    followed = bound("AssumeRole.ProvidedContexts", "max-items").following()
    assert (403, "AccessDenied") in followed
    assert (400, "ValidationError") not in followed
    assert bound("AssumeRole.RoleSessionName", "max-length").following() == frozenset()
    assert bound("AssumeRole.Policy", "min-length").following() >= {(400, "MalformedPolicyDocument")}
    assert (403, "AccessDenied") in bound("AssumeRole.TokenCode", "max-length").following()


# On AWS


class Taker:
    """A client that grants everything and remembers what it was sent."""

    def __init__(self, *refusals: tuple[int, str]) -> None:
        self.sent: list[Prepared] = []
        self._refusals = list(refusals)

    async def send(self, prepared: Prepared) -> Exchange:
        self.sent.append(prepared)
        if self._refusals:
            status, code = self._refusals.pop()
            return Exchange(prepared, Answer(status, (), error(code, None).encode()))
        return Exchange(prepared, Answer(200, (), GRANTED))


def on_aws(client: Taker, wanted: Bound) -> Edge:
    keys = Credentials("AKIAEXAMPLEEXAMPLE00", "secret" * 7, None)
    endpoint = parse_endpoint("https://sts.us-east-1.amazonaws.com")
    target = Target(name="aws", endpoint=endpoint, iam_endpoint=None, region="us-east-1", credentials=keys)
    estate = Estate(callers={"user": keys}, values={"role-arn": "arn:aws:iam::123456789012:role/r"}, has={"role"})
    parts: Any = (target, estate, None, Redactor(), client)
    (edge,) = asyncio.run(Edges(*parts).found([wanted]))
    return edge


def test_on_aws_every_request_is_restrained() -> None:
    client = Taker()
    assert on_aws(client, bound("AssumeRole.RoleSessionName", "min-length")).found == "none down to 0"
    assert len(client.sent) == 4
    for prepared in client.sent:
        assert b"DurationSeconds=900" in prepared.body
        assert b"%22Effect%22%3A%22Deny%22" in prepared.body


def test_a_throttled_request_is_sent_again() -> None:
    client = Taker((400, "Throttling"))
    edge = on_aws(client, bound("AssumeRole.RoleSessionName", "min-length"))
    assert (edge.found, edge.requests) == ("none down to 0", 3)
    assert len(client.sent) == 5


def test_what_is_not_granted_when_all_is_good_is_left_out() -> None:
    client = Taker((403, "AccessDenied"))
    edge = on_aws(client, bound("AssumeRole.RoleSessionName", "min-length"))
    assert edge.reason == "AssumeRole is not granted here: 403 AccessDenied"
    assert (edge.observed, edge.found, edge.requests) == (None, "", 0)
    assert len(client.sent) == 1


def test_what_the_run_does_not_have_is_told() -> None:
    client = Taker()
    assert "needs" in on_aws(client, bound("GetFederationToken.Name", "max-length")).reason
    assert "managed policies" in on_aws(client, bound("AssumeRole.PolicyArns", "max-items")).reason
    assert client.sent == []


# Runs

MOST = 1_000_000


def lax(request: Received) -> Refusal | None:
    """Take DurationSeconds from 1 to a million."""
    text = request.parameters.get("DurationSeconds")
    wrong = text is not None and not (text.lstrip("-").isdigit() and 1 <= int(text) <= MOST)
    return (400, "ValidationError", None) if wrong else None


def edged(stub: Stub, report: Path, *arguments: str) -> Ran:
    return run(report, f"--target={stub.url}", "-q", "--tb=no", *arguments)


def edges_of(ran: Ran) -> dict[str, Edge]:
    return {f"{each.operation}.{each.member} {each.trait}": each for each in ran.results.edges}


def test_a_run_tells_where_the_lines_are(tmp_path: Path) -> None:
    with Stub(Manner(refuse=lax, strict=False)) as stub:
        ran = edged(stub, tmp_path, "--edges", "-k", "assume-role.duration-seconds")
    found = edges_of(ran)
    low, high = found["AssumeRole.DurationSeconds min"], found["AssumeRole.DurationSeconds max"]
    assert len(found) == 2
    assert (low.documented, low.observed, low.rule) == (900, 1, "assume-role.duration-seconds.min")
    assert (high.documented, high.observed, high.rule) == (43_200, MOST, "assume-role.duration-seconds.max")
    assert low.requests + high.requests < 60
    assert ran.results.complete
    assert ran.status == pytest.ExitCode.TESTS_FAILED
    table = re.sub(" +", " ", ran.output)
    assert f" DurationSeconds min 900 1 {low.requests}\n" in table
    assert f" DurationSeconds max 43,200 1,000,000 {high.requests}\n" in table
    assert "Observed edges" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_requests_that_are_told_are_those_that_were_sent(tmp_path: Path) -> None:
    with Stub(Manner(refuse=lax, strict=False)) as stub:
        edged(stub, tmp_path / "without", "-k", "assume-role.duration-seconds")
        before = len(stub.received)
        ran = edged(stub, tmp_path / "with", "--edges", "-k", "assume-role.duration-seconds")
        more = len(stub.received) - 2 * before
    assert more == sum(each.requests for each in ran.results.edges) + 1  # the plain request


def test_without_the_option_nothing_is_looked_for(tmp_path: Path) -> None:
    with Stub(Manner(refuse=lax, strict=False)) as stub:
        ran = edged(stub, tmp_path, "-k", "assume-role.duration-seconds")
    assert ran.results.edges == ()
    assert "Observed edges" not in ran.output


def test_all_bounds_that_the_run_has_cases_of(tmp_path: Path) -> None:
    with Stub() as stub:
        ran = edged(stub, tmp_path, "--edges=all", "-k", "get-session-token.duration or assume-root.duration")
    found = edges_of(ran)
    assert {name: each.found for name, each in found.items() if not each.reason} == {
        "GetSessionToken.DurationSeconds min": "900, as documented",
        "GetSessionToken.DurationSeconds max": "129,600, as documented",
    }
    assert found["AssumeRoot.DurationSeconds max"].reason == "AssumeRoot does not exist at this target"
    assert "Not looked for, 2 bounds: AssumeRoot does not exist at this target" in ran.output


def test_a_server_that_breaks_and_one_that_takes_no_long_body(tmp_path: Path) -> None:
    def answer(request: Received) -> bytes | None:
        if len(request.body) > 50_000:
            return http(413, "too much")
        if len(request.parameters.get("RoleSessionName", "")) >= 4096:
            return http(500, "<!DOCTYPE html><html>Traceback</html>", {"content-type": "text/html"})
        return None

    with Stub(Manner(answer=answer)) as stub:
        ran = edged(stub, tmp_path, "--edges", "-k", "assume-role.role-session-name or assume-role.external-id")
    found = edges_of(ran)
    assert found["AssumeRole.RoleSessionName max-length"].found == "500 with an HTML page from 4,096 on"
    assert found["AssumeRole.RoleSessionName max-length"].observed == 4095
    assert re.fullmatch(r"none up to [\d,]+ \(at [\d,]+: 413\)", found["AssumeRole.ExternalId max-length"].found)
    assert found["AssumeRole.ExternalId min-length"].found == "none down to 0"


def test_a_secret_in_an_answer_is_redacted(tmp_path: Path) -> None:
    """One that only this search was given: the values of one bound are sent one after the other."""

    def breaking(request: Received) -> bytes | None:
        if lax(request) is None or not stub.minted:
            return None
        text = request.parameters["DurationSeconds"]
        searching = text.isdigit() and MOST < int(text) < 2**31 - 1  # no case sends these
        return http(500, error(stub.minted[-1 if searching else 0].secret, None))

    with Stub(Manner(answer=breaking, strict=False)) as stub:
        ran = edged(stub, tmp_path, "--edges", "-k", "assume-role.duration-seconds.max/43201")
        secrets = [minted.secret for minted in stub.minted]
    written = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    text = "".join((ran.output, *written))
    assert "1,000,001 on" in text
    assert not [secret for secret in secrets if secret in text or secret[:20] in text]


def test_ctrl_c_while_looking_keeps_the_verdicts_and_leaves_nothing_behind(tmp_path: Path) -> None:
    looking = threading.Event()

    def answer(request: Received) -> bytes | None:
        if request.parameters.get("DurationSeconds") == "86402":  # twice what no case sends
            looking.set()
            stub.ended.wait(20)
        return None

    with Stub(Manner(refuse=lax, strict=False, answer=answer)) as stub:
        target = f"--target={stub.url}"
        under_way = Run(tmp_path, target, "-q", "--tb=no", "--edges", "-k", "assume-role.duration-seconds")
        assert looking.wait(20)
        time.sleep(0.2)  # until the run waits for the answer
        under_way.interrupt()
        ran = under_way.wait(30)
        assert undone(stub) == set()
    assert ran.status == pytest.ExitCode.INTERRUPTED
    assert ran.verdicts["assume-role.duration-seconds.max/43201"] == "deviates"
    assert not ran.results.complete
    assert "Traceback" not in ran.output


def test_after_x_nothing_is_looked_for(tmp_path: Path) -> None:
    with Stub(Manner(refuse=lax, strict=False)) as stub:
        ran = edged(stub, tmp_path, "--edges", "-x", "-k", "assume-role.duration-seconds")
    assert ran.results.edges == ()
    assert ran.results.cases
