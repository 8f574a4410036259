"""Every mistake in a YAML file is one line: file, line, what was found, what was expected."""

import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from specs import loader
from specs.model import CoverageFile, OperationSpec, RulesFile

RULES = """\
rules:
- id: a.b
  statement: it holds
  source: {heading: Somewhere}
  theme: wire
  cases:
  - {case: one, request: {operation: GetCallerIdentity}, expect: success}
"""
OPERATION = """\
operation: AssumeRole
result-wrapper: AssumeRoleResult
input:
  RoleArn: {type: string, required: true}
"""

# what, text, model, line, what the message says
MISTAKES: list[tuple[str, str, type[BaseModel], int, tuple[str, ...]]] = [
    (
        "a mistyped key",
        RULES.replace("statement:", "statment:"),
        RulesFile,
        3,
        ("found the unknown key 'rules.0.statment'", "expected 'statement'"),
    ),
    (
        "a key unlike any other",
        RULES.replace("theme: wire", "theme: wire\n  zzz: 1"),
        RulesFile,
        6,
        ("found the unknown key 'rules.0.zzz'", "expected one of id, statement, source"),
    ),
    (
        "a mistyped key inside a list entry's member",
        OPERATION.replace("type: string", "type: list, member: {type: string, lenght: {min: 1}}"),
        OperationSpec,
        4,
        ("'input.RoleArn.member.lenght'", "expected 'length'"),
    ),
    (
        "the Python spelling of a key",
        OPERATION.replace("result-wrapper", "result_wrapper"),
        OperationSpec,
        2,
        ("found the unknown key 'result_wrapper'", "expected 'result-wrapper'"),
    ),
    (
        "a wrong type",
        RULES.replace("id: a.b", "id: [1]"),
        RulesFile,
        2,
        ("'rules.0.id'", "found a list", "expected a text"),
    ),
    (
        "a word for a number",
        OPERATION.replace("required: true", "length: {min: five}"),
        OperationSpec,
        4,
        ("found 'five'", "expected a valid integer"),
    ),
    (
        "a number for a list",
        "rules: 3\n",
        RulesFile,
        1,
        ("'rules'", "found 3", "expected a list"),
    ),
    (
        "true for a value",
        RULES.replace("GetCallerIdentity}", "GetCallerIdentity, with: {X: true}}"),
        RulesFile,
        7,
        ("with.X'", "found true", "expected a text"),
    ),
    (
        "a word that is none of those known",
        RULES.replace("theme: wire", "theme: wired"),
        RulesFile,
        5,
        ("found 'wired'", "expected 'wire', 'authentication'"),
    ),
    (
        "an id of another form",
        RULES.replace("id: a.b", "id: Not-An-Id"),
        RulesFile,
        2,
        ("found 'Not-An-Id'", "expected a text that matches"),
    ),
    (
        "a missing key",
        RULES.replace("  theme: wire\n", ""),
        RulesFile,
        2,
        ("found no 'theme' in 'rules.0'", "expected it"),
    ),
    (
        "a missing key at the top",
        "not-covered: []\n",
        CoverageFile,
        1,
        ("found no 'also-covers'", "expected it"),
    ),
    (
        "an empty list of cases",
        RULES[: RULES.index("  cases:")] + "  cases: []\n",
        RulesFile,
        6,
        ("found a list", "expected at least 1 item"),
    ),
    (
        "min above max",
        OPERATION.replace("required: true", "length: {min: 5, max: 3}"),
        OperationSpec,
        4,
        ("found min 5 above max 3", "expected it no higher"),
    ),
    (
        "neither min nor max",
        OPERATION.replace("required: true", "length: {}"),
        OperationSpec,
        4,
        ("found neither min nor max", "expected one or both"),
    ),
    (
        "a range of a string",
        OPERATION.replace("required: true", "range: {min: 1}"),
        OperationSpec,
        4,
        ("range belongs to an integer, not to a string",),
    ),
    (
        "a structure without its shape",
        OPERATION.replace("type: string", "type: structure"),
        OperationSpec,
        4,
        ("a structure, and nothing else, names its shape",),
    ),
    (
        "a repeated key",
        RULES.replace("theme: wire", "theme: wire\n  theme: sdk"),
        RulesFile,
        6,
        ("found the key 'theme' again (first in line 5)", "expected it once"),
    ),
    (
        "a repeated key in braces",
        "also-covers: {a.b: [x], a.b: [y]}\n",
        CoverageFile,
        1,
        ("found the key 'a.b' again",),
    ),
    (
        "a list as a key",
        "? [1]\n: 2\n",
        RulesFile,
        1,
        ("found a mapping or list as a key", "expected a text"),
    ),
    ("an open bracket", RULES.replace("theme: wire", "theme: [wire"), RulesFile, 6, ("not YAML",)),
    ("a tab", "rules:\n\t- x\n", RulesFile, 2, ("not YAML",)),
    ("a control character", "rules:\n- a: \x07\n", RulesFile, 2, ("not YAML", "control characters")),
    ("two documents", RULES + "---\nrules: []\n", RulesFile, 8, ("not YAML", "another document")),
    ("an empty file", "", RulesFile, 1, ("found nothing", "expected a mapping with the keys rules")),
    ("only a remark", "# nothing here\n", RulesFile, 1, ("found nothing", "expected a mapping")),
    ("a list", "- a\n- b\n", RulesFile, 1, ("found a list", "expected a mapping")),
    ("a word", "words\n", RulesFile, 1, ("found 'words'", "expected a mapping")),
    ("a number", "42\n", RulesFile, 1, ("found 42", "expected a mapping")),
    (
        "an anchor",
        "rules:\n- &a {id: x}\n",
        RulesFile,
        2,
        ("found the anchor '&a'", "expected none"),
    ),
    (
        "an alias",
        "rules:\n- *a\n",
        RulesFile,
        2,
        ("found the alias '*a'", "expected the text itself"),
    ),
    ("a merge", "<<: {rules: []}\n", RulesFile, 1, ("found the unknown key '<<'",)),
    (
        "a Python object",
        "rules: !!python/object/apply:os.system [exit]\n",
        RulesFile,
        1,
        ("found the tag", "python/object/apply:os.system", "expected a plain value"),
    ),
    ("a tag of one's own", "rules:\n- !mine x\n", RulesFile, 2, ("found the tag '!mine'",)),
    ("a standard tag", "rules: !!set {a, b}\n", RulesFile, 1, ("found the tag",)),
    (
        "deep nesting in brackets",
        "rules: " + "[" * 1_000_000,
        RulesFile,
        1,
        (f"found nesting deeper than {loader.MAX_DEPTH}",),
    ),
    (
        "deep nesting by indentation",
        "".join(f"{' ' * n}a:\n" for n in range(500)),
        RulesFile,
        loader.MAX_DEPTH + 1,
        (f"found nesting deeper than {loader.MAX_DEPTH}",),
    ),
]


