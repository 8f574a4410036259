"""What killed runs left behind, found and removed through IAM.

Whatever IAM answers is read with distrust: nothing is named in a request that a run cannot have made, and a list
that does not end is cut.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from generators.answer import local_name
from generators.case import Request
from generators.expectation import describe, is_granted, shorten
from targets.http import Exchange
from targets.iam import PATH
from targets.provision import IAM_VERSION
from targets.tagged import TAG
from targets.wire import Signer, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from xml.etree.ElementTree import Element

    from generators.answer import Answer
    from targets.credentials import Credentials
    from targets.http import Client
    from targets.redactor import Redactor

MOST_PAGES = 200  # of one list; an account has 5,000 roles at most, a hundred to a page
MOST_THINGS = 10_000  # of one list
_LONGEST_MARKER = 4096
IN_FLIGHT = 4
_MOST_SILENT = 3  # requests in a row without an answer; what comes then is not sent any more
_CLIENT_ID = "sts-conformance"  # all that marks an OpenID Connect provider of a run where IAM takes no tags

_NAME = r"sts-conformance-[0-9a-f]{8}(?:-[\w+=,.@-]{1,100})?"
_ARN = r"arn:aws[a-z-]{0,20}:iam::[0-9]{0,12}:"
_LOOPBACK = r"(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?"
_UNSERVED = frozenset({"InvalidAction", "NotImplemented", "UnknownOperationException", "UnsupportedOperation"})


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


_PART_NAME = _pattern(r"[\w+=,.@-]{1,128}")
_PART_ARN = _pattern(r"arn:[!-~]{1,2048}")
_SERIAL = _pattern(r"[\w+=/:,.@-]{9,256}")


class NoIam(Exception):  # noqa: N818 - the name says what the endpoint is
    """The endpoint lists nothing; the text says why."""


Key = tuple[str, str, str]  # account, kind, name or ARN

# What there is to know of each kind


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a thing of ours holds, and that must go before the thing can."""

    listing: str  # the action
    members: str  # the element that holds the list
    at: str  # the element of a member that names it; '' if the member's text does
    delete: str  # the action; it is told the thing's name as well
    parameter: str
    safe: re.Pattern[str] = _PART_NAME  # what may be sent back


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that runs make."""

    name: str  # for people
    listing: str
    members: str
    at: str  # the element of a member that tells things apart
    ours: re.Pattern[str]  # what stands there if a run has made it
    delete: str
    parameter: str
    only: tuple[tuple[str, str], ...] = ()  # more to ask for when listing
    date: str = "CreateDate"
    single: str = ""  # an action that takes away what there is at most one of
    parts: tuple[Part, ...] = ()


def _policies(holder: str) -> tuple[Part, ...]:
    """Return the policies that a user, group or role holds."""
    return (
        Part(f"List{holder}Policies", "PolicyNames", "", f"Delete{holder}Policy", "PolicyName"),
        Part(
            f"ListAttached{holder}Policies", "AttachedPolicies", "PolicyArn",
            f"Detach{holder}Policy", "PolicyArn", _PART_ARN,
        ),
    )  # fmt: skip


_OF_USERS = (
    Part("ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", "DeleteAccessKey", "AccessKeyId"),
    *_policies("User"),
    Part("ListGroupsForUser", "Groups", "GroupName", "RemoveUserFromGroup", "GroupName"),
    Part("ListMFADevices", "MFADevices", "SerialNumber", "DeactivateMFADevice", "SerialNumber", _SERIAL),
)
_VERSIONS = Part("ListPolicyVersions", "Versions", "VersionId", "DeletePolicyVersion", "VersionId")
_RUN = _pattern(r"[0-9a-f]{8}")  # the value of the tag
_OPENID = Kind(
    "oidc-provider", "ListOpenIDConnectProviders", "OpenIDConnectProviderList", "Arn",
    _pattern(f"{_ARN}oidc-provider/{_LOOPBACK}"), "DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn",
)  # fmt: skip

# In the order of removal: what holds something goes before what is held.
KINDS = (
    Kind(
        "user", "ListUsers", "Users", "UserName", _pattern(_NAME), "DeleteUser", "UserName",
        single="DeleteLoginProfile", parts=_OF_USERS,
    ),
    Kind(
        "group", "ListGroups", "Groups", "GroupName", _pattern(_NAME), "DeleteGroup", "GroupName",
        parts=_policies("Group"),
    ),
    Kind(
        "role", "ListRoles", "Roles", "RoleName", _pattern(_NAME), "DeleteRole", "RoleName",
        parts=_policies("Role"),
    ),
    Kind(
        "policy", "ListPolicies", "Policies", "Arn", _pattern(f"{_ARN}policy(?:{PATH}|/){_NAME}"),
        "DeletePolicy", "PolicyArn", only=(("Scope", "Local"),), parts=(_VERSIONS,),
    ),
    Kind(
        "mfa-device", "ListVirtualMFADevices", "VirtualMFADevices", "SerialNumber",
        _pattern(f"{_ARN}mfa(?:{PATH}|/){_NAME}"), "DeleteVirtualMFADevice", "SerialNumber", date="EnableDate",
    ),
    Kind(
        "saml-provider", "ListSAMLProviders", "SAMLProviderList", "Arn", _pattern(f"{_ARN}saml-provider/{_NAME}"),
        "DeleteSAMLProvider", "SAMLProviderArn",
    ),
    _OPENID,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that bears the name of a run."""

    kind: Kind
    id: str  # name or ARN
    created: datetime | None  # None: the answer does not say, or not readably
    account: str = ""  # as Iam calls it

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.account, self.kind.name, self.id

    def is_old(self, minutes: int, now: datetime) -> bool:
        """Whether it was made at least `minutes` ago. At 0 everything was, also what has no date or one to come."""
        return minutes == 0 or (self.created is not None and (now - self.created).total_seconds() >= minutes * 60)


