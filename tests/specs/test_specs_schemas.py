"""The published JSON Schemas are those of the models, and every YAML file keeps its own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from specs import contract, loader, schemas

FILES = sorted(contract.ROOT.rglob("*.yaml"))


def schema_of(path: Path) -> dict[str, Any]:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=((?:\.\./)+schema/[a-z-]+\.json)", first)
    assert named, f"{path.name} names no schema in its first line"
    loaded: dict[str, Any] = json.loads((path.parent / named[1]).read_text(encoding="utf-8"))
    return loaded


def test_the_schemas_are_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in schemas.FOLDER.glob("*.json")}
    assert written == schemas.texts(), "run: python -m specs schema"


@pytest.mark.parametrize("name", schemas.MODELS)
def test_a_schema_is_sound(name: str) -> None:
    schema = json.loads(schemas.texts()[f"{name}.json"])
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


def test_there_are_files() -> None:
    assert len(FILES) >= len(contract.OPERATIONS) + len(contract.RULE_FILES)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_file_keeps_its_schema(path: Path) -> None:
    validator = Draft202012Validator(schema_of(path))
    data = loader.plain(path)
    assert [error.message for error in validator.iter_errors(data)] == []
    assert list(validator.iter_errors(data | {"unknown": 1}))
    assert list(validator.iter_errors([]))


def test_a_typo_breaks_the_schema() -> None:
    path = contract.ROOT / "assume-role.yaml"
    data = loader.plain(path)
    data["input"]["RoleArn"]["lenght"] = data["input"]["RoleArn"].pop("length")
    messages = [error.message for error in Draft202012Validator(schema_of(path)).iter_errors(data)]
    assert any("lenght" in message for message in messages)


def test_writing(tmp_path: Path) -> None:
    paths = schemas.write(tmp_path / "new")
    assert sorted(path.name for path in paths) == sorted(schemas.texts())
    assert all(path.read_text(encoding="utf-8") == schemas.texts()[path.name] for path in paths)
