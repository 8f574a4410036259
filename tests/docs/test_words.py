"""What the documents name exists, and what exists is named: options, keys, verdicts, targets of make, links."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, get_args

import pytest
import yaml

from reports.model import LEVELS, VERDICTS, Authority
from specs.model import (
    AssertionSpec,
    CaseSpec,
    CheckSpec,
    Doc,
    GivenSpec,
    Member,
    OpenIdFixture,
    OutputMember,
    PermissionSpec,
    PolicyFixture,
    RequestSpec,
    RoleFixture,
    RuleSpec,
    ScenarioSpec,
    Signing,
    StepSpec,
    TokenSpec,
    UserFixture,
)
from targets.profile import TargetFile
from tests.docs.documents import DOCUMENTS, ROOT, Block, blocks, read

if TYPE_CHECKING:
    from pathlib import Path

ALL = "\n".join(read(document) for document in DOCUMENTS)
RULES = read(next(d for d in DOCUMENTS if d.name == "writing-a-rule.md"))
TARGETS = read(next(d for d in DOCUMENTS if d.name == "adding-a-target.md"))

# Options of other programs that the documents show: curl, pip.
FOREIGN = frozenset({"--aws-sigv4"})


def keys(model: type[Doc]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def excerpts() -> list[Block]:
    return [block for document in DOCUMENTS for block in blocks(document) if "excerpt" in block.notes]


# What the documents show of ours that takes options of its own, pytest first.
PROGRAMS = (
    "pytest", "targets.reference", "targets.leftovers", "targets.fixtures", "suites.kill", "benchmarks.run",
    "benchmarks.reference", "reports diff", "reports markdown", "reports badge",
)  # fmt: skip


@pytest.fixture(scope="module")
def options() -> str:
    def told(program: str) -> str:
        help_text = [sys.executable, "-m", *program.split(), "--help"]
        return subprocess.run(help_text, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    return "\n".join(map(told, PROGRAMS))


def test_options_that_are_named_exist(options: str) -> None:
    known = {each.replace("-", "") for each in re.findall(r"--[a-z][a-z0-9-]+", options)}
    for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", ALL)) - FOREIGN):
        assert option.replace("-", "") in known, option


def test_our_options_are_all_named(options: str) -> None:
    ours = re.search(r"^STS conformance:\n((?:  .*\n)+)", options, re.MULTILINE)
    assert ours is not None
    for option in re.findall(r"^  (--[a-z-]+)", ours[1], re.MULTILINE):
        assert option in ALL, option


def test_targets_of_make_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z]+)", ALL, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_words_of_the_report_are_explained() -> None:
    readme = read(DOCUMENTS[0])
    for word in (*VERDICTS, *LEVELS, *get_args(Authority)):
        assert f"`{word}`" in readme, word


def test_keys_of_target_files_are_explained() -> None:
    for key in keys(TargetFile):
        assert f"| `{key}` |" in TARGETS, key


EXPLAINED = (
    RuleSpec, CaseSpec, RequestSpec, CheckSpec, Signing, Member, OutputMember,
    ScenarioSpec, GivenSpec, RoleFixture, UserFixture, PolicyFixture, OpenIdFixture, PermissionSpec, StepSpec,
    AssertionSpec, TokenSpec,
)  # fmt: skip


@pytest.mark.parametrize("model", EXPLAINED)
def test_keys_of_rules_are_explained(model: type[Doc]) -> None:
    for key in keys(model):
        assert f"`{key}`" in RULES, key


@pytest.mark.parametrize("block", excerpts(), ids=lambda block: block.place)
def test_excerpts_are_what_the_contract_says(block: Block) -> None:
    path: Path = ROOT / block.notes["excerpt"]
    assert f"\n{block.text}\n" in path.read_text(encoding="utf-8")


def test_yaml_is_yaml() -> None:
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "yaml" and "excerpt" not in block.notes:
                assert yaml.safe_load(block.text), block.place


def test_links_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)]+)\)", read(document)):
            place, _, anchor = link.partition("#")
            if "://" in place:
                continue
            there = ((ROOT / document).parent / place) if place else ROOT / document
            assert there.exists(), f"{document}: {link}"
            if anchor and there.suffix == ".md":
                assert anchor in anchors(there), f"{document}: {link}"


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_place_of_one_machine_is_named() -> None:
    files = [ROOT / name for name in ("Makefile", ".ci/run", "requirements.txt")]
    texts = [ALL, *(path.read_text(encoding="utf-8") for path in files)]
    for text in texts:
        assert not re.search(r"(?<![\w.])/(work|home|root|opt|Users)/", text)
