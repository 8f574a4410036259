"""Hypothesis strategies for the moves of `generators.sessions`: each knows nothing of the others.

So any of them can be left out when a program is shrunk. What is listed first is what is shrunk to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume
from hypothesis import strategies as st

from generators.sessions import POLICIES, ROLES, Move

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_MOST = 20  # steps of a program
_SESSION_NAMES = ("one", "two", "a=b@c.d", "x" * 64)
_USER_NAMES = ("bob", "root", "a=b@c.d", "x" * 32)
_PEOPLE = ("alice", "bob", "a=b@c.d")
_VALUES = {"Project": ("Unicorn", "Pegasus"), "Team": ("Blue", "Red")}

# Often the last one: only so chains come about.
_CALLERS = st.sampled_from((0, 1, 1, 1, 1, 1, 1, 2, 2, 3))


def _one_tag(key: str) -> SearchStrategy[tuple[str, str, bool]]:
    return st.tuples(st.just(key), st.sampled_from(_VALUES[key]), st.booleans())


_TAGGINGS: tuple[SearchStrategy[tuple[tuple[str, str, bool], ...]], ...] = (
    st.just(()),
    st.tuples(_one_tag("Project")),
    st.just(()),
    st.tuples(_one_tag("Team")),
    st.tuples(_one_tag("Project"), _one_tag("Team")),
)
_TAGS = st.integers(0, len(_TAGGINGS) - 1).flatmap(_TAGGINGS.__getitem__)
# Most moves have neither: what is refused leads no further.
_POLICIES = st.sampled_from(("",) * (2 * len(POLICIES)) + POLICIES)
_IDENTITIES = st.sampled_from(("",) * (2 * len(_PEOPLE)) + _PEOPLE)

_ASSUME = st.builds(
    Move,
    st.just("AssumeRole"),
    _CALLERS,
    st.sampled_from(("open", "open", "open", "unicorns", "unicorns", *ROLES)),
    st.sampled_from(_SESSION_NAMES),
    _TAGS,
    _IDENTITIES,
    _POLICIES,
    st.sampled_from((None, None, None, None, None, 900, 3600, 3601, 43200)),
)
_IDENTITY = st.builds(Move, st.just("GetCallerIdentity"), _CALLERS)
_FEDERATION = st.builds(
    Move,
    st.just("GetFederationToken"),
    _CALLERS,
    name=st.sampled_from(_USER_NAMES),
    tags=_TAGS,
    policy=_POLICIES,
    duration=st.sampled_from((None, None, 900, 129600)),
)
_TOKEN = st.builds(
    Move, st.just("GetSessionToken"), _CALLERS, duration=st.sampled_from((None, None, 900, 129600))
)
# Programs of these go deep: nothing is refused but for what the chain itself carries.
_LINK = st.builds(
    Move,
    st.just("AssumeRole"),
    st.sampled_from((1, 1, 1, 1, 1, 1, 1, 2)),
    st.sampled_from(("open", "open", "unicorns")),
    st.sampled_from(_SESSION_NAMES),
    st.sampled_from(((), (("Project", "Unicorn", True),), (), (), (("Team", "Blue", True),), ())),
    _IDENTITIES,
    duration=st.sampled_from((None, None, None, None, None, 3600, 3601)),
)

# Several calls beside each other, and nothing: what a slot without a move is shrunk to.
_CALLS = (*(_ASSUME,) * 10, _IDENTITY, _IDENTITY, _FEDERATION, _FEDERATION, _TOKEN)
_Kinds = tuple["SearchStrategy[Move | None]", ...]
_NOTHING: _Kinds = (st.none(),)
# Programs of few steps, of many, of many in a chain, and of both.
_STYLES: tuple[_Kinds, ...] = (
    _NOTHING * 25 + _CALLS,
    _NOTHING * 5 + _CALLS,
    _NOTHING + (_LINK,) * 4,
    _NOTHING * 5 + _CALLS + (_LINK,) * 15,
)


@st.composite
def moves(draw: st.DrawFn) -> list[Move]:
    """Return the moves of a program, one at least.

    There is a slot for every step, which may be empty: so each can be emptied without a change to the others.
    """
    kinds = draw(st.sampled_from(_STYLES))
    slots = [draw(kinds[draw(st.integers(0, len(kinds) - 1))]) for _ in range(_MOST)]
    found = [move for move in slots if move is not None]
    assume(found)
    return found
