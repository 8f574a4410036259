"""Cases are what they say: of one contract always the same, each control good, each value where it claims to be.

Which constraints a request breaks is worked out here anew, from the contract's data and a table of how Java
reads each pattern, a character at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import Loader

from generators import everything
from generators.plain import MADE_UP
from specs.contract import kebab, load
from specs.model import Level
from tests.servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from generators.case import Case
    from specs.model import Member

CASES = everything.cases()
BY_ID = {case.id: case for case in CASES}
CONTRACT = load()

# How Java reads each pattern: \\w and \\d are ASCII, \\p{..} Unicode, \\u takes four digits: \\u10000-\\u10FFFF is
# \\u1000, '0' to \\u10FF, and F twice, all of which the other ranges hold; astral characters are not admitted.
WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"


def _arn(character: str) -> bool:
    return character in "\t\n\r\x85" or " " <= character <= "~" or "\xa0" <= character <= "\ufffd"


def _tag(character: str) -> bool:
    return unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"


JAVA: dict[str, Callable[[str], bool]] = {
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+": _arn,
    r"[\u0009\u000A\u000D\u0020-\u00FF]+": lambda c: c in "\t\n\r" or " " <= c <= "\xff",
    r"[\w+=,.@-]*": lambda c: c in WORD + "+=,.@-",
    r"[\w+=,.@:\/-]*": lambda c: c in WORD + "+=,.@:/-",
    r"[\w+=/:,.@-]*": lambda c: c in WORD + "+=/:,.@-",
    r"[\d]*": lambda c: c in "0123456789",
    r"[\w]*": lambda c: c in WORD,
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+": _tag,
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*": _tag,
}


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of `value` matches, as Java sees it."""
    return all(map(JAVA[pattern], value)) and bool(value or pattern.endswith("*"))


# What a request breaks: (rule prefix, trait), by parameter.

Broken = set[tuple[str, str, str]]


def broken(case: Case) -> Broken:
    """Return the constraints that the request breaks; the first of repeated parameters counts."""
    given: dict[str, str | None] = {}
    for name, value in case.request.parameters:
        given.setdefault(name, value)
    operation = case.request.operation
    found: Broken = set()
    for name, member in CONTRACT.operations[operation].input.items():
        found |= _of_member(f"{kebab(operation)}.{kebab(name)}", name, member, given)
    return found


def _of_member(prefix: str, name: str, member: Member, given: dict[str, str | None]) -> Broken:
    if member.type == "list":
        return set(_of_list(prefix, name, member, given))
    if member.type == "structure":
        parts = set(_of_shape(member.shape or "", name, given))
        there = any(key.startswith(f"{name}.") for key in given)
        return parts if there else {(prefix, "required", name)} if member.required else set()
    if name not in given:
        return {(prefix, "required", name)} if member.required else set()
    return {(prefix, trait, name) for trait in _of_value(member, given[name] or "")}