@dataclass(frozen=True, slots=True)
class Found:
    """What was listed, and why there may be more."""

    things: tuple[Leftover, ...]
    troubles: tuple[str, ...]


# How to ask


class Iam:
    """The IAM API of an endpoint, as one account sees it."""

    def __init__(
        self, client: Client, credentials: Credentials, redactor: Redactor, *, account: str = "", issuer: str = ""
    ) -> None:
        """`account`: for people, '' for the first; `issuer`: URL of one that runs register, without its scheme."""
        self.account = account
        self.issuer = issuer
        self._client = client
        self._credentials = credentials
        self._redactor = redactor
        self._silent = 0
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    async def call(self, action: str, parameters: Sequence[tuple[str, str]] = ()) -> Exchange:
        """Send a request, unless the endpoint has stopped answering."""
        request = Request(action, (("Action", action), ("Version", IAM_VERSION), *parameters))
        signer = Signer(self._client.endpoint, self._client.endpoint.iam_region, "iam")
        prepared = prepare(request, signer, self._credentials, datetime.now(UTC))
        async with self._slots:  # so that what waits for its turn learns of the silence too
            if self._silent >= _MOST_SILENT:
                return Exchange(prepared, None, "not sent: the endpoint answers no more")
            exchange = await self._client.send(prepared)
        self._silent = 0 if exchange.answer is not None else self._silent + 1
        return exchange

    def words(self, action: str, exchange: Exchange) -> str:
        """Say how `action` was answered; a secret is gone before anything is cut."""
        if exchange.answer is None:
            return f"{action}: {self.clean(exchange.failure)}"
        return f"{action} was answered {self.clean(describe(exchange.answer))}"

    def clean(self, text: str) -> str:
        """Take secrets out of what an endpoint sent, write out what would not show as itself, then cut it."""
        return shorten(escaped(self._redactor.clean(text)))


def escaped(text: str) -> str:
    """Put a text into one line of plain characters; all others become their escapes."""
    line = " ".join(text.split())
    return re.sub(r"[^\x20-\x7e]", lambda match: match[0].encode("unicode_escape").decode(), line)


@dataclass(frozen=True, slots=True)
class _Listing:
    """Pages of a list, as far as they could be had."""

    pages: int
    trouble: str = ""  # why it is not whole


async def _listed(
    iam: Iam,
    action: str,
    members: str,
    given: Sequence[tuple[str, str]],
    take: Callable[[Element], None],
) -> _Listing:
    """Hand every member of a list to `take`."""
    marker, seen, taken = "", {""}, 0
    for page in range(1, MOST_PAGES + 1):
        exchange = await iam.call(action, (*given, ("Marker", marker)) if marker else given)
        answer = exchange.answer
        if answer is None or not is_granted(answer) or answer.at(f"{action}Result") is None:
            known = page > 1 or not _is_unserved(answer)
            return _Listing(page - 1, iam.words(action, exchange) if known else "")
        for member in _children(answer, f"{action}Result/{members}"):
            take(member)
            taken += 1
        if (answer.text_at(f"{action}Result/IsTruncated") or "").lower() != "true":
            return _Listing(page)
        marker = answer.text_at(f"{action}Result/Marker") or ""
        if marker in seen or len(marker) > _LONGEST_MARKER or not marker.isprintable():
            return _Listing(page, f"{action} says that there is more, but not where; the rest was not looked at")
        seen.add(marker)
        if taken > MOST_THINGS:
            break
    return _Listing(page, f"{action} does not end; what comes after {page} pages was not looked at")


def _is_unserved(answer: Answer | None) -> bool:
    """Whether the endpoint does not know the action: then there can be nothing that it would list."""
    return answer is not None and (answer.status == 501 or answer.error_code in _UNSERVED)  # noqa: PLR2004 - HTTP's


def _children(answer: Answer, path: str) -> Sequence[Element]:
    found = answer.at(path)
    return () if found is None else list(found)


def _text(element: Element, name: str) -> str:
    """Return the text of a child, or of the element itself for ''."""
    found = element if not name else next((child for child in element if local_name(child) == name), None)
    return (found.text or "") if found is not None else ""


