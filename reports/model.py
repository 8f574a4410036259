"""The results of a run as data: what results.json holds and what every report is rendered from."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FORMAT: Final = "sts-conformance-results/1"

Level = Literal["must", "should", "exact"]
Authority = Literal["documented", "modelled", "observed"]
Verdict = Literal[
    "conforms",  # the answer is one that an authority backs
    "deviates",  # it is not
    "known-deviation",  # it is not, and the target's baseline lists that with a reason
    "unsupported",  # the operation does not exist at the target
    "untestable",  # what the case needs is not to be had here
    "inconclusive",  # the control failed, the endpoint broke down, or the fault is ours
    "flaky",  # deviated once, conformed when sent again
]
VERDICTS: tuple[Verdict, ...] = (
    "conforms",
    "deviates",
    "known-deviation",
    "flaky",
    "inconclusive",
    "unsupported",
    "untestable",
)
Trait = Literal["min", "max", "min-length", "max-length", "min-items", "max-items"]
LEVELS: tuple[Level, ...] = ("must", "should", "exact")


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Record):
    """Where a statement comes from."""

    document: str = Field(description="Title of the document")
    heading: str = Field(description="Headings down to the statement, joined by ' > '")


class Rule(Record):
    """The smallest promise that can be kept or broken."""

    id: str
    statement: str
    operation: str = Field(description="Operation name, or 'common'")
    theme: str
    level: Level
    authority: Authority
    source: Source
    ledger: tuple[str, ...] = Field(default=(), description="Ids of the ledger's statements it covers")


class SentRequest(Record):
    """A request as it went out, secrets redacted."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class ReceivedResponse(Record):
    """An answer as it came back, secrets redacted, long bodies cut."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    truncated: bool = Field(default=False, description="The body was longer than is kept here")


class Exchange(Record):
    """What was sent and what came back; no response when the connection failed."""

    request: SentRequest
    response: ReceivedResponse | None = None
    failure: str = Field(default="", description="Why there is no response")
    seconds: float = Field(default=0.0, description="From the first byte sent to the last received")


class Finding(Record):
    """The smallest example of one way in which a property does not hold."""

    about: str = Field(description="Id of the rule that the example breaks")
    expected: str
    received: str
    exchange: Exchange
    reproduce: str = ""
    story: str = Field(default="", description="Where one step follows from another: what each was, a line each")


class CaseResult(Record):
    """One case and its verdict."""

    id: str = Field(description="Rule id, a slash, and a readable suffix")
    rules: tuple[str, ...] = Field(min_length=1, description="Ids of the rules it covers")
    operation: str
    theme: str
    level: Level
    verdict: Verdict
    expected: str = Field(description="The answers that conform, in words")
    received: str = Field(default="", description="What came instead, in words; empty if nothing was sent")
    reason: str = Field(default="", description="Why the verdict is not plain conforms or deviates")
    follows: tuple[Authority, ...] = Field(
        default=(), description="The authorities whose answer the target gave, where they differ"
    )
    control: str = Field(default="", description="Id of the case that must succeed for this one to count")
    exchange: Exchange | None = None
    reproduce: str = Field(default="", description="A shell command that sends the same request")
    examples: int = Field(default=0, description="Of a property: how many it was tried with")
    findings: tuple[Finding, ...] = Field(
        default=(), description="Of a property that does not hold: one of each kind; the first is the one above"
    )


class Target(Record):
    """The endpoint under test."""

    name: str
    endpoint: str = Field(description="URL without credentials")
    server: str = Field(default="", description="What the endpoint says it is")
    baseline: str = Field(default="", description="The baseline file in force, if any")


class Run(Record):
    """What was run, when, with what."""

    suite_version: str
    contract: str = Field(description="Hash of the contract's files")
    started: str = Field(description="ISO 8601, UTC")
    target: Target
    fail_on: tuple[Level, ...] = Field(description="Levels that decide the exit status")
    command: str = Field(default="", description="Options of the run, without secrets")
    examples: int | None = Field(
        default=None, ge=0, description="How many examples each property was tried with at most; 0: none were"
    )
    seed: int | None = Field(default=None, description="What Hypothesis began with: the same one, the same examples")


class GoneDeviation(Record):
    """A deviation that the baseline lists and that this run did not see any more."""

    id: str = Field(description="Rule or case id of the baseline's entry")
    reason: str


class KillRow(Record):
    """A defect of the reference, and what became of it when it was switched on."""

    defect: str = Field(description="Id of the rule that it breaks, a slash, and a name")
    rule: str = Field(description="Id of the rule that it breaks")
    says: str = Field(description="What the defective service does, in words")
    killed_by: str = Field(description="Id of the first case of the rule that deviated; empty: it survived")
    others: int = Field(ge=0, description="How many other rules have a case that noticed it")


class Edge(Record):
    """Where the target draws the line of a bound."""

    operation: str
    member: str = Field(description="Input member, with the dots of the data types it stands in")
    trait: Trait
    documented: int = Field(description="The last value that is to be taken")
    rule: str = Field(description="Id of the bound's rule")
    observed: int | None = Field(
        default=None, description="The last value that is taken; null where there is no single line"
    )
    found: str = Field(default="", description="What was found, in words")
    requests: int = Field(default=0, ge=0, description="How many requests that took")
    reason: str = Field(default="", description="Why no line was looked for; empty if one was")


class Results(Record):
    """The whole of results.json."""

    format: Literal["sts-conformance-results/1"] = FORMAT
    run: Run
    rules: tuple[Rule, ...]
    unsupported: tuple[str, ...] = Field(default=(), description="Operations that do not exist at the target")
    kill_table: tuple[KillRow, ...] = Field(
        default=(), description="Only of the embedded reference: what its defects say of the suites"
    )
    cases: tuple[CaseResult, ...]
    gone: tuple[GoneDeviation, ...] = ()
    edges: tuple[Edge, ...] = Field(default=(), description="Only of a run with --edges")
    complete: bool = Field(default=False, description="False: the run was cut off; cases are what it had")

    @model_validator(mode="after")
    def _ids_agree(self) -> Self:
        """Each id stands once, and each rule that a case names is there: no verdict is lost in a report."""
        known = {rule.id for rule in self.rules}
        if len(known) < len(self.rules):
            raise ValueError("a rule id stands twice")
        if len({case.id for case in self.cases}) < len(self.cases):
            raise ValueError("a case id stands twice")
        if len({row.defect for row in self.kill_table}) < len(self.kill_table):
            raise ValueError("a defect stands twice")
        for case in self.cases:
            if unknown := set(case.rules) - known:
                raise ValueError(f"case {case.id} names rules that are not listed: {sorted(unknown)}")
        return self
