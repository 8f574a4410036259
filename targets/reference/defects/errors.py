"""Defects of the rules in specs/sts/errors.yaml: the envelope and the wording of refusals."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from specs.contract import XML_NAMESPACE
from targets.reference.defects import edits
from targets.reference.defects.exchanges import met, page, read_as, worded
from targets.reference.defects.registry import Defect
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from targets.reference.authentication import Proof
    from targets.reference.constraints import Values
    from targets.reference.model import HttpAnswer, HttpRequest
    from targets.reference.rendering import ErrorBody
    from targets.reference.service import Service
    from targets.reference.signature import Claim

    Apply = Callable[[Service], None]


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _envelope()
    yield from _violations()
    yield from _violations_worded()
    yield from _authentication_worded()
    yield from _others_worded()
    yield from _query_strings()


def _envelope() -> Iterator[Defect]:
    for name, says, pattern, other in (
        ("of-ec2", "refusals come in the envelope of EC2: Response, Errors",
         r"<ErrorResponse[^>]*>(\s*)<Error>(.*)</Error>(.*)</ErrorResponse>",
         r"<Response>\1<Errors><Error>\2</Error></Errors>\3</Response>"),
        ("no-namespace", "refusals are in no namespace", f' xmlns="{XML_NAMESPACE}"', ""),
        ("receiver", "refusals name the receiver as their cause", "<Type>Sender</Type>", "<Type>Receiver</Type>"),
        ("no-request-id", "refusals lack a RequestId", r"\s*<RequestId>.*?</RequestId>", ""),
    ):  # fmt: skip
        yield Defect("common.error.envelope", name, says, edits.body(pattern, other, only="ErrorResponse"))
    yield Defect(
        "common.error.envelope", "empty-message", "the refusal of a violation has an empty message",
        edits.wording("constraint-violation", _saying("")),
    )  # fmt: skip


def _violations() -> Iterator[Defect]:
    yield Defect(
        "common.error.validation-error", "another-code", "a violation is refused as InvalidParameterValue",
        edits.refusal("constraint-violation", code="InvalidParameterValue"),
    )  # fmt: skip
    yield Defect(
        "common.error.validation-error.order", "role-first", "the role is looked up before constraints are checked",
        _role_first,
    )  # fmt: skip
    yield Defect(
        "common.wire.get-post-equal", "patterns-for-post-only",
        "the characters of a value are checked in a POST only", _patterns_for_post_only,
    )  # fmt: skip
    yield Defect(
        "common.error.several-violations", "code-of-their-own", "several violations are refused as ValidationErrors",
        _several_as("ValidationErrors"),
    )  # fmt: skip


def _role_first(service: Service) -> None:
    validate = service.validate

    def check(action: str, given: Mapping[str, str]) -> Values:
        arn = given.get("RoleArn", "")
        wanted = action == "AssumeRole" and re.fullmatch(r"arn:aws:iam::\d{12}:role/[\w+=,.@-]{1,64}", arn)
        if wanted and service.iam.role(arn) is None:
            raise Refused("role-not-assumable", f"{arn} cannot be assumed")
        return validate(action, given)

    edits.substitute(service, "validate", check)


def _patterns_for_post_only(service: Service) -> None:
    tables = {
        operation: {name: replace(member, pattern=None) for name, member in table.items()}
        for operation, table in service.members.items()
    }
    lax = replace(service, members=tables, before=[])

    def by_method(request: HttpRequest) -> HttpRequest | HttpAnswer:
        return lax.answer(request) if request.method == "GET" else request

    service.before.append(by_method)


def _several_as(code: str) -> Apply:
    def apply(service: Service) -> None:
        error = service.error

        def counted(refused: Refused) -> ErrorBody:
            several = refused.refusal == "constraint-violation" and not (refused.message or "").startswith("1 ")
            return replace(error(refused), code=code) if several else error(refused)

        edits.substitute(service, "error", counted)

    return apply


# The wording of violations: '1 validation error detected: Value 'x' at 'name' failed to satisfy constraint: ...'

_WORDS = (
    ("first-only", "only the first violation is told",
     r"^\d+ validation errors?(.*?)(; Value .*)?$", r"1 validation error\1"),
    ("plural", "one violation is counted as '1 validation errors'", "^1 validation error ", "1 validation errors "),
    ("value-kept-back", "a violation is told without the value", r"Value (null|'.*?') at ", "Value at "),
    ("null-is-empty", "a member left out is told as an empty one", "Value null at", "Value '' at"),
    ("member-quoted-otherwise", "members are told in double quotes", r" at '([\w.]+)' failed", r' at "\1" failed'),
    ("indices-in-brackets", "members of a list are told as tags[1]", r"\.(\d+)\.member", r"[\1]"),
    ("no-pattern", "a violation of a pattern is told without the pattern", r"(expression pattern): .*", r"\1"),
    ("at-most", "an upper bound is told as 'at most'", "less than or equal to", "at most"),
    ("at-least", "a lower bound is told as 'at least'", "greater than or equal to", "at least"),
)  # fmt: skip


def _violations_worded() -> Iterator[Defect]:
    rule = "common.error.validation-error.message"
    for name, says, pattern, other in _WORDS:
        yield Defect(rule, name, says, edits.wording("constraint-violation", worded(pattern, other)))


# The wording of other refusals


def _authentication_worded() -> Iterator[Defect]:
    rule = "common.error.authentication-wording"
    for name, says, refusal, message in (
        ("unsigned", "a request without a signature is refused in other words",
         "not-authenticated", "Missing Authentication Token"),
        ("unknown-key", "an unknown key is refused in other words",
         "unknown-key", "The AWS Access Key Id you provided does not exist in our records."),
        ("wrong-secret", "a wrong signature is refused without the advice to check key and method",
         "signature-mismatch", "The request signature we calculated does not match the signature you provided."),
        ("full-stop", "a token that cannot be read is refused with a full stop at the end",
         "invalid-session-token", "The security token included in the request is invalid."),
        ("region-named", "the refusal of a wrong region ends after 'valid region'",
         "wrong-region", "Credential should be scoped to a valid region"),
        ("service-not-told", "the refusal of a wrong region and service tells of the region only",
         "wrong-region-and-service", "Credential should be scoped to a valid region. "),
        ("no-times", "the refusal of a stale date tells no times", "stale-date", "Signature expired"),
    ):  # fmt: skip
        yield Defect(rule, name, says, edits.wording(refusal, _saying(message)))
    yield Defect(
        rule, "token-missing", "a session's key without its token is refused in words of its own", _token_missing
    )


def _saying(message: str | None) -> Callable[[str | None], str | None]:
    return lambda _: message


def _token_missing(service: Service) -> None:
    proof = service.authenticator.proof

    def check(claim: Claim) -> Proof:
        if claim.token is None and claim.access_key_id.startswith("ASIA"):
            raise Refused("unknown-key", "The security token is missing from the request.")
        return proof(claim)

    edits.substitute(service.authenticator, "proof", check)


def _others_worded() -> Iterator[Defect]:
    rule = "common.error.malformed-input.message"
    yield Defect(
        rule, "worded", "the refusal of a text that is no integer has a message",
        edits.wording("malformed-integer", _saying("the value is no integer")),
    )  # fmt: skip
    yield Defect(
        rule, "another-code", "a text that is no integer is refused as ValidationError",
        edits.refusal("malformed-integer", code="ValidationError"),
    )  # fmt: skip
    yield Defect(
        rule, "empty-unworded", "the refusal of an empty integer has no message",
        edits.wording("empty-integer", _saying(None)),
    )  # fmt: skip
    rule = "common.error.malformed-policy-document.message"
    for name, says, message in (("no-message", "has no message", None), ("blank", "has a message of one space", " ")):
        change = edits.wording("malformed-policy-document", _saying(message))
        yield Defect(rule, name, f"the refusal of a malformed policy {says}", change)
    yield Defect(
        "common.error.packed-policy-too-large.message", "no-percentage",
        "the refusal of a packed policy that is too large tells no percentage",
        edits.wording("packed-policy-too-large", worded(r"\d+ ?%", "more than all")),
    )  # fmt: skip


def _query_strings() -> Iterator[Defect]:
    rule = "common.error.malformed-query-string"
    says = "in a query string, a percent sign before other than hexadecimal digits stands for itself"
    yield Defect(rule, "taken-as-it-is", says, read_as(_mended))
    yield Defect(
        rule, "breaks-the-service", "a broken percent escape in a query string is answered with 500",
        met(lambda request: _mended(request) != request, page(500)),
    )  # fmt: skip


def _mended(request: HttpRequest) -> HttpRequest:
    path, mark, query = request.target.partition("?")
    return replace(request, target=path + mark + re.sub("%(?![0-9A-Fa-f]{2})", "%25", query))
