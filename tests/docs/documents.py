"""The documents taken apart: their fenced blocks, with the notes in HTML comments just above them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (Path("README.md"), *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")))
SHELL = frozenset({"sh", "bash", "console"})
NOTES = frozenset({"not run", "exits", "file", "append", "excerpt"})

_FENCE = re.compile(r"^```(\w*)$")
_NOTE = re.compile(r"^<!-- ([a-z ]+): (.+) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    place: str  # document and line
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def commands(self) -> str:
        """Return what is typed: in a console block, what stands behind a dollar sign."""
        if self.language != "console":
            return self.text
        return "\n".join(line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ "))


def read(document: Path) -> str:
    """Return the text of a document."""
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: Path, text: str | None = None) -> list[Block]:
    """Return the fenced blocks of a document in their order."""
    found: list[Block] = []
    notes: dict[str, str] = {}
    opened: tuple[int, str] | None = None
    body: list[str] = []
    for number, line in enumerate((text if text is not None else read(document)).splitlines(), 1):
        fence, note = _FENCE.match(line), _NOTE.match(line)
        if opened is not None and line != "```":
            body.append(line)
        elif opened is not None:
            found.append(Block(f"{document}:{opened[0]}", opened[1], "\n".join(body), notes))
            opened, notes, body = None, {}, []
        elif fence:
            opened = (number, fence[1])
        elif note:
            notes[note[1]] = note[2]
        else:
            notes = {}
    return found
