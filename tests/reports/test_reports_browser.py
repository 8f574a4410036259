"""The page in a real browser: filters, search, links, details; nothing of an endpoint runs, nothing is fetched.

Needs chromium and chromedriver on the path; says so where they are missing.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.html import write_page
from reports.model import CaseResult, Finding, Results, Rule
from reports.summary import BROKEN, rule_outcomes
from reports.text import visible
from tests.reports.synthetic import HOSTILE, make_case, make_exchange, make_results, make_rule, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--window-size=1280,900",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULE = "assume-role.duration-seconds.min"
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


@pytest.fixture(autouse=True)
def plain(browser: Any) -> Iterator[None]:
    """Take back what a test made of the browser."""
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def visit(browser: Any, folder: Path, results: Results, fragment: str = "") -> None:
    write_page(results, folder / "index.html")
    browser.get("about:blank")
    browser.get((folder / "index.html").as_uri() + fragment)




@pytest.fixture(scope="module")
def results() -> Results:
    return make_results(400)


def small(*cases: CaseResult, rules: tuple[Rule, ...] = (make_rule(),)) -> Results:
    return Results(run=make_run(), rules=rules, cases=cases, complete=True)


def until(browser: Any, condition: str) -> None:
    """Wait until a JavaScript expression holds."""
    waiting = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait(browser, 10, 0.05)
    waiting.until(lambda driver: driver.execute_script(f"return {condition}"), condition)


def shown(browser: Any) -> set[str]:
    """Ids of the rules that are shown."""
    rows = "[...document.querySelectorAll('.rules:not([hidden]) article:not([hidden])')]"
    return set(browser.execute_script(f"return {rows}.map(each => each.id)"))


def text(browser: Any, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0]).innerText", selector))


def enter(browser: Any, name: str, value: str) -> None:
    """Choose or type into a field of the filter, as a user does."""
    field = browser.find_element("css selector", f"#filter [name={name}]")
    if field.tag_name == "select":
        pytest.importorskip("selenium.webdriver.support.ui").Select(field).select_by_value(value)
        until(browser, f"location.hash.includes('{name}={value}')")
    else:
        field.clear()
        field.send_keys(value)


def open_all(browser: Any) -> None:
    """Open everything that can be opened, also what is made on the way."""
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    until(browser, "[...document.querySelectorAll('article > details')].every(each => each.children.length > 1)")
    browser.execute_script("document.querySelectorAll('article details').forEach(each => each.open = true)")
    until(browser, "[...document.querySelectorAll('article details')].every(each => each.children.length > 1)")


# Hostile results


def evil() -> Results:
    cases = (
        make_case(
            f"{RULE}/{number}",
            verdict="deviates",
            expected=text,
            received=text,
            reason=text,
            control=text[:300],
            reproduce=text,
            exchange=make_exchange(body=text),
            findings=2
            * (Finding(about=text, expected=text, received=text, exchange=make_exchange(body=text), story=text),),
        )
        for number, text in enumerate(HOSTILE)
    )
    named = tuple(make_rule(text[:80], operation=text, theme=text, statement=text) for text in HOSTILE)
    theirs = (make_case(f"{each.id}/{each.id}", rules=(each.id,), operation=each.operation) for each in named)
    return small(*cases, *theirs, rules=(make_rule(), *named))


def test_hostile_answers_do_nothing(browser: Any, tmp_path: Path) -> None:
    visit(browser, tmp_path, evil())
    open_all(browser)
    enter(browser, "search", "alert")
    assert len(shown(browser)) == 4
    scripts = "[...document.scripts].filter(each => !each.type).length"
    assert browser.execute_script(f"return {scripts} + document.images.length") == 1
    handlers = "[...document.querySelectorAll('*')].filter(e => e.getAttributeNames().some(n => n.startsWith('on')))"
    assert browser.execute_script(f"return {handlers}") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []  # an alert would have failed the calls above


def test_hostile_answers_are_shown_as_they_are(browser: Any, tmp_path: Path) -> None:
    visit(browser, tmp_path, evil(), f"#{RULE}/0")
    until(browser, "document.querySelectorAll('li.target pre').length > 2")
    told = text(browser, ".target")
    assert told.count(HOSTILE[0]) >= 8
    visit(browser, tmp_path, evil(), f"#{RULE}/5")
    until(browser, "document.querySelectorAll('li.target pre').length > 2")
    assert "\\u202eevil\\u2066\\u200b\\ufeff" in text(browser, ".target")
    assert text(browser, ".target pre i") == "\\u202e"


def test_an_odd_id_can_be_linked_to(browser: Any, tmp_path: Path) -> None:
    results = evil()
    visit(browser, tmp_path, results)
    for rule in results.rules[1:]:
        (link,) = browser.execute_script(
            "return [...document.querySelectorAll('article h4 a')].filter(e => e.textContent === arguments[0])",
            visible(rule.id, lines=True),
        )
        link.send_keys("\ue007")  # Enter
        until(browser, "'#' + document.querySelector('article.target')?.id === location.hash")
        browser.execute_script("document.querySelector('.target .cases a').click()")
        until(browser, "'#' + document.querySelector('li.target')?.id === location.hash")
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [PHONE["width"], 1280])
@pytest.mark.parametrize("large", [False, True], ids=["hostile", "large"])
def test_the_page_fits(browser: Any, tmp_path: Path, large: bool, width: int) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE | {"width": width, "mobile": width < 1000})
    visit(browser, tmp_path, make_results(600) if large else evil())
    open_all(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


# Filters and search


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("operation", "GetSessionToken", lambda each: each.rule.operation == "GetSessionToken"),
        ("theme", "scenario", lambda each: each.rule.theme == "scenario"),
        ("level", "should", lambda each: each.rule.level == "should"),
        ("verdict", "inconclusive", lambda each: each.verdict == "inconclusive"),
        ("verdict", "not-run", lambda each: each.verdict is None),
        ("verdict", "broken", lambda each: each.verdict in BROKEN),
        ("authority", "modelled", lambda each: each.rule.authority == "modelled"),
    ],
)
def test_a_filter_leaves_what_it_names(
    browser: Any, tmp_path: Path, results: Results, name: str, value: str, holds: Callable[[Any], bool]
) -> None:
    wanted = {outcome.rule.id for outcome in rule_outcomes(results) if holds(outcome)}
    assert 0 < len(wanted) < len(results.rules)
    visit(browser, tmp_path, results)
    enter(browser, name, value)
    assert shown(browser) == wanted
    assert text(browser, "#found") == f"{len(wanted)} of {len(results.rules)} rules"
    assert browser.execute_script("return location.hash") == f"#?{name}={value}"
    causes = "[...document.querySelectorAll('.verdict:not([hidden]) .cause:not([hidden])')]"
    listed = f"{causes}.flatMap(each => [...each.querySelectorAll('li:not([hidden]) a')])"
    broken = {rule for case in results.cases if case.verdict in BROKEN for rule in case.rules}
    assert set(browser.execute_script(f"return {listed}.map(each => each.hash.slice(1))")) == wanted & broken
    counted = f"{causes}.map(each => [parseInt(each.querySelector('.count').innerText), each])"
    wrong = f"{counted}.filter(([n, each]) => n !== each.querySelectorAll('li:not([hidden])').length).length"
    assert browser.execute_script(f"return {wrong}") == 0
    browser.find_element("css selector", "#filter [type=reset]").click()
    until(browser, "location.hash === ''")
    assert shown(browser) == {rule.id for rule in results.rules}


def test_filters_hold_together_and_come_with_the_link(browser: Any, tmp_path: Path, results: Results) -> None:
    wanted = {
        outcome.rule.id
        for outcome in rule_outcomes(results)
        if outcome.rule.level == "must" and outcome.verdict == "deviates" and "duration" in outcome.rule.id
    }
    assert wanted
    visit(browser, tmp_path, results)
    enter(browser, "level", "must")
    enter(browser, "verdict", "deviates")
    enter(browser, "search", "DURATION- check")
    assert shown(browser) == wanted
    link = browser.current_url
    browser.get("about:blank")
    browser.get(link)
    assert shown(browser) == wanted
    assert browser.find_element("css selector", "#filter [name=search]").get_property("value") == "DURATION- check"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("b.two", {"b.two"}),  # a rule's id
        ("Second statement", {"b.two"}),
        ("/suffix-of-a", {"a.one"}),  # a case's id
        ("418", {"a.one"}),  # what was received by a case that is not the first
        ("teapot <wanted>", {"b.two"}),  # what was expected
        ("listed because", {"b.two"}),
        ("one nowhere", set()),
        ("", {"a.one", "b.two"}),
    ],
)
def test_search_looks_into_rules_and_cases(browser: Any, tmp_path: Path, words: str, found: set[str]) -> None:
    rules = (make_rule("a.one", statement="the first"), make_rule("b.two", statement="the second statement"))
    cases = (
        make_case("a.one/suffix-of-a"),
        make_case("a.one/other", received="418 short"),
        make_case("b.two/x", expected="teapot <wanted>", reason="listed because"),
    )
    visit(browser, tmp_path, small(*cases, rules=rules))
    enter(browser, "search", words)
    assert shown(browser) == found


def test_search_leaves_the_causes_that_it_names(browser: Any, tmp_path: Path) -> None:
    rules = (make_rule("a.one", statement="an apple"), make_rule("b.two", statement="a pear"))
    cases = (
        make_case("a.one/1", verdict="deviates", received="404"),
        make_case("a.one/2", verdict="deviates", received="418"),
        make_case("b.two/1", verdict="deviates", received="418"),
    )
    visit(browser, tmp_path, small(*cases, rules=rules))
    for words, left in (("418", {"418": "2 rules"}), ("pear", {"418": "1 rule"}), ("apple 404", {"404": "1 rule"})):
        enter(browser, "search", words)
        causes = browser.execute_script("return [...document.querySelectorAll('.cause:not([hidden])')]")
        told = (cause.find_element("css selector", "summary").text.split("\n") for cause in causes)
        assert {received: count for count, received in told} == left


def test_a_cell_of_the_map_leads_to_its_rules(browser: Any, tmp_path: Path, results: Results) -> None:
    first = next(rule for rule in results.rules if rule.operation == "GetSessionToken" and rule.level == "should")
    wanted = {
        rule.id
        for rule in results.rules
        if (rule.operation, rule.theme, rule.level) == (first.operation, first.theme, first.level)
    }
    visit(browser, tmp_path, results)
    cell = f"a[href='#in-{first.operation}-{first.level}-{first.theme}']"
    browser.find_element("css selector", cell).click()
    until(browser, "location.hash.startsWith('#?')")
    assert shown(browser) == wanted
    browser.back()
    until(browser, "location.hash === ''")
    assert shown(browser) == {rule.id for rule in results.rules}


# Links and details


@pytest.mark.parametrize("verdict", ["deviates", "conforms"])
def test_a_deep_link_arrives(browser: Any, tmp_path: Path, results: Results, verdict: str) -> None:
    case = next(each for each in reversed(results.cases) if each.verdict == verdict)
    for target in (case.rules[0], case.id):
        visit(browser, tmp_path, results, f"#{target}")
        arrived(browser, target)


def arrived(browser: Any, target: str) -> None:
    until(browser, "document.querySelector('.target')")
    until(browser, "document.querySelector('.target pre') || document.querySelector('.target').tagName === 'ARTICLE'")
    top, bar = browser.execute_script(
        "return [document.getElementById(arguments[0]).getBoundingClientRect().top,"
        " document.querySelector('.bar').getBoundingClientRect().bottom]",
        target,
    )
    assert bar <= top < browser.execute_script("return innerHeight"), target


def test_a_link_to_a_case_is_followed_although_a_filter_hides_it(
    browser: Any, tmp_path: Path, results: Results
) -> None:
    case = next(each for each in results.cases if each.level == "exact" and each.exchange)
    visit(browser, tmp_path, results, "#?level=must")
    assert case.rules[0] not in shown(browser)
    browser.execute_script("location.hash = arguments[0]", case.id)
    arrived(browser, case.id)
    assert shown(browser) == {rule.id for rule in results.rules}
    assert browser.execute_script("return location.hash") == f"#{case.id}"


def test_details_are_made_when_they_are_asked_for(browser: Any, tmp_path: Path) -> None:
    exchange = make_exchange(3)
    first, second = (
        Finding(about="x.y", expected="a", received="b", exchange=exchange, story=f"1. called\n2. refused {n}")
        for n in (3, 4)
    )
    case = make_case(
        verdict="deviates", control=f"{RULE}/900", examples=30, exchange=exchange, reproduce="curl it",
        findings=(first, second),
    )  # fmt: skip
    visit(browser, tmp_path, small(make_case(f"{RULE}/900"), case))
    assert browser.execute_script("return document.querySelectorAll('article li, article pre').length") == 0
    browser.find_element("css selector", "article > details > summary").click()
    until(browser, "document.querySelector('article pre')")
    told = " ".join(text(browser, "article").split())
    assert exchange.response is not None
    for part in (
        "conforms 900",
        f"deviates 899 expected {case.expected} received {case.received} control {RULE}/900 Tried with 30 examples.",
        "1. called 2. refused 3 ",
        "1. called 2. refused 4 ",
        "Send it again curl it",
        "Sent POST http://127.0.0.1:5000/ Host: 127.0.0.1:5000",
        exchange.request.body,
        "Received 400 Content-Type: text/xml",
        "<Code>ValidationError</Code>",
        "breaks x.y expected a received b",
    ):
        assert part in told, part


def test_details_that_cannot_be_unpacked_are_told(browser: Any, tmp_path: Path) -> None:
    visit(browser, tmp_path, small(make_case(exchange=make_exchange())))
    browser.execute_script("document.getElementById('pack-0').textContent = 'AAAA'")
    browser.find_element("css selector", "article > details > summary").click()
    until(browser, "document.querySelector('article .cut')")
    assert "cannot unpack it" in text(browser, "article")


# Without scripts, in the dark, on paper, for everybody


def test_without_scripts_the_rules_are_there(browser: Any, tmp_path: Path, results: Results) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    visit(browser, tmp_path, results)
    assert not browser.find_element("id", "filter").is_displayed()
    outcome = next(each for each in rule_outcomes(results) if each.verdict == "deviates")
    told = browser.find_element("id", outcome.rule.id).text
    case = next(each for each in outcome.cases if each.verdict == "deviates")
    rule = outcome.rule
    for part in (rule.id, rule.statement, rule.level, "deviates", case.expected, case.received):
        assert part in told
    assert "need scripts" in browser.find_element("id", "rules").text
    assert len(browser.find_elements("css selector", "article")) == len(results.rules)


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 22, 28)")])
def test_the_page_follows_the_scheme(browser: Any, tmp_path: Path, scheme: str, ground: str) -> None:
    emulate(browser, scheme)
    visit(browser, tmp_path, small(make_case()))
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == ground


def emulate(browser: Any, scheme: str, media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def test_on_paper_there_is_no_filter_and_causes_are_open(browser: Any, tmp_path: Path, results: Results) -> None:
    visit(browser, tmp_path, results)
    emulate(browser, "dark", "print")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not browser.find_element("css selector", ".bar").is_displayed()
    assert browser.find_element("css selector", ".cause li").is_displayed()
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not browser.execute_script("return document.querySelector('.cause').open")


def test_the_first_key_leads_to_the_deviations(browser: Any, tmp_path: Path, results: Results) -> None:
    visit(browser, tmp_path, results)
    focused = browser.switch_to.active_element
    focused.send_keys("\ue004")  # Tab
    focused = browser.switch_to.active_element
    assert focused.text == "Skip to the deviations"
    assert focused.location["x"] >= 0
    assert focused.value_of_css_property("outline-style") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE["width"], 1280])
def test_the_accessibility_checker_finds_nothing(browser: Any, tmp_path: Path, scheme: str, width: int) -> None:
    results = make_results(72, per_rule=2)
    axe = pytest.importorskip("selenium_axe_python").Axe(browser)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE | {"width": width, "mobile": width < 1000})
    emulate(browser, scheme)
    case = next(each for each in results.cases if each.verdict == "deviates")
    for fragment, opened in (("", ".cause"), (f"#{case.id}", "article details")):
        visit(browser, tmp_path, results, fragment)
        browser.execute_script("document.querySelectorAll(arguments[0]).forEach(each => each.open = true)", opened)
        axe.inject()
        found = axe.run()["violations"]
        assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []
