"""JSON Schemas of the YAML files, made from the typed models, so that an editor completes and checks them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from specs.model import (
    CoverageFile,
    DataTypesFile,
    DocumentsFile,
    DriftFile,
    OperationSpec,
    PropertiesFile,
    RefusalsFile,
    RulesFile,
    ScenariosFile,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

FOLDER = Path(__file__).parent / "schema"
MODELS: dict[str, type[BaseModel]] = {
    "operation": OperationSpec,
    "data-types": DataTypesFile,
    "refusals": RefusalsFile,
    "documents": DocumentsFile,
    "rules": RulesFile,
    "scenarios": ScenariosFile,
    "properties": PropertiesFile,
    "coverage": CoverageFile,
    "drift": DriftFile,
}


def texts() -> dict[str, str]:
    """Return the text of every schema by file name; the same models give the same bytes."""
    return {f"{name}.json": _text(model) for name, model in MODELS.items()}


def write(folder: Path = FOLDER) -> list[Path]:
    """Write the schemas into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _text(model: type[BaseModel]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
