"""Cases from what the contract promises of answers: envelope, elements, data types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from generators.case import Case, Parameters, Request
from generators.expectation import Expectation
from generators.plain import GRANTED, NEEDS, plain
from specs.contract import XML_NAMESPACE, kebab
from specs.model import CheckSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specs.contract import Contract, Rule
    from specs.model import Member, OperationSpec

_FORMS = {
    "string": r"(?s).*\S.*",
    "integer": r"-?\d+",
    "timestamp": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})",
}
# What makes a conditional element appear.
_BRINGS: dict[str, Parameters] = {
    "SourceIdentity": (("SourceIdentity", "alice"),),
    "PackedPolicySize": (("Tags.member.1.Key", "Project"), ("Tags.member.1.Value", "Unicorn")),
}
# Whose answer must hold a source identity: the request names one, or the assertion or token of the run does.
_BEARS_SOURCE_IDENTITY = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})


def cases(contract: Contract) -> Iterator[Case]:
    """Yield the cases that look at granted answers."""
    for spec in contract.operations.values():
        yield from _envelope(contract, spec)
        for name, element in spec.output.items():
            prefix = f"{kebab(spec.operation)}.response.{kebab(name)}"
            yield from _element(contract, spec, prefix, name, element)


def _case(operation: str, rule: Rule, suffix: str, request: Request, check: CheckSpec) -> Case:
    needs = NEEDS.get(operation, frozenset())
    control = f"{kebab(operation)}.wire.request.action/served"
    if operation in GRANTED:
        need, members = GRANTED[operation]
        request, needs = request.with_parameters(*members), needs | {need}
    return Case(
        id=f"{rule.id}/{suffix}",
        rules=(rule.id,),
        operation=operation,
        theme="response",
        level=rule.level,
        request=request,
        expectation=Expectation("success", checks=(check,)),
        control=control,
        needs=needs,
        pinned=frozenset({"Policy", "PackedPolicySize"}) if "packed" in rule.id else frozenset(),
    )


def _envelope(contract: Contract, spec: OperationSpec) -> Iterator[Case]:
    operation, request = spec.operation, plain(contract, spec.operation)
    for trait, check in (
        ("root", CheckSpec(root=f"{operation}Response")),
        ("xmlns", CheckSpec(namespace=XML_NAMESPACE)),
        ("result", CheckSpec(at=spec.result_wrapper)),
        ("request-id", CheckSpec(at="ResponseMetadata/RequestId", matches=r"\S+")),
    ):
        rule = contract.rules[f"{kebab(operation)}.wire.{trait}"]
        yield _case(operation, rule, "answer", request, check)


def _element(
    contract: Contract, spec: OperationSpec, prefix: str, name: str, element: Member
) -> Iterator[Case]:
    operation, path = spec.operation, f"{spec.result_wrapper}/{name}"
    brings = _BRINGS.get(name, ()) if name in {"PackedPolicySize", *spec.input} else ()
    request = plain(contract, operation).with_parameters(*brings)
    always = getattr(element, "presence", "always") == "always"
    form = _FORMS.get(element.type)
    expected = always or (name == "SourceIdentity" and operation in _BEARS_SOURCE_IDENTITY)
    check = CheckSpec(at=path, matches=form, when_present=not expected)
    yield _case(operation, contract.rules[prefix], "answer", request, check)
    if element.shape is not None:
        yield from _structure(contract, operation, path, element.shape, request)
        return
    for trait, narrower in _trait_checks(path, element, when_present=not always):
        yield _case(operation, contract.rules[f"{prefix}.{trait}"], "answer", request, narrower)


def _structure(contract: Contract, operation: str, path: str, shape: str, request: Request) -> Iterator[Case]:
    for name, member in contract.data_types[shape].members.items():
        prefix, inner = f"data-type.{kebab(shape)}.{kebab(name)}", f"{path}/{name}"
        suffix = kebab(operation)
        present = CheckSpec(at=inner, matches=r"(?s).+")
        kind = CheckSpec(at=inner, matches=_FORMS.get(member.type), when_present=True)
        yield _case(operation, contract.rules[f"{prefix}.required"], suffix, request, present)
        yield _case(operation, contract.rules[f"{prefix}.type"], suffix, request, kind)
        for trait, check in _trait_checks(inner, member, when_present=True):
            yield _case(operation, contract.rules[f"{prefix}.{trait}"], suffix, request, check)


def _trait_checks(path: str, member: Member, *, when_present: bool) -> Iterator[tuple[str, CheckSpec]]:
    if member.type == "integer" and member.range is not None and member.range.min == 0:
        yield "min", CheckSpec(at=path, matches=r"\d+", when_present=when_present)
    if member.length is not None and member.length.min is not None:
        yield "min-length", CheckSpec(at=path, min_length=member.length.min, when_present=when_present)
    if member.length is not None and member.length.max is not None:
        widest = max([member.length.max, *_claims(member)])
        yield "max-length", CheckSpec(at=path, max_length=widest, when_present=when_present)
    if member.pattern is not None:
        yield "pattern", CheckSpec(at=path, matches=as_python(member.pattern), when_present=when_present)


def _claims(member: Member) -> list[int]:
    contests = [c for c in member.contested if c.trait == "max-length"]
    claims = [v for c in contests for v in (c.documented, c.modelled, c.observed)]
    return [v for v in claims if isinstance(v, int)]


def as_python(pattern: str) -> str:
    r"""Translate a Java pattern to one of `re`: ASCII `\w` and `\d`; astral ranges as AWS means them."""
    text = pattern.replace(r"\w", "a-zA-Z_0-9").replace(r"\d", "0-9")
    return re.sub(r"\\u(10[0-9A-F]{4}|[1-9A-F][0-9A-F]{4})(?=[-\]])", lambda m: f"\\U{int(m[1], 16):08X}", text)
