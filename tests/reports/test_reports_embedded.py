"""The data of the page holds every case, every detail once, and nothing that could act."""

import gzip
import json
from base64 import b64decode
from typing import Any

import pytest

from reports.embedded import TEXT_LIMIT, Embedded, anchor, embed
from reports.model import CaseResult, Exchange, Finding, Results, Rule, SentRequest
from reports.summary import rule_outcomes
from tests.reports.synthetic import HOSTILE, make_case, make_exchange, make_results, make_rule, make_run

RULE = "assume-role.duration-seconds.min"


def embedded(*cases: CaseResult, rules: tuple[Rule, ...] = (make_rule(),)) -> Embedded:
    return embed(rule_outcomes(Results(run=make_run(), rules=rules, cases=cases)))


def details(made: Embedded) -> list[list[Any]]:
    return [json.loads(gzip.decompress(b64decode(pack))) for pack in made.packs]


def told(made: Embedded, case_id: str) -> dict[str, Any]:
    """What the data says of a case, numbers turned back into what they stand for."""
    index = json.loads(made.index)
    verdict, *texts, control, examples, detail = index["cases"][index["names"].index(case_id)]
    expected, received, reason, follows = (index["texts"][text] for text in texts)
    found = [each for pack in details(made) for each in pack]
    return {
        "verdict": index["verdicts"][verdict],
        "expected": expected,
        "received": received,
        "reason": reason,
        "follows": follows,
        "control": index["names"][control] if isinstance(control, int) else control,
        "examples": examples,
        "detail": found[detail] if detail >= 0 else None,
    }


def test_a_case_tells_all_that_is_known_of_it() -> None:
    exchange = make_exchange(7)
    case = make_case(
        verdict="flaky",
        expected="a",
        received="b",
        reason="was odd",
        follows=("documented", "observed"),
        control=f"{RULE}/900",
        examples=3,
        exchange=exchange,
        reproduce="curl 'x' \\\n  y",
    )
    found = told(embedded(case, make_case(f"{RULE}/900")), case.id)
    detail = found.pop("detail")
    assert found == {
        "verdict": "flaky",
        "expected": "\x05a\x06",
        "received": "\x05b\x06",
        "reason": "was odd",
        "follows": "documented, observed",
        "control": f"{RULE}/900",
        "examples": 3,
    }
    assert exchange.response is not None
    assert detail["command"] == "curl 'x' \\\n  y"
    head, body = detail["exchange"]["sent"]
    assert head.startswith("POST http://127.0.0.1:5000/\nHost: 127.0.0.1:5000\n")
    assert body == exchange.request.body
    head, body = detail["exchange"]["received"]
    assert head.startswith("400\nContent-Type: text/xml\n")
    assert body == exchange.response.body


def test_a_failed_connection_is_told() -> None:
    failed = Exchange(request=SentRequest(method="GET", url="http://x/"), failure="connection reset")
    found = told(embedded(make_case(verdict="inconclusive", exchange=failed)), f"{RULE}/899")["detail"]["exchange"]
    assert (found["received"], found["failure"]) == (None, "connection reset")


@pytest.mark.parametrize("truncated", [True, False])
def test_a_body_that_the_suite_cut_is_told(truncated: bool) -> None:
    exchange = make_exchange()
    assert exchange.response is not None
    response = exchange.response.model_copy(update={"truncated": truncated})
    made = embedded(make_case(exchange=exchange.model_copy(update={"response": response})))
    assert told(made, f"{RULE}/899")["detail"]["exchange"]["truncated"] is truncated


def test_long_bodies_are_cut_with_a_note() -> None:
    made = embedded(make_case(exchange=make_exchange(body="y" * (TEXT_LIMIT + 1234))))
    body = told(made, f"{RULE}/899")["detail"]["exchange"]["received"][1]
    assert body == "y" * TEXT_LIMIT + "\x03… 1,234 more characters in results.json\x04"


def test_a_control_that_did_not_run_is_named() -> None:
    assert told(embedded(make_case(control="other.rule/1")), f"{RULE}/899")["control"] == "other.rule/1"


