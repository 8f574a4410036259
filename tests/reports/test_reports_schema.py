"""The published JSON Schema is that of the model, and a written file keeps it."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.__main__ import main
from reports.schema import SCHEMA_FILE, SCHEMA_ID, schema_text, write_schema
from reports.writer import ResultsWriter
from tests.reports.synthetic import make_results


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


def test_the_file_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m reports schema"


def test_the_schema_is_sound(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == SCHEMA_ID


@pytest.mark.parametrize("finished", [True, False])
def test_a_written_file_keeps_the_schema(schema: dict[str, Any], tmp_path: Path, finished: bool) -> None:
    results = make_results(60)
    path = tmp_path / "results.json"
    with closing(ResultsWriter(path, results.run, results.rules, results.unsupported, results.kill_table)) as writer:
        for case in results.cases:
            writer.add(case)
        if finished:
            writer.finish(results.gone, results.edges)
    Draft202012Validator(schema).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize(("field", "value"), [("format", "other/1"), ("cases", {}), ("extra", 1)])
def test_another_file_does_not(schema: dict[str, Any], field: str, value: object) -> None:
    document = make_results(2).model_dump(mode="json") | {field: value}
    assert not Draft202012Validator(schema).is_valid(document)


def test_the_schema_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_command_writes_the_schema(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("reports.__main__.write_schema", lambda: calls.append("written"))
    assert main(["schema"]) == 0
    assert calls == ["written"]
    assert capsys.readouterr().out.strip().endswith("results.schema.json")