def test_the_samples_are_good() -> None:
    assert loader.parse(RULES, RulesFile, "rules.yaml").rules[0].id == "a.b"
    assert loader.parse(OPERATION, OperationSpec, "op.yaml").input["RoleArn"].required


@pytest.mark.parametrize(
    ("text", "model", "line", "parts"),
    [row[1:] for row in MISTAKES],
    ids=[row[0].replace(" ", "-") for row in MISTAKES],
)
def test_a_mistake_is_one_line(text: str, model: type[BaseModel], line: int, parts: tuple[str, ...]) -> None:
    with pytest.raises(loader.SpecError) as caught:
        loader.parse(text, model, "specs/x.yaml")
    message = str(caught.value)
    assert message.startswith(f"specs/x.yaml:{line}: ")
    assert "\n" not in message
    assert len(message) < 400
    for part in parts:
        assert part in message


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    started = time.monotonic()
    with pytest.raises(loader.SpecError, match=r"x\.yaml:1: found the anchor '&a0', expected none"):
        loader.parse("\n".join(lines), RulesFile, "x.yaml")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2011-06-15", "2011-06-15"),
        ("0900", "0900"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("12:30:45", "12:30:45"),
        ("no", "no"),
        ("on", "on"),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
        ("900", 900),
        ("-1", -1),
        ("null", None),
        ("~", None),
        ("", None),
        ("'900'", "900"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(written: str, read: object) -> None:
    text = RULES.replace("GetCallerIdentity}", f"GetCallerIdentity, with: {{X: {written}}}}}")
    rule = loader.parse(text, RulesFile, "x.yaml").rules[0]
    value = rule.cases[0].request.with_["X"]
    assert value == read
    assert type(value) is type(read)


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"rules:\n- id: caf\xe9\n")
    with pytest.raises(loader.SpecError) as caught:
        loader.load(path, RulesFile)
    assert str(caught.value) == f"{path}:2: found the byte 0xe9, expected UTF-8 text"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(loader.SpecError, match=r"none\.yaml: no such file$"):
        loader.load(tmp_path / "none.yaml", RulesFile)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(loader.SpecError, match="is a folder; a YAML file was expected"):
        loader.load(tmp_path, RulesFile)


def test_a_file_too_large(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (loader.MAX_BYTES + 1))
    with pytest.raises(loader.SpecError, match=f"found more than {loader.MAX_BYTES} bytes"):
        loader.load(path, RulesFile)


def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + RULES.replace("\n", "\r\n").encode())
    assert loader.load(path, RulesFile) == loader.parse(RULES, RulesFile, "x.yaml")
