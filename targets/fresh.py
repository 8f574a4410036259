"""Values that are made at the moment of sending: tokens of identity providers, codes of MFA devices.

An assertion lives five minutes and a code thirty seconds, so neither is made before its request is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from generators.expectation import fill
from targets.identity import openid, saml, totp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.answer import Answer
    from generators.case import Recipe
    from targets.provision import Estate
    from targets.redactor import Redactor

# Steps of thirty seconds by which a code is another than the one that is shown.
_STEPS = {"code": 0, "next-code": 1, "later-code": 10, "old-code": -20}
CODES = frozenset({*_STEPS, "wrong-code", "used-code"})


@dataclass(frozen=True)
class Fresh(Mapping[str, str]):
    """The values of a run as one request sees them."""

    estate: Estate
    redactor: Redactor
    answers: Mapping[str, Answer] = field(default_factory=dict)  # of the steps before, by what they keep
    recipes: tuple[Recipe, ...] = ()
    ahead: int = 0  # seconds by which the target's clock is ahead for this request

    def __getitem__(self, name: str) -> str:
        found = self.estate.values.get(name)
        if found is not None:
            return found
        recipe = next((recipe for recipe in self.recipes if recipe.name == name), None)
        if recipe is not None:
            return self._secret(self._signed(recipe))
        key, _, part = name.partition(".")
        if part in CODES and key in self.estate.seeds:
            return self._code(key, part)
        found = self.answers[key].text_at(part)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        yield from self.estate.values
        yield from (recipe.name for recipe in self.recipes)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _secret(self, token: str) -> str:
        self.redactor.add(token)
        return token

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def _code(self, key: str, part: str) -> str:
        seed = self.estate.seeds[key]
        if part == "wrong-code":
            return totp.wrong_code(seed, self._now())
        if part == "used-code":
            return self.estate.used_codes[key]
        code = totp.code(seed, self._now(), steps=_STEPS[part])
        if part == "code":
            self.estate.used_codes[key] = code
        return code

    def _signed(self, recipe: Recipe) -> str:
        issuer = self.estate.issuers[recipe.issuer]
        says = _filled(json.loads(recipe.says), self)
        if isinstance(issuer, saml.SamlIssuer):
            return issuer.assertion(_assertion(says, self._now()))
        return issuer.token(_token(says, self._now(), self.estate.audiences[recipe.issuer]))


def _filled(content: Any, values: Mapping[str, str]) -> Any:
    """Put values for the placeholders in the texts of a JSON document."""
    if isinstance(content, dict):
        return {key: _filled(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, values) for value in content]
    return fill(content, values) if isinstance(content, str) else content


def _assertion(says: dict[str, Any], now: datetime) -> saml.Assertion:
    given = {name.replace("-", "_"): value for name, value in says.items()}
    renamed = {"role": "role_arn", "provider": "provider_arn"}
    given = {renamed.get(name, name): value for name, value in given.items()}
    given["issued"] = now + timedelta(seconds=given.get("issued", 0))
    if given.get("session_end") is not None:
        given["session_end"] = now + timedelta(seconds=given["session_end"])
    for name in given.keys() & {"begins", "ends", "confirmed"}:
        given[name] = None if given[name] is None else timedelta(seconds=given[name])
    return saml.Assertion(**_shaped(given, saml.Spoilt))


def _token(says: dict[str, Any], now: datetime, audience: str) -> openid.Token:
    given = {"audience": audience} | {name.replace("-", "_"): value for name, value in says.items()}
    given["issued"] = now + timedelta(seconds=given.get("issued", 0))
    for name in given.keys() & {"begins", "lasts"}:
        given[name] = None if given[name] is None else timedelta(seconds=given[name])
    if "without" in given:
        given["without"] = frozenset(given["without"])
    if "more" in given:
        given["more"] = tuple(given["more"].items())
    if isinstance(given["audience"], list):
        given["audience"] = tuple(given["audience"])
    return openid.Token(**_shaped(given, openid.Spoilt))


def _shaped(given: dict[str, Any], spoilt: type[saml.Spoilt | openid.Spoilt]) -> dict[str, Any]:
    """Give what came as JSON the types that both dataclasses want."""
    if "tags" in given:
        given["tags"] = tuple(given["tags"].items())
    for name in given.keys() & {"transitive", "methods"}:
        given[name] = tuple(given[name])
    if given.get("spoilt") is not None:
        given["spoilt"] = spoilt(given["spoilt"])
    return given
