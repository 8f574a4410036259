"""A page taken apart, and what holds of every page about several runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TAGS = frozenset(
    re.findall(
        r"\w+",
        "a article b body caption cite dd details div dl dt em fieldset footer form h1 h2 h3 h4 head header html i"
        " input label legend li main meta nav p pre section small span style summary table tbody td th thead title"
        " tr ul wbr",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "aria-labelledby aria-label checked class colspan content href http-equiv id lang name open role rowspan"
        " scope style tabindex type charset",
    )
)
VOID = frozenset({"input", "meta", "wbr"})
STYLES = re.compile(r"--columns: \d+")


class Page(HTMLParser):
    """Tags, attributes, ids, links, headings and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.styles: list[str] = []
        self.headings: list[int] = []
        self.scopes: list[str | None] = []
        self.text = ""
        self.csp = ""
        self._inside: list[str] = []
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
        if "href" in values:
            self.links.append(values["href"])
        if "style" in values:
            self.styles.append(values["style"])
        if tag == "th":
            self.scopes.append(values.get("scope"))
        if values.get("http-equiv") == "Content-Security-Policy":
            self.csp = values["content"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._inside:
            self.text += data

    def check(self) -> None:
        """Hold the page to what no text in it may change."""
        assert self.tags <= TAGS, self.tags - TAGS
        assert self.attributes <= ATTRIBUTES, self.attributes - ATTRIBUTES
        assert self.csp.startswith("default-src 'none';")
        assert "script" not in self.csp
        assert len(set(self.ids)) == len(self.ids)
        for link in self.links:
            assert link.startswith("#"), link
            assert link[1:] in self.ids, link
        assert all(STYLES.fullmatch(style) for style in self.styles)
        assert None not in self.scopes
        assert self.headings[0] == 1
        assert self.headings.count(1) == 1
        for before, after in zip(self.headings, self.headings[1:], strict=False):
            assert after <= before + 1
        assert self.text.replace("\n", "").replace("\t", "").isprintable()
