"""What an answer must be for a case to conform: the one place where that is decided."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from generators.answer import local_name, namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.answer import Answer
    from specs.model import Authority, CheckSpec, RefusalSpec

# A session's end may be this far from request time + duration: clocks, rounding, a slow link. Seconds.
LIFETIME_TOLERANCE = 60.0
# Characters of a session token that are 100 percent of PackedPolicySize (observed: size-ar-plain).
TOKEN_LIMIT = 4096
# A value of the run, or a part of one. What stands for something in IAM policies has a colon, and is none.
_PLACEHOLDER = re.compile(r"\$\{([a-z0-9-]+(?:\.[A-Za-z0-9/-]+)?)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an expectation says to an answer."""

    conforms: bool
    received: str  # the answer in words
    follows: tuple[Authority, ...] = ()  # whose answer it is, where the authorities differ


@dataclass(frozen=True, slots=True)
class Expectation:
    """Success, a refusal with the answers that authorities back, or either of the two."""

    outcome: str  # 'success', 'refusal', 'either'
    refusal: RefusalSpec | None = None
    checks: tuple[CheckSpec, ...] = ()
    accepted_by: tuple[Authority, ...] = ()  # for 'either': the authorities that accept
    any_body: bool = False  # success needs no XML body: HEAD, OPTIONS, JSON

    def judge(self, answer: Answer, *, values: Mapping[str, str], sent_at: datetime) -> Judgement:
        """Hold `answer` against this. `values` are the run's; `sent_at` is when the request was made (UTC)."""
        received = describe(answer)
        success = self._is_success(answer)
        if success and self.outcome != "refusal":
            return self._checked(answer, received, self.accepted_by, values, sent_at)
        if self.refusal is not None and self.outcome != "success" and not success:
            backing = self._backing(answer)
            if backing and self.outcome == "either":  # the checks are of what is granted
                return Judgement(conforms=True, received=received, follows=self._follows(backing))
            if backing:
                return self._checked(answer, received, self._follows(backing), values, sent_at)
        return Judgement(conforms=False, received=received)

    def _is_success(self, answer: Answer) -> bool:
        if answer.status != 200:  # noqa: PLR2004 - the one status of success
            return False
        return self.any_body or is_granted(answer)

    def _backing(self, answer: Answer) -> tuple[Authority, ...]:
        assert self.refusal is not None  # noqa: S101 - callers have looked
        return tuple(
            dict.fromkeys(
                backed.authority
                for backed in self.refusal.answers
                if backed.status == answer.status and backed.code == answer.error_code
            )
        )

    def _follows(self, backing: tuple[Authority, ...]) -> tuple[Authority, ...]:
        """Return the authorities behind the answer, if others would have answered otherwise."""
        assert self.refusal is not None  # noqa: S101 - callers have looked
        everyone = {backed.authority for backed in self.refusal.answers} | set(self.accepted_by)
        return backing if set(backing) != everyone else ()

    def _checked(
        self,
        answer: Answer,
        received: str,
        follows: tuple[Authority, ...],
        values: Mapping[str, str],
        sent_at: datetime,
    ) -> Judgement:
        for check in self.checks:
            complaint = _complaint(check, answer, values, sent_at)
            if complaint:
                return Judgement(conforms=False, received=f"{received}; {complaint}")
        return Judgement(conforms=True, received=received, follows=follows)

    def describe(self) -> str:
        """Put the expectation in words, for people."""
        parts = []
        if self.outcome != "refusal":
            by = f" ({', '.join(self.accepted_by)})" if self.accepted_by else ""
            parts.append(f"accepted with 200{by}")
        if self.refusal is not None:
            answers: dict[str, list[str]] = {}
            for backed in self.refusal.answers:
                words = f"{backed.status} {backed.code}" if backed.code else str(backed.status)
                names = answers.setdefault(words, [])
                if backed.authority not in names:
                    names.append(backed.authority)
            listed = " or ".join(f"{words} ({', '.join(names)})" for words, names in answers.items())
            parts.append(f"refused ({self.refusal.refusal}) with {listed}")
        checks = "".join(f"; {_check_words(check)}" for check in self.checks)
        return ", or ".join(parts) + checks


