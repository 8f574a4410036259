"""The command line: what each verb writes, its exit status, one line for each mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.badge import render_badge
from reports.compare import render_diff, render_matrix
from reports.diff import compare
from reports.markdown import render_diff_markdown, render_markdown
from reports.model import Results, Verdict
from reports.writer import to_json
from tests.reports.synthetic import make_case, make_results, make_rule, make_run

ROOT = Path(__file__).parents[2]
RULE = "assume-role.duration-seconds.min"
Captured = pytest.CaptureFixture[str]


def results_of(verdict: Verdict, level: str = "must") -> Results:
    case = make_case(f"{RULE}/899", verdict=verdict, level=level)
    return Results(run=make_run(), rules=(make_rule(level=level),), cases=(case,), complete=True)


def saved(folder: Path, name: str, results: Results) -> str:
    path = folder / name
    path.write_text(to_json(results), encoding="utf-8")
    return str(path)


@pytest.fixture
def good(tmp_path: Path) -> str:
    return saved(tmp_path, "good.json", results_of("conforms"))


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return saved(tmp_path, "bad.json", results_of("deviates"))


def test_matrix_writes_the_page(tmp_path: Path, good: str, bad: str, capsys: Captured) -> None:
    assert main(["matrix", good, bad, "-o", str(tmp_path / "out")]) == 0
    page = tmp_path / "out" / "index.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8") == render_matrix([results_of("conforms"), results_of("deviates")])


def test_diff_tells_regressions_by_its_status(good: str, bad: str, capsys: Captured) -> None:
    assert main(["diff", good, bad]) == 1
    assert capsys.readouterr().out.endswith("1 regression at the levels that decide (must and should).\n")
    assert main(["diff", bad, good]) == 0
    assert main(["diff", bad, bad]) == 0
    assert main(["diff", good, bad, "--fail-on=should,exact"]) == 0
    assert main(["diff", good, bad, "--fail-on="]) == 0
    assert main(["diff", good, bad, "--fail-on", "exact, must"]) == 1


def test_diff_does_not_fail_for_what_the_baseline_lists(tmp_path: Path, good: str) -> None:
    assert main(["diff", good, saved(tmp_path, "known.json", results_of("known-deviation"))]) == 0


def test_diff_takes_the_levels_that_decided_the_newer_run(tmp_path: Path) -> None:
    old = saved(tmp_path, "old.json", results_of("conforms", "exact"))
    new = results_of("deviates", "exact")
    assert main(["diff", old, saved(tmp_path, "new.json", new)]) == 0
    decides = new.model_copy(update={"run": make_run(fail_on=("exact",))})
    assert main(["diff", old, saved(tmp_path, "new.json", decides)]) == 1


def test_diff_writes_markdown_and_a_page(tmp_path: Path, good: str, bad: str, capsys: Captured) -> None:
    assert main(["diff", good, bad, "--markdown", "-o", str(tmp_path / "out")]) == 1
    comparison = compare(results_of("conforms"), results_of("deviates"))
    said = capsys.readouterr()
    assert said.out == render_diff_markdown(comparison)
    assert said.err == f"{tmp_path / 'out' / 'index.html'}\n"
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8") == render_diff(comparison)


def test_markdown_is_printed(bad: str, capsys: Captured) -> None:
    assert main(["markdown", bad, "--page=https://ci.test/index.html"]) == 0
    said = capsys.readouterr().out
    assert said == render_markdown(results_of("deviates"), "https://ci.test/index.html")
    assert f"(https://ci.test/index.html#{RULE})" in said


def test_badge_writes_the_file(tmp_path: Path, bad: str, capsys: Captured) -> None:
    badge = tmp_path / "new" / "badge.svg"
    assert main(["badge", bad, "-o", str(badge), "--level=must"]) == 0
    assert capsys.readouterr().out == f"{badge}\n"
    assert badge.read_text(encoding="utf-8") == render_badge(results_of("deviates"))


VERBS = (["matrix"], ["diff", "GOOD"], ["markdown"], ["badge"], ["html"])


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b'{"format": "another"}'])
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, good: str, verb: list[str], content: bytes | None, capsys: Captured
) -> None:
    source = tmp_path / "results\x1b[2J.json"
    if content is not None:
        source.write_bytes(content)
    assert main([*(good if word == "GOOD" else word for word in verb), str(source)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "results\\x1b[2J.json: " in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["nonsense"], "nonsense"),
        (["matrix"], "RESULTS.json"),
        (["diff", "one.json"], "NEW.json"),
        (["diff", "a", "b", "--fail-on=most"], "found 'most', expected a list of must, should, exact"),
        (["diff", "a", "b", "--fail-on=\x1b[2J"], "\\x1b[2J"),
        (["badge", "a", "--level=most"], "most"),
        (["markdown", "a", "--no-such-option"], "--no-such-option"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], words: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.strip().isprintable()
    assert words in said.err


@pytest.mark.parametrize("verb", ["matrix", "diff", "badge", "html"])
def test_a_place_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, good: str, verb: str, capsys: Captured
) -> None:
    (tmp_path / "file").touch()
    files = [good, good] if verb == "diff" else [good]
    assert main([verb, *files, "-o", str(tmp_path / "file" / "x")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("verb", ["", "html", "matrix", "diff", "markdown", "badge", "schema"])
def test_help_tells_the_exit_statuses(verb: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*([verb] if verb else []), "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "exit status:\n  0  " in said
    assert ("\n  1  " in said) == (verb == "diff")
    assert "\n  2  " in said


def command(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "reports", *arguments], cwd=ROOT, env=os.environ | environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_what_is_printed_is_utf_8_wherever_it_goes(tmp_path: Path) -> None:
    case = make_case(f"{RULE}/899", verdict="deviates", received="Zürich 日本 \udc80")
    source = saved(tmp_path, "r.json", results_of("deviates").model_copy(update={"cases": (case,)}))
    process = command("markdown", source, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert "Zürich 日本 \\udc80" in out.decode()


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    old, new = (make_results(3000, seed=seed) for seed in (1, 2))
    files = saved(tmp_path, "old.json", old), saved(tmp_path, "new.json", new)
    process = command("diff", *files)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert err == b""
    assert process.wait(60) == 1
