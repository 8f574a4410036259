"""Made-up results of any size, the same for the same seed; and texts that an evil endpoint could send."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any
from uuid import UUID

from reports.model import (
    LEVELS,
    Authority,
    CaseResult,
    Edge,
    Exchange,
    GoneDeviation,
    KillRow,
    Level,
    ReceivedResponse,
    Results,
    Rule,
    Run,
    SentRequest,
    Source,
    Target,
    Verdict,
)

HOSTILE = (
    "</pre></script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[2J\x1b[31mred\x1b]8;;http://evil.test\x07",
    "\u202eevil\u2066\u200b\ufeff",
    "nul\x00bell\x07del\x7fcsi\x9b",
    "lone \ud800 and \udfff",
    "\r\nSet-Cookie: a=b\u2028\u2029",
    "\U000e0041\ufe0f\u3164",
    "x" * 200_000,
)
OPERATIONS = (
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
    "common",
)
THEMES = (
    "authentication", "constraint", "default", "error", "operation", "property",
    "required", "response", "scenario", "sdk", "type", "wire",
)  # fmt: skip
MEMBERS = ("duration-seconds", "role-session-name", "role-arn", "policy", "tags", "serial-number")
SOURCE = Source(
    document="AWS Security Token Service API Reference",
    heading="Actions > AssumeRole > Request Parameters > DurationSeconds",
)
REASONS: dict[Verdict, str] = {
    "known-deviation": "moto does not check the range of DurationSeconds",
    "unsupported": "the endpoint answers InvalidAction",
    "untestable": "needs an MFA device, and the target has none",
    "inconclusive": "the control was refused with AccessDenied",
    "flaky": "deviated once, conformed when sent again",
}
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261122/us-east-1/sts/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
)
COMMAND = (
    'curl -sS --aws-sigv4 "aws:amz:us-east-1:sts" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
    "-H 'Content-Type: application/x-www-form-urlencoded'"
)
REFUSAL = """\
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>ValidationError</Code>
    <Message>1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: \
Member must have value greater than or equal to 900</Message>
  </Error>
  <RequestId>{request_id}</RequestId>
</ErrorResponse>
"""
SUCCESS = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser>
      <AssumedRoleId>AROAEXAMPLEEXAMPLEEXA:case</AssumedRoleId>
      <Arn>arn:aws:sts::123456789012:assumed-role/conformance/case</Arn>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAEXAMPLEEXAMPLE12</AccessKeyId>
      <SecretAccessKey>[redacted]</SecretAccessKey>
      <SessionToken>[redacted]</SessionToken>
      <Expiration>2026-11-22T07:12:00Z</Expiration>
    </Credentials>
  </AssumeRoleResult>
  <ResponseMetadata>
    <RequestId>{request_id}</RequestId>
  </ResponseMetadata>
</AssumeRoleResponse>
"""


def make_rule(rule_id: str = "assume-role.duration-seconds.min", **changes: Any) -> Rule:
    """Make one rule."""
    fields: dict[str, Any] = {
        "id": rule_id,
        "statement": "DurationSeconds below 900 is refused",
        "operation": "AssumeRole",
        "theme": "constraints",
        "level": "must",
        "authority": "documented",
        "source": SOURCE,
        "ledger": ("L0123",),
    }
    return Rule(**(fields | changes))


def make_case(case_id: str = "assume-role.duration-seconds.min/899", **changes: Any) -> CaseResult:
    """Make one case; it covers the rule that its id begins with."""
    fields: dict[str, Any] = {
        "id": case_id,
        "rules": (case_id.partition("/")[0],),
        "operation": "AssumeRole",
        "theme": "constraints",
        "level": "must",
        "verdict": "conforms",
        "expected": "400 ValidationError (sender fault)",
        "received": "400 ValidationError",
    }
    return CaseResult(**(fields | changes))


def make_row(defect: str = "assume-role.duration-seconds.min/one-too-wide", **changes: Any) -> KillRow:
    """Make one row of a kill table; the defect breaks the rule that its id begins with and is killed."""
    rule = defect.partition("/")[0]
    fields: dict[str, Any] = {
        "defect": defect,
        "rule": rule,
        "says": "the bound of DurationSeconds is 899",
        "killed_by": f"{rule}/899",
        "others": 1,
    }
    return KillRow(**(fields | changes))


def make_edge(**changes: Any) -> Edge:
    """Make one observed edge."""
    fields: dict[str, Any] = {
        "operation": "AssumeRole",
        "member": "DurationSeconds",
        "trait": "min",
        "documented": 900,
        "rule": "assume-role.duration-seconds.min",
        "observed": 1,
        "found": "1",
        "requests": 15,
    }
    return Edge(**(fields | changes))


def make_run(**changes: Any) -> Run:
    """Make the head of a run."""
    fields: dict[str, Any] = {
        "suite_version": "0.1.0",
        "contract": "sha256:5f1d7a84db0d2a3c",
        "started": "2026-11-22T06:12:00Z",
        "target": Target(
            name="moto",
            endpoint="http://127.0.0.1:5000",
            server="moto 5.2.5",
            baseline="targets/profiles/moto.yaml",
        ),
        "fail_on": ("must", "should"),
        "command": "--target=moto",
    }
    return Run(**(fields | changes))


