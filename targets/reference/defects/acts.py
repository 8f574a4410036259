"""The ways to put something wrong into an operation: who may call it, what it is given, and what it returns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from targets.reference.defects import edits
from targets.reference.defects.claims import ALLOW_ALL, ANYBODY
from targets.reference.model import Caller, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from targets.reference.constraints import Values
    from targets.reference.operations import Result
    from targets.reference.reading import Query
    from targets.reference.service import Service

    Operation = Callable[[Caller, Values], Result]


def unserved(operation: str, method: str = "") -> Callable[[Service], None]:
    """Not know an operation, or not know it when it is called by one method."""

    def apply(service: Service) -> None:
        check = service.check_operation

        def checked(query: Query) -> None:
            check(query)
            if query.action == operation and method in ("", query.http.method):
                version = query.version
                raise Refused("unknown-action", f"Could not find operation {operation} for version {version}")

        edits.substitute(service, "check_operation", checked)

    return apply


def needs_signature(operation: str, when: Callable[[Query], bool] = lambda _: True) -> Callable[[Service], None]:
    """Want a signature where none is needed."""

    def apply(service: Service) -> None:
        caller, authenticator = service.caller, service.authenticator

        def found(query: Query) -> Caller | None:
            if query.action == operation and when(query) and authenticator.claim_of(query) is None:
                raise Refused("not-authenticated", "Request is missing Authentication Token")
            return caller(query)

        edits.substitute(service, "caller", found)

    return apply


def refuses_signature(operation: str) -> Callable[[Service], None]:
    """Turn a signature that is not needed down."""

    def apply(service: Service) -> None:
        caller, authenticator = service.caller, service.authenticator

        def found(query: Query) -> Caller | None:
            if query.action == operation and authenticator.claim_of(query) is not None:
                raise Refused("unknown-key", "The security token included in the request is invalid.")
            return caller(query)

        edits.substitute(service, "caller", found)

    return apply


def reworked(method: str, change: Callable[[Caller, Values, Result], Result]) -> Callable[[Service], None]:
    """Change what an operation returns, by its caller and its members."""

    def around(operation: Operation, caller: Caller, values: Values) -> Result:
        return change(caller, values, operation(caller, values))

    return _around(method, around)


def given(method: str, change: Callable[[Values], Values]) -> Callable[[Service], None]:
    """Give an operation other members than those of the request."""
    return _around(method, lambda operation, caller, values: operation(caller, change(values)))


def refused(
    method: str, refusal: str, message: str, when: Callable[[Caller, Values], bool]
) -> Callable[[Service], None]:
    """Refuse what is no reason to refuse."""

    def around(operation: Operation, caller: Caller, values: Values) -> Result:
        if when(caller, values):
            raise Refused(refusal, message)
        return operation(caller, values)

    return _around(method, around)


def any_session(method: str, *origins: str) -> Callable[[Service], None]:
    """Let sessions of these origins call an operation, as the user that they may come from."""

    def around(operation: Operation, caller: Caller, values: Values) -> Result:
        if caller.session is None or caller.session.origin not in origins:
            return operation(caller, values)
        user = replace(caller.principal, kind="user")
        return operation(Caller(user, caller.access_key_id, policies=(ALLOW_ALL,)), values)

    return _around(method, around)


def granted(
    method: str, refusal: str, when: Callable[[Values], bool], made: Callable[[Values], Result]
) -> Callable[[Service], None]:
    """Grant what would be refused for that reason, with something made up and credentials of anybody."""

    def apply(service: Service) -> None:
        def around(operation: Operation, caller: Caller, values: Values) -> Result:
            try:
                return operation(caller, values)
            except Refused as found:
                if found.refusal != refusal or not when(values):
                    raise
            credentials = service.operations.get_session_token(ANYBODY, {"DurationSeconds": 3600})
            return {name: value or credentials[name] for name, value in made(values).items()}

        _around(method, around)(service)

    return apply


def _around(
    method: str, around: Callable[[Operation, Caller, Values], Result]
) -> Callable[[Service], None]:
    def apply(service: Service) -> None:
        operation = getattr(service.operations, method)
        edits.substitute(service.operations, method, lambda caller, values: around(operation, caller, values))

    return apply


def policies_unread(when: Callable[[str], bool]) -> Callable[[Service], None]:
    """Take session policies without reading them; they count for nothing then."""

    def apply(service: Service) -> None:
        operations = service.operations
        check, packed = operations.check_policy, operations.packed

        def checked(text: str) -> None:
            if not when(text):
                check(text)

        def counted(inline: list[str], arns: list[str], tags: tuple[tuple[str, str], ...]) -> int:
            return packed([text for text in inline if not when(text)], arns, tags)

        edits.substitute(operations, "check_policy", checked)
        edits.substitute(operations, "packed", counted)

    return apply


def reordered(operation: str, *path: str) -> Callable[[Service], None]:
    """Send the elements of a result, or of one of its elements, from the last to the first."""
    if not path:
        return edits.result(operation, _backwards)
    return edits.element(operation, path, _backwards)


def _backwards(tree: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(tree.items()))
