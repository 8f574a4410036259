"""IAM's actions on managed policies, and on the policies of users, groups and roles."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from targets.reference.iam_context import (
    ACTIONS,
    Context,
    Given,
    Result,
    action,
    below,
    boundary_of,
    by_arn,
    group_of,
    head_of,
    malformed,
    new_tags,
    no_such,
    over,
    page,
    refuse_taken,
    refuse_unknown_policy,
    register_tagging,
    role_of,
    shown_tags,
    size,
    user_of,
)
from targets.reference.iam_grammar import Malformed, check_identity_policy
from targets.reference.iam_query import Fault
from targets.reference.iam_store import Holder, PolicyRecord, VersionRecord, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTACHED_POLICIES = 10
VERSIONS_PER_POLICY = 5
POLICY_SIZE = 6144
INLINE_SIZES = {"user": 2048, "group": 5120, "role": 10240}


# Managed policies


@action("CreatePolicy")
def _create_policy(context: Context, given: Given) -> Result:
    name, policies = given["PolicyName"], context.store.policies
    message = f"A policy called {name} already exists. Duplicate names are not allowed."
    refuse_taken(policies, context.account, name, message)
    policy = PolicyRecord(
        account=context.account,
        name=name,
        path=given.get("Path", "/"),
        id=new_id("ANPA", context.account),
        created=context.now,
        tags=new_tags(given),
        versions={"v1": VersionRecord("v1", _managed_document(given), context.now)},
        description=given.get("Description"),
    )
    policies.add(policy)
    return {"Policy": _shown_policy(context, policy) | {"Tags": shown_tags(policy)}}


@action("GetPolicy")
def _get_policy(context: Context, given: Given) -> Result:
    policy = _policy_of(context, given)
    whole = {"Tags": shown_tags(policy), "Description": policy.description}
    return {"Policy": _shown_policy(context, policy) | whole}


@action("ListPolicies")
def _list_policies(context: Context, given: Given) -> Result:
    found = [_shown_policy(context, policy) for policy in below(context.store.policies.of(context.account), given)]
    if given.get("OnlyAttached") == "true":
        found = [policy for policy in found if policy["AttachmentCount"]]
    return page("Policies", found if given.get("Scope") != "AWS" else [], given)


@action("DeletePolicy")
def _delete_policy(context: Context, given: Given) -> None:
    policy = _policy_of(context, given)
    if any(_uses(context, policy)):
        raise Fault("DeleteConflict", "Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise Fault("DeleteConflict", "This policy has more than one version. Delete the others first.")
    context.store.policies.remove(policy)


@action("CreatePolicyVersion")
def _create_version(context: Context, given: Given) -> Result:
    policy, document = _policy_of(context, given), _managed_document(given)
    if len(policy.versions) >= VERSIONS_PER_POLICY:
        raise Fault(
            "LimitExceeded",
            f"A managed policy can have up to {VERSIONS_PER_POLICY} versions. "
            "Before you create a new version, you must delete an existing version.",
        )
    policy.made += 1
    version = VersionRecord(f"v{policy.made}", document, context.now)
    policy.versions[version.name] = version
    if given.get("SetAsDefault") == "true":
        policy.default = version.name
    return {"PolicyVersion": _shown_version(policy, version)}


@action("GetPolicyVersion")
def _get_version(context: Context, given: Given) -> Result:
    policy = _policy_of(context, given)
    version = _version_of(policy, given)
    return {"PolicyVersion": _shown_version(policy, version) | {"Document": version.document}}


@action("ListPolicyVersions")
def _list_versions(context: Context, given: Given) -> Result:
    policy = _policy_of(context, given)
    versions = reversed(policy.versions.values())
    return page("Versions", (_shown_version(policy, version) for version in versions), given)


@action("SetDefaultPolicyVersion")
def _set_default_version(context: Context, given: Given) -> None:
    policy = _policy_of(context, given)
    policy.default = _version_of(policy, given).name


@action("DeletePolicyVersion")
def _delete_version(context: Context, given: Given) -> None:
    policy = _policy_of(context, given)
    version = _version_of(policy, given)
    if version.name == policy.default:
        raise Fault("DeleteConflict", "Cannot delete the default version of a policy.")
    del policy.versions[version.name]


def _version_of(policy: PolicyRecord, given: Given) -> VersionRecord:
    version = policy.versions.get(given["VersionId"])
    if version is None:
        raise no_such(f"Policy {policy.arn} version {given['VersionId']} does not exist or is not attachable.")
    return version


def _managed_document(given: Given) -> str:
    document = _identity_policy(given["PolicyDocument"])
    if size(document) > POLICY_SIZE:
        raise over("PolicySize", POLICY_SIZE)
    return document


def _uses(context: Context, policy: PolicyRecord) -> tuple[int, int]:
    """Count on how many a policy is attached, and of how many it is the boundary."""
    holders = list(context.store.holders(policy.account))
    return sum(policy.arn in h.attached for h in holders), sum(policy.arn == h.boundary for h in holders)


def _shown_policy(context: Context, policy: PolicyRecord) -> Result:
    attached, bounding = _uses(context, policy)
    return head_of(policy, "Policy") | {
        "DefaultVersionId": policy.default,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounding,
        "IsAttachable": True,
        "UpdateDate": max(version.created for version in policy.versions.values()),
    }


def _shown_version(policy: PolicyRecord, version: VersionRecord) -> Result:
    default = version.name == policy.default
    return {"VersionId": version.name, "IsDefaultVersion": default, "CreateDate": version.created}


# Policies on users, groups and roles


def _put_inline(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> None:
    holder, name = find(context, given), given["PolicyName"]
    inline = holder.inline | {name: _identity_policy(given["PolicyDocument"])}
    limit = INLINE_SIZES[holder.kind]
    if sum(map(size, inline.values())) > limit:
        raise Fault("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {holder.kind} {holder.name}")
    holder.inline = inline


def _get_inline(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> Result:
    holder, name = find(context, given), given["PolicyName"]
    return {
        f"{holder.kind.capitalize()}Name": holder.name,
        "PolicyName": name,
        "PolicyDocument": holder.inline[_inline_name(holder, name)],
    }


def _delete_inline(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> None:
    holder = find(context, given)
    del holder.inline[_inline_name(holder, given["PolicyName"])]


def _list_inline(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> Result:
    return page("PolicyNames", sorted(find(context, given).inline), given)


def _inline_name(holder: Holder, name: str) -> str:
    if name not in holder.inline:
        raise no_such(f"The {holder.kind} policy with name {name} cannot be found.")
    return name


def _attach(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> None:
    holder, arn = find(context, given), given["PolicyArn"]
    refuse_unknown_policy(context, arn, f"Policy {arn} does not exist or is not attachable.")
    if arn not in holder.attached and len(holder.attached) >= ATTACHED_POLICIES:
        raise over(f"PoliciesPer{holder.kind.capitalize()}", ATTACHED_POLICIES)
    holder.attached[arn] = arn.rpartition("/")[2]


def _detach(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> None:
    holder, arn = find(context, given), given["PolicyArn"]
    if arn not in holder.attached:
        raise no_such(f"Policy {arn} was not found.")
    del holder.attached[arn]


def _list_attached(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> Result:
    attached = find(context, given).attached
    return page("AttachedPolicies", ({"PolicyName": n, "PolicyArn": arn} for arn, n in attached.items()), given)


def _put_boundary(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> None:
    holder = find(context, given)
    holder.boundary = boundary_of(context, given)


def _delete_boundary(find: Callable[[Context, Given], Holder], context: Context, given: Given) -> None:
    holder = find(context, given)
    if holder.boundary is None:
        raise no_such(f"{holder.kind.capitalize()} {holder.name} does not have a permissions boundary.")
    holder.boundary = None


def _register_holders() -> None:
    families: Mapping[str, Callable[[Any, Context, Given], Result | None]] = {
        "Put{}Policy": _put_inline,
        "Get{}Policy": _get_inline,
        "Delete{}Policy": _delete_inline,
        "List{}Policies": _list_inline,
        "Attach{}Policy": _attach,
        "Detach{}Policy": _detach,
        "ListAttached{}Policies": _list_attached,
        "Put{}PermissionsBoundary": _put_boundary,
        "Delete{}PermissionsBoundary": _delete_boundary,
    }
    finders: Mapping[str, Callable[[Context, Given], Holder]] = {
        "User": user_of,
        "Group": group_of,
        "Role": role_of,
    }
    for kind, find in finders.items():
        for name, serve in families.items():
            if not (kind == "Group" and name.endswith("Boundary")):
                ACTIONS[name.format(kind)] = partial(serve, find)


def _policy_of(context: Context, given: Given) -> PolicyRecord:
    arn = given["PolicyArn"]
    policy = by_arn(context, context.store.policies, arn)
    if policy is None:
        raise no_such(f"Policy {arn} was not found.")
    return policy


def _identity_policy(text: str) -> str:
    try:
        check_identity_policy(text)
    except Malformed as error:
        raise malformed(error) from None
    return text


_register_holders()
register_tagging("Policy", _policy_of)
