"""The table of observed edges for the terminal, and the reasons where there are none."""

from __future__ import annotations

from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from reports.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reports.model import Edge

_NAME_WIDTH: Final = 36
_FOUND_WIDTH: Final = 30
_WIDTH: Final = 100


def edge_lines(edges: Sequence[Edge]) -> list[str]:
    """Render the table, at most 100 columns wide; nothing for no edges."""
    if not edges:
        return []
    lines = ["Observed edges: where the target draws the line (none up to: no line as far as that)"]
    found = [edge for edge in edges if not edge.reason]
    if found:
        lines.append(_row("", "bound", "documented", "observed", "requests"))
    for operation, group in groupby(found, key=lambda edge: edge.operation):
        lines.append(_fit(visible(operation), _WIDTH))
        for edge in group:
            lines += _edge_rows(edge)
    return lines + [line for reason, members in not_looked_for(edges) for line in _reason_lines(reason, members)]


def not_looked_for(edges: Sequence[Edge]) -> list[tuple[str, int]]:
    """Count the bounds that no line was looked for by the reason, in their order."""
    counts: dict[str, int] = {}
    for edge in edges:
        if edge.reason:
            counts[edge.reason] = counts.get(edge.reason, 0) + 1
    return list(counts.items())


def _edge_rows(edge: Edge) -> Iterator[str]:
    words = wrap(visible(edge.found), _FOUND_WIDTH) or [""]
    yield _row(f"  {visible(edge.member)}", edge.trait, f"{edge.documented:,}", words[0], f"{edge.requests:,}")
    for line in words[1:]:
        yield _row("", "", "", line, "").rstrip()


def _reason_lines(reason: str, bounds: int) -> list[str]:
    head = f"Not looked for, {bounds:,} {'bound' if bounds == 1 else 'bounds'}: "
    return wrap(head + visible(reason), _WIDTH, subsequent_indent="  ")


def _row(name: str, trait: str, documented: str, found: str, requests: str) -> str:
    start = f"{_fit(name, _NAME_WIDTH):<{_NAME_WIDTH}} {trait:<10} {documented:>10}"
    return f"{start}  {found:<{_FOUND_WIDTH}} {requests:>8}"


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
