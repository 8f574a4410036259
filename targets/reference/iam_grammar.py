"""The grammar of policy documents: what IAM takes as a trust policy and as an identity-based one.

IAM's wording where it is known. Whether the principals of a trust policy exist is for IAM's storage to say.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from targets.reference.policy import MalformedPolicy, parse, parse_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Document = dict[str, Any]

_SYNTAX = "Syntax errors in policy."
_VERSIONS = ("2012-10-17", "2008-10-17")
_STATEMENT = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_SID = re.compile("[0-9A-Za-z]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?-]+")
_RESOURCE = re.compile(r"\*|arn:[^:]+:[^:*?]+:.+", re.DOTALL)
_COMPARISONS = (
    "StringEquals|StringNotEquals|StringEqualsIgnoreCase|StringNotEqualsIgnoreCase|StringLike|StringNotLike"
    "|(?:Numeric|Date)(?:Equals|NotEquals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)"
    "|Bool|BinaryEquals|IpAddress|NotIpAddress|ArnEquals|ArnLike|ArnNotEquals|ArnNotLike"
)
_OPERATOR = re.compile(rf"(?:ForAnyValue:|ForAllValues:)?(?:{_COMPARISONS})(?:IfExists)?|Null")
_PRINCIPALS = {
    "AWS": re.compile(
        r"\*|\d{12}|A(?:IDA|ROA)[A-Z0-9]{17}|arn:aws:iam::\d{12}:(?:root|(?:user|role)/[^*?]+)"
        r"|arn:aws:sts::\d{12}:(?:assumed-role/[^*?/]+|federated-user)/[^*?/]+",
        re.ASCII,
    ),
    "Federated": re.compile(r"arn:aws:iam::\d{12}:(?:saml|oidc)-provider/.+|(?:[A-Za-z0-9-]+\.)+[a-z]{2,}", re.ASCII),
    "Service": re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+"),
    "CanonicalUser": re.compile(".+"),
}


class Malformed(ValueError):  # noqa: N818 - the name says what the document is
    """A document is no policy of the kind asked for; the text is what IAM says of it."""


def check_identity_policy(text: str) -> None:
    """Hold an inline or managed policy against the grammar; raises Malformed."""
    for statement in _statements(_document(text)):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise Malformed("Policy document should not specify a principal.")
        _check_actions(statement)
        if "Resource" not in statement and "NotResource" not in statement:
            raise Malformed("Policy statement must contain resources.")
        for resource in _texts(statement, "Resource", "NotResource"):
            if not _RESOURCE.fullmatch(resource):
                raise Malformed(f'Resource {resource} must be in ARN format or "*".')
    _decidable(parse, text)


def check_trust_policy(text: str) -> tuple[str, ...]:
    """Hold a role's trust policy against the grammar; raises Malformed.

    Returns the AWS principals that it names, for their existence to be looked up.
    """
    named: list[str] = []
    for statement in _statements(_document(text)):
        for field in ("Resource", "NotResource"):
            if field in statement:
                raise Malformed(f"Has prohibited field {field}")
        _check_actions(statement)
        for action in _texts(statement, "Action", "NotAction"):
            if not action.lower().startswith("sts:"):
                raise Malformed("AssumeRole policy may only specify STS AssumeRole actions.")
        named += _principals(statement)
    _decidable(parse_trust, text)
    return tuple(named)


def _decidable(read: Callable[[str], object], text: str) -> None:
    """Refuse what the decisions could not be made by: nothing is stored that breaks them later."""
    try:
        read(text)
    except MalformedPolicy as error:
        raise Malformed(str(error)) from None


def invalid_principal(kind: str, principal: str) -> Malformed:
    """Return what IAM says of a principal that is malformed or does not exist."""
    return Malformed(f'Invalid principal in policy: "{kind}":"{principal}"')


def _document(text: str) -> Document:
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or not document.keys() <= {"Version", "Id", "Statement"}:
        raise Malformed(_SYNTAX)
    if document.get("Version", _VERSIONS[-1]) not in _VERSIONS or not isinstance(document.get("Id", ""), str):
        raise Malformed(_SYNTAX)
    return document


def _object(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed(_SYNTAX)  # a name that stands twice
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and the infinities are no JSON


def _statements(document: Document) -> list[Document]:
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise Malformed(_SYNTAX)
    sids: set[str] = set()
    for statement in statements:
        _check_statement(statement)
        sid = statement.get("Sid")
        if sid and sid in sids:
            raise Malformed("Statement IDs (SID) in a single policy must be unique.")
        sids.add(sid)
    return statements


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict) or not statement.keys() <= _STATEMENT:
        raise Malformed(_SYNTAX)
    if statement.get("Effect") not in ("Allow", "Deny"):  # a tuple: what stands there may be unhashable
        raise Malformed(_SYNTAX)
    for name in ("Principal", "Action", "Resource"):
        if name in statement and f"Not{name}" in statement:
            raise Malformed(_SYNTAX)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise Malformed(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    _check_conditions(statement.get("Condition", {}))


def _check_conditions(conditions: Any) -> None:
    if not isinstance(conditions, dict):
        raise Malformed(_SYNTAX)
    for operator, keys in conditions.items():
        if not _OPERATOR.fullmatch(operator):
            raise Malformed(f"Invalid Condition type : {operator}.")
        if not isinstance(keys, dict):
            raise Malformed(_SYNTAX)
        for value in keys.values():
            entries = value if isinstance(value, list) else [value]
            if not all(isinstance(entry, str | int | float) for entry in entries):  # bool is an int
                raise Malformed(_SYNTAX)


def _check_actions(statement: Document) -> None:
    actions = _texts(statement, "Action", "NotAction")
    if not actions:
        raise Malformed("Policy statement must contain actions.")
    for action in actions:
        if action != "*" and ":" not in action:
            raise Malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if action.count(":") > 1:
            raise Malformed("Actions/Condition can contain only one colon.")
        if not _ACTION.fullmatch(action):
            raise Malformed(_SYNTAX)


def _texts(statement: Document, *names: str) -> list[str]:
    return [text for name in names if name in statement for text in _strings(statement[name])]


def _strings(value: Any) -> list[str]:
    """Return a string, or a list of at least one, as a list."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
        raise Malformed(_SYNTAX)
    return value


def _principals(statement: Document) -> Iterator[str]:
    """Yield the AWS principals of a statement of a trust policy, having looked at them all."""
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    if not principal:
        raise Malformed("AssumeRole policy must contain principals.")
    if principal == "*":
        return
    if not isinstance(principal, dict):
        raise Malformed(_SYNTAX)
    for kind, values in principal.items():
        form = _PRINCIPALS.get(kind)
        if form is None:
            raise Malformed(_SYNTAX)
        for value in _strings(values):
            if not form.fullmatch(value):
                raise invalid_principal(kind, value)
            if kind == "AWS":
                yield value
