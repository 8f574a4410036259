"""`python -m benchmarks.reference`: how many signed requests a second the reference serves on one core.

Every server gets a core of its own, and the same requests over the same number of kept connections; whoever sends
them is on the other core. Rounds take turns among the servers; what is told is the median. `--peer URL` adds a
server that is running already, with the access key `test`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.server import ROOT
from generators.case import plain_request
from generators.plain import plain
from specs.contract import load
from targets.credentials import Credentials
from targets.embedded import start_moto, start_reference
from targets.endpoint import parse_endpoint
from targets.http import Client
from targets.provision import Provisioner
from targets.redactor import Redactor
from targets.target import TEST_CREDENTIALS, Target
from targets.wire import Signer, filled, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from generators.case import Request
    from targets.embedded import EmbeddedServer
    from targets.endpoint import Endpoint
    from targets.provision import Estate
    from targets.wire import Prepared

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"
CONNECTIONS = 8
REQUESTS = 2_000
_OWN: dict[str, Callable[[], EmbeddedServer]] = {"reference": start_reference, "moto": start_moto}


@dataclass
class Figures:
    """What was measured of one server."""

    start_up: list[float] = field(default_factory=list)  # seconds to the first answer to a signed request
    rates: dict[str, list[float]] = field(default_factory=dict)  # requests a second by kind of request


def kinds() -> dict[str, Request]:
    """Return the requests that are sent."""
    contract = load()
    found = {name: plain(contract, name) for name in ("GetCallerIdentity", "GetSessionToken", "AssumeRole")}
    bad = plain_request("AssumeRole", (("RoleArn", "x"), ("RoleSessionName", "a/b")), signed=True)
    return found | {"AssumeRole, refused": bad}


async def rate(endpoint: Endpoint, sent: Prepared) -> float:
    """Return how many requests a second are answered."""
    client = Client(endpoint, in_flight=CONNECTIONS, max_rate=0.0, timeout=60.0)

    async def line() -> None:
        for _ in range(REQUESTS // CONNECTIONS):
            exchange = await client.send(sent)
            assert exchange.answer is not None, exchange.failure  # noqa: S101 - a server that breaks down has no rate

    await client.send(sent)
    begun = time.perf_counter()
    await asyncio.gather(*(line() for _ in range(CONNECTIONS)))
    taken = time.perf_counter() - begun
    client.close()
    return REQUESTS / taken


async def _provisioned(target: Target) -> Estate:
    client = Client(target.endpoint, in_flight=4, max_rate=0.0, timeout=30.0)
    return await Provisioner(target, client, client, Redactor()).prepare()


def measure(url: str, figures: Figures) -> None:
    """Send every kind of request to a server that is up."""
    endpoint = parse_endpoint(url)
    target = Target("benchmark", endpoint, endpoint, "us-east-1", TEST_CREDENTIALS)
    estate = asyncio.run(_provisioned(target))
    for name, request in kinds().items():
        keys = estate.callers["user"]
        sent = prepare(filled(request, estate.values), Signer(endpoint, target.region), keys, datetime.now(UTC))
        figures.rates.setdefault(name, []).append(asyncio.run(rate(endpoint, sent)))


def _first_answer(endpoint: Endpoint) -> None:
    """Wait until a signed request is answered."""
    request = plain(load(), "GetCallerIdentity")

    async def ask() -> bool:
        client = Client(endpoint, in_flight=1, max_rate=0.0, timeout=1.0)
        keys = Credentials("test", "test")
        sent = prepare(request, Signer(endpoint, "us-east-1"), keys, datetime.now(UTC))
        answered = (await client.send(sent)).answer is not None
        client.close()
        return answered

    while not asyncio.run(ask()):
        time.sleep(0.005)


def one_round(figures: dict[str, Figures]) -> None:
    """Start each server of ours on a core of its own, and measure it."""
    for name, start in _OWN.items():
        begun = time.perf_counter()
        server = start()
        os.sched_setaffinity(server.process.pid, {_cores()[0]})
        try:
            _first_answer(parse_endpoint(server.url))
            figures[name].start_up.append(time.perf_counter() - begun)
            measure(server.url, figures[name])
        finally:
            server.stop()


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) or [0]


def render(figures: dict[str, Figures], rounds: int) -> str:
    """Return the table."""
    names = list(figures)
    how = f"medians of {rounds} rounds of {REQUESTS:,} requests on {CONNECTIONS} connections, each server on one core"
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {how}.",
        "",
        f"| | {' | '.join(names)} | reference to moto |",
        f"| --- |{' --- |' * (len(names) + 1)}",
    ]
    for kind in kinds():
        values = [statistics.median(figures[name].rates[kind]) for name in names]
        cells = " | ".join(f"{value:,.0f}" for value in values)
        lines.append(f"| {kind}, requests/s | {cells} | {values[0] / values[names.index('moto')]:.1f} |")
    starts = [statistics.median(figures[name].start_up) if figures[name].start_up else None for name in names]
    cells = " | ".join("" if value is None else f"{value:.2f}" for value in starts)
    own, other = starts[0], starts[names.index("moto")]
    lines.append(f"| start-up to the first answer, s | {cells} | {(own or 0) / (other or 1):.2f} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure, print, and write the table into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description="how fast the reference is")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL", help="a server that is running")
    parser.add_argument("--no-page", action="store_true", help="print only")
    given = parser.parse_args(arguments)
    peers = dict(peer.split("=", 1) for peer in given.peer)
    figures = {name: Figures() for name in (*_OWN, *peers)}
    others = _cores()[1:] or _cores()
    everything = set(_cores())
    for _ in range(given.rounds):
        one_round(figures)
        for name, url in peers.items():
            os.sched_setaffinity(0, set(others))
            measure(url, figures[name])
            os.sched_setaffinity(0, everything)
    text = render(figures, given.rounds)
    print(text)
    if not given.no_page:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN, 1)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
