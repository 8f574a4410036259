"""results.json is whole at every moment, and what is wrong with one is told in a line."""

import itertools
import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from reports.model import CaseResult, GoneDeviation, Results
from reports.writer import ResultsError, ResultsWriter, read_results, to_json
from tests.reports.synthetic import HOSTILE, make_case, make_exchange, make_results, make_row, make_rule, make_run

GONE = GoneDeviation(id="assume-role.duration-seconds.min", reason="was not checked")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "results.json"


def test_the_file_is_whole_after_every_call(path: Path) -> None:
    with closing(ResultsWriter(path, make_run(), [make_rule()], ["AssumeRoot"])) as writer:
        assert whole(path).cases == ()
        assert whole(path).unsupported == ("AssumeRoot",)
        for number in range(5):
            writer.add(make_case(f"assume-role.duration-seconds.min/{number}"))
            results = whole(path)
            assert len(results.cases) == number + 1
            assert not results.complete
        writer.finish([GONE])
    assert whole(path).complete
    assert whole(path).gone == (GONE,)


@pytest.mark.parametrize("gone", [(), (GONE,)])
@pytest.mark.parametrize("cases", [0, 1, 50])
def test_what_was_written_is_read_again(path: Path, cases: int, gone: tuple[GoneDeviation, ...]) -> None:
    results = make_results(cases).model_copy(update={"gone": gone})
    write(path, results)
    assert read_results(path) == results
    assert path.read_bytes().endswith(b"}\n")


def test_a_shorter_run_leaves_nothing_of_the_former(path: Path) -> None:
    write(path, make_results(50))
    short = make_results(1)
    write(path, short)
    assert read_results(path) == short


def test_closing_without_finish_says_cut_off(path: Path) -> None:
    writer = ResultsWriter(path, make_run(), [make_rule()])
    writer.add(make_case())
    writer.close()
    writer.close()
    assert not read_results(path).complete


def test_nothing_is_added_after_the_end(path: Path) -> None:
    writer = ResultsWriter(path, make_run(), [make_rule()])
    writer.finish([])
    with pytest.raises(ValueError, match="closed"):
        writer.add(make_case())
    assert read_results(path).complete


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept(path: Path, text: str) -> None:
    case = make_case(received=text, exchange=make_exchange(body=text))
    with closing(ResultsWriter(path, make_run(command=text), [make_rule(statement=text)])) as writer:
        writer.add(case)
    kept = text.encode("utf-8", "backslashreplace").decode()
    (read,) = read_results(path).cases
    assert read.received == kept
    assert read.exchange is not None
    assert read.exchange.response is not None
    assert read.exchange.response.body == kept
    assert json.loads(path.read_bytes())["run"]["command"] == kept


def test_both_ways_of_dumping_give_the_same() -> None:
    plain, odd = make_case(reason="x"), make_case(reason="\udc80")
    assert to_json(odd) == to_json(plain).replace('"reason":"x"', '"reason":"\\\\udc80"')


def test_a_case_must_be_new_and_of_a_known_rule(path: Path) -> None:
    with closing(ResultsWriter(path, make_run(), [make_rule()])) as writer:
        writer.add(make_case())
        with pytest.raises(ValueError, match="already"):
            writer.add(make_case())
        with pytest.raises(ValueError, match=r"'other\.rule'"):
            writer.add(make_case("other.rule/1"))
    assert len(read_results(path).cases) == 1


RUN_WITHOUT_END = """
import resource, sys
from itertools import count
from reports.writer import ResultsWriter
from tests.reports.synthetic import make_case, make_exchange, make_rule, make_run

if limit := int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
rule = make_rule()
writer = ResultsWriter(sys.argv[1], make_run(), [rule])
for number in count():
    writer.add(make_case(f"{rule.id}/{number}", exchange=make_exchange(number)))
    if number == 99:
        print("started", flush=True)
"""


