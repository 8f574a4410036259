"""IAM's actions on users, groups and roles. Each looks at everything before it changes anything."""

from __future__ import annotations

from typing import TypeVar

from targets.reference.iam_context import (
    Context,
    Given,
    Result,
    action,
    below,
    boundary_of,
    conflict,
    group_of,
    head_of,
    malformed,
    new_tags,
    no_such,
    over,
    page,
    refuse_taken,
    register_tagging,
    role_of,
    shown_tags,
    size,
    user_of,
)
from targets.reference.iam_grammar import Malformed, check_trust_policy, invalid_principal
from targets.reference.iam_query import Fault
from targets.reference.iam_store import (
    GroupRecord,
    Holder,
    KeyRecord,
    Record,
    RoleRecord,
    Store,
    Table,
    UserRecord,
    new_id,
    new_secret,
)

KEYS_PER_USER = 2
GROUPS_PER_USER = 10
TRUST_SIZE = 2048
_R = TypeVar("_R", bound=Record)


# Users and their keys


@action("CreateUser")
def _create_user(context: Context, given: Given) -> Result:
    name, users = given["UserName"], context.store.users
    refuse_taken(users, context.account, name, f"User with name {name} already exists.")
    user = UserRecord(
        account=context.account,
        name=name,
        path=given.get("Path", "/"),
        id=new_id("AIDA", context.account),
        created=context.now,
        tags=new_tags(given),
        boundary=boundary_of(context, given),
    )
    users.add(user)
    return {"User": shown_user(user, whole=True)}


@action("GetUser")
def _get_user(context: Context, given: Given) -> Result:
    return {"User": shown_user(user_of(context, given), whole=True)}


@action("ListUsers")
def _list_users(context: Context, given: Given) -> Result:
    return page("Users", map(shown_user, below(context.store.users.of(context.account), given)), given)


@action("UpdateUser")
def _update_user(context: Context, given: Given) -> None:
    user, users = user_of(context, given), context.store.users
    _rename(users, user, given, "NewUserName", "User with name {} already exists.")


@action("DeleteUser")
def _delete_user(context: Context, given: Given) -> None:
    user = user_of(context, given)
    if user.keys:
        raise conflict("delete access keys")
    if user.devices:
        raise conflict("delete MFA device")
    if user.groups:
        raise conflict("remove users from group")
    _refuse_holding(user)
    context.store.users.remove(user)


@action("CreateAccessKey")
def _create_key(context: Context, given: Given) -> Result:
    user = user_of(context, given)
    if len(user.keys) >= KEYS_PER_USER:
        raise over("AccessKeysPerUser", KEYS_PER_USER)
    key = KeyRecord(new_id("AKIA", context.account), new_secret(), context.now, user)
    user.keys[key.id] = context.store.keys[key.id] = key
    return {"AccessKey": _shown_key(key) | {"SecretAccessKey": key.secret}}


@action("ListAccessKeys")
def _list_keys(context: Context, given: Given) -> Result:
    return page("AccessKeyMetadata", map(_shown_key, user_of(context, given).keys.values()), given)


@action("UpdateAccessKey")
def _update_key(context: Context, given: Given) -> None:
    if given["Status"] not in {"Active", "Inactive"}:
        raise Fault("InvalidInput", "An access key can be made Active or Inactive.")
    _key_of(context, given).active = given["Status"] == "Active"


@action("DeleteAccessKey")
def _delete_key(context: Context, given: Given) -> None:
    key = _key_of(context, given)
    del key.user.keys[key.id], context.store.keys[key.id]


def _key_of(context: Context, given: Given) -> KeyRecord:
    key = user_of(context, given).keys.get(given["AccessKeyId"])
    if key is None:
        raise no_such(f"The Access Key with id {given['AccessKeyId']} cannot be found.")
    return key


def shown_user(user: UserRecord, *, whole: bool = False) -> Result:
    """Return a user as answers have it; lists leave tags and boundary out."""
    shown = head_of(user, "User")
    return shown | {"Tags": shown_tags(user), "PermissionsBoundary": _shown_boundary(user)} if whole else shown


def _shown_key(key: KeyRecord) -> Result:
    return {
        "UserName": key.user.name,
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created,
    }


# Groups


@action("CreateGroup")
def _create_group(context: Context, given: Given) -> Result:
    name, groups = given["GroupName"], context.store.groups
    refuse_taken(groups, context.account, name, f"Group with name {name} already exists.")
    group = GroupRecord(
        account=context.account,
        name=name,
        path=given.get("Path", "/"),
        id=new_id("AGPA", context.account),
        created=context.now,
    )
    groups.add(group)
    return {"Group": head_of(group, "Group")}


@action("GetGroup")
def _get_group(context: Context, given: Given) -> Result:
    group = group_of(context, given)
    return {"Group": head_of(group, "Group")} | page("Users", map(shown_user, group.users.values()), given)


@action("ListGroups")
def _list_groups(context: Context, given: Given) -> Result:
    found = below(context.store.groups.of(context.account), given)
    return page("Groups", (head_of(group, "Group") for group in found), given)