def test_findings_are_told_with_their_stories() -> None:
    findings = tuple(
        Finding(
            about=RULE, expected="a", received=f"b{n}", exchange=make_exchange(n), story=f"1. {n}\n2.", reproduce="c"
        )
        for n in range(2)
    )
    found = told(embedded(make_case(verdict="deviates", findings=findings)), f"{RULE}/899")["detail"]["findings"]
    assert [each["story"] for each in found] == ["1. 0\n2.", "1. 1\n2."]
    assert [each["received"] for each in found] == ["\x05b0\x06", "\x05b1\x06"]
    assert found[1]["command"] == "c"
    assert found[1]["about"] == RULE
    assert found[1]["exchange"]["sent"][0].startswith("POST ")


def test_equal_details_stand_once_and_a_case_without_any_has_none() -> None:
    made = embedded(
        make_case(f"{RULE}/1", exchange=make_exchange(1)),
        make_case(f"{RULE}/2", exchange=make_exchange(1)),
        make_case(f"{RULE}/3", exchange=make_exchange(2)),
        make_case(f"{RULE}/4"),
    )
    assert [len(pack) for pack in details(made)] == [2]
    assert told(made, f"{RULE}/1")["detail"] == told(made, f"{RULE}/2")["detail"] is not None
    assert told(made, f"{RULE}/4")["detail"] is None


def test_many_details_fill_packs_of_about_one_size() -> None:
    made = embed(rule_outcomes(make_results(1000)))
    packs = details(made)
    starts = json.loads(made.index)["packs"]
    assert len(packs) > 3
    assert starts == [sum(len(pack) for pack in packs[:number]) for number in range(len(packs))]
    sizes = [len(json.dumps(pack)) for pack in packs]
    assert max(sizes) < 300_000
    assert min(sizes[:-1]) > 150_000


def test_a_case_of_several_rules_stands_once_and_is_told_under_the_others() -> None:
    cases = (make_case("a.b/1", rules=("c.d", "a.b")), make_case("x.y/1", rules=("c.d", "a.b")))
    index = json.loads(embedded(*cases, rules=(make_rule("a.b"), make_rule("c.d"))).index)
    assert index["names"] == ["a.b/1", "x.y/1"]
    assert [rule[-2:] for rule in index["rules"]] == [[1, [1]], [1, [0]]]


def test_rules_name_what_they_are_filtered_by() -> None:
    common = make_rule("a.a", operation="common", level="exact")
    rules = (common, make_rule("b.b", authority="observed", theme="wire"))
    index = json.loads(embedded(make_case("a.a/1", verdict="flaky"), rules=rules).index)
    names = ("operation", "theme", "level", "verdict", "authority")
    found = [
        [index["facets"][name][number] for name, number in zip(names, rule, strict=False)] for rule in index["rules"]
    ]
    assert found == [
        ["common", "constraints", "exact", "flaky", "documented"],
        ["AssumeRole", "wire", "must", "not-run", "observed"],
    ]
    assert index["facets"]["level"] == ["must", "exact"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_the_script_or_stays_invisible(text: str) -> None:
    words = {"received": text, "reason": text, "reproduce": text}
    made = embedded(make_case(verdict="deviates", exchange=make_exchange(body=text), **words))
    assert "<" not in made.index
    assert made.index.isprintable()
    assert all(pack.isascii() and pack.isprintable() for pack in made.packs)
    unpacked = json.dumps(details(made), ensure_ascii=False)
    assert unpacked.isprintable()


def test_an_anchor_that_is_not_the_id_is_told() -> None:
    case_id = f"{RULE}/a b"
    assert json.loads(embedded(make_case(case_id)).index)["anchors"] == {f"{RULE}/a%20b": 0}
    assert json.loads(embedded(make_case()).index)["anchors"] == {}


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a-b.c/899", "a-b.c/899"),
        ("a b", "a%20b"),
        ("\"'<>&", "%22%27%3C%3E%26"),
        ("?x", "%3Fx"),
        ("\ud800", "%5Cud800"),
        ("é", "%C3%A9"),
    ],
)
def test_anchors_are_safe_in_an_attribute(text: str, safe: str) -> None:
    assert anchor(text) == safe
