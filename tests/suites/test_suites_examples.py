"""The options of properties and of edges: what they do, what they say, and that contradictions are one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import Listener, Preloaded, Ran, Stub, run
from tests.suites.test_suites_mistakes import complaint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROPERTY = "get-session-token.property.by-get"


@pytest.fixture(scope="module")
def runs() -> Iterator[Preloaded]:
    preloaded = Preloaded()
    yield preloaded
    preloaded.close()


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub() as server:
        yield server


def tried(runs: Preloaded, stub: Stub, folder: Path, *arguments: str) -> Ran:
    return runs.run(folder, f"--target={stub.url}", "-q", "-k", PROPERTY, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--random", "--hypothesis-seed=7"), "--random and --hypothesis-seed: "),
        (("--hypothesis-seed=chance",), "--hypothesis-seed chance: expected a whole number from 0 to 4294967295"),
        (("--hypothesis-seed=-1",), "--hypothesis-seed -1: expected a whole number from 0"),
        (("--hypothesis-seed=4294967296",), "--hypothesis-seed 4294967296: expected"),
        (("--examples=-1",), "--examples -1: expected a whole number from 0 to 1000000"),
        (("--examples=few",), "--examples few: expected a whole number"),
        (("--edges=some",), "--edges some: expected --edges=all, or --edges with"),
        (("--edges", "suites/test_sdk.py"), "--edges suites/test_sdk.py: expected --edges=all, or --edges with"),
        (("--edges", "-n", "2"), "--edges and -n: "),
        (("--edges=all", "-n", "2"), "--edges and -n: "),
        (("--edges", "--plan=-"), "--plan sends nothing, so --edges"),
    ],
)
def test_what_cannot_be_is_one_line(runs: Preloaded, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    with Listener() as nobody:
        line = complaint(runs.run(tmp_path, f"--target={nobody.url}", *arguments))
        assert nobody.connections == 0
    assert words in line


def test_examples_and_seed_are_told(runs: Preloaded, stub: Stub, tmp_path: Path) -> None:
    ran = tried(runs, stub, tmp_path, "--examples=12", "--hypothesis-seed=7")
    assert (ran.results.run.examples, ran.results.run.seed) == (12, 7)
    (case,) = ran.results.cases
    assert 1 <= case.examples <= 12
    assert "Properties: up to 12 examples each, Hypothesis seed 7\n" in ran.output
    page = (ran.report / "index.html").read_text(encoding="utf-8")
    assert "<dt>properties</dt><dd>up to 12 examples each, Hypothesis seed 7</dd>" in page


def test_the_defaults(runs: Preloaded, stub: Stub, tmp_path: Path) -> None:
    ran = tried(runs, stub, tmp_path)
    assert "Properties: up to 30 examples each, Hypothesis seed 2011\n" in ran.output


def bodies(runs: Preloaded, folder: Path, *arguments: str) -> tuple[set[bytes], Ran]:
    """Run, and return what was asked of GetSessionToken."""
    with Stub() as own:
        ran = tried(runs, own, folder, *arguments)
        return {each.body for each in own.received if each.action == "GetSessionToken"}, ran


def test_the_same_seed_makes_the_same_examples_and_chance_makes_others(runs: Preloaded, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    first, _ = bodies(runs, folders[0], "--hypothesis-seed=5")
    again, _ = bodies(runs, folders[1], "--hypothesis-seed=5")
    other, ran = bodies(runs, folders[2], "--random")
    assert len(first) > 5
    assert first == again
    assert first != other
    seed = ran.results.run.seed
    assert seed != 2011
    assert f"Hypothesis seed {seed}\n" in ran.output
    repeated, _ = bodies(runs, folders[3], f"--hypothesis-seed={seed}")
    assert repeated == other


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_no_examples_leave_properties_out(stub: Stub, tmp_path: Path, workers: tuple[str, ...]) -> None:
    ran = run(tmp_path, f"--target={stub.url}", "-q", "-k", PROPERTY, "--examples=0", *workers)
    (case,) = ran.results.cases
    assert (case.verdict, case.reason) == ("untestable", "needs examples of requests: give --examples above 0")
    assert ran.results.run.examples == 0
    assert "Properties: left out\n" in ran.output
    assert ran.status == pytest.ExitCode.OK


def test_workers_make_as_many_examples(stub: Stub, tmp_path: Path) -> None:
    arguments = ("-q", "-k", PROPERTY, "--examples=3", "--hypothesis-seed=9", "-n", "2")
    (case,) = run(tmp_path, f"--target={stub.url}", *arguments).results.cases
    assert 1 <= case.examples <= 3


@pytest.mark.parametrize("seed", [(), ("--hypothesis-seed=9",)])
def test_hypothesis_own_plug_in_does_no_harm(stub: Stub, tmp_path: Path, seed: tuple[str, ...]) -> None:
    arguments = ("-o", "addopts=", "-p", "hypothesispytest", "-q", "-k", PROPERTY, *seed)
    ran = run(tmp_path, f"--target={stub.url}", *arguments)
    (case,) = ran.results.cases
    assert case.examples >= 1
    assert ran.results.run.seed == (9 if seed else 2011)
    assert "hypothesis profile" not in ran.output
    assert "INTERNALERROR" not in ran.output
