"""The stub's own world: the account, keys and role that it tells of, and its well-formed successes."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

ACCOUNT = "123456789012"
ACCESS_KEY_ID = "AKIASTUBSTUBSTUB0001"
SECRET_ACCESS_KEY = "stub/secret/stub/secret/stub/secret/0001"  # noqa: S105 - a stub's, opens nothing
USER_ID = "AIDASTUBSTUBSTUB00001"
ROLE_ID = "AROASTUBSTUBSTUB00001"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/sts-conformance/stub"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/sts-conformance/stub"
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
SESSION_KEY_IDS = {
    "AssumeRole": "ASIASTUBSTUBSTUB0001",
    "GetFederationToken": "ASIASTUBSTUBSTUB0002",
    "GetSessionToken": "ASIASTUBSTUBSTUB0003",
}
# Stands in a body for the time when a session ends; the stub puts it in when it answers.
EXPIRATION = "@EXPIRATION@"

_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_IAM = "https://iam.amazonaws.com/doc/2010-05-08/"
_SESSION_LASTS = {"GetFederationToken": 43200, "GetSessionToken": 43200}
_IAM_VERBS = ("Create", "Delete", "Put", "Attach", "Detach")

Tree = str | dict[str, "Tree"]


def success(action: str, given: dict[str, str]) -> str:
    """Return the body of a granted `action`; what was asked for (`given`) is told back where AWS does so."""
    result = _result(action, given)
    iam = action.startswith(_IAM_VERBS)
    return _document(f"{action}Response", _IAM if iam else _STS, {
        **({f"{action}Result": result} if result else {}),
        "ResponseMetadata": {"RequestId": REQUEST_ID},
    })  # fmt: skip


def refusal(code: str, message: str | None) -> str:
    """Return the body of a refusal."""
    error: dict[str, Tree] = {"Type": "Sender", "Code": code}
    if message is not None:
        error["Message"] = message
    return _document("ErrorResponse", _STS, {"Error": error, "RequestId": REQUEST_ID})


def lasts(action: str, given: dict[str, str]) -> int:
    """Return how many seconds a session of `action` lives."""
    wanted = given.get("DurationSeconds", "")
    return int(wanted) if re.fullmatch("[0-9]{1,6}", wanted) else _SESSION_LASTS.get(action, 3600)


def _result(action: str, given: dict[str, str]) -> dict[str, Tree]:
    name = given.get("RoleSessionName", "conformance")
    made: dict[str, dict[str, Tree]] = {
        "GetCallerIdentity": {"Arn": USER_ARN, "UserId": USER_ID, "Account": ACCOUNT},
        "GetAccessKeyInfo": {"Account": ACCOUNT},
        "AssumeRole": {
            **({"SourceIdentity": given["SourceIdentity"]} if "SourceIdentity" in given else {}),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{ROLE_ID}:{name}",
                "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/stub/{name}",
            },
            "Credentials": _credentials(action),
            **_packed(given),
        },
        "GetSessionToken": {"Credentials": _credentials(action)},
        "GetFederationToken": {
            "Credentials": _credentials(action),
            "FederatedUser": {
                "FederatedUserId": f"{ACCOUNT}:{given.get('Name', 'conformance')}",
                "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/{given.get('Name', 'conformance')}",
            },
            **_packed(given),
        },
        "CreateUser": {"User": {"UserId": USER_ID, "Arn": USER_ARN}},
        "CreateAccessKey": {
            "AccessKey": {"AccessKeyId": ACCESS_KEY_ID, "Status": "Active", "SecretAccessKey": SECRET_ACCESS_KEY}
        },
        "CreatePolicy": {
            "Policy": {
                "PolicyName": given.get("PolicyName", "stub"),
                "Arn": f"arn:aws:iam::{ACCOUNT}:policy{given.get('Path', '/')}{given.get('PolicyName', 'stub')}",
            }
        },
        "CreateRole": {"Role": {"RoleId": ROLE_ID, "Arn": ROLE_ARN}},
    }
    return made.get(action, {})


def _credentials(action: str) -> Tree:
    return {
        "AccessKeyId": SESSION_KEY_IDS.get(action, ""),
        "SecretAccessKey": f"stub/secret/of/{action}".ljust(40, "0"),
        "SessionToken": f"stub-token-of-{action}-".ljust(300, "0"),
        "Expiration": EXPIRATION,
    }


def _packed(given: dict[str, str]) -> dict[str, Tree]:
    narrowed = any(name.startswith(("Policy", "Tags.")) for name in given)
    return {"PackedPolicySize": "1"} if narrowed else {}


def _document(root: str, namespace: str, inner: dict[str, Tree]) -> str:
    return f'<{root} xmlns="{namespace}">\n{_elements(inner, 1)}</{root}>\n'


def _elements(tree: dict[str, Tree], depth: int) -> str:
    pad, parts = "  " * depth, []
    for name, value in tree.items():
        if isinstance(value, dict):
            parts.append(f"{pad}<{name}>\n{_elements(value, depth + 1)}{pad}</{name}>\n")
        else:
            parts.append(f"{pad}<{name}>{escape(value)}</{name}>\n")
    return "".join(parts)
