"""The redactor knows every secret by its value, in whatever spelling it travels, and leaves the rest alone."""

from __future__ import annotations

import html
import json
import random
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.answer import Answer
from targets.credentials import Credentials
from targets.redactor import REDACTED, Redactor
from targets.wire import Prepared
from tests.servers import mint

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE=&<"
TOKEN = "FwoGZXIvYXdzE" + "+/abcDEF0123" * 40 + "=="
SUM = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "percent-encoded": lambda s: quote(s, safe=""),
    "percent-encoded but for slashes": quote,
    "percent-encoded with small letters": lambda s: re.sub("%..", lambda m: m[0].lower(), quote(s, safe="")),
    "every character percent-encoded": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "in a form": quote_plus,
    "in HTML": html.escape,
    "in JSON": lambda s: json.dumps(s)[1:-1],
    "in JSON with escaped slashes": lambda s: s.replace("/", "\\/"),
}
AROUND = {
    "nothing": "{}",
    "words": "the secret is {} and no other",
    "letters": "aaaa{}zzzz",
    "quotes": '"{}"',
    "an element": "<SecretAccessKey>{}</SecretAccessKey>",
    "a query": "a=1&token={}&b=2",
    "itself": "{0}{0} {0}",
    "lines": "\n{}\n",
}


@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["secret", "token"])
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_in_every_spelling(secret: str, around: str, spelling: str) -> None:
    redactor = Redactor([secret])
    spelt = SPELLINGS[spelling](secret)
    assert redactor.clean(AROUND[around].format(spelt)) == AROUND[around].format(REDACTED)


ALPHABET = "ab/+=%2F"


@settings(max_examples=300, deadline=None)
@given(
    secrets=st.lists(st.text(ALPHABET, min_size=12, max_size=60), min_size=1, max_size=5),
    pieces=st.lists(st.one_of(st.integers(0, 4), st.text(ALPHABET + " x", max_size=30)), max_size=8),
)
def test_no_text_holds_a_secret_when_it_is_cleaned(secrets: list[str], pieces: list[int | str]) -> None:
    redactor = Redactor(secrets)
    text = "".join(secrets[p % len(secrets)] if isinstance(p, int) else p for p in pieces)
    cleaned = redactor.clean(text)
    for secret in secrets:
        assert secret not in cleaned


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert Redactor([SECRET, TOKEN]).clean(text) == text


def test_key_ids_and_short_texts_are_no_secrets() -> None:
    redactor = Redactor(["test", "", None, "garbage"])
    assert (
        redactor.clean("a test of garbage with AKIAIOSFODNN7EXAMPLE") == "a test of garbage with AKIAIOSFODNN7EXAMPLE"
    )


def test_one_secret_within_another() -> None:
    long, short = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "GHIJKLMNOPQRSTUVWXYZ"
    for secrets in ([long, short], [short, long]):
        cleaned = Redactor(secrets).clean(f"{long} {short} x{short}")
        assert cleaned == f"{REDACTED} {REDACTED} x{REDACTED}"


@pytest.mark.parametrize(
    "text",
    [
        "AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=" + SUM,
        f"/?Action=GetCallerIdentity&X-Amz-Signature={SUM}&x=1",
    ],
)
def test_signatures_are_taken_out(text: str) -> None:
    cleaned = Redactor().clean(text)
    assert cleaned == text.replace(SUM, REDACTED)


@pytest.mark.parametrize(
    "body",
    [
        "<SecretAccessKey>{}</SecretAccessKey>",
        '<ns:SessionToken xmlns:ns="x">\n  {}\n</ns:SessionToken>',
        '{{"Credentials": {{"SecretAccessKey": "{}"}}}}',
        "{{'SessionToken' : '{}'}}",
        "<WebIdentityToken>{}</WebIdentityToken>",
        "<html><SessionToken>{}</SessionToken>",
    ],
)
def test_what_an_answer_grants_is_learned(body: str) -> None:
    redactor = Redactor()
    secret = mint("arn:aws:iam::1:user/x").secret
    redactor.learn(body.format(secret))
    assert redactor.clean(f"then {secret}") == f"then {REDACTED}"


