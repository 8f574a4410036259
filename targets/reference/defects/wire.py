"""Defects of the rules in specs/sts/wire.yaml: how requests travel and what frames the answers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from specs.contract import API_VERSION, XML_NAMESPACE, load
from targets.reference.defects import edits
from targets.reference.defects.exchanges import (
    either,
    form_read_as,
    granted,
    header_of,
    met,
    page,
    read_as,
    refused,
    where,
    with_header,
    worded,
)
from targets.reference.defects.registry import Defect
from targets.reference.model import HttpAnswer, HttpRequest, Refused
from targets.reference.reading import Elsewhere, Query
from targets.reference.service import IAM_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Values
    from targets.reference.model import Caller
    from targets.reference.operations import Result
    from targets.reference.rendering import Stamp
    from targets.reference.service import Service
    from targets.reference.signature import Claim

    Apply = Callable[[Service], None]
    OfRequest = Callable[[HttpRequest], bool]
    OfAnswer = Callable[[HttpRequest, HttpAnswer], bool]

_FORM = "application/x-www-form-urlencoded"
_HOME = "https://aws.amazon.com/iam"
_HTML = b"<html><body>It works</body></html>"
_TO_DOCUMENTS = page(302, location=_HOME)


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _content_types()
    yield from _signed_urls()
    yield from _parameters()
    yield from _spaces()
    yield from _lists()
    yield from _actions()
    yield from _versions()
    yield from _methods()
    yield from _paths()
    yield from _sizes()
    yield from _preflight()
    yield from _json()
    yield from _layout()
    yield from _headers()
    yield from _foreign_parameters()


# How requests travel


def _content_types() -> Iterator[Defect]:
    yield Defect(
        "get-caller-identity.wire.request.post-form", "charset-demanded",
        "a form whose content type names no charset leads to the documentation",
        met(_form_type(re.escape(_FORM)), _TO_DOCUMENTS),
    )  # fmt: skip
    yield Defect(
        "common.wire.charset", "capitals-unknown", "a form in the charset UTF-8, in capitals, is answered with 415",
        met(_form_type(".*charset=UTF-8"), page(415)),
    )  # fmt: skip
    yield Defect(
        "common.wire.charset", "no-charset-known",
        "for GetCallerIdentity, a form whose content type names a charset is answered with 415",
        met(lambda r: b"Action=GetCallerIdentity" in r.body and _form_type(".*charset=.*")(r), page(415)),
    )  # fmt: skip
    rule = "common.wire.no-content-type"
    yield Defect(
        rule, "read-as-form", "a POST without a content type is read as a form",
        read_as(lambda r: replace(r, headers=(*r.headers, *(() if _typed(r) else (("content-type", _FORM),))))),
    )  # fmt: skip
    yield Defect(
        rule, "another-location", "a POST without a content type leads to another page than the documentation",
        where(_untyped, lambda found: with_header(found, "Location", "https://docs.aws.amazon.com/STS/")),
    )  # fmt: skip
    yield Defect(
        rule, "with-a-page", "the redirect of a POST without a content type has a body",
        where(_untyped, lambda found: edits.with_body(found, _HTML.decode())),
    )  # fmt: skip
    rule = "common.wire.wrong-content-type"
    yield Defect(rule, "text-read", "a text/plain body is read as a form", read_as(_typed_as_form("text/plain")))
    yield Defect(
        rule, "json-unsupported", "an application/json body is answered with 415",
        met(lambda r: header_of(r, "content-type") == "application/json", page(415)),
    )  # fmt: skip


def _untyped(request: HttpRequest, found: HttpAnswer) -> bool:
    return found.status == HTTPStatus.FOUND and request.method == "POST" and not header_of(request, "content-type")


def _form_type(pattern: str) -> OfRequest:
    return lambda request: re.fullmatch(pattern, header_of(request, "content-type")) is not None


def _typed(request: HttpRequest) -> bool:
    return request.method != "POST" or bool(header_of(request, "content-type"))


def _typed_as_form(media: str) -> Callable[[HttpRequest], HttpRequest]:
    def change(request: HttpRequest) -> HttpRequest:
        headers = ((n, _FORM if (n, v) == ("content-type", media) else v) for n, v in request.headers)
        return replace(request, headers=tuple(headers))

    return change


def _signed_urls() -> Iterator[Defect]:
    not_allowed = met(_is("GET"), page(405, allow="POST"))
    yield Defect("common.wire.get-query", "get-not-allowed", "a GET is answered with 405", not_allowed)
    yield Defect(
        "common.wire.presigned-get", "not-looked-at", "a signature in the query string of a GET is not looked at",
        _unclaimed("GET"),
    )  # fmt: skip
    yield Defect(
        "common.wire.presigned-post", "payload-not-hashed",
        "the signature of a presigned POST is computed over UNSIGNED-PAYLOAD, as for S3", unhashed("POST"),
    )  # fmt: skip


def _is(method: str) -> OfRequest:
    return lambda request: request.method == method


def _presigned(query: Query, method: str) -> bool:
    return query.http.method == method and "X-Amz-Algorithm" in query.url_parameters


def _unclaimed(method: str) -> Apply:
    def apply(service: Service) -> None:
        claim_of = service.authenticator.claim_of

        def by_header(query: Query) -> Claim | None:
            return None if _presigned(query, method) else claim_of(query)

        edits.substitute(service.authenticator, "claim_of", by_header)

    return apply


def unhashed(method: str) -> Apply:
    """Compute the signature of presigned requests as S3 does, which does not look at the body."""

    def apply(service: Service) -> None:
        check = service.authenticator.check_signature

        def over_nothing(claim: Claim, query: Query, secret: str) -> None:
            if _presigned(query, method):
                # S3 signs this text in the place of a hash, we its hash: no client's signature matches either.
                query = replace(query, http=replace(query.http, body=b"UNSIGNED-PAYLOAD"))
            check(claim, query, secret)

        edits.substitute(service.authenticator, "check_signature", over_nothing)

    return apply


# Parameters


def _parameters() -> Iterator[Defect]:
    for operation, name in (("GetCallerIdentity", "get-caller-identity"), ("AssumeRole", "assume-role")):
        yield Defect(
            "common.wire.unknown-parameter", f"{name}-refuses",
            f"{operation} refuses a parameter that it does not know",
            edits.parameters(operation, _knowing(operation)),
        )  # fmt: skip
    rule = "common.wire.repeated-parameter"
    yield Defect(rule, "last-counts", "of a member sent twice the last counts", form_read_as(_last_of_members))
    yield Defect(rule, "joined", "the values of a member sent twice are joined by a comma", form_read_as(_joined))
    yield Defect(
        "common.wire.parameter-order", "action-first", "a form that does not begin with its action is not read",
        met(_action_later, _TO_DOCUMENTS),
    )  # fmt: skip


def _action_later(request: HttpRequest) -> bool:
    of_iam = f"Version={IAM_VERSION}".encode() in request.body
    return b"&Action=" in request.body and not request.body.startswith(b"Action=") and not of_iam


def _knowing(operation: str) -> Callable[[dict[str, str]], dict[str, str]]:
    known = {"Action", "Version", *load().operations[operation].input}

    def change(given: dict[str, str]) -> dict[str, str]:
        foreign = [name for name in given if name.partition(".")[0] not in known and not name.startswith("X-Amz-")]
        if foreign:
            raise Refused("constraint-violation", f"1 validation error detected: {foreign[0]} is not known")
        return given

    return change


def _name(part: bytes) -> bytes:
    return part.partition(b"=")[0]


def _last_of(*names: bytes) -> Callable[[bytes], bytes]:
    """Put the last value in the place of the first; without names, of all members."""

    def change(form: bytes) -> bytes:
        parts = form.split(b"&")
        last = {_name(part): part for part in parts}
        chosen = names or last.keys() - {b"Action", b"Version"}
        return b"&".join(last[_name(part)] if _name(part) in chosen else part for part in parts)

    return change


_last_of_members = _last_of()


def _joined(form: bytes) -> bytes:
    values: dict[bytes, list[bytes]] = {}
    for part in form.split(b"&"):
        values.setdefault(_name(part), []).append(part.partition(b"=")[2])
    return b"&".join(
        name + b"=" + (b"%2C".join(found) if name not in {b"Action", b"Version"} else found[0])
        for name, found in values.items()
    )


def _spaces() -> Iterator[Defect]:
    rule = "common.wire.space"
    table = (
        ("plus-stays", "in a form, + stays a plus", lambda form: form.replace(b"+", b"%2B")),
        ("percent-20-is-a-plus", "in a form, %20 is read as a plus", lambda form: form.replace(b"%20", b"%2B")),
        ("plus-after-percent", "a form's escapes are read first, and then + as a space, %2B too",
         lambda form: form.replace(b"%2B", b"%20")),
    )  # fmt: skip
    for name, says, change in table:
        yield Defect(rule, name, says, form_read_as(change))
    for name, sent in (("plus", "+"), ("percent-20", "%20")):
        yield Defect(
            rule, f"{name}-refused-in-tags", f"a tag value is refused for a space that is sent as {sent}",
            form_read_as(_spoiling(rb"(Tags\.member\.\d+\.Value=[^&]*)" + re.escape(sent.encode()))),
        )  # fmt: skip


def _spoiling(pattern: bytes) -> Callable[[bytes], bytes]:
    """Put a tab, which no tag may hold, in the place of what follows the group."""
    return lambda form: re.sub(pattern, rb"\1%09", form)


def _lists() -> Iterator[Defect]:
    yield Defect(
        "common.wire.list-order", "order-demanded", "tags that do not come in the order of their numbers are refused",
        edits.parameters("AssumeRole", _ordered),
    )  # fmt: skip
    yield Defect(
        "common.wire.list-gap", "broken-by-a-gap", "a gap in the numbers of tags is answered with 500",
        edits.parameters("AssumeRole", _gapless),
    )  # fmt: skip
    for name, slug, entry in (
        ("Tags", "tags", "Tags.member.1.Key"),
        ("TransitiveTagKeys", "transitive-tag-keys", "TransitiveTagKeys.member.1"),
        ("PolicyArns", "policy-arns", "PolicyArns.member.1.arn"),
    ):
        yield Defect(
            "common.wire.list-empty", f"{slug}-of-one", f"an empty list of {name} is read as one of an empty entry",
            edits.parameters("AssumeRole", _one_empty(name, entry)),
        )  # fmt: skip


def _numbers(given: dict[str, str]) -> list[int]:
    found = (re.match(r"Tags\.member\.(\d+)\.", name) for name in given)
    return list(dict.fromkeys(int(match[1]) for match in found if match))


def _ordered(given: dict[str, str]) -> dict[str, str]:
    if _numbers(given) != sorted(_numbers(given)):
        raise Refused("constraint-violation", "1 validation error detected: tags must be in order")
    return given


def _gapless(given: dict[str, str]) -> dict[str, str]:
    if len(_numbers(given)) != max(_numbers(given), default=0):
        raise Elsewhere(500)
    return given


def _one_empty(name: str, entry: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda given: {**given, entry: ""} if given.get(name) == "" else given


# Action and version


def _actions() -> Iterator[Defect]:
    rule = "common.parameter.action.required"
    yield Defect(
        rule, "guessed", "a form without an action is taken for GetCallerIdentity",
        form_read_as(lambda form: form if b"Action=" in form else b"Action=GetCallerIdentity&" + form),
    )  # fmt: skip
    yield Defect(
        rule, "front-page", "a GET without an action is answered with a page of its own",
        met(lambda r: r.target.startswith("/?Version=") and "Action=" not in r.target, page(200, _HTML)),
    )  # fmt: skip
    rule = "common.parameter.action.required.redirect"
    yield Defect(
        rule, "to-the-home-page", "a form without an action leads to https://aws.amazon.com/",
        where(_redirected("POST"), lambda found: with_header(found, "Location", "https://aws.amazon.com/")),
    )  # fmt: skip
    yield Defect(
        rule, "query-dropped", "where a GET without an action leads has lost the query string",
        where(_redirected("GET"), lambda found: with_header(found, "Location", _HOME)),
    )  # fmt: skip
    rule = "common.error.invalid-action"
    not_found = edits.refusal("unknown-action", status=404)
    yield Defect(rule, "not-found", "an action that does not exist is answered with 404", not_found)
    yield Defect(
        rule, "another-service-asked", "an action of SQS is answered by SQS",
        met(lambda r: b"Action=CreateQueue" in r.body, _foreign_error()),
    )  # fmt: skip
    yield Defect(
        rule, "empty-is-missing", "an empty action leads to the documentation",
        met(lambda r: re.search(rb"(^|&)Action=(&|$)", r.body) is not None, _TO_DOCUMENTS),
    )  # fmt: skip
    yield Defect(
        rule, "existing-one-counts", "of two actions the one that exists counts", form_read_as(_existing_action)
    )
    rule = "common.wire.repeated-action"
    yield Defect(rule, "last-action-counts", "of two actions the last counts", form_read_as(_last_of(b"Action")))
    yield Defect(rule, "last-version-counts", "of two versions the last counts", form_read_as(_last_of(b"Version")))


def _redirected(method: str) -> OfAnswer:
    return lambda request, found: request.method == method and found.status == HTTPStatus.FOUND


def _foreign_error() -> HttpAnswer:
    body = (
        '<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type>'
        "<Code>MissingParameter</Code><Message>The request must contain the parameter QueueName.</Message></Error>"
        "<RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>"
    )
    return page(400, body.encode(), content_type="text/xml")


def _existing_action(form: bytes) -> bytes:
    parts = form.split(b"&")
    existing = {f"Action={operation}".encode() for operation in load().operations}
    if sum(_name(part) == b"Action" for part in parts) < 2:  # noqa: PLR2004 - there is nothing to choose
        return form
    return b"&".join(part for part in parts if _name(part) != b"Action" or part in existing)


def _versions() -> Iterator[Defect]:
    for name, words, change in (
        ("left-out", "a form without a version", lambda form: form if b"Version" in form else form + _VERSION),
        ("empty", "a form with an empty version", lambda form: re.sub(rb"&Version=(?=&|$)", _VERSION, form)),
    ):
        yield Defect(
            "common.parameter.version.required", f"presumed-if-{name}", f"{words} is taken for one of {API_VERSION}",
            form_read_as(change),
        )  # fmt: skip
    for rule, name, says, taken in (
        ("common.api-version", "any-date", "every date is taken for a version", _is_date),
        ("common.api-version", "later-date", f"every date since {API_VERSION} is taken for a version",
         lambda version: _is_date(version) and version >= API_VERSION),
        ("common.parameter.version.format", "without-dashes", "a version is taken without its dashes too",
         lambda version: version == API_VERSION.replace("-", "")),
    ):  # fmt: skip
        yield Defect(rule, name, says, form_read_as(_versioned(taken)))
    rule = "common.error.invalid-action.message"
    yield Defect(
        rule, "namespace-of-sts", "the refusal of an unknown action has the namespace of STS",
        edits.refusal("unknown-action", namespace=XML_NAMESPACE),
    )  # fmt: skip
    for name, says, refusal, pattern, other in (
        ("another-wording", "an unknown action is refused in other words", "unknown-action",
         r"Could not find operation (\S+) .*", r"The action \1 is not valid for this endpoint."),
        ("true-version-named", f"the refusal of a wrong version names {API_VERSION}", "unknown-action",
         "version .*", f"version {API_VERSION}"),
        ("none-named", "the refusal of a missing version names it as None", "missing-version",
         "NO_VERSION_SPECIFIED", "None"),
        ("empty-is-none", "the refusal of an empty version names it as NO_VERSION_SPECIFIED", "missing-version",
         "version $", "version NO_VERSION_SPECIFIED"),
    ):  # fmt: skip
        yield Defect(rule, name, says, edits.wording(refusal, worded(pattern, other)))


_VERSION = f"&Version={API_VERSION}".encode()


def _is_date(version: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", version) is not None


def _versioned(taken: Callable[[str], bool]) -> Callable[[bytes], bytes]:
    def change(match: re.Match[bytes]) -> bytes:
        return _VERSION if taken(match[1].decode()) else match[0]

    return lambda form: re.sub(rb"&Version=([\d-]+)", change, form)


# HTTP


def _methods() -> Iterator[Defect]:
    rule = "common.wire.other-methods"
    for sent, other in (("PUT", "POST"), ("HEAD", "GET")):
        name = f"{sent}-is-{other}".lower()
        yield Defect(rule, name, f"a {sent} is read as a {other}", _method(sent, other))
    for method, status in (("DELETE", 405), ("PATCH", 501)):
        name = f"{method}-refused".lower()
        yield Defect(rule, name, f"a {method} is answered with {status}", met(_is(method), page(status)))
    by_page = met(_is("PUT"), page(302, _HTML, location=_HOME))
    yield Defect(rule, "with-a-page", "a PUT leads to the documentation by a page", by_page)


def _method(sent: str, other: str) -> Apply:
    return read_as(lambda request: replace(request, method=other) if request.method == sent else request)


def _paths() -> Iterator[Defect]:
    rule = "common.wire.other-paths"
    yield Defect(
        rule, "documented", "a GET of another path leads to the documentation",
        where(_nothing_there, lambda found: with_header(replace(found, status=302), "Location", _HOME)),
    )  # fmt: skip
    yield Defect(
        rule, "empty-page", "a GET of another path is answered with 404 and no body",
        where(_nothing_there, lambda found: edits.with_body(found, "")),
    )  # fmt: skip
    yield Defect(rule, "every-path-served", "a request to another path is served", _path_signed)
    rule = "common.wire.broken-percent"
    for name, says, pattern, other in (
        ("truncated-dropped", "what is left of a percent escape at the end of the path is dropped",
         "%[0-9A-Fa-f]?$", ""),
        ("taken-as-it-is", "in the path, a percent sign before other than hexadecimal digits stands for itself",
         "%(?=[G-Zg-z])", "%25"),
    ):  # fmt: skip
        yield Defect(rule, name, says, read_as(_path(pattern, other)))
    yield Defect(
        rule, "as-an-error", "a broken percent escape in the path is refused by an ErrorResponse",
        where(lambda _, found: found.status == HTTPStatus.BAD_REQUEST and not found.body, _as_error),
    )  # fmt: skip


def _as_error(found: HttpAnswer) -> HttpAnswer:
    return edits.with_body(found, "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>")


def _nothing_there(request: HttpRequest, found: HttpAnswer) -> bool:
    return request.method == "GET" and found.status == HTTPStatus.NOT_FOUND


def _path(pattern: str, other: str) -> Callable[[HttpRequest], HttpRequest]:
    def change(request: HttpRequest) -> HttpRequest:
        path, mark, query = request.target.partition("?")
        return replace(request, target=re.sub(pattern, other, path) + mark + query)

    return change


def _path_signed(service: Service) -> None:
    check = service.authenticator.check_signature

    def at_the_root(claim: Claim, query: Query, secret: str) -> None:
        if query.path == "/":  # a signature for another path is the client's to get right
            check(claim, query, secret)

    edits.substitute(service.authenticator, "check_signature", at_the_root)


def _sizes() -> Iterator[Defect]:
    def narrower(service: Service) -> None:
        service.body_limit -= 1

    def wider(service: Service) -> None:
        service.body_limit += 1

    yield Defect("common.wire.body-limit", "one-too-narrow", "a body of 10,000,000 bytes is refused", narrower)
    yield Defect("common.wire.body-limit", "one-too-wide", "a body of 10,000,001 bytes is taken", wider)
    yield Defect(
        "decode-authorization-message.wire.request.expect-continue", "expectation-failed",
        "a request with the header Expect is answered with 417",
        met(lambda request: bool(header_of(request, "expect")), page(417)),
    )  # fmt: skip


def _preflight() -> Iterator[Defect]:
    rule = "common.wire.cors"
    home = met(_is("OPTIONS"), _TO_DOCUMENTS)
    yield Defect(rule, "not-answered", "a preflight request leads to the documentation", home)
    yield Defect(
        rule, "with-a-page", "the answer to a preflight request has a body",
        where(_preflighted, lambda found: edits.with_body(found, "OK")),
    )  # fmt: skip
    for name, header, value in (
        ("origin-echoed", "Access-Control-Allow-Origin", "https://example.com"),
        ("more-methods", "Access-Control-Allow-Methods", "GET, POST, PUT"),
        ("one-day", "Access-Control-Max-Age", "86400"),
        ("nothing-exposed", "Access-Control-Expose-Headers", ""),
    ):
        change = where(_preflighted, _headed(header, value))
        yield Defect(rule, name, f"a preflight request is answered with {header}: {value}", change)


def _preflighted(request: HttpRequest, _found: HttpAnswer) -> bool:
    return request.method == "OPTIONS"


def _headed(name: str, value: str | None) -> Callable[[HttpAnswer], HttpAnswer]:
    return lambda found: with_header(found, name, value)


# Answers


def _json() -> Iterator[Defect]:
    rule = "common.wire.json"
    yield Defect(
        rule, "xml-anyway", "answers are XML, whatever the request accepts",
        read_as(lambda request: replace(request, headers=tuple(p for p in request.headers if p[0] != "accept"))),
    )  # fmt: skip
    yield Defect(
        rule, "another-type", "answers in JSON are of the type application/x-amz-json-1.0",
        where(_in_json, _headed("Content-Type", "application/x-amz-json-1.0")),
    )  # fmt: skip
    yield Defect(
        rule, "another-wrapper", "answers in JSON hold the result under Result",
        where(_in_json, lambda found: edits.with_body(found, re.sub(r"\w+Result\b", "Result", found.body.decode()))),
    )  # fmt: skip
    yield Defect(rule, "bare-result", "answers in JSON lack the outermost name", where(_in_json, _unwrapped))


def _in_json(_request: HttpRequest, found: HttpAnswer) -> bool:
    return found.body.startswith(b"{")


def _unwrapped(found: HttpAnswer) -> HttpAnswer:
    (inner, *_) = json.loads(found.body).values()
    return edits.with_body(found, json.dumps(inner))


def _layout() -> Iterator[Defect]:
    rule = "common.wire.response-layout"
    for name, says, pattern, other, only in (
        ("declaration", "answers begin with an XML declaration", r"\A", _DECLARATION, r"\w+Response"),
        ("no-last-line-break", "answers do not end with a line break", r"\n\Z", "", r"\w+Response"),
        ("four-spaces", "what is granted is indented by four spaces", r"(?m)^( +)", r"\1\1", r"(?!Error)\w+Response"),
        ("errors-on-one-line", "refusals are written in one line", r">\n *", ">", "ErrorResponse"),
    ):
        yield Defect(rule, name, says, edits.body(pattern, other, only=only))


_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _headers() -> Iterator[Defect]:
    own = "get-caller-identity.wire.response"
    xml, uuid = "application/xml", "00000000-0000-4000-8000-000000000000"
    extended = "x-amz-sts-extended-request-id"
    rows: tuple[tuple[str, str, str, OfAnswer, str, str | None], ...] = (
        (f"{own}.content-type", "granted-in-another", f"what is granted is of the type {xml}",
         granted, "Content-Type", xml),
        (f"{own}.content-type", "refused-in-another", f"refusals are of the type {xml}",
         refused, "Content-Type", xml),
        ("common.wire.content-type-bare", "with-charset", "answers name their charset",
         either, "Content-Type", "text/xml; charset=utf-8"),
        (f"{own}.request-id-header", "another-id", "the header x-amzn-RequestId tells another id than the body",
         granted, "x-amzn-RequestId", uuid),
        (f"{own}.request-id-header", "refusals-without", "refusals lack the header x-amzn-RequestId",
         refused, "x-amzn-RequestId", None),
        ("common.wire.extended-request-id", "left-out", f"the header {extended} is left out",
         granted, extended, None),
        ("common.wire.extended-request-id", "uuid", f"the header {extended} holds a UUID",
         granted, extended, uuid),
        (f"{own}.date", "left-out", "answers are not dated",
         either, "Date", None),
        (f"{own}.headers", "no-date", "answers are not dated",
         either, "Date", None),
        (f"{own}.content-length", "left-out", "answers do not tell their length and end with the connection",
         either, "Content-Length", None),
    )  # fmt: skip
    for rule, name, says, when, header, value in rows:
        yield Defect(rule, name, says, where(when, _headed(header, value)))
    yield Defect(f"{own}.date", "iso-8601", "the date of answers is written in ISO 8601", where(either, _iso_dated))
    for name, says, change in (
        ("capitals", "a RequestId is a UUID in capitals", str.upper),
        ("fifty-two", "a RequestId is 52 capitals and digits", lambda uuid: (uuid.replace("-", "").upper() * 2)[:52]),
    ):
        yield Defect("common.wire.request-id-uuid", name, says, _identified(change))


def _iso_dated(found: HttpAnswer) -> HttpAnswer:
    date = next(value for name, value in found.headers if name == "Date")
    return with_header(found, "Date", parsedate_to_datetime(date).isoformat())


def _identified(change: Callable[[str], str]) -> Apply:
    def apply(service: Service) -> None:
        stamp = service.stamp

        def other() -> Stamp:
            found = stamp()
            return replace(found, request_id=change(found.request_id))

        edits.substitute(service, "stamp", other)

    return apply


# Parameters of other operations


def _foreign_parameters() -> Iterator[Defect]:
    yield Defect(
        "get-session-token.wire.request.tags-in-sample", "tags-refused", "GetSessionToken refuses tags",
        edits.parameters("GetSessionToken", _knowing("GetSessionToken")),
    )  # fmt: skip
    rule = "get-federation-token.tags.no-transitive"
    yield Defect(
        rule, "transitive-keys-checked", "GetFederationToken looks for transitive tag keys among its tags",
        edits.parameters("GetFederationToken", _transitive),
    )  # fmt: skip
    says = "GetFederationToken takes a source identity, and tells it"
    yield Defect(rule, "source-identity-told", says, _source_identity)


def _transitive(given: dict[str, str]) -> dict[str, str]:
    tags = {value for name, value in given.items() if name.startswith("Tags.") and name.endswith(".Key")}
    if any(name.startswith("TransitiveTagKeys.") and value not in tags for name, value in given.items()):
        message = "The specified transitive tag key must be included in the requested tags."
        raise Refused("transitive-key-unknown", message)
    return given


def _source_identity(service: Service) -> None:
    federate = service.operations.get_federation_token
    member = service.members["AssumeRole"]["SourceIdentity"]
    service.members["GetFederationToken"] = {**service.members["GetFederationToken"], "SourceIdentity": member}

    def telling(caller: Caller, values: Values) -> Result:
        return federate(caller, values) | {"SourceIdentity": values.get("SourceIdentity")}

    edits.substitute(service.operations, "get_federation_token", telling)