def _of_list(prefix: str, name: str, member: Member, given: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
    numbers = sorted({int(m[1]) for key in given if (m := re.match(rf"{name}\.member\.(\d+)(\.|$)", key))})
    assert member.member is not None
    if not numbers and member.required:
        yield prefix, "required", name
    if member.length is not None:
        if numbers and member.length.max is not None and len(numbers) > member.length.max:
            yield prefix, "max-items", name
        if (numbers or name in given or member.required) and len(numbers) < (member.length.min or 0):
            yield prefix, "min-items", name
    for number in numbers:
        place = f"{name}.member.{number}"
        if member.member.shape is not None:
            yield from _of_shape(member.member.shape, place, given)
        else:
            for trait in _of_value(member.member, given[place] or ""):
                yield f"{prefix}.item", trait, place


def _of_shape(shape: str, place: str, given: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
    for inner, traits in CONTRACT.data_types[shape].members.items():
        yield from _of_member(f"data-type.{kebab(shape)}.{kebab(inner)}", f"{place}.{inner}", traits, given)


def _of_value(member: Member, value: str) -> Iterator[str]:
    if "${" in value:
        return
    if member.type == "integer":
        yield from _of_integer(member, value)
        return
    low, high = (member.length.min, member.length.max) if member.length else (None, None)
    exact = low is not None and low == high
    if not value and member.required and low != 0:
        yield "required"
    if low is not None and len(value) < low:
        yield "length" if exact else "min-length"
    if high is not None and len(value) > high:
        yield "length" if exact else "max-length"
    if member.pattern is not None and not matches(member.pattern, value):
        yield "pattern"


def _of_integer(member: Member, value: str) -> Iterator[str]:
    if not re.fullmatch(r"[+-]?[0-9]+", value) or not -(2**31) <= int(value) < 2**31:
        yield "type"
    elif member.range is not None:
        if member.range.min is not None and int(value) < member.range.min:
            yield "min"
        if member.range.max is not None and int(value) > member.range.max:
            yield "max"


def contested(prefix: str, trait: str) -> bool:
    """Whether the authorities differ on a trait, so that there is an answer of either kind."""
    return any(
        f"{prefix}.{trait}" == f"{owner}.{contest.trait}"
        for owner, member in leaves()
        for contest in member.contested
    )


def leaves() -> Iterator[tuple[str, Member]]:
    for operation, spec in CONTRACT.operations.items():
        for name, member in spec.input.items():
            yield f"{kebab(operation)}.{kebab(name)}", member
            if member.member is not None:
                yield f"{kebab(operation)}.{kebab(name)}.item", member.member


WRITTEN = {rule.id for _, rule in CONTRACT.written}
DERIVED = [case for case in CASES if case.rule not in WRITTEN and case.theme not in {"response", "scenario"}]
WORDING = [
    case for case in CASES if case.rule == "common.error.validation-error.message" and "one-violation" not in case.id
]


# Pure, the same for ever


def digest() -> str:
    """Sum up every case in all that matters."""
    shown = [
        [c.id, c.rules, c.operation, c.theme, c.level, repr(c.request), repr(c.expectation), c.control,
         sorted(c.needs), c.evidence, c.client, sorted(c.pinned)]
        for c in CASES
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def test_two_generations_are_equal() -> None:
    assert everything.generate(CONTRACT) == everything.generate(CONTRACT) == list(CASES)


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_a_fresh_process_gives_the_same(seed: str) -> None:
    script = "from tests.generators.test_generators_cases import digest; print(digest())"
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", script], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == digest()


# Ids, refusals, controls


def test_ids_are_of_the_form_rule_slash_suffix() -> None:
    assert len(BY_ID) == len(CASES)
    for case in CASES:
        rule, slash, suffix = case.id.partition("/")
        assert slash
        assert rule in CONTRACT.rules
        assert rule in case.rules
        assert re.fullmatch(r"-?[a-zA-Z0-9][a-zA-Z0-9._-]*", suffix), case.id


# A case whose value is within its bounds, and is refused for what it says.
WITHOUT_CONTROL = {"assume-role.policy.min-length/1", "get-federation-token.policy.min-length/1"}


def expects_made_up(case: Case) -> bool:
    """Whether what a case sends is made up, so that its refusal is the best that it can meet."""
    return case.expectation.refusal is not None and case.expectation.refusal.refusal in MADE_UP


def test_every_negative_case_names_its_refusal_and_has_a_control() -> None:
    negative = [case for case in CASES if case.expectation.outcome == "refusal"]
    assert all(case.expectation.refusal is not None for case in negative)
    # Where nothing can be granted, a request that keeps the constraint meets the next refusal.
    without = {case.id for case in negative if not case.control and not expects_made_up(case)}
    assert without == WITHOUT_CONTROL
    for case in CASES:
        assert case.expectation.outcome in {"success", "refusal", "either"}
        assert (case.expectation.refusal is None) == (case.expectation.outcome == "success"), case.id


def test_every_control_is_another_request_that_is_granted() -> None:
    for case in CASES:
        if not case.control:
            continue
        control = BY_ID[case.control]
        assert control.id != case.id
        assert control.expectation.outcome != "refusal" or expects_made_up(control), case.id
        if case.expectation.outcome == "refusal":
            assert control.request != case.request, case.id


def test_controls_lead_to_an_end() -> None:
    for case in CASES:
        seen = [case.id]
        while BY_ID[seen[-1]].control:
            seen.append(BY_ID[seen[-1]].control)
            assert len(seen) < 4, seen


def test_a_control_differs_in_the_member_tested() -> None:
    """Of a derived negative case and its control only the member itself differs, and what it needs along."""
    for case in DERIVED:
        if case.expectation.outcome != "refusal" or not case.control or "served" in case.control:
            continue
        mine, theirs = dict(case.request.parameters), dict(BY_ID[case.control].request.parameters)
        differing = {name.split(".")[0] for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
        assert differing <= case.pinned, case.id


# Values where they claim to be


def test_positive_cases_break_nothing() -> None:
    found = {}
    for case in CASES:
        if case.expectation.outcome != "refusal":
            wrong = {entry for entry in broken(case) if not contested(*entry[:2])}
            if wrong:
                found[case.id] = wrong
    assert found == EXCUSED


# Cases that break a constraint and are not refused for it.
EXCUSED: dict[str, Broken] = {}


def test_negative_cases_break_what_they_claim_and_nothing_else() -> None:
    looked = 0
    for case in DERIVED:
        refusal = case.expectation.refusal
        if case.expectation.outcome != "refusal" or refusal is None or expects_made_up(case):
            continue
        if case.id in WITHOUT_CONTROL:
            continue
        looked += 1
        prefix, _, trait = case.rule.rpartition(".")
        wrong = broken(case)
        assert {entry[0] for entry in wrong} <= _family(prefix), case.id
        assert trait in {entry[1] for entry in wrong} | _also(case), case.id
    assert looked > 500


def _family(prefix: str) -> set[str]:
    """A list without entries, or an entry that is empty, breaks what is said of either."""
    return {
        prefix,
        prefix.removesuffix(".item"),
        "data-type.policy-descriptor-type.arn" if "task-policy" in prefix else prefix,
    }


def _also(case: Case) -> set[str]:
    """Contested bounds: the widest claim counts."""
    return {"max-length"} if contested(*case.rule.rsplit(".", 1)) else set()


def test_cases_of_several_violations_break_two_members() -> None:
    several = [case for case in CASES if case.rule == "common.error.several-violations" and "-and-" in case.id]
    assert len(several) > 50
    assert [case.id for case in several if len({entry[0] for entry in broken(case)}) != 2] == []


@pytest.mark.parametrize(
    ("prefix", "trait", "values"),
    [
        ("assume-role.role-session-name", "min-length", {2: "success", 1: "refusal", 0: "refusal"}),
        ("assume-role.role-session-name", "max-length", {64: "success", 65: "refusal"}),
        ("assume-role.external-id", "max-length", {1224: "success", 1225: "refusal"}),
        ("get-federation-token.name", "max-length", {32: "success", 33: "refusal"}),
        ("assume-role.source-identity", "max-length", {64: "success", 65: "either", 256: "either", 257: "refusal"}),
        ("assume-role-with-web-identity.web-identity-token", "max-length", {20000: "refusal", 20001: "refusal"}),
        ("assume-role-with-saml.saml-assertion", "max-length", {100000: "refusal", 100001: "refusal"}),
        ("assume-role.token-code", "length", {6: "refusal", 5: "refusal", 7: "refusal", 0: "refusal"}),
        ("get-access-key-info.access-key-id", "min-length", {15: "refusal", 0: "refusal"}),
        ("get-access-key-info.access-key-id", "max-length", {129: "refusal"}),
    ],
)
def test_lengths_are_those_of_the_contract(prefix: str, trait: str, values: dict[int, str]) -> None:
    name = prefix.partition(".")[2]
    found = {}
    for case in CASES:
        if case.rule == f"{prefix}.{trait}" and not case.id.endswith("-astral"):
            value = next(v for n, v in case.request.parameters if kebab(n) == name) or ""
            assert case.id.endswith(f"/{len(value)}")
            found[len(value)] = case.expectation.outcome
    assert found == values


def test_astral_lengths_count_scalar_values() -> None:
    astral = [case for case in CASES if case.id.endswith("-astral")]
    assert {case.rule for case in astral} >= {"data-type.tag.key.max-length", "data-type.tag.value.max-length"}
    for case in astral:
        value = max((v or "" for _, v in case.request.parameters), key=len)
        expected = int(re.findall(r"(\d+)-astral", case.id)[0])
        assert len(value) == expected == len(value.encode("utf-16-le")) // 4


def test_integers_are_those_of_the_contract() -> None:
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for case in DERIVED:
        prefix, _, trait = case.rule.rpartition(".")
        if trait in {"min", "max"}:
            name = next(n for n, _ in case.request.parameters if kebab(n) == prefix.partition(".")[2])
            found[case.rule][int(dict(case.request.parameters)[name] or "")] = case.expectation.outcome
    expected: dict[str, dict[int, str]] = {}
    for prefix, member in leaves():
        if member.type != "integer" or member.range is None:
            continue
        low, high = member.range.min or 0, member.range.max or 0
        expected[f"{prefix}.min"] = {low: "inside", **dict.fromkeys([low - 1, -1, *([0] if low else [])], "refusal")}
        expected[f"{prefix}.max"] = {high: "inside", high + 1: "refusal", 2**31 - 1: "refusal"}
    assert found.keys() == expected.keys()
    for rule, values in expected.items():
        outcomes = {v: o if o == "refusal" else "inside" for v, o in found[rule].items()}
        unknown = {v for v, o in values.items() if o == "inside"} - outcomes.keys()
        assert outcomes | dict.fromkeys(unknown, "inside") == values, rule
        assert not unknown or rule.startswith(("assume-root.", "get-delegated-access-token.")), rule


# Characters


def traps() -> dict[str, str]:
    return {
        "trailing-newline": "\n", "full-width-digit": "\uff11", "arabic-digit": "\u0663", "letter-e-acute": "\u00e9",
        "letter-sharp-s": "\u00df", "letter-cyrillic": "\u0436", "combining-acute": "e\u0301",
        "astral-letter": "\U0001d4b3", "emoji": "\U0001f600", "line-separator": "\u2028", "latin-extended": "\u0100",
    }  # fmt: skip


def test_traps_are_refused_and_admitted_as_java_would() -> None:
    looked: Counter[bool] = Counter()
    for prefix, tag, pattern in patterned():
        for trap, text in traps().items():
            names = [f"{prefix}.pattern/{tag}{trap}{place}" for place in ("", "-start", "-middle", "-end")]
            cases = [BY_ID[name] for name in names if name in BY_ID]
            admitted = all(map(JAVA[pattern], text))
            looked[admitted] += bool(cases)
            assert cases or admitted, names[0]
            for case in cases:
                assert any(text in (value or "") for _, value in case.request.parameters), case.id
                assert (case.expectation.outcome == "refusal") != admitted, case.id
    assert min(looked.values()) > 20


def patterned() -> Iterator[tuple[str, str, str]]:
    """Yield every member of an input that has a pattern: rule prefix, start of its cases' suffixes, pattern."""
    for operation, spec in CONTRACT.operations.items():
        for name, member in spec.input.items():
            prefix = f"{kebab(operation)}.{kebab(name)}"
            held = member.member if member.member is not None else member
            if member.pattern is not None:
                yield prefix, "", member.pattern
            elif held.pattern is not None:
                yield f"{prefix}.item", "", held.pattern
            elif held.shape is not None:
                for inner, traits in CONTRACT.data_types[held.shape].members.items():
                    if traits.pattern is not None:
                        yield f"data-type.{kebab(held.shape)}.{kebab(inner)}", f"{prefix}.", traits.pattern


# Wording


WORDS = {
    "required": "Member must not be null",
    "min": "Member must have value greater than or equal to {}",
    "max": "Member must have value less than or equal to {}",
    "min-length": "Member must have length greater than or equal to {}",
    "max-length": "Member must have length less than or equal to {}",
}


def test_wording_names_every_violation() -> None:
    """The message is put together here from what the request breaks."""
    assert len(WORDING) > 200
    for case in WORDING:
        clauses = list(_clauses(case))
        if ".item." in case.id:  # told at the list, in one clause, whatever the item breaks
            name = next(iter(sorted(broken(case))))[2].partition(".")[0]
            shown = ", ".join(str(text) for key, text in case.request.parameters if key.startswith(f"{name}.member."))
            constraints = "Member must satisfy constraint: [Member must have length less than or equal to 1, ...]"
            path = name[:1].lower() + name[1:]
            clauses = [f"Value '[{shown}]' at '{path}' failed to satisfy constraint: {constraints}"]
        check = case.expectation.checks[0].message
        assert check is not None
        for order in permutations(clauses):
            assert re.fullmatch(check, _detected(order), re.DOTALL), (case.id, order)
        assert not re.fullmatch(check, _detected(clauses[1:]), re.DOTALL)
        assert not re.fullmatch(check, _detected([*clauses, clauses[0]]), re.DOTALL)


def _detected(clauses: list[str] | tuple[str, ...]) -> str:
    return f"{len(clauses)} validation error{'s' if len(clauses) > 1 else ''} detected: {'; '.join(clauses)}"


def _clauses(case: Case) -> Iterator[str]:
    given = dict(case.request.parameters)
    for prefix, trait, name in sorted(broken(case)):
        there = name in given
        if trait == "required" and there:
            continue  # an empty value is no null; it breaks length and pattern
        member = _member(prefix, name)
        limits = member.length or member.range
        kinds = [trait]
        if trait == "length":
            kinds = ["min-length"] if len(given[name] or "") < (limits.min if limits else 0) else ["max-length"]  # type: ignore[operator]
        for kind in kinds:
            bound = (limits.min if kind.startswith("min") else limits.max) if limits else None
            limit = next((c.observed for c in member.contested if c.trait == kind and c.observed), bound)
            words = (
                f"Member must satisfy regular expression pattern: {member.pattern}"
                if kind == "pattern"
                else WORDS[kind].format(limit)
            )
            value = f"'{given[name]}'" if there else "null"
            yield f"Value {value} at '{_spoken(name)}' failed to satisfy constraint: {words}"


def _member(prefix: str, name: str) -> Member:
    if prefix.startswith("data-type."):
        shape = next(s for s in CONTRACT.data_types if prefix.startswith(f"data-type.{kebab(s)}."))
        return CONTRACT.data_types[shape].members[name.rpartition(".")[2]]
    return dict(leaves())[prefix]


def _spoken(name: str) -> str:
    """AWS writes tags.1.member.key for Tags.member.1.Key."""
    spoken = re.sub(r"\.member\.(\d+)", r".\1.member", name)
    return re.sub(r"(^|\.)([A-Z])", lambda m: m[0].lower(), spoken)


# Completeness against the service model


NO_SUCH_ARN = "no ARN of that length exists to be granted, and AWS tells one that does not exist by the same code"
NO_SUCH_VALUE = "no such value can be made up that is granted, or that meets a refusal of its own"
ONE_CHARACTER = "one character is long enough, but no policy: the case expects MalformedPolicyDocument"
WHICH_COMES_FIRST = "one character is no policy, and whether policy or token is refused first is not known"
NEVER = "no text is shorter than none"
ONE_SIDED = {
    **{
        f"{operation}.{member} {bound}-length": ("inside", NO_SUCH_ARN)
        for bound in ("min", "max")
        for operation, members in {
            "AssumeRole": ("RoleArn", "PolicyArns.member.1.arn", "ProvidedContexts.member.1.ProviderArn"),
            "AssumeRoleWithSAML": ("RoleArn", "PrincipalArn", "PolicyArns.member.1.arn"),
            "AssumeRoleWithWebIdentity": ("RoleArn", "PolicyArns.member.1.arn"),
            "AssumeRoot": ("TaskPolicyArn.arn",),
            "GetFederationToken": ("PolicyArns.member.1.arn",),
        }.items()
        for member in members
    },
    **{
        f"{member} {bound}-length": ("inside", NO_SUCH_VALUE)
        for bound in ("min", "max")
        for member in (
            "AssumeRole.ProvidedContexts.member.1.ContextAssertion",
            "AssumeRoleWithWebIdentity.ProviderId",
            "AssumeRoot.TargetPrincipal",
            "GetAccessKeyInfo.AccessKeyId",
        )
    },
    "AssumeRoleWithSAML.Policy min-length": ("inside", WHICH_COMES_FIRST),
    "AssumeRoleWithWebIdentity.Policy min-length": ("inside", WHICH_COMES_FIRST),
    "AssumeRole.Policy min-length": ("inside", ONE_CHARACTER),
    "GetFederationToken.Policy min-length": ("inside", ONE_CHARACTER),
    "AssumeRole.Tags.member.1.Value min-length": ("outside", NEVER),
    "GetFederationToken.Tags.member.1.Value min-length": ("outside", NEVER),
    "GetWebIdentityToken.Tags.member.1.Value min-length": ("outside", NEVER),
}


def model_constraints() -> Iterator[tuple[str, str, str, Any]]:
    """Yield (operation, parameter, trait, value) for all that botocore's model says of inputs."""
    model = Loader().load_service_model("sts", "service-2")
    shapes = model["shapes"]

    def walk(operation: str, place: str, name: str, *, required: bool) -> Iterator[tuple[str, str, str, Any]]:
        shape = shapes[name]
        if required:
            yield operation, place, "required", True
        for trait in ("min", "max", "pattern"):
            if trait in shape:
                kind = {"list": "-items", "string": "-length"}.get(shape["type"], "") if trait != "pattern" else ""
                yield operation, place, f"{trait}{kind}", shape[trait]
        if shape["type"] == "list":
            yield from walk(operation, f"{place}.member.1", shape["member"]["shape"], required=False)
        for inner, held in shape.get("members", {}).items():
            wanted = inner in shape.get("required", ())
            yield from walk(operation, f"{place}.{inner}" if place else inner, held["shape"], required=wanted)

    for operation, spec in model["operations"].items():
        if "input" in spec:
            yield from walk(operation, "", spec["input"]["shape"], required=False)


def sides(operation: str, place: str, trait: str, limit: Any) -> tuple[bool, bool]:
    """Whether there is a case just inside and one just outside of a constraint."""
    inside = outside = False
    for case in CASES:
        if case.request.operation != operation or case.client != "wire" or case.level is Level.EXACT:
            continue
        measured = _measure(case, place, trait)
        positive = case.expectation.outcome != "refusal" or expects_made_up(case)
        if trait == "required":
            inside |= positive and measured is not None
            outside |= not positive and measured is None and any(e[2] == place for e in broken(case))
        elif trait == "pattern":
            wrong = {(e[1], e[2]) for e in broken(case)}
            inside |= positive and bool(measured) and ("pattern", place) not in wrong
            outside |= not positive and ("pattern", place) in wrong
        elif measured is not None:
            beyond = limit - 1 if trait.startswith("min") else limit + 1
            inside |= positive and measured == limit
            outside |= case.expectation.outcome != "success" and measured == beyond
    return inside, outside


def _measure(case: Case, place: str, trait: str) -> int | str | None:
    given = dict(case.request.parameters)
    if trait.endswith("-items"):
        numbers = {m[1] for name in given if (m := re.match(rf"{place}\.member\.(\d+)", name))}
        return len(numbers) if numbers or place in given else None
    value = given.get(place)
    if place not in given and not (trait == "required" and any(name.startswith(f"{place}.") for name in given)):
        return None
    if trait in {"required", "pattern"}:
        return value or ""
    if trait.endswith("-length"):
        return None if "${" in (value or "") else len(value or "")
    return int(value) if re.fullmatch(r"[+-]?\d{1,12}", value or "") and value else None


def test_every_constraint_of_the_service_model_has_cases_on_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    constraints = list(model_constraints())
    lacking = {}
    for operation, place, trait, limit in constraints:
        there = sides(operation, place, trait, limit)
        missing = [side for side, found in zip(("inside", "outside"), there, strict=True) if not found]
        if missing:
            lacking[f"{operation}.{place} {trait}"] = " and ".join(missing)
    with capsys.disabled():
        both = len(constraints) - len(lacking)
        print(f"\n{len(constraints)} constraints of the service model, {both} with cases on both sides")
    assert lacking == {constraint: side for constraint, (side, _) in ONE_SIDED.items()}
    assert len(constraints) > 150
