"""What a case is: one request with its expectation and the rules it covers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from specs.contract import API_VERSION
from specs.model import Signing

if TYPE_CHECKING:
    from generators.expectation import Expectation
    from specs.model import Level

FORM = "application/x-www-form-urlencoded; charset=utf-8"

# A parameter's value; None is the bare name without an equals sign. ${name} stands for a value of the run.
Parameters = tuple[tuple[str, str | None], ...]

CORRECT = Signing()  # by header, with the user's keys, nothing wrong


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the Query protocol, before the run's values are put in and it is signed."""

    operation: str
    parameters: Parameters  # Action and Version included, in the order sent
    method: str = "POST"
    path: str = "/"
    send: str = "form"  # or 'query'
    content_type: str | None = FORM
    headers: tuple[tuple[str, str], ...] = ()
    space: str = "+"  # or '%20', in form bodies
    body_bytes: int | None = None
    raw_query: str = ""  # put into the query string as it is
    signing: Signing = CORRECT
    principal: str = ""  # of a scenario: calls in the place of signing's caller

    @property
    def caller(self) -> str:
        """Name of the caller among those of the run; '' if the request is not signed."""
        return "" if self.signing.by == "none" else self.principal or self.signing.caller

    def with_parameters(self, *changes: tuple[str, str | None]) -> Request:
        """Set parameters: in place where the name is there, else at the end."""
        values = dict(self.parameters)
        values.update(changes)
        return replace(self, parameters=tuple(values.items()))

    def without(self, *names: str) -> Request:
        """Leave parameters out."""
        return replace(self, parameters=tuple(p for p in self.parameters if p[0] not in names))


@dataclass(frozen=True, slots=True)
class Fixture:
    """A role or a user that a scenario needs made, once a run however many scenarios need the like."""

    key: str  # tells it from all that are not alike: 'role-1f3870be', 'user-...'; its ARN is the value of that name
    trusts: tuple[str, ...] = ()  # of roles: 'account', 'user', keys of other fixtures
    when: str = "{}"  # of roles: the condition of the trust policy, JSON
    grants: tuple[str, ...] = ()  # of roles: what the trust policy grants
    allows: tuple[str, ...] = ()
    denies: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    max_session_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """A call that must be granted before a case is sent; what it hands out becomes the caller `keep`."""

    request: Request
    keep: str


@dataclass(frozen=True, slots=True)
class Case:
    """One request, what must come back, and what that shows."""

    id: str  # rule id, a slash, a readable suffix: the same for ever
    rules: tuple[str, ...]
    operation: str
    theme: str
    level: Level
    request: Request
    expectation: Expectation
    control: str = ""  # id of the case that must conform for this one to count
    needs: frozenset[str] = frozenset()  # names of what the target must have
    evidence: tuple[str, ...] = ()  # entries of observed.yaml that are this very request
    client: str = "wire"  # or 'boto3'
    fixtures: tuple[Fixture, ...] = ()  # in the order in which they can be made
    setup: tuple[Step, ...] = ()  # in the order in which they are sent
    pinned: frozenset[str] = field(default=frozenset())  # members whose presence or absence is the point

    @property
    def rule(self) -> str:
        """The rule that gives the case its name."""
        return self.id.partition("/")[0]


def plain_request(operation: str, members: Parameters, *, signed: bool) -> Request:
    """Build the form POST of `operation` with `members`, nothing special about it."""
    return Request(
        operation=operation,
        parameters=(("Action", operation), ("Version", API_VERSION), *members),
        signing=CORRECT if signed else Signing(by="none"),
    )