def test_a_secret_written_with_entities_is_learned_as_it_is_meant() -> None:
    redactor = Redactor()
    redactor.learn("<SessionToken>abc&#43;defghij&#x2f;klmnopqrst</SessionToken>")
    cleaned = redactor.clean("abc+defghij/klmnopqrst or abc&#43;defghij&#x2f;klmnopqrst")
    assert cleaned == f"{REDACTED} or {REDACTED}"


def test_large_texts_and_many_secrets_are_cleaned_soon() -> None:
    chance = random.Random(1)  # noqa: S311 - of a test
    given_out = [mint("arn:aws:iam::1:user/x") for _ in range(500)]
    redactor = Redactor(secret for minted in given_out for secret in (minted.secret, minted.token))
    texts = {
        "letters": "".join(chance.choices("ABCDEFGHIJabcdefghij+/=", k=1_000_000)),
        "one letter": "a" * 1_000_000,
        "spaces": " " * 1_000_000,
        "almost a secret": TOKEN[:-3] * 2000,
    }
    redactor.add(TOKEN)
    for name, text in texts.items():
        begun = time.perf_counter()
        assert redactor.clean(text) == text
        assert time.perf_counter() - begun < 2, name


def test_credentials_never_show_their_secrets() -> None:
    keys = Credentials("AKIAIOSFODNN7EXAMPLE", SECRET, TOKEN)
    for shown in (repr(keys), str(keys), f"{keys}", f"{[keys]}"):
        assert SECRET not in shown
        assert TOKEN not in shown
    assert "AKIAIOSFODNN7EXAMPLE" in repr(keys)


@pytest.mark.parametrize(
    "body",
    [
        b"<R><SecretAccessKey><![CDATA[0123456789abcdefghij]]></SecretAccessKey></R>",
        "<R><SessionToken>0123456789abcdefghij</SessionToken></R>".encode("utf-16"),
        b"<R><SessionToken>01234&#53;6789abcdefghij</SessionToken></R>",
    ],
    ids=["cdata", "utf-16", "character reference"],
)
def test_a_secret_is_learnt_however_its_element_is_written(body: bytes) -> None:
    redactor = Redactor()
    redactor.learn_from(Answer(200, (), body))
    assert redactor.clean("it is 0123456789abcdefghij") == "it is <redacted>"


@pytest.mark.parametrize(
    "text",
    ["<SessionToken>" + " " * 2_000, "<SessionToken>" + "x " * 1_000, "<SecretAccessKey" * 20_000],
    ids=["spaces", "words", "no end"],
)
def test_learning_from_a_hostile_answer_is_soon_done(text: str) -> None:
    r"""`\s*([^<]+?)\s*<` would be cubic in blanks: 2 kB take 4 s, and a body may have 1 MiB. No time-out ends it."""
    begun = time.perf_counter()
    Redactor().learn(text)
    assert time.perf_counter() - begun < 1


# What an endpoint teaches has bounds


TOKEN_OF = "<SessionToken>{}</SessionToken>"


@pytest.mark.parametrize(
    "word",
    [
        "MalformedPolicyDocument",
        "sts-conformance-1a2b3c4d-role-5e6f",
        "AKIAIOSFODNN7EXAMPLE",
        "AROACKCEVSQ6C2EXAMPL1",
        "arn:aws:iam::123456789012:role/x",
        "http://127.0.0.1:5000/a/b/c",
        "with blanks between words",
        "0123456789abcdefghi",
        "",
        "AssumeRoleWithWebIdentity",
    ],
)
def test_what_is_no_secret_is_not_learnt(word: str) -> None:
    redactor = Redactor()
    redactor.learn(TOKEN_OF.format(word))
    assert redactor.known == frozenset()
    assert redactor.clean(f"it says {word}") == f"it says {word}"


def test_what_the_request_says_is_not_learnt() -> None:
    said = "value-of-a-tag-of-the-case"
    request = Prepared("POST", "/", (), f"Tags.member.1.Value={said}".encode(), datetime.now(UTC))
    answer = Answer(200, (), TOKEN_OF.format(said).encode())
    redactor = Redactor()
    redactor.learn_from(answer, request)
    assert redactor.known == frozenset()
    redactor.learn_from(answer)
    assert redactor.known == {said}


