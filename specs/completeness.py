"""Whether the contract accounts for its sources: every statement of the ledger, every piece of evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specs import loader
from specs.contract import EVIDENCE
from specs.model import ObservedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from specs.contract import Contract
    from specs.model import Observation


@dataclass(frozen=True, slots=True)
class Account:
    """Where each statement of the ledger stands."""

    covered: frozenset[str]
    listed: frozenset[str]
    faults: tuple[str, ...]  # one line each; empty when every statement is accounted for just once


def account(contract: Contract, ledger: AbstractSet[str]) -> Account:
    """Hold coverage.yaml and the rules' own ids against the ids of the ledger."""
    covered = frozenset(ledger_id for rule in contract.rules.values() for ledger_id in rule.ledger)
    listed = Counter(s for entry in contract.coverage.not_covered for s in entry.statements)
    faults = [
        *(f"'{i}' is neither covered by a rule nor listed" for i in sorted(ledger - covered - set(listed))),
        *(f"'{i}' is covered by a rule and listed as not covered" for i in sorted(covered & set(listed))),
        *(f"'{i}' is listed {n} times" for i, n in sorted(listed.items()) if n > 1),
        *(f"'{i}' is no statement of the ledger" for i in sorted((covered | set(listed)) - ledger)),
        *_idle(contract),
    ]
    return Account(covered, frozenset(listed), tuple(faults))


def _idle(contract: Contract) -> Iterator[str]:
    """Entries of also-covers that say nothing new."""
    for rule, statements in contract.coverage.also_covers.items():
        for statement in statements:
            if statement in contract.rules:
                yield f"'{statement}' bears the id of a rule; '{rule}' need not cover it"
        for statement, times in Counter(statements).items():
            if times > 1:
                yield f"'{rule}' names '{statement}' {times} times"


def observations(path: Path = EVIDENCE / "observed.yaml") -> dict[str, Observation]:
    """Return the answers of the real AWS by id."""
    return {entry.id: entry for entry in loader.load(path, ObservedFile).observations}


def cited(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield (who cites, id) for every piece of evidence that the contract cites."""
    for rule in contract.rules.values():
        yield from ((f"rule '{rule.id}'", evidence) for evidence in rule.source.evidence)
    for _, spec in contract.written:
        for case in spec.cases:
            yield from ((f"case '{spec.id}/{case.case}'", evidence) for evidence in case.evidence)
    for refusal in contract.refusals.values():
        for answer in refusal.answers:
            yield from ((f"refusal '{refusal.refusal}'", evidence) for evidence in answer.source.evidence)
    for operation in contract.operations.values():
        for name, member in (*operation.input.items(), *operation.output.items()):
            for contest in member.contested:
                yield from ((f"member {operation.operation}.{name}", e) for e in contest.evidence)


def evidence_faults(contract: Contract, observed: dict[str, Observation]) -> list[str]:
    """Tell which citations lead nowhere."""
    return [
        f"{who} cites the evidence '{evidence}', expected an id of observed.yaml"
        for who, evidence in cited(contract)
        if evidence not in observed
    ]
