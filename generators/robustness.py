"""Robustness: requests that nobody would send on purpose, and what their answers must be all the same.

All of it is HTTP that a server has to read. Left alone is what a front end may turn down as no HTTP, and headers that
choose another protocol, a coding of the body or a part of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote_to_bytes

from hypothesis import assume
from hypothesis import strategies as st

from generators.answer import local_name
from generators.case import FORM
from generators.expectation import Judgement, describe, is_granted
from specs.contract import kebab

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from hypothesis.strategies import SearchStrategy

    from generators.answer import Answer
    from generators.case import Request
    from specs.contract import Contract

T = TypeVar("T")

_MOST_CHANGES = 12
_HUGE = 100_000  # characters of a value
_LONG_HEADER = 12_000  # characters; with the rest of the head it is still one that AWS reads
_FORMS = frozenset({FORM, "application/x-www-form-urlencoded"})
_SERVER_FAULT = 500
_LAST_CHARACTER = 0x10FFFF
_REFUSED = range(400, 500)
_REDIRECT = range(300, 400)
# What AWS's front end says without a body (observed.yaml: proto-body-limit-over, proto-get-head-limit,
# proto-bad-percent), and what HTTP has more precisely for the same.
_BARE = frozenset({400, 413, 414, 431})

# What an answer must be


# A refusal may quote what was sent. How AWS quotes what XML 1.0 cannot hold is not known: such is left out of what is
# read, raw or as character references.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));")


@dataclass(frozen=True, slots=True)
class WellFormed:
    """The expectation of any answer at all, as long as it is one of STS."""

    quotes: bool = False  # the request holds what XML cannot
    is_form: bool = True  # what is no form may be turned down in any words (observed.yaml, auth-bad-content-type)
    wants_json: bool = False

    def judge(self, answer: Answer, *, values: Mapping[str, str], sent_at: datetime) -> Judgement:
        """Hold `answer` against this; takes what an Expectation takes."""
        del values, sent_at
        complaint = self._complaint(answer)
        received = describe(answer)
        return Judgement(conforms=not complaint, received=f"{received}; {complaint}" if complaint else received)

    def describe(self) -> str:
        """Put it in words, for people."""
        return "any answer of STS: granted, refused in XML with a code, or turned away without a page"

    def _complaint(self, answer: Answer) -> str:
        if answer.status >= _SERVER_FAULT:
            return "a failure of the server"
        if not self.is_form and answer.status in (*_REDIRECT, *_REFUSED):
            return ""
        if is_granted(answer) or (self.wants_json and _is_json(answer)):
            return ""
        return _bare_complaint(answer) if not answer.body.strip() else self._body_complaint(answer)

    def _body_complaint(self, answer: Answer) -> str:
        is_quoting = self.quotes and answer.status in _REFUSED  # what is granted holds nothing of that kind
        read = replace(answer, body=_readable(answer.text)) if is_quoting else answer
        root = local_name(read.root) if read.root is not None else ""
        if root.lower() == "html" or answer.text.lstrip()[:200].lower().startswith(("<!doctype html", "<html")):
            return "a page of HTML"
        if not root:
            return "no XML that can be read"
        # Which envelope an error comes in is the matter of other rules; <UnknownOperationException/> has none.
        is_told = read.error_code or read.foreign_code() or root.endswith("Exception")
        return "" if answer.status in _REFUSED and is_told else "neither granted nor refused with a code"


def _bare_complaint(answer: Answer) -> str:
    if answer.status in _REDIRECT:
        return "" if answer.header("location") else "a redirect to nowhere"
    return "" if answer.status in _BARE else "nothing is told"


def _readable(text: str) -> bytes:
    """Take out what XML cannot hold."""

    def kept(match: re.Match[str]) -> str:
        code = int(match[1], 16) if match[1] else int(match[2])
        return "?" if code > _LAST_CHARACTER or _NOT_XML.match(chr(code)) else match[0]

    return _REFERENCE.sub(kept, _NOT_XML.sub("?", text)).encode()


def _is_json(answer: Answer) -> bool:
    try:
        return answer.status < _SERVER_FAULT and isinstance(json.loads(answer.body), dict)
    except (ValueError, RecursionError):
        return False


def well_formed(request: Request) -> WellFormed:
    """Return what the answer to a request must be."""
    texts = [text for pair in request.parameters for text in pair if text]
    raw = [
        unquote_to_bytes(text.encode("latin-1")).decode(errors="surrogateescape")
        for text in (request.raw_query, request.raw_body)
    ]
    return WellFormed(
        quotes=any(_NOT_XML.search(text) for text in (*texts, *raw)),
        is_form=request.send == "query" or request.content_type in _FORMS,
        wants_json=any(name.lower() == "accept" and "json" in value for name, value in request.headers),
    )


# What is sent: a few changes to a good request. Each is a word and what it takes; plain ones stand first.

Change = tuple[str, ...]

# No dollar sign: ${...} would stand for something. Surrogates become bytes that are no UTF-8.
_CHARACTERS = (
    "\u2028\u2029\u0085\u00a0\u00e9\u00df\u0130\u0149\u4e16\u05d0\u202e\u200d\ufeff\ufffd\ufffe\uffff\U0001f600"
    "\U0001d4b3\U0010ffff\u0301\ud800\udfff\x00\x01\x07\x08\x0b\x1b\x7f\t\n\r <>&\"'%+;=/\\,:#?[]{}()|^~`!@*"
)
_VALUES = (
    "", " ", "0", "-1", "00", "1e9", "9" * 30, "NaN", "null", "true", "None", "[]", "{}", '{"a":', "[" * 1000,
    "<a>", "]]>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>", "&amp;", "&#0;", "%", "%s%n", "{0}", "../../etc/passwd",
    "arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:role/", "arn:", ":" * 6, "a.b.c", "AAAA====",
    "' OR 1=1 --", "\ud800", "\x00", "\r\nX-Odd: 1",
)  # fmt: skip
_LISTS = (
    "Tags.member", "TransitiveTagKeys.member", "PolicyArns.member", "Tags.member.1.member", "Tags", "Tags.entry",
    "ProvidedContexts.member", "Policy",
)  # fmt: skip
_INDICES = ("0", "-1", "01", "51", "1e1", "2147483648", "9" * 20, "9" * 5000, "x", "", " ", "\u0661")
_ENDS = ("", ".Key", ".Value", ".arn", ".member.1.Key", ".Key.Key", ".", "..Key", ".\u2028")
_PARTS = (
    "Tags", "member", "1", "Key", "Value", "TransitiveTagKeys", "PolicyArns", "arn", "Policy", "RoleArn",
    "ProvidedContexts", "ContextAssertion", "0", "-1", "01", "51", "2147483648", "9" * 20, "x", "", "entry",
)  # fmt: skip
_RAW = (
    "=", "=x", "&", "&&&", "a=b=c", "a", "+=+", "%", "%2", "%zz=1", "a=%", "%00=%00", "%FF%FE=1", "a=%C0%80",
    "%u0041=1", ";", "a;b=c", "a[]=1", "a[b][c]=1", "Action", "Version=", "&" * 2000, "a=1&" * 2000,
)  # fmt: skip
_RAW_BYTES = ("\x00", "\xff\xfe", "a=\xff", "\r\n\r\n", "a b=c d", "<a/>", '{"Action": "GetCallerIdentity"}')
_TYPES = (
    "", "text/plain", "text/xml", "application/json", "multipart/form-data; boundary=x",
    "APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded;",
    "application/x-www-form-urlencoded; charset=utf-16",
    'application/x-www-form-urlencoded; charset="', "application/x-www-form-urlencoded, text/plain", ";", "/",
)  # fmt: skip
_HEADERS = (
    ("Accept", "application/json"), ("Accept", "text/html"), ("Accept", "*/*;q=0"), ("Accept-Language", "x"),
    ("Accept-Charset", "utf-16"), ("Cookie", "a=b; =; ;"), ("Origin", "null"), ("Referer", "x:"),
    ("User-Agent", "x"), ("X-Forwarded-For", "127.0.0.1, x"), ("X-Forwarded-Proto", "gopher"), ("Via", "x"),
    ("X-Http-Method-Override", "DELETE"), ("X-Odd", "a,b;c=\"d"), ("X-!#%&'*+.^_`|~", "1"), ("Pragma", "x"),
    ("Cache-Control", "no-store, x"), ("Traceparent", "x"), ("From", "x"), ("Max-Forwards", "-1"),
)  # fmt: skip


def _weighted(*kinds: SearchStrategy[T]) -> SearchStrategy[T]:
    """Choose by a number: of one and the same strategy, named several times, one_of takes one."""
    return st.integers(0, len(kinds) - 1).flatmap(kinds.__getitem__)


_few = st.text(st.sampled_from(_CHARACTERS), max_size=8)
_many = st.text(st.sampled_from(_CHARACTERS), min_size=60, max_size=80)  # most of them
_huge = st.builds(
    lambda text, size: (text * (size // len(text) + 1))[:size],
    st.sampled_from(("a", "0", "a.", "[", "%", "\u2028", "\U0001f600", "\x00", "=&")),
    st.integers(1000, _HUGE),
)
_value = _weighted(_few, _many, _many, st.sampled_from(_VALUES), _huge)
_nested = st.lists(st.sampled_from(_PARTS), min_size=1, max_size=7).map(".".join)
_indexed = st.builds("{}.{}{}".format, st.sampled_from(_LISTS), st.sampled_from(_INDICES), st.sampled_from(_ENDS))


def _names(contract: Contract, operation: str, told: frozenset[str]) -> SearchStrategy[str]:
    """Return names of members, of what lists hold, and of what nobody has heard of."""
    known = [
        name for name, member in contract.operations[operation].input.items()
        if member.type != "list" and f"{kebab(operation)}.{kebab(name)}.type" not in told
    ]  # fmt: skip
    of_tags = st.sampled_from(("Tags.member.1.Value", "Tags.member.1.Key"))  # the only free texts of all letters
    return _weighted(st.sampled_from((*known, "X", "")), of_tags, _indexed, _nested | _few)


def changes(contract: Contract, operation: str, told: frozenset[str]) -> SearchStrategy[tuple[Change, ...]]:
    """Return changes to the plain request of an operation, one at least.

    Each has a slot, which may be empty: so each can be left out without a change to the others. Members whose type is
    told to be broken are left alone.
    """
    names = _names(contract, operation, told)
    set_one = st.tuples(st.just("set"), names, _value)
    raw = st.tuples(st.just("raw"), st.sampled_from(_RAW))
    odd_name = st.text(st.sampled_from("aZ0-_.!#%&'*+^`|~"), min_size=1, max_size=20).map("X-{}".format)
    # White space of Unicode is left alone: signers fold it, and servers do not.
    odd_value = st.text(st.sampled_from("a ,;=\"\t\xa1\xe9\xff"), max_size=20).map(lambda text: f"a{text}a")
    long_value = st.integers(100, _LONG_HEADER).map("a".__mul__)
    others: SearchStrategy[Change] = st.one_of(
        raw,
        st.tuples(st.just("name"), names),
        st.tuples(st.just("bytes"), st.sampled_from(_RAW_BYTES)),
        st.sampled_from(_HEADERS).map(lambda pair: ("header", *pair)),
        st.tuples(st.just("header"), odd_name, odd_value | long_value),
        st.tuples(st.just("query"), st.sampled_from(_RAW)),
        st.sampled_from((("get",), ("lower",), ("all",))),
    )
    # After these little of the request is read.
    of_all = st.sampled_from(("Action", "Version"))
    blunt: SearchStrategy[Change] = st.one_of(
        st.tuples(st.just("set"), of_all, _value),
        st.tuples(st.just("again"), of_all, _value),
        st.tuples(st.just("type"), st.sampled_from(_TYPES)),
        st.sampled_from((("untyped",), ("empty",))),
    )
    nothing: tuple[SearchStrategy[Change | None], ...] = (st.none(),)
    kinds = (*(set_one,) * 12, *(others,) * 8, blunt)
    few, many = _weighted(*nothing * 80, *kinds), _weighted(*nothing * 10, *kinds)

    @st.composite
    def drawn(draw: st.DrawFn) -> tuple[Change, ...]:
        slot = draw(st.sampled_from((few, many)))
        found = tuple(change for _ in range(_MOST_CHANGES) if (change := draw(slot)) is not None)
        assume(found)
        return found

    return drawn()


def changed(request: Request, made: Sequence[Change]) -> Request:
    """Make changes to a request, in their order."""
    for word, *given in made:
        request = _CHANGES[word](request, *given)
    return request


def _set(request: Request, name: str, value: str) -> Request:
    return request.with_parameters((name, value))


def _again(request: Request, name: str, value: str) -> Request:
    return replace(request, parameters=((name, value), *request.parameters))


def _raw(request: Request, text: str) -> Request:
    """Put a text where the parameters are, as it is; of what a URL cannot hold as near as it can."""
    if request.send == "form":
        return replace(request, raw_body="&".join(filter(None, (request.raw_body, text))))
    return _query(request, text)


def _query(request: Request, text: str) -> Request:
    text = quote(text.encode("latin-1"), safe="%&=+;[]/{}")
    return replace(request, raw_query="&".join(filter(None, (request.raw_query, text))))


def _get(request: Request) -> Request:
    got = replace(request, method="GET", send="query", content_type=None, raw_body="")
    return _query(got, request.raw_body) if request.raw_body else got


def _typed(request: Request, content_type: str | None) -> Request:
    return replace(request, content_type=content_type) if request.send == "form" else request


_CHANGES: dict[str, Callable[..., Request]] = {
    "set": _set,
    "name": lambda request, name: request.with_parameters((name, None)),
    "again": _again,
    "raw": _raw,
    "bytes": _raw,
    "query": _query,
    "header": lambda request, *pair: replace(request, headers=(*request.headers, pair)),
    "type": _typed,
    "untyped": lambda request: _typed(request, None),
    "get": _get,
    "empty": lambda request: replace(request, parameters=(), raw_body=""),
    "lower": lambda request: replace(request, encoding="lower"),
    "all": lambda request: replace(request, encoding="all"),
}
