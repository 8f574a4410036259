"""Bad input ends in one line that says what would be right, with exit status 4, before anything is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.servers import Http, Listener, Preloaded, Ran, Received, Stub, http, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[[Path, str], list[str]]

GOOD = "target: stub\nknown-deviations:\n- {reason: why not, cases: [assume-role.duration-seconds.min/899]}\n"
BANNER = re.compile(r"(no tests ran|\d+ deselected) in [\d.]+s")
URL = "{url}"  # stands for that of a server that counts connections


def _file(suffix: str, text: str, option: str, *more: str) -> Make:
    """Return arguments that name a file with this text."""

    def make(folder: Path, url: str) -> list[str]:
        path = folder / f"given{suffix}"
        path.write_text(text.replace(URL, url), encoding="utf-8")
        return [f"{option}={path}", *(argument.replace(URL, url) for argument in more)]

    return make


def _given(*arguments: str) -> Make:
    return lambda _, url: [argument.replace(URL, url) for argument in arguments]


def _target_file(text: str) -> Make:
    return _file(".yaml", text, "--target")


def _baseline(text: str) -> Make:
    return _file(".yaml", text, "--baseline", f"--target={URL}")


# What is wrong: arguments, and what the line must say. '{url}' is a server that must see no connection.
MISTAKES: dict[str, tuple[Make, tuple[str, ...]]] = {
    "unknown target": (_given("--target=mto"), ("'mto' is no target", "aws", "moto", ".yaml")),
    "no host": (_given("--target=http://"), ("names no host", "http://127.0.0.1:4566")),
    "another scheme": (_given("--target=ftp://127.0.0.1:4566"), ("no http or https scheme",)),
    "a port that is no number": (_given("--target=http://127.0.0.1:port"), ("port is none; expected 1 to 65535",)),
    "a region that is a host": (_given("--target=aws", "--region=evil.test/"), ("--region: what was given is no",)),
    "a region with a new line": (_given(f"--target={URL}", "--region=a\r\nb"), ("--region: what was given is no",)),
    "a region that is a host, in a plan": (
        _given("--target=aws", "--region=evil.test/", "--plan=-"), ("--region: what was given is no region",)
    ),
    "a region of another host": (
        _given("--target=https://sts.eu-west-1.amazonaws.com", "--region=us-east-1"), ("expected eu-west-1",)
    ),
    "a host called like AWS's": (_given("--target=https://sts.us-esat.amazonaws.com"), ("like AWS's STS",)),
    "credentials in the URL": (_given("--target=http://AKIA:hunter2hunter2@127.0.0.1:9"), ("holds credentials",)),
    "AWS over plain http": (_given("--target=http://sts.amazonaws.com"), ("AWS over plain http", "https")),
    "a target file that is not there": (
        lambda folder, _: [f"--target={folder / 'none.yaml'}"],
        ("none.yaml: no such file",),
    ),
    "a target file that is not YAML": (_target_file("endpoint: [\n"), ("given.yaml:2: not YAML",)),
    "a mistyped key in a target file": (
        _target_file(f"endpoint: {URL}\nregoin: us-east-1\n"),
        ("given.yaml:2: found the unknown key 'regoin', expected 'region'",),
    ),
    "a wrong type in a target file": (
        _target_file(f"endpoint: {URL}\nprovision: [1]\n"),
        ("given.yaml:2: 'provision'", "found a list, expected a"),
    ),
    "a baseline that is not there": (
        _given(f"--target={URL}", "--baseline=/nowhere/at-all.yaml"),
        ("/nowhere/at-all.yaml: no such file",),
    ),
    "a baseline that is not YAML": (_baseline("target: stub\nknown-deviations: {\n"), ("given.yaml:3: not YAML",)),
    "a mistyped key in a baseline": (
        _baseline(GOOD.replace("reason", "raeson")),
        ("given.yaml:3: found the unknown key 'known-deviations.0.raeson', expected 'reason'",),
    ),
    "a wrong type in a baseline": (
        _baseline("target: stub\nknown-deviations: 7\n"),
        ("given.yaml:2: 'known-deviations': found 7, expected a list",),
    ),
    "a baseline id that no case has": (
        _baseline(GOOD.replace("min/899", "min/898")),
        ("given.yaml:3: found the case id 'assume-role.duration-seconds.min/898', expected one that a case bears",),
    ),
    "a baseline to update without a name": (
        _given(f"--target={URL}", "--update-baseline"),
        ("--update-baseline", "--baseline FILE"),
    ),
    "no baseline to update": (
        _given(f"--target={URL}", "--update-baseline", "--baseline="),
        ("--update-baseline with --baseline ''",),
    ),
    "a plan and a baseline to update": (
        _given(f"--target={URL}", "--plan=-", "--update-baseline"),
        ("--plan", "--update-baseline"),
    ),
    "a plan by two processes": (_given(f"--target={URL}", "--plan=-", "-n", "2"), ("--plan and -n",)),
    "a plan where no file can be": (
        _given(f"--target={URL}", "--plan=/nowhere/plan.json", "-k", "sdk"),
        ("--plan /nowhere/plan.json: No such file or directory",),
    ),
    "an unknown level": (
        _given(f"--target={URL}", "--fail-on=must,shuld"),
        ("--fail-on must,shuld: found 'shuld', expected a list of must, should, exact",),
    ),
    "nothing in flight": (_given(f"--target={URL}", "--in-flight=0"), ("--in-flight 0", "1 to 1024")),
    "no rate": (_given(f"--target={URL}", "--max-rate=0"), ("--max-rate 0", "above 0")),
    "a rate that is no number": (_given(f"--target={URL}", "--max-rate=nan"), ("--max-rate nan", "above 0")),
    "no time": (_given(f"--target={URL}", "--timeout=0"), ("--timeout 0", "above 0")),
    "letters in flight": (
        _given(f"--target={URL}", "--in-flight=abc"),
        ("--in-flight abc: expected a whole number from 1 to 1024",),
    ),
    "a fraction in flight": (_given(f"--target={URL}", "--in-flight=1.5"), ("--in-flight 1.5: expected a whole",)),
    "an empty text in flight": (_given(f"--target={URL}", "--in-flight="), ("--in-flight '': expected a whole",)),
    "more digits in flight than Python reads": (
        _given(f"--target={URL}", f"--in-flight={'9' * 5000}"),
        ("--in-flight 9999", "...: expected a whole number from 1 to 1024"),
    ),
    "a rate in words": (
        _given(f"--target={URL}", "--max-rate=as fast as can be"),
        ("--max-rate 'as fast as can be': expected a number above 0",),
    ),
    "a rate without end": (_given(f"--target={URL}", "--max-rate=1e999"), ("--max-rate 1e999", "above 0")),
    "time with a unit": (
        _given(f"--target={URL}", "--timeout=20s"),
        ("--timeout 20s: expected seconds above 0, up to 3600",),
    ),
    "time in control characters": (_given(f"--target={URL}", "--timeout=\x1b[31m"), ("--timeout '\\x1b[31m'",)),
}


@pytest.fixture(scope="module")
def nobody() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def runs() -> Iterator[Preloaded]:
    preloaded = Preloaded()
    yield preloaded
    preloaded.close()


def complaint(ran: Ran) -> str:
    """Return the one line that a run said, apart from pytest's own banner."""
    lines = [line for line in ran.output.splitlines() if line.strip() and not BANNER.fullmatch(line)]
    assert len(lines) == 1, ran.output
    assert lines[0].startswith("ERROR: ")
    assert len(lines[0]) < 400
    assert re.search(r"[\x00-\x1f\x7f]", lines[0]) is None
    assert ran.status == pytest.ExitCode.USAGE_ERROR
    return lines[0]


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line(what: str, runs: Preloaded, nobody: Listener, tmp_path: Path) -> None:
    make, expected = MISTAKES[what]
    ran = runs.run(tmp_path, "-q", *make(tmp_path, nobody.url))
    line = complaint(ran)
    for words in expected:
        assert words in line
    assert "hunter2" not in line
    assert not (ran.report / "results.json").exists()
    assert nobody.connections == 0


