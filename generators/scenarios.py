"""Cases of scenarios: what must be made and called before, and the one call that is judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from generators.case import Case, Recipe, Request, Step, plain_request
from generators.expectation import Expectation, placeholders
from generators.given import Given, digest
from generators.plain import tag_parameters
from specs.contract import ROOT, place_of
from specs.loader import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.case import Parameters
    from specs.contract import Contract
    from specs.model import AssertionSpec, CheckSpec, ScenarioSpec, StepSpec, TokenSpec

THEME = "scenario"
# Callers that no scenario has to give.
_CALLERS = {"user": "", "root": "root"}
_CALLER_NEEDS = {"user": frozenset({"user"}), "root": frozenset({"root"})}


def cases(contract: Contract) -> Iterator[Case]:
    """Yield the cases of all scenarios."""
    for scenario in contract.scenarios:
        yield from _Scenario(contract, scenario).cases()


@dataclass
class _Scenario:
    """A scenario while it is read, from its first step to its last."""

    contract: Contract
    spec: ScenarioSpec
    kept: dict[str, Step] = field(default_factory=dict)  # by the scenario's own name
    recipes: dict[str, Recipe] = field(default_factory=dict)
    granted: list[str] = field(default_factory=list)  # ids of the cases that are expected to be granted

    def cases(self) -> Iterator[Case]:
        self.given = Given(self.spec.id, self.spec.given, self._kept_part, self.mistake)
        for step in self.spec.steps:
            request = self._request(step)
            if step.keep is not None:
                if step.keep in self.kept or step.keep in self.given.fixtures:
                    raise self.mistake(f"the name '{step.keep}' stands for something already, expected a new one")
                self.kept[step.keep] = Step(request, f"kept-{digest(repr(request))}")
            else:
                yield self._case(step, request)

    def _case(self, step: StepSpec, request: Request) -> Case:
        case_id = f"{self.spec.id}/{step.case}"
        expectation = self._expectation(step)
        control = "" if expectation.outcome == "success" else self._control(step, case_id)
        setup = self._setup(request, expectation)
        requests = (*(step.request for step in setup), request)
        recipes = {used.name: used for one in requests for used in self._used(one)}
        if step.after and not setup:
            raise self.mistake(f"'{case_id}' comes {step.after} s after nothing, expected that it builds on a step")
        case = Case(
            id=case_id,
            rules=(self.spec.id,),
            operation=step.call,
            theme=THEME,
            level=self.spec.level,
            request=request,
            expectation=expectation,
            control=control,
            needs=self._needs(request, setup),
            evidence=step.evidence,
            fixtures=tuple(self.given.fixtures.values()),
            setup=setup,
            recipes=tuple(recipes.values()),
            after=step.after,
            pinned=_pinned(request, expectation),
        )
        if expectation.outcome == "success":
            self.granted.append(case_id)
        return case

    def _needs(self, request: Request, setup: tuple[Step, ...]) -> frozenset[str]:
        """Return what the run must have: who calls, and whatever else the scenario says."""
        requests = (request, *(step.request for step in setup))
        callers = {("user" if one.caller == one.signing.caller else one.caller) for one in requests if one.caller}
        return frozenset(self.spec.needs).union(*(_CALLER_NEEDS.get(caller, frozenset()) for caller in callers))

    def _control(self, step: StepSpec, case_id: str) -> str:
        if not self.granted:
            raise self.mistake(f"'{case_id}' expects a refusal, expected a case that is granted before it")
        if step.control is None:
            return self.granted[-1]
        named = f"{self.spec.id}/{step.control}"
        if named not in self.granted:
            raise self.mistake(f"the control '{step.control}' of '{case_id}' is no case that is granted before it")
        return named

    def _expectation(self, step: StepSpec) -> Expectation:
        assert step.expect is not None  # noqa: S101 - the model has looked
        checks = tuple(self._check(check) for check in step.check)
        if step.expect == "success":
            return Expectation("success", checks=checks)
        outcome = "either" if step.expect.startswith("success or ") else "refusal"
        refusal = self.contract.refusals.get(step.expect.removeprefix("success or "))
        if refusal is None:
            raise self.mistake(f"a step expects '{step.expect}', expected success or a name in refusals.yaml")
        return Expectation(outcome, refusal, checks)

    def _check(self, check: CheckSpec) -> CheckSpec:
        texts = {name: self.given.text(text) for name in ("matches", "differs") if (text := getattr(check, name))}
        return check.model_copy(update=texts)

    def _setup(self, request: Request, expectation: Expectation) -> tuple[Step, ...]:
        """Return the steps that `request` rests on, each after those that it rests on itself."""
        found: dict[str, Step] = {}
        steps = {step.keep: step for step in self.kept.values()}
        compared = (text for check in expectation.checks for text in (check.matches, check.differs) if text)

        def add(names: Iterator[str]) -> None:
            for name in names:
                step = steps.get(name.partition(".")[0])
                if step is not None and step.keep not in found:
                    add(self._pertinent(step.request))
                    found[step.keep] = step

        add(self._pertinent(request))
        add(name for text in compared for name in sorted(placeholders(text)))
        return tuple(found.values())

    def _pertinent(self, request: Request) -> Iterator[str]:
        """Yield the names of everything that a request is made with."""
        yield request.principal
        texts = [value for _, value in request.parameters if value]
        texts += [recipe.says for recipe in self._used(request)]
        for text in texts:
            yield from sorted(placeholders(text))

    def _used(self, request: Request) -> Iterator[Recipe]:
        for _, value in request.parameters:
            for name in placeholders(value or ""):
                if name in self.recipes:
                    yield self.recipes[name]

    # A step's request

    def _request(self, step: StepSpec) -> Request:
        operation = self.contract.operations.get(step.call)
        if operation is None:
            known = ", ".join(self.contract.operations)
            raise self.mistake(f"a step calls '{step.call}', expected one of {known}")
        members = {name: self.given.text(str(value)) for name, value in step.with_.items()}
        parameters = (*members.items(), *self._members(step, members))
        request = plain_request(step.call, parameters, signed=operation.authentication == "sigv4")
        return replace(request, principal=self._caller(step.as_))

    def _members(self, step: StepSpec, others: dict[str, str]) -> Parameters:
        """Return the members that a step has fields of its own for."""
        tags, values = list(step.tags), list(step.tags.values())
        found = list(tag_parameters(len(tags), key=lambda n: tags[n - 1], value=lambda n: values[n - 1]))
        found += [(f"TransitiveTagKeys.member.{n}", key) for n, key in enumerate(step.transitive, 1)]
        if step.policy is not None:
            found.append(("Policy", self.given.document(step.policy)))
        if step.mfa is not None:
            found += [("SerialNumber", self.given.text(f"{step.mfa}.device"))]
            found += [("TokenCode", self.given.text(f"{step.mfa}.code"))]
        if step.assertion is not None:
            found.append(("SAMLAssertion", self._recipe(step.assertion, "saml", others)))
        if step.token is not None:
            found.append(("WebIdentityToken", self._recipe(step.token, "openid", others)))
        return tuple(found)

    def _recipe(self, spec: AssertionSpec | TokenSpec, kind: str, others: dict[str, str]) -> str:
        issuer = self.given.fixture(spec.from_, kind)
        says = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"from_"})
        says = self.given.resolved(says)
        if kind == "saml":
            says = {"role": others.get("RoleArn", ""), "provider": others.get("PrincipalArn", "")} | says
        text = json.dumps(says, sort_keys=True)
        recipe = Recipe(f"token-{digest(f'{issuer.key}{text}')}", issuer.key, text)
        self.recipes[recipe.name] = recipe
        return f"${{{recipe.name}}}"

    def _caller(self, text: str) -> str:
        if text in _CALLERS:
            return _CALLERS[text]
        if text.startswith("$") and text[1:] in self.kept:
            return self.kept[text[1:]].keep
        fixture = self.given.fixtures.get(text[1:]) if text.startswith("$") else None
        if fixture is None or fixture.kind != "user":
            kept = (f"${name}" for name in self.kept)
            known = ", ".join((*_CALLERS, *kept, *self.given.names("user")))
            raise self.mistake(f"a step calls as '{text}', expected one of {known}")
        return fixture.key

    def _kept_part(self, name: str, part: str | None) -> str | None:
        """Return the placeholder for a part of what a step kept; None if nothing was kept under that name."""
        step = self.kept.get(name)
        if step is None:
            return None
        if part is None:
            raise self.mistake(f"'${name}' stands for credentials, expected a part of the answer: ${name}.ELEMENT")
        return f"${{{step.keep}.{self.contract.operations[step.request.operation].result_wrapper}/{part}}}"

    def mistake(self, complaint: str) -> SpecError:
        """Return what to raise for a mistake in the YAML."""
        return SpecError(f"{place_of(ROOT, f'id: {self.spec.id}')}: {self.spec.id}: {complaint}")


def _pinned(request: Request, expectation: Expectation) -> frozenset[str]:
    """Return the members that are the point: those that are given, and a duration that is looked at."""
    given = {name.split(".")[0] for name, _ in request.parameters}
    looked_at = any(check.lifetime_seconds is not None for check in expectation.checks)
    return frozenset(given | {"DurationSeconds"}) if looked_at else frozenset(given)
