"""The JSON Schema of results.json, made from the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.model import Results

SCHEMA_ID = "urn:sts-conformance:results:1"
SCHEMA_FILE = Path(__file__).with_name("results.schema.json")


def results_schema() -> dict[str, Any]:
    """Make the JSON Schema of results.json."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return head | Results.model_json_schema()


def schema_text() -> str:
    """Render the schema as the file holds it."""
    return json.dumps(results_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = SCHEMA_FILE) -> None:
    """Write the schema file."""
    path.write_text(schema_text(), encoding="utf-8")
