"""Labels and attachments for Allure, when `--alluredir` is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import allure

from reports.embedded import anchor
from reports.markdown import code
from reports.text import visible
from specs.contract import load

if TYPE_CHECKING:
    from generators.case import Case
    from reports.model import CaseResult, Exchange

_SEVERITY = {
    "must": allure.severity_level.CRITICAL,
    "should": allure.severity_level.NORMAL,
    "exact": allure.severity_level.MINOR,
}
_TEXT = 1500  # characters of a text in a description


def label(case: Case, result: CaseResult, *, link_report: bool = False) -> None:
    """Describe the running item: verdict, operation, rules, level as severity, the document, request and answer.

    `link_report`: also link the case on our own page, for which `--allure-link-pattern=report:URL#{}` has to say
    where that is.
    """
    rule = load().rules[case.rule]
    dynamic: Any = allure.dynamic
    dynamic.title(case.id)
    dynamic.epic("STS")
    dynamic.feature(result.operation)
    dynamic.story(*result.rules)
    dynamic.severity(_SEVERITY[result.level])
    for name in ("verdict", "level", "operation", "theme"):
        dynamic.label(name, getattr(result, name))
    dynamic.tag(result.verdict)  # level, operation and theme are tags already: they are pytest's markers
    dynamic.link(load().documents[rule.source.document].link, name=rule.source.heading)
    if link_report:
        dynamic.link(anchor(result.id), link_type="report", name="the case in the report")
    dynamic.parameter("case", result.id)
    dynamic.description(_description(rule.statement, result))
    if result.exchange is not None:
        allure.attach(_request(result.exchange), "request", allure.attachment_type.TEXT)
        allure.attach(_response(result.exchange), "answer", allure.attachment_type.TEXT)
    if result.reproduce:
        allure.attach(visible(result.reproduce, lines=True), "command", allure.attachment_type.TEXT)


def _description(statement: str, result: CaseResult) -> str:
    """Write Markdown, which Allure renders: what an endpoint sent stands in code spans, where it is no markup."""
    told = {"Expected": result.expected, "Received": result.received, "Reason": result.reason}
    return "\n\n".join((f"{statement}.", *(f"{name}: {code(text, _TEXT)}" for name, text in told.items() if text)))


def _request(exchange: Exchange) -> str:
    request = exchange.request
    lines = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers)]
    return visible("\n".join((*lines, "", request.body)), lines=True)


def _response(exchange: Exchange) -> str:
    response = exchange.response
    if response is None:
        return visible(exchange.failure)
    lines = [str(response.status), *(f"{name}: {value}" for name, value in response.headers)]
    return visible("\n".join((*lines, "", response.body)), lines=True)
