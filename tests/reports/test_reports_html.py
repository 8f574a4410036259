"""The page tells everything of the results, lets nothing of an endpoint act, and stays small."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.html import TEXT_LIMIT, anchor, render_page, shown_exchanges, write_page
from reports.model import (
    LEVELS,
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
from reports.writer import to_json
from tests.reports.synthetic import (
    HOSTILE,
    make_case,
    make_edge,
    make_exchange,
    make_results,
    make_row,
    make_rule,
    make_run,
)

RULE = "assume-role.duration-seconds.min"
STYLE = Path(__file__).parents[2] / "reports" / "templates" / "style.css"
ALLOWED_TAGS = frozenset(
    re.findall(
        r"\w+",
        "a article b body caption cite dd details dl dt em footer h1 h2 h3 h4 h5 head header html i li main"
        " meta nav p pre section span style summary table tbody td tfoot th thead title tr ul wbr",
    )
)
ALLOWED_ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "aria-label aria-labelledby charset class content href http-equiv id lang name open scope tabindex",
    )
)
VOID = frozenset({"meta", "wbr"})


class Page(HTMLParser):
    """A page taken apart: tags, attributes, ids, links, headings, text by element id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.text: Counter[str] = Counter()
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
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._inside.append((tag, values.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, element in self._inside:
            if element:
                self._texts[element].append(data)

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
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
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
    assert "received<b>&amp;\"'" in page.text_of(f"{RULE}/899")


def test_nothing_is_fetched_and_no_script_runs(large_html: str) -> None:
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in large_html
    assert "url(" not in large_html
    assert "@import" not in large_html


def test_a_run_of_2500_cases_stays_small(large: Results, large_html: str) -> None:
    assert Counter(case.verdict for case in large.cases)["deviates"] >= 700
    assert len(large_html.encode()) < 4_000_000


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
    assert {link.removeprefix("#") for link in large_page.links} <= set(large_page.ids)


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
    assert {case.id for case in large.cases} <= ids


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


def test_a_case_tells_all_that_is_known_of_it() -> None:
    exchange = make_exchange(7)
    case = make_case(
        verdict="flaky",
        reason="was odd",
        follows=("observed",),
        control=f"{RULE}/900",
        exchange=exchange,
        reproduce="curl 'x' \\\n  y",
    )
    page = page_of(case, make_case(f"{RULE}/900"))
    text = page.text_of(case.id)
    assert exchange.response is not None
    for part in (
        "flaky",
        f"expected{case.expected}",
        f"received{case.received}",
        "reasonwas odd",
        "followsobserved",
        f"control{RULE}/900",
        "POST http://127.0.0.1:5000/ Host: 127.0.0.1:5000",
        exchange.request.body,
        "400 Content-Type: text/xml",
        "<Code>ValidationError</Code>",
        "curl 'x' \\ y",
    ):
        assert part in text, part
    assert f"#{RULE}/900" in page.links


def test_a_failed_connection_is_told() -> None:
    failed = Exchange(request=SentRequest(method="GET", url="http://x/"), failure="connection reset")
    assert "Nothing: connection reset" in page_of(make_case(verdict="inconclusive", exchange=failed)).text_of(
        f"{RULE}/899"
    )


def test_a_body_that_the_suite_cut_is_told() -> None:
    exchange = make_exchange()
    assert exchange.response is not None
    cut = exchange.model_copy(update={"response": exchange.response.model_copy(update={"truncated": True})})
    assert "longer than was kept" in page_of(make_case(exchange=cut)).text_of(f"{RULE}/899")
    assert "longer than was kept" not in page_of(make_case(exchange=exchange)).text_of(f"{RULE}/899")


def test_long_bodies_are_cut_with_a_note() -> None:
    exchange = make_exchange(body="y" * (TEXT_LIMIT + 1234))
    text = page_of(make_case(verdict="deviates", exchange=exchange)).text_of(f"{RULE}/899")
    assert "y" * TEXT_LIMIT + "… 1,234 more characters in results.json" in text


def test_a_control_that_did_not_run_is_named_without_a_link() -> None:
    page = page_of(make_case(verdict="inconclusive", control="other.rule/1"))
    assert "controlother.rule/1" in page.text_of(f"{RULE}/899")
    assert "#other.rule/1" not in page.links


def test_exchanges_are_shown_for_what_does_not_conform_and_once_for_what_does() -> None:
    cases = [
        make_case(f"{RULE}/1", exchange=make_exchange(1)),
        make_case(f"{RULE}/2", exchange=make_exchange(2)),
        make_case(f"{RULE}/3", exchange=make_exchange(3), verdict="deviates"),
        make_case(f"{RULE}/4", exchange=make_exchange(3), verdict="flaky"),
        make_case(f"{RULE}/5", exchange=make_exchange(1)),
        make_case(f"{RULE}/6", verdict="untestable"),
        make_case(f"{RULE}/7", reproduce="curl", verdict="inconclusive"),
        make_case("b.c/1", exchange=make_exchange(3)),
    ]
    beside = {"1": "1", "3": "3", "4": "3", "5": "1", "7": "7"}
    expected = {f"{RULE}/{case}": f"{RULE}/{other}" for case, other in beside.items()}
    assert shown_exchanges(cases) == expected | {"b.c/1": "b.c/1"}
    page = page_of(*cases[:7])
    assert f"Same exchange as {RULE}/3" in page.text_of(f"{RULE}/4")
    assert "Action=" in page.text_of(f"{RULE}/3")
    assert "Action=" not in page.text_of(f"{RULE}/2")


def test_a_case_of_several_rules_stands_once_and_is_linked_from_the_others() -> None:
    case = make_case("a.b/1", rules=("c.d", "a.b"), verdict="deviates")
    page = page_of(case, rules=(make_rule("a.b"), make_rule("c.d")))
    assert page.ids.count("a.b/1") == 1
    assert "Covered also by: deviates a.b/1" in page.text_of("c.d")
    assert "expected" in page.text_of("a.b")


def test_a_case_whose_id_is_not_of_its_rules_stands_under_the_first() -> None:
    case = make_case("x.y/1", rules=("c.d", "a.b"), verdict="deviates")
    page = page_of(case, rules=(make_rule("a.b"), make_rule("c.d")))
    assert "expected" in page.text_of("c.d")
    assert "Covered also by: deviates x.y/1" in page.text_of("a.b")


def test_a_kept_rule_tells_which_cases_could_not_speak() -> None:
    page = page_of(make_case(), make_case(f"{RULE}/1", verdict="untestable"))
    assert "of 2 cases, 1 untestable" in page.text_of(RULE)


def test_deviations_come_first_the_unlisted_before_the_known() -> None:
    rules = tuple(make_rule(f"a.{verdict}") for verdict in VERDICTS)
    cases = tuple(
        make_case(f"a.{verdict}/1", verdict=verdict, reason=f"why {verdict}") for verdict in VERDICTS
    )
    page = page_of(*cases, rules=rules)
    listed = re.findall(r"a\.([a-z-]+) 1 of 1 case", page.text_of("deviations"))
    assert listed == ["deviates", "flaky", "known-deviation"]
    assert "why known-deviation" in page.text_of("deviations")
    assert page.ids.index("deviations") < page.ids.index("rules")


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


def test_the_tables_hold_the_figures_and_lead_to_the_rules() -> None:
    page = page_of(make_case(), make_case(f"{RULE}/1", verdict="deviates"))
    assert "AssumeRole11·····" in page.text_of("summary").replace(" ", "")
    assert "all11·····" in page.text_of("summary").replace(" ", "")
    assert "#in-AssumeRole-must" in page.links


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


def test_results_without_anything_make_a_page() -> None:
    assert page_of(rules=()).text_of("deviations") == "Deviations None."


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a-b.c/899", "a-b.c/899"),
        ("a b", "a%20b"),
        ("\"'<>&", "%22%27%3C%3E%26"),
        ("\ud800", "%5Cud800"),
        ("é", "%C3%A9"),
    ],
)
def test_anchors_are_safe_in_an_attribute(text: str, safe: str) -> None:
    assert anchor(text) == safe


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


def palette(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_each_level_has_its_own_table(large_html: str) -> None:
    assert re.findall(r"<caption>Cases, level <b>(\w+)</b>", large_html) == list(LEVELS)
