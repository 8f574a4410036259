"""`--plan`: what would be sent, as JSON of a published form, with nothing sent and nothing started."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.servers import Listener, Ran, Stub, run

if TYPE_CHECKING:
    from pathlib import Path

Plan = dict[str, list[dict[str, Any]]]
# The keys of each object, with the types of their values.
RULE = {"id": str, "statement": str, "level": str, "authority": str, "source": str, "ledger": list}
CASE = {
    "id": str, "rules": list, "operation": str, "level": str, "method": str, "path": str, "authentication": str,
    "caller": (str, type(None)), "parameters": list, "expectation": dict, "control": (str, type(None)), "needs": list,
    "made-before": list, "sent-before": list,
}  # fmt: skip
EXPECTATION = {"outcome": str, "refusal": (str, type(None)), "answers": list}
ANSWER = {"status": int, "codes": list, "authority": str}


def planned(folder: Path, *arguments: str) -> tuple[Ran, Plan]:
    """Have a plan written against a server that must see nothing of it."""
    with Listener() as listener:
        path = folder / "plan.json"
        ran = run(folder / "report", f"--target={listener.url}", f"--plan={path}", *arguments)
        assert listener.connections == 0
    assert not (folder / "report").exists()
    return ran, json.loads(path.read_text(encoding="ascii"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Plan]:
    return planned(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def plan(everything: tuple[Ran, Plan]) -> Plan:
    return everything[1]


def fits(value: dict[str, Any], form: dict[str, Any]) -> bool:
    """Whether an object has just these keys, with values of these types."""
    return value.keys() == form.keys() and all(isinstance(value[key], kind) for key, kind in form.items())


def test_it_ends_well_and_says_so(everything: tuple[Ran, Plan]) -> None:
    ran, plan = everything
    assert ran.status == pytest.ExitCode.OK
    assert f"plan of {len(plan['cases'])} cases written to " in ran.output
    assert "nothing was sent" in ran.output


def test_its_form_is_the_published_one(plan: Plan) -> None:
    assert list(plan) == ["rules", "cases"]
    for rule in plan["rules"]:
        assert fits(rule, RULE), rule
        assert rule["level"] in {"must", "should", "exact"}
        assert rule["authority"] in {"documented", "modelled", "observed"}
        assert rule["statement"]
        assert ": " in rule["source"]
    for case in plan["cases"]:
        assert fits(case, CASE), case["id"]
        assert re.fullmatch("[A-Z]+", case["method"]), case["id"]
        assert case["path"].startswith("/"), case["id"]
        assert case["authentication"] in {"sigv4", "sigv4-query", "none"}
        assert (case["caller"] is None) == (case["authentication"] == "none"), case["id"]
        for pair in case["parameters"]:
            assert len(pair) == 2, case["id"]
            assert isinstance(pair[0], str)
            assert pair[1] is None or isinstance(pair[1], str)
        expectation = case["expectation"]
        assert fits(expectation, EXPECTATION), case["id"]
        assert expectation["outcome"] in {"success", "refusal", "either"}
        assert (
            (expectation["refusal"] is None) == (expectation["outcome"] == "success") == (not expectation["answers"])
        )
        for answer in expectation["answers"]:
            assert fits(answer, ANSWER), case["id"]
            assert 300 <= answer["status"] < 600
            assert answer["authority"] in {"documented", "modelled", "observed"}


def test_rules_and_cases_belong_together(plan: Plan) -> None:
    rules = [rule["id"] for rule in plan["rules"]]
    cases = [case["id"] for case in plan["cases"]]
    assert len(set(rules)) == len(rules)
    assert len(set(cases)) == len(cases)
    assert {rule for case in plan["cases"] for rule in case["rules"]} == set(rules)
    assert {case["control"] for case in plan["cases"]} - {None} <= set(cases)


def test_every_operation_is_planned(plan: Plan) -> None:
    assert {case["operation"] for case in plan["cases"]} == {
        "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
        "GetAccessKeyInfo", "GetCallerIdentity", "GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken",
        "GetWebIdentityToken",
    }  # fmt: skip


def test_a_case_that_everybody_knows(plan: Plan) -> None:
    case = next(case for case in plan["cases"] if case["id"] == "assume-role.duration-seconds.min/899")
    assert case["rules"] == ["assume-role.duration-seconds.min"]
    assert case["operation"] == "AssumeRole"
    assert case["level"] == "must"
    assert (case["method"], case["path"]) == ("POST", "/")
    assert (case["authentication"], case["caller"]) == ("sigv4", "user")
    assert case["parameters"] == [
        ["Action", "AssumeRole"],
        ["Version", "2011-06-15"],
        ["RoleArn", "${role-arn}"],
        ["RoleSessionName", "conformance"],
        ["DurationSeconds", "899"],
    ]
    assert case["expectation"]["outcome"] == "refusal"
    assert case["expectation"]["refusal"] == "constraint-violation"
    assert {"status": 400, "codes": ["ValidationError"], "authority": "observed"} in case["expectation"]["answers"]
    assert case["control"] == "assume-role.duration-seconds.min/900"
    assert "role" in case["needs"]


def test_methods_paths_and_signatures_are_those_that_are_sent(plan: Plan, tmp_path: Path) -> None:
    planned = {case["id"]: case for case in plan["cases"]}
    with Stub() as stub:
        ran = run(tmp_path / "report", f"--target={stub.url}", "-q", "-k", "wire or sdk or session-token.use")
    sent = {name: case.exchange.request for name, case in ran.cases.items() if case.exchange is not None}
    for name, request in sent.items():
        case = planned[name]
        assert (request.method, urlsplit(request.url).path) == (case["method"], case["path"]), name
        headers = {header.lower() for header, _ in request.headers}
        assert (case["caller"] is None) == ("authorization" not in headers and "X-Amz-" not in request.url), name
    assert {"GET", "POST", "PUT"} <= {request.method for request in sent.values()}
    assert {"user", "session", None} <= {planned[name]["caller"] for name in sent}


def test_k_selects(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with Listener() as listener:
        chosen = ("-q", "-k", "assume-role.duration-seconds.min")
        ran = run(tmp_path / "report", f"--target={listener.url}", f"--plan={path}", *chosen)
        assert listener.connections == 0
    plan = json.loads(path.read_text(encoding="ascii"))
    ids = [case["id"] for case in plan["cases"]]
    assert "assume-role.duration-seconds.min/899" in ids
    assert all("assume-role.duration-seconds.min" in name for name in ids)
    assert {rule["id"] for rule in plan["rules"]} == {rule for case in plan["cases"] for rule in case["rules"]}
    assert ran.status == pytest.ExitCode.OK
    assert "nothing was sent" in ran.output


def test_no_server_is_started_for_a_plan(tmp_path: Path) -> None:
    """A server of moto's takes a process; the run is watched to start none."""
    script = tmp_path / "watched.py"
    script.write_text(
        "import subprocess, sys, pytest\n"
        "def refuse(*given, **named): raise AssertionError('a process was started')\n"
        "subprocess.Popen.__init__ = refuse\n"
        "sys.exit(pytest.main(sys.argv[1:]))\n",
        encoding="utf-8",
    )
    path = tmp_path / "plan.json"
    ran = run(tmp_path / "report", "--target=moto", f"--plan={path}", "-k", "sdk", "-q", script=script)
    assert ran.status == pytest.ExitCode.OK, ran.output
    assert json.loads(path.read_text(encoding="ascii"))["cases"]
    assert run(tmp_path / "report", "--target=moto", "-k", "sdk", "-q", script=script).status != pytest.ExitCode.OK


def test_what_goes_to_aws_is_planned_as_it_would_be_sent(tmp_path: Path) -> None:
    """Nothing is sent to AWS: the plan shows that what would be minted there can do nothing."""
    path = tmp_path / "plan.json"
    ran = run(
        tmp_path / "report", "--target=aws", f"--plan={path}", "-q", "-k", "get-federation-token.name and not several"
    )
    assert ran.status == pytest.ExitCode.OK
    cases = json.loads(path.read_text(encoding="ascii"))["cases"]
    assert len(cases) > 20
    for case in cases:
        given = dict(case["parameters"])
        assert given["DurationSeconds"] == "900"
        assert json.loads(given["Policy"])["Statement"] == [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
