"""What an endpoint sends is made visible before anybody looks at it."""

import unicodedata

import pytest

from reports.text import clip, visible
from tests.reports.synthetic import HOSTILE


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\u200b\ufeff\xad", "\\u200b\\ufeff\\xad"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("a\xa0b\u3000c", "a\\xa0b\\u3000c"),
        ("\u3164\u115f\u2800", "\\u3164\\u115f\\u2800"),
        ("a\ufe0f", "a\\ufe0f"),
        ("\r\n\t", "\\r\\n\\t"),
    ],
)
def test_what_does_not_show_becomes_its_escape(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize("text", ["plain ~!", "Zürich", "日本語", "שלום", "e\u0301", "🙂", "\\x1b"])
def test_what_shows_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_lines_keeps_newlines_and_tabs_only() -> None:
    assert visible("a\n\tb\r\x0b", lines=True) == "a\n\tb\\r\\x0b"


def test_marks_go_round_each_escape() -> None:
    assert visible("a\x00é\x1b", marks=("<", ">")) == "a<\\x00>é<\\x1b>"


def test_no_character_of_unicode_slips_through() -> None:
    for code in range(0x110000):
        if unicodedata.category(chr(code))[0] in "CZ" and chr(code) != " ":
            assert visible(chr(code)).isascii(), hex(code)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_can_be_printed(text: str) -> None:
    assert visible(text).encode("utf-8")
    assert visible(text).isprintable()


@pytest.mark.parametrize(
    ("text", "kept", "left_out"), [("", "", 0), ("abc", "abc", 0), ("abcd", "abc", 1), ("abcdef", "abc", 3)]
)
def test_clip_tells_how_much_it_left_out(text: str, kept: str, left_out: int) -> None:
    assert clip(text, 3) == (kept, left_out)
