"""The ways to put something wrong into a reference. Each returns what a defect applies."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from targets.reference.constraints import Member
    from targets.reference.model import HttpAnswer, HttpRequest, Refused
    from targets.reference.operations import Result
    from targets.reference.service import Service

def member(operation: str, path: tuple[str, ...], change: Callable[[Member], Member]) -> Callable[[Service], None]:
    """Change an input member of an operation, reached by names; '*' is what a list holds."""

    def deeper(found: Member, rest: tuple[str, ...]) -> Member:
        if not rest:
            return change(found)
        if rest[0] == "*":
            assert found.item is not None  # noqa: S101 - of every list
            return replace(found, item=deeper(found.item, rest[1:]))
        return replace(found, fields={**found.fields, rest[0]: deeper(found.fields[rest[0]], rest[1:])})

    def apply(service: Service) -> None:
        table = service.members[operation]
        service.members[operation] = {**table, path[0]: deeper(table[path[0]], path[1:])}

    return apply


def parameters(operation: str, change: Callable[[dict[str, str]], dict[str, str]]) -> Callable[[Service], None]:
    """Change the parameters of an operation before they are held against their constraints."""

    def apply(service: Service) -> None:
        validate = service.validate

        def edited(action: str, given: Mapping[str, str]) -> Any:
            return validate(action, change(dict(given)) if action == operation else given)

        substitute(service, "validate", edited)

    return apply


def values(operation: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Service], None]:
    """Change the members of an operation after they are held against their constraints."""

    def apply(service: Service) -> None:
        validate = service.validate

        def edited(action: str, given: Mapping[str, str]) -> Any:
            found = validate(action, given)
            return change(found) if action == operation else found

        substitute(service, "validate", edited)

    return apply


def substitute(owner: object, name: str, other: Callable[..., Any]) -> None:
    """Put another function in the place of a method, of this one object."""
    if not callable(getattr(owner, name)):
        raise TypeError(f"{name} of {type(owner).__name__} is no method")
    setattr(owner, name, other)


def without(part: str, check: str) -> Callable[[Service], None]:
    """Leave a check out: 'authenticator' or 'operations', and the name of its method, which returns nothing."""
    return lambda service: substitute(getattr(service, part), check, lambda *_args, **_named: None)


def refusal(name: str, **changes: Any) -> Callable[[Service], None]:
    """Answer a refusal with another status, code, namespace or type."""

    def apply(service: Service) -> None:
        service.replies = {**service.replies, name: replace(service.replies[name], **changes)}

    return apply


def wording(name: str, change: Callable[[str | None], str | None]) -> Callable[[Service], None]:
    """Word a refusal otherwise."""

    def apply(service: Service) -> None:
        error = service.error

        def reworded(refused: Refused) -> Any:
            body = error(refused)
            return replace(body, message=change(body.message)) if refused.refusal == name else body

        substitute(service, "error", reworded)

    return apply


def result(operation: str, change: Callable[[Result], Result]) -> Callable[[Service], None]:
    """Change what an operation returns."""

    def apply(service: Service) -> None:
        service.during.append(lambda action, found: change(found) if action == operation else found)

    return apply


def element(
    operation: str, path: tuple[str, ...], change: Callable[[Any], Any]
) -> Callable[[Service], None]:
    """Change one element of a result; None leaves it out. `change` gets None if it is absent."""

    def within(tree: dict[str, Any], rest: tuple[str, ...]) -> dict[str, Any]:
        name = rest[0]
        if len(rest) > 1:
            return {**tree, name: within(tree[name], rest[1:])} if isinstance(tree.get(name), dict) else tree
        return {**tree, name: change(tree.get(name))}

    return result(operation, lambda found: within(found, path))


def request(change: Callable[[HttpRequest], HttpRequest | HttpAnswer]) -> Callable[[Service], None]:
    """Change a request before it is read, or answer it."""
    return lambda service: service.before.append(change)


def answer(change: Callable[[HttpRequest, HttpAnswer], HttpAnswer]) -> Callable[[Service], None]:
    """Change an answer after it is rendered."""
    return lambda service: service.after.append(change)


def body(pattern: str, other: str, *, only: str = "") -> Callable[[Service], None]:
    """Replace text in the body of answers; with `only`, in those whose root element matches."""

    def change(_request: HttpRequest, found: HttpAnswer) -> HttpAnswer:
        text = found.body.decode()
        if only and not re.match(rf"<(?:{only})\b", text):
            return found
        return with_body(found, re.sub(pattern, other, text, flags=re.DOTALL))

    return answer(change)


def header(name: str, value: str | None) -> Callable[[Service], None]:
    """Send a header with another value, or not at all."""

    def change(_request: HttpRequest, found: HttpAnswer) -> HttpAnswer:
        rest = tuple(pair for pair in found.headers if pair[0].lower() != name.lower())
        return replace(found, headers=rest if value is None else (*rest, (name, value)))

    return answer(change)


def with_body(found: HttpAnswer, text: str) -> HttpAnswer:
    """Return an answer with another body, of the right length."""
    data = text.encode()
    headers = tuple(
        (name, str(len(data)) if name.lower() == "content-length" else value) for name, value in found.headers
    )
    return replace(found, body=data, headers=headers)


def several(*applied: Callable[[Service], None]) -> Callable[[Service], None]:
    """Do several of these."""

    def apply(service: Service) -> None:
        for one in applied:
            one(service)

    return apply
