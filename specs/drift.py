"""The contract held against botocore's service model: every difference is known and explained, or news.

Both are flattened to the same paths ('AssumeRole.input.Tags.length.max') and compared as text. What a
model cannot say (a default, a documented code) stands in the contract alone and so is a difference too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader

from specs.contract import API_VERSION, XML_NAMESPACE
from specs.loader import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specs.contract import Contract
    from specs.model import DriftFile, ErrorSpec, Member

ABSENT = "absent"
Facts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the contract and the model say differently."""

    path: str
    contract: str
    model: str


def installed_model() -> dict[str, Any]:
    """Return the model that the installed botocore ships, never one from the user's own folders."""
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH],
        include_default_search_paths=False,
    )
    try:
        model: dict[str, Any] = loader.load_service_model("sts", "service-2", API_VERSION)
    except BotoCoreError as error:
        raise SpecError(f"botocore {botocore.__version__}: no model of STS: {error}") from None
    return model


def differences(contract: Contract, model: Mapping[str, Any]) -> list[Difference]:
    """Compare; where something is missing altogether, its parts are not told one by one."""
    ours, theirs = _contract_facts(contract), _model_facts(model)
    found: dict[str, Difference] = {}
    for path in sorted({*ours, *theirs}, key=lambda p: p.split(".")):
        here, there = ours.get(path, ABSENT), theirs.get(path, ABSENT)
        if here != there and not any(parent in found for parent in _parents(path)):
            found[path] = Difference(path, here, there)
    return list(found.values())


def news(found: list[Difference], known: DriftFile) -> list[str]:
    """Tell, a line each, which differences are not listed, and which listed ones are gone."""
    listed = {Difference(entry.path, entry.contract, entry.model) for entry in known.differences}
    return [
        *(
            f"{new.path}: the contract says {new.contract}, the model {new.model}; not listed in drift.yaml"
            for new in found
            if new not in listed
        ),
        *(
            f"{entry.path}: drift.yaml lists {entry.contract} against {entry.model}; no such difference"
            for entry in known.differences
            if Difference(entry.path, entry.contract, entry.model) not in found
        ),
    ]


def _parents(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _contract_facts(contract: Contract) -> Facts:
    facts = {"service.api-version": API_VERSION, "service.xml-namespace": XML_NAMESPACE}
    for name, operation in contract.operations.items():
        facts[name] = "present"
        facts[f"{name}.authentication"] = operation.authentication
        facts[f"{name}.result-wrapper"] = operation.result_wrapper
        for member_name, member in operation.input.items():
            facts |= _member_facts(f"{name}.input.{member_name}", member)
        for element_name, element in operation.output.items():
            path = f"{name}.output.{element_name}"
            # Whether an element is always there is the documents' to say: the model requires none.
            facts |= {k: v for k, v in _member_facts(path, element).items() if k != f"{path}.required"}
            if element.presence == "deprecated":
                facts[f"{path}.deprecated"] = "true"
        for error in operation.errors:
            facts |= _error_facts(name, error)
    for name, data_type in contract.data_types.items():
        facts[name] = "present"
        for member_name, member in data_type.members.items():
            facts |= _member_facts(f"{name}.{member_name}", member)
    return facts


def _error_facts(operation: str, error: ErrorSpec) -> Facts:
    code = error.modelled or error.documented or ABSENT
    path = f"{operation}.errors.{code}"
    facts = {path: "present", f"{path}.status": str(error.status)}
    # Operations that only the model knows have no documented code to differ.
    facts[f"{path}.code"] = error.documented or code
    return facts


def _member_facts(path: str, member: Member) -> Facts:
    facts = {path: "present", f"{path}.type": member.type, f"{path}.required": _yes_no(member.required)}
    for name, bounds in (("length", member.length), ("range", member.range)):
        if bounds is not None:
            limits = (("min", bounds.min), ("max", bounds.max))
            facts |= {f"{path}.{name}.{key}": str(limit) for key, limit in limits if limit is not None}
    if member.pattern is not None:
        facts[f"{path}.pattern"] = member.pattern
    if member.default is not None:
        facts[f"{path}.default"] = str(member.default)
    if member.shape is not None:
        facts[f"{path}.shape"] = member.shape
    if member.member is not None:
        facts |= {k: v for k, v in _member_facts(f"{path}.member", member.member).items() if _told(k)}
    return facts


def _told(path: str) -> bool:
    """Whether the model can say this of a list's entries: it has no `required` for them."""
    return not path.endswith(".member.required")


def _model_facts(model: Mapping[str, Any]) -> Facts:
    metadata, shapes = model["metadata"], model["shapes"]
    facts = {
        "service.api-version": str(metadata.get("apiVersion", ABSENT)),
        "service.xml-namespace": str(metadata.get("xmlNamespace", ABSENT)),
    }
    structures: set[str] = set()
    for name, operation in model["operations"].items():
        output = operation.get("output", {})
        facts[name] = "present"
        facts[f"{name}.authentication"] = "none" if operation.get("authtype") == "none" else "sigv4"
        facts[f"{name}.result-wrapper"] = str(output.get("resultWrapper", ABSENT))
        for part in ("input", "output"):
            shape = shapes.get(operation.get(part, {}).get("shape"), {})
            for member_name, reference in shape.get("members", {}).items():
                path = f"{name}.{part}.{member_name}"
                required = member_name in shape.get("required", [])
                facts |= _shape_facts(path, reference, shapes, required=required if part == "input" else None)
                structures |= _structures(reference["shape"], shapes)
        for reference in operation.get("errors", []):
            error = shapes[reference["shape"]].get("error", {})
            path = f"{name}.errors.{error.get('code', reference['shape'])}"
            facts[path] = "present"
            facts[f"{path}.status"] = str(error.get("httpStatusCode", ABSENT))
            facts[f"{path}.code"] = str(error.get("code", reference["shape"]))
    for name in sorted(structures):
        facts[name] = "present"
        for member_name, reference in shapes[name].get("members", {}).items():
            required = member_name in shapes[name].get("required", [])
            facts |= _shape_facts(f"{name}.{member_name}", reference, shapes, required=required)
    return facts


def _shape_facts(
    path: str, reference: Mapping[str, Any], shapes: Mapping[str, Any], *, required: bool | None
) -> Facts:
    shape = shapes[reference["shape"]]
    kind = shape["type"]
    facts = {path: "present", f"{path}.type": kind}
    if required is not None:
        facts[f"{path}.required"] = _yes_no(required)
    limits = "range" if kind == "integer" else "length"
    facts |= {f"{path}.{limits}.{key}": str(shape[key]) for key in ("min", "max") if key in shape}
    if "pattern" in shape:
        facts[f"{path}.pattern"] = shape["pattern"]
    if reference.get("deprecated"):
        facts[f"{path}.deprecated"] = "true"
    if kind == "structure":
        facts[f"{path}.shape"] = reference["shape"]
    if kind == "list":
        facts |= _shape_facts(f"{path}.member", shape["member"], shapes, required=None)
    return facts


def _structures(name: str, shapes: Mapping[str, Any]) -> set[str]:
    """Names of the structures that a shape is or holds."""
    shape = shapes[name]
    if shape["type"] == "list":
        return _structures(shape["member"]["shape"], shapes)
    if shape["type"] != "structure":
        return set()
    inner = (_structures(reference["shape"], shapes) for reference in shape.get("members", {}).values())
    return {name}.union(*inner)


def _yes_no(value: bool) -> str:
    return "true" if value else "false"