def make_exchange(number: int = 1, *, refused: bool = True, body: str | None = None) -> Exchange:
    """Make an exchange of the usual size; `number` makes it differ from the others, as much as real ones do."""
    request_id = str(UUID(bytes=sha256(str(number).encode()).digest()[:16]))
    answer = (REFUSAL if refused else SUCCESS).format(request_id=request_id)
    return Exchange(
        request=SentRequest(
            method="POST",
            url="http://127.0.0.1:5000/",
            headers=(
                ("Host", "127.0.0.1:5000"),
                ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("X-Amz-Date", "20261122T061200Z"),
                (
                    "Authorization",
                    AUTHORIZATION.format(signature=sha256(request_id.encode()).hexdigest()),
                ),
            ),
            body="Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2F"
            f"conformance&RoleSessionName=case-{number}&DurationSeconds=899",
        ),
        response=ReceivedResponse(
            status=400 if refused else 200,
            headers=(
                ("Content-Type", "text/xml"),
                ("Content-Length", str(len(answer))),
                ("Server", "Werkzeug/3.1.9 Python/3.11.7"),
                ("x-amzn-RequestId", request_id),
            ),
            body=answer if body is None else body,
        ),
        seconds=0.004,
    )


def make_results(cases: int = 2500, deviating: float = 0.28, seed: int = 1, per_rule: int = 4) -> Results:
    """Make a whole run; `deviating` is the share of cases that deviate, `per_rule` the cases of a rule."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    moods: dict[str, tuple[Verdict, ...]] = {}
    rules: dict[str, Rule] = {}
    made = []
    for number in range(cases):
        rule = _nth_rule(number // per_rule)
        rules.setdefault(rule.id, rule)
        mood = moods.setdefault(rule.id, _mood(chance, rule.operation, deviating))
        made.append(_nth_case(number, rule, mood[number % len(mood)]))
    rules["common.never.tried"] = make_rule("common.never.tried", operation="common", level="exact")
    return Results(
        run=make_run(),
        rules=tuple(rules.values()),
        unsupported=("AssumeRoot", "GetWebIdentityToken"),
        kill_table=tuple(make_row(f"{rule}/one-too-wide") for rule in rules),
        cases=tuple(made),
        gone=(GoneDeviation(id="get-caller-identity.arn", reason="moto answered without an Arn"),),
        edges=(
            *(make_edge(operation=operation, member="ProvidedContexts.ContextAssertion") for operation in OPERATIONS),
            make_edge(trait="max-length", observed=None, found="none up to 266,240 (at 532,480: 413)"),
            make_edge(reason="AssumeRoot does not exist at this target", found="", requests=0),
        ),
        complete=True,
    )


def _nth_rule(number: int) -> Rule:
    operation = OPERATIONS[number % len(OPERATIONS)]
    member = MEMBERS[number % 5]
    level: Level = LEVELS[(number // len(OPERATIONS)) % 3]
    authorities: tuple[Authority, ...] = ("documented", "modelled", "observed")
    return make_rule(
        f"{_kebab(operation)}.{member}.check-{number}",
        statement=f"{member} of {operation} beyond bound {number} is refused and the message says why",
        operation=operation,
        theme=THEMES[number // 5 % len(THEMES)],
        level=level,
        authority=authorities[number % 3],
        ledger=(f"L{number:04}", f"L{number + 1:04}"),
    )


def _nth_case(number: int, rule: Rule, verdict: Verdict) -> CaseResult:
    conforms = verdict == "conforms"
    silent = verdict in ("unsupported", "untestable")
    body = f"Action={rule.operation}&Version=2011-06-15&DurationSeconds={number}"
    control = number % 4 == 1
    return make_case(
        f"{rule.id}/{number}",
        operation=rule.operation,
        theme=rule.theme,
        level=rule.level,
        verdict=verdict,
        expected="400 ValidationError, or 400 InvalidParameterValue; sender fault; a RequestId",
        received="" if silent else "400 ValidationError" if conforms else _wrong(number, rule),
        reason=REASONS.get(verdict, ""),
        follows=("observed",) if conforms and number % 7 == 0 else (),
        control=f"{rule.id}/{number - 1}" if control else "",
        exchange=None if silent else make_exchange(number, refused=conforms),
        reproduce="" if silent else COMMAND + f" --data-raw '{body}' http://127.0.0.1:5000/",
    )


def _wrong(number: int, rule: Rule) -> str:
    """An answer that nothing backs: mostly one that others got, too."""
    granted = f"200 <{rule.operation}Response>"
    if number % 9 == 0:
        return f"{granted}; {rule.operation}Result/Credentials/Expiration is {number} s after the request, not 900"
    return "500 with an HTML page" if number % 7 == 0 else granted


def _mood(chance: random.Random, operation: str, deviating: float) -> tuple[Verdict, ...]:
    """The verdicts of a rule's cases, in turn."""
    if operation in ("AssumeRoot", "GetWebIdentityToken"):
        return ("unsupported",)
    share = deviating * 12 / 10 * 4 / 3  # of the rules that are not unsupported; one case in four conforms
    if chance.random() < share:
        return ("deviates", "deviates", "conforms", "deviates")
    moods: tuple[tuple[Verdict, ...], ...] = (
        ("conforms",),
        ("known-deviation", "conforms"),
        ("untestable", "conforms"),
        ("untestable",),
        ("inconclusive", "conforms", "conforms"),
        ("flaky", "conforms", "conforms", "conforms"),
    )
    return chance.choices(moods, (70, 8, 6, 3, 3, 2))[0]


def _kebab(name: str) -> str:
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).lstrip("-")
