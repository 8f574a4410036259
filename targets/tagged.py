"""What a run makes through IAM bears a tag with the run's name, where IAM takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from targets.iam import tag_parameters

if TYPE_CHECKING:
    from targets.http import Exchange
    from targets.iam import IamCall

# Roles and users pass it on to their sessions as a principal tag. No condition of a scenario names it, and it takes
# none of the fifty session tags.
TAG = "sts-conformance"
_MOST = 50  # tags of one thing
_TAKES_TAGS = frozenset(
    {"CreateUser", "CreateRole", "CreatePolicy", "CreateVirtualMFADevice"}
    | {"CreateSAMLProvider", "CreateOpenIDConnectProvider"}
)


class Tagged:
    """Calls of IAM, with the tag of the run on whatever they make."""

    def __init__(self, call: IamCall, run: str) -> None:
        self._call = call
        self._run = run
        self._without: set[str] = set()  # actions that are granted without the tag only

    async def __call__(self, action: str, **parameters: str) -> Exchange:
        """Call `action`; once more without the tag if that is what IAM refuses, or the right to set it is missing."""
        given = _tags(parameters)
        if action not in _TAKES_TAGS - self._without or len(given) >= _MOST:
            return await self._call(action, **parameters)
        made = await self._call(action, **parameters | tag_parameters((*given, (TAG, self._run))))
        if made.answer is None or made.granted:
            return made
        again = await self._call(action, **parameters)
        if again.granted:
            self._without.add(action)
        return again


def _tags(parameters: dict[str, str]) -> list[tuple[str, str]]:
    keys = [name for name in parameters if name.startswith("Tags.member.") and name.endswith(".Key")]
    return [(parameters[name], parameters[f"{name.removesuffix('Key')}Value"]) for name in keys]
