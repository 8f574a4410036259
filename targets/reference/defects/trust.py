"""Defects of the rules about who may assume a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from targets.reference.defects import edits
from targets.reference.defects.registry import Defect
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from targets.reference.model import Role
    from targets.reference.service import Service

_DEMANDED = "conformance"  # by the role that the cases assume


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield Defect(
        "assume-role.trust.principal", "not-read", "any role that exists may be assumed",
        lambda service: edits.substitute(service.operations, "check_may_assume", _exists),
    )  # fmt: skip
    yield Defect(
        "assume-role.external-id.match", "not-compared", "any external id is the right one",
        edits.values("AssumeRole", lambda found: {**found, **dict.fromkeys({"ExternalId"} & set(found), _DEMANDED)}),
    )  # fmt: skip
    yield Defect(
        "assume-role.external-id.match", "not-missed", "without an external id, the right one is taken",
        edits.values("AssumeRole", lambda found: {"ExternalId": _DEMANDED, **found}),
    )  # fmt: skip
    yield Defect(
        "assume-role.external-id.match", "never-right", "a role that demands an external id is never assumed",
        edits.values("AssumeRole", lambda found: {k: v for k, v in found.items() if k != "ExternalId"}),
    )  # fmt: skip
    yield Defect(
        "assume-role-with-web-identity.config.trust", "not-read", "a token of any provider opens any role",
        _federating,
    )  # fmt: skip


def _exists(_caller: object, role: Role | None, *_more: object, **_named: Any) -> None:
    if role is None:
        raise Refused("role-not-assumable")


def _federating(service: Service) -> None:
    def exists(_kind: str, _identity: object, role: Role | None, _name: str) -> None:
        if role is None:
            raise Refused("role-not-assumable")

    edits.substitute(service.operations, "check_may_federate", exists)
