"""Hypothesis at work: examples are made in batches, sent together, and what fails is shrunk.

Making examples takes no answers, so a whole batch can be in flight. Only shrinking goes step by step; its steps are
bounded, so that a slow endpoint is not asked for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, CONSTANTS_CACHE, HypothesisProvider
from hypothesis.internal.constants_ast import Constants

from suites.trials import Budget, Explored, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from generators.properties import Example, Trouble

    Send = Callable[[list[Example]], list[Trouble | None]]

_MOST_SHRINKS = 400  # examples sent to make the failing ones smaller, for one property
_KINDS = 5  # kinds of failures that are told of one property


class Steady(HypothesisProvider):
    """Hypothesis's own source of choices, without the constants of modules that happen to be loaded.

    It would mix in numbers and texts that it finds in them, and write what it found into a folder: examples would
    change with any edit of the code, and from one run to the next with what it imports.
    """

    _local_constants = Constants()


# Once an example has failed, Hypothesis goes on with its own source, which shares what it finds with all others.
HypothesisProvider._local_constants = Steady._local_constants  # type: ignore[method-assign, assignment]
CONSTANTS_CACHE.cache.clear()


AVAILABLE_PROVIDERS["steady"] = f"{__name__}.{Steady.__name__}"


class _Failure(Exception):  # noqa: N818 - each kind of failure becomes a class of its own
    """An example that fails, for Hypothesis to shrink."""


def explore(strategy: SearchStrategy[Example], budget: Budget, send: Send) -> Explored:
    """Try examples of a property; returns the smallest one of each kind of failure.

    `send` takes a batch of examples and returns what is wrong with each. The same seed and the same answers give the
    same findings.
    """
    examples = _made(strategy, budget)
    known = dict(zip(examples, send(examples), strict=True))
    if not any(known.values()):
        return Explored(len(examples))
    return Explored(len(examples), _Shrinker(known, send).shrunk(strategy, budget))


def _settings(budget: Budget, *phases: Phase) -> settings:
    return settings(
        max_examples=budget.examples,
        backend="steady",
        phases=phases,
        database=None,  # examples hold what the target gave out
        deadline=None,
        derandomize=False,
        report_multiple_bugs=True,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def _made(strategy: SearchStrategy[Example], budget: Budget) -> list[Example]:
    """Make examples without looking at any answer."""
    found: dict[Example, None] = {}

    @hypothesis.seed(budget.seed)
    @_settings(budget, Phase.generate)
    @given(strategy)
    def collect(example: Example) -> None:
        found[example] = None

    collect()
    return list(found)


class _Shrinker:
    """Has Hypothesis find the smallest failing examples; what was sent already is not sent again."""

    def __init__(self, known: dict[Example, Trouble | None], send: Send) -> None:
        self._known = known
        self._send = send
        self._left = _MOST_SHRINKS
        self._kinds: dict[str, type[_Failure]] = {}
        self._first: dict[str, Example] = {}
        self._last: dict[str, Finding] = {}

    def shrunk(self, strategy: SearchStrategy[Example], budget: Budget) -> list[Finding]:
        """Return one finding of each kind."""

        @hypothesis.seed(budget.seed)
        @_settings(budget, Phase.generate, Phase.shrink)
        @given(strategy)
        def attempt(example: Example) -> None:
            trouble = self._tried(example)
            if trouble is not None and (kind := self._kind(trouble)) is not None:
                # Hypothesis runs the smallest of each kind last, to show it.
                first = self._first.setdefault(trouble.kind, example)
                self._last[trouble.kind] = Finding(example, trouble, first)
                raise kind

        try:
            attempt()
        except* _Failure:
            pass
        return list(self._last.values())

    def _tried(self, example: Example) -> Trouble | None:
        if example not in self._known:
            if self._left <= 0:
                return None
            self._left -= 1
            self._known[example] = self._send([example])[0]
        return self._known[example]

    def _kind(self, trouble: Trouble) -> type[_Failure] | None:
        """Return an exception for each kind of failure: Hypothesis tells failures apart by their types."""
        if trouble.kind not in self._kinds and len(self._kinds) < _KINDS:
            self._kinds[trouble.kind] = type(f"_Failure{len(self._kinds)}", (_Failure,), {})
        return self._kinds.get(trouble.kind)
