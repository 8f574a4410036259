"""Command line: ``python -m reports html|matrix|diff|markdown|badge|schema``; ``--help`` tells of each."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from reports.badge import render_badge
from reports.compare import write_diff, write_matrix
from reports.diff import compare
from reports.diff_lines import diff_lines
from reports.html import write_page
from reports.markdown import render_diff_markdown, render_markdown
from reports.model import LEVELS, Level
from reports.schema import SCHEMA_FILE, write_schema
from reports.text import visible
from reports.writer import ResultsError, read_results

if TYPE_CHECKING:
    from collections.abc import Callable

    _Verb = Callable[[argparse.Namespace], int]

DONE: Final = 0
REGRESSED: Final = 1
WRONG: Final = 2

_STATUSES: Final = """\
exit status:
  0  done
  2  a file cannot be read or written, or an option is wrong; one line says which and why
"""
_DIFF: Final = """\
Compare two runs, case by case. What differs in every run is no change: request ids, the suffix of the run in
names, access key ids, dates, ports. A case is newly broken if it deviates now and did not before. Deviations
that the newer run's baseline lists are told and do not count as regressions.
"""
_DIFF_STATUSES: Final = """\
exit status:
  0  no regression at the levels that decide
  1  a regression: newly broken, at a level that decides, not listed in the baseline
  2  a file cannot be read or written, or an option is wrong; one line says which and why

example:
  python -m reports diff yesterday/results.json today/results.json --fail-on=must
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status; `diff` has 1 for regressions."""
    options = _parser().parse_args(arguments)
    run: _Verb = options.run
    try:
        return run(options)
    except (ResultsError, OSError) as error:
        sys.stderr.write(f"{visible(str(error))}\n")
        return WRONG


def _html(options: argparse.Namespace) -> int:
    page = options.output / "index.html"
    write_page(read_results(options.results), page)
    return _say(page)


def _matrix(options: argparse.Namespace) -> int:
    page = options.output / "index.html"
    write_matrix([read_results(path) for path in options.results], page)
    return _say(page)


def _diff(options: argparse.Namespace) -> int:
    comparison = compare(read_results(options.old), read_results(options.new), options.fail_on)
    _print(render_diff_markdown(comparison) if options.markdown else "\n".join(diff_lines(comparison)))
    if options.output is not None:
        page = options.output / "index.html"
        write_diff(comparison, page)
        sys.stderr.write(f"{visible(str(page))}\n")
    return REGRESSED if comparison.regressions else DONE


def _markdown(options: argparse.Namespace) -> int:
    _print(render_markdown(read_results(options.results), options.page))
    return DONE


def _badge(options: argparse.Namespace) -> int:
    text = render_badge(read_results(options.results), options.level)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    return _say(options.output)


def _schema(_options: argparse.Namespace) -> int:
    write_schema()
    return _say(SCHEMA_FILE)


def _say(path: Path) -> int:
    _print(visible(str(path)))
    return DONE


def _print(text: str) -> None:
    """Print a document as UTF-8 whatever the locale is, since it often goes into a file; as much as is read."""
    sys.stdout.flush()
    try:
        sys.stdout.buffer.write(f"{text.rstrip()}\n".encode())
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough; nothing is left to be flushed at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(WRONG, f"{self.prog}: {visible(message)}; --help tells what there is\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m reports",
        description="Documents made from the results.json files that runs of the suites write.",
        epilog=f"'python -m reports COMMAND --help' tells more of each.\n\n{_STATUSES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: _Verb, words: str, more: str = "", end: str = _STATUSES) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=words, description=more or f"{words[0].upper()}{words[1:]}.", epilog=end,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.set_defaults(run=run)
        return command

    html = add("html", _html, "render one run as an HTML page")
    _results(html)
    _folder(html, Path("compliance-report"))
    matrix = add("matrix", _matrix, "put several runs side by side in an HTML page: targets, or versions of one")
    matrix.add_argument("results", type=Path, nargs="+", metavar="RESULTS.json",
                        help="one of each run, in the order of the columns")  # fmt: skip
    _folder(matrix, Path("compliance-matrix"))
    diff = add("diff", _diff, "compare two runs; can fail a job on regressions", _DIFF, _DIFF_STATUSES)
    diff.add_argument("old", type=Path, metavar="OLD.json", help="results.json of the run before")
    diff.add_argument("new", type=Path, metavar="NEW.json", help="results.json of the run after")
    diff.add_argument("-o", "--output", type=Path, metavar="DIR", help="write an HTML page as well: DIR/index.html")
    diff.add_argument("--markdown", action="store_true", help="print Markdown, for the summary of a CI job")
    diff.add_argument(
        "--fail-on", type=_levels, metavar="LEVELS",
        help=f"levels at which a regression gives exit status 1, of {', '.join(LEVELS)}; empty for none "
        "(default: those that decided the newer run's exit status)",
    )  # fmt: skip
    markdown = add("markdown", _markdown, "print one run as Markdown, short enough for the summary of a CI job")
    _results(markdown)
    markdown.add_argument(
        "--page", default="", metavar="URL",
        help="where the run's HTML page is to be found; rules are then linked to it",
    )  # fmt: skip
    badge = add("badge", _badge, "draw a badge as SVG: how many rules of a level the target keeps")
    _results(badge)
    badge.add_argument("-o", "--output", type=Path, metavar="FILE.svg", default=Path("sts-conformance.svg"),
                       help="file to write (default: %(default)s)")  # fmt: skip
    badge.add_argument("--level", choices=LEVELS, default="must", help="level to count (default: %(default)s)")
    add("schema", _schema, "write the JSON Schema of results.json into the checkout")
    return parser


def _results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="what a run wrote beside its page")


def _folder(parser: argparse.ArgumentParser, default: Path) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", default=default,
        help="folder for index.html (default: %(default)s)",
    )  # fmt: skip


def _levels(text: str) -> tuple[Level, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in LEVELS:
            raise argparse.ArgumentTypeError(f"found '{name}', expected a list of {', '.join(LEVELS)}")
    return tuple(level for level in LEVELS if level in names)


if __name__ == "__main__":
    sys.exit(main())
