"""`python -m specs`: check the contract, write its JSON Schemas, renew the evidence from the facts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

import botocore

from specs import completeness, contract, drift, facts, loader, schemas
from specs.model import DriftFile


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, as the commands do."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 is well, 1 a mistake told in one line."""
    parser = _Parser(prog="python -m specs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="load everything, account for it, and print what there is")
    commands.add_parser("schema", help="write the JSON Schemas of the YAML files")
    evidence = commands.add_parser("evidence", help="rewrite the evidence from a folder of facts")
    evidence.add_argument("facts", type=Path, help="folder that holds ledger.yaml and observed.yaml")
    options = parser.parse_args(arguments)
    try:
        if options.command == "schema":
            lines = [f"wrote {path.name}" for path in schemas.write()]
        elif options.command == "evidence":
            lines = [f"wrote {path.name}" for path in facts.write(options.facts)]
        else:
            lines = _check()
    except loader.SpecError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error.filename}: {error.strerror}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _check() -> list[str]:
    whole = contract.load()
    account = completeness.account(whole, contract.ledger_ids())
    known = loader.load(contract.ROOT / "drift.yaml", DriftFile)
    found = drift.differences(whole, drift.installed_model())
    for name, faults in (
        ("coverage.yaml", account.faults),
        ("evidence", completeness.evidence_faults(whole, completeness.observations())),
        ("drift.yaml", drift.news(found, known)),
    ):
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise loader.SpecError(f"{contract.ROOT.parent.name}: {name}: {faults[0]}{more}")
    cases = sum(len(rule.cases) for _, rule in whole.written)
    return [
        f"operations  {len(whole.operations)}",
        f"data types  {len(whole.data_types)}",
        f"rules       {len(whole.rules)}, {len(whole.written)} of them written, with {cases} cases",
        f"refusals    {len(whole.refusals)}",
        f"ledger      {len(account.covered)} statements covered, {len(account.listed)} listed with a reason",
        f"drift       {len(found)} known differences to the model of botocore {botocore.__version__}",
        f"contract    {whole.hash}",
    ]


if __name__ == "__main__":
    sys.exit(main())
