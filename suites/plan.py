"""`--plan`: every case that would be sent, as JSON, with nothing sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from generators import everything
from generators.restrain import restrained
from specs.contract import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.case import Case
    from generators.expectation import Expectation

_SIGNED = {"header": "sigv4", "query": "sigv4-query", "none": "none"}


def plan(ids: Sequence[str], *, restrain: bool) -> str:
    """Return the plan of these cases; `restrain` as for a real account."""
    wanted = set(ids)
    cases = [case for case in everything.cases() if case.id in wanted]
    shown = {rule for case in cases for rule in case.rules}
    document = {
        "rules": [_rule(rule) for rule in load().rules if rule in shown],
        "cases": [_case(restrained(case) if restrain else case) for case in cases],
    }
    return json.dumps(document, ensure_ascii=True, indent=1) + "\n"


def _rule(rule_id: str) -> dict[str, Any]:
    rule = load().rules[rule_id]
    return {
        "id": rule.id,
        "statement": rule.statement,
        "level": rule.level.value,
        "authority": rule.authority.value,
        "source": f"{load().documents[rule.source.document].title}: {rule.source.heading}",
        "ledger": list(rule.ledger),
    }


def _case(case: Case) -> dict[str, Any]:
    signing = case.request.signing
    return {
        "id": case.id,
        "rules": list(case.rules),
        "operation": case.operation,
        "level": case.level.value,
        "method": _method(case),
        "path": case.request.path,
        "authentication": _SIGNED[signing.by],
        "caller": case.request.caller or None,
        "parameters": [[name, value] for name, value in case.request.parameters],
        "expectation": _expectation(case.expectation),
        "control": case.control or None,
        "needs": sorted(case.needs),
        "made-before": [fixture.key for fixture in case.fixtures],
        "sent-before": [
            {
                "operation": step.request.operation,
                "caller": step.request.caller or None,
                "parameters": [[name, value] for name, value in step.request.parameters],
                "keep": step.keep,
            }
            for step in case.setup
        ],
    }


def _method(case: Case) -> str:
    # What boto3 presigns is fetched, whatever the case says of its method.
    return "GET" if case.client == "boto3" and case.request.signing.by == "query" else case.request.method


def _expectation(expectation: Expectation) -> dict[str, Any]:
    answers: dict[tuple[int, str], list[str]] = {}
    refusal = expectation.refusal
    for answer in refusal.answers if refusal is not None else ():
        codes = answers.setdefault((answer.status, answer.authority.value), [])
        if answer.code is not None and answer.code not in codes:
            codes.append(answer.code)
    return {
        "outcome": expectation.outcome,
        "refusal": refusal.refusal if refusal is not None else None,
        "answers": [
            {"status": status, "codes": codes, "authority": authority}
            for (status, authority), codes in answers.items()
        ],
    }
