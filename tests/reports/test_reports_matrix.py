"""Runs side by side: each has its name, each rule its verdicts, and the page works without scripts.

The tests with a browser need chromium and chromedriver on the path; they say so where they are missing.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.compare import render_diff, render_matrix, write_matrix
from reports.diff import compare
from reports.embedded import anchor
from reports.matrix import labels, make_matrix
from reports.model import LEVELS, VERDICTS, Results, Rule, Run, Verdict
from tests.reports.colours import contrast, palette
from tests.reports.synthetic import HOSTILE, make_case, make_results, make_rule, make_run
from tests.reports.taken_apart import Page
from tests.reports.test_reports_browser import CHROMIUM, DRIVER, FLAGS, PHONE

RULE = "assume-role.duration-seconds.min"


def run_of(name: str = "moto", **changes: Any) -> Run:
    told: dict[str, Any] = {key: changes.pop(key) for key in ("server", "endpoint") if key in changes}
    return make_run(target=make_run().target.model_copy(update={"name": name} | told), **changes)


def results_of(*verdicts: Verdict, run: Run | None = None, rules: tuple[Rule, ...] = (make_rule(),)) -> Results:
    cases = tuple(
        make_case(f"{RULE}/{number}", verdict=verdict, received=f"answer of {verdict}")
        for number, verdict in enumerate(verdicts)
    )
    return Results(run=run or run_of(), rules=rules, cases=cases, complete=True)


def many(number: int = 300) -> list[Results]:
    return [
        make_results(number, seed=seed).model_copy(update={"run": run_of(name)})
        for seed, name in enumerate(("moto", "ministack", "roto"))
    ]


# Names.


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((run_of("a"), run_of("b")), ("a", "b")),
        (
            (run_of(server="moto 5.1"), run_of("b"), run_of(server="moto 5.2")),
            ("moto (moto 5.1)", "b", "moto (moto 5.2)"),
        ),
        ((run_of(server=""), run_of(server="5.2")), ("moto (server unknown)", "moto (5.2)")),
        ((run_of(suite_version="1"), run_of(suite_version="2")), ("moto (suite 1)", "moto (suite 2)")),
        (
            (run_of(started="2026-11-21T06:12:00Z"), run_of(started="2026-11-22T06:12:00Z")),
            ("moto (2026-11-21)", "moto (2026-11-22)"),
        ),
        (
            (run_of(started="2026-11-22T06:12:00Z"), run_of(started="2026-11-22T06:13:00Z")),
            ("moto (2026-11-22 06:12)", "moto (2026-11-22 06:13)"),
        ),
        (
            (run_of(server="1"), run_of(server="2"), run_of(server="2", suite_version="2")),
            ("moto (1, suite 0.1.0)", "moto (2, suite 0.1.0)", "moto (2, suite 2)"),
        ),
        ((run_of(), run_of()), ("moto (1)", "moto (2)")),
        ((run_of("a (1)"), run_of("a"), run_of("a")), ("1: a (1)", "2: a (1)", "3: a (2)")),
    ],
)
def test_runs_of_one_name_are_told_apart(runs: tuple[Run, ...], expected: tuple[str, ...]) -> None:
    assert labels(runs) == expected


# What a cell says.


def test_a_cell_has_the_verdict_of_the_rule_and_what_is_answered_instead() -> None:
    matrix = make_matrix([results_of("conforms", "deviates", "deviates", "untestable"), results_of("conforms")])
    (operation,) = matrix.operations
    (row,) = operation.differing
    first, second = row.cells
    assert (first.verdict, first.cases, first.agreeing, first.broken) == ("deviates", 4, 2, True)
    assert [(each.verdict, len(each.cases)) for each in first.answers] == [("deviates", 2), ("untestable", 1)]
    assert (second.verdict, second.answers, second.broken) == ("conforms", (), False)


def test_a_rule_that_a_run_does_not_have_is_no_verdict() -> None:
    bare = results_of(rules=(make_rule("another.rule"),))
    matrix = make_matrix([results_of("conforms"), bare])
    cells = {row.rule.id: row.cells for each in matrix.operations for row in (*each.differing, *each.kept)}
    assert [cell.present for cell in cells[RULE]] == [True, False]
    assert [cell.verdict for cell in cells["another.rule"]] == [None, None]
    assert matrix.kept_by_all == 0
    assert all(row.same for each in matrix.operations for row in each.differing)


def test_targets_that_answer_alike_stand_together() -> None:
    runs = [results_of(verdict) for verdict in ("deviates", "conforms", "deviates", "untestable")]
    (row,) = make_matrix(runs).operations[0].differing
    assert [each.columns for each in row.instead] == [(1, 3), (4,)]


def test_what_all_keep_in_every_case_is_apart() -> None:
    kept = make_matrix([results_of("conforms"), results_of("conforms", "conforms")])
    assert (kept.kept_by_all, kept.rows) == (1, 1)
    not_all = make_matrix([results_of("conforms"), results_of("conforms", "untestable")])
    assert (not_all.kept_by_all, not_all.rows) == (0, 1)


def test_the_matrix_has_every_rule_once_in_order() -> None:
    runs = many()
    matrix = make_matrix(runs)
    ids = [row.rule.id for each in matrix.operations for row in (*each.differing, *each.kept)]
    assert sorted(ids) == sorted({rule.id for results in runs for rule in results.rules})
    assert matrix.operations[-1].name == "common"
    for operation in matrix.operations:
        for rows in (operation.differing, operation.kept):
            places = [(LEVELS.index(row.rule.level), row.rule.id) for row in rows]
            assert places == sorted(places)


# The page.


def test_the_page_is_sound_and_tells_every_rule() -> None:
    runs = many()
    page = Page(render_matrix(runs))
    page.check()
    assert {anchor(rule.id) for results in runs for rule in results.rules} <= set(page.ids)
    for name in ("moto", "ministack", "roto", "where targets differ", "broken by roto"):
        assert name in page.text


def test_a_row_for_each_target_and_level() -> None:
    html = render_matrix(many())
    summary = html[html.index('id="scores"') : html.index('id="rules"')]
    assert summary.count('scope="rowgroup"') == 3
    assert re.findall(r'<th scope="row">(\w+)</th>', summary) == [*LEVELS] * 3


def test_runs_of_other_contracts_are_remarked() -> None:
    words = "different versions of the contract"
    runs = [results_of("conforms", run=run_of(contract=contract)) for contract in ("a", "b")]
    assert words in render_matrix(runs)
    assert words not in render_matrix(runs[:1])


def everywhere(text: str) -> Results:
    rule = make_rule(text[:200], statement=text, operation=text)
    case = make_case(
        "x", rules=(rule.id,), operation=text, verdict="deviates", received=text, expected=text, reason=text
    ).model_copy(update={"id": f"{rule.id}/{rule.id}"})
    run = run_of(text, server=text, endpoint=text, started=text, suite_version=text, contract=text, command=text)
    return Results(run=run, rules=(rule,), cases=(case,), complete=True)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_does_nothing_to_the_page(text: str) -> None:
    html = render_matrix([everywhere(text), results_of("conforms"), everywhere(text)])
    Page(html).check()
    assert html.encode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_can_be_read(scheme: str) -> None:
    colours = palette(scheme)
    pairs = [(verdict, f"{verdict}-on") for verdict in (*VERDICTS, "not-run")]
    pairs += [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "raised")]
    pairs.append(("ink", "inconclusive-on"))  # remarks
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


# In a browser.

needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the path")


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


def visit(browser: Any, page: Path, html: str) -> None:
    page.write_text(html, encoding="utf-8")
    browser.get("about:blank")
    browser.get(page.as_uri())


def shown(browser: Any) -> list[str]:
    """Ids of the rules that are to be seen once everything is unfolded."""
    script = """
        document.querySelectorAll('details').forEach(each => each.open = true);
        return [...document.querySelectorAll('.rule')].filter(each => each.checkVisibility()).map(each => each.id);
    """
    found: list[str] = browser.execute_script(script)
    return found


def press(browser: Any, element: str) -> None:
    """Press a filter as somebody without a mouse does."""
    control = browser.find_element("id", element)
    browser.execute_script("arguments[0].focus()", control)
    control.send_keys(" ")


@needs_browser
def test_filters_work_without_scripts(browser: Any, tmp_path: Path) -> None:
    runs = many(120)
    rows = [row for each in make_matrix(runs).operations for row in (*each.differing, *each.kept)]
    browser.execute_cdp_cmd("Page.enable", {})
    visit(browser, tmp_path / "index.html", render_matrix(runs))
    assert browser.execute_script("return document.scripts.length") == 0
    assert len(shown(browser)) == len(rows)
    press(browser, "only-differing")
    assert set(shown(browser)) == {row.rule.id for row in rows if not row.same}
    press(browser, "broken-2")
    broken = {row.rule.id for row in rows if row.cells[1].broken}
    assert 0 < len(broken) < len(rows)
    assert set(shown(browser)) == broken
    press(browser, "show-must")
    assert set(shown(browser)) == {row.rule.id for row in rows if row.cells[1].broken and row.rule.level != "must"}


@needs_browser
def test_what_all_keep_is_folded(browser: Any, tmp_path: Path) -> None:
    visit(browser, tmp_path / "index.html", render_matrix([results_of("conforms")]))
    rule = browser.find_element("css selector", ".rule")
    assert not rule.is_displayed()
    browser.find_element("css selector", ".kept summary").click()
    assert rule.is_displayed()


@needs_browser
@pytest.mark.parametrize("page", ["matrix", "diff"])
@pytest.mark.parametrize("text", [*range(len(HOSTILE)), "many"])
def test_pages_fit_a_phone_and_run_nothing(browser: Any, tmp_path: Path, page: str, text: int | str) -> None:
    runs = many(300) if isinstance(text, str) else [everywhere(HOSTILE[text]), results_of("conforms")]
    html = render_matrix(runs) if page == "matrix" else render_diff(compare(runs[1], runs[0]))
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    visit(browser, tmp_path / "index.html", html)
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    assert browser.execute_script("return document.scripts.length + document.images.length") == 0
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@needs_browser
def test_the_head_of_the_table_stays_in_view(browser: Any, tmp_path: Path) -> None:
    visit(browser, tmp_path / "index.html", render_matrix(many(600)))
    browser.set_window_size(1280, 800)
    top = """
        const row = document.querySelectorAll('.rule')[arguments[0]];
        row.scrollIntoView({block: 'end'});
        return row.closest('table').querySelector('thead th').getBoundingClientRect().top;
    """
    assert abs(browser.execute_script(top, 9)) < 2


def test_the_page_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    runs = many(12)
    write_matrix(runs, tmp_path / "a" / "b.html")
    assert (tmp_path / "a" / "b.html").read_text(encoding="utf-8") == render_matrix(runs)


@needs_browser
def test_a_deep_link_arrives_below_the_head(browser: Any, tmp_path: Path) -> None:
    runs = many(600)
    matrix = make_matrix(runs)
    page = tmp_path / "index.html"
    page.write_text(render_matrix(runs), encoding="utf-8")
    both = [operation for operation in matrix.operations if operation.differing and operation.kept]
    for operation in (both[0], both[-1]):
        for row in (operation.differing[-1], operation.kept[-1]):  # the latter is folded
            browser.get("about:blank")
            browser.get(f"{page.as_uri()}#{row.rule.id}")
            script = "return document.getElementById(arguments[0]).getBoundingClientRect().top"
            assert 20 < browser.execute_script(script, row.rule.id) < browser.execute_script("return innerHeight")
