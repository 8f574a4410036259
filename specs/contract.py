"""The contract read whole: operations, data types, refusals, and every rule with its source.

Rules come from two places: those that a member's traits imply are derived here, with ids made of
operation, member and trait; the others are written by hand in the YAML files. `load()` is cached.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from specs import loader
from specs.model import (
    Authority,
    CoverageFile,
    DataTypesFile,
    DataTypeSpec,
    DocumentsFile,
    DocumentSpec,
    Level,
    Member,
    OperationSpec,
    OutputMember,
    PropertiesFile,
    PropertySpec,
    RefusalsFile,
    RefusalSpec,
    RulesFile,
    RuleSpec,
    ScenariosFile,
    ScenarioSpec,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent / "sts"
EVIDENCE = Path(__file__).parent / "evidence"
API_VERSION = "2011-06-15"
XML_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

OPERATIONS = (
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
)
RULE_FILES = ("wire.yaml", "authentication.yaml", "errors.yaml", "sdk.yaml")

_TYPE_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "timestamp": "a timestamp",
    "list": "a numbered list",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """The smallest promise that can be kept or broken."""

    id: str
    statement: str
    operation: str  # operation name, or 'common' for what holds for all
    theme: str
    level: Level
    authority: Authority
    source: Source
    ledger: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """What STS promises; immutable."""

    operations: dict[str, OperationSpec]
    data_types: dict[str, DataTypeSpec]
    refusals: dict[str, RefusalSpec]
    documents: dict[str, DocumentSpec]
    rules: dict[str, Rule]
    written: tuple[tuple[str, RuleSpec], ...]  # hand-written rules with the operation they belong to
    scenarios: tuple[ScenarioSpec, ...]
    properties: tuple[PropertySpec, ...]
    coverage: CoverageFile
    hash: str  # SHA-256 over the YAML files, first 16 hex digits


@cache
def load(root: Path = ROOT) -> Contract:
    """Read all files below `root`; raises specs.loader.SpecError with file and line."""
    operations = {name: loader.load(root / f"{kebab(name)}.yaml", OperationSpec) for name in OPERATIONS}
    for name, operation in operations.items():
        if operation.operation != name:
            place = place_of(root, f"operation: {operation.operation}", file=f"{kebab(name)}.yaml")
            raise loader.SpecError(f"{place}: 'operation': found '{operation.operation}', expected '{name}'")
    data_types = loader.load(root / "data-types.yaml", DataTypesFile).data_types
    refusals = loader.load(root / "refusals.yaml", RefusalsFile).refusals
    for name, times in Counter(refusal.refusal for refusal in refusals).items():
        if times > 1:
            place = place_of(root, f"refusal: {name}", last=True)
            raise loader.SpecError(f"{place}: found the refusal '{name}' again, expected it once")
    coverage = loader.load(root / "coverage.yaml", CoverageFile)
    common = [("common", rule) for name in RULE_FILES for rule in loader.load(root / name, RulesFile).rules]
    written = (*common, *((name, rule) for name, op in operations.items() for rule in op.rules))
    files = sorted((root / "scenarios").glob("*.yaml"))
    scenarios = tuple(spec for path in files for spec in loader.load(path, ScenariosFile).scenarios)
    properties = loader.load(root / "properties.yaml", PropertiesFile).properties
    contract = Contract(
        operations=operations,
        data_types=data_types,
        refusals={refusal.refusal: refusal for refusal in refusals},
        documents=loader.load(root / "documents.yaml", DocumentsFile).documents,
        rules=_rules(operations, data_types, (*_by_hand(written, scenarios, properties),), coverage, root),
        written=written,
        scenarios=scenarios,
        properties=properties,
        coverage=coverage,
        hash=_hash(root),
    )
    _check_references(contract, root)
    return contract


def kebab(name: str) -> str:
    """RoleArn -> role-arn, SAMLAssertion -> saml-assertion, MFASerial -> mfa-serial."""
    split = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "-", name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", split).lower()


@cache
def ledger_ids() -> frozenset[str]:
    """Ids of all statements in the ledger of the documents."""
    return frozenset(row["id"] for row in json.loads((EVIDENCE / "ledger.json").read_text(encoding="utf-8")))


def _hash(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.yaml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _rules(
    operations: dict[str, OperationSpec],
    data_types: dict[str, DataTypeSpec],
    by_hand: Iterable[Rule],
    coverage: CoverageFile,
    root: Path,
) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    derived: list[Rule] = []
    for operation in operations.values():
        derived += _operation_rules(operation)
    for name, data_type in data_types.items():
        derived += _data_type_rules(name, data_type)
    for rule in (*derived, *by_hand):
        if rule.id in rules:
            place = place_of(root, f"id: {rule.id}", last=True)
            raise loader.SpecError(f"{place}: found the rule id '{rule.id}' again, expected it once")
        also = coverage.also_covers.get(rule.id, ())
        own = (rule.id,) if rule.id in ledger_ids() else ()
        rules[rule.id] = Rule(
            rule.id, rule.statement, rule.operation, rule.theme, rule.level, rule.authority, rule.source,
            tuple(dict.fromkeys((*own, *also))),
        )  # fmt: skip
    return rules


def _by_hand(
    written: Iterable[tuple[str, RuleSpec]], scenarios: Iterable[ScenarioSpec], properties: Iterable[PropertySpec]
) -> Iterator[Rule]:
    for operation, spec in written:
        yield Rule(spec.id, spec.statement, operation, spec.theme, spec.level, spec.authority, spec.source)
    for scenario in scenarios:
        yield Rule(
            scenario.id, scenario.statement, _judged(scenario), "scenario", scenario.level, scenario.authority,
            scenario.source,
        )  # fmt: skip
    for one in properties:
        for operation in one.operations:
            yield Rule(
                property_rule(operation, one.property), one.statement, operation, "property", one.level,
                one.authority, one.source,
            )  # fmt: skip


def property_rule(operation: str, name: str) -> str:
    """Return the id of the rule that a property is for an operation."""
    return f"{kebab(operation)}.property.{name}"


def _judged(scenario: ScenarioSpec) -> str:
    """Name the operation that a scenario is about: the one of its first case."""
    return next((step.call for step in scenario.steps if step.case is not None), scenario.steps[0].call)


def _operation_rules(operation: OperationSpec) -> Iterator[Rule]:
    name, prefix = operation.operation, kebab(operation.operation)
    for member_name, member in operation.input.items():
        suffix = ".member.N" if member.type == "list" else ""
        source = _source(member.authority, f"{name} > Request Parameters > {member_name}{suffix}", name)
        yield from _trait_rules(f"{prefix}.{kebab(member_name)}", member_name, member, name, source)
    for element, output in operation.output.items():
        source = _source(output.authority, f"{name} > Response Elements > {element}", name)
        yield from _element_rules(f"{prefix}.response.{kebab(element)}", element, output, name, source)
    yield from _envelope_rules(operation)


def _source(authority: Authority, heading: str, shape: str) -> Source:
    if authority is Authority.MODELLED:
        return Source(document="botocore-model", heading=f"{shape} > {heading.rsplit(' > ', 1)[-1]}")
    return Source(heading=heading)


def _trait_rules(prefix: str, label: str, member: Member, operation: str, source: Source) -> Iterator[Rule]:
    """Yield what the traits of an input member promise."""

    def rule(trait: str, statement: str, theme: str = "constraint") -> Rule:
        return Rule(f"{prefix}.{trait}", statement, operation, theme, member.level, member.authority, source)

    if member.type == "structure":
        yield rule("type", f"{label} is a structure, sent with a dot before each of its members", "type")
    else:
        yield rule("type", f"{label} is sent as {_TYPE_WORDS[member.type]}", "type")
    yield rule(
        "required",
        f"a request without {label} is refused" if member.required else f"{label} may be left out",
        "required",
    )
    yield from _limits(rule, label, member)
    if member.default is not None:
        yield rule("default", f"{label} left out means {member.default}", "default")
    if member.member is not None and member.member.type == "string":
        for inner in _trait_rules(
            f"{prefix}.item", f"each entry of {label}", member.member, operation, source
        ):
            if not inner.id.endswith((".type", ".required")):
                yield inner


def _limits(rule: _RuleMaker, label: str, member: Member) -> Iterator[Rule]:
    unit = "entries" if member.type == "list" else "characters"
    least, most = ("min-items", "max-items") if member.type == "list" else ("min-length", "max-length")
    if member.length is not None:
        low, high = member.length.min, member.length.max
        if low is not None and low == high:
            yield rule("length", f"{label} has exactly {low} {unit}")
        else:
            if low is not None:
                yield rule(least, f"{label} has no fewer than {low} {unit}")
            if high is not None:
                yield rule(most, f"{label} has no more than {high} {unit}")
    if member.range is not None:
        if member.range.min is not None:
            yield rule("min", f"{label} below {member.range.min} is refused")
        if member.range.max is not None:
            yield rule("max", f"{label} above {member.range.max} is refused")
    if member.pattern is not None:
        yield rule("pattern", f"the whole of {label} matches {member.pattern}")


def _element_rules(
    prefix: str, label: str, member: OutputMember, operation: str, source: Source
) -> Iterator[Rule]:
    """Yield what is promised of a response element."""

    def rule(trait: str, statement: str) -> Rule:
        suffix = f".{trait}" if trait else ""
        level = Level.SHOULD if member.presence != "always" else member.level
        return Rule(f"{prefix}{suffix}", statement, operation, "response", level, member.authority, source)

    kind = f"a structure {member.shape}" if member.shape else _TYPE_WORDS[member.type]
    when = "the answer holds" if member.presence == "always" else "the answer may hold"
    yield rule("", f"{when} {label}, {kind}")
    yield from _limits(rule, label, member)


def _envelope_rules(operation: OperationSpec) -> Iterator[Rule]:
    name, prefix = operation.operation, kebab(operation.operation)
    modelled = operation.authority is Authority.MODELLED
    source = (
        Source(document="botocore-model", heading=name) if modelled else Source(heading=f"{name} > Examples")
    )
    for trait, statement in (
        ("root", f"the root element of an answer is {name}Response"),
        ("xmlns", f"an answer is in the namespace {XML_NAMESPACE}"),
        ("result", f"the response elements stand in {operation.result_wrapper}"),
        ("request-id", "ResponseMetadata with a RequestId stands beside the result"),
    ):
        yield Rule(
            f"{prefix}.wire.{trait}", statement, name, "response", Level.MUST, operation.authority, source
        )


def _data_type_rules(name: str, data_type: DataTypeSpec) -> Iterator[Rule]:
    prefix = f"data-type.{kebab(name)}"
    for member_name, member in data_type.members.items():
        source = _source(data_type.authority, f"Data Types > {name} > {member_name}", name)
        label = f"{name}.{member_name}"
        if data_type.used_in == "input":
            for rule in _trait_rules(f"{prefix}.{kebab(member_name)}", label, member, "common", source):
                # What a list entry means that lacks an optional member is nowhere told: no promise.
                if member.required or not rule.id.endswith(".required"):
                    yield rule
        else:
            yield from _output_trait_rules(f"{prefix}.{kebab(member_name)}", label, member, source)


def _output_trait_rules(prefix: str, label: str, member: Member, source: Source) -> Iterator[Rule]:
    def rule(trait: str, statement: str) -> Rule:
        return Rule(
            f"{prefix}.{trait}", statement, "common", "response", member.level, member.authority, source
        )

    yield rule("type", f"{label} is {_TYPE_WORDS[member.type]}")
    yield rule("required", f"{label} is always present" if member.required else f"{label} may be absent")
    yield from _limits(rule, label, member)


def _check_references(contract: Contract, root: Path) -> None:
    """Refuse names that nothing bears: refusals, documents, shapes, operations, rules of coverage.yaml."""
    for needle, complaint in _dangling(contract):
        raise loader.SpecError(f"{place_of(root, needle)}: {complaint}")


def _dangling(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield (text to look for, complaint) for every name that leads nowhere."""
    for who, document in _cited_documents(contract):
        if document not in contract.documents:
            known = ", ".join(contract.documents)
            yield f"document: {document}", f"{who} cites the document '{document}', expected one of {known}"
    for _, spec in contract.written:
        for case in spec.cases:
            name, called = f"case '{spec.id}/{case.case}'", case.request.operation
            if not _is_expectation(case.expect, contract.refusals):
                wanted = "expected success or a name in refusals.yaml"
                yield f"expect: {case.expect}", f"{name} expects '{case.expect}', {wanted}"
            if called not in contract.operations:
                known = ", ".join(contract.operations)
                yield f"operation: {called}", f"{name} calls '{called}', expected one of {known}"
    for operation in contract.operations.values():
        yield from _dangling_in(operation, contract)
    for covering in contract.coverage.also_covers:
        if covering not in contract.rules:
            yield f"{covering}:", f"'also-covers' names the rule '{covering}', expected an existing rule"


