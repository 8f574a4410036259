"""The page tells everything of the results, lets nothing of an endpoint act, and stays small."""

import json
import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from reports.html import causes, maps, render_page, sections, write_page
from reports.model import (
    VERDICTS,
    CaseResult,
    Exchange,
    GoneDeviation,
    KillRow,
    ReceivedResponse,
    Results,
    Rule,
    SentRequest,
    Source,
    Target,
)
from reports.summary import rule_outcomes
from reports.writer import to_json
from tests.reports.colours import contrast, palette
from tests.reports.synthetic import (
    HOSTILE,
    make_case,
    make_edge,
    make_results,
    make_row,
    make_rule,
    make_run,
)

RULE = "assume-role.duration-seconds.min"
ALLOWED_TAGS = frozenset(
    re.findall(
        r"\w+",
        "a article b body button caption cite dd details div dl dt em footer form h1 h2 h3 h4 head header html i"
        " input label li main mark meta nav noscript option output p script search section select span style"
        " summary table tbody td th thead title tr ul wbr",
    )
)
ALLOWED_ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "aria-label aria-labelledby aria-live autocomplete charset class content data-rule hidden href http-equiv"
        " id lang name open placeholder scope spellcheck type value",
    )
)
VOID = frozenset({"input", "meta", "wbr"})


