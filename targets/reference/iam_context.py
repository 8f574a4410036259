"""What IAM's actions share: the table of them all, whom a request means, tags, pages, refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from targets.reference.iam_query import Fault
from targets.reference.iam_store import AWS_MANAGED, GroupRecord, Record, RoleRecord, Store, Table, Tags, UserRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from targets.reference.iam_grammar import Malformed

Given = dict[str, Any]  # a request's members
Result = dict[str, Any]

TAGS = 50
_POLICY_ARN = re.compile(r"arn:aws:iam::(?:\d{12}|aws):policy/.+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Context:
    """What an action works on and may ask."""

    store: Store
    account: str
    caller: str | None  # name of the user who calls, where it is one
    now: datetime
    check_metadata: Callable[[str], None]


ACTIONS: dict[str, Callable[[Context, Given], Result | None]] = {}
_F = TypeVar("_F", bound="Callable[[Context, Given], Result | None]")
_R = TypeVar("_R", bound=Record)


def action(name: str) -> Callable[[_F], _F]:
    """Serve IAM's action `name` by the function below."""

    def register(function: _F) -> _F:
        ACTIONS[name] = function
        return function

    return register


# What many actions share


def no_such(message: str) -> Fault:
    """Return the refusal of what names something that is not there."""
    return Fault("NoSuchEntity", message)


def conflict(what: str) -> Fault:
    """Return the refusal to delete what still has something."""
    return Fault("DeleteConflict", f"Cannot delete entity, must {what} first.")


def refuse_taken(table: Table[Any], account: str, name: str, message: str, but: Record | None = None) -> None:
    """Raise Fault if a name is in use, in whatever case, by another than `but`."""
    found = table.like(account, name)
    if found is not None and found is not but:
        raise Fault("EntityAlreadyExists", message)


def page(key: str, entries: Iterable[Any], given: Given) -> Result:
    """Return the part of a list that was asked for; a marker is the number of entries before it."""
    everything = list(entries)
    marker, size = given.get("Marker", "0"), given.get("MaxItems", 100)
    if not re.fullmatch("[0-9]{1,9}", marker):
        raise Fault("ValidationError", "Invalid Marker.")
    start = int(marker)
    more = len(everything) > start + size
    return {
        key: everything[start : start + size],
        "IsTruncated": more,
        "Marker": str(start + size) if more else None,
    }


def new_tags(given: Given, old: Tags | None = None) -> Tags:
    """Return `old` with the tags of a request in it."""
    tags: Tags = {}
    for tag in given.get("Tags", ()):
        key = tag["Key"].lower()
        if key in tags:
            raise Fault("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        if key.startswith("aws:"):
            raise Fault("InvalidInput", "System tags cannot be added or changed by a request: aws: is reserved.")
        tags[key] = (tag["Key"], tag["Value"])
    tags = (old or {}) | tags
    if len(tags) > TAGS:
        raise Fault("LimitExceeded", f"The number of tags has reached the maximum limit of {TAGS}.")
    return tags


def shown_tags(record: Record) -> list[Result] | None:
    """Return a record's tags as answers have them; None if there are none."""
    return [{"Key": key, "Value": value} for key, value in record.tags.values()] or None


def register_tagging(kind: str, find: Callable[[Context, Given], Record]) -> None:
    """Serve TagX, UntagX and ListXTags for one kind of record."""

    def tag(context: Context, given: Given) -> None:
        record = find(context, given)
        record.tags = new_tags(given, record.tags)

    def untag(context: Context, given: Given) -> None:
        record = find(context, given)
        gone = {key.lower() for key in given["TagKeys"]}
        record.tags = {key: pair for key, pair in record.tags.items() if key not in gone}

    def tags(context: Context, given: Given) -> Result:
        return page("Tags", shown_tags(find(context, given)) or [], given)

    ACTIONS[f"Tag{kind}"], ACTIONS[f"Untag{kind}"], ACTIONS[f"List{kind}Tags"] = tag, untag, tags


def user_of(context: Context, given: Given, member: str = "UserName") -> UserRecord:
    """Return the user named, or the one who calls."""
    name = given.get(member, context.caller)
    if name is None:
        raise Fault("ValidationError", "Must specify userName when calling with non-User credentials")
    user = context.store.users.named(context.account, name)
    if user is None:
        raise no_such(f"The user with name {name} cannot be found.")
    return user


def group_of(context: Context, given: Given) -> GroupRecord:
    """Return the group named."""
    group = context.store.groups.named(context.account, given["GroupName"])
    if group is None:
        raise no_such(f"The group with name {given['GroupName']} cannot be found.")
    return group


def role_of(context: Context, given: Given) -> RoleRecord:
    """Return the role named."""
    role = context.store.roles.named(context.account, given["RoleName"])
    if role is None:
        raise no_such(f"The role with name {given['RoleName']} cannot be found.")
    return role


def by_arn(context: Context, table: Table[_R], arn: str) -> _R | None:
    """Return what an ARN names, if it belongs to the caller's account."""
    record = table.by_arn.get(arn)
    return record if record is not None and record.account == context.account else None


def boundary_of(context: Context, given: Given) -> str | None:
    """Return the ARN of the permissions boundary that a request gives, having looked that it exists."""
    arn: str | None = given.get("PermissionsBoundary")
    if arn is not None:
        refuse_unknown_policy(context, arn, f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


def refuse_unknown_policy(context: Context, arn: str, message: str) -> None:
    """Raise Fault unless an ARN names a managed policy of the caller's account or of AWS."""
    if not _POLICY_ARN.fullmatch(arn):
        raise Fault("InvalidInput", f"ARN {arn} is not valid.")
    if (
        not arn.startswith((AWS_MANAGED, f"arn:aws:iam::{context.account}:"))
        or context.store.policy_text(arn) is None
    ):
        raise no_such(message)


def malformed(error: Malformed) -> Fault:
    """Return the refusal of a policy document."""
    return Fault("MalformedPolicyDocument", str(error))


def size(document: str) -> int:
    """Count a document's characters as quotas do, white space apart."""
    return sum(map(len, document.split()))


def over(quota: str, limit: int) -> Fault:
    """Return the refusal to exceed a quota."""
    return Fault("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}")


def below(records: Iterable[_R], given: Given) -> Iterable[_R]:
    """Yield those records whose path begins as the request wants it."""
    return (record for record in records if record.path.startswith(given.get("PathPrefix", "/")))


def head_of(record: Record, kind: str) -> Result:
    """Return what answers say of every user, group, role and managed policy."""
    return {
        "Path": record.path,
        f"{kind}Name": record.name,
        f"{kind}Id": record.id,
        "Arn": record.arn,
        "CreateDate": record.created,
    }
