"""Labels and attachments for Allure, when `--alluredir` is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import allure

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


def label(case: Case, result: CaseResult) -> None:
    """Describe the running item: operation, rule, level as severity, the document, request and answer."""
    rule = load().rules[case.rule]
    dynamic: Any = allure.dynamic
    dynamic.title(case.id)
    dynamic.epic("STS")
    dynamic.feature(result.operation)
    dynamic.story(rule.id)
    dynamic.severity(_SEVERITY[result.level])
    dynamic.label("verdict", result.verdict)
    dynamic.tag(result.level, result.theme)
    dynamic.link(load().documents[rule.source.document].link, name=rule.source.heading)
    dynamic.description(f"{rule.statement}. Expected: {result.expected}. Received: {visible(result.received)}")
    if result.exchange is not None:
        allure.attach(_request(result.exchange), "request", allure.attachment_type.TEXT)
        allure.attach(_response(result.exchange), "answer", allure.attachment_type.TEXT)


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
