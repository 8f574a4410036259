"""Imports run one way: specs <- generators <- targets <- suites; reports stand apart."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each folder may import of the others.
MAY: dict[str, frozenset[str]] = {
    "specs": frozenset(),
    "generators": frozenset({"specs"}),
    "targets": frozenset({"specs", "generators"}),
    "suites": frozenset({"specs", "generators", "targets", "reports"}),
    "reports": frozenset(),
}
OURS = frozenset({*MAY, "tests", "benchmarks", "conftest"})

# Pure folders reach for nothing outside: no network, no processes, no chance, no test runner.
PURE = ("specs", "generators")
IMPURE = frozenset(
    {"asyncio", "http", "httptools", "multiprocessing", "requests", "socket", "ssl", "subprocess", "urllib3"}
    | {"boto3", "moto", "pytest", "random", "secrets", "threading", "uuid"}
)


def modules(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import, also those inside functions and for types only; '.' if relative."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "targets":
            yield from ((node.lineno, f"targets.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else node.module or ""


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, top-level module) of every import."""
    for line, module in modules(path):
        yield line, "." if module == "." else module.partition(".")[0]


def breaches(root: Path) -> list[str]:
    """Tell, a line each, which imports run the wrong way below `root`."""
    found = []
    for folder, may in MAY.items():
        for path in sorted((root / folder).rglob("*.py")):
            for line, module in imported(path):
                place = f"{path.relative_to(root)}:{line}"
                if module == ".":
                    found.append(f"{place}: a relative import")
                elif module in OURS - may - {folder}:
                    found.append(f"{place}: {folder} imports {module}")
                elif folder in PURE and module in IMPURE:
                    found.append(f"{place}: {folder} is pure and imports {module}")
    return found


def test_imports_run_one_way() -> None:
    assert breaches(ROOT) == []


def test_there_is_something_to_look_at() -> None:
    for folder in ("specs", "generators", "reports"):
        assert list((ROOT / folder).rglob("*.py")), folder


def test_every_folder_says_what_lives_there() -> None:
    for folder in MAY:
        if not list((ROOT / folder).rglob("*.py")):
            continue
        tree = ast.parse((ROOT / folder / "__init__.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), folder


@pytest.mark.parametrize(
    ("file", "code", "breach"),
    [
        ("specs/a.py", "import generators", "specs/a.py:1: specs imports generators"),
        ("specs/a.py", "from targets.wire import x", "specs/a.py:1: specs imports targets"),
        ("generators/a.py", "def f():\n    import suites.x", "generators/a.py:2: generators imports suites"),
        (
            "generators/deep/a.py",
            "if TYPE_CHECKING:\n    from targets import x",
            "generators/deep/a.py:2: generators imports targets",
        ),
        ("targets/a.py", "import reports.html", "targets/a.py:1: targets imports reports"),
        ("reports/a.py", "from specs.model import x", "reports/a.py:1: reports imports specs"),
        ("reports/a.py", "from suites import x", "reports/a.py:1: reports imports suites"),
        ("suites/a.py", "import conftest", "suites/a.py:1: suites imports conftest"),
        ("suites/a.py", "from tests.x import y", "suites/a.py:1: suites imports tests"),
        ("targets/a.py", "from . import x", "targets/a.py:1: a relative import"),
        ("generators/a.py", "import random", "generators/a.py:1: generators is pure and imports random"),
        ("specs/a.py", "import socket as s", "specs/a.py:1: specs is pure and imports socket"),
    ],
)
def test_a_breach_is_noticed(tmp_path: Path, file: str, code: str, breach: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert breaches(tmp_path) == [breach]


def test_the_right_way_is_no_breach(tmp_path: Path) -> None:
    for file, code in (
        ("specs/a.py", "import json\nfrom specs.model import x"),
        ("generators/a.py", "from specs import contract"),
        ("targets/a.py", "import socket\nfrom generators import case"),
        ("suites/a.py", "import pytest\nfrom targets import wire\nfrom reports import model"),
        ("reports/a.py", "from reports import html"),
    ):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(code, encoding="utf-8")
    assert breaches(tmp_path) == []


# Folders that share no code with what they are held against: a mistake made in both would agree with itself.
APART: dict[str, tuple[str, ...]] = {
    "targets/reference": ("specs", "targets.reference", "targets.telling"),  # printing judges nothing
    "targets/identity": ("targets.identity",),
}


def shared(root: Path) -> list[str]:
    """Tell, a line each, which imports of ours the folders that stand apart have below `root`."""
    return [
        f"{path.relative_to(root)}:{line}: imports {module}"
        for folder, may in APART.items()
        for path in sorted((root / folder).rglob("*.py"))
        for line, module in modules(path)
        if module.partition(".")[0] in OURS and not any(f"{module}.".startswith(f"{name}.") for name in may)
    ]


def test_the_reference_and_the_identity_providers_stand_apart() -> None:
    assert len(list((ROOT / "targets/reference").rglob("*.py"))) > 30
    assert shared(ROOT) == []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("targets/reference/a.py", "from generators.patterns import admits"),
        ("targets/reference/defects/a.py", "from suites.verdict import decide"),
        ("targets/reference/a.py", "from targets.wire import prepare"),
        ("targets/reference/a.py", "from targets import wire"),
        ("targets/identity/a.py", "from targets.reference import saml"),
    ],
)
def test_shared_code_is_found(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert len(shared(tmp_path)) == 1
