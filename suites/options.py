"""The command line of a run, checked: contradictions and nonsense end in one line before anything is sent."""

from __future__ import annotations

import contextlib
import math
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from reports.model import Level
from reports.text import clip, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

_LEVELS: tuple[str, ...] = get_args(Level)
_MOST_IN_FLIGHT = 1024  # a connection each
_LONGEST = 3600  # seconds for one answer
_MOST_EXAMPLES = 1_000_000
_SEEDS = 2**32  # from 0: numbers that every reader of results.json keeps exactly
_SEED = 2011
_N = TypeVar("_N", int, float)


class OptionError(Exception):
    """Options that cannot be; the text is one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    target: str
    region: str | None
    provision: bool
    baseline: Path | None  # None: the target's own
    no_baseline: bool  # --baseline ''
    update_baseline: bool
    in_flight: int | None  # None: the target's own
    max_rate: float | None  # requests a second; None: the target's own
    timeout: float
    slow: bool
    plan: Path | None
    report: Path
    fail_on: tuple[Level, ...]
    examples: int | None  # of each property; None: the target's own
    seed: int  # what Hypothesis begins with
    edges: str  # 'broken': of bounds that the target breaks; 'all'; '' for none


def add_options(parser: pytest.Parser) -> None:
    """Declare them to pytest."""
    group = parser.getgroup("sts", "STS conformance")
    add = group.addoption
    add("--target", default="moto", metavar="TARGET",
        help="what to test: a URL, aws, moto (embedded, the default), or a .yaml target file")
    add("--region", default=None, help="region of the credential scope (default: that of AWS's host, else us-east-1)")
    add("--provision", action="store_true",
        help="on real AWS: allow making IAM users and roles for the run, removed at its end")
    add("--baseline", default=None, metavar="FILE",
        help="known deviations of the target; '' for none (default: the target's own)")
    add("--update-baseline", action="store_true", help="write the baseline so that it lists what deviates now")
    # Numbers are taken as text: argparse answers what is no number with a page on how to call pytest.
    add("--in-flight", default=None, metavar="N",
        help="requests under way at once (default: 64, on real AWS 4)")
    add("--max-rate", default=None, metavar="R",
        help="requests begun a second, over all together (default: no limit, on real AWS 10)")
    add("--timeout", default="20", metavar="S", help="seconds for one answer (default: 20)")
    add("--slow", action="store_true",
        help="also run the cases of sessions that run out: they wait 15 minutes, all of them together")
    add("--plan", default=None, metavar="FILE",
        help="send nothing; write what would be sent, as JSON")
    add("--report", default="compliance-report", metavar="DIR",
        help="folder of results.json and index.html (default: compliance-report)")
    add("--fail-on", default="must,should", metavar="LEVELS",
        help="levels that decide the exit status (default: must,should)")
    add("--edges", nargs="?", const="broken", default=None, metavar="all",
        help="look where the target draws the lines of the bounds that it breaks; --edges=all: of all bounds")
    add("--examples", default=None, metavar="N",
        help="examples of each property (default: 30, on real AWS 10); 0 leaves properties out")
    add("--random", action="store_true", help="make other examples of properties in each run")  # fmt: skip
    with contextlib.suppress(ValueError):  # Hypothesis's own plug-in, if loaded, has it with the same meaning
        add("--hypothesis-seed", default=None, metavar="N",
            help=f"what making examples of properties begins with (default: {_SEED})")  # fmt: skip


def read_options(config: pytest.Config) -> Options:
    """Read and check them; raises OptionError."""
    get = config.getoption
    baseline, update, plan = get("baseline"), bool(get("update_baseline")), get("plan")
    if update and baseline == "":
        raise OptionError("--update-baseline with --baseline '': there is no file to write; name one")
    if plan is not None and update:
        raise OptionError("--plan sends nothing, so --update-baseline has nothing to write; give one of them")
    if plan is not None and _workers(config):
        raise OptionError("--plan and -n: a plan is written by one process; leave -n out")
    if get("slow") and _workers(config):
        raise OptionError("--slow and -n: one process waits for all slow cases together; leave -n out")
    edges = _edges(get("edges"))
    if edges and plan is not None:
        raise OptionError("--plan sends nothing, so --edges has nothing to look at; give one of them")
    if edges and _workers(config):
        raise OptionError("--edges and -n: one process looks for all of them; leave -n out")
    in_flight, max_rate = get("in_flight"), get("max_rate")
    return Options(
        target=get("target"),
        region=get("region"),
        provision=bool(get("provision")),
        baseline=Path(baseline) if baseline else None,
        no_baseline=baseline == "",
        update_baseline=update,
        in_flight=None if in_flight is None else _in_flight(in_flight),
        max_rate=None if max_rate is None else _max_rate(max_rate),
        timeout=_timeout(get("timeout")),
        slow=bool(get("slow")),
        plan=Path(plan) if plan is not None else None,
        report=Path(get("report")),
        fail_on=_levels(get("fail_on")),
        examples=None if get("examples") is None else _examples(get("examples")),
        seed=_seed(get("hypothesis_seed"), random=bool(get("random"))),
        edges=edges,
    )


def _edges(text: str | None) -> str:
    if text is None or text in {"broken", "all"}:
        return text or ""
    raise OptionError(f"--edges {_shown(text)}: expected --edges=all, or --edges with an option or nothing after it")


def _examples(text: str) -> int:
    expected = f"a whole number from 0 to {_MOST_EXAMPLES}"
    return _number("--examples", text, int, lambda number: 0 <= number <= _MOST_EXAMPLES, expected)


def _seed(text: str | None, *, random: bool) -> int:
    if random and text is not None:
        raise OptionError("--random and --hypothesis-seed: a seed by chance is not the one given; give one of them")
    if text is None:
        return secrets.randbelow(_SEEDS) if random else _SEED
    expected = f"a whole number from 0 to {_SEEDS - 1}"
    return _number("--hypothesis-seed", text, int, lambda number: 0 <= number < _SEEDS, expected)


def _in_flight(text: str) -> int:
    expected = f"a whole number from 1 to {_MOST_IN_FLIGHT}"
    return _number("--in-flight", text, int, lambda number: 1 <= number <= _MOST_IN_FLIGHT, expected)


def _max_rate(text: str) -> float:
    return _number("--max-rate", text, float, lambda number: 0 < number < math.inf, "a number above 0")


def _timeout(text: str) -> float:
    expected = f"seconds above 0, up to {_LONGEST}"
    return _number("--timeout", text, float, lambda number: 0 < number <= _LONGEST, expected)


def _number(option: str, text: str, read: Callable[[str], _N], fits: Callable[[_N], bool], expected: str) -> _N:
    """Read a number; raises OptionError for what is none and for one that does not fit."""
    try:
        number = read(text)
    except ValueError:
        pass
    else:
        if fits(number):
            return number
    raise OptionError(f"{option} {_shown(text)}: expected {expected}")


def _shown(text: str) -> str:
    start, left_out = clip(text, 40)
    return visible(shlex.quote(start)) + ("..." if left_out else "")


def _workers(config: pytest.Config) -> bool:
    count: Any = getattr(config.option, "numprocesses", None)
    return bool(count)


def _levels(text: str) -> tuple[Level, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in _LEVELS:
            raise OptionError(f"--fail-on {text}: found '{name}', expected a list of {', '.join(_LEVELS)}")
    return tuple(level for level in get_args(Level) if level in names)