class Page(HTMLParser):
    """A page taken apart: tags, attributes, ids, links, headings, scripts, text by element id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.scripts: list[tuple[str, str]] = []  # type and text
        self._inside: list[tuple[str, str]] = []
        self._texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert not self._inside, f"not closed: {self._inside}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        assert len(values) == len(attrs)
        self.tags.add(tag)
        self.attributes.update(values)
        if "id" in values:
            self.ids.append(values["id"])
            self._texts[values["id"]] = []
        if "href" in values:
            self.links.append(values["href"])
        if tag == "script":
            self.scripts.append((values.get("type", ""), ""))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._inside.append((tag, values.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1][0] == "script":
            kind, text = self.scripts.pop()
            self.scripts.append((kind, text + data))
        for _, element in self._inside:
            if element:
                self._texts[element].append(data)

    @property
    def index(self) -> Any:
        """What the page carries as data of its cases."""
        return json.loads(next(text for kind, text in self.scripts if kind == "application/json"))

    @property
    def targets(self) -> set[str]:
        """Where a link can lead: elements, and the cases that the script shows when asked to."""
        index = self.index
        ends = {number: name for name, number in index["anchors"].items()}
        cases = {ends.get(number, name) for number, name in enumerate(index["names"])}
        assert not cases & set(self.ids)
        return cases | set(self.ids)

    def text_of(self, element: str) -> str:
        """Tell the text inside the element with that id, blanks run together."""
        return " ".join("".join(self._texts[element]).split())


def page_of(*cases: CaseResult, rules: tuple[Rule, ...] = (make_rule(),), **changes: object) -> Page:
    results = Results(run=make_run(), rules=rules, cases=cases, complete=True)
    return Page(render_page(results.model_copy(update=changes)))


@pytest.fixture(scope="module")
def large() -> Results:
    return make_results(2500)


@pytest.fixture(scope="module")
def large_html(large: Results) -> str:
    return render_page(large)


@pytest.fixture(scope="module")
def large_page(large_html: str) -> Page:
    return Page(large_html)


def everywhere(text: str) -> Results:
    """Put a text wherever results can hold one."""
    headers = ((text, text),)
    sent = SentRequest(method=text, url=text, headers=headers, body=text)
    answered = Exchange(request=sent, response=ReceivedResponse(status=400, headers=headers, body=text))
    failed = Exchange(request=sent, failure=text)
    rule_id = text[:200]
    case_id = f"{rule_id}/{rule_id}"
    words = {"expected": text, "received": text, "reason": text, "control": case_id, "reproduce": text}
    rule = make_rule(
        rule_id,
        statement=text,
        operation=text,
        theme=text,
        source=Source(document=text, heading=text),
        ledger=(text,),
    )
    return Results(
        run=make_run(
            suite_version=text,
            contract=text,
            started=text,
            command=text,
            target=Target(name=text, endpoint=text, server=text, baseline=text),
        ),
        rules=(rule,),
        unsupported=(text,),
        cases=tuple(
            make_case(
                f"{case_id}{number}",
                rules=(rule_id,),
                operation=text,
                verdict=verdict,
                exchange=(answered, failed)[number % 2],
                **words,
            )
            for number, verdict in enumerate(VERDICTS)
        ),
        gone=(GoneDeviation(id=text, reason=text),),
        kill_table=(
            make_row(f"{rule_id}/1", rule=rule_id, says=text, killed_by=f"{case_id}0"),
            make_row(f"{rule_id}/2", rule=text, says=text, killed_by=text),
        ),
        edges=(
            make_edge(operation=text, member=text, rule=rule_id, found=text),
            make_edge(operation=text, member=text, rule=text, reason=text),
        ),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_no_element_and_no_attribute(text: str) -> None:
    html = render_page(everywhere(text))
    page = Page(html)
    assert page.tags <= ALLOWED_TAGS
    assert page.attributes <= ALLOWED_ATTRIBUTES
    assert {link.removeprefix("#") for link in page.links} <= page.targets
    assert not any(re.search(r"\s", element) for element in page.ids)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_characters_are_made_visible(text: str) -> None:
    html = render_page(everywhere(text))
    html.encode("utf-8")
    assert all(line.isprintable() for line in html.replace("\t", " ").split("\n"))


def test_what_was_made_visible_is_marked() -> None:
    html = render_page(everywhere("a\u202e\x00b"))
    assert "<dd>a<i>\\u202e\\x00</i>b</dd>" in html
    assert "<title>STS conformance of a\\u202e\\x00b</title>" in html


def test_markup_is_shown_as_it_was_sent() -> None:
    page = page_of(make_case(verdict="deviates", received="<b>&amp;\"'"))
    assert "received<b>&amp;\"'" in page.text_of(RULE)


def test_nothing_is_fetched_and_no_script_runs_but_the_one_of_the_page(large_html: str, large_page: Page) -> None:
    (script,) = (text for kind, text in large_page.scripts if not kind)
    style = large_html.partition("<style>")[2].partition("</style>")[0]
    policy = (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)};"
        " base-uri 'none'; form-action 'none'"
    )
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in large_html
    assert "url(" not in large_html
    assert "@import" not in large_html
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script)


def source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_a_run_of_2500_cases_stays_small(large: Results, large_html: str) -> None:
    assert Counter(case.verdict for case in large.cases)["deviates"] >= 700
    assert len(large_html.encode()) < 1_500_000


def test_a_huge_answer_does_not_bloat_the_page() -> None:
    huge = "\x00" * 2_000_000
    sent = SentRequest(method="POST", url=huge, headers=((huge, huge),), body=huge)
    exchange = Exchange(
        request=sent, response=ReceivedResponse(status=400, headers=((huge, huge),), body=huge)
    )
    words = {"expected": huge, "received": huge, "reason": huge, "reproduce": huge}
    case = make_case(verdict="deviates", exchange=exchange, **words)
    target = Target(name="x", endpoint="x", server=huge)
    rows = (make_row(rule=huge, says=huge, killed_by=huge),)
    edges = (make_edge(operation=huge, member=huge, rule=huge, found=huge), make_edge(reason=huge))
    results = Results(run=make_run(target=target), rules=(make_rule(),), cases=(case,), kill_table=rows, edges=edges)
    assert len(render_page(results)) < 100_000


def test_every_link_leads_somewhere_and_ids_are_unique(large_page: Page) -> None:
    assert Counter(large_page.ids).most_common(1)[0][1] == 1
    assert {link.removeprefix("#") for link in large_page.links} <= large_page.targets


def test_headings_skip_no_level(large_page: Page) -> None:
    assert large_page.headings[0] == 1
    assert large_page.headings.count(1) == 1
    assert all(
        after <= before + 1
        for before, after in zip(large_page.headings, large_page.headings[1:], strict=False)
    )
    assert {"header", "nav", "main", "footer"} <= large_page.tags


def test_every_rule_and_every_case_has_its_anchor(large: Results, large_page: Page) -> None:
    ids = set(large_page.ids)
    assert {rule.id for rule in large.rules} <= ids
    assert {case.id for case in large.cases} <= large_page.targets


def test_a_rule_tells_all_that_is_known_of_it() -> None:
    rule = make_rule(ledger=("L0123", "L0124"))
    text = page_of(make_case(verdict="deviates"), rules=(rule,)).text_of(RULE)
    for part in (
        rule.id,
        rule.statement,
        "deviates",
        "must",
        "documented",
        rule.source.document,
        rule.source.heading,
        "(L0123, L0124)",
    ):
        assert part in text


def test_a_broken_rule_tells_how_in_plain_html() -> None:
    cases = (
        make_case(),
        make_case(f"{RULE}/1", verdict="known-deviation", received="200 <A>", reason="not checked"),
        make_case(f"{RULE}/2", verdict="known-deviation", received="200 <B>", reason="not checked"),
    )
    text = page_of(*cases).text_of(RULE)
    assert f"expected{cases[1].expected}received200 <A>reasonnot checked" in text
    assert "200 <B>" not in text
    assert "expected" not in page_of(make_case()).text_of(RULE)


def test_the_difference_is_marked() -> None:
    case = make_case(verdict="deviates", expected="accepted with 200; A matches b", received="200 <X>; A is missing")
    html = render_page(Results(run=make_run(), rules=(make_rule(),), cases=(case,)))
    assert "<dd>accepted with 200; <mark>A matches b</mark></dd>" in html
    assert "<dd>200 &lt;X&gt;; <mark>A is missing</mark></dd>" in html


def test_a_ledger_id_that_is_the_rule_itself_is_not_told_again() -> None:
    assert f"({RULE}" not in page_of(rules=(make_rule(ledger=(RULE,)),)).text_of(RULE)


def test_a_kept_rule_tells_which_cases_could_not_speak() -> None:
    page = page_of(make_case(), make_case(f"{RULE}/1", verdict="untestable"))
    assert "of 2 cases, 1 untestable" in page.text_of(RULE)
    assert page_of(make_case()).text_of(RULE).endswith("; 1 case")


def test_deviations_come_first_the_unlisted_before_the_known() -> None:
    rules = tuple(make_rule(f"a.{verdict}") for verdict in VERDICTS)
    cases = tuple(
        make_case(f"a.{verdict}/1", verdict=verdict, reason=f"why {verdict}") for verdict in VERDICTS
    )
    page = page_of(*cases, rules=rules)
    listed = re.findall(r"a\.([a-z-]+) \S[^,]* must, 1 of 1 case", page.text_of("deviations"))
    assert listed == ["deviates", "flaky", "known-deviation"]
    assert page.ids.index("deviations") < page.ids.index("rules")


def test_deviations_with_one_answer_make_one_group_and_known_ones_one_a_reason() -> None:
    levels = {"a.a": "exact", "b.b": "must", "c.c": "must"}
    rules = tuple(make_rule(name, level=level) for name, level in levels.items())
    cases = (
        make_case("a.a/1", verdict="deviates", received="200 <X>"),
        make_case("b.b/1", verdict="deviates", received="200 <X>"),
        make_case("b.b/2", verdict="deviates", received="200 <X>"),
        make_case("a.a/2", verdict="deviates", received="500"),
        make_case("c.c/1", verdict="deviates", received="404"),
        make_case("c.c/2", verdict="known-deviation", received="200 <X>", reason="not checked"),
        make_case("b.b/3", verdict="known-deviation", received="200 <Y>", reason="not checked"),
    )
    outcomes = rule_outcomes(Results(run=make_run(), rules=rules, cases=cases))

    def told(verdict: Any) -> list[tuple[str, list[tuple[str, int]]]]:
        return [
            (cause.words, [(outcome.rule.id, number) for outcome, number in cause.rules])
            for cause in causes(outcomes, verdict)
        ]

    assert told("deviates") == [("200 <X>", [("b.b", 2), ("a.a", 1)]), ("404", [("c.c", 1)]), ("500", [("a.a", 1)])]
    assert told("known-deviation") == [("not checked", [("b.b", 1), ("c.c", 1)])]
    assert told("flaky") == []


def test_an_answer_that_never_came_is_a_cause_too() -> None:
    (case,) = (make_case(verdict="deviates", received=""),)
    (cause,) = causes(rule_outcomes(Results(run=make_run(), rules=(make_rule(),), cases=(case,))), "deviates")
    assert cause.words == "nothing was received"


def test_no_deviation_is_told_too() -> None:
    assert page_of(make_case()).text_of("deviations") == "Deviations None."


def test_what_was_not_judged_is_told_with_its_reason() -> None:
    reason = "needs an MFA device"
    cases = [make_case(f"{RULE}/{n}", verdict="untestable", reason=reason) for n in range(3)]
    page = page_of(*cases, make_case(f"{RULE}/x", verdict="inconclusive"))
    assert page.text_of("silent") == (
        "Not judged inconclusive 1 case: no reason given untestable 3 cases: needs an MFA device"
    )


def test_the_header_tells_what_was_run() -> None:
    html = render_page(make_results(10))
    for part in (
        "http://127.0.0.1:5000",
        "moto 5.2.5",
        "targets/profiles/moto.yaml",
        "2026-11-22T06:12:00Z",
        "0.1.0",
        "sha256:5f1d7a84db0d2a3c",
        "--target=moto",
        "10 cases, 4 rules, complete",
        "decided by must and should",
    ):
        assert f"<dd>{part}</dd>" in html, part
    assert "cut off" not in html
    assert "The run was cut off." in render_page(make_results(10).model_copy(update={"complete": False}))


def test_gone_deviations_unsupported_operations_and_authorities_are_told() -> None:
    page = page_of(
        make_case(follows=("documented", "modelled")),
        unsupported=("AssumeRoot",),
        gone=(GoneDeviation(id="common.x", reason="was so"),),
    )
    assert "Operations that do not exist here: AssumeRoot." in page.text_of("summary")
    assert page.text_of("gone").endswith("common.xwas so")
    assert "documented and modelled in 1 case" in page.text_of("authorities")


def test_the_map_tells_of_each_operation_and_theme_the_worst_verdict_and_leads_to_the_rules() -> None:
    rules = (make_rule("a.a"), make_rule("b.b"), make_rule("c.c", theme="wire"), make_rule("d.d", theme="sdk"))
    cases = (make_case("a.a/1"), make_case("b.b/1", verdict="deviates"), make_case("c.c/1"))
    page = page_of(*cases, rules=rules)
    text = page.text_of("summary")
    assert "constraints 1/2 broken, worst deviates" in text
    assert "wire 1 conforms" in text
    assert "sdk 1 not run" in text
    assert "#in-AssumeRole-must-constraints" in page.links


def test_each_level_has_its_own_map() -> None:
    rules = (make_rule("a.a", level="exact"), make_rule("b.b", theme="wire"), make_rule("c.c", operation="common"))
    outcomes = rule_outcomes(Results(run=make_run(), rules=rules, cases=(make_case("b.b/1", verdict="flaky"),)))
    must, exact = maps(sections(outcomes))
    assert (must.level, must.themes) == ("must", ("constraints", "wire"))
    assert (exact.level, exact.themes) == ("exact", ("constraints", "wire"))
    assert list(must.rows) == ["AssumeRole", "common"]
    assert (must.rows["AssumeRole"]["wire"].verdict, must.rows["AssumeRole"]["wire"].broken) == ("flaky", 1)
    assert (must.rows["common"]["constraints"].verdict, must.rows["common"]["constraints"].broken) == (None, 0)


def test_the_header_tells_what_was_not_judged() -> None:
    cases = [make_case(f"{RULE}/{n}", verdict="untestable") for n in range(2)]
    html = render_page(Results(run=make_run(), rules=(make_rule(),), cases=(*cases, make_case())))
    assert '<dt>not judged</dt><dd>2 cases untestable: <a href="#silent">why</a></dd>' in html
    all_judged = Results(run=make_run(), rules=(make_rule(),), cases=(make_case(),))
    assert "<dt>not judged</dt>" not in render_page(all_judged)


def test_the_filter_offers_what_there_is() -> None:
    html = render_page(Results(run=make_run(), rules=(make_rule(operation='"<b>'),), cases=(make_case(),)))
    offered = re.findall(r'<option value="([^"]*)">([^<]*)</option>', html)
    assert [value for value, shown in offered if value] == [
        "&#34;&lt;b&gt;", "constraints", "must", "broken", "conforms", "documented",
    ]  # fmt: skip
    assert all(value == shown for value, shown in offered if value)


# Observed edges


def test_without_edges_there_is_no_section() -> None:
    html = render_page(Results(run=make_run(), rules=(make_rule(),), cases=(make_case(),)))
    assert "observed edges" not in html.lower()
    assert "#edges" not in Page(html).links


def test_the_edges_tell_where_the_lines_are_and_lead_to_the_rules() -> None:
    page = page_of(
        make_case(),
        edges=(
            make_edge(),
            make_edge(trait="max", documented=43200, observed=1_000_000, found="1,000,000", rule="x.y.max"),
            make_edge(trait="max-length", reason="AssumeRoot does not exist at this target"),
            make_edge(trait="min-length", reason="AssumeRoot does not exist at this target"),
        ),
    )
    text = page.text_of("edges")
    assert "AssumeRole DurationSeconds" in text
    assert "min900115" in text
    assert "max43,2001,000,00015" in text
    assert "Not looked for, 2 bounds: AssumeRoot does not exist at this target" in text
    assert text.count("DurationSeconds") == 2
    alone = page_of(make_case()).links
    assert Counter(page.links) - Counter(alone) == {"#edges": 1, f"#{RULE}": 1}


def test_edges_that_were_all_not_looked_for_make_no_empty_table() -> None:
    html = render_page(Results(run=make_run(), rules=(), cases=(), edges=(make_edge(reason="not there"),)))
    assert '<table class="edges">' not in html
    assert "Not looked for, 1 bound: not there" in html


def test_properties_are_told_on_the_header() -> None:
    run = make_run(examples=30, seed=2011)
    tried = render_page(Results(run=run, rules=(make_rule(),), cases=(make_case(theme="property"),)))
    assert "<dt>properties</dt><dd>up to 30 examples each, Hypothesis seed 2011</dd>" in tried
    without = render_page(Results(run=run, rules=(make_rule(),), cases=(make_case(),)))
    assert "<dt>properties</dt>" not in without


# The kill table


def test_without_a_kill_table_there_is_no_section() -> None:
    html = render_page(Results(run=make_run(), rules=(make_rule(),), cases=(make_case(),)))
    assert "kill table" not in html.lower()
    assert "#kills" not in Page(html).links


def test_the_kill_table_tells_each_defect_and_how_many_were_killed() -> None:
    rows = (make_row(f"{RULE}/a"), make_row(f"{RULE}/b", others=1234), make_row("x.y/c"))
    page = page_of(make_case(), kill_table=rows)
    text = page.text_of("kills")
    assert "3 of 3 defects killed, 0 survived; they break 2 rules." in text
    assert text.count("the bound of DurationSeconds is 899") == 3
    assert "1,234" in text
    assert "#kills" in page.links
    assert "open" not in page.attributes


def test_a_kill_links_to_the_rule_and_the_case_that_are_on_the_page_and_to_no_other() -> None:
    rows = (make_row(f"{RULE}/a"), make_row(f"{RULE}/b", killed_by=f"{RULE}/x"), make_row("x.y/c"))
    links = page_of(make_case(), kill_table=rows).links
    alone = page_of(make_case()).links
    assert Counter(links) - Counter(alone) == {"#kills": 1, f"#{RULE}": 2, f"#{RULE}/899": 1}


def test_a_case_of_another_rule_is_named_in_full() -> None:
    rows = (make_row(f"{RULE}/a"), make_row(f"{RULE}/b", killed_by="other.rule/1"))
    assert re.findall(r"899 (\S+) 1(?= |$)", spaced(rows)) == ["899", "other.rule/1"]


def spaced(rows: tuple[KillRow, ...]) -> str:
    """Render the page and tell the texts of the table's cells, a blank between them."""
    html = render_page(Results(run=make_run(), rules=(make_rule(),), cases=(), kill_table=rows))
    table = html.partition('<table class="kills">')[2].partition("</table>")[0]
    return " ".join(re.sub("<[^>]*>", " ", table.replace("<wbr>", "")).split())


