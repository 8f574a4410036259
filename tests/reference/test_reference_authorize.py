"""The reference's decisions: who assumes which role, who may do what, and in which words others are refused."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from targets.reference.authorize import (
    Federation,
    assume_role,
    assume_role_with_federation,
    context_at,
    context_of,
    permitted,
    request_tags,
)
from targets.reference.model import Caller, FederatedIdentity, Principal, Refused, Role, Session

NOW = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
HOME, AWAY = "123456789012", "210987654321"
ALICE = f"arn:aws:iam::{HOME}:user/team/alice"
FIRST = f"arn:aws:iam::{HOME}:role/path/first"
SESSION_ARN = f"arn:aws:sts::{HOME}:assumed-role/first/one"
BOB = f"arn:aws:sts::{HOME}:federated-user/bob"
DEMO = f"arn:aws:iam::{HOME}:role/demo"
SAML_PROVIDER = f"arn:aws:iam::{HOME}:saml-provider/idp"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def may(*actions: str, resource: str = "*", effect: str = "Allow", **condition: Any) -> str:
    return policy({"Effect": effect, "Action": list(actions), "Resource": resource, "Condition": condition})


def trust(
    principal: Any, *actions: str, effect: str = "Allow", condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": principal,
        "Action": list(actions) or "sts:AssumeRole",
        "Condition": condition or {},
    }


ASSUME, ANYTHING, NOTHING = may("sts:AssumeRole"), may("*"), may("s3:GetObject")
NEVER = may("sts:*", effect="Deny")
USER = Caller(Principal("user", HOME, ALICE, "AIDA" + "A" * 17), "AKIA")
ROOT = Caller(Principal("root", HOME, f"arn:aws:iam::{HOME}:root", HOME), "AKIA")


def session(origin: Any, principal: Principal, issuer: tuple[str, str], **changes: Any) -> Session:
    whole = Session(
        access_key_id="ASIA",
        secret="",
        issued=NOW - timedelta(minutes=5),
        expires=NOW + timedelta(hours=1),
        principal=principal,
        origin=origin,
        issuer_arn=issuer[0],
        issuer_id=issuer[1],
    )
    return replace(whole, **changes)


def role_session(*policies: str, boundary: str | None = None, **changes: Any) -> Caller:
    principal = Principal("assumed-role", HOME, SESSION_ARN, "AROA" + "A" * 17 + ":one")
    held = session("role", principal, (FIRST, "AROA" + "A" * 17), **changes)
    return Caller(principal, "ASIA", held, policies, boundary)


def user_session(*policies: str, **changes: Any) -> Caller:
    held = session("session-token", USER.principal, (ALICE, USER.principal.user_id), **changes)
    return Caller(USER.principal, "ASIA", held, policies)


def federated_user(*policies: str, **changes: Any) -> Caller:
    principal = Principal("federated-user", HOME, BOB, f"{HOME}:bob")
    held = session("federation", principal, (ALICE, USER.principal.user_id), **changes)
    return Caller(principal, "ASIA", held, policies)


def user(*policies: str, boundary: str | None = None) -> Caller:
    return replace(USER, policies=policies, boundary=boundary)


def role(*statements: dict[str, Any], account: str = HOME) -> Role:
    return Role(DEMO.replace(HOME, account), "AROA" + "B" * 17, "demo", account, policy(*statements))


REFUSALS = {
    "sts:AssumeRole": "role-not-assumable",
    "sts:TagSession": "tag-session-denied",
    "sts:SetSourceIdentity": "source-identity-denied",
}


def denied(
    caller: Caller,
    target: Role | None,
    tags: tuple[tuple[str, str], ...] = (),
    *,
    mfa: bool = False,
    extra: dict[str, tuple[str, ...]] | None = None,
    **values: Any,
) -> str | None:
    """Return which action is denied, having looked at the refusal; None: the role is assumed."""
    arn = target.arn if target is not None else DEMO
    members = {"RoleSessionName": "two"} | values
    try:
        assume_role(caller, target, arn, members, tags, mfa=mfa, now=NOW, extra=extra or {})
    except Refused as refused:
        message = refused.message or ""
        action = message.split(" perform: ")[1].split(" on ")[0]
        assert refused.refusal == REFUSALS[action]  # noqa: PT017 - it may or may not be refused
        assert message == (f"User: {caller.principal.arn} is not authorized to perform: {action} on resource: {arn}")
        return action
    return None


# Who assumes a role


ACCOUNT = {"AWS": f"arn:aws:iam::{HOME}:root"}
NAMED = {"AWS": ALICE}
ROLE_NAMED = {"AWS": FIRST}
SESSION_NAMED = {"AWS": SESSION_ARN}


@pytest.mark.parametrize(
    ("caller", "principal", "allowed"),
    [
        # An account delegates: its policies decide.
        (user(), ACCOUNT, False),
        (user(ASSUME), ACCOUNT, True),
        (user(ASSUME), {"AWS": HOME}, True),
        (user(NOTHING), ACCOUNT, False),
        (user(may("sts:AssumeRole", resource=DEMO)), ACCOUNT, True),
        (user(may("sts:AssumeRole", resource=f"{DEMO}2")), ACCOUNT, False),
        (user(ASSUME), {"AWS": AWAY}, False),
        # A name suffices, and so does everybody's.
        (user(), NAMED, True),
        (user(), "*", True),
        (user(), {"AWS": "*"}, True),
        (user(), {"AWS": f"{ALICE}2"}, False),
        (user(), {"AWS": USER.principal.user_id}, True),
        (user(), {"AWS": "AIDA" + "B" * 17}, False),
        (role_session(), {"AWS": "AROA" + "A" * 17}, True),
        (user(ASSUME), {"Service": "ec2.amazonaws.com"}, False),
        # An explicit deny is the end of it.
        (user(ASSUME, NEVER), ACCOUNT, False),
        (user(NEVER), NAMED, False),
        (user(boundary=NEVER), NAMED, False),
        # A boundary cuts what the account delegates, not what the user is named for.
        (user(ASSUME, boundary=NOTHING), ACCOUNT, False),
        (user(ASSUME, boundary=ASSUME), ACCOUNT, True),
        (user(boundary=NOTHING), NAMED, True),
        (user(boundary=NOTHING), "*", False),
        # GetSessionToken's sessions act as the user.
        (user_session(), NAMED, True),
        (user_session(), ACCOUNT, False),
        (user_session(ASSUME), ACCOUNT, True),
        # Role sessions: the role's policies, cut by boundary and session policies, unless the session is named.
        (role_session(), ACCOUNT, False),
        (role_session(ASSUME), ACCOUNT, True),
        (role_session(ASSUME, policies=(NOTHING,)), ACCOUNT, False),
        (role_session(ASSUME, policies=(NOTHING, ASSUME)), ACCOUNT, True),
        (role_session(NOTHING, policies=(ANYTHING,)), ACCOUNT, False),
        (role_session(ASSUME, boundary=NOTHING), ACCOUNT, False),
        (role_session(), ROLE_NAMED, True),
        (role_session(policies=(NOTHING,)), ROLE_NAMED, False),
        (role_session(boundary=NOTHING), ROLE_NAMED, False),
        (role_session(policies=(ASSUME,)), ROLE_NAMED, True),
        (role_session(policies=(NOTHING,)), "*", False),
        (role_session(), SESSION_NAMED, True),
        (role_session(policies=(NOTHING,), boundary=NOTHING), SESSION_NAMED, True),
        (role_session(policies=(NEVER,)), SESSION_NAMED, False),
        (role_session(policies=()), ROLE_NAMED, False),
        (role_session(), {"AWS": f"arn:aws:sts::{HOME}:assumed-role/first/other"}, False),
        # Federated users call nothing of this.
        (federated_user(ANYTHING, policies=(ANYTHING,)), ACCOUNT, False),
        (federated_user(ANYTHING, policies=(ANYTHING,)), {"AWS": [BOB, ALICE]}, False),
    ],
)
def test_in_the_same_account(caller: Caller, principal: Any, allowed: bool) -> None:
    assert denied(caller, role(trust(principal))) == (None if allowed else "sts:AssumeRole")


@pytest.mark.parametrize(
    ("caller", "principal", "allowed"),
    [
        (user(ASSUME), ACCOUNT, True),
        (user(ASSUME), NAMED, True),
        (user(ASSUME), "*", True),
        (user(), ACCOUNT, False),
        (user(), NAMED, False),
        (user(), "*", False),
        (user(ASSUME), {"AWS": AWAY}, False),
        (user(ASSUME, NEVER), NAMED, False),
        (user(ASSUME, boundary=NOTHING), NAMED, False),
        (user_session(ASSUME), ACCOUNT, True),
        (role_session(ASSUME), ROLE_NAMED, True),
        (role_session(), ROLE_NAMED, False),
        (role_session(), SESSION_NAMED, False),
        (role_session(ASSUME), SESSION_NAMED, True),
        (role_session(ASSUME, policies=(NOTHING,)), SESSION_NAMED, False),
    ],
)
def test_across_accounts(caller: Caller, principal: Any, allowed: bool) -> None:
    assert denied(caller, role(trust(principal), account=AWAY)) == (None if allowed else "sts:AssumeRole")


def test_a_deny_in_the_trust_policy_ends_it() -> None:
    assert denied(user(ANYTHING), role(trust("*"), trust(NAMED, effect="Deny"))) == "sts:AssumeRole"


def test_a_role_that_does_not_exist_is_refused_alike() -> None:
    assert denied(user(ANYTHING), None) == "sts:AssumeRole"


@pytest.mark.parametrize(
    "caller",
    [
        ROOT,
        replace(ROOT, session=session("session-token", ROOT.principal, (ROOT.principal.arn, HOME))),
        replace(ROOT, session=session("root-task", ROOT.principal, (ROOT.principal.arn, HOME), policies=(ANYTHING,))),
    ],
)
@pytest.mark.parametrize("target", [role(trust("*")), None])
def test_root_assumes_no_role(caller: Caller, target: Role | None) -> None:
    with pytest.raises(Refused) as caught:
        assume_role(caller, target, DEMO, {"RoleSessionName": "two"}, (), mfa=False, now=NOW)
    assert caught.value.refusal == "root-assumes-no-role"
    assert caught.value.message == "Roles may not be assumed by root accounts."


# Tags and source identity need rights of their own


ASSUME_ROLE, TAG, SOURCE = "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"
TAGS = (("Team", "red"),)


@pytest.mark.parametrize(
    ("caller", "trusted", "expected"),
    [
        (user(), trust(NAMED), TAG),
        (user(), trust(NAMED, "sts:AssumeRole", TAG), None),
        (user(ASSUME), trust(ACCOUNT, "sts:AssumeRole", TAG), TAG),
        (user(may("sts:AssumeRole", TAG)), trust(ACCOUNT), TAG),
        (user(may("sts:AssumeRole", TAG)), trust(ACCOUNT, "sts:*"), None),
        (user(may(TAG)), trust(ACCOUNT, "sts:*"), "sts:AssumeRole"),
        (user(may(TAG, effect="Deny")), trust(NAMED, "sts:*"), TAG),
    ],
)
def test_tags(caller: Caller, trusted: dict[str, Any], expected: str | None) -> None:
    assert denied(caller, role(trusted), TAGS) == expected


def test_inherited_tags_need_the_right_too() -> None:
    heir = role_session(ASSUME, tags=TAGS, transitive=("Team",))
    assert denied(heir, role(trust(ROLE_NAMED))) == TAG
    assert denied(heir, role(trust(ROLE_NAMED, "sts:AssumeRole", TAG))) is None
    assert denied(role_session(ASSUME, tags=TAGS), role(trust(ROLE_NAMED))) is None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:RequestTag/Team": "red"}}, None),
        ({"StringEquals": {"aws:RequestTag/team": "red"}}, None),
        ({"StringEquals": {"aws:RequestTag/Team": "blue"}}, TAG),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Project"]}}, None),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Project"]}}, TAG),
        ({"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Team"]}}, None),
        ({"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Project"]}}, TAG),
        ({"Null": {"sts:TransitiveTagKeys": "true"}}, TAG),
    ],
)
def test_which_tags_may_be_passed(condition: dict[str, Any], expected: str | None) -> None:
    target = role(trust(NAMED), trust(NAMED, TAG, condition=condition))
    assert denied(user(), target, TAGS, TransitiveTagKeys=["Team"]) == expected


def test_a_request_without_tags_has_no_tag_keys() -> None:
    target = role(trust(NAMED, condition={"Null": {"aws:TagKeys": "true", "sts:TransitiveTagKeys": "true"}}))
    assert denied(user(), target) is None
    assert denied(user(), target, TAGS) == "sts:AssumeRole"


DEMANDS_SOURCE = {"StringLike": {"sts:SourceIdentity": "al*"}}


@pytest.mark.parametrize(
    ("caller", "trusted", "source", "expected"),
    [
        (user(), trust(NAMED), "alice", SOURCE),
        (user(), trust(NAMED, "sts:*"), "alice", None),
        (user(ASSUME), trust(ACCOUNT, "sts:*"), "alice", SOURCE),
        (user(may("sts:AssumeRole", SOURCE)), trust(ACCOUNT, "sts:*"), "alice", None),
        (user(), trust(NAMED, "sts:*", condition=DEMANDS_SOURCE), "alice", None),
        (user(), trust(NAMED, "sts:*", condition=DEMANDS_SOURCE), None, "sts:AssumeRole"),
        (role_session(source_identity="alice"), trust(ROLE_NAMED), None, SOURCE),
        (role_session(source_identity="alice"), trust(ROLE_NAMED, "sts:*"), None, None),
        (role_session(source_identity="alice"), trust(ROLE_NAMED, "sts:*", condition=DEMANDS_SOURCE), None, None),
        (role_session(source_identity="z"), trust(ROLE_NAMED, "sts:*", condition=DEMANDS_SOURCE), None, ASSUME_ROLE),
    ],
)
def test_source_identity(caller: Caller, trusted: dict[str, Any], source: str | None, expected: str | None) -> None:
    values: dict[str, Any] = {} if source is None else {"SourceIdentity": source}
    assert denied(caller, role(trusted), **values) == expected


def test_a_wrong_source_identity_is_told_by_its_own_action() -> None:
    target = role(trust(NAMED), trust(NAMED, SOURCE, condition=DEMANDS_SOURCE))
    assert denied(user(), target, SourceIdentity="zoe") == SOURCE
    assert denied(user(), target, SourceIdentity="alice") is None


def test_what_is_missing_first_is_told() -> None:
    assert denied(user(), role(trust(NAMED)), TAGS, SourceIdentity="alice") == TAG
    assert denied(user(), role(trust(NAMED, "sts:AssumeRole", TAG)), TAGS, SourceIdentity="alice") == SOURCE


# Conditions of trust policies


@pytest.mark.parametrize(
    ("condition", "values", "allowed"),
    [
        ({"StringEquals": {"sts:ExternalId": "id"}}, {"ExternalId": "id"}, True),
        ({"StringEquals": {"sts:ExternalId": "id"}}, {"ExternalId": "ID"}, False),
        ({"StringEquals": {"sts:ExternalId": "id"}}, {}, False),
        ({"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}, {"RoleSessionName": "alice"}, True),
        ({"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}, {"RoleSessionName": "bob"}, False),
    ],
)
def test_request_conditions(condition: dict[str, Any], values: dict[str, Any], allowed: bool) -> None:
    assert denied(user(), role(trust(NAMED, condition=condition)), **values) == (None if allowed else ASSUME_ROLE)


MFA = {"Bool": {"aws:MultiFactorAuthPresent": True}}
NO_OLD_MFA = {"NumericLessThan": {"aws:MultiFactorAuthAge": 300}}


@pytest.mark.parametrize(
    ("caller", "code", "condition", "allowed"),
    [
        (user(), False, MFA, False),
        (user(), True, MFA, True),
        (user_session(), False, MFA, False),
        (user_session(mfa=True), False, MFA, True),
        (role_session(mfa=True), False, MFA, False),
        (user(), False, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, True),
        (user_session(), False, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, False),
        (role_session(), False, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, False),
        (user(), True, NO_OLD_MFA, True),
        (user(), False, NO_OLD_MFA, False),
        (user_session(mfa=True), False, NO_OLD_MFA, False),
        (user_session(mfa=True), False, {"NumericEquals": {"aws:MultiFactorAuthAge": "300"}}, True),
    ],
)
def test_mfa(caller: Caller, code: bool, condition: dict[str, Any], allowed: bool) -> None:
    target = role(trust({"AWS": [ALICE, FIRST]}, condition=condition))
    assert denied(caller, target, mfa=code) == (None if allowed else "sts:AssumeRole")


def test_what_http_tells_is_part_of_the_context() -> None:
    target = role(trust(NAMED, condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert denied(user(), target, extra={"aws:SourceIp": ("10.1.1.1",)}) is None
    assert denied(user(), target, extra={"aws:SourceIp": ("11.1.1.1",)}) == "sts:AssumeRole"


# What callers bring


def test_context_of_a_user() -> None:
    caller = replace(USER, principal_tags=(("Team", "red"), ("Cost Center", "12")))
    assert context_of(caller, now=NOW, extra={"aws:SourceIp": ("10.1.1.1",)}) == {
        "aws:sourceip": ("10.1.1.1",),
        "aws:currenttime": ("2026-08-01T12:00:00Z",),
        "aws:epochtime": (str(int(NOW.timestamp())),),
        "aws:principaltag/team": ("red",),
        "aws:principaltag/cost center": ("12",),
        "aws:principalarn": (ALICE,),
        "aws:principalaccount": (HOME,),
        "aws:principaltype": ("User",),
        "aws:userid": ("AIDA" + "A" * 17,),
        "aws:username": ("alice",),
    }


def test_context_of_a_role_session() -> None:
    claims = (("saml:aud", "a"), ("saml:edupersonorgdn", "b"), ("SAML:edupersonorgdn", "c"))
    context = context_of(role_session(source_identity="alice", federated=claims), now=NOW)
    assert "aws:username" not in context
    assert "aws:multifactorauthage" not in context
    assert (
        context.items()
        >= {
            "aws:principalarn": (FIRST,),
            "aws:principaltype": ("AssumedRole",),
            "aws:userid": ("AROA" + "A" * 17 + ":one",),
            "aws:tokenissuetime": ("2026-08-01T11:55:00Z",),
            "aws:sourceidentity": ("alice",),
            "aws:multifactorauthpresent": ("false",),
            "saml:aud": ("a",),
            "saml:edupersonorgdn": ("b", "c"),
        }.items()
    )


@pytest.mark.parametrize(
    ("caller", "arn", "kind", "identifier"),
    [
        (ROOT, f"arn:aws:iam::{HOME}:root", "Account", HOME),
        (federated_user(), BOB, "FederatedUser", f"{HOME}:bob"),
        (user_session(), ALICE, "User", "AIDA" + "A" * 17),
    ],
)
def test_context_of_others(caller: Caller, arn: str, kind: str, identifier: str) -> None:
    context = context_of(caller, now=NOW)
    assert (context["aws:principalarn"], context["aws:principaltype"], context["aws:userid"]) == (
        (arn,),
        (kind,),
        (identifier,),
    )
    assert context.get("aws:username") == (("alice",) if kind == "User" else None)


def test_an_extra_key_does_not_speak_for_the_caller() -> None:
    extra = {"AWS:PrincipalArn": ("x",), "aws:CurrentTime": ("x",)}
    assert context_of(USER, now=NOW, extra=extra) == context_of(USER, now=NOW)
    assert context_at(NOW, extra)["aws:currenttime"] == ("2026-08-01T12:00:00Z",)


def test_request_tags() -> None:
    assert request_tags(()) == {}
    assert request_tags((("Team", "red"), ("x", ""))) == {
        "aws:requesttag/team": ("red",),
        "aws:requesttag/x": ("",),
        "aws:tagkeys": ("Team", "x"),
    }


# Federation


SAML = FederatedIdentity("sub", "iss", "aud", SAML_PROVIDER, (("saml:aud", "https://signin.aws.amazon.com/saml"),))
OIDC = FederatedIdentity(
    "sub", "https://idp.example.com/a", "app", "https://idp.example.com/a", (("idp.example.com/a:aud", "app"),)
)
OIDC_PROVIDER = f"arn:aws:iam::{HOME}:oidc-provider/idp.example.com/a"
WITH: dict[Federation, str] = {"saml": "sts:AssumeRoleWithSAML", "web-identity": "sts:AssumeRoleWithWebIdentity"}


def federation_denied(kind: Federation, identity: FederatedIdentity, target: Role | None) -> str | None:
    try:
        assume_role_with_federation(kind, identity, target, "two", now=NOW)
    except Refused as refused:
        assert refused.refusal == "federation-denied"  # noqa: PT017 - it may or may not be refused
        start, action = (refused.message or "").rsplit(" ", 1)
        assert start == "Not authorized to perform"
        return action
    return None


@pytest.mark.parametrize(
    ("kind", "identity", "principal", "allowed"),
    [
        ("saml", SAML, {"Federated": SAML_PROVIDER}, True),
        ("saml", SAML, {"Federated": f"{SAML_PROVIDER}2"}, False),
        ("saml", SAML, {"AWS": HOME}, False),
        ("saml", SAML, "*", False),
        ("web-identity", OIDC, {"Federated": OIDC_PROVIDER}, True),
        ("web-identity", OIDC, {"Federated": OIDC_PROVIDER.replace(HOME, AWAY)}, False),
        ("web-identity", OIDC, {"Federated": "idp.example.com/a"}, False),
        ("web-identity", OIDC, {"Federated": "https://idp.example.com/a"}, False),
        (
            "web-identity",
            replace(OIDC, provider="https://accounts.google.com"),
            {"Federated": "accounts.google.com"},
            True,
        ),
    ],
)
def test_the_trust_policy_names_the_provider(
    kind: Federation, identity: FederatedIdentity, principal: Any, allowed: bool
) -> None:
    assert federation_denied(kind, identity, role(trust(principal, WITH[kind]))) == (None if allowed else WITH[kind])


@pytest.mark.parametrize(("kind", "identity"), [("saml", SAML), ("web-identity", OIDC)])
def test_federation_has_actions_of_its_own(kind: Federation, identity: FederatedIdentity) -> None:
    provider = {"Federated": [SAML_PROVIDER, OIDC_PROVIDER]}
    action = WITH[kind]
    assert federation_denied(kind, identity, None) == action
    assert federation_denied(kind, identity, role(trust(provider))) == action
    denier = trust("*", "sts:*", effect="Deny")
    assert federation_denied(kind, identity, role(trust(provider, action), denier)) == action
    tagged = replace(identity, tags=TAGS)
    sourced = replace(identity, source_identity="alice")
    assert federation_denied(kind, tagged, role(trust(provider, action))) == TAG
    assert federation_denied(kind, tagged, role(trust(provider, action, TAG))) is None
    assert federation_denied(kind, sourced, role(trust(provider, action))) == SOURCE
    assert federation_denied(kind, sourced, role(trust(provider, action, SOURCE))) is None


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}, True),
        ({"StringEquals": {"SAML:aud": "https://example.com"}}, False),
        ({"StringEquals": {"sts:RoleSessionName": "two"}}, True),
        ({"StringLike": {"sts:SourceIdentity": "al*"}}, True),
        ({"StringEquals": {"aws:RequestTag/Team": "red"}}, True),
        ({"Null": {"aws:PrincipalArn": "true"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-08-01T12:00:01Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-08-01T12:00:00Z"}}, False),
    ],
)
def test_conditions_of_federation(condition: dict[str, Any], allowed: bool) -> None:
    identity = replace(SAML, tags=TAGS, source_identity="alice")
    target = role(trust({"Federated": SAML_PROVIDER}, "sts:*", condition=condition))
    assert federation_denied("saml", identity, target) == (None if allowed else WITH["saml"])


# The caller's own policies


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        (user(), False),
        (user(ANYTHING), True),
        (user(may("sts:GetFederationToken", resource=BOB)), True),
        (user(may("sts:GetFederationToken", resource=f"{BOB}2")), False),
        (user(ANYTHING, NEVER), False),
        (user(ANYTHING, boundary=ANYTHING), True),
        (user(ANYTHING, boundary=NOTHING), False),
        (user(NOTHING, boundary=ANYTHING), False),
        (role_session(ANYTHING), True),
        (role_session(ANYTHING, policies=(ANYTHING,)), True),
        (role_session(ANYTHING, policies=(NOTHING,)), False),
        (role_session(ANYTHING, policies=(ANYTHING, NEVER)), False),
        (role_session(NOTHING, policies=(ANYTHING,)), False),
        (user_session(ANYTHING), True),
        (federated_user(ANYTHING), False),
        (federated_user(ANYTHING, policies=(ANYTHING,)), True),
        (federated_user(NOTHING, policies=(ANYTHING,)), False),
        (federated_user(ANYTHING, policies=(NOTHING,)), False),
        (federated_user(policies=(ANYTHING,), issuer_id=HOME), True),
        (federated_user(policies=(NOTHING,), issuer_id=HOME), False),
        (federated_user(issuer_id=HOME), False),
        (ROOT, True),
        (replace(ROOT, session=session("session-token", ROOT.principal, (ROOT.principal.arn, HOME))), True),
        (
            replace(
                ROOT,
                session=session("root-task", ROOT.principal, (ROOT.principal.arn, HOME), policies=(NOTHING,)),
            ),
            False,
        ),
    ],
)
def test_permitted(caller: Caller, allowed: bool) -> None:
    context = context_of(caller, now=NOW)
    if allowed:
        permitted(caller, "sts:GetFederationToken", BOB, context)
        return
    with pytest.raises(Refused) as caught:
        permitted(caller, "sts:GetFederationToken", BOB, context)
    assert caught.value.refusal == "access-denied"
    assert caught.value.message == (
        f"User: {caller.principal.arn} is not authorized to perform: sts:GetFederationToken on resource: {BOB}"
    )


def test_tags_of_the_principal_decide() -> None:
    own = may("sts:*", StringEquals={"aws:PrincipalTag/Team": "red"})
    red, blue = (replace(user(own), principal_tags=(("team", colour),)) for colour in ("red", "blue"))
    permitted(red, "sts:TagSession", BOB, context_of(red, now=NOW))
    with pytest.raises(Refused):
        permitted(blue, "sts:TagSession", BOB, context_of(blue, now=NOW))


def test_decisions_are_fast() -> None:
    target = role(trust(ACCOUNT, "sts:AssumeRole", condition={"StringEquals": {"sts:ExternalId": "id"}}))
    caller = user(ASSUME, NOTHING)
    best = min(_seconds(caller, target) for _ in range(50))
    assert best < 200e-6, "one of three decisions, with the contexts made anew"


def _seconds(caller: Caller, target: Role) -> float:
    started = time.perf_counter()
    assert denied(caller, target, ExternalId="id") is None
    return time.perf_counter() - started