def is_granted(answer: Answer) -> bool:
    """Whether this is an answer of the Query protocol that grants a request."""
    if answer.status != 200 or answer.root is None or answer.is_error:  # noqa: PLR2004 - the one status of success
        return False
    return local_name(answer.root).endswith("Response")


def describe(answer: Answer) -> str:
    """Put an answer in words: status, code and message, or what kind of body it is; as long as they are."""
    if answer.error_code is not None:
        message = answer.error_message
        return f"{answer.status} {answer.error_code}" + (f": {message}" if message else "")
    location = answer.header("location")
    if location is not None:
        return f"{answer.status} to {location}"
    return f"{answer.status} {_body_words(answer)}"


def _body_words(answer: Answer) -> str:
    """Say what kind of body there is, where it is no error of the Query protocol."""
    if answer.root is not None:
        name = f"<{local_name(answer.root)}>"
        foreign = answer.foreign_code()
        return name if foreign is None else f"with code {foreign} in a foreign envelope {name}"
    start = answer.text.lstrip()[:200].lower()
    if not start:
        return "without a body"
    if start.startswith(("<!doctype html", "<html")):
        return "with an HTML page"
    return "with JSON" if start.startswith(("{", "[")) else "with a body that is no XML"


def shorten(text: str, limit: int = 300) -> str:
    """Cut a text for people, with a note of how long it was.

    What an endpoint sent is to be cleaned of secrets first: the half of one is not recognised any more.
    """
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def _complaint(check: CheckSpec, answer: Answer, values: Mapping[str, str], sent_at: datetime) -> str:
    """Return what `check` finds wrong, '' if nothing."""
    return (
        _root_complaint(check, answer)
        or _message_complaint(check, answer.error_message)
        or _whole_complaint(check, answer)
        or _element_complaint(check, answer, values, sent_at)
    )


def _root_complaint(check: CheckSpec, answer: Answer) -> str:
    name, space = (local_name(answer.root), namespace(answer.root)) if answer.root is not None else ("", "")
    if check.root is not None and name != check.root:
        return f"the root element is not {check.root}"
    if check.namespace is not None and space != check.namespace:
        return f"the namespace is {space or 'none'}, not {check.namespace}"
    return ""


def _whole_complaint(check: CheckSpec, answer: Answer) -> str:
    if check.layout is not None and not _matcher(check.layout).fullmatch(answer.text):
        return "the layout of the body differs"
    if check.header is not None:
        return _text_complaint(f"header {check.header}", answer.header(check.header), check.header_matches)
    return ""


def _message_complaint(check: CheckSpec, message: str | None) -> str:
    if check.message is None and not check.no_message:
        return ""
    if check.no_message:
        return "" if message is None else "there is a message, AWS sends none"
    return _text_complaint("the message", message, check.message)


def _element_complaint(check: CheckSpec, answer: Answer, values: Mapping[str, str], sent_at: datetime) -> str:
    if check.at is None:
        return ""
    element = answer.at(check.at)
    if element is None or check.absent:
        return _presence_complaint(check, present=element is not None)
    if check.order:
        return _order_complaint(check, [local_name(child) for child in element])
    text = element.text or ""
    if check.json_at is None:
        return _value_complaint(check, check.at, text, answer, values, sent_at)
    found = _in_json(_part_of_token(text, check.jwt) if check.jwt is not None else text, check.json_at)
    if found is None:
        return f"{check.at} has no {check.json_at}"
    return _value_complaint(check, f"{check.at}, {check.json_at},", found, answer, values, sent_at)


