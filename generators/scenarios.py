"""Cases of scenarios: what must be made and called before, and the one call that is judged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from generators.case import Case, Fixture, Request, Step, plain_request
from generators.expectation import Expectation
from specs.contract import ROOT, place_of
from specs.loader import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specs.contract import Contract
    from specs.model import RoleFixture, ScenarioSpec, StepSpec, UserFixture

THEME = "scenario"
_NEEDS = frozenset({"user", "role"})  # whoever can make these can make fixtures


def cases(contract: Contract) -> Iterator[Case]:
    """Yield the cases of all scenarios."""
    for scenario in contract.scenarios:
        yield from _Scenario(contract, scenario).cases()


@dataclass
class _Scenario:
    """A scenario while it is read, from its first step to its last."""

    contract: Contract
    spec: ScenarioSpec
    fixtures: dict[str, Fixture] = field(default_factory=dict)  # by the scenario's own name
    kept: dict[str, Step] = field(default_factory=dict)
    granted: str = ""  # id of the last case that is expected to be granted

    def cases(self) -> Iterator[Case]:
        self._fixtures()
        for step in self.spec.steps:
            request = self._request(step)
            if step.keep is not None:
                if step.keep in self.kept or step.keep in self.fixtures:
                    raise self._mistake(f"the name '{step.keep}' stands for something already, expected a new one")
                self.kept[step.keep] = Step(request, f"kept-{_digest(repr(request))}")
            else:
                yield self._case(step, request)

    def _case(self, step: StepSpec, request: Request) -> Case:
        assert step.expect is not None  # noqa: S101 - the model has looked
        case_id = f"{self.spec.id}/{step.case}"
        case = Case(
            id=case_id,
            rules=(self.spec.id,),
            operation=step.call,
            theme=THEME,
            level=self.spec.level,
            request=request,
            expectation=self._expectation(step),
            control="" if step.expect == "success" else self._control(case_id),
            needs=_NEEDS,
            evidence=step.evidence,
            fixtures=tuple(self.fixtures.values()),
            setup=self._setup(request),
            pinned=frozenset(name.split(".")[0] for name in step.with_),
        )
        if step.expect == "success":
            self.granted = case_id
        return case

    def _control(self, case_id: str) -> str:
        if not self.granted:
            raise self._mistake(f"'{case_id}' expects a refusal, expected a case that is granted before it")
        return self.granted

    def _expectation(self, step: StepSpec) -> Expectation:
        if step.expect == "success":
            return Expectation("success", checks=step.check)
        refusal = self.contract.refusals.get(step.expect or "")
        if refusal is None:
            raise self._mistake(f"a step expects '{step.expect}', expected success or a name in refusals.yaml")
        return Expectation("refusal", refusal, step.check)

    def _setup(self, request: Request) -> tuple[Step, ...]:
        """Return the steps that `request` rests on, the first one first."""
        found: list[Step] = []
        caller = request.principal
        while caller.startswith("kept-"):
            step = next(step for step in self.kept.values() if step.keep == caller)
            found.insert(0, step)
            caller = step.request.principal
        return tuple(found)

    def _request(self, step: StepSpec) -> Request:
        operation = self.contract.operations.get(step.call)
        if operation is None:
            known = ", ".join(self.contract.operations)
            raise self._mistake(f"a step calls '{step.call}', expected one of {known}")
        members = tuple((name, self._value(value)) for name, value in step.with_.items())
        request = plain_request(step.call, members, signed=operation.authentication == "sigv4")
        return replace(request, principal="" if step.as_ == "user" else self._caller(step.as_))

    def _value(self, value: str | int) -> str:
        text = str(value)
        if not text.startswith("$"):
            return text
        fixture = self.fixtures.get(text[1:])
        if fixture is None or not fixture.key.startswith("role-"):
            raise self._mistake(f"'{text}' is no role that is given, expected one of {self._names('role-')}")
        return f"${{{fixture.key}}}"

    def _caller(self, text: str) -> str:
        name = text.removeprefix("$")
        if text.startswith("$") and name in self.kept:
            return self.kept[name].keep
        fixture = self.fixtures.get(name)
        if not text.startswith("$") or fixture is None or not fixture.key.startswith("user-"):
            known = ", ".join(["user", *(f"${kept}" for kept in self.kept)])
            raise self._mistake(f"a step calls as '{text}', expected one of {known}, {self._names('user-')}")
        return fixture.key

    def _names(self, kind: str) -> str:
        return ", ".join(f"${name}" for name, made in self.fixtures.items() if made.key.startswith(kind)) or "none"

    # Fixtures

    def _fixtures(self) -> None:
        given = self.spec.given
        for name, user in given.users.items():
            self.fixtures[name] = _user(user)
        for name, role in given.roles.items():
            if name in self.fixtures:
                raise self._mistake(f"'{name}' is given twice, expected one role or user of that name")
            self.fixtures[name] = self._role(role)

    def _role(self, role: RoleFixture) -> Fixture:
        made = Fixture(
            key="",
            trusts=tuple(self._trusted(name) for name in role.trusts),
            when=json.dumps(role.when, sort_keys=True),
            grants=role.grants,
            allows=role.allows,
            tags=tuple(role.tags.items()),
            max_session_seconds=role.max_session_duration,
        )
        return replace(made, key=f"role-{_digest(repr(made))}")

    def _trusted(self, name: str) -> str:
        if name in {"account", "user"}:
            return name
        if name not in self.fixtures:
            known = ", ".join(("account", "user", *self.fixtures))
            raise self._mistake(f"a role trusts '{name}', expected one of {known} (what is trusted stands first)")
        return self.fixtures[name].key

    def _mistake(self, complaint: str) -> SpecError:
        return SpecError(f"{place_of(ROOT, f'id: {self.spec.id}')}: {self.spec.id}: {complaint}")


def _user(user: UserFixture) -> Fixture:
    made = Fixture(key="", allows=user.allows, denies=user.denies, tags=tuple(user.tags.items()))
    return replace(made, key=f"user-{_digest(repr(made))}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
