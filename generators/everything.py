"""All cases of the contract, in the order in which they are run and reported."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from generators import constraints, messages, property_cases, responses, scenarios, written
from generators.expectation import Expectation
from generators.federated import provided
from specs.contract import ROOT, load, place_of
from specs.loader import SpecError
from specs.model import CheckSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.case import Case
    from specs.contract import Contract


@cache
def cases() -> tuple[Case, ...]:
    """Return every case of the contract of this checkout; ids are unique, controls exist."""
    return tuple(generate(load()))


def generate(contract: Contract) -> list[Case]:
    """Derive every case of `contract`.

    Raises:
        SpecError: two cases bear one id, a control does not exist, or a rule has no case.
    """
    found = [
        *written.cases(contract),
        *constraints.cases(contract),
        *constraints.several_violations(contract),
        *_wording(contract),
        *responses.cases(contract),
        *scenarios.cases(contract),
        *property_cases.cases(contract),
    ]
    found = [provided(_evidenced(case)) for case in found]
    _check(contract, found)
    return found


def _wording(contract: Contract) -> Iterator[Case]:
    """At level exact, every violation is worded as AWS words it."""
    rule = contract.rules["common.error.validation-error.message"]
    for leaf in constraints.leaves(contract):
        for case in constraints.leaf_cases(leaf):
            clauses = messages.clauses(leaf, case)
            if not clauses:
                continue
            check = CheckSpec(message=messages.message_pattern(leaf, clauses))
            yield replace(
                case,
                id=f"{rule.id}/{case.id.replace('/', '.')}",
                rules=(rule.id,),
                theme=rule.theme,
                level=rule.level,
                expectation=Expectation("refusal", case.expectation.refusal, (check,)),
            )


# Generated cases that send just what AWS was observed to answer.
_EVIDENCE: dict[str, tuple[str, ...]] = {
    "assume-role.role-arn.required/left-out": ("ar-no-rolearn",),
    "assume-role.role-arn.required/empty": ("ar-empty-rolearn",),
    "assume-role.role-arn.max-length/2049": ("ar-overlong-rolearn",),
    "assume-role.role-session-name.max-length/65": ("ar-long-session-name",),
    "assume-role.duration-seconds.type/abc": ("ar-duration-nan",),
    "assume-role.duration-seconds.type/900.0": ("ar-duration-nan",),
    "assume-role.duration-seconds.type/2-to-31": ("ar-duration-nan",),
    "assume-role.duration-seconds.type/below-int": ("ar-duration-nan",),
    "assume-role.duration-seconds.type/empty": ("ar-duration-empty",),
    "assume-role.duration-seconds.min/900": ("ar-duration-ok-forms",),
    "assume-role.duration-seconds.max/43200": ("ar-duration-ok-forms",),
    "assume-role.duration-seconds.default/left-out": ("ar-duration-default",),
    "assume-role.source-identity.max-length/256": ("ar-sourceidentity-length",),
    "assume-role.source-identity.max-length/257": ("ar-sourceidentity-length",),
    "assume-role.token-code.length/7": ("ar-tokencode-constraints",),
    "assume-role.serial-number.type/sample": ("ar-mfa-unknown-device",),
    "assume-role-with-saml.duration-seconds.type/abc": ("saml-duration-malformed",),
    "assume-role-with-saml.role-arn.required/empty": ("saml-empty-arns",),
    "assume-role-with-web-identity.web-identity-token.required/left-out": ("wi-null-token",),
    "get-federation-token.policy.max-length/2049": ("gft-policy-too-long",),
    "get-session-token.serial-number.type/sample": ("gst-mfa-bad-device",),
    "get-session-token.duration-seconds.type/900.0": ("gst-duration-not-integer",),
    "get-session-token.duration-seconds.type/2-to-31": ("gst-duration-not-integer",),
    "get-session-token.duration-seconds.default/left-out": ("size-gst-regional", "size-gst-global-v1"),
    "get-web-identity-token.signing-algorithm.length/4": ("gwit-algorithm-short",),
    "get-web-identity-token.signing-algorithm.required/left-out": ("gwit-algorithm-missing",),
    "get-web-identity-token.audience.item.min-length/0": ("gwit-audience-empty-item",),
    "get-web-identity-token.audience.item.max-length/1001": ("gwit-audience-long-item",),
    "get-web-identity-token.audience.max-items/11": ("gwit-audience-eleven",),
    "get-web-identity-token.duration-seconds.min/59": ("gwit-duration-below",),
    "get-web-identity-token.duration-seconds.min/0": ("gwit-duration-below",),
    "get-web-identity-token.duration-seconds.max/3601": ("gwit-duration-above",),
    "get-web-identity-token.tags.max-items/51": ("gwit-tags-fifty-one",),
    "data-type.tag.key.min-length/get-web-identity-token.tags.0": ("gwit-tags-empty-key",),
    "data-type.tag.key.max-length/get-web-identity-token.tags.129": ("gwit-tags-long-key",),
    "assume-root.task-policy-arn.required/left-out": ("aroot-task-policy-missing",),
}


def _evidenced(case: Case) -> Case:
    evidence = _EVIDENCE.get(case.id)
    return replace(case, evidence=evidence) if evidence else case


def _check(contract: Contract, found: list[Case]) -> None:
    by_id: dict[str, Case] = {}
    for case in found:
        if case.id in by_id:
            raise _mistake(case.id.rpartition("/")[2], f"two cases bear the id '{case.id}', expected one")
        by_id[case.id] = case
    lost = next((case for case in found if case.control and case.control not in by_id), None)
    if lost is not None:
        raise _mistake(lost.control, f"the control '{lost.control}' of '{lost.id}' is no case; expected a case id")
    shown = {rule for case in found for rule in case.rules}
    bare = next((rule for rule in contract.rules if rule not in shown), None)
    if bare is not None:
        raise _mistake(bare, f"the rule '{bare}' has no case, expected at least one")


def _mistake(needle: str, complaint: str) -> SpecError:
    return SpecError(f"{place_of(ROOT, needle)}: {complaint}")
