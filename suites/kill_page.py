"""The kill table as a document: docs/kill-table.md, made of the same kills as the stored table."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from reports.summary import COMMON, count_kills
from specs.contract import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specs.contract import Rule
    from suites.kill import Kill

TABLE = Path(__file__).parents[1] / "targets" / "reference" / "kill-table.json"
PAGE = Path(__file__).parents[1] / "docs" / "kill-table.md"
_MOST = 10  # rules that are listed as noticing most
_MARKS = re.compile(r"[\\`*_\[\]<>|&~]")  # what Markdown would take for more than a character

_HEAD = """\
# Kill table

Do the cases notice a service that is wrong? The embedded reference (`pytest --target=reference`) keeps every
rule of the contract, and has a *defect* for each of them that can be switched on. To make this table every
defect is switched on alone, and all cases of its rule are sent over HTTP. If one deviates the defect is
*killed*; otherwise it *survived*, and the rule is not tested. The last column counts the other rules that
notice: their requests are answered within the process and compared with the answers of the correct reference.
Cases that an SDK sends and requests of a megabyte or more are left out there.

`python -m suites.kill` repeats it, in some minutes, and ends with exit status 1 if a defect survives or a rule
has none; with `-u` it also writes this page and [the table for
programs](../targets/reference/kill-table.json). One rule alone takes seconds:

```sh
python -m suites.kill -r assume-role.duration-seconds.max
```
"""


def page(kills: Sequence[Kill]) -> str:
    """Return the document, the same for the same kills."""
    return "\n".join([_HEAD, *_summary(kills), *_by_subject(kills), *_looked_at(kills)])


def _summary(kills: Sequence[Kill]) -> Iterator[str]:
    count = count_kills([kill.row for kill in kills])
    yield "| rules | with a defect | defects | killed | survived |"
    yield "|---:|---:|---:|---:|---:|"
    yield f"| {len(load().rules)} | {count.rules} | {count.defects} | {count.killed} | {count.survived} |"
    yield ""


def _by_subject(kills: Sequence[Kill]) -> Iterator[str]:
    rules = load().rules
    subjects = {_subject(rule): None for rule in sorted(rules.values(), key=lambda rule: rule.operation == COMMON)}
    places = {subject: number for number, subject in enumerate(subjects)}
    order = {rule: (places[_subject(rules[rule])], number) for number, rule in enumerate(rules)}
    ordered = sorted(kills, key=lambda kill: order[kill.rule])
    for subject, found in groupby(ordered, lambda kill: _subject(rules[kill.rule])):
        yield f"## {subject}\n"
        yield "| rule | the defective service | killed by | others |"
        yield "|---|---|---|---:|"
        yield from map(_row, found)
        yield ""


def _subject(rule: Rule) -> str:
    return f"All operations: {rule.theme}" if rule.operation == COMMON else rule.operation


def _row(kill: Kill) -> str:
    case = kill.killed_by.removeprefix(f"{kill.rule}/")
    killed_by = f"`{case}`" if case else "**survived**"
    return f"| `{kill.rule}` | {plain(kill.says)} | {killed_by} | {len(kill.others)} |"


def _looked_at(kills: Sequence[Kill]) -> Iterator[str]:
    rules = len(load().rules)
    yield "## Looked at\n"
    yield f"Defects that more than a third of all {rules} rules notice; what they break is needed everywhere:\n"
    loud = sorted((kill for kill in kills if len(kill.others) > rules / 3), key=lambda kill: -len(kill.others))
    yield from (f"- `{kill.defect}`: {plain(kill.says)}; {len(kill.others)} other rules" for kill in loud)
    yield "" if loud else "None.\n"
    yield "Rules whose cases notice most defects of other rules; when one fails, look at other failures first:\n"
    noticing = Counter(rule for kill in kills for rule in kill.others)
    most = sorted(noticing.items(), key=lambda found: (-found[1], found[0]))[:_MOST]
    yield from (f"- `{rule}`: {number} defects" for rule, number in most)
    yield "" if most else "None.\n"


def plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is, also in a table."""
    return _MARKS.sub(r"\\\g<0>", " ".join(text.split()))
