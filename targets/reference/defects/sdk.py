"""Defects of the rules in specs/sts/sdk.yaml: answers that boto3 cannot read, or reads wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from targets.reference.defects import edits
from targets.reference.defects.exchanges import page, refused, where
from targets.reference.defects.registry import Defect
from targets.reference.defects.wire import unhashed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from targets.reference.model import HttpAnswer, HttpRequest
    from targets.reference.operations import Result


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _assume_role()
    yield from _other_operations()
    yield from _errors()


def _assume_role() -> Iterator[Defect]:
    rule = "assume-role.sdk.response-dict"
    yield Defect(
        rule, "no-wrapper", "what AssumeRole returns stands in the root element, without AssumeRoleResult",
        edits.body(r"\s*</?AssumeRoleResult>", "", only="AssumeRoleResponse"),
    )  # fmt: skip
    yield Defect(
        rule, "role-user-flat", "AssumedRoleUser of AssumeRole is an ARN",
        edits.element("AssumeRole", ("AssumedRoleUser",), lambda user: user["Arn"]),
    )  # fmt: skip
    yield Defect(
        rule, "no-metadata", "answers of AssumeRole lack ResponseMetadata",
        edits.body(r"\s*<ResponseMetadata>.*</ResponseMetadata>", "", only="AssumeRoleResponse"),
    )  # fmt: skip
    rule = "assume-role.sdk.expiration-datetime.000"
    yield Defect(
        rule, "zone-in-brackets", "Expiration ends with Z[UTC]",
        edits.element("AssumeRole", ("Credentials", "Expiration"), _as_of_java),
    )  # fmt: skip
    yield Defect(
        rule, "milliseconds", "Expiration is in milliseconds since 1970",
        edits.element("AssumeRole", ("Credentials", "Expiration"), lambda end: int(end.timestamp() * 1000)),
    )  # fmt: skip


def _as_of_java(moment: datetime) -> str:
    """Write a moment as Java's ZonedDateTime does."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ[UTC]")


def _other_operations() -> Iterator[Defect]:
    rule = "common.sdk.get-caller-identity"
    yield Defect(
        rule, "account-id", "GetCallerIdentity tells the account as AccountId",
        edits.result("GetCallerIdentity", _account_id),
    )  # fmt: skip
    yield Defect(
        rule, "no-id-of-sessions", "GetCallerIdentity tells no UserId of a role's session",
        edits.result("GetCallerIdentity", _without_id_of_sessions),
    )  # fmt: skip
    yield Defect(
        "common.sdk.get-session-token", "in-a-list", "Credentials of GetSessionToken are a list of one",
        edits.element("GetSessionToken", ("Credentials",), lambda credentials: {"member": credentials}),
    )  # fmt: skip
    yield Defect(
        "common.sdk.get-federation-token", "user-flat", "FederatedUser of GetFederationToken is an ARN",
        edits.element("GetFederationToken", ("FederatedUser",), lambda user: user["Arn"]),
    )  # fmt: skip
    yield Defect(
        "common.sdk.get-access-key-info", "another-wrapper", "what GetAccessKeyInfo returns stands in Result",
        edits.body("(</?)GetAccessKeyInfoResult>", r"\1Result>", only="GetAccessKeyInfoResponse"),
    )  # fmt: skip
    yield Defect(
        "common.sdk.presigned-url", "payload-not-hashed",
        "the signature of a presigned GET is computed over UNSIGNED-PAYLOAD, as for S3", unhashed("GET"),
    )  # fmt: skip


def _account_id(found: Result) -> Result:
    return {("AccountId" if name == "Account" else name): value for name, value in found.items()}


def _without_id_of_sessions(found: Result) -> Result:
    return {n: v for n, v in found.items() if n != "UserId"} if ":assumed-role/" in str(found["Arn"]) else found


def _errors() -> Iterator[Defect]:
    rule = "common.sdk.client-error"
    yield Defect(
        rule, "status-200", "a bad RoleSessionName is refused with status 200",
        where(_bad_session_name, lambda found: replace(found, status=200)),
    )  # fmt: skip
    yield Defect(
        rule, "html-page", "a bad RoleSessionName is refused with an HTML page",
        where(_bad_session_name, lambda _: page(400, b"<!doctype html><p>Bad Request", content_type="text/html")),
    )  # fmt: skip
    for name, code in (
        ("malformed-policy-document", "MalformedPolicyDocument"),
        ("packed-policy-too-large", "PackedPolicyTooLarge"),
    ):
        change = edits.refusal(name, code=f"{code}Exception")
        says = f"the code of the refusal is {code}Exception"
        yield Defect(f"assume-role.sdk-exception.{name}", "named-as-the-exception", says, change)


def _bad_session_name(request: HttpRequest, found: HttpAnswer) -> bool:
    return refused(request, found) and b"'roleSessionName'" in found.body
