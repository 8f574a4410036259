r"""Patterns are ASCII: `\d` matches Arabic digits otherwise, and an account in them would conform."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("specs", "generators", "targets", "suites", "reports")
FUNCTIONS = frozenset({"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})
CLASSES = tuple("\\" + letter for letter in "dDwWsSbB")


def unicode_patterns(code: str) -> Iterator[int]:
    """Yield the lines of calls of `re` whose pattern has a class of characters and that do not say re.ASCII."""
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        owner, pattern = node.func.value, ast.unparse(node.args[0])
        if not (isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in FUNCTIONS):
            continue
        literal = isinstance(node.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp))
        classes = any(name in pattern for name in CLASSES)
        if (classes or not literal) and "ASCII" not in ast.unparse(node):
            yield node.lineno


def test_patterns_are_ascii() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "defects" not in path.parts  # what is wrong there is wrong on purpose
        for line in unicode_patterns(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        r"re.compile(r'\d')",
        r"re.fullmatch(r'\w+', text)",
        r"re.sub(rf'{x}\s', '', text)",
        "re.compile(pattern, re.DOTALL)",
    ],
)
def test_a_pattern_of_all_scripts_is_found(code: str) -> None:
    assert list(unicode_patterns(code)) == [1]


@pytest.mark.parametrize(
    "code", [r"re.compile(r'\d', re.ASCII)", "re.compile('[0-9]')", "re.compile(pattern, re.DOTALL | re.ASCII)"]
)
def test_others_are_not(code: str) -> None:
    assert list(unicode_patterns(code)) == []
