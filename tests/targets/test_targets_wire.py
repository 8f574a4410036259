"""Requests as bytes: encoded as they should be, and signed so that one who recomputes the signature agrees."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

import pytest

from generators.case import Request, plain_request
from specs.model import Signing
from targets.credentials import Credentials
from targets.endpoint import parse_endpoint
from targets.wire import Prepared, Signer, Unsendable, filled, prepare

NOW = datetime(2026, 11, 22, 7, 30, 5, tzinfo=UTC)
KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SESSION = replace(KEYS, session_token="FwoGZXIvYXdzE+/a b=")
SIGNER = Signer(parse_endpoint("http://127.0.0.1:4566"), "us-east-1")
EMPTY = hashlib.sha256(b"").hexdigest()


# A verifier of Signature Version 4 of our own, from the bytes that were sent


@dataclass
class Sent:
    """A request taken apart again, from its bytes."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, list[str]]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> Sent:
        head, _, body = data.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = start.split(" ")
        assert version == "HTTP/1.1"
        path, _, query = target.partition("?")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        return cls(method, path, parse_qsl(query, keep_blank_values=True), headers, body)

    def header(self, name: str) -> str:
        (value,) = self.headers[name]
        return value

    def authorization(self) -> dict[str, str]:
        algorithm, _, rest = self.header("authorization").partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(", ") if "=" in part)
        return {"algorithm": algorithm, **parts}


def signature(sent: Sent, secret: str, told: Told) -> str:
    """Compute the signature as the documentation of Signature Version 4 tells."""
    scope, names, stamp, payload, _ = told
    pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in sent.query if n != "X-Amz-Signature")
    listed = names.split(";")
    canonical = "\n".join(
        (
            sent.method,
            quote(unquote(sent.path), safe="/-_.~") or "/",
            "&".join(f"{n}={v}" for n, v in pairs),
            *(f"{n}:{','.join(re.sub(' +', ' ', v.strip()) for v in sent.headers[n])}" for n in listed),
            "",
            names,
            payload,
        )
    )
    _, date, region, service, end = scope.split("/")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(("AWS4-HMAC-SHA256", stamp, f"{date}/{region}/{service}/{end}", digest))
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def faults(data: bytes, keys: Credentials = KEYS, *, region: str = "us-east-1", service: str = "sts") -> set[str]:
    """Say what is wrong with a request's signature; what is not named is right."""
    sent = Sent.parse(data)
    query = dict(sent.query)
    found = set()
    if "X-Amz-Algorithm" in query or "X-Amz-Credential" in query:
        found |= _query_faults(sent, query, keys, region, service)
        if "authorization" in sent.headers:
            found.add("signed twice")
        return found
    if "authorization" not in sent.headers:
        return {"unsigned"}
    parts = sent.authorization()
    if parts["algorithm"] != "AWS4-HMAC-SHA256":
        found.add("algorithm")
    for name in ("Credential", "SignedHeaders", "Signature"):
        if name not in parts:
            return found | {f"no {name}"}
    stamp = (sent.headers.get("x-amz-date") or sent.headers.get("date") or [""])[0]
    payload = sent.headers.get("x-amz-content-sha256", [hashlib.sha256(sent.body).hexdigest()])[0]
    told = Told(parts["Credential"], parts["SignedHeaders"], stamp, payload, parts["Signature"])
    return found | _judge(sent, keys, (region, service), told)