def _value_complaint(
    check: CheckSpec, what: str, text: str, answer: Answer, values: Mapping[str, str], sent_at: datetime
) -> str:
    if check.unless_share_of is not None and text == share_of_token(answer.text_at(check.unless_share_of) or ""):
        return ""
    if check.lifetime_seconds is not None:
        return _lifetime_complaint(what, text, check.lifetime_seconds, sent_at)
    if check.same_as_header is not None and text != answer.header(check.same_as_header):
        return f"{what} is not what the header {check.same_as_header} says"
    other = answer.text_at(check.same_as) if check.same_as is not None else None
    if other is not None and text != other:
        return f"{what} is '{text}', and {check.same_as} is '{other}'"
    if check.differs is not None and text == fill(check.differs, values):
        return f"{what} is the same again"
    pattern = fill(check.matches, values, escape=True) if check.matches is not None else None
    return _length_complaint(check, text) or _text_complaint(what, text, pattern)


def share_of_token(token: str) -> str:
    """Return the percentage that a session token has of the 4,096 characters that it may have, rounded down."""
    return str(100 * len(token) // TOKEN_LIMIT)


def _part_of_token(token: str, part: Literal["header", "claims"]) -> str:
    """Return the JSON of a JSON web token's header or claims, unverified; '' if it is none."""
    encoded = [*token.split("."), "", ""][0 if part == "header" else 1]
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        return ""


def _in_json(text: str, path: str) -> str | None:
    """Return what stands at `path` in a JSON text: a string as it is, anything else as JSON; None if nothing does."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for key in path.split("/"):
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return found if isinstance(found, str) else json.dumps(found)


def _presence_complaint(check: CheckSpec, *, present: bool) -> str:
    if present:
        return f"{check.at} is there"
    return "" if check.absent or check.when_present else f"{check.at} is missing"


def _order_complaint(check: CheckSpec, found: list[str]) -> str:
    known = tuple(name for name in found if name in check.order)
    return "" if known == check.order else f"{check.at} holds {', '.join(found)} in this order"


def _length_complaint(check: CheckSpec, text: str) -> str:
    if check.min_length is not None and len(text) < check.min_length:
        return f"{check.at} has {len(text)} characters, fewer than {check.min_length}"
    if check.max_length is not None and len(text) > check.max_length:
        return f"{check.at} has {len(text)} characters, more than {check.max_length}"
    return ""


def _text_complaint(what: str, text: str | None, pattern: str | None) -> str:
    if text is None:
        return f"{what} is missing"
    if pattern is not None and not _matcher(pattern).fullmatch(text):
        return "the message differs" if what == "the message" else f"{what} is '{text}'"
    return ""


def _lifetime_complaint(path: str, text: str, seconds: int, sent_at: datetime) -> str:
    end = parse_timestamp(text)
    if end is None:
        return f"{path} is no ISO 8601 time: '{text}'"
    lasts = (end - sent_at).total_seconds()
    if math.fabs(lasts - seconds) <= LIFETIME_TOLERANCE:
        return ""
    return f"{path} is {lasts:.0f} s after the request, not {seconds}"


def parse_timestamp(text: str) -> datetime | None:
    """Read an ISO 8601 time; None if it is none. A time without zone counts as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def fill(text: str, values: Mapping[str, str], *, escape: bool = False) -> str:
    """Put the run's values for ${name}; raises KeyError for a name that the run does not have."""
    if "${" not in text:
        return text
    return _PLACEHOLDER.sub(lambda m: re.escape(values[m[1]]) if escape else values[m[1]], text)


def placeholders(text: str) -> frozenset[str]:
    """Names of the values of the run that `text` asks for."""
    return frozenset(_PLACEHOLDER.findall(text)) if "${" in text else frozenset()


@lru_cache(maxsize=4096)
def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL | re.ASCII)


_LITERAL_ESCAPE = re.compile(r"\\([ '\"{}:/,@-])")


def _check_words(check: CheckSpec) -> str:
    given = check.model_dump(exclude_defaults=True, by_alias=True)
    place = given.pop("at", None) or given.pop("header", None) or ""
    words = {key: "" if value is True else f" {shorten(_readable(str(value)))}" for key, value in given.items()}
    rest = ", ".join(f"{key}{value}" for key, value in words.items())
    return f"{place} {rest}".strip() or "answered"


def _readable(pattern: str) -> str:
    """Take the escapes out of a pattern that is a plain text: it reads better as that."""
    return _LITERAL_ESCAPE.sub(r"\1", pattern)
