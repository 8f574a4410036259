"""List and remove what killed runs left behind: `python -m targets.leftovers --target=TARGET [--remove]`.

A run removes what it made when it ends, also after Ctrl-C; one that was killed hard cannot. What it made bears a
name that nothing else has, and only that is ever touched.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from targets.http import Client
from targets.leftovers_iam import IN_FLIGHT, Found, Iam, Key, Leftover, NoIam, escaped, find, remove
from targets.redactor import Redactor
from targets.target import EMBEDDED, TargetError, resolve
from targets.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from targets.endpoint import Endpoint
    from targets.target import Target

NOTHING_LEFT, SOMETHING_LEFT, INTERRUPTED, WRONG = 0, 1, 2, 4
_OLD_MINUTES = 60
_TIMEOUT, _AWS_RATE = 20.0, 5.0
_AWS_SETTLES = 6  # looks, five seconds apart: lists of AWS's IAM lag behind
_MINUTES_PER_HOUR, _MINUTES_PER_DAY = 60, 1440
_SECOND = "in the second account"


class _Mistake(Exception):  # noqa: N818 - the user's
    """The command line cannot be, or not with this target; the text is one line."""


class _Parser(argparse.ArgumentParser):
    """Complains in one line, and with our status."""

    def error(self, message: str) -> NoReturn:
        raise _Mistake(message)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found, and what became of it."""

    found: Found
    now: datetime
    older_than: int
    reasons: dict[Key, str] | None  # why it could not be removed, '' if it was; None: nothing was tried
    redactor: Redactor

    @property
    def removed(self) -> int:
        """How many things are gone."""
        return sum(not why for why in (self.reasons or {}).values())

    @property
    def status(self) -> int:
        """The exit status: what could not be looked at may be there as well."""
        whole = self.removed == len(self.found.things) and not self.found.troubles
        return NOTHING_LEFT if whole else SOMETHING_LEFT

    def lines(self) -> list[str]:
        """Tell of each thing, then how many there are."""
        told = [f"{_described(thing, self.now)}{self._fate(thing)}" for thing in self.found.things]
        number = len(self.found.things)
        if not number:
            return [] if self.found.troubles else ["nothing was left behind"]
        end = f"{number} left behind" if self.reasons is None else f"{number} found, {self.removed} removed"
        return [self.redactor.clean(line) for line in (*told, end)]

    def _fate(self, thing: Leftover) -> str:
        if self.reasons is not None and thing.key in self.reasons:
            why = self.reasons[thing.key]
            return f": could not be removed: {why}" if why else ": removed"
        if thing.is_old(self.older_than, self.now):
            return ""
        alone = "perhaps of a run under way" if self.reasons is None else "left alone"
        if thing.created is None:
            return f": {alone}, only --older-than 0 takes it for old"
        return f": {alone}, it is not older than {_count(self.older_than, 'minute')}"


def main(arguments: list[str]) -> int:
    """List or remove; 0 nothing is left, 1 something is, 2 interrupted, 4 it could not be looked for."""
    try:
        given = _parser().parse_args(arguments)
        target = _target(given.target, given.region)
        outcome = asyncio.run(_run(target, older_than=given.older_than, removing=given.remove))
    except _Mistake as mistake:
        sys.stderr.write(f"error: {escaped(str(mistake))}\n")
        return WRONG
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; list again to see what is left\n")
        return INTERRUPTED
    for trouble in outcome.found.troubles:
        # Again: lists come side by side, and this one may have told a secret before another made it known.
        sys.stderr.write(f"error: {outcome.redactor.clean(trouble)}\n")
    tell(outcome.lines())
    return outcome.status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m targets.leftovers",
        description="List what killed runs left behind in an endpoint's IAM, and remove it.",
        allow_abbrev=False,
    )
    parser.add_argument("--target", required=True, help="a URL, aws or a .yaml file, as pytest takes it")
    parser.add_argument("--region", metavar="NAME", help="the region of the target, as pytest takes it")
    parser.add_argument("--remove", action="store_true", help="remove what is listed and old enough")
    parser.add_argument(
        "--older-than",
        metavar="MINUTES",
        type=_minutes,
        default=_OLD_MINUTES,
        help=f"take younger things for those of a run under way, and let them be (default: {_OLD_MINUTES})",
    )
    return parser


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - a thousand years and more
        raise argparse.ArgumentTypeError(f"'{text}' is no number of minutes; expected one like {_OLD_MINUTES}, or 0")
    return int(text)


