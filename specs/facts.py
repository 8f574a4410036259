"""The project's facts, cut down to the evidence that the contract cites: ids, places, answers.

`facts/ledger.yaml` lists the testable statements of the documents, `facts/observed.yaml` answers of the
real AWS. Their wording and their sources stay there; here is what rules and reports look up.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from specs import loader
from specs.contract import EVIDENCE
from specs.model import LedgerStatement, Observation

if TYPE_CHECKING:
    from pathlib import Path

# The documents' numbers in the facts, and their keys in documents.yaml.
_DOCUMENTS = {"000": "boto3-0", "001": "boto3-1", "003": "api-reference", "004": "sdk-ruby"}

_OBSERVED_HEAD = """\
# Answers of the real AWS, by id: evidence for expectations. Grade A: recorded by a test against AWS;
# B: an answer pasted in public; C: a claim by the author of an emulator or library. <placeholders> vary.
"""


def texts(facts: Path) -> dict[str, str]:
    """Return the evidence files' text by name; raises SpecError for facts that are not to be read."""
    ledger = [_statement(row, facts / "ledger.yaml") for row in _rows(facts / "ledger.yaml")]
    observed = [_observation(row, facts / "observed.yaml") for row in _rows(facts / "observed.yaml")]
    return {"ledger.json": _ledger_text(ledger), "observed.yaml": _observed_text(observed)}


def write(facts: Path, folder: Path = EVIDENCE) -> list[Path]:
    """Rewrite the evidence files in `folder` from the folder `facts` and return their paths."""
    paths = []
    for name, text in texts(facts).items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = loader.plain(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
        raise loader.SpecError(f"{path}:1: expected a list of mappings, each with an id")
    return rows


def _statement(row: dict[str, Any], path: Path) -> LedgerStatement:
    seed = str(row.get("seed"))[:3]
    if seed not in _DOCUMENTS:
        found, known = f"found the seed {row.get('seed')!r}", ", ".join(_DOCUMENTS)
        raise loader.SpecError(f"{path}: {row['id']}: {found}, expected one of {known}")
    try:
        return LedgerStatement(
            id=row["id"],
            kind=row["kind"],
            operation=row["operation"],
            document=_DOCUMENTS[seed],
            line=row["line"],
            heading=row["where"],
            testable=row["testable_over_the_wire"],
        )
    except KeyError as error:
        raise loader.SpecError(f"{path}: {row['id']}: found no {error}, expected it") from None
    except ValidationError as error:
        raise loader.SpecError(f"{path}: {row['id']}: {_first(error)}") from None


def _observation(row: dict[str, Any], path: Path) -> Observation:
    fields = row.get("fields")
    fields = fields if isinstance(fields, dict) else {}
    # AWS CloudTrail writes the element's name with a small letter.
    size = fields.get("PackedPolicySize", fields.get("packedPolicySize"))
    sizes = size if isinstance(size, list) else [size]
    more = {
        "location": fields.get("location"),
        "packed-policy-size": next((one for one in sizes if isinstance(one, int)), None),
        "lifetime": fields.get("lifetime"),
        "seen": _seen(str(row.get("source", ""))),
    }
    given = {name: row.get(name) for name in Observation.model_fields if name in row}
    try:
        return Observation.model_validate(given | more)
    except ValidationError as error:
        raise loader.SpecError(f"{path}: {row['id']}: {_first(error)}") from None


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DATE = re.compile(
    rf"\b(20[12]\d)-(\d\d)(?:-(\d\d))?\b|\b({'|'.join(_MONTHS)}) (20[12]\d)\b|[( ](20[12]\d)\)", re.ASCII
)


def _seen(source: str) -> str | None:
    """Return the latest date that a source tells, as YYYY, YYYY-MM or YYYY-MM-DD; None if it tells none."""
    found = []
    for year, month, day, name, its_year, alone in _DATE.findall(source):
        if name:
            found.append(f"{its_year}-{_MONTHS.index(name) + 1:02}")
        else:
            found.append("-".join(filter(None, (year or alone, month, day))))
    return max(found, default=None)


def _first(error: ValidationError) -> str:
    complaint = error.errors(include_url=False)[0]
    return f"'{'.'.join(map(str, complaint['loc']))}': {complaint['msg']}"


def _ledger_text(statements: list[LedgerStatement]) -> str:
    rows = (
        {
            "id": s.id,
            "kind": s.kind,
            "operation": s.operation,
            "document": s.document,
            "line": s.line,
            "heading": s.heading,
            "testable": s.testable,
        }
        for s in statements
    )
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def _observed_text(observations: list[Observation]) -> str:
    rows = [observation.model_dump(by_alias=True, exclude_none=True) for observation in observations]
    return _OBSERVED_HEAD + yaml.safe_dump({"observations": rows}, sort_keys=False, allow_unicode=True, width=110)
