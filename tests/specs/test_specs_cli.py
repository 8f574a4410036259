"""`python -m specs`: what it prints, and that a mistake is one line and a status."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from specs import contract, drift, facts, loader, schemas
from specs.__main__ import main

ROOT = Path(__file__).parents[2]


def test_check_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    whole = contract.load()
    assert lines["operations"] == str(len(whole.operations))
    assert lines["rules"].startswith(f"{len(whole.rules)},")
    assert lines["refusals"] == str(len(whole.refusals))
    listed = sum(len(entry.statements) for entry in whole.coverage.not_covered)
    covered = len(contract.ledger_ids()) - listed
    assert lines["ledger"] == f"{covered} statements covered, {listed} listed with a reason"
    assert lines["contract"] == whole.hash


def test_it_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "specs", "check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("operations")


def fails(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_a_mistake_in_a_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> contract.Contract:
        raise loader.SpecError("x.yaml:3: found this, expected that")

    monkeypatch.setattr(contract, "load", broken)
    assert fails(capsys, ["check"]) == "error: x.yaml:3: found this, expected that\n"


def test_a_statement_that_nothing_accounts_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contract.load()
    coverage = whole.coverage.model_copy(update={"not_covered": ()})
    monkeypatch.setattr(contract, "load", lambda: dataclasses.replace(whole, coverage=coverage))
    assert "is neither covered by a rule nor listed (and " in fails(capsys, ["check"])


def test_a_new_difference_to_the_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = drift.installed_model()
    changed = {**model, "metadata": {**model["metadata"], "apiVersion": "2030-01-01"}}
    monkeypatch.setattr(drift, "installed_model", lambda: changed)
    assert "service.api-version: the contract says 2011-06-15, the model 2030-01-01" in fails(
        capsys, ["check"]
    )


def test_evidence_that_does_not_exist(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specs.completeness.observations", dict)
    assert "expected an id of observed.yaml" in fails(capsys, ["check"])


def test_schema_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(schemas.write, "__defaults__", (tmp_path,))
    assert main(["schema"]) == 0
    assert capsys.readouterr().out.count("wrote ") == len(schemas.MODELS)
    assert len(list(tmp_path.iterdir())) == len(schemas.MODELS)


def test_evidence_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, target = tmp_path / "facts", tmp_path / "evidence"
    source.mkdir()
    target.mkdir()
    for name in ("ledger.yaml", "observed.yaml"):
        (source / name).write_text("[]\n", encoding="utf-8")
    monkeypatch.setattr(facts.write, "__defaults__", (target,))
    assert main(["evidence", str(source)]) == 0
    assert capsys.readouterr().out == "wrote ledger.json\nwrote observed.yaml\n"


def test_no_such_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert fails(capsys, ["evidence", str(tmp_path / "none")]).endswith("ledger.yaml: no such file\n")


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["check", "--what"], ["evidence"]])
def test_misuse_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
