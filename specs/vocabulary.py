"""The words of the suite: what it says itself, and what an endpoint therefore cannot make a secret."""

from __future__ import annotations

import re
from functools import cache

from specs.contract import ROOT

_RUN = "sts-conformance"  # in the name of whatever a run makes
# Unique identifiers of IAM (IAM User Guide, "IAM identifiers"): access key ids, user ids, role ids. None is secret.
_IDENTIFIER = re.compile(r"A[A-Z]{2}A[A-Z0-9]{12,124}", re.ASCII)


@cache
def _contract() -> str:
    """Return the text of all the contract's files."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.yaml")))


def own_words(text: str) -> bool:
    """Whether `text` is a word of the contract, a name that a run gives, or an identifier: no secret."""
    return _RUN in text or _IDENTIFIER.fullmatch(text) is not None or text in _contract()
