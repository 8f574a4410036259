"""What cases need, for whoever must make it by hand: `python -m targets.fixtures [--json]`."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators import everything
from generators.federated import OPENID_PROVIDER, SAML_PROVIDER
from targets.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from generators.case import Fixture

_HEAD = (
    "What cases need, in the order in which it can be made. What is made goes into a target file, below 'fixtures',",
    "by the keys that stand here: docs/adding-a-target.md tells how. <...> stands for what is not known here.",
)
_RUN = {
    "account": "<account>", "second-account": "<second account>", "user-arn": "<ARN of the user>",
}  # fmt: skip
_KINDS = {"saml": "SAML provider", "openid": "OpenID Connect provider", "policy": "managed policy"}
_WHERE = {
    SAML_PROVIDER.key: "goes into a target file as saml-provider",
    OPENID_PROVIDER.key: "goes into a target file as openid-provider",
}
_PLACEHOLDER = re.compile(r"\$\{([a-z0-9-]+)(?:\.([a-z-]+))?\}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fixture, and the rules whose cases need it."""

    fixture: Fixture
    rules: tuple[str, ...]


def wanted() -> list[Wanted]:
    """Return all fixtures, each after those that its texts name."""
    fixtures: dict[str, Fixture] = {}
    rules: dict[str, dict[str, None]] = {}
    for case in everything.cases():
        for fixture in case.fixtures:
            fixtures.setdefault(fixture.key, fixture)
            rules.setdefault(fixture.key, {})[case.rule] = None
    return [Wanted(fixture, tuple(rules[key])) for key, fixture in fixtures.items()]


def record(one: Wanted) -> dict[str, Any]:
    """Return a fixture for machines; ${key} in texts is the ARN of another, ${key.part} a part of it."""
    made = one.fixture
    return {
        "key": made.key,
        "kind": made.kind,
        "account": made.account,
        "rules": list(one.rules),
        "trust-policy": json.loads(made.trust) if made.trust else None,
        "policy": json.loads(made.policy) if made.policy else None,
        "tags": dict(made.tags),
        "max-session-seconds": made.max_session_seconds if made.kind == "role" else None,
        "access-key": made.keys if made.kind == "user" else None,
        "mfa": made.mfa,
        "audiences": list(made.audiences),
        "reachable": made.reachable,
        "can-be-given": can_be_given(made),
    }


def can_be_given(fixture: Fixture) -> bool:
    """Whether a target file can give it: not what a run removes, nor other identity providers than two."""
    return fixture.key in _WHERE or (fixture.kind not in {"saml", "openid"} and not fixture.removed)


def lines(one: Wanted) -> Iterator[str]:
    """Tell of a fixture, for people."""
    made = one.fixture
    yield f"{made.key}: {_KINDS.get(made.kind, made.kind)}" + (", second account" if made.account == "second" else "")
    facts = {
        "needed by": ", ".join(one.rules),
        "how": _WHERE.get(made.key, "" if can_be_given(made) else "only the run can make it"),
        "longest session": f"{made.max_session_seconds} s" if made.kind == "role" else "",
        "access key": made.keys if made.kind == "user" else "",
        "MFA device": "switched on" if made.mfa else "",
        "tags": ", ".join(f"{key}={value}" for key, value in made.tags),
        "audiences": ", ".join(made.audiences),
        "keys": "" if made.reachable else "cannot be fetched",
    }
    for name, text in facts.items():
        if text:
            yield from textwrap.wrap(
                f"{name}: {text}", 110, initial_indent="  ", subsequent_indent="    ",
                break_on_hyphens=False, break_long_words=False,
            )  # fmt: skip
    for name, text in (("trust policy", made.trust), ("own policy", made.policy)):
        if text:
            yield f"  {name}:"
            yield from (f"    {line}" for line in json.dumps(json.loads(readable(text)), indent=2).splitlines())


def readable(text: str) -> str:
    """Put words for the placeholders of a text."""

    def words(match: re.Match[str]) -> str:
        key, part = match[1], match[2]
        if part is not None:
            return f"<{part} of {key}>"
        return _RUN.get(key) or f"<ARN of {key}>"

    return _PLACEHOLDER.sub(words, text)


def main(arguments: Sequence[str]) -> int:
    """Print the list; 0, or 2 for a command line that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m targets.fixtures", description="List what cases need, for whoever makes it by hand."
    )
    parser.add_argument("--json", action="store_true", help="as JSON: a list of objects")
    as_json = parser.parse_args(arguments).json
    found = wanted()
    if as_json:
        text = json.dumps([record(one) for one in found], indent=2)
    else:
        text = "\n".join((*_HEAD, *(line for one in found for line in ("", *lines(one)))))
    tell([text])
    return 0