# Finding


async def find(iam: Iam) -> Found:
    """List what runs have made. Raises NoIam if nothing at all can be listed."""
    of_kinds = await asyncio.gather(*(_find_kind(iam, kind) for kind in KINDS))
    if not any(listing.pages for _, listing in of_kinds):
        why = next((listing.trouble for _, listing in of_kinds if listing.trouble), "it knows no action of IAM")
        raise NoIam(why)
    candidates = [thing for things, _ in of_kinds for thing in things]
    settled = await asyncio.gather(*(_settle(iam, thing) for thing in candidates))
    troubles = [listing.trouble for _, listing in of_kinds]
    return Found(
        tuple(thing for thing, _ in settled if thing is not None),
        tuple(filter(None, (*troubles, *(trouble for _, trouble in settled)))),
    )


async def _find_kind(iam: Iam, kind: Kind) -> tuple[list[Leftover], _Listing]:
    found: dict[str, Leftover] = {}

    def take(member: Element) -> None:
        identity = _text(member, kind.at)
        if kind.ours.fullmatch(identity) or (kind is _OPENID and _of_issuer(iam, identity)):
            found[identity] = Leftover(kind, identity, _date(_text(member, kind.date)), iam.account)

    listing = await _listed(iam, kind.listing, kind.members, kind.only, take)
    return list(found.values()), listing


async def _settle(iam: Iam, thing: Leftover) -> tuple[Leftover | None, str]:
    """Look closer at an OpenID Connect provider, which has no name: its tag tells that it is ours, or its client id.

    The client id does not where the issuer is the user's own: the provider may be theirs as well.
    """
    if thing.kind is not _OPENID:
        return thing, ""
    action = "GetOpenIDConnectProvider"
    exchange = await iam.call(action, ((_OPENID.parameter, thing.id),))
    answer = exchange.answer
    if answer is None or not is_granted(answer):
        return None, "" if _is_missing(answer) else iam.words(action, exchange)
    client_ids = [element.text for element in _children(answer, f"{action}Result/ClientIDList")]
    tags = {_text(tag, "Key"): _text(tag, "Value") for tag in _children(answer, f"{action}Result/Tags")}
    tagged = _RUN.fullmatch(tags.get(TAG, "")) is not None
    if not tagged and (client_ids != [_CLIENT_ID] or _of_issuer(iam, thing.id)):
        return None, ""
    return replace(thing, created=_date(answer.text_at(f"{action}Result/CreateDate") or "")), ""


def _of_issuer(iam: Iam, arn: str) -> bool:
    return bool(iam.issuer) and re.fullmatch(rf"{_ARN}oidc-provider/{re.escape(iam.issuer)}", arn) is not None


def _date(text: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(text)
        return date.astimezone(UTC) if date.tzinfo is not None else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _is_missing(answer: Answer | None) -> bool:
    return answer is not None and answer.error_code == "NoSuchEntity"


# Removing


async def remove(iam: Iam, things: Sequence[Leftover]) -> dict[Key, str]:
    """Remove what was found in the account; says for each why it could not be removed, '' if it was."""
    reasons: dict[Key, str] = {}
    for kind in KINDS:
        of_kind = [thing for thing in things if thing.kind is kind and thing.account == iam.account]
        told = await asyncio.gather(*(_remove(iam, thing) for thing in of_kind))
        reasons |= {thing.key: why for thing, why in zip(of_kind, told, strict=True)}
    return reasons


async def _remove(iam: Iam, thing: Leftover) -> str:
    """Remove one thing after what it holds. Whether the thing itself goes is what counts."""
    kind, named = thing.kind, (thing.kind.parameter, thing.id)
    hindrances: list[str] = []
    if kind.single:
        await iam.call(kind.single, (named,))
    for part in kind.parts:
        hindrances += await _remove_parts(iam, part, named)
    exchange = await iam.call(kind.delete, (named,))
    if _went(exchange):
        return ""
    return "; ".join((iam.words(kind.delete, exchange), *hindrances[:3]))


async def _remove_parts(iam: Iam, part: Part, named: tuple[str, str]) -> list[str]:
    found: dict[str, None] = {}

    def take(member: Element) -> None:
        value = _text(member, part.at)
        # The default version of a policy goes with the policy.
        if part.safe.fullmatch(value) and _text(member, "IsDefaultVersion").lower() != "true":
            found[value] = None

    listing = await _listed(iam, part.listing, part.members, (named,), take)
    hindrances = [listing.trouble] if listing.trouble else []
    for value in found:
        exchange = await iam.call(part.delete, (named, (part.parameter, value)))
        if not _went(exchange):
            hindrances.append(iam.words(part.delete, exchange))
    return hindrances


def _went(exchange: Exchange) -> bool:
    answer = exchange.answer
    return answer is not None and ((answer.status == 200 and not answer.is_error) or _is_missing(answer))  # noqa: PLR2004 - success