def _target(given: str, region: str | None) -> Target:
    if given in EMBEDDED:
        raise _Mistake(
            f"--target {given}: what is embedded ends with its run, and nothing is left behind; "
            "expected a URL, aws or a .yaml file"
        )
    try:
        target = resolve(given, region=region, provision=True)
    except TargetError as error:
        raise _Mistake(f"--target: {error}") from None
    if target.iam_endpoint is None:
        raise _Mistake(f"--target {given}: says provision: false, so that runs leave nothing there")
    return target


async def _run(target: Target, *, older_than: int, removing: bool) -> Outcome:
    endpoint = target.iam_endpoint
    assert endpoint is not None  # noqa: S101 - the caller has looked
    rate = _AWS_RATE if endpoint.is_aws else 0.0
    redactor = Redactor(target.secrets())
    client = Client(endpoint, in_flight=IN_FLIGHT, max_rate=rate, timeout=_TIMEOUT, redactor=redactor)
    accounts = list(_accounts(target, client, redactor))
    try:
        found = await _find(accounts)
        now = datetime.now(UTC)
        reasons: dict[Key, str] | None = None
        if removing:
            reasons = {}
            old = [thing for thing in found.things if thing.is_old(older_than, now)]
            for iam in accounts:
                gone = await remove(iam, old)
                reasons |= gone | await _not_gone(iam, endpoint, {key for key, why in gone.items() if not why})
    except NoIam as error:
        raise _Mistake(f"{endpoint.url}: {error}; expected an IAM that lists what it has") from None
    finally:
        client.close()
    return Outcome(found, now, older_than, reasons, redactor)


def _accounts(target: Target, client: Client, redactor: Redactor) -> Iterator[Iam]:
    """Yield the IAM of each account in which runs make things."""
    given = target.supplied.openid
    # One that is served is on loopback, and known by that.
    registered = given is not None and not given.arn and not given.served
    issuer = given.issuer.url.partition("://")[2] if given is not None and registered else ""
    yield Iam(client, target.credentials, redactor, issuer=issuer)
    if target.second_account is not None:
        yield Iam(client, target.second_account, redactor, account=_SECOND)


async def _find(accounts: Sequence[Iam]) -> Found:
    """List what runs have made. Raises NoIam if nothing at all can be listed in the first account."""
    first, *others = accounts
    found = await find(first)
    for iam in others:
        try:
            there = await find(iam)
        except NoIam as error:
            there = Found((), (str(error),))
        # Keys of the same account again would show the same things: no two runs give one name.
        known = {thing.key[1:] for thing in found.things}
        things = tuple(thing for thing in there.things if thing.key[1:] not in known)
        troubles = tuple(f"{iam.account}: {trouble}" for trouble in there.troubles)
        found = Found((*found.things, *things), (*found.troubles, *troubles))
    return found


async def _not_gone(iam: Iam, endpoint: Endpoint, gone: set[Key]) -> dict[Key, str]:
    """Look whether what IAM says it removed is listed no more; returns what still is."""
    for look in range(_AWS_SETTLES if endpoint.is_aws else 1):
        if not gone:
            break
        if look:
            await asyncio.sleep(5)
        try:
            gone = gone & {thing.key for thing in (await find(iam)).things}
        except NoIam as error:
            return dict.fromkeys(gone, f"not seen to be gone: {error}")
    return dict.fromkeys(gone, "IAM says that it is, and goes on listing it")


# Words


def _described(thing: Leftover, now: datetime) -> str:
    name = " ".join(filter(None, (thing.kind.name, thing.id, thing.account)))
    if thing.created is None:
        return f"{name}, of unknown age"
    date = thing.created.replace(microsecond=0, tzinfo=None).isoformat()
    return f"{name}, made {date}Z, {_age(thing.created, now)} ago"


def _age(created: datetime, now: datetime) -> str:
    minutes = max(0, int((now - created).total_seconds() // 60))
    if minutes >= 2 * _MINUTES_PER_DAY:
        return _count(minutes // _MINUTES_PER_DAY, "day")
    if minutes >= 2 * _MINUTES_PER_HOUR:
        return _count(minutes // _MINUTES_PER_HOUR, "hour")
    return _count(minutes, "minute")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
