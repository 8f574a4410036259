"""The page in a real browser: nothing runs, nothing is fetched, it fits a phone, links arrive.

Needs chromium and chromedriver on the path; says so where they are missing.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.html import write_page
from reports.model import Results
from tests.reports.synthetic import HOSTILE, make_case, make_exchange, make_results, make_rule, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER) and not os.environ.get("CI"), reason="needs chromium and chromedriver on the path"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def visit(browser: Any, folder: Path, results: Results, fragment: str = "") -> None:
    write_page(results, folder / "index.html")
    browser.get("about:blank")
    browser.get((folder / "index.html").as_uri() + fragment)


def evil() -> Results:
    cases = (
        make_case(
            f"assume-role.duration-seconds.min/{number}",
            verdict="deviates",
            received=text,
            exchange=make_exchange(body=text),
        )
        for number, text in enumerate(HOSTILE)
    )
    return Results(run=make_run(), rules=(make_rule(),), cases=tuple(cases))


def test_hostile_answers_do_nothing(browser: Any, tmp_path: Path) -> None:
    visit(browser, tmp_path, evil())
    assert browser.execute_script("return document.scripts.length + document.images.length") == 0
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("results", [evil(), make_results(2500)], ids=["hostile", "large"])
def test_the_page_fits_a_phone(browser: Any, tmp_path: Path, results: Results) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    visit(browser, tmp_path, results)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("verdict", ["deviates", "conforms"])
def test_a_deep_link_arrives(browser: Any, tmp_path: Path, verdict: str) -> None:
    results = make_results(400)
    case = next(each for each in reversed(results.cases) if each.verdict == verdict)
    for target in (case.rules[0], case.id):
        visit(browser, tmp_path, results, f"#{target}")
        top = browser.execute_script(
            "return document.getElementById(arguments[0]).getBoundingClientRect().top", target
        )
        assert 0 < top < browser.execute_script("return innerHeight"), target
