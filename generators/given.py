"""What a scenario has given, as fixtures; and the names by which its texts speak of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from generators.case import Fixture
from generators.federated import OPENID_PROVIDER, SAML_PROVIDER
from generators.plain import incompressible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from specs.loader import SpecError
    from specs.model import GivenSpec, PermissionSpec, PolicySpec, RoleFixture

# Codes of MFA devices beside the one that is shown: used already, of the step after, ten steps ahead, long ago, none.
_CODES = frozenset({"used-code", "next-code", "later-code", "old-code", "wrong-code"})
_OF_DEVICES = frozenset({"device", "code", *_CODES})
# Parts of fixtures that texts may name, by kind; the ARN is the fixture's own value.
PARTS: dict[str, frozenset[str]] = {
    "role": frozenset({"name", "id"}),
    "user": frozenset({"name", "id", "access-key-id", "device", "code", *_CODES}),
    "policy": frozenset(),
    "saml": frozenset({"name", "issuer", "name-qualifier"}),
    "openid": frozenset({"issuer", "audience"}),
}
# Values of the run that texts may name.
_OF_THE_RUN = frozenset({"account", "second-account", "member-account", "encoded-message", "user-arn"})
# Texts of 256 letters and digits without pattern, too long to be written out; each number has its own.
_LONG = re.compile(r"long-[1-9][0-9]?")
_NAME = re.compile(r"\$(?:([a-z][a-z0-9-]*)(?:\.([A-Za-z0-9/-]+))?$|\{([a-z][a-z0-9-]*)(?:\.([A-Za-z0-9/-]+))?\})")

_ROOTS = {"account": "arn:aws:iam::${account}:root", "second-account": "arn:aws:iam::${second-account}:root"}
_ASSUME = {"AWS": "sts:AssumeRole", "saml": "sts:AssumeRoleWithSAML", "openid": "sts:AssumeRoleWithWebIdentity"}
_ALWAYS_GRANTED = ("sts:TagSession", "sts:SetSourceIdentity")


class Given:
    """The fixtures of one scenario, by its own names for them, and what can be said with those."""

    def __init__(
        self,
        scenario: str,
        given: GivenSpec,
        kept_part: Callable[[str, str | None], str | None],
        mistake: Callable[[str], SpecError],
    ) -> None:
        """Read what is given.

        `kept_part` knows what steps have kept; `mistake` words a SpecError, which unknown names raise.
        """
        self.fixtures: dict[str, Fixture] = {}
        self._scenario = scenario
        self._kept_part = kept_part
        self._mistake = mistake
        self._codes: Counter[str] = Counter()
        for name in given.saml:  # alike for all, like the OpenID Connect provider that most have
            self._add(name, SAML_PROVIDER)
        for name, openid in given.openid.items():
            made = replace(OPENID_PROVIDER, audiences=openid.audiences, reachable=openid.reachable)
            self._add(name, made if made == OPENID_PROVIDER else replace(made, key=""))
        for name, policy in given.policies.items():
            self._add(name, Fixture("", "policy", account=policy.account, policy=self.document(policy)))
        for name, user in given.users.items():
            made = Fixture(
                "", "user", account=user.account, policy=self.document(user), tags=tuple(user.tags.items()),
                keys=user.keys, mfa=user.mfa,
            )  # fmt: skip
            # A code of a device is good once: devices are not shared.
            self._add(name, made, apart=f"{scenario} {name}" if user.mfa else "")
        for name, role in given.roles.items():
            self._add(name, self._role(role), apart=f"{scenario} {name}" if role.removed else "")

    def _add(self, name: str, made: Fixture, apart: str = "") -> None:
        if name in self.fixtures:
            raise self._mistake(f"'{name}' is given twice, expected one of that name")
        # What two names of a scenario stand for is two, however alike. Other scenarios share them, the second, too.
        alike = sum(replace(other, key="") == replace(made, key="") for other in self.fixtures.values())
        number = str(alike) if alike and not made.key else ""
        self.fixtures[name] = replace(made, key=made.key or _key(made, f"{apart}{number}"))

    def _role(self, role: RoleFixture) -> Fixture:
        return Fixture(
            "", "role", account=role.account, trust=self._trust(role), policy=self.document(role),
            tags=tuple(role.tags.items()), max_session_seconds=role.max_session_duration, removed=role.removed,
        )  # fmt: skip

    def _trust(self, role: RoleFixture) -> str:
        principals: dict[str, list[str]] = {}
        actions: list[str] = []
        for name in role.trusts:
            kind, arn = self._principal(name)
            principals.setdefault("AWS" if kind == "AWS" else "Federated", []).append(arn)
            actions.append(_ASSUME[kind])
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": principals,
            "Action": list(role.grants or (*dict.fromkeys(actions), *_ALWAYS_GRANTED)),
        }
        if role.when:
            statement["Condition"] = self._conditions(role.when)
        return _document([statement])

    def _principal(self, name: str) -> tuple[str, str]:
        """Return a key of `_ASSUME`, and the ARN."""
        if name in _ROOTS:
            return "AWS", _ROOTS[name]
        if name == "user":
            return "AWS", "${user-arn}"
        fixture = self.fixtures.get(name)
        if fixture is None or fixture.kind == "policy":
            known = ", ".join((*_ROOTS, "user", *self.fixtures))
            raise self._mistake(f"a role trusts '{name}', expected one of {known} (what is trusted stands first)")
        return fixture.kind if fixture.kind in _ASSUME else "AWS", f"${{{fixture.key}}}"

    # What texts say

    def document(self, policy: PolicySpec) -> str:
        """Return the policy document, JSON; '' if it says nothing."""
        statements = [
            self._statement(effect, permission)
            for effect, permissions in (("Allow", policy.allows), ("Deny", policy.denies))
            for permission in _together(permissions)
        ]
        return _document(statements) if statements else ""

    def _statement(self, effect: str, permission: PermissionSpec | list[str]) -> dict[str, Any]:
        if isinstance(permission, list):
            return {"Effect": effect, "Action": permission, "Resource": "*"}
        on = [self.text(text) for text in permission.on]
        statement: dict[str, Any] = {
            "Effect": effect, "Action": list(permission.do), "Resource": on[0] if len(on) == 1 else on,
        }  # fmt: skip
        if permission.when:
            statement["Condition"] = self._conditions(permission.when)
        return statement

    def _conditions(self, when: Mapping[str, Mapping[str, str | tuple[str, ...]]]) -> dict[str, Any]:
        def said(value: str | tuple[str, ...]) -> str | list[str]:
            return self.text(value) if isinstance(value, str) else [self.text(text) for text in value]

        return {
            operator: {self.text(key): said(value) for key, value in keys.items()} for operator, keys in when.items()
        }

    def text(self, text: str) -> str:
        """Put placeholders of the run for the scenario's names: $name, $name.part, and the like in ${...}."""
        return _NAME.sub(lambda m: self._value(m[1] or m[3], m[2] or m[4]), text)

    def resolved(self, content: Any) -> Any:
        """Do as much to all texts in what JSON could hold, keys aside."""
        if isinstance(content, dict):
            return {key: self.resolved(value) for key, value in content.items()}
        if isinstance(content, list):
            return [self.resolved(value) for value in content]
        return self.text(content) if isinstance(content, str) else content

    def _value(self, name: str, part: str | None) -> str:
        fixture = self.fixtures.get(name)
        if fixture is None:
            kept = self._kept_part(name, part)
            if kept is not None:
                return kept
            if name in _OF_THE_RUN and part is None:
                return f"${{{name}}}"
            if _LONG.fullmatch(name) and part is None:
                return incompressible(256, name)
            known = ", ".join((*self.names(), *(f"${name}" for name in sorted(_OF_THE_RUN))))
            raise self._mistake(f"'${name}' is nothing that is given or was kept, expected one of {known}")
        if part is None:
            return f"${{{fixture.key}}}"
        if part not in PARTS[fixture.kind] or (part in _OF_DEVICES and not fixture.mfa):
            known = ", ".join(sorted(PARTS[fixture.kind] - (frozenset() if fixture.mfa else _OF_DEVICES)))
            raise self._mistake(f"'${name}.{part}' is no part of a {fixture.kind}, expected one of {known or 'none'}")
        self._count(name, part)
        return f"${{{fixture.key}.{part}}}"

    def _count(self, name: str, part: str) -> None:
        self._codes[name] += part == "code"
        if self._codes[name] > 1:
            raise self._mistake(f"'${name}.code' stands twice, expected it once: a code is good once; give two users")

    def fixture(self, text: str, kind: str) -> Fixture:
        """Return the fixture of a kind that `text` ($name) names."""
        fixture = self.fixtures.get(text[1:]) if text.startswith("$") else None
        if fixture is None or fixture.kind != kind:
            known = ", ".join(self.names(kind)) or "none"
            raise self._mistake(f"'{text}' is no {kind} provider that is given, expected one of {known}")
        return fixture

    def names(self, kind: str = "") -> Iterator[str]:
        """Yield the names of fixtures, of one kind or of all, with their dollar signs."""
        return (f"${name}" for name, made in self.fixtures.items() if kind in {"", made.kind})


def _key(made: Fixture, apart: str) -> str:
    """Name a fixture by what is special about it: a field that Fixture gets one day changes no key.

    Keys stand in the target files of users.
    """
    special = {field.name: value for field in fields(made) if (value := getattr(made, field.name)) != field.default}
    return f"{made.kind}-{digest(json.dumps(special | {'apart': apart}, sort_keys=True))}"


def digest(text: str) -> str:
    """Return eight hexadecimal digits that tell a text from others."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _together(permissions: Sequence[str | PermissionSpec]) -> list[PermissionSpec | list[str]]:
    """Return permissions, the plain actions among them as one."""
    plain = [action for action in permissions if isinstance(action, str)]
    return [*([plain] if plain else []), *(one for one in permissions if not isinstance(one, str))]


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
