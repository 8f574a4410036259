"""Hypothesis strategies for the values of members, derived from their traits in the contract.

Everything shrinks to what a person would write: letters before punctuation, ASCII before the rest, the shortest
value that is allowed.
"""

from __future__ import annotations

import json
import string
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from generators.patterns import TRAPS, admits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from specs.model import Member

_Made = TypeVar("_Made")

# What patterns of STS tell apart, one of each kind at least; plain letters first, because they are shrunk to.
_ASCII = string.ascii_letters + string.digits + "".join(c for c in map(chr, range(32, 127)) if not c.isalnum())
_CONTROLS = "\t\n\r"
_BEYOND = "".join(trap.text for trap in TRAPS if len(trap.text) == 1)
_BEYOND += "\u00c5\u00f1\u4e16\u05d0\u0e01\u2160\u3000\ufffd"
_POOL = _ASCII + _CONTROLS + _BEYOND
_FEW = 12  # characters of a short text
_WORDS = 10  # at most, of eight characters each, make up a text of many different characters
_ALIKE = 60  # about as many characters of each kind
# A refusal may quote the value, and XML cannot carry these.
_NOT_IN_XML = frozenset("\ufffe\uffff")


@cache
def alphabet(pattern: str | None) -> str:
    """Characters of a pool that a pattern admits one by one, in the order in which they are shrunk to."""
    return "".join(c for c in _POOL if c not in _NOT_IN_XML and (pattern is None or admits(pattern, c)))


@cache
def outsiders(pattern: str) -> str:
    """Characters of the pool that a pattern does not admit."""
    return "".join(c for c in _POOL if not admits(pattern, c))


