"""The evidence is that of the project's facts, and facts that are not to be read are told in one line."""

from pathlib import Path

import pytest

from specs import completeness, contract, facts, loader

FACTS = Path(__file__).parents[3] / "shared" / "facts"

LEDGER = """\
- id: a.b
  kind: error
  operation: AssumeRole
  seed: 003_x.txt
  line: 7
  where: Errors
  testable_over_the_wire: 'yes'
  statement: left behind
"""
OBSERVED = """\
- id: seen
  operation: AssumeRole
  grade: A
  request: nothing
  status: 302
  code: null
  fields: {location: 'https://example.com/', body: empty}
  note: left behind
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledger.yaml").write_text(LEDGER, encoding="utf-8")
    (tmp_path / "observed.yaml").write_text(OBSERVED, encoding="utf-8")
    return tmp_path


@pytest.mark.skipif(
    not FACTS.is_dir(), reason="needs the project's facts beside the checkout: ../shared/facts"
)
def test_the_evidence_is_up_to_date() -> None:
    for name, text in facts.texts(FACTS).items():
        present = (contract.EVIDENCE / name).read_text(encoding="utf-8")
        assert present == text, "run: python -m specs evidence ../shared/facts"


def test_only_what_is_cited_is_taken(folder: Path) -> None:
    texts = facts.texts(folder)
    assert texts["ledger.json"] == (
        '[\n{"id": "a.b", "kind": "error", "operation": "AssumeRole", "document": "api-reference", '
        '"line": 7, "heading": "Errors", "testable": "yes"}\n]\n'
    )
    assert texts["observed.yaml"].endswith(
        "observations:\n- id: seen\n  operation: AssumeRole\n  grade: A\n  request: nothing\n"
        "  status: 302\n  location: https://example.com/\n"
    )


def test_what_is_written_can_be_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    paths = facts.write(folder, tmp_path / "evidence")
    assert [path.name for path in paths] == ["ledger.json", "observed.yaml"]
    assert completeness.observations(paths[1])["seen"].location == "https://example.com/"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("ledger.yaml", "003_x.txt", "009_x.txt", "a.b: found the seed '009_x.txt', expected one of 000"),
        ("ledger.yaml", "line: 7", "lain: 7", "a.b: found no 'line', expected it"),
        ("ledger.yaml", "line: 7", "line: seven", "a.b: 'line'"),
        ("ledger.yaml", "- id", "- di", ":1: expected a list of mappings, each with an id"),
        ("observed.yaml", "grade: A", "grade: Z", "seen: 'grade'"),
        ("observed.yaml", "status: 302", "status: [", "not YAML"),
    ],
)
def test_facts_that_are_not_to_be_read(folder: Path, file: str, old: str, new: str, says: str) -> None:
    path = folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(loader.SpecError) as caught:
        facts.texts(folder)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
