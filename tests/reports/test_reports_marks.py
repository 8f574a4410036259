"""Marked text: cut, made visible, and the same in HTML and in what the script gets."""

import pytest

from reports.marks import mark, mark_difference, to_html
from tests.reports.synthetic import HOSTILE


def different(expected: str, received: str) -> tuple[str, str]:
    """What is marked, in brackets."""
    marked = mark_difference(expected, received, 1000)
    one, other = (text.replace("\x05", "[").replace("\x06", "]") for text in marked)
    return one, other


@pytest.mark.parametrize(
    ("expected", "received", "marked"),
    [
        ("refused with 400 X", "200 <A>", ("[refused with 400 X]", "[200 <A>]")),
        ("accepted; A is 1; B is 2", "400 X", ("[accepted]; A is 1; B is 2", "[400 X]")),
        ("accepted; A is 1; B is 2", "200; B is missing", ("accepted; A is 1; [B is 2]", "200; [B is missing]")),
        ("accepted", "200; nobody knows", ("accepted", "200; [nobody knows]")),
        ("accepted; ; x", "200; header x is y", ("accepted; ; [x]", "200; [header x is y]")),
        ("", "", ("", "")),
    ],
)
def test_the_clauses_that_part_are_marked(expected: str, received: str, marked: tuple[str, str]) -> None:
    assert different(expected, received) == marked


def test_a_cut_counts_what_the_endpoint_sent_and_not_our_marks() -> None:
    assert mark("ab\x00cd", 3) == "ab\x01\\x00\x02\x03… 2 more characters in results.json\x04"
    expected, received = mark_difference("a; bc", "x; b; y", 4)
    assert expected == "a; b\x03… 1 more characters in results.json\x04"
    assert received == "x; \x05b\x06\x03… 3 more characters in results.json\x04"
    assert mark("abc", 3) == "abc"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_brings_marks_or_markup_of_its_own(text: str) -> None:
    assert "<" not in to_html(mark(text)).replace("<i>", "").replace("</i>", "")
    for char in "\x03\x04\x05\x06":
        assert char not in mark(char + text + char)


def test_marks_become_elements() -> None:
    assert to_html("<\x01\\x00\x02\x05&\x06\x03!\x04") == "&lt;<i>\\x00</i><mark>&amp;</mark><em>!</em>"