@cache
def _ranked(pattern: str | None) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return an alphabet, and which parts of it texts are made of: first and last index, all of it first.

    Rare kinds of characters stand in it several times, so that each kind is drawn as often.
    """
    known = alphabet(pattern)
    kinds = (
        [c for c in known if c.isascii() and c.isalnum()],
        [c for c in known if c.isascii() and not c.isalnum()],
        [c for c in known if not c.isascii()],
    )
    ranked, parts = "", []
    for kind in filter(None, kinds):
        begun = len(ranked)
        ranked += "".join(kind) * max(1, _ALIKE // len(kind))
        parts.append((begun, len(ranked) - 1))
    return ranked, ((0, len(ranked) - 1), *parts)


def _of_alphabet(pattern: str | None, least: int, most: int) -> SearchStrategy[str]:
    """Return texts of all kinds of characters, or of one kind alone."""
    ranked, parts = _ranked(pattern)
    # Indices, so that Hypothesis shrinks to what stands first; and the same in every part.
    characters = [st.integers(*part).map(ranked.__getitem__) for part in parts]
    return st.one_of([st.text(one, min_size=least, max_size=most) for one in characters])


@cache
def texts(pattern: str | None, least: int, most: int) -> SearchStrategy[str]:
    """Return texts that a pattern of one character class admits; lengths in characters, both ends included.

    Short ones, those of many different characters and long ones are as frequent: what goes wrong, goes wrong with few
    characters, with a certain one or with too many.
    """
    simplest = alphabet(pattern)[0] * least
    kinds = [_of_alphabet(pattern, least, min(most, _FEW))] if least <= _FEW else []
    if least <= _FEW < most:
        kinds.append(_in_words(pattern, least, most))
    if most > _FEW:
        # A long text is a short one whose last character is repeated, so that its size costs nothing.
        short = _of_alphabet(pattern, 1, 8)
        kinds.append(st.builds(lambda text, size: text.ljust(size, text[-1])[:most], short, st.integers(least, most)))
    return _rather_than(simplest, *kinds)


def _in_words(pattern: str | None, least: int, most: int) -> SearchStrategy[str]:
    """Return texts of many different characters: made of words, because one that has to be long cannot be shrunk."""
    words = st.lists(_of_alphabet(pattern, 1, 8), max_size=_WORDS).map("".join)
    return words.map(lambda text: text.ljust(least, alphabet(pattern)[0])[:most])


def _rather_than(simplest: _Made, *others: SearchStrategy[_Made]) -> SearchStrategy[_Made]:
    """Return what the others make, and now and then the simplest value.

    It is one choice for Hypothesis, which can leave out only what is made of few. The others are as frequent.
    """
    simple = st.just(simplest)
    return st.integers(0, 3 * len(others)).flatmap(lambda n: others[n % len(others) - 1] if n else simple)


def strings(member: Member, *, most: int | None = None) -> SearchStrategy[str]:
    """Return good values of a string member; `most` bounds their length where the contract has no bound."""
    bounds = member.length
    least = max(1, (bounds.min or 0) if bounds else 0)
    highest = bounds.max if bounds is not None and bounds.max is not None else most or 256
    return texts(member.pattern, least, min(highest, most or highest))


def integers(member: Member) -> SearchStrategy[int]:
    """Return good values of an integer member."""
    assert member.range is not None  # noqa: S101 - every integer of STS has one
    return st.integers(member.range.min, member.range.max)


def too_long(member: Member) -> SearchStrategy[str]:
    """Return values with more characters than a string member may have, nothing else wrong with them."""
    assert member.length is not None  # noqa: S101 - the caller has looked
    assert member.length.max is not None  # noqa: S101
    return texts(member.pattern, member.length.max + 1, 2 * member.length.max + 16)


def too_short(member: Member) -> SearchStrategy[str]:
    """Return values with fewer characters than a string member must have, but one at least."""
    assert member.length is not None  # noqa: S101 - the caller has looked
    assert member.length.min is not None  # noqa: S101
    return texts(member.pattern, 1, member.length.min - 1)


def misspelt(member: Member) -> SearchStrategy[str]:
    """Return values of a good length with a character that the pattern does not admit: at the end, or anywhere."""
    assert member.pattern is not None  # noqa: S101 - the caller has looked
    bounds = member.length
    least = max(1, (bounds.min or 0) if bounds else 1)
    most = min(64, bounds.max) if bounds is not None and bounds.max is not None else 64
    # What is wrong may be overlooked far from the beginning alone.
    sizes = (max(0, least - 1), most - 1)
    good = st.one_of(texts(member.pattern, *sizes), _in_words(member.pattern, *sizes))
    bad = st.sampled_from(outsiders(member.pattern))
    return st.builds(_inserted, good, st.one_of(st.just(-1), st.integers(0, most)), bad)


def _inserted(text: str, place: int, what: str) -> str:
    place %= len(text) + 1
    return text[:place] + what + text[place:]


def outside(member: Member) -> SearchStrategy[int]:
    """Return integers below the least or above the most that an integer member may be; 32 bits, as the wire takes.

    Those of about the size of good ones are as frequent as all others.
    """
    assert member.range is not None  # noqa: S101 - every integer of STS has one
    least, most = member.range.min, member.range.max
    sides = []
    if most is not None and most < 2**31 - 1:
        sides += [st.integers(most + 1, highest) for highest in (min(4 * most, 2**31 - 1), 2**31 - 1)]
    if least is not None:
        sides += [st.integers(lowest, least - 1) for lowest in (-(most or 2**16), -(2**31))]
    return st.one_of(sides)


def no_integers() -> SearchStrategy[str]:
    """Return texts that are no integer of 32 bits."""
    words = st.sampled_from(["x", "1.5", "1e3", "0x384", "9 00", "--900", "\u0669\u0660\u0660", "nine"])
    far = st.integers(2**31, 2**80).map(str)
    return st.one_of(words, far)


# Policies

_ACTIONS = ("s3:GetObject", "s3:*", "sts:AssumeRole", "ec2:Describe*", "*")
_RESOURCES = ("*", "arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*", "arn:aws:s3:::${aws:username}/*")
_SIMPLEST: dict[str, Any] = {"Effect": "Deny", "Action": "*", "Resource": "*"}
_CONDITIONS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"StringEquals": {"aws:username": "alice"}},
    {"StringLike": {"aws:PrincipalTag/Team": ["b*", "c?"]}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}},
)


@cache
def _one_or_many(values: tuple[str, ...]) -> SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))


@st.composite
def _statements(draw: st.DrawFn, effects: tuple[str, ...]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": draw(st.sampled_from(effects))}
    sid = draw(st.none() | st.text(st.sampled_from(string.ascii_letters + string.digits), min_size=1, max_size=12))
    if sid is not None:
        statement["Sid"] = sid
    statement[draw(st.sampled_from(("Action", "NotAction")))] = draw(_one_or_many(_ACTIONS))
    statement[draw(st.sampled_from(("Resource", "NotResource")))] = draw(_one_or_many(_RESOURCES))
    condition = draw(st.sampled_from(_CONDITIONS))
    if condition is not None:
        statement["Condition"] = condition
    return statement


@st.composite
def policies(draw: st.DrawFn, *, most: int = 3, denying: bool = False) -> str:
    """Return session policies that are good by the grammar of IAM, with up to `most` statements; JSON.

    `denying`: they allow nothing.
    """
    effects = ("Deny",) if denying else ("Deny", "Allow")
    count = draw(st.sampled_from((*range(1, most + 1), 0, 0)))  # 0: one, in no list
    kinds = _rather_than(_SIMPLEST, _statements(effects))
    statements = [dict(draw(kinds)) for _ in range(count or 1)]
    for number, statement in enumerate(statements):
        if "Sid" in statement:  # unique within a policy
            statement["Sid"] += str(number)
    document = {"Version": "2012-10-17", "Statement": statements if count else statements[0]}
    indent = draw(st.sampled_from((None, None, 1)))
    return json.dumps(document, indent=indent, separators=(",", ":") if indent is None else None)


# Tags


def tags(key: Member, value: Member, *, most: int) -> SearchStrategy[tuple[tuple[str, str], ...]]:
    """Return up to `most` tags whose keys differ in more than case; keys of AWS (aws:) are not for users."""
    keys = strings(key, most=48).filter(lambda text: not text.lower().startswith("aws:") and text.strip())
    values = st.one_of(st.just(""), strings(value, most=48))
    return st.lists(st.tuples(keys, values), max_size=most, unique_by=lambda tag: tag[0].lower()).map(tuple)
