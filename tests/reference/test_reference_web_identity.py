"""Web identity: genuine tokens are read whole, spoilt ones refused, and keys come from known servers only."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets.identity.openid import Algorithm, Behaviour, OpenIdIssuer, Spoilt, Token
from targets.reference.model import FederatedIdentity, OpenIdProvider, Refused
from targets.reference.web_identity import HttpsKeys, issuer_of, verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOW = datetime(2026, 11, 22, 7, 30, 5, tzinfo=UTC)
GOOD = Token(issued=NOW)
INVALID, EXPIRED, UNREACHABLE = "invalid-identity-token", "expired-federation-token", "idp-communication-error"
NOT_VALIDATED = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity"
NO_PARTY = "Token audience contains more than one audience while authorized party is not present"
NAMED = {
    NOT_VALIDATED: "web-identity-audience-unknown",
    NO_PARTY: "web-identity-audience-unknown",
    "OpenIDConnect provider's HTTPS certificate": "web-identity-thumbprint-unknown",
    "Token too old": "web-identity-too-old",
    "Couldn't retrieve verification key": "verification-key-missing",
}
NO_ANSWER = "The identity provider could not be reached"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"


class Given:
    """The keys of an issuer as they are now, without a network, with what else is said of them."""

    def __init__(self, issuer: OpenIdIssuer, **said: object) -> None:
        self._issuer, self._said = issuer, said
        self.asked: list[tuple[str, bool]] = []  # issuers, and whether fresh keys were wanted

    def keys(self, provider: OpenIdProvider, *, fresh: bool = False) -> Sequence[dict[str, Any]]:
        self.asked.append((provider.url, fresh))
        (keys,) = (document["keys"] for document in self._issuer.documents().values() if "keys" in document)
        return [key | self._said for key in keys]


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIdIssuer]:
    with OpenIdIssuer(path="/tenant") as issuer:
        yield issuer


@pytest.fixture
def fetched() -> Iterator[OpenIdIssuer]:
    """An issuer whose server the test may put out of order."""
    with OpenIdIssuer("127.0.0.1") as issuer:
        yield issuer


def provider_of(issuer: OpenIdIssuer) -> OpenIdProvider:
    arn = f"arn:aws:iam::123456789012:oidc-provider/{issuer.url.removeprefix('https://')}"
    return OpenIdProvider(arn, issuer.url, ("other", "sts-conformance"), ("0" * 40, issuer.thumbprint))


def read(issuer: OpenIdIssuer, what: Token | str, *, now: datetime = NOW) -> FederatedIdentity:
    text = what if isinstance(what, str) else issuer.token(what)
    return verify(text, provider_of(issuer), Given(issuer), now=now)


def refusal(issuer: OpenIdIssuer, what: Token | str, *, now: datetime = NOW) -> tuple[str, str]:
    """Return kind and message of the refusal; what AWS was seen to say has a name of its own."""
    with pytest.raises(Refused) as refused:
        read(issuer, what, now=now)
    name, message = refused.value.refusal, str(refused.value.message)
    own = next((own for start, own in NAMED.items() if message.startswith(start)), None)
    if own is None:
        return name, message
    assert name == own
    return (EXPIRED if own == "web-identity-too-old" else INVALID), message


def good(**fields: Any) -> Token:
    return replace(GOOD, **fields)


# Genuine tokens


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_all_that_a_token_claims_is_read(issuer: OpenIdIssuer, algorithm: Algorithm) -> None:
    what = good(
        algorithm=algorithm,
        subject="user|0001",
        audience=("unknown", "sts-conformance", "other"),
        begins=timedelta(0),
        methods=("pwd", "mfa"),
        source_identity="DiegoRamirez",
        tags=(("Project", "Automation"), ("Cost Center", "")),
        transitive=("Project",),
        more=(("nonce", "n-0S6_WzA2Mj"), ("azp", "sts-conformance")),
    )
    base = issuer.url.removeprefix("https://")
    assert base.endswith("/tenant")
    assert read(issuer, what) == FederatedIdentity(
        subject="user|0001",
        issuer=issuer.url,
        audience="sts-conformance",
        provider=issuer.url,
        conditions=(
            (f"{base}:aud", "sts-conformance"),
            (f"{base}:sub", "user|0001"),
            (f"{base}:amr", "pwd"),
            (f"{base}:amr", "mfa"),
        ),
        source_identity="DiegoRamirez",
        tags=(("Project", "Automation"), ("Cost Center", "")),
        transitive=("Project",),
    )


def test_what_is_optional_may_be_left_out(issuer: OpenIdIssuer) -> None:
    identity = read(issuer, good())
    assert (identity.source_identity, identity.tags, identity.transitive) == (None, (), ())
    assert len(identity.conditions) == 2


def test_a_token_without_key_id_is_taken_where_there_is_one_key(issuer: OpenIdIssuer) -> None:
    issuer.rotate()
    issuer.token(good())
    assert read(issuer, good(key_id=False)).subject == "sts-conformance"
    both = [issuer.token(good(algorithm=algorithm, key_id=False)) for algorithm in ("ES256", "RS256")]
    for token in both:
        assert refusal(issuer, token)[1].startswith("Couldn't retrieve verification key")


@pytest.mark.parametrize(("subject", "told"), [("", ""), ("a", "a"), (123, "123"), ("x" * 300, "x" * 300)])
def test_a_subject_of_any_length(issuer: OpenIdIssuer, subject: object, told: str) -> None:
    assert read(issuer, good(more=(("sub", subject),))).subject == told


def test_the_issuer_is_told_without_a_key(issuer: OpenIdIssuer) -> None:
    assert issuer_of(issuer.token(good())) == issuer.url
    assert issuer_of(issuer.token(good(issuer="https://other.example.com"))) == "https://other.example.com"


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "e30.e30.", "é.é.é", "\ud800.a.b", "." * 100, "A" * 20_001])
def test_no_issuer_is_found_in_what_is_no_token(text: str) -> None:
    with pytest.raises(Refused) as refused:
        issuer_of(text)
    assert refused.value.refusal == INVALID


def test_the_issuer_must_be_a_text(issuer: OpenIdIssuer) -> None:
    for more, message in (((("iss", ["x"]),), NO_JWT), ((("iss", None),), "Missing a required claim: iss")):
        with pytest.raises(Refused) as refused:
            issuer_of(issuer.token(good(more=more)))
        assert (refused.value.refusal, refused.value.message) == (INVALID, message)


# Times

ISSUED = int(NOW.timestamp())
AFTER = "must be after or equal to the not-before date/time"
BEFORE = "must be before the expiration date/time"


@pytest.mark.parametrize(
    ("what", "later", "expected"),
    [
        (good(), 900 + 299, None),  # the five-minute window
        (
            good(),
            900 + 300,
            (EXPIRED, f"Token expired: current date/time {ISSUED + 900} {BEFORE} {ISSUED + 900}"),
        ),
        (good(lasts=timedelta(days=7)), 86_700, None),
        (good(lasts=timedelta(days=7)), 441_398, (EXPIRED, "Token too old: 441398")),
        (good(lasts=timedelta(days=7)), 86_701, (EXPIRED, "Token too old: 86701")),
        (good(), -300, None),
        (good(), -301, (INVALID, f"Token issued in the future: {ISSUED}")),
        (good(begins=timedelta(hours=-1)), -301, (INVALID, f"Token issued in the future: {ISSUED}")),
        (good(begins=timedelta(minutes=10)), 300, None),
        (
            good(begins=timedelta(minutes=10)),
            299,
            (
                INVALID,
                f"Token not yet valid: current date/time {ISSUED + 599} {AFTER} {ISSUED + 600}",
            ),
        ),
    ],
)
def test_times(issuer: OpenIdIssuer, what: Token, later: int, expected: tuple[str, str] | None) -> None:
    now = NOW + timedelta(seconds=later)
    if expected is None:
        assert read(issuer, what, now=now).subject == "sts-conformance"
    else:
        assert refusal(issuer, what, now=now) == expected


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", ["soon", None, True, 1.5, [], {}, 1e300, -(10**400), float("nan"), float("inf")])
def test_odd_times(issuer: OpenIdIssuer, name: str, value: object) -> None:
    expected = (INVALID, "Invalid timestamp in token claims.")
    assert refusal(issuer, good(more=((name, value),))) == expected


# Claims


@pytest.mark.parametrize("name", ["sub", "aud", "iat", "exp"])
def test_required_claims(issuer: OpenIdIssuer, name: str) -> None:
    assert refusal(issuer, good(without=frozenset({name}))) == (INVALID, f"Missing a required claim: {name}")


@pytest.mark.parametrize("name", ["sub", "aud"])
def test_claims_of_nothing(issuer: OpenIdIssuer, name: str) -> None:
    assert refusal(issuer, good(more=((name, None),))) == (INVALID, f"Missing a required claim: {name}")


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
def test_times_may_be_texts_of_digits(issuer: OpenIdIssuer, name: str) -> None:
    moment = ISSUED + (60 if name == "exp" else 0)
    assert read(issuer, good(more=((name, str(moment)),))).subject == "sts-conformance"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (good(audience="unknown"), NOT_VALIDATED),
        (good(audience=("unknown", "STS-conformance")), NO_PARTY),
        (good(audience=("unknown", "sts-conformance")), NO_PARTY),
        (good(more=(("azp", "unknown"),)), NOT_VALIDATED),
        (good(more=(("azp", ""),)), NOT_VALIDATED),
        (good(audience=()), "Claim is not allowed to be empty: aud"),
        (good(more=(("aud", {"sts-conformance": 1}),)), NOT_VALIDATED),
        (good(issuer="https://other.example.com"), "Issuer does not match the provider"),
        (good(without=frozenset({"iss"})), "Issuer does not match the provider"),
        (good(more=(("sub", [7]),)), "Token subject is not a text"),
        (good(source_identity="a"), "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin"),
        (good(source_identity="aws:me"), "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin"),
        (good(more=(("https://aws.amazon.com/source_identity", 7),)), "Source Identity must match"),
        (good(more=(("https://aws.amazon.com/tags", []),)), "Claim https://aws.amazon.com/tags cannot be read"),
        (
            good(more=(("https://aws.amazon.com/tags", {"principal_tags": {"a": ["1", "2"]}}),)),
            "principal_tags passed in claim is not in correct format.",
        ),
        (
            good(more=(("https://aws.amazon.com/tags", {"principal_tags": {"a": 1}}),)),
            "principal_tags passed in claim is not in correct format.",
        ),
        (
            good(more=(("https://aws.amazon.com/tags", {"transitive_tag_keys": [1]}),)),
            "Claim https://aws.amazon.com/tags cannot be read",
        ),
        (
            good(more=(("https://aws.amazon.com/tags", {"transitive_tag_keys": "a"}),)),
            "Claim https://aws.amazon.com/tags cannot be read",
        ),
    ],
)
def test_a_token_that_claims_something_else_is_invalid(issuer: OpenIdIssuer, what: Token, message: str) -> None:
    name, told = refusal(issuer, what)
    assert name == INVALID
    assert told.startswith(message)


def test_a_token_that_is_too_long_is_not_read(issuer: OpenIdIssuer) -> None:
    assert refusal(issuer, good(more=(("padding", "x" * 20_000),))) == (INVALID, NO_JWT)


def test_the_longest_subject(issuer: OpenIdIssuer) -> None:
    assert read(issuer, good(subject="x" * 255)).subject == "x" * 255


# Spoilt

MESSAGES = {
    Spoilt.NOT_JWT: NO_JWT,
    Spoilt.TRUNCATED: NO_JWT,
    Spoilt.UNSIGNED: "Token signature invalid",
    Spoilt.ALG_NONE: "Token signing algorithm is not supported",
    Spoilt.ALG_NONE_DISGUISED: "Token signing algorithm is not supported",
    Spoilt.HMAC: "Token signing algorithm is not supported",
    Spoilt.FOREIGN_KEY: "Token signature invalid",
    Spoilt.EMBEDDED_KEY: "Token signature invalid",
    Spoilt.UNKNOWN_KEY_ID: NO_KEY,
    Spoilt.TAMPERED: "Token signature invalid",
    Spoilt.UNKNOWN_CRITICAL: NO_JWT,
}


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
@pytest.mark.parametrize("spoilt", Spoilt)
def test_spoilt_tokens_are_refused(issuer: OpenIdIssuer, spoilt: Spoilt, algorithm: Algorithm) -> None:
    assert refusal(issuer, good(spoilt=spoilt, algorithm=algorithm)) == (INVALID, MESSAGES[spoilt])


def test_a_key_is_good_for_what_it_is_said_to_be_for(issuer: OpenIdIssuer) -> None:
    token = issuer.token(good())
    for fine in ({}, {"alg": "RS256"}, {"use": "sig"}):
        assert verify(token, provider_of(issuer), Given(issuer, **fine), now=NOW).subject == "sts-conformance"
    for said, message in (
        ({"use": "enc"}, NO_KEY),
        ({"alg": "RS512"}, NO_KEY),
        ({"kty": "oct"}, NO_KEY),
        ({"kid": "RSA-0"}, NO_KEY),
        ({"n": "AQAB"}, "Token signature invalid"),
        ({"n": "*"}, "Token signature invalid"),
        ({"n": None}, "Token signature invalid"),
        ({"e": 3}, "Token signature invalid"),
    ):
        with pytest.raises(Refused) as refused:
            verify(token, provider_of(issuer), Given(issuer, **said), now=NOW)
        named = INVALID if message != NO_KEY else "verification-key-missing"
        assert (refused.value.refusal, refused.value.message) == (named, message), said


def test_nobody_is_asked_for_keys_in_vain(issuer: OpenIdIssuer) -> None:
    for what, asked in (
        (good(), [False]),
        (good(spoilt=Spoilt.FOREIGN_KEY), [False]),
        (good(spoilt=Spoilt.UNKNOWN_KEY_ID), [False, True]),
        (good(spoilt=Spoilt.ALG_NONE), []),
        (good(issuer="https://other.example.com"), []),
    ):
        keys = Given(issuer)
        with contextlib.suppress(Refused):
            verify(issuer.token(what), provider_of(issuer), keys, now=NOW)
        assert keys.asked == [(issuer.url, fresh) for fresh in asked]


# Whatever comes

fuzz = settings(max_examples=80, deadline=None)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@fuzz
@given(st.text() | st.lists(st.binary().map(encoded), min_size=3, max_size=3).map(".".join))
def test_any_text_is_refused(issuer: OpenIdIssuer, text: str) -> None:
    with pytest.raises(Refused):
        read(issuer, text)
    with pytest.raises(Refused):
        issuer_of(text)


@fuzz
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "zip"]), json_values))
def test_any_header_is_refused(issuer: OpenIdIssuer, header: dict[str, object]) -> None:
    _, payload, signature = issuer.token(good()).split(".")
    with pytest.raises(Refused):
        read(issuer, f"{encoded(json.dumps(header).encode())}.{payload}.{signature}")


NAMES = [
    "sub",
    "aud",
    "iat",
    "exp",
    "nbf",
    "amr",
    "https://aws.amazon.com/tags",
    "https://aws.amazon.com/source_identity",
]


@fuzz
@given(st.dictionaries(st.sampled_from(NAMES), json_values, min_size=1))
def test_any_signed_claims_are_taken_or_refused(issuer: OpenIdIssuer, claims: dict[str, object]) -> None:
    try:
        identity = read(issuer, good(algorithm="ES256", more=tuple(claims.items())))
    except Refused:
        return
    assert isinstance(identity.subject, str)
    assert identity.audience in {"other", "sts-conformance"}


def test_brackets_without_end_are_refused(issuer: OpenIdIssuer) -> None:
    brackets = encoded(b"[" * 7000)
    head = encoded(b'{"alg":"RS256","kid":"RSA-1"}')
    for text in (f"{brackets}.{brackets}.", f"{head}.{brackets}.", f"{head}.{encoded(b'{' * 7000)}.AAAA"):
        assert refusal(issuer, text) == (INVALID, NO_JWT)


# Keys over HTTPS


def fetch(issuer: OpenIdIssuer, keys: HttpsKeys | None = None, **provider: Any) -> FederatedIdentity:
    return verify(issuer.token(good()), replace(provider_of(issuer), **provider), keys or HttpsKeys(), now=NOW)


def test_keys_are_fetched_and_remembered(issuer: OpenIdIssuer) -> None:
    clock = [0.0]
    keys = HttpsKeys(lifetime=300.0, clock=lambda: clock[0])
    before = len(issuer.requests)
    for _ in range(3):
        assert fetch(issuer, keys).subject == "sts-conformance"
    assert issuer.requests[before:] == ["/tenant/.well-known/openid-configuration", "/tenant/keys"]
    clock[0] = 299.9
    fetch(issuer, keys)
    assert len(issuer.requests) == before + 2
    clock[0] = 300.0
    fetch(issuer, keys)
    assert len(issuer.requests) == before + 4


def test_new_keys_are_fetched_at_once(fetched: OpenIdIssuer) -> None:
    keys = HttpsKeys()
    old = fetched.token(good())
    assert fetch(fetched, keys).subject == "sts-conformance"
    fetched.rotate()
    assert fetch(fetched, keys).subject == "sts-conformance"
    assert len(fetched.requests) == 4
    with pytest.raises(Refused, match="Couldn't retrieve verification key"):
        verify(old, provider_of(fetched), keys, now=NOW)
    assert len(fetched.requests) == 6


def test_the_thumbprint_may_be_in_capitals(fetched: OpenIdIssuer) -> None:
    assert fetch(fetched, thumbprints=(fetched.thumbprint.upper(),)).subject == "sts-conformance"


def test_an_unknown_certificate_is_refused_before_anything_is_asked(fetched: OpenIdIssuer) -> None:
    keys = HttpsKeys()
    for thumbprints in ((), ("0" * 40,), (OpenIdIssuer().thumbprint,)):
        with pytest.raises(Refused) as refused:
            fetch(fetched, keys, thumbprints=thumbprints)
        assert refused.value.refusal == "web-identity-thumbprint-unknown"
        assert (
            refused.value.message == "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
        )
    assert fetched.requests == []


def test_keys_had_under_one_thumbprint_are_not_good_under_another(fetched: OpenIdIssuer) -> None:
    keys = HttpsKeys()
    fetch(fetched, keys)
    with pytest.raises(Refused, match="configured thumbprint"):
        fetch(fetched, keys, thumbprints=("0" * 40,))


def unreachable(issuer: OpenIdIssuer, keys: HttpsKeys | None = None) -> float:
    """Return the seconds until the issuer was given up."""
    return given_up(issuer, UNREACHABLE, NO_ANSWER, keys)


def useless(issuer: OpenIdIssuer) -> float:
    """Return the seconds until it was seen that the issuer answers, but not with its keys."""
    return given_up(issuer, "verification-key-missing", NO_KEY)


def given_up(issuer: OpenIdIssuer, name: str, message: str, keys: HttpsKeys | None = None) -> float:
    begun = time.monotonic()
    with pytest.raises(Refused) as refused:
        fetch(issuer, keys)
    assert (refused.value.refusal, refused.value.message) == (name, message)
    return time.monotonic() - begun


QUICK = [
    Behaviour.NOT_FOUND,
    Behaviour.REDIRECTS,
    Behaviour.NOT_JSON,
    Behaviour.HUGE,
    Behaviour.OTHER_ISSUER,
]


@pytest.mark.parametrize("behaviour", QUICK)
def test_an_issuer_that_does_not_give_its_keys(fetched: OpenIdIssuer, behaviour: Behaviour) -> None:
    fetched.behaviour = behaviour
    assert useless(fetched) < 1.0
    assert fetched.requests == ["/.well-known/openid-configuration"]


def test_keys_on_another_machine_are_out_of_reach(fetched: OpenIdIssuer) -> None:
    fetched.behaviour = Behaviour.KEYS_ELSEWHERE
    assert unreachable(fetched) < 1.0
    assert fetched.requests == ["/.well-known/openid-configuration"]


def test_an_issuer_whose_key_set_is_none(fetched: OpenIdIssuer) -> None:
    fetched.behaviour = Behaviour.ODD_KEYS
    assert useless(fetched) < 1.0
    assert fetched.requests == ["/.well-known/openid-configuration", "/keys"]


def test_an_issuer_without_keys(fetched: OpenIdIssuer) -> None:
    fetched.behaviour = Behaviour.NO_KEYS
    with pytest.raises(Refused, match="Couldn't retrieve verification key") as refused:
        fetch(fetched)
    assert refused.value.refusal == "verification-key-missing"


def test_an_issuer_that_does_not_answer_is_given_up_after_two_seconds(fetched: OpenIdIssuer) -> None:
    fetched.behaviour = Behaviour.SILENT
    assert 1.9 < unreachable(fetched) < 2.5


def test_an_answer_without_end_is_given_up_in_time(fetched: OpenIdIssuer) -> None:
    fetched.behaviour = Behaviour.DRIPS
    assert 0.4 < unreachable(fetched, HttpsKeys(timeout=0.5)) < 1.0


def test_a_handshake_that_does_not_come_is_given_up_in_time() -> None:
    with OpenIdIssuer("127.0.0.1") as issuer, socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        token = issuer.token(good(issuer=url))
        begun = time.monotonic()
        with pytest.raises(Refused) as refused:
            verify(token, replace(provider_of(issuer), url=url), HttpsKeys(timeout=0.5), now=NOW)
    assert refused.value.refusal == UNREACHABLE
    assert 0.4 < time.monotonic() - begun < 1.0


def test_a_dead_issuer_is_given_up_at_once(fetched: OpenIdIssuer) -> None:
    assert fetch(fetched).subject == "sts-conformance"
    fetched.stop()
    assert unreachable(fetched) < 1.0


def test_plain_http_is_not_spoken(fetched: OpenIdIssuer) -> None:
    url = fetched.url.replace("https:", "http:")
    token = fetched.token(good(issuer=url))
    with pytest.raises(Refused) as refused:
        verify(token, replace(provider_of(fetched), url=url), HttpsKeys(), now=NOW)
    assert refused.value.refusal == UNREACHABLE
    assert fetched.requests == []


ELSEWHERE = [
    "https://192.0.2.1",
    "https://example.com",
    "https://localhost.example.com",
    "https://127.0.0.1.example.com",
    "https://0.0.0.0",
    "https://[::ffff:192.0.2.1]",
    "https://169.254.169.254",
    "https://2130706433",
    "https://127.1",
    "https://user@127.0.0.1",
    "https://127.0.0.1@example.com",
    "https://127.0.0.1:port",
    "https://[::1",
    "https://",
    "https://127.0.0.1/a b",
    "https://127.0.0.1/a\r\nX: y",
    "https://127.0.0.1/é",
    "file:///etc/passwd",
    "nonsense",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_other_machines_are_never_asked(issuer: OpenIdIssuer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*arguments: object, **more: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    with pytest.raises(Refused) as refused:
        verify(issuer.token(good(issuer=url)), replace(provider_of(issuer), url=url), HttpsKeys(), now=NOW)
    assert refused.value.refusal == UNREACHABLE


def test_an_answer_that_is_no_http(issuer: OpenIdIssuer) -> None:
    """A server that answers the handshake and then talks nonsense."""
    context = issuer._tls()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def talk() -> None:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1000)
                secure.sendall(b"220 smtp.example.com ready\r\n")

        threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(Refused) as refused:
            verify(issuer.token(good(issuer=url)), replace(provider_of(issuer), url=url), HttpsKeys(), now=NOW)
    assert refused.value.refusal == "verification-key-missing"


def test_few_issuers_are_remembered(issuer: OpenIdIssuer) -> None:
    keys = HttpsKeys()
    for number in range(70):
        keys.keys(replace(provider_of(issuer), thumbprints=(issuer.thumbprint, str(number))))
    assert len(keys._known) == 64


# The making side's own server


def test_an_issuer_starts_and_stops() -> None:
    issuer = OpenIdIssuer()
    with pytest.raises(RuntimeError, match="never started"):
        _ = issuer.url
    with issuer:
        first = issuer.url
        assert first.startswith("https://localhost:")
        with pytest.raises(RuntimeError, match="started already"):
            issuer.start()
    assert issuer.url == first
    assert len(issuer.thumbprint) == 40
    issuer.stop()