def test_of_one_answer_few_are_learnt_and_all_are_taken_out() -> None:
    text = "".join(TOKEN_OF.format(f"{n:020d}") for n in range(30_000))
    redactor = Redactor()
    redactor.learn_from(Answer(200, (), f"<R>{text}</R>".encode()))
    assert len(redactor.known) == 16
    assert not re.search(r"\d{20}", redactor.clean(text))


def test_what_was_learnt_first_is_forgotten_first() -> None:
    redactor = Redactor([f"{1:020d}"])
    for number in range(20_010):
        redactor.learn(TOKEN_OF.format(f"{number:020d}"))
    assert 10_000 < len(redactor.known) <= 20_001
    text = f"{1:020d} {5:020d} {20_005:020d}"
    assert redactor.clean(text) == f"{REDACTED} {5:020d} {REDACTED}"


def test_many_long_tokens_are_forgotten_before_they_fill_the_memory() -> None:
    redactor = Redactor()
    for number in range(1000):
        redactor.learn(TOKEN_OF.format(f"{number:016000d}"))
    assert 0 < len(redactor.known) <= 500
    redactor.learn(TOKEN_OF.format("a" * 20_000))
    assert not [secret for secret in redactor.known if len(secret) > 16_384]


def test_a_text_made_to_be_compared_with_everything_is_withheld() -> None:
    redactor = Redactor()
    for length in range(100, 2_000):
        redactor.learn(TOKEN_OF.format(("abcdefgh" * 300)[:length]))
    text = "abcdefgi" + "abcdefgh" * 20_000
    assert redactor.clean(text) == f"{REDACTED} ({len(text)} characters)"


@pytest.mark.parametrize(
    "field",
    [
        "<SessionToken>{}</SessionToken>",
        "<a:SecretAccessKey x='1'>{}</a:SecretAccessKey>",
        "<SessionToken><![CDATA[{}]]>",
        '"SessionToken": "{}"',
        "'secretAccessKey' : '{}'",
        '{{"Token":"{}"}}',
        "<Base32StringSeed>{}",
    ],
)
def test_fields_named_for_secrets_are_emptied_whatever_they_hold(field: str) -> None:
    assert "short one" not in Redactor().clean(f"x {field.format('short one')} y")


@pytest.mark.parametrize(
    "line",
    [
        "X-Amz-Security-Token: {}",
        "x-amz-security-token:{}",
        "{{'X-Amz-Security-Token': '{}'}}",
        "X-Amz-Security-Token={}&x=1",
        "b'X-Amz-Security-Token': b'{}'",
    ],
)
def test_the_header_of_a_session_token_is_emptied(line: str) -> None:
    assert "unheard-of:token" not in Redactor().clean(line.format("unheard-of:token"))


def test_the_start_of_a_text_is_cleaned_as_the_whole_is() -> None:
    redactor = Redactor([TOKEN])
    text = f"{'x' * 90}{TOKEN}{'y' * 1000}"
    for limit in (10, 90, 95, 100, 101, 200):
        assert redactor.clean_start(text, limit) == redactor.clean(text)[:limit]


def test_halves_of_a_secret_are_taken_out() -> None:
    redactor = Redactor([TOKEN])
    assert redactor.clean_cut(f"token = '{TOKEN[:100]}...{TOKEN[-100:]}'") == f"token = '{REDACTED}'"
    assert redactor.clean_cut("one of many words...another of many") == "one of many words...another of many"


def test_what_is_in_utf_16_is_cleaned() -> None:
    redactor = Redactor([TOKEN])
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        assert TOKEN not in redactor.clean(Answer(200, (), f"<R>{TOKEN}</R>".encode(encoding)).text)


def test_own_words_are_not_kept_of_credentials_that_we_use() -> None:
    redactor = Redactor()
    redactor.add_handed_out("AccessDenied", "wJalrXUtnFEMI/K7")
    assert redactor.known == {"wJalrXUtnFEMI/K7"}


def test_halves_are_looked_for_in_large_texts_soon() -> None:
    """A library's log may quote a whole answer: no search of it may take longer the longer its words are."""
    redactor = Redactor([TOKEN])
    assert redactor.clean_cut(f"{'a' * 900_000} ...") == f"{'a' * 900_000} ..."
    assert redactor.clean_cut("aaaaaaaaaaaa..." * 60_000) == f"{REDACTED} (900000 characters)"
