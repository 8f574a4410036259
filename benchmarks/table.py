"""What was measured, as Markdown: rates, ratios, and whether the aims were reached."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.measure import Measured

Results = dict[str, "list[Measured]"]

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_MODES = ("conforming", "granting")


def render(results: Results, runs: int) -> str:
    """Return all tables."""
    parts = [_where(runs), _suite_table(results), _delay_table(results), _peer_table(results), _aims(results)]
    return "\n\n".join(parts) + "\n"


def write(page: Path, text: str) -> None:
    """Put `text` between the page's markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def _where(runs: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}; medians of {runs} rounds."
    )


def _suite_table(results: Results) -> str:
    rows = []
    for mode in _MODES:
        suite, bare = results[f"suite, {mode}"], results[f"bare, {mode}"]
        verdicts = suite[-1].verdicts
        rows.append((
            mode, str(suite[-1].cases), str(verdicts.get("conforms", 0)), f"{_of(suite, _requests):.0f}",
            _seconds(suite, _start), _seconds(suite, _work), f"{_of(suite, _rate):.0f}", f"{_of(bare, _rate):.0f}",
            f"{_rate_ratio(results, mode):.2f}", f"{_request_ratio(results, mode):.2f}",
        ))  # fmt: skip
    titles = (
        "stub", "cases", "conform", "requests", "start-up, s", "work, s", "suite, cases/s", "bare, requests/s",
        "ratio", "ratio, same requests",
    )  # fmt: skip
    return _markdown("The whole suite beside its own requests sent bare", titles, rows)


def _delay_table(results: Results) -> str:
    rows = []
    for mode in _MODES:
        prompt, late = results[f"suite, {mode}"], results[f"suite, {mode}, delayed"]
        rows.append((mode, _seconds(prompt, _whole), _seconds(late, _whole), f"{_delay_ratio(results, mode):.2f}"))
    titles = ("stub", "whole run, s", "whole run at 80 ms, s", "ratio")
    return _markdown("The whole suite at a stub that answers 80 ms late", titles, rows)


def _peer_table(results: Results) -> str:
    small, large = sorted({int(name.rpartition(" ")[2]) for name in results if name[-1].isdecimal()})
    suite = results["suite, conforming"]
    rows = []
    for tool in ("bare", "boto3", "schemathesis", "schemathesis fixed", "tavern"):
        if f"{tool}, {large}" not in results:
            continue
        few, many = results[f"{tool}, {small}"], results[f"{tool}, {large}"]
        slope = (large - small) / (_of(many, _whole) - _of(few, _whole))
        rows.append((
            tool, f"{_of(few, _requests):.0f}", f"{_of(many, _requests):.0f}", _seconds(many, _start),
            f"{_of(many, _rate):.0f}", f"{slope:.0f}", f"{_ratio(suite, many, _rate):.1f}",
        ))  # fmt: skip
    titles = (
        "tool", f"requests for {small} cases", f"requests for {large} cases", "start-up, s", "cases/s",
        "cases/s by the two sizes", "the suite's rate (conforming) to this",
    )  # fmt: skip
    return _markdown("One operation, AssumeRole, by other tools", titles, rows)


def _aims(results: Results) -> str:
    rows: list[tuple[str, ...]] = []
    for mode in _MODES:
        ratio = _rate_ratio(results, mode)
        rows.append((f"rate beside the bare loop, {mode}", "at least 0.50", f"{ratio:.2f}", _met(ratio >= 0.5)))  # noqa: PLR2004 - the aim
    largest = max(int(name.rpartition(" ")[2]) for name in results if name[-1].isdecimal())
    for tool in ("schemathesis", "schemathesis fixed"):
        for mode in _MODES if f"{tool}, {largest}" in results else ():
            times = _ratio(results[f"suite, {mode}"], results[f"{tool}, {largest}"], _rate)
            rows.append((f"rate beside {tool}, {mode}", "at least 5.0", f"{times:.1f}", _met(times >= 5)))  # noqa: PLR2004 - the aim
    for mode in _MODES:
        ratio = _delay_ratio(results, mode)
        rows.append((f"80 ms of delay, {mode}", "at most 1.50", f"{ratio:.2f}", _met(ratio <= 1.5)))  # noqa: PLR2004 - the aim
    begins = median(_of(results[f"suite, {mode}"], _start) for mode in _MODES)
    rows.append(("start-up to first request", "under 1.5 s", f"{begins:.2f} s", _met(begins < 1.5)))  # noqa: PLR2004 - the aim
    return _markdown("The aims", ("what", "aim", "measured", "reached"), rows)


def _rate_ratio(results: Results, mode: str) -> float:
    """Compare the suite's cases a second to the bare loop's requests a second, round by round."""
    return _ratio(results[f"suite, {mode}"], results[f"bare, {mode}"], _rate)


def _request_ratio(results: Results, mode: str) -> float:
    """Compare how long the bare loop takes to how long the suite takes for the same requests."""
    return _ratio(results[f"bare, {mode}"], results[f"suite, {mode}"], _work)


def _delay_ratio(results: Results, mode: str) -> float:
    return _ratio(results[f"suite, {mode}, delayed"], results[f"suite, {mode}"], _whole)


def _ratio(these: list[Measured], those: list[Measured], what: Callable[[Measured], float]) -> float:
    return median(what(one) / what(other) for one, other in zip(these, those, strict=True))


def _of(runs: list[Measured], what: Callable[[Measured], float]) -> float:
    return median(map(what, runs))


def _seconds(runs: list[Measured], what: Callable[[Measured], float]) -> str:
    return f"{_of(runs, what):.2f}"


def _rate(run: Measured) -> float:
    return run.rate


def _work(run: Measured) -> float:
    return run.work


def _whole(run: Measured) -> float:
    return run.whole


def _start(run: Measured) -> float:
    return run.start_up


def _requests(run: Measured) -> float:
    return run.requests


def _met(reached: bool) -> str:
    return "yes" if reached else "no"


def _markdown(title: str, titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"### {title}", "", f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
    return "\n".join((*lines, *(f"| {' | '.join(row)} |" for row in rows)))