@action("ListGroupsForUser")
def _list_groups_of(context: Context, given: Given) -> Result:
    groups = user_of(context, given).groups.values()
    return page("Groups", (head_of(group, "Group") for group in groups), given)


@action("UpdateGroup")
def _update_group(context: Context, given: Given) -> None:
    group = group_of(context, given)
    _rename(context.store.groups, group, given, "NewGroupName", "Group with name {} already exists.")


@action("DeleteGroup")
def _delete_group(context: Context, given: Given) -> None:
    group = group_of(context, given)
    if group.users:
        raise conflict("remove users from group")
    _refuse_holding(group)
    context.store.groups.remove(group)


@action("AddUserToGroup")
def _add_to_group(context: Context, given: Given) -> None:
    group, user = group_of(context, given), user_of(context, given)
    if group.id not in user.groups and len(user.groups) >= GROUPS_PER_USER:
        raise over("GroupsPerUser", GROUPS_PER_USER)
    user.groups[group.id], group.users[user.id] = group, user


@action("RemoveUserFromGroup")
def _remove_from_group(context: Context, given: Given) -> None:
    group, user = group_of(context, given), user_of(context, given)
    if group.id not in user.groups:
        raise no_such(f"User {user.name} is not in group {group.name}.")
    del user.groups[group.id], group.users[user.id]


# Roles


@action("CreateRole")
def _create_role(context: Context, given: Given) -> Result:
    name, roles = given["RoleName"], context.store.roles
    refuse_taken(roles, context.account, name, f"Role with name {name} already exists.")
    role = RoleRecord(
        account=context.account,
        name=name,
        path=given.get("Path", "/"),
        id=new_id("AROA", context.account),
        created=context.now,
        tags=new_tags(given),
        boundary=boundary_of(context, given),
        trust=_trust(context, given["AssumeRolePolicyDocument"]),
        description=given.get("Description"),
        max_session_seconds=given.get("MaxSessionDuration", 3600),
    )
    roles.add(role)
    return {"Role": _shown_role(role, whole=True)}


@action("GetRole")
def _get_role(context: Context, given: Given) -> Result:
    return {"Role": _shown_role(role_of(context, given), whole=True)}


@action("ListRoles")
def _list_roles(context: Context, given: Given) -> Result:
    return page("Roles", map(_shown_role, below(context.store.roles.of(context.account), given)), given)


@action("UpdateRole")
def _update_role(context: Context, given: Given) -> Result:
    role = role_of(context, given)
    role.description = given.get("Description", role.description)
    # As documented: if none is given, the default of one hour is applied.
    role.max_session_seconds = given.get("MaxSessionDuration", 3600)
    return {}


@action("UpdateAssumeRolePolicy")
def _update_trust(context: Context, given: Given) -> None:
    role = role_of(context, given)
    role.trust = _trust(context, given["PolicyDocument"])


@action("DeleteRole")
def _delete_role(context: Context, given: Given) -> None:
    role = role_of(context, given)
    _refuse_holding(role)
    context.store.roles.remove(role)


def _trust(context: Context, text: str) -> str:
    """Look at a trust policy, and at whether the users and roles that it names exist; raises Fault."""
    if size(text) > TRUST_SIZE:
        raise over("ACLSizePerRole", TRUST_SIZE)
    try:
        for principal in check_trust_policy(text):
            if not _exists(context.store, principal):
                raise invalid_principal("AWS", principal)
    except Malformed as error:
        raise malformed(error) from None
    return text


def _exists(store: Store, principal: str) -> bool:
    if principal.startswith("arn:aws:iam:"):
        account, resource = principal.split(":", 5)[4:]
        # Of accounts that are not ours nothing is known.
        there = principal in store.users.by_arn or principal in store.roles.by_arn
        return account not in store.accounts or resource == "root" or there
    if principal.startswith(("AIDA", "AROA")):
        return principal in store.users.by_id or principal in store.roles.by_id
    return True


def _shown_role(role: RoleRecord, *, whole: bool = False) -> Result:
    shown = head_of(role, "Role") | {
        "AssumeRolePolicyDocument": role.trust,
        "Description": role.description,
        "MaxSessionDuration": role.max_session_seconds,
    }
    if whole:
        shown |= {"Tags": shown_tags(role), "PermissionsBoundary": _shown_boundary(role), "RoleLastUsed": {}}
    return shown


# Users, groups and roles alike


def _refuse_holding(holder: Holder) -> None:
    if holder.attached:
        raise conflict("detach all policies")
    if holder.inline:
        raise conflict("delete policies")


def _rename(table: Table[_R], record: _R, given: Given, member: str, message: str) -> None:
    name = given.get(member, record.name)
    refuse_taken(table, record.account, name, message.format(name), but=record)
    table.remove(record)
    record.name, record.path = name, given.get("NewPath", record.path)
    table.add(record)


def _shown_boundary(holder: Holder) -> Result | None:
    if holder.boundary is None:
        return None
    return {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": holder.boundary}


register_tagging("User", user_of)
register_tagging("Role", role_of)
