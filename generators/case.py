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
    encoding: str = ""  # of percent escapes: '' as botocore does, 'lower' case digits, 'all' characters escaped
    body_bytes: int | None = None
    raw_query: str = ""  # put into the query string as it is
    raw_body: str = ""  # put at the end of the form as it is, each character a byte
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
    """What a case needs made through IAM, once a run however many cases need the like.

    Texts hold ${...}: keys of other fixtures stand for their ARNs, and those are made before.
    """

    key: str  # tells it from all that are not alike: 'role-1f3870be', 'user-...'; its ARN is the value of that name
    kind: str  # 'role', 'user', 'policy', 'saml' or 'openid': identity providers
    account: str = "first"  # or 'second'
    trust: str = ""  # of roles: the trust policy, JSON
    policy: str = ""  # of roles and users: their own policy, '' for none; of managed policies: the document; JSON
    tags: tuple[tuple[str, str], ...] = ()
    max_session_seconds: int = 3600  # of roles
    removed: bool = False  # of roles: removed as soon as a step has kept a session of it
    keys: str = "active"  # of users: their access key; or 'inactive', 'deleted'
    mfa: bool = False  # of users: have an MFA device
    audiences: tuple[str, ...] = ()  # of OpenID Connect providers
    reachable: bool = True  # of OpenID Connect providers: their keys can be fetched


@dataclass(frozen=True, slots=True)
class Recipe:
    """A token of an identity provider, signed anew for each request that holds it."""

    name: str  # the value that it becomes: 'token-1f3870be'
    issuer: str  # key of the provider's fixture
    says: str  # what it says, JSON: fields of AssertionSpec or TokenSpec; with ${...}


@dataclass(frozen=True, slots=True)
class Step:
    """A call that must be granted before a case is sent.

    The credentials that it hands out become the caller `keep`; `${keep.PATH}` is the text at a path of its answer.
    """

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
    recipes: tuple[Recipe, ...] = ()  # of the tokens in its own request and in those of its setup
    after: int = 0  # seconds that must have passed since the last of its setup
    tried: str = ""  # name of the property that it is tried for with many examples; its own request is one of them
    told_by: frozenset[str] = frozenset()  # of a property: rules whose cases tell parts of it; these it leaves out
    pinned: frozenset[str] = field(default=frozenset())  # members whose presence or absence is the point

    def __repr__(self) -> str:
        # Allure makes a test's history of its parameters' texts; sets inside stand in another order in each run.
        return f"Case({self.id!r})"

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