def _query_faults(sent: Sent, query: dict[str, str], keys: Credentials, region: str, service: str) -> set[str]:
    found = {
        f"no {name}"
        for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
        if name not in query
    }
    if found:
        return found
    if query["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256":
        found.add("algorithm")
    payload = hashlib.sha256(sent.body).hexdigest()
    scope, names, stamp = query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Date"]
    told = Told(scope, names, stamp, payload, query["X-Amz-Signature"])
    return found | _judge(sent, keys, (region, service), told)


class Told(NamedTuple):
    """What a request says of its own signature."""

    scope: str
    names: str
    stamp: str
    payload: str
    signature: str


def _judge(sent: Sent, keys: Credentials, place: tuple[str, str], told: Told) -> set[str]:
    found = set()
    if len(told.scope.split("/")) != 5:
        return {"scope"}
    key_id, date, *scoped, end = told.scope.split("/")
    if (key_id, *scoped, end) != (keys.access_key_id, *place, "aws4_request"):
        found.add("scope")
    if not re.fullmatch(r"\d{8}T\d{6}Z", told.stamp):
        found.add("date")
    elif date != told.stamp[:8]:
        found.add("scope date")
    if "host" not in told.names.split(";"):
        found.add("host not signed")
    if told.payload != hashlib.sha256(sent.body).hexdigest():
        found.add("payload")
    if signature(sent, keys.secret_access_key, told) != told.signature:
        found.add("signature")
    return found


def request(*members: tuple[str, str | None], **changes: object) -> Request:
    return replace(plain_request("AssumeRole", members, signed=True), **changes)  # type: ignore[arg-type]


def sent(given: Request, keys: Credentials | None = KEYS, values: dict[str, str] | None = None) -> Prepared:
    return prepare(filled(given, values or {}), SIGNER, keys, NOW)


PLAIN = request(("RoleSessionName", "a b+c/d=é&~"), ("Policy", '{"x": "y"}'))
GET = replace(PLAIN, method="GET", send="query", content_type=None)
PRESIGNED = replace(GET, signing=Signing(by="query", expires_seconds=60))


def test_the_verifier_knows_a_published_signature() -> None:
    """The example of the AWS documentation: GET of iam.amazonaws.com, 30 August 2015."""
    data = (
        b"GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\nHost: iam.amazonaws.com\r\n"
        b"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nX-Amz-Date: 20150830T123600Z\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        b"SignedHeaders=content-type;host;x-amz-date, "
        b"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\r\n"
    )
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert faults(data, keys, service="iam") == set()
    assert faults(data.replace(b"ListUsers", b"ListRoles"), keys, service="iam") == {"signature"}


# Encoding


def test_a_form_post_byte_for_byte() -> None:
    data = sent(replace(PLAIN, signing=Signing(by="none"))).to_bytes()
    body = (
        b"Action=AssumeRole&Version=2011-06-15&RoleSessionName=a+b%2Bc%2Fd%3D%C3%A9%26~"
        b"&Policy=%7B%22x%22%3A+%22y%22%7D"
    )
    assert data == (
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\n"
        b"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body  # fmt: skip


def test_a_space_may_be_percent_20() -> None:
    assert b"RoleSessionName=a%20b%2Bc" in sent(replace(PLAIN, space="%20")).body
    assert b"RoleSessionName=a+b%2Bc" in sent(PLAIN).body


def test_a_get_carries_everything_in_its_query() -> None:
    prepared = sent(GET)
    assert prepared.body == b""
    assert prepared.target.startswith("/?Action=AssumeRole&Version=2011-06-15&RoleSessionName=a%20b%2Bc%2Fd")
    assert "content-length" not in {name.lower() for name, _ in prepared.headers}
    assert "content-type" not in {name.lower() for name, _ in prepared.headers}


def test_bare_names_raw_queries_repeats_and_order() -> None:
    given = replace(request(("RoleArn", None), ("Tags", "")), raw_query="Broken=%GG")
    pairs = (("Z", "1"), *given.parameters, ("Z", "2"))
    prepared = sent(replace(given, parameters=pairs))
    assert prepared.body == b"Z=1&Action=AssumeRole&Version=2011-06-15&RoleArn&Tags=&Z=2"
    assert prepared.target == "/?Broken=%GG"


def test_values_of_the_run_are_put_in() -> None:
    given = request(("RoleArn", "${role-arn}"), ("SerialNumber", "arn:aws:iam::${account}:mfa/x"))
    prepared = sent(given, values={"role-arn": "arn:aws:iam::1:role/x", "account": "123456789012"})
    assert parse_qsl(prepared.body.decode())[2:] == [
        ("RoleArn", "arn:aws:iam::1:role/x"),
        ("SerialNumber", "arn:aws:iam::123456789012:mfa/x"),
    ]
    with pytest.raises(KeyError):
        sent(given, values={"account": "123456789012"})


@pytest.mark.parametrize("size", [200, 65_536, 10_000_000, 10_000_001])
def test_a_body_is_padded_to_the_byte(size: int) -> None:
    prepared = sent(replace(PLAIN, body_bytes=size))
    assert len(prepared.body) == size
    assert dict(prepared.headers)["Content-Length"] == str(size)
    assert faults(prepared.to_bytes()) == set()
    assert dict(parse_qsl(prepared.body[:200].decode()))["RoleSessionName"] == "a b+c/d=é&~"


def test_a_lone_surrogate_is_sent_as_its_three_bytes() -> None:
    assert b"RoleSessionName=x%ED%A0%80y" in sent(request(("RoleSessionName", "x\ud800y"))).body


def test_the_path_of_the_endpoint_goes_in_front() -> None:
    signer = replace(SIGNER, endpoint=parse_endpoint("https://sts.example.com/base/"))
    prepared = prepare(PLAIN, signer, KEYS, NOW)
    assert prepared.target == "/base/"
    assert dict(prepared.headers)["Host"] == "sts.example.com"
    assert faults(prepared.to_bytes()) == set()


@pytest.mark.parametrize("path", ["/not/here", "/%2", "/%GG"])
def test_a_path_is_sent_as_it_is(path: str) -> None:
    assert sent(replace(GET, path=path)).target.startswith(f"{path}?")


# Signatures


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
@pytest.mark.parametrize(
    "given", [PLAIN, replace(PLAIN, space="%20"), GET, PRESIGNED], ids=["post", "post20", "get", "presigned"]
)
def test_a_signature_is_right(given: Request, keys: Credentials) -> None:
    data = sent(given, keys).to_bytes()
    assert faults(data, keys) == set()
    assert faults(data.replace(b"RoleSessionName=a", b"RoleSessionName=z"), keys) >= {"signature"}
    assert faults(data, replace(keys, secret_access_key="another")) == {"signature"}


def test_a_presigned_post_covers_its_body() -> None:
    data = sent(replace(PLAIN, signing=Signing(by="query", expires_seconds=60))).to_bytes()
    assert faults(data) == set()
    assert faults(data + b"x") == {"signature"}


def test_a_session_token_is_sent_and_signed() -> None:
    by_header = Sent.parse(sent(PLAIN, SESSION).to_bytes())
    assert by_header.header("x-amz-security-token") == SESSION.session_token
    assert "x-amz-security-token" in by_header.authorization()["SignedHeaders"].split(";")
    by_query = Sent.parse(sent(PRESIGNED, SESSION).to_bytes())
    assert dict(by_query.query)["X-Amz-Security-Token"] == SESSION.session_token
    assert dict(by_query.query)["X-Amz-Expires"] == "60"
    assert "x-amz-security-token" not in by_query.headers


def test_without_keys_nothing_is_signed() -> None:
    for given, keys in ((PLAIN, None), (replace(PLAIN, signing=Signing(by="none")), KEYS)):
        data = sent(given, keys).to_bytes()
        assert faults(data) == {"unsigned"}
        assert b"AKIA" not in data
        assert b"X-Amz" not in data


@pytest.mark.parametrize("given", [PLAIN, PRESIGNED], ids=["header", "query"])
@pytest.mark.parametrize("seconds", [0, -960, 960, -86400])
def test_the_clock_of_a_signature(given: Request, seconds: int) -> None:
    signing = given.signing.model_copy(update={"skew_seconds": seconds})
    prepared = sent(replace(given, signing=signing))
    stamp = f"{NOW + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}"
    assert stamp in prepared.to_bytes().decode()
    assert faults(prepared.to_bytes()) == set()
    assert prepared.made_at == NOW


def test_scopes_of_another_region_and_service() -> None:
    signing = Signing(region="us-gov-east-1", service="conformance")
    data = sent(replace(PLAIN, signing=signing)).to_bytes()
    assert faults(data) == {"scope"}
    assert faults(data, region="us-gov-east-1", service="conformance") == set()


def test_the_date_header() -> None:
    alone = Sent.parse(sent(replace(PLAIN, signing=Signing(date_header="date"))).to_bytes())
    assert "x-amz-date" not in alone.headers
    assert alone.header("date") == "20261122T073005Z"
    both = Sent.parse(sent(replace(PLAIN, signing=Signing(date_header="both-differ"))).to_bytes())
    assert both.header("x-amz-date") == "20261122T073005Z"
    assert both.header("date") == "Sat, 21 Nov 2026 07:30:05 GMT"
    for signing in (Signing(date_header="date"), Signing(date_header="both-differ")):
        assert faults(sent(replace(PLAIN, signing=signing)).to_bytes()) == set()


# What each alteration spoils, and that it spoils nothing else.
HEADER: dict[str, set[str]] = {
    "body-after-signing": {"signature"},
    "unsigned-payload": {"payload"},
    "drop-signature": {"no Signature"},
    "drop-credential": {"no Credential"},
    "drop-signed-headers": {"no SignedHeaders"},
    "not-key-value": {"no Credential"},
    "algorithm": {"algorithm"},
    "scope-date": {"scope date"},
    "credential-parts": {"scope"},
    "host-not-signed": {"host not signed"},
    "signature-flipped": {"signature"},
    "date-format": {"date"},
}
QUERY: dict[str, set[str]] = {
    "drop-signature": {"no X-Amz-Signature"},
    "drop-credential": {"no X-Amz-Credential"},
    "drop-signed-headers": {"no X-Amz-SignedHeaders"},
    "drop-date": {"no X-Amz-Date"},
    "drop-algorithm": {"no X-Amz-Algorithm"},
    "algorithm": {"algorithm"},
    "header-and-query": {"signed twice"},
}


@pytest.mark.parametrize(
    ("given", "alter", "wrong"),
    [*((PLAIN, a, w) for a, w in HEADER.items()), *((PRESIGNED, a, w) for a, w in QUERY.items())],
)
def test_what_is_spoilt_on_purpose_is_all_that_is_wrong(given: Request, alter: str, wrong: set[str]) -> None:
    signing = given.signing.model_copy(update={"alter": alter})
    assert faults(sent(replace(given, signing=signing)).to_bytes()) == wrong


def test_a_dropped_date_is_nowhere() -> None:
    data = sent(replace(PLAIN, signing=Signing(alter="drop-date"))).to_bytes()
    taken = Sent.parse(data)
    assert "x-amz-date" not in taken.headers
    assert "date" not in taken.headers
    assert b"X-Amz-Date: " not in data
    whole = Sent.parse(sent(PLAIN).to_bytes())
    assert taken.authorization() == whole.authorization()


def test_the_header_of_a_request_signed_twice_is_right_for_itself() -> None:
    signing = PRESIGNED.signing.model_copy(update={"alter": "header-and-query"})
    taken = Sent.parse(sent(replace(PRESIGNED, signing=signing)).to_bytes())
    assert taken.authorization()["algorithm"] == "AWS4-HMAC-SHA256"
    assert taken.header("x-amz-date") == "20261122T073005Z"


def test_every_alteration_is_looked_at() -> None:
    field = Signing.model_fields["alter"].annotation
    assert set(re.findall(r"'([a-z-]+)'", str(field))) == HEADER.keys() | QUERY.keys() | {"drop-date"}


@pytest.mark.parametrize(("region", "scope"), [("us-east-1", "us-gov-east-1"), ("us-gov-east-1", "us-gov-west-1")])
def test_a_wrong_region_is_wrong_in_every_region(region: str, scope: str) -> None:
    request = replace(PLAIN, signing=Signing(region="us-gov-east-1"))
    sent = prepare(request, Signer(SIGNER.endpoint, region), KEYS, NOW)
    assert f"/{scope}/sts/aws4_request" in dict(sent.headers)["Authorization"]


def test_what_looks_like_a_placeholder_in_a_value_is_none() -> None:
    """A value may be an endpoint's."""
    request = PLAIN.with_parameters(("RoleArn", "${role-arn}"))
    once = filled(request, {"role-arn": "arn:${account}:${role-arn}", "account": "1"})
    sent = prepare(once, SIGNER, KEYS, NOW).body.decode()
    assert dict(parse_qsl(sent))["RoleArn"] == "arn:${account}:${role-arn}"


@pytest.mark.parametrize("text", ["a\r\nX-Injected: yes", "a\nb", "a\x00", "a\x7f"])
def test_what_would_break_out_of_its_line_is_not_sent(text: str) -> None:
    for sent in (
        Prepared("POST", "/", (("X-Header", text),), b"", NOW),
        Prepared("POST", f"/{text}", (), b"", NOW),
        prepare(PLAIN, SIGNER, replace(KEYS, session_token=text), NOW),
        prepare(PLAIN, SIGNER, replace(KEYS, access_key_id=text), NOW),
    ):
        with pytest.raises(Unsendable, match="control character"):
            sent.to_bytes()
