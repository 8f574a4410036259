"""`python -m benchmarks.page`: how large the page of many cases is, how soon it shows, how fast it filters.

The results are made up, as many cases as asked for, each with an exchange of the usual size. The page is opened
from its file in headless Chromium, which is to be on the path with its driver. Every figure is the median of
the rounds, each in a browser that has not seen the page yet.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from selenium import webdriver

from reports.html import write_page
from tests.reports.synthetic import make_results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FLAGS: Final = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
# From the start of the navigation, in milliseconds. The load event comes after the page's script has run.
OPENED: Final = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
const {domInteractive, loadEventEnd} = performance.getEntriesByType("navigation")[0];
return {"first paint": paint.startTime, "page ready, its script run": Math.max(loadEventEnd, domInteractive)};
"""
# Changes one field of the filter; the time until the frame with what came of it is laid out and handed on.
FILTERED: Final = """
const [name, value, done] = arguments;
const field = document.getElementById("filter").elements[name];
const start = performance.now();
field.value = value;
field.dispatchEvent(new Event(name === "search" ? "input" : "change", {bubbles: true}));
const handled = performance.now();
requestAnimationFrame(() => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = () => done([handled - start, performance.now() - start]);
  port2.postMessage(0);
});
"""
# Opens the last rule that is shown, as a click does; the time until its first exchange stands there.
DETAILED: Final = """
const [done] = arguments;
const cases = [...document.querySelectorAll("article:not([hidden]) > details")].at(-1);
const start = performance.now();
const wait = () => cases.querySelector("pre") ? done(performance.now() - start) : setTimeout(wait, 1);
cases.open = true;
wait();
"""
FILTERS: Final = (
    ("search", "d"), ("search", "duration"), ("search", "duration-seconds 500"), ("search", "nothing like it"),
    ("search", ""), ("operation", "AssumeRole"), ("operation", ""), ("verdict", "broken"), ("verdict", ""),
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the size and the speed of the page")
    parser.add_argument("--cases", type=int, default=10_000, metavar="N", help="cases (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sts-page-") as folder:
        page = Path(folder) / "index.html"
        results = make_results(options.cases, per_rule=3)
        start = time.perf_counter()
        write_page(results, page)
        print(f"{options.cases:,} cases, {len(results.rules):,} rules; medians of {options.runs} rounds")
        print(f"{'rendering':<42}{time.perf_counter() - start:>10.2f} s")
        print(f"{'size':<42}{page.stat().st_size / 1e6:>10.2f} MB")
        rounds = [_round(page) for _ in range(options.runs)]
    for name in rounds[0]:
        print(f"{name:<42}{median(each[name] for each in rounds):>10.0f} ms")


def _round(page: Path) -> Mapping[str, float]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    driver: Any = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        return _measure(driver, page)
    finally:
        driver.quit()


def _measure(driver: Any, page: Path) -> Mapping[str, float]:
    driver.get(page.as_uri())
    figures: dict[str, float] = dict(driver.execute_script(OPENED))
    ask: Callable[..., Any] = driver.execute_async_script
    for name, value in FILTERS:
        handled, shown = ask(FILTERED, name, value)
        figures[f"{name}: {value or 'all again'}, computed"] = handled
        figures[f"{name}: {value or 'all again'}, shown"] = shown
    figures["details of a rule, shown"] = ask(DETAILED)
    return figures


if __name__ == "__main__":
    main()
