"""The typed form of the contract's YAML files, exactly as an author writes them.

Terms are Smithy's: operation, input, output, member, shape, length, range, pattern, required.
Every model is frozen and refuses unknown keys, so that a typo is an error and not a silence.
What the files promise when read together stands in `specs.contract`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictInt, StringConstraints, model_validator


class Authority(StrEnum):
    """Who says so."""

    DOCUMENTED = "documented"  # the documents listed in documents.yaml
    MODELLED = "modelled"  # botocore's service model
    OBSERVED = "observed"  # an answer of the real AWS, listed in evidence/observed.yaml


class Level(StrEnum):
    """How much hangs on a rule; levels are scored apart."""

    MUST = "must"  # accepted or refused, status, error code, response shape
    SHOULD = "should"  # documented detail that few clients depend on
    EXACT = "exact"  # AWS as observed: message text, layout, headers, redirects


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class Doc(BaseModel):
    """Base of everything that is written in YAML: keys in kebab-case, nothing unknown, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_dashed, populate_by_name=True)


RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class Bounds(Doc):
    """Inclusive limits; of characters (Unicode scalar values), items, or a number."""

    min: int | None = None
    max: int | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Bounds:
        if self.min is None and self.max is None:
            raise ValueError("found neither min nor max, expected one or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"found min {self.min} above max {self.max}, expected it no higher")
        return self


Trait = Literal["min", "max", "min-length", "max-length", "min-items", "max-items", "pattern"]


class Contest(Doc):
    """A trait on which the authorities differ: what each of them claims; null is 'no limit'."""

    trait: Trait
    documented: int | str | None = None
    modelled: int | str | None = None
    observed: int | str | None = None
    evidence: tuple[str, ...] = Field(default=(), description="Ids in evidence/observed.yaml")
    note: Text


class Member(Doc):
    """A member of an input, output or data type, with its traits."""

    type: Literal["string", "integer", "timestamp", "list", "structure"]
    required: bool = False
    length: Bounds | None = Field(default=None, description="Of a string in characters, of a list in items")
    range: Bounds | None = Field(default=None, description="Of an integer")
    pattern: str | None = Field(default=None, description="Java regular expression; matches the whole value")
    default: int | None = Field(default=None, description="What leaving the member out means")
    shape: str | None = Field(default=None, description="Name of a data type, for structures")
    member: Member | None = Field(default=None, description="What a list holds")
    authority: Authority = Authority.DOCUMENTED
    level: Level = Level.MUST
    contested: tuple[Contest, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Member:
        if (self.type == "structure") != (self.shape is not None):
            raise ValueError("a structure, and nothing else, names its shape")
        if (self.type == "list") != (self.member is not None):
            raise ValueError("a list, and nothing else, says what its member is")
        if self.range is not None and self.type != "integer":
            raise ValueError(f"range belongs to an integer, not to a {self.type}")
        if self.length is not None and self.type not in {"string", "list"}:
            raise ValueError(f"length belongs to a string or a list, not to a {self.type}")
        if self.pattern is not None and self.type != "string":
            raise ValueError(f"pattern belongs to a string, not to a {self.type}")
        return self


class Source(Doc):
    """Where a statement stands."""

    document: Slug = Field(default="api-reference", description="Key in documents.yaml")
    heading: Text
    evidence: tuple[str, ...] = Field(default=(), description="Ids in evidence/observed.yaml")


class Signing(Doc):
    """How a request is signed, and what is wrong with that."""

    by: Literal["header", "query", "none"] = "header"
    caller: Literal[
        "user",  # the long-term keys of the IAM user that the run has
        "unknown-key",  # a well-formed key id that nobody has
        "wrong-secret",  # the user's key id with another secret
        "session",  # credentials from AssumeRole
        "session-without-token",
        "session-with-garbage-token",
        "session-wrong-secret",
        "federated-user",  # credentials from GetFederationToken
        "session-token-user",  # credentials from GetSessionToken
    ] = "user"
    service: str | None = None
    region: str | None = None
    skew_seconds: int = Field(default=0, description="Added to the clock that dates the signature")
    expires_seconds: int | None = Field(default=None, description="X-Amz-Expires of a presigned request")
    date_header: Literal["x-amz-date", "date", "both-differ"] = "x-amz-date"
    alter: (
        Literal[
            "body-after-signing",
            "unsigned-payload",
            "drop-signature",
            "drop-algorithm",
            "date-format",
            "drop-credential",
            "drop-signed-headers",
            "drop-date",
            "not-key-value",
            "algorithm",
            "scope-date",
            "credential-parts",
            "host-not-signed",
            "signature-flipped",
            "header-and-query",
        ]
        | None
    ) = None


class RequestSpec(Doc):
    """A request, as the difference to the plain successful request of its operation."""

    operation: str
    with_: dict[str, str | StrictInt | None] = Field(
        default_factory=dict, alias="with", description="Wire parameters set, or removed by null"
    )
    first: tuple[tuple[str, str], ...] = Field(default=(), description="Parameters put before all others")
    last: tuple[tuple[str, str], ...] = Field(default=(), description="Parameters put after all others")
    reverse: bool = Field(default=False, description="Parameters in the opposite order")
    action: str | None = Field(default=None, description="Another Action than the operation's; '' is empty")
    version: str | None = None
    leave_out: tuple[Literal["Action", "Version"], ...] = ()
    method: str = "POST"
    path: str = "/"
    send: Literal["form", "query"] = Field(default="form", description="Where the parameters travel")
    raw_query: str = Field(default="", description="Put into the query string as it is")
    content_type: str | None = Field(
        default="application/x-www-form-urlencoded; charset=utf-8", description="null leaves it out"
    )
    headers: dict[str, str] = Field(default_factory=dict)
    space: Literal["+", "%20"] = "+"
    body_bytes: int | None = Field(
        default=None, description="Pad the body to this size with an ignored member"
    )
    signing: Signing = Signing()


class CheckSpec(Doc):
    """What a case looks at in an answer. `at` is a path of local names below the root element."""

    root: str | None = None
    namespace: str | None = None
    at: str | None = None
    matches: str | None = Field(
        default=None, description="The whole text matches; ${...} are values of the run"
    )
    absent: bool = False
    when_present: bool = Field(default=False, description="Only if the element is there")
    min_length: int | None = None
    max_length: int | None = None
    lifetime_seconds: int | None = Field(default=None, description="The timestamp at `at`, from now")
    differs: str | None = Field(default=None, description="The text is another than this; ${...} as in matches")
    json_at: str | None = Field(
        default=None, description="A path into the text, which is JSON: keys and slashes; what stands there counts"
    )
    jwt: Literal["header", "claims"] | None = Field(
        default=None, description="The text is a JSON web token: `json_at` looks into this part of it"
    )
    same_as_header: str | None = Field(
        default=None, description="The text at `at` equals this header's value"
    )
    same_as: str | None = Field(
        default=None, description="The text at `at` equals that at this path, where there is something"
    )
    unless_share_of: str | None = Field(
        default=None,
        description="Not looked at where it is the percentage that the token at this path has of 4,096 characters",
    )
    header: str | None = None
    header_matches: str | None = None
    order: tuple[str, ...] = Field(default=(), description="Children of `at` in just this order")
    layout: str | None = Field(default=None, description="Regular expression of the whole body")
    message: str | None = Field(default=None, description="Regular expression of the whole error message")
    no_message: bool = False


class CaseSpec(Doc):
    """One case of a hand-written rule."""

    case: Slug
    request: RequestSpec
    expect: str = Field(description="'success', the name of a refusal, or 'success or REFUSAL'")
    check: tuple[CheckSpec, ...] = ()
    control: str | None = Field(default=None, description="Case id; default: the operation's plain request")
    needs: tuple[Slug, ...] = ()
    evidence: tuple[str, ...] = Field(
        default=(), description="Entries of observed.yaml that are this request"
    )


class RuleSpec(Doc):
    """A hand-written rule: a statement in our own words, and the cases that show it."""

    id: RuleId
    statement: Text
    source: Source
    level: Level = Level.MUST
    authority: Authority = Authority.DOCUMENTED
    theme: Literal["wire", "authentication", "response", "error", "default", "constraint", "sdk", "operation"]
    cases: tuple[CaseSpec, ...] = Field(min_length=1)


class ErrorSpec(Doc):
    """An error that an operation declares."""

    documented: str | None = Field(default=None, description="Code in the API reference")
    modelled: str | None = Field(default=None, description="Code in botocore's model")
    status: int
    refusal: str = Field(description="Name in refusals.yaml")


class OutputMember(Member):
    """A response element."""

    presence: Literal["always", "conditional", "deprecated"] = "conditional"


class OperationSpec(Doc):
    """One operation of the API."""

    operation: str
    authority: Authority = Authority.DOCUMENTED
    authentication: Literal["sigv4", "none"] = "sigv4"
    result_wrapper: str
    input: dict[str, Member] = Field(default_factory=dict)
    output: dict[str, OutputMember] = Field(default_factory=dict)
    errors: tuple[ErrorSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()


class DataTypeSpec(Doc):
    """A structure that inputs or outputs are made of."""

    authority: Authority = Authority.DOCUMENTED
    used_in: Literal["input", "output"]
    members: dict[str, Member]


class DataTypesFile(Doc):
    """data-types.yaml."""

    data_types: dict[str, DataTypeSpec]


FixtureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Conditions = dict[str, dict[str, str | tuple[str, ...]]]  # operator, key, value or values


class PermissionSpec(Doc):
    """Actions that a policy allows or denies."""

    do: tuple[Text, ...]
    on: tuple[Text, ...] = Field(default=("*",), description="Resources; $name is the ARN of a role given before")
    when: Conditions = Field(default_factory=dict, description="Conditions: operator, key, value")


class PolicySpec(Doc):
    """A policy document, as what it allows and denies: actions on everything, or permissions."""

    allows: tuple[Text | PermissionSpec, ...] = ()
    denies: tuple[Text | PermissionSpec, ...] = ()


class PolicyFixture(PolicySpec):
    """A managed policy."""

    account: Literal["first", "second"] = "first"


class RoleFixture(PolicySpec):
    """A role that a scenario needs, with its own policy."""

    trusts: tuple[str, ...] = Field(
        default=("account",),
        description="Who may assume it: account, second-account, user, or names of what is given before",
    )
    when: Conditions = Field(default_factory=dict, description="Conditions of the trust policy: operator, key, value")
    grants: tuple[Text, ...] = Field(
        default=(), description="What the trust policy grants; default: to assume, to tag, to set a source identity"
    )
    max_session_duration: int = Field(default=3600, ge=3600, le=43200, description="Seconds")
    tags: dict[str, str] = Field(default_factory=dict)
    account: Literal["first", "second"] = "first"
    removed: bool = Field(default=False, description="Removed as soon as a step has kept a session of it")


class UserFixture(PolicySpec):
    """A user with keys that a scenario needs, with its own policy."""

    tags: dict[str, str] = Field(default_factory=dict)
    account: Literal["first", "second"] = "first"
    mfa: bool = Field(default=False, description="Has an MFA device, whose codes are good once")
    keys: Literal["active", "inactive", "deleted"] = "active"


class SamlFixture(Doc):
    """A SAML identity provider, registered with the account."""


class OpenIdFixture(Doc):
    """An OpenID Connect provider, registered with the account."""

    audiences: tuple[Text, ...] = Field(default=("sts-conformance",), description="Client ids that are registered")
    reachable: bool = Field(default=True, description="Whether its keys can be fetched")


class GivenSpec(Doc):
    """What a scenario needs made; names are its own."""

    saml: dict[FixtureName, SamlFixture] = Field(default_factory=dict)
    openid: dict[FixtureName, OpenIdFixture] = Field(default_factory=dict)
    policies: dict[FixtureName, PolicyFixture] = Field(default_factory=dict)
    users: dict[FixtureName, UserFixture] = Field(default_factory=dict)
    roles: dict[FixtureName, RoleFixture] = Field(default_factory=dict)


SpoiltAssertion = Literal[
    "unsigned", "foreign-key", "tampered", "empty-signature", "sha1", "sha1-digest", "not-base64", "not-xml",
    "not-saml", "no-assertion", "no-issuer", "two-assertions", "commented", "doctype", "entities",
    "external-entity", "nested", "no-conditions", "no-authn-statement", "not-before-word", "response-issuer",
    "response-signature", "xsw1", "xsw2", "xsw3", "xsw4", "xsw5", "xsw6", "xsw7", "xsw8", "same-id",
]  # fmt: skip
SpoiltToken = Literal[
    "not-jwt", "truncated", "unsigned", "alg-none", "alg-none-disguised", "hmac", "foreign-key", "embedded-key",
    "unknown-key-id", "tampered", "unknown-critical",
]  # fmt: skip


class AssertionSpec(Doc):
    """A SAML assertion, good unless told otherwise; null leaves a part out. Times are seconds."""

    from_: str = Field(alias="from", description="$name of a SAML provider given")
    role: str | None = Field(default=None, description="$name or ARN; default: the RoleArn of the call")
    provider: str | None = Field(default=None, description="$name or ARN; default: the PrincipalArn of the call")
    provider_first: bool = Field(default=False, description="Name the provider before the role")
    subject: str | None = None
    subject_format: str | None = None
    session_name: str | None = None
    session_seconds: int | str | None = Field(default=None, description="SessionDuration")
    session_end: int | None = Field(default=None, description="SessionNotOnOrAfter, from now")
    source_identity: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    recipient: str | None = None
    audience: str | None = None
    issuer: str | None = None
    status: str | None = None
    method: str | None = None
    confirmations: int = 1
    issued: int = Field(default=0, description="From now")
    begins: int | None = Field(default=None, description="NotBefore, after issued")
    ends: int | None = Field(default=None, description="NotOnOrAfter, after issued")
    confirmed: int | None = Field(default=None, description="Of the SubjectConfirmation, after issued")
    signed: Literal["response", "assertion", "both"] = "assertion"
    spoilt: SpoiltAssertion | None = None


class TokenSpec(Doc):
    """An OpenID Connect token, good unless told otherwise. Times are seconds."""

    from_: str = Field(alias="from", description="$name of an OpenID Connect provider given")
    subject: str = "sts-conformance"
    audience: str | tuple[str, ...] = "sts-conformance"
    issuer: str | None = Field(default=None, description="default: the provider's")
    issued: int = Field(default=0, description="From now")
    lasts: int = Field(default=900, description="exp, after issued")
    begins: int | None = Field(default=None, description="nbf, after issued")
    methods: tuple[str, ...] = Field(default=(), description="amr")
    source_identity: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    without: tuple[Literal["iss", "sub", "aud", "iat", "exp"], ...] = Field(default=(), description="Claims left out")
    more: dict[str, JsonValue] = Field(default_factory=dict, description="Further claims")
    algorithm: Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"] = "RS256"
    key_id: bool = Field(default=True, description="Whether the header names the key")
    spoilt: SpoiltToken | None = None


class StepSpec(Doc):
    """A call of a scenario. With `keep` it must be granted, and others may build on what it hands out.

    `$name` is the ARN of what is given, or the credentials of what was kept; `$name.part` is a part of it.
    """

    call: str
    as_: str = Field(
        default="user", alias="as", description="user, root, or $name of a user given or of something kept"
    )
    with_: dict[str, str | StrictInt] = Field(default_factory=dict, alias="with", description="Members")
    tags: dict[str, str] = Field(default_factory=dict, description="Session tags: the member Tags")
    transitive: tuple[str, ...] = Field(default=(), description="The member TransitiveTagKeys")
    policy: PolicySpec | None = Field(default=None, description="Session policy: the member Policy")
    mfa: str | None = Field(default=None, description="$name of a user: its device and the code that it shows")
    assertion: AssertionSpec | None = Field(default=None, description="The member SAMLAssertion, signed when sent")
    token: TokenSpec | None = Field(default=None, description="The member WebIdentityToken, signed when sent")
    after: int = Field(default=0, ge=0, description="Seconds after what it builds on was handed out")
    keep: FixtureName | None = None
    case: Slug | None = Field(default=None, description="Makes the step a case of the rule")
    expect: str | None = Field(default=None, description="'success', the name of a refusal, or 'success or REFUSAL'")
    control: Slug | None = Field(default=None, description="A case of this scenario; default: the last one granted")
    check: tuple[CheckSpec, ...] = ()
    evidence: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _told(self) -> StepSpec:
        if (self.keep is None) == (self.case is None):
            raise ValueError("a step either keeps something or is a case: give one of 'keep' and 'case'")
        if (self.case is None) != (self.expect is None):
            raise ValueError("a case, and nothing else, tells what to expect")
        if self.case is None and (self.check or self.evidence or self.control or self.after):
            raise ValueError("a case, and nothing else, has 'check', 'evidence', 'control' or 'after'")
        return self


class ScenarioSpec(Doc):
    """A rule about several calls or several principals."""

    id: RuleId
    statement: Text
    source: Source
    level: Level = Level.MUST
    authority: Authority = Authority.DOCUMENTED
    needs: tuple[Slug, ...] = Field(default=(), description="What the run must have that it cannot make")
    given: GivenSpec = GivenSpec()
    steps: tuple[StepSpec, ...] = Field(min_length=1)


class ScenariosFile(Doc):
    """A file below scenarios/: scenarios of one theme."""

    scenarios: tuple[ScenarioSpec, ...] = Field(min_length=1)


class PropertySpec(Doc):
    """What holds for any request of some operations; for each of them it is a rule of its own."""

    property: Slug = Field(description="Name of what makes its examples, in generators/properties.py")
    statement: Text
    operations: tuple[str, ...] = Field(min_length=1)
    source: Source
    level: Level = Level.MUST
    authority: Authority = Authority.DOCUMENTED


class PropertiesFile(Doc):
    """properties.yaml."""

    properties: tuple[PropertySpec, ...]


class RulesFile(Doc):
    """Rules that belong to no single operation."""

    rules: tuple[RuleSpec, ...]


class AnswerSpec(Doc):
    """One answer with which an authority backs a refusal."""

    status: int
    code: str | None = Field(default=None, description="Error code; null for answers without an error body")
    authority: Authority
    seen: str | None = Field(
        default=None, description="When it was last observed, as far as that is known: a year, month or day"
    )
    source: Source


class RefusalSpec(Doc):
    """A named reason for which a request is turned down."""

    refusal: Slug
    meaning: Text
    answers: tuple[AnswerSpec, ...] = Field(min_length=1)
    message: str | None = Field(default=None, description="Regular expression of the whole message, observed")
    no_message: bool = Field(default=False, description="Observed without a Message element")
    namespace: str | None = None
    location: str | None = Field(
        default=None, description="Regular expression of the Location header, observed"
    )
    layout: str | None = Field(default=None, description="Regular expression of the whole body, observed")


class RefusalsFile(Doc):
    """refusals.yaml."""

    refusals: tuple[RefusalSpec, ...]


class DocumentSpec(Doc):
    """A document that rules cite."""

    title: Text
    link: Text
    authority: Authority


class DocumentsFile(Doc):
    """documents.yaml."""

    documents: dict[Slug, DocumentSpec]


class Uncovered(Doc):
    """Statements of the ledger without a rule, and why."""

    reason: Text
    statements: tuple[str, ...] = Field(min_length=1)


class CoverageFile(Doc):
    """coverage.yaml: which rules cover statements that do not bear the rule's own id."""

    also_covers: dict[RuleId, tuple[str, ...]]
    not_covered: tuple[Uncovered, ...]


class DriftEntry(Doc):
    """A known difference between the contract and botocore's service model."""

    path: Text
    contract: str
    model: str
    explanation: Text


class DriftFile(Doc):
    """drift.yaml."""

    differences: tuple[DriftEntry, ...]


class LedgerStatement(Doc):
    """A testable statement of the documents: evidence, not contract."""

    id: str
    kind: str
    operation: str
    document: Slug
    heading: str
    line: int
    testable: str


class LedgerFile(Doc):
    """evidence/ledger.json, whose rows are the statements."""

    statements: tuple[LedgerStatement, ...]


class Observation(Doc):
    """An answer of the real AWS: evidence, not contract."""

    id: str
    operation: str
    grade: Literal["A", "B", "C"]
    request: str
    status: int | None = None
    code: str | None = None
    message: str | None = None
    namespace: str | None = None
    location: str | None = None
    xml: str | None = None
    packed_policy_size: int | None = None
    lifetime: int | None = Field(default=None, description="Of the session, in seconds")
    seen: str | None = Field(default=None, description="When, as far as the source tells: a year, month or day")
    contradicts: str | None = Field(
        default=None, description="Which older entry or which expectation it speaks against, and under what condition"
    )


class ObservedFile(Doc):
    """evidence/observed.yaml."""

    observations: tuple[Observation, ...]
