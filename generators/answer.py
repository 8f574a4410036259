"""An answer of an endpoint, read with distrust: whatever bytes come, this gives an Answer and never raises."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_MAX_DEPTH = 50
# XML 1.0, appendix F: byte order marks, and "<" without one. In another encoding no secret would be recognised.
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\x00": "utf-16-le", b"\x00<": "utf-16-be"}


@dataclass(frozen=True, repr=False)
class Answer:
    """Status, headers and body as they came."""

    status: int
    headers: tuple[tuple[str, str], ...]  # names in lower case, order kept
    body: bytes

    def __repr__(self) -> str:
        # What it says may be secret, and is an endpoint's.
        return f"<Answer {self.status}, {len(self.body)} bytes>"

    def header(self, name: str) -> str | None:
        """Return the first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)

    @cached_property
    def text(self) -> str:
        """The body as text: in UTF-8, or in UTF-16 if it begins so; what is neither is replaced."""
        return self.body.decode(_ENCODINGS.get(self.body[:2], "utf-8"), errors="replace")

    @cached_property
    def root(self) -> Element | None:
        """The root element, or None when the body is no XML that is safe to read."""
        try:
            root: Element = fromstring(self.body, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
            return None
        return root if _depth_within(root, _MAX_DEPTH) else None

    @cached_property
    def is_error(self) -> bool:
        """Whether clients of the Query protocol find an error in the body."""
        return self._error is not None or (self.root is not None and local_name(self.root) == "ErrorResponse")

    @cached_property
    def _error(self) -> str | None:
        # botocore looks in both places, whatever the root is called; that the second one is not STS's
        # is the business of the rule common.error.envelope.
        return next((path for path in ("Error", "Errors/Error") if self.at(path) is not None), None)

    @cached_property
    def error_code(self) -> str | None:
        """The error code that clients find; codes in other places do not count."""
        return self.text_at(f"{self._error}/Code") if self._error else None

    @cached_property
    def error_message(self) -> str | None:
        """The message beside it."""
        return self.text_at(f"{self._error}/Message") if self._error else None

    def at(self, path: str) -> Element | None:
        """Return the first element at a path of local names below the root; '' is the root."""
        element = self.root
        for name in filter(None, path.split("/")):
            if element is None:
                return None
            element = next((child for child in element if local_name(child) == name), None)
        return element

    def text_at(self, path: str) -> str | None:
        """Return the text of the element at `path`, None if there is no such element."""
        element = self.at(path)
        return None if element is None else element.text or ""

    def foreign_code(self) -> str | None:
        """Find an error code in an envelope that is not the Query protocol's, for the report only."""
        if self.root is None or self.error_code is not None:
            return None
        codes = (e.text for e in self.root.iter() if local_name(e) == "Code" and e.text)
        return next(codes, None)


def local_name(element: Element) -> str:
    """Return the tag without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(element: Element) -> str:
    """Return the namespace of the tag, '' if it has none."""
    tag = element.tag
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag.startswith("{") else ""


def _depth_within(root: Element, limit: int) -> bool:
    level: list[Element] = [root]
    for _ in range(limit):
        level = list(_children(level))
        if not level:
            return True
    return False


def _children(elements: list[Element]) -> Iterator[Element]:
    for element in elements:
        yield from element