def test_a_killed_run_leaves_what_it_had(path: Path) -> None:
    for _ in range(5):
        command = [sys.executable, "-c", RUN_WITHOUT_END, str(path), "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        results = read_results(path)
        assert len(results.cases) >= 99
        assert not results.complete


def test_rules_that_cannot_be_written_leave_the_former_results(path: Path) -> None:
    write(path, make_results(3))
    before = path.read_bytes()
    rule = make_rule().model_copy(update={"statement": object()})
    with pytest.warns(UserWarning, match="serializer"), pytest.raises(TypeError):
        ResultsWriter(path, make_run(), [rule])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_too_full_to_begin_leaves_the_former_results(path: Path) -> None:
    write(path, make_results(3))
    before = path.read_bytes()
    command = [sys.executable, "-c", RUN_WITHOUT_END, str(path), "100"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "OSError" in done.stderr
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_case_torn_at_any_byte_costs_no_more_than_its_neighbour(path: Path) -> None:
    writer = ResultsWriter(path, make_run(), [make_rule()])
    states = []
    for number in range(3):
        writer.add(make_case(f"assume-role.duration-seconds.min/{number}", received="é"))
        states.append(path.read_bytes())
    writer.finish([GONE])
    states.append(path.read_bytes())
    for former, (before, after) in enumerate(itertools.pairwise(states)):
        for torn in range(len(before) - 40, len(after)):
            path.write_bytes(after[:torn] + before[torn:])
            assert len(read_results(path).cases) >= former


def test_a_file_broken_elsewhere_is_not_mended(path: Path) -> None:
    write(path, make_results(3))
    path.write_bytes(path.read_bytes().replace(b'"verdict"', b'"verdict', 1))
    assert "Invalid JSON" in complaint(path)


def test_a_full_disk_costs_only_the_last_case(path: Path) -> None:
    command = [sys.executable, "-c", RUN_WITHOUT_END, str(path), "20000"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "OSError" in done.stderr
    assert 5 < len(whole(path).cases) < 20


def test_adding_is_cheap(path: Path) -> None:
    case = make_case(exchange=make_exchange())
    cases = [case.model_copy(update={"id": f"{case.id}/{number}"}) for number in range(2000)]
    with closing(ResultsWriter(path, make_run(), [make_rule()])) as writer:
        best = min(own_cost(writer, cases[start : start + 200]) for start in range(0, 2000, 200))
    assert best < 60e-6


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "EOF"),
        ("[]", "object"),
        ('{"format": "sts-conformance-results/2"}', "the format is 'sts-conformance-results/2'"),
        ('{"format": "\x1b[31m"}', "control character"),
        ('{"format": "\\u001b[31m"}', "'\\x1b[31m'"),
        ("{}", "run: Field required (and 2 more)"),
        (b"\xff", "Invalid"),
    ],
)
def test_a_bad_file_is_told_in_one_line(path: Path, text: str | bytes, wrong: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert wrong in complaint(path)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('"deviates"', '"broken"', "cases.0.verdict"),
        ('"id":"assume-role.duration-seconds.min/899"', '"id":"x","\u202e":1', "\\u202e"),
        ('"rules":["assume-role.duration-seconds.min"]', '"rules":["other"]', "'other'"),
        ('"rules":["assume-role.duration-seconds.min"]', '"rules":[]', "cases.0.rules"),
    ],
)
def test_a_file_that_does_not_fit_the_model_is_refused(path: Path, old: str, new: str, wrong: str) -> None:
    with closing(ResultsWriter(path, make_run(), [make_rule()])) as writer:
        writer.add(make_case(verdict="deviates"))
    text = path.read_text(encoding="utf-8").replace("\n]", "]")  # nor is its last line left out
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert wrong in complaint(path)


def test_ids_that_stand_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="rule id stands twice"):
        Results(run=make_run(), rules=(make_rule(), make_rule()), cases=())
    with pytest.raises(ValueError, match="case id stands twice"):
        Results(run=make_run(), rules=(make_rule(),), cases=(make_case(), make_case()))
    with pytest.raises(ValueError, match="defect stands twice"):
        Results(run=make_run(), rules=(), cases=(), kill_table=(make_row(), make_row()))


def test_a_missing_file_is_told_in_one_line(path: Path) -> None:
    assert "No such file" in complaint(path)


def whole(path: Path) -> Results:
    """Read a file that needs no mending."""
    return Results.model_validate_json(path.read_bytes())


def complaint(path: Path) -> str:
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return message


def own_cost(writer: ResultsWriter, cases: list[CaseResult]) -> float:
    start = time.perf_counter()
    for case in cases:
        case.model_dump_json()
    middle = time.perf_counter()
    for case in cases:
        writer.add(case)
    return (time.perf_counter() - middle - (middle - start)) / len(cases)


def write(path: Path, results: Results) -> None:
    writer = ResultsWriter(path, results.run, results.rules, results.unsupported, results.kill_table)
    for case in results.cases:
        writer.add(case)
    writer.finish(results.gone, results.edges)
