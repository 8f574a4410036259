"""The contract as written: complete, without loose ends, and each check of that can fail."""

import ast
import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import regex
from pydantic import BaseModel, TypeAdapter, ValidationError

from specs import completeness, contract, loader
from specs.contract import Contract
from specs.model import Authority, CoverageFile, Member, RuleId, Uncovered

ROOT = Path(__file__).parents[2]

# Refusals that wait for cases: scenarios of a later issue will meet them.
WAITING = {
    "access-denied",
    "expired-session",
    "federation-denied",
    "identity-tags-refused",
    "orphaned-session",
    "root-assumes-no-role",
    "saml-audience-missing",
    "saml-issuer-unknown",
    "saml-provider-unknown",
    "saml-redeemed-late",
    "saml-session-name-invalid",
    "saml-signature-invalid",
    "saml-status-not-success",
    "source-identity-denied",
    "tag-session-denied",
    "unknown-access-key",
    "unknown-managed-policy",
    "verification-key-missing",
    "web-identity-audience-unknown",
    "web-identity-thumbprint-unknown",
    "web-identity-too-old",
}

# Answers marked as observed that their evidence does not show as such; its notes say why they are taken.
UNLIKE_EVIDENCE = {
    ("incomplete-signature", 403), ("incomplete-query-signature", 403), ("unreadable-content-type", 302),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> Contract:
    return contract.load()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the YAML files, to spoil."""
    return Path(shutil.copytree(contract.ROOT, tmp_path / "sts"))


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def members(whole: Contract) -> Iterator[tuple[str, Member]]:
    for operation in whole.operations.values():
        for name, member in (*operation.input.items(), *operation.output.items()):
            yield f"{operation.operation}.{name}", member
            if member.member is not None:
                yield f"{operation.operation}.{name}.member", member.member
    for type_name, data_type in whole.data_types.items():
        for name, member in data_type.members.items():
            yield f"{type_name}.{name}", member


# --- completeness


def test_every_statement_is_accounted_for_once(whole: Contract) -> None:
    account = completeness.account(whole, contract.ledger_ids())
    assert account.faults == ()
    assert len(account.covered) + len(account.listed) == len(contract.ledger_ids())


def with_coverage(whole: Contract, coverage: CoverageFile) -> Contract:
    rules = {
        name: dataclasses.replace(
            rule,
            ledger=tuple(
                dict.fromkeys(
                    (*(i for i in (name,) if i in rule.ledger), *coverage.also_covers.get(name, ()))
                )
            ),
        )
        for name, rule in whole.rules.items()
    }
    return dataclasses.replace(whole, coverage=coverage, rules=rules)


def test_a_statement_left_out_is_told(whole: Contract) -> None:
    entries = whole.coverage.not_covered
    lost = entries[0].statements[0]
    less = (entries[0].model_copy(update={"statements": entries[0].statements[1:]}), *entries[1:])
    spoiled = with_coverage(whole, whole.coverage.model_copy(update={"not_covered": less}))
    faults = completeness.account(spoiled, contract.ledger_ids()).faults
    assert faults == (f"'{lost}' is neither covered by a rule nor listed",)


def test_a_statement_listed_though_covered_is_told(whole: Contract) -> None:
    more = (*whole.coverage.not_covered, Uncovered(reason="x", statements=("assume-role.role-arn.pattern",)))
    spoiled = with_coverage(whole, whole.coverage.model_copy(update={"not_covered": more}))
    faults = completeness.account(spoiled, contract.ledger_ids()).faults
    assert faults == ("'assume-role.role-arn.pattern' is covered by a rule and listed as not covered",)


def test_a_statement_listed_twice_is_told(whole: Contract) -> None:
    twice = whole.coverage.not_covered[0].statements[0]
    more = (*whole.coverage.not_covered, Uncovered(reason="x", statements=(twice,)))
    spoiled = with_coverage(whole, whole.coverage.model_copy(update={"not_covered": more}))
    assert completeness.account(spoiled, contract.ledger_ids()).faults == (f"'{twice}' is listed 2 times",)


def test_an_unknown_statement_is_told(whole: Contract) -> None:
    more = (*whole.coverage.not_covered, Uncovered(reason="x", statements=("no.such.statement",)))
    also = whole.coverage.also_covers | {"assume-role.role-arn.type": ("nor.this",)}
    known = whole.coverage.also_covers.get("assume-role.role-arn.type", ())
    coverage = whole.coverage.model_copy(update={"not_covered": more, "also_covers": also})
    faults = completeness.account(with_coverage(whole, coverage), contract.ledger_ids()).faults
    assert "'no.such.statement' is no statement of the ledger" in faults
    assert "'nor.this' is no statement of the ledger" in faults
    assert {f"'{lost}' is neither covered by a rule nor listed" for lost in known} <= set(faults)


def test_idle_entries_are_told(whole: Contract) -> None:
    rule = "assume-role.role-arn.type"
    also = whole.coverage.also_covers | {
        rule: ("assume-role.sdk-ruby.role-arn", "assume-role.sdk-ruby.role-arn", "assume-role.policy.type")
    }
    coverage = whole.coverage.model_copy(update={"also_covers": also})
    assert completeness.account(with_coverage(whole, coverage), contract.ledger_ids()).faults == (
        f"'assume-role.policy.type' bears the id of a rule; '{rule}' need not cover it",
        f"'{rule}' names 'assume-role.sdk-ruby.role-arn' 2 times",
    )


def test_reasons_are_told_apart(whole: Contract) -> None:
    reasons = [entry.reason for entry in whole.coverage.not_covered]
    assert len(reasons) == len(set(reasons))


# --- ids and names


def test_rule_ids_are_of_the_grammar(whole: Contract) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(RuleId)
    for name, rule in whole.rules.items():
        assert adapter.validate_python(name) == rule.id


@pytest.mark.parametrize("bad", ["", "one", "Two.words", "a..b", "a.b ", "a.b\n", "-a.b", "a.-b", "a/b.c"])
def test_the_grammar_refuses(bad: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RuleId).validate_python(bad)


def test_a_case_bears_its_name_once_in_a_rule(whole: Contract) -> None:
    for _, spec in whole.written:
        names = [case.case for case in spec.cases]
        assert len(names) == len(set(names)), spec.id


def test_a_statement_is_a_phrase(whole: Contract) -> None:
    for rule in whole.rules.values():
        assert rule.statement.strip() == rule.statement
        assert "\n" not in rule.statement
        assert not rule.statement.endswith("."), rule.id


def test_evidence_exists(whole: Contract) -> None:
    observed = completeness.observations()
    assert completeness.evidence_faults(whole, observed) == []
    cited = {evidence for _, evidence in completeness.cited(whole)}
    lost = min(cited)
    less = {name: entry for name, entry in observed.items() if name != lost}
    assert all(f"'{lost}'" in fault for fault in completeness.evidence_faults(whole, less))
    assert completeness.evidence_faults(whole, less)


def test_observed_answers_are_those_of_their_evidence(whole: Contract) -> None:
    observed = completeness.observations()
    for refusal in whole.refusals.values():
        for answer in refusal.answers:
            if answer.authority is not Authority.OBSERVED:
                continue
            assert answer.source.evidence, refusal.refusal
            if (refusal.refusal, answer.status) in UNLIKE_EVIDENCE:
                continue
            for evidence in answer.source.evidence:
                seen = observed[evidence]
                assert seen.status in {None, answer.status}, (refusal.refusal, evidence)
                assert answer.code is None or seen.code in {None, answer.code}, (refusal.refusal, evidence)


def test_every_refusal_is_used(whole: Contract) -> None:
    named = {case.expect.removeprefix("success or ") for _, rule in whole.written for case in rule.cases}
    named |= {error.refusal for operation in whole.operations.values() for error in operation.errors}
    named |= {step.expect for scenario in whole.scenarios for step in scenario.steps if step.expect}
    for path in (ROOT / "generators").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    assert set(whole.refusals) - named <= WAITING


def test_declared_errors_agree_with_their_refusals(whole: Contract) -> None:
    for operation in whole.operations.values():
        for error in operation.errors:
            answers = {(a.authority, a.code, a.status) for a in whole.refusals[error.refusal].answers}
            if error.documented:
                assert (Authority.DOCUMENTED, error.documented, error.status) in answers
            if error.modelled:
                assert (Authority.MODELLED, error.modelled, error.status) in answers


# --- traits


def test_patterns_compile(whole: Contract) -> None:
    patterns = [member.pattern for _, member in members(whole) if member.pattern is not None]
    assert patterns
    for pattern in patterns:
        regex.compile(pattern, regex.V0)


def test_patterns_of_checks_and_refusals_compile(whole: Contract) -> None:
    checks = [check for _, rule in whole.written for case in rule.cases for check in case.check]
    patterns = [p for c in checks for p in (c.matches, c.header_matches, c.layout, c.message)]
    patterns += [p for r in whole.refusals.values() for p in (r.message, r.location, r.layout)]
    for pattern in filter(None, patterns):
        re.compile(re.sub(r"\$\{[a-z0-9-]+\}", "value", pattern))


def test_defaults_lie_within_their_range(whole: Contract) -> None:
    for name, member in members(whole):
        if member.default is None:
            continue
        assert member.range is not None, name
        assert member.range.min is None or member.range.min <= member.default, name
        assert member.range.max is None or member.default <= member.range.max, name


def test_contested_traits_differ_and_keep_the_contract(whole: Contract) -> None:
    for name, member in members(whole):
        for contest in member.contested:
            claims = [contest.documented, contest.modelled, contest.observed]
            assert len(set(claims)) > 1, name
            if contest.trait == "max-length":
                assert member.length is not None, name
                assert member.length.max in claims, name


# --- mistakes between the files


def test_a_mistake_in_one_file_is_told_with_file_and_line(copy: Path) -> None:
    spoil(copy / "assume-role.yaml", "authentication: sigv4", "autentication: sigv4")
    with pytest.raises(loader.SpecError) as caught:
        contract.load(copy)
    assert str(caught.value) == (
        f"{copy / 'assume-role.yaml'}:3: found the unknown key 'autentication', expected 'authentication'"
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "assume-role.yaml",
            "expect: role-not-assumable",
            "expect: role-not-asumable",
            "expects 'role-not-asumable', expected success or a name in refusals.yaml",
        ),
        (
            "assume-role.yaml",
            "expect: success",
            "expect: success or nothing",
            "expects 'success or nothing', expected success or a name in refusals.yaml",
        ),
        (
            "assume-role.yaml",
            "refusal: region-disabled",
            "refusal: region-disable",
            "AssumeRole names the refusal 'region-disable', expected one of refusals.yaml",
        ),
        (
            "assume-role.yaml",
            "shape: Tag}",
            "shape: Tags}",
            "AssumeRole names the shape 'Tags', expected one of data-types.yaml",
        ),
        (
            "wire.yaml",
            "operation: GetCallerIdentity",
            "operation: GetCallerIdentitty",
            "calls 'GetCallerIdentitty', expected one of AssumeRole",
        ),
        (
            "wire.yaml",
            "document: query-protocol",
            "document: query-protokol",
            "cites the document 'query-protokol', expected one of api-reference",
        ),
        (
            "refusals.yaml",
            "document: botocore-model",
            "document: botocore",
            "cites the document 'botocore', expected one of api-reference",
        ),
        (
            "coverage.yaml",
            "assume-role.role-arn.required:",
            "assume-role.role-arn.requird:",
            "'also-covers' names the rule 'assume-role.role-arn.requird', expected an existing rule",
        ),
        (
            "wire.yaml",
            "- id: common.wire.charset",
            "- id: common.wire.get-query",
            "found the rule id 'common.wire.get-query' again, expected it once",
        ),
        (
            "refusals.yaml",
            "- refusal: missing-parameter",
            "- refusal: constraint-violation",
            "found the refusal 'constraint-violation' again, expected it once",
        ),
        (
            "assume-role.yaml",
            "operation: AssumeRole\n",
            "operation: AssumeRoot\n",
            "'operation': found 'AssumeRoot', expected 'AssumeRole'",
        ),
    ],
)
def test_a_name_that_leads_nowhere(copy: Path, file: str, old: str, new: str, says: str) -> None:
    spoil(copy / file, old, new)
    with pytest.raises(loader.SpecError) as caught:
        contract.load(copy)
    message = str(caught.value)
    assert re.match(rf"{re.escape(str(copy / file))}:\d+: ", message)
    assert says in message
    assert "\n" not in message
    line = int(message.removeprefix(f"{copy / file}:").partition(":")[0])
    named = new.splitlines()[0].removeprefix("- ")
    assert named in (copy / file).read_text(encoding="utf-8").splitlines()[line - 1]


def test_a_missing_file(copy: Path) -> None:
    (copy / "sdk.yaml").unlink()
    with pytest.raises(loader.SpecError, match=r"sdk\.yaml: no such file"):
        contract.load(copy)


# --- immutability


def test_the_contract_cannot_be_changed(whole: Contract) -> None:
    operation = whole.operations["AssumeRole"]
    frozen: list[BaseModel] = [
        operation,
        operation.input["RoleArn"],
        operation.rules[0],
        operation.rules[0].cases[0],
        operation.rules[0].cases[0].request,
        whole.refusals["constraint-violation"],
        whole.coverage,
    ]
    for model in frozen:
        field = next(iter(type(model).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, field, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        whole.hash = ""  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        whole.rules["assume-role.role-arn.type"].id = ""  # type: ignore[misc]


def test_every_model_is_frozen_and_knows_its_keys() -> None:
    from specs import model  # noqa: PLC0415 - looked through, not used

    models = [m for m in vars(model).values() if isinstance(m, type) and issubclass(m, model.Doc)]
    assert len(models) > 20
    for one in models:
        assert one.model_config["frozen"] is True
        assert one.model_config["extra"] == "forbid"


def test_the_hash_is_of_the_files(copy: Path, whole: Contract) -> None:
    assert contract.load(copy).hash == whole.hash
    with (copy / "documents.yaml").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    contract.load.cache_clear()
    assert contract.load(copy).hash != whole.hash


@pytest.mark.parametrize(
    ("name", "kebab"),
    [
        ("RoleArn", "role-arn"),
        ("SAMLAssertion", "saml-assertion"),
        ("AssumeRoleWithSAML", "assume-role-with-saml"),
        ("arn", "arn"),
        ("MFASerial", "mfa-serial"),
    ],
)
def test_kebab(name: str, kebab: str) -> None:
    assert contract.kebab(name) == kebab