def test_a_closed_port(tmp_path: Path) -> None:
    with Listener() as listener:
        url = listener.url
    line = complaint(run(tmp_path / "report", "-q", f"--target={url}"))
    assert f"{url}: no connection: connection refused; expected an STS that answers there" in line


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            http(200, "<!DOCTYPE html><html><body>It works!</body></html>", {"content-type": "text/html"}),
            "an HTML page",
        ),
        (http(404, "<html><h1>Not Found</h1></html>", {"content-type": "text/html"}), "404 <html>"),
        (http(200, '{"hello": "world"}', {"content-type": "application/json"}), "with JSON"),
        (http(302, "", {"location": "https://example.com/"}), "302 to https://example.com/"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the answer is no HTTP"),
    ],
    ids=["html", "xhtml", "json", "redirect", "ssh"],
)
def test_what_answers_is_no_sts(runs: Preloaded, tmp_path: Path, answer: bytes, words: str) -> None:
    sent: list[Received] = []

    def reply(request: Received) -> bytes | None:
        sent.append(request)
        return answer or None

    with Http(reply) as server:
        line = complaint(runs.run(tmp_path, "-q", f"--target={server.url}"))
    assert line.startswith(f"ERROR: --target: {server.url}: ")
    assert words in line
    assert [request.action for request in sent] == ["GetCallerIdentity"]
    assert not (tmp_path / "report" / "results.json").exists()


def test_a_report_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with Stub() as stub:
        line = complaint(run(tmp_path / "taken", "-q", f"--target={stub.url}", "-k", "sdk"))
    assert f"--report {tmp_path / 'taken'}: " in line
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"
    assert stub.connections == 0