def test_survivors_come_first_and_are_not_folded_away() -> None:
    page = page_of(kill_table=(make_row(f"{RULE}/a"), make_row(f"{RULE}/b", killed_by="", says="it lives")))
    text = page.text_of("kills")
    assert "1 of 2 defects killed, 1 survived; they break 1 rule." in text
    assert text.index("it lives") < text.index("the bound")
    assert "it livessurvived1" in text
    assert "open" in page.attributes


def test_the_kill_table_stands_in_the_order_of_the_rules() -> None:
    rows = tuple(make_row(f"{rule}/x") for rule in ("z.z", "c.d", "a.b", "c.d.e"))
    text = page_of(rules=tuple(map(make_rule, ("a.b", "c.d", "c.d.e"))), kill_table=rows).text_of("kills")
    assert re.findall(r"([a-z.]+)the bound", text) == ["a.b", "c.d", "c.d.e", "z.z"]


def test_markup_in_the_kill_table_is_shown_as_it_is() -> None:
    text = page_of(kill_table=(make_row(says="<b>&amp;RoleArn\"'"),)).text_of("kills")
    assert "<b>&amp;RoleArn\"'" in text


def test_a_rule_that_was_not_run_is_there() -> None:
    assert "not run" in page_of().text_of(RULE)
    assert page_of().text_of(RULE).endswith("; 0 cases")


