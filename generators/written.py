"""Cases of the hand-written rules: what YAML says of a request, made into one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from generators.case import Case, Parameters, Request
from generators.expectation import Expectation, placeholders
from generators.plain import NEEDS, NEXT_REFUSAL, incompressible, plain, tag_parameters
from specs.contract import ROOT, kebab, place_of
from specs.loader import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specs.contract import Contract
    from specs.model import CaseSpec, RequestSpec, RuleSpec

# Values too long to be written out in YAML.
LONG_VALUES: dict[str, Parameters] = {
    "${fifty-long-tags}": tag_parameters(
        50,
        key=lambda n: incompressible(128, f"key-{n}"),
        value=lambda n: incompressible(256, f"value-{n}"),
    )
}


def cases(contract: Contract) -> Iterator[Case]:
    """Yield the cases of all hand-written rules."""
    for owner, rule in contract.written:
        for spec in rule.cases:
            yield _case(contract, owner, rule, spec)


def _case(contract: Contract, owner: str, rule: RuleSpec, spec: CaseSpec) -> Case:
    operation = spec.request.operation
    request = build(contract, spec.request)
    return Case(
        id=f"{rule.id}/{spec.case}",
        rules=(rule.id,),
        operation=owner if owner != "common" else operation,
        theme=rule.theme,
        level=rule.level,
        request=request,
        expectation=_expectation(contract, spec, request),
        control=_control(rule, spec),
        needs=frozenset(spec.needs) | NEEDS.get(operation, frozenset()) - _without_need(spec),
        evidence=spec.evidence,
        client="boto3" if rule.theme == "sdk" else "wire",
        pinned=frozenset(name.split(".")[0] for name in spec.request.with_) | _looked_at(spec),
    )


def _looked_at(spec: CaseSpec) -> frozenset[str]:
    """Members whose absence the checks rely on."""
    about = " ".join(str(check.at) for check in spec.check)
    return frozenset({"Policy"}) if "PackedPolicySize" in about else frozenset()


def _without_need(spec: CaseSpec) -> frozenset[str]:
    """Waive long-term keys where a session must be refused for being one."""
    caller = spec.request.signing.caller
    return frozenset({"long-term-keys"}) if caller in {"session", "session-token-user"} else frozenset()


def _control(rule: RuleSpec, spec: CaseSpec) -> str:
    if spec.control is not None:
        return spec.control
    if spec.expect == NEXT_REFUSAL.get(spec.request.operation):  # it is all that such a request can meet
        return ""
    control = f"{kebab(spec.request.operation)}.wire.request.action/served"
    if f"{rule.id}/{spec.case}" == control or (spec.expect.startswith("success") and not spec.check):
        return ""
    return control


def _expectation(contract: Contract, spec: CaseSpec, request: Request) -> Expectation:
    wants_json = any("json" in value for name, value in request.headers if name.lower() == "accept")
    any_body = wants_json or request.method in {"HEAD", "OPTIONS"}
    if spec.expect == "success":
        return Expectation("success", None, spec.check, any_body=any_body)
    if spec.expect.startswith("success or "):
        refusal = contract.refusals[spec.expect.removeprefix("success or ")]
        return Expectation("either", refusal, spec.check, any_body=any_body)
    return Expectation("refusal", contract.refusals[spec.expect], spec.check)


def build(contract: Contract, spec: RequestSpec) -> Request:
    """Make the request that `spec` describes as a difference to the plain one."""
    request = plain(contract, spec.operation)
    signing = spec.signing if "signing" in spec.model_fields_set else request.signing
    for name, value in spec.with_.items():
        if value is None:
            if name not in dict(request.parameters):
                place = place_of(ROOT, f"{name}: null")
                raise SpecError(f"{place}: {name} is taken out of {spec.operation}, but is not in its plain request")
            request = request.without(name)
        elif value in LONG_VALUES:
            request = request.with_parameters(*LONG_VALUES[str(value)])
        else:
            request = request.with_parameters((name, str(value)))
    return replace(
        request,
        parameters=_parameters(request.parameters, spec),
        method=spec.method,
        path=spec.path,
        send=spec.send,
        content_type=spec.content_type,
        headers=tuple(spec.headers.items()),
        space=spec.space,
        body_bytes=spec.body_bytes,
        raw_query=spec.raw_query,
        signing=signing,
    )


def _parameters(parameters: Parameters, spec: RequestSpec) -> Parameters:
    override = {"Action": spec.action, "Version": spec.version}
    found = [
        (name, override[name] if override.get(name) is not None else value)
        for name, value in parameters
        if name not in spec.leave_out
    ]
    if spec.reverse:
        found.reverse()
    return (*spec.first, *found, *spec.last)


def needed_values(case: Case) -> frozenset[str]:
    """Names of the values of the run that a case cannot do without."""
    requests = (*(step.request for step in case.setup), case.request)
    texts = [value for request in requests for _, value in request.parameters if value]
    texts += [text for check in case.expectation.checks for text in (check.matches, check.differs) if text]
    texts += [recipe.says for recipe in case.recipes]
    return frozenset().union(*(placeholders(text) for text in texts))
