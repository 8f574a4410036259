"""What the tool does not do yet, each with a test that shows it. Fixed ones move to the file of their subject."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from generators.expectation import fill
from specs.model import Signing
from targets.credentials import Redactor
from tests.generators.test_generators_cases import CASES, broken
from tests.servers import Manner, Received, Run, Stub, error, http, run, undone, until
from tests.suites.test_suites_secrets import traces
from tests.targets.test_targets_wire import PLAIN, faults, sent

if TYPE_CHECKING:
    from pathlib import Path


def test_a_message_that_is_cut_holds_no_part_of_a_secret(tmp_path: Path) -> None:
    """`describe` shortens messages, codes and locations before the redactor sees them: it knows whole secrets."""

    def tell(request: Received) -> bytes | None:
        if request.action == "GetAccessKeyInfo" and stub.minted:
            return http(400, error("Wrong", f"not allowed for {stub.minted[1].token}"))
        return None

    with Stub(Manner(answer=tell)) as stub:
        ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", "get-access-key-info.returns-account")
        told = [minted.token for minted in stub.minted]
    assert any("not allowed for" in case.received for case in ran.results.cases)
    assert not traces((tmp_path / "results.json").read_text(encoding="utf-8"), told)
    assert not traces(ran.output, told)


def test_boto3_given_no_xml_is_a_deviation(tmp_path: Path) -> None:
    """botocore's ResponseParserError is no BotoCoreError: `targets.sdk` lets it through as a fault of the suite."""

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


def test_a_report_folder_that_is_a_file_is_found_out_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with Stub() as stub:
        run(tmp_path / "taken", f"--target={stub.url}", "-q", "-k", "sdk")
    assert stub.connections == 0


@pytest.fixture(scope="module", params=["CreateUser", "CreatePolicy"])
def interrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    def wait(received: Received) -> bytes | None:
        if received.action == request.param:
            stub.ended.wait(0.5)
        return None

    with Stub(Manner(answer=wait)) as stub:
        under_way = Run(tmp_path_factory.mktemp("report"), f"--target={stub.url}", "--in-flight=2", "-q")
        until(lambda: any(r.action == request.param for r in stub.received))
        time.sleep(0.1)
        under_way.interrupt()
        assert under_way.wait(30).status == pytest.ExitCode.INTERRUPTED
        until(lambda: not stub.concurrent)
        return undone(stub)


def test_ctrl_c_while_provisioning_leaves_nothing(interrupted: set[str]) -> None:
    """The task that `run_until_complete` was running goes on, and makes things, while `clean_up` removes them."""
    assert not interrupted


def test_a_run_that_was_broken_off_is_not_called_complete(tmp_path: Path) -> None:
    with Stub(Manner(delay=0.02)) as stub:
        under_way = Run(tmp_path, f"--target={stub.url}", "--in-flight=2", "-q")
        until(lambda: len(stub.received) > 150)
        under_way.interrupt()
        ran = under_way.wait(30)
    assert 0 < len(ran.results.cases) < 1000
    assert not ran.results.complete


def test_cleaning_up_does_not_wait_for_every_answer_of_an_endpoint_that_hangs(tmp_path: Path) -> None:
    """Fifteen steps, each with its own time-out: five minutes at the default of 20 s."""
    with Stub(Manner(hangs_after=60)) as stub:
        limits = ("--timeout=0.5", "--in-flight=8")
        ran = run(tmp_path, f"--target={stub.url}", *limits, "-q", "-k", "get-access-key-info")
    assert ran.results.complete
    assert ran.seconds < 8


def test_cases_of_several_violations_break_two_members() -> None:
    """In `constraints._pair` what the second member needs along puts right what the first one broke."""
    several = [case for case in CASES if case.rule == "common.error.several-violations" and "-and-" in case.id]
    assert len(several) > 50
    assert [case.id for case in several if len({entry[0] for entry in broken(case)}) != 2] == []


def test_a_date_of_another_format_is_all_that_is_wrong_with_its_request() -> None:
    """`targets.wire` puts the extended form in after it has signed the basic one: the signature is wrong, too."""
    assert faults(sent(replace(PLAIN, signing=Signing(alter="date-format"))).to_bytes()) == {"date"}


@pytest.mark.parametrize(
    "text",
    ["<SessionToken>" + " " * 2_000, "<SessionToken>" + "x " * 1_000, "<SecretAccessKey" * 20_000],
    ids=["spaces", "words", "no end"],
)
def test_learning_from_a_hostile_answer_is_soon_done(text: str) -> None:
    r"""`\s*([^<]+?)\s*<` is cubic in blanks: 2 kB take 4 s, and a body may have 1 MiB. No time-out ends it."""
    begun = time.perf_counter()
    Redactor().learn(text)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("letter", ["1", " ", "a", "/", "1 %", "<"])
def test_judging_a_hostile_answer_is_soon_done(letter: str) -> None:
    r"""Checks match whole texts: `.*\d+ ?%.*` on digits is quadratic, an hour and more for 1 MiB."""
    text = letter * 20_000
    slow = []
    for check in {check for case in CASES for check in case.expectation.checks}:
        pattern = check.message or check.matches or check.header_matches or check.layout
        if pattern is None or "validation error" in pattern:
            continue
        begun = time.perf_counter()
        re.compile(fill(pattern, Defaults(), escape=True), re.DOTALL).fullmatch(text)
        if time.perf_counter() - begun > 0.5:
            slow.append(pattern)
    assert slow == []


class Defaults(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key
