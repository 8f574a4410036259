"""The reference's policy language: what a document must be, and what it says of a request."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets.reference.policy import (
    Ask,
    Claimant,
    Grant,
    MalformedPolicy,
    effect,
    parse,
    parse_trust,
    trusted,
)

ROLE = "arn:aws:iam::123456789012:role/demo"
USER = Claimant(
    "AWS",
    own=frozenset({"arn:aws:iam::123456789012:user/alice", "AIDAAAAAAAAAAAAAAAAAA"}),
    account=frozenset({"123456789012", "arn:aws:iam::123456789012:root"}),
)
SESSION = Claimant(
    "AWS",
    own=frozenset({"arn:aws:sts::123456789012:assumed-role/first/one"}),
    issuer=frozenset({"arn:aws:iam::123456789012:role/path/first", "AROAAAAAAAAAAAAAAAAAA"}),
    account=frozenset({"123456789012", "arn:aws:iam::123456789012:root"}),
)
SAML = Claimant("Federated", frozenset({"arn:aws:iam::123456789012:saml-provider/idp"}))
SERVICE = Claimant("Service", frozenset({"ec2.amazonaws.com"}))


def document(*statements: dict[str, Any], version: str | None = "2012-10-17") -> str:
    whole: dict[str, Any] = {} if version is None else {"Version": version}
    return json.dumps(whole | {"Statement": list(statements)})


def allow(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"} | changes


def trust(principal: Any, **changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal} | changes


def without(statement: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != name}


def ask(resource: str = ROLE, **context: str | tuple[str, ...]) -> Ask:
    """Ask with context keys written as identifiers: aws__x is aws:x."""
    keys = {key.replace("__", ":", 1): value for key, value in context.items()}
    return Ask(
        "sts:AssumeRole",
        resource,
        {key: (value,) if isinstance(value, str) else value for key, value in keys.items()},
    )


def says(text: str, question: Ask) -> str:
    return effect([parse(text)], question)


def condition(operator: str, wanted: Any, *values: str, version: str = "2012-10-17") -> bool:
    """Tell whether a condition on aws:k holds when the request has these values; none: the key is missing."""
    text = document(allow(Condition={operator: {"aws:k": wanted}}), version=version)
    context = {"aws:K": values} if values else {}
    return says(text, Ask("sts:AssumeRole", ROLE, context)) == "allow"


# Documents


@pytest.mark.parametrize(
    "text",
    [
        document(allow()),
        document(allow(), version="2008-10-17"),
        document(allow(), version=None),
        json.dumps({"Statement": allow(), "Id": "x"}),
        document(allow(Sid="a"), allow(Sid="b")),
        document(allow(Sid=""), allow(Sid="")),
        document(without(allow(NotAction=["sts:*", "*"]), "Action")),
        document(without(allow(NotResource=["arn:aws:s3:::x", "*"]), "Resource")),
        document(allow(Resource="arn:aws:iam::*:role/${aws:username}")),
        document(allow(Condition={"Null": {"aws:k": True}, "ForAnyValue:StringLikeIfExists": {"aws:k": []}})),
        " \n" + document(allow()) + "\t",
    ],
)
def test_a_good_document_is_read(text: str) -> None:
    assert parse(text).statements


BAD = {
    "empty": "",
    "no JSON": "invalid",
    "trailing comma": '{"Version":"2012-10-17",}',
    "two documents": document(allow()) * 2,
    "NaN": document(allow(Condition={"NumericEquals": {"aws:k": float("nan")}})),
    "array": "[]",
    "string": '"x"',
    "null": "null",
    "no statement": "{}",
    "empty statements": document(),
    "statement is a string": '{"Statement":"x"}',
    "statements are strings": '{"Statement":["x"]}',
    "unknown element": json.dumps({"Statement": allow(), "Extra": 1}),
    "unknown element of a statement": document(allow(Extra=1)),
    "version": document(allow(), version="2013-10-17"),
    "version is a number": '{"Version":2012,"Statement":' + json.dumps(allow()) + "}",
    "version is a list": '{"Version":[],"Statement":' + json.dumps(allow()) + "}",
    "id is a number": json.dumps({"Statement": allow(), "Id": 1}),
    "effect": document(allow(Effect="allow")),
    "effect is a list": document(allow(Effect=["Allow"])),
    "no effect": document(without(allow(), "Effect")),
    "no action": document(without(allow(), "Action")),
    "no actions": document(allow(Action=[])),
    "both actions": document(allow(NotAction="sts:*")),
    "action is a number": document(allow(Action=1)),
    "actions hold a number": document(allow(Action=["sts:*", 1])),
    "action without vendor": document(allow(Action="AssumeRole")),
    "action with two colons": document(allow(Action="sts:Assume:Role")),
    "action with a strange vendor": document(allow(Action="s_s:AssumeRole")),
    "action without name": document(allow(Action="sts:")),
    "no resource": document(without(allow(), "Resource")),
    "no resources": document(allow(Resource=[])),
    "both resources": document(allow(NotResource="*")),
    "resource is no ARN": document(allow(Resource="demo")),
    "resource of a strange partition": document(allow(Resource="arn:azure:s3:::x")),
    "resource without vendor": document(allow(Resource="arn:aws")),
    "resource cut short": document(allow(Resource="arn:aws:s3::x")),
    "principal": document(allow(Principal="*")),
    "condition is a list": document(allow(Condition=[])),
    "operator": document(allow(Condition={"StringMatches": {"aws:k": "x"}})),
    "operator's case": document(allow(Condition={"stringequals": {"aws:k": "x"}})),
    "operator's quantifier": document(allow(Condition={"ForSomeValues:StringEquals": {"aws:k": "x"}})),
    "null if it exists": document(allow(Condition={"NullIfExists": {"aws:k": "true"}})),
    "no keys": document(allow(Condition={"StringEquals": "x"})),
    "key without vendor": document(allow(Condition={"StringEquals": {"k": "x"}})),
    "value is an object": document(allow(Condition={"StringEquals": {"aws:k": {}}})),
    "value is null": document(allow(Condition={"StringEquals": {"aws:k": [None]}})),
    "date": document(allow(Condition={"DateLessThan": {"aws:k": "tomorrow"}})),
    "same sid twice": document(allow(Sid="a"), allow(Sid="a")),
    "sid with a space": document(allow(Sid="a b")),
    "sid is a number": document(allow(Sid=1)),
    "name twice": '{"Statement":[],"Statement":' + json.dumps(allow()) + "}",
    "name twice, deep": document(allow()).replace('"Effect"', '"Effect": "Deny", "Effect"'),
    "deep": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep and whole": '{"Statement":' + "[" * 50_000 + "]" * 50_000 + "}",
    "long number": '{"Statement":' + "1" * 10_000 + "}",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_document_is_refused(text: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["123456789012", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/a/b"]},
        {"AWS": ["arn:aws:iam::123456789012:user/a", "AIDAAAAAAAAAAAAAAAAAA"]},
        {"AWS": "arn:aws:sts::123456789012:assumed-role/a/b"},
        {"AWS": "arn:aws:sts::123456789012:federated-user/bob"},
        {"Federated": "accounts.google.com", "Service": ["ec2.amazonaws.com"]},
    ],
)
def test_a_good_trust_policy_is_read(principal: Any) -> None:
    assert parse_trust(document(trust(principal))).statements
    assert parse_trust(document(without(trust("*", NotPrincipal=principal, Effect="Deny"), "Principal"))).statements


BAD_TRUST = {
    "resource": document(trust("*", Resource="*")),
    "not resource": document(trust("*", NotResource="*")),
    "no principal": document(without(trust("*"), "Principal")),
    "both principals": document(trust("*", NotPrincipal="*", Effect="Deny")),
    "allow with not principal": document(without(trust("*", NotPrincipal="*"), "Principal")),
    "other service": document(trust("*", Action=["sts:AssumeRole", "s3:GetObject"])),
    "any action": document(trust("*", Action="*")),
    "principal is a string": document(trust("123456789012")),
    "principal is a list": document(trust(["*"])),
    "principal is empty": document(trust({})),
    "kind": document(trust({"Google": "x"})),
    "kind without names": document(trust({"AWS": []})),
    "name is a number": document(trust({"AWS": 123456789012})),
    "name": document(trust({"AWS": "alice"})),
    "part of an account": document(trust({"AWS": "12345678901"})),
    "wildcard in a name": document(trust({"AWS": "arn:aws:iam::123456789012:user/*"})),
    "no JSON": "x",
}


@pytest.mark.parametrize("text", BAD_TRUST.values(), ids=BAD_TRUST)
def test_a_bad_trust_policy_is_refused(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_trust(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("invalid", "The policy is not in the valid JSON format."),
        ("{}", "Syntax errors in policy."),
        (BAD["no action"], "Policy statement must contain actions."),
        (BAD["no resource"], "Policy statement must contain resources."),
        (BAD["principal"], "Policy document should not specify a principal."),
        (BAD["same sid twice"], "Statement IDs (SID) in a single policy must be unique."),
        (BAD["action with two colons"], "Actions/Condition can contain only one colon."),
        (BAD["action with a strange vendor"], "Vendor s_s is not valid"),
        (BAD["resource is no ARN"], 'Resource demo must be in ARN format or "*".'),
        (BAD["operator"], "Invalid Condition type : StringMatches."),
    ],
)
def test_what_is_said_of_a_bad_document(text: str, message: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_message_never_carries_what_xml_cannot() -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse(document(allow(Resource="\x00\ud800\ufffe")))
    assert str(caught.value).isprintable()


_WORDS = st.sampled_from(
    [
        *("Version", "2012-10-17", "Id", "Statement", "Sid", "Effect", "Allow", "Deny", "Action", "NotAction"),
        *("sts:*", "Resource", "NotResource", "*", "arn:aws:s3:::${aws:username}", "Principal", "NotPrincipal"),
        *("AWS", "Federated", "Condition", "StringLike", "ArnLike", "Bool", "IpAddress", "DateLessThan", "Null"),
        *("BinaryEquals", "aws:k"),
    ]
)
_TEXTS = _WORDS | st.text(max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("read", [parse, parse_trust])
@settings(max_examples=400, deadline=None)
@given(text=st.text() | _JSON.map(json.dumps) | _JSON.map(lambda each: json.dumps({"Statement": each})))
def test_no_text_makes_reading_fail_otherwise(read: Any, text: str) -> None:
    try:
        read(text)
    except MalformedPolicy as error:
        assert str(error)  # noqa: PT017 - the error may or may not come


_GOOD = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.just("sts:*"), "Resource": st.just("*")},
    optional={
        "Condition": st.dictionaries(
            st.sampled_from(
                [
                    *("StringEquals", "StringNotLike", "ArnLike", "ForAllValues:StringEqualsIgnoreCase"),
                    *("NumericLessThan", "BoolIfExists", "BinaryEquals", "IpAddress", "NotIpAddress", "Null"),
                ]
            ),
            st.dictionaries(st.just("aws:k"), st.lists(st.text() | st.booleans() | st.floats(allow_nan=False))),
        )
    },
)


@settings(max_examples=400, deadline=None)
@given(statement=_GOOD, values=st.lists(st.text()))
def test_whatever_was_read_can_be_asked(statement: dict[str, Any], values: list[str]) -> None:
    try:
        read = parse(document(statement))
    except MalformedPolicy:
        return
    assert effect([read], ask(aws__k=tuple(values))) in {"allow", "deny", "none"}


# Effect, Action, Resource


@pytest.mark.parametrize(
    ("statements", "answer"),
    [
        ([allow()], "allow"),
        ([allow(Action="sts:TagSession")], "none"),
        ([allow(Effect="Deny")], "deny"),
        ([allow(), allow(Effect="Deny")], "deny"),
        ([allow(Effect="Deny"), allow()], "deny"),
        ([allow(), allow(Effect="Deny", Action="sts:TagSession")], "allow"),
    ],
)
def test_a_deny_outweighs_every_allow(statements: list[dict[str, Any]], answer: str) -> None:
    assert says(document(*statements), ask()) == answer
    assert effect([parse(document(each)) for each in statements], ask()) == answer


def test_no_documents_say_nothing() -> None:
    assert effect([], ask()) == "none"


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("sts:*", True),
        ("STS:assumerole", True),
        ("sts:Assume????", True),
        ("sts:Assume???", False),
        ("sts:*Role", True),
        ("sts:*Roles", False),
        ("*:AssumeRole", True),
        ("iam:*", False),
        ("sts:AssumeRoleWithSAML", False),
    ],
)
def test_actions(pattern: str, fits: bool) -> None:
    assert says(document(allow(Action=["iam:GetUser", pattern])), ask()) == ("allow" if fits else "none")
    inverted = without(allow(NotAction=["iam:GetUser", pattern]), "Action")
    assert says(document(inverted), ask()) == ("none" if fits else "allow")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        (ROLE, True),
        ("arn:aws:iam::123456789012:role/Demo", False),
        ("arn:aws:iam::123456789012:role/dem?", True),
        ("arn:aws:iam::*:role/demo", True),
        ("arn:aws:iam::123456789012:role/", False),
        ("arn:aws:iam::123456789012:role/demo2", False),
        ("arn:aws:iam::123456789012:*", True),
        ("arn:aws:iam::123456789012:role/${aws:k}", True),
        ("arn:aws:iam::123456789012:role/${AWS:K}", True),
        ("arn:aws:iam::123456789012:role/d${aws:other}o", False),
        ("arn:aws:iam::123456789012:role/demo${aws:other}", False),
        ("arn:aws:iam::123456789012:role/d${aws:other, 'em'}o", True),
        ("arn:aws:iam::123456789012:role/${aws:many}", False),
        ("arn:aws:iam::123456789012:role/${aws:many, 'demo'}", False),
        ("arn:aws:iam::123456789012:role/${aws:star}", False),
        ("arn:aws:iam::123456789012:role/${*}", False),
        ("arn:aws:iam::123456789012:role/${", False),
    ],
)
def test_resources(pattern: str, fits: bool) -> None:
    question = ask(aws__k="demo", aws__many=("demo", "x"), aws__star="*")
    others = ["arn:aws:s3:::x", pattern]
    assert says(document(allow(Resource=others)), question) == ("allow" if fits else "none")
    inverted = without(allow(NotResource=others), "Resource")
    assert says(document(inverted), question) == ("none" if fits else "allow")


@pytest.mark.parametrize("character", "*?$")
def test_escaped_characters_stand_for_themselves(character: str) -> None:
    text = document(allow(Resource=f"arn:aws:s3:::a${{{character}}}b"))
    assert says(text, ask(resource=f"arn:aws:s3:::a{character}b")) == "allow"
    assert says(text, ask(resource="arn:aws:s3:::aXb")) == "none"


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_variables_came_with_a_version(version: str | None) -> None:
    text = document(allow(Resource="arn:aws:s3:::${aws:k}"), version=version)
    assert says(text, ask(resource="arn:aws:s3:::v", aws__k="v")) == "none"
    assert says(text, ask(resource="arn:aws:s3:::${aws:k}", aws__k="v")) == "allow"


def test_a_tag_is_a_variable() -> None:
    text = document(allow(Resource="arn:aws:s3:::${aws:PrincipalTag/Cost Center}"))
    question = Ask("sts:AssumeRole", "arn:aws:s3:::12", {"AWS:principaltag/cost center": ("12",)})
    assert says(text, question) == "allow"


def _all(alphabet: str, longest: int) -> list[str]:
    return ["".join(each) for n in range(longest + 1) for each in itertools.product(alphabet, repeat=n)]


def test_wildcards_match_as_regular_expressions_do() -> None:
    for pattern in _all("ab*?", 5):
        form = re.compile(fnmatch.translate(pattern))
        read = parse(document(allow(Condition={"StringLike": {"aws:k": pattern}})))
        for text in _all("ab", 4):
            matches = effect([read], ask(aws__k=text)) == "allow"
            assert matches is (form.fullmatch(text) is not None), (pattern, text)


@pytest.mark.parametrize("pattern", ["*a" * 1000 + "b", "*a?" * 600 + "b", "a*" * 1000 + "b", "*" * 2000 + "b"])
def test_many_wildcards_take_no_long_time(pattern: str) -> None:
    text = document(allow(Resource="arn:aws:s3:::" + pattern))
    question = ask(resource="arn:aws:s3:::" + "a" * 20_000)
    parse(text)
    started = time.perf_counter()
    assert says(text, question) == "none"
    assert time.perf_counter() - started < 0.1


# Conditions


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "holds"),
    [
        ("StringEquals", "Ann", "Ann", True),
        ("StringEquals", "Ann", "ann", False),
        ("StringEquals", "A*", "Ann", False),
        ("StringEquals", "A*", "A*", True),
        ("StringEquals", "A${*}", "A*", True),
        ("StringEquals", ["Bob", "Ann"], "Ann", True),
        ("StringEquals", [], "Ann", False),
        ("StringEquals", True, "true", True),
        ("StringEqualsIgnoreCase", "Ann", "aNN", True),
        ("StringEqualsIgnoreCase", "Ann", "Anne", False),
        ("StringLike", "A?n*", "Anna", True),
        ("StringLike", "A?n*", "anna", False),
        ("StringLike", "A${*}", "Ann", False),
        ("StringLike", "", "", True),
        ("StringLike", "a?b*", "a\nb\n", True),
        ("StringLike", "?.[a]", "xy[a]", False),
        ("StringLike", "?.[a]", "x.[a]", True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", 10, "10", True),
        ("NumericEquals", 0.5, "0.50", True),
        ("NumericEquals", "10", "ten", False),
        ("NumericEquals", "10", "10x", False),
        ("NumericEquals", "ten", "ten", False),
        ("NumericEquals", "9007199254740993", "9007199254740992", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericLessThanEquals", "10", "11", False),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericGreaterThanEquals", "-10", "-11", False),
        ("DateEquals", "2024-05-01", "2024-05-01T00:00:00Z", True),
        ("DateEquals", "2024-05", "2024-05-01T00:00:00Z", True),
        ("DateEquals", "2024-05-01T02:00:00+02:00", "2024-05-01T00:00:00Z", True),
        ("DateEquals", "2024-05-01t00:00:00z", "1714521600", True),
        ("DateEquals", 1714521600, "2024-05-01T00:00:00Z", True),
        ("DateEquals", "2024-05-01", "yesterday", False),
        ("DateLessThan", "2024-05-01T00:00:01Z", "2024-05-01T00:00:00.5Z", True),
        ("DateLessThan", "2024-05-01", "2024-05-01T00:00:00Z", False),
        ("DateLessThanEquals", "2024-05-01", "2024-05-01T00:00:00Z", True),
        ("DateGreaterThan", "2024-05-01", "2024-05-02", True),
        ("DateGreaterThan", "2024-05-01", "2024-05-01", False),
        ("DateGreaterThanEquals", "2024-05-01", "2024-05-01", True),
        ("DateGreaterThan", "1714521600", "1714521601", True),
        ("Bool", True, "true", True),
        ("Bool", "True", "true", True),
        ("Bool", "true", "false", False),
        ("Bool", False, "false", True),
        ("Bool", "yes", "yes", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
        ("BinaryEquals", "no base64!", "no base64!", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.77/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.9", False),
        ("IpAddress", "203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "2001:db8::/32", "2001:db8:0::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "0.0.0.0/0", "here", False),
        ("IpAddress", "everywhere", "203.0.113.9", False),
        *(
            (operator, wanted, value, holds)
            for operator in ("ArnEquals", "ArnLike")
            for wanted, value, holds in (
                (ROLE, ROLE, True),
                ("arn:aws:iam::*:role/*", ROLE, True),
                ("arn:*:iam::123456789012:role/dem?", ROLE, True),
                ("arn:aws:iam::123456789012:*", ROLE, True),
                ("arn:aws:*:role/demo", ROLE, False),
                ("arn:*", ROLE, False),
                ("*", ROLE, False),
                ("arn:aws:iam::123456789012:role/Demo", ROLE, False),
                ("arn:aws:sns:*:*:a:*", "arn:aws:sns:eu-west-1:123456789012:a:b", True),
                (ROLE, "demo", False),
            )
        ),
    ],
)
def test_operators(operator: str, wanted: Any, value: str, holds: bool) -> None:
    assert condition(operator, wanted, value) is holds
    assert condition(f"{operator}IfExists", wanted, value) is holds


_NEGATED = {
    "StringNotEquals": ("a", "a", "b"),
    "StringNotEqualsIgnoreCase": ("A", "a", "b"),
    "StringNotLike": ("a*", "ab", "b"),
    "NumericNotEquals": ("1", "1.0", "2"),
    "DateNotEquals": ("2024-05-01", "1714521600", "0"),
    "NotIpAddress": ("10.0.0.0/8", "10.1.1.1", "11.1.1.1"),
    "ArnNotEquals": ("arn:aws:iam::*:role/*", ROLE, "arn:aws:iam::1:user/a"),
    "ArnNotLike": ("arn:aws:iam::*:role/*", ROLE, "arn:aws:iam::1:user/a"),
}
_PLAIN = [
    *("StringEquals", "StringEqualsIgnoreCase", "StringLike", "NumericEquals", "NumericLessThan", "DateGreaterThan"),
    *("Bool", "BinaryEquals", "IpAddress", "ArnEquals", "ArnLike"),
]


@pytest.mark.parametrize("operator", _NEGATED)
def test_negated_operators(operator: str) -> None:
    wanted, same, other = _NEGATED[operator]
    assert not condition(operator, wanted, same)
    assert condition(operator, wanted, other)
    assert not condition(operator, [wanted, wanted], same)
    assert condition(operator, wanted)  # a missing key
    assert condition(f"{operator}IfExists", wanted)


@pytest.mark.parametrize("operator", _PLAIN)
def test_a_missing_key_is_false_unless_it_may_be_missing(operator: str) -> None:
    wanted = "2024-05-01" if operator.startswith("Date") else "true"
    assert not condition(operator, wanted)
    assert condition(f"{operator}IfExists", wanted)


@pytest.mark.parametrize(
    ("wanted", "values", "holds"),
    [
        ("true", (), True),
        ("true", ("x",), False),
        ("false", (), False),
        ("false", ("x",), True),
        (True, (), True),
        ("TRUE", (), True),
        (["true", "false"], ("x",), True),
    ],
)
def test_null(wanted: Any, values: tuple[str, ...], holds: bool) -> None:
    assert condition("Null", wanted, *values) is holds


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("ForAllValues:StringEquals", (), True),
        ("ForAllValues:StringEquals", ("a",), True),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAnyValue:StringEquals", (), False),
        ("ForAnyValue:StringEqualsIfExists", (), False),
        ("ForAnyValue:StringEquals", ("a", "c"), True),
        ("ForAnyValue:StringEquals", ("c",), False),
        ("ForAllValues:StringNotEquals", (), True),
        ("ForAllValues:StringNotEquals", ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ("a", "d"), False),
        ("ForAnyValue:StringNotEquals", (), False),
        ("ForAnyValue:StringNotEquals", ("a", "d"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("StringEquals", ("c", "a"), True),
        ("StringNotEquals", ("c", "a"), False),
        ("StringNotEquals", ("c", "d"), True),
    ],
)
def test_many_values(operator: str, values: tuple[str, ...], holds: bool) -> None:
    assert condition(operator, ["a", "b"], *values) is holds


def test_all_operators_and_keys_must_hold() -> None:
    text = document(allow(Condition={"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Bool": {"aws:c": "true"}}))
    whole = {"aws:a": ("1",), "aws:b": ("2",), "aws:c": ("true",)}
    assert says(text, Ask("sts:AssumeRole", ROLE, whole)) == "allow"
    for name in whole:
        assert says(text, Ask("sts:AssumeRole", ROLE, whole | {name: ("0",)})) == "none", name


@pytest.mark.parametrize("operator", ["StringEquals", "StringEqualsIgnoreCase", "StringLike"])
def test_variables_in_conditions(operator: str) -> None:
    text = document(allow(Condition={operator: {"sts:RoleSessionName": "${aws:username}"}}))
    assert says(text, ask(sts__rolesessionname="ann", aws__username="ann")) == "allow"
    assert says(text, ask(sts__rolesessionname="ann", aws__username="bob")) == "none"
    assert says(text, ask(sts__rolesessionname="ann", aws__username="*")) == "none"
    assert says(text, ask(sts__rolesessionname="ann")) == "none"


def test_variables_in_arns() -> None:
    text = document(allow(Condition={"ArnLike": {"aws:k": "${aws:arn}:*"}}))
    assert says(text, ask(aws__k=(ROLE,), aws__arn="arn:aws:iam::123456789012")) == "allow"
    assert says(text, ask(aws__k=(ROLE,), aws__arn="arn:aws:iam::210987654321")) == "none"
    assert says(text, ask(aws__k=(ROLE,))) == "none"


def test_a_date_without_a_zone_is_utc_wherever_the_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert condition("DateEquals", "2024-05-07", "1715040000")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_variables_in_a_negated_condition_without_value_match_nothing() -> None:
    assert condition("StringNotEquals", "${aws:other}", "x")


# Trust policies


def grant(claimant: Claimant, *statements: dict[str, Any], question: Ask | None = None) -> Grant:
    return trusted(parse_trust(document(*statements)), question or ask(), claimant)


@pytest.mark.parametrize(
    ("claimant", "principal", "expected"),
    [
        (USER, "*", Grant.ANYONE),
        (USER, {"AWS": "*"}, Grant.ANYONE),
        (USER, {"AWS": "123456789012"}, Grant.ACCOUNT),
        (USER, {"AWS": "arn:aws:iam::123456789012:root"}, Grant.ACCOUNT),
        (USER, {"AWS": "arn:aws:iam::123456789012:user/alice"}, Grant.SELF),
        (USER, {"AWS": "AIDAAAAAAAAAAAAAAAAAA"}, Grant.SELF),
        (USER, {"AWS": "AIDABBBBBBBBBBBBBBBBB"}, Grant.NONE),
        (USER, {"AWS": "arn:aws:iam::123456789012:user/Alice"}, Grant.NONE),
        (USER, {"AWS": "210987654321"}, Grant.NONE),
        (USER, {"AWS": ["*", "123456789012"]}, Grant.ANYONE),
        (USER, {"AWS": ["123456789012", "arn:aws:iam::123456789012:user/alice"]}, Grant.SELF),
        (USER, {"Federated": "arn:aws:iam::123456789012:user/alice"}, Grant.NONE),
        (SESSION, {"AWS": "123456789012"}, Grant.ACCOUNT),
        (SESSION, {"AWS": "arn:aws:iam::123456789012:role/path/first"}, Grant.ISSUER),
        (SESSION, {"AWS": "AROAAAAAAAAAAAAAAAAAA"}, Grant.ISSUER),
        (SESSION, {"AWS": "arn:aws:iam::123456789012:role/first"}, Grant.NONE),
        (SESSION, {"AWS": "arn:aws:sts::123456789012:assumed-role/first/one"}, Grant.SELF),
        (SESSION, {"AWS": "arn:aws:sts::123456789012:assumed-role/first/two"}, Grant.NONE),
        (SESSION, "*", Grant.ANYONE),
        (SAML, {"Federated": "arn:aws:iam::123456789012:saml-provider/idp"}, Grant.SELF),
        (SAML, {"Federated": ["x.example.com", "arn:aws:iam::123456789012:saml-provider/idp"]}, Grant.SELF),
        (SAML, {"Federated": "arn:aws:iam::123456789012:saml-provider/other"}, Grant.NONE),
        (SAML, {"AWS": "123456789012"}, Grant.NONE),
        (SAML, "*", Grant.ANYONE),
        (SERVICE, {"Service": ["ec2.amazonaws.com", "s3.amazonaws.com"]}, Grant.SELF),
        (SERVICE, {"Service": "s3.amazonaws.com"}, Grant.NONE),
    ],
)
def test_principals(claimant: Claimant, principal: Any, expected: Grant) -> None:
    assert grant(claimant, trust(principal)) is expected
    denied = Grant.NONE if expected is Grant.NONE else Grant.DENIED
    assert grant(claimant, trust(principal, Effect="Deny")) is denied
    if expected is not Grant.NONE:
        assert grant(claimant, trust(principal), trust(principal, Effect="Deny")) is Grant.DENIED


def test_the_best_of_several_statements_counts() -> None:
    named = trust({"AWS": "arn:aws:iam::123456789012:user/alice"})
    account = trust({"AWS": "123456789012"})
    assert grant(USER, account, named) is grant(USER, named, account) is Grant.SELF
    assert grant(USER, account, named | {"Action": "sts:TagSession"}) is Grant.ACCOUNT


def test_action_and_condition_of_a_trust_policy() -> None:
    statement = trust("*", Condition={"StringEquals": {"sts:ExternalId": "secret"}})
    assert grant(USER, statement) is Grant.NONE
    assert grant(USER, statement, question=ask(sts__ExternalId="secret")) is Grant.ANYONE
    assert grant(USER, trust("*", Action="sts:TagSession")) is Grant.NONE
    assert grant(USER, without(trust("*", NotAction="sts:TagSession"), "Action")) is Grant.ANYONE


@pytest.mark.parametrize(
    ("claimant", "names", "excepted"),
    [
        (USER, ["arn:aws:iam::123456789012:user/alice", "123456789012"], True),
        (USER, ["arn:aws:iam::123456789012:user/alice"], False),
        (USER, ["123456789012"], False),
        (USER, ["*"], True),
        (
            SESSION,
            ["arn:aws:sts::123456789012:assumed-role/first/one", "AROAAAAAAAAAAAAAAAAAA", "123456789012"],
            True,
        ),
        (SESSION, ["arn:aws:sts::123456789012:assumed-role/first/one", "123456789012"], False),
    ],
)
def test_not_principal(claimant: Claimant, names: list[str], excepted: bool) -> None:
    statement = without(trust("*", NotPrincipal={"AWS": names}, Effect="Deny"), "Principal")
    assert grant(claimant, trust("*"), statement) is (Grant.ANYONE if excepted else Grant.DENIED)


def test_a_plain_decision_is_fast() -> None:
    text = document(
        allow(Action=["sts:AssumeRole", "sts:TagSession"], Resource=ROLE),
        allow(Condition={"StringEquals": {"aws:k": "v"}}),
    )
    question = Ask("sts:AssumeRole", ROLE, {"aws:k": ("v",)} | {f"aws:{n}": ("x",) for n in range(20)})
    best = min(_seconds(text, question) for _ in range(50))
    assert best < 50e-6


def _seconds(text: str, question: Ask) -> float:
    started = time.perf_counter()
    effect([parse(text)], question)
    return time.perf_counter() - started
