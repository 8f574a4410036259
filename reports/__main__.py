"""Command line: ``python -m reports html RESULTS.json -o DIR`` and ``python -m reports schema``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reports.html import write_page
from reports.schema import SCHEMA_FILE, write_schema
from reports.text import visible
from reports.writer import ResultsError, read_results


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when done, 2 when the results cannot be read or the page not written."""
    options = _parser().parse_args(arguments)
    if options.command == "schema":
        write_schema()
        return _say(SCHEMA_FILE)
    page = options.output / "index.html"
    try:
        write_page(read_results(options.results), page)
    except (ResultsError, OSError) as error:
        sys.stderr.write(f"{visible(str(error))}\n")
        return 2
    return _say(page)


def _say(path: Path) -> int:
    sys.stdout.write(f"{path}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description="Documents made from results.json")
    commands = parser.add_subparsers(dest="command", required=True)
    html = commands.add_parser("html", help="render results.json as one HTML page")
    html.add_argument("results", type=Path, metavar="RESULTS.json")
    html.add_argument(
        "-o", "--output", type=Path, metavar="DIR", default=Path("compliance-report"),
        help="folder for index.html (default: %(default)s)",
    )  # fmt: skip
    commands.add_parser("schema", help="write the JSON Schema of results.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