def _cited_documents(contract: Contract) -> Iterator[tuple[str, str]]:
    for rule in contract.rules.values():
        yield f"rule '{rule.id}'", rule.source.document
    for refusal in contract.refusals.values():
        for answer in refusal.answers:
            yield f"refusal '{refusal.refusal}'", answer.source.document


def _dangling_in(operation: OperationSpec, contract: Contract) -> Iterator[tuple[str, str]]:
    name = operation.operation
    for error in operation.errors:
        if error.refusal not in contract.refusals:
            wanted = "expected one of refusals.yaml"
            yield f"refusal: {error.refusal}", f"{name} names the refusal '{error.refusal}', {wanted}"
    for shape in _shapes(operation):
        if shape not in contract.data_types:
            yield f"shape: {shape}", f"{name} names the shape '{shape}', expected one of data-types.yaml"


def _shapes(operation: OperationSpec) -> Iterator[str]:
    for member in (*operation.input.values(), *operation.output.values()):
        for held in (member, member.member):
            if held is not None and held.shape is not None:
                yield held.shape


def place_of(root: Path, needle: str, *, file: str = "*.yaml", last: bool = False) -> str:
    """File and line of the first (or last) place where `needle` stands; the folder if there is none."""
    found = [
        f"{path}:{number}"
        for path in sorted(root.rglob(file))
        for number, line in enumerate(loader.read_text(path).splitlines(), 1)
        if re.search(re.escape(needle) + r"(?![\w.-])", line, re.ASCII)
    ]
    return found[-1 if last else 0] if found else str(root)


def _is_expectation(expect: str, refusals: dict[str, RefusalSpec]) -> bool:
    return expect == "success" or expect.removeprefix("success or ") in refusals


if TYPE_CHECKING:
    from typing import Protocol

    class _RuleMaker(Protocol):
        def __call__(self, trait: str, statement: str) -> Rule: ...