def test_results_without_anything_make_a_page() -> None:
    assert page_of(rules=()).text_of("deviations") == "Deviations None."


def test_the_page_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    results = make_results(5)
    write_page(results, tmp_path / "a" / "b.html")
    assert (tmp_path / "a" / "b.html").read_text(encoding="utf-8") == render_page(results)


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = make_results(5)
    source = tmp_path / "results.json"
    source.write_text(to_json(results), encoding="utf-8")
    assert main(["html", str(source), "-o", str(tmp_path / "out")]) == 0
    page = tmp_path / "out" / "index.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8") == render_page(results)


def test_the_command_tells_what_is_wrong_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "results.json"
    assert main(["html", str(source), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"{source}: No such file or directory\n"
    source.write_text(to_json(make_results(5)), encoding="utf-8")
    (tmp_path / "file").touch()
    assert main(["html", str(source), "-o", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("verdict", [*VERDICTS, "not-run"])
def test_verdicts_can_be_read(scheme: str, verdict: str) -> None:
    colours = palette(scheme)
    assert contrast(colours[verdict], colours[f"{verdict}-on"]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "link"])
@pytest.mark.parametrize("ground", ["page", "raised"])
def test_text_can_be_read(scheme: str, ink: str, ground: str) -> None:
    colours = palette(scheme)
    assert contrast(colours[ink], colours[ground]) >= 4.5
