"""What messages about a YAML file show of it: everything, or of a file with secrets only what can be none."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHOWN = 80  # characters of a wrong value in a message
_HARMLESS = 12  # characters of a wrong value in a file with secrets, where a number or the like was expected
_NEAR = 0.75  # of a mistyped key to one that it is shown beside
_WORD = re.compile(r"[a-z][a-z0-9]{0,15}(?:-[a-z0-9]{1,16}){0,5}")
_INDEX = re.compile(r"[0-9]{1,4}")
_MISTYPED = re.compile(r"[a-z][a-z-]{0,30}")
# What pydantic complains of where no text was expected, and so no secret.
_OF_NO_TEXT = ("bool_", "int_", "literal_")
_QUOTED = re.compile(r"""'(?!<[a-z ]{1,30}>')[^']{2,}'|"[^"]{2,}\"""")


def holds_secrets(model: type[BaseModel]) -> bool:
    """Whether files of a model may hold secrets: its `holds_secrets` says so."""
    return bool(getattr(model, "holds_secrets", False))


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a model's files may have at their top."""
    return [field.alias or name for name, field in model.model_fields.items()]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in models_in(part)]


def shown_place(place: Sequence[str], model: type[BaseModel]) -> str:
    """Return a path of keys and numbers, as far as it can be shown."""
    if not holds_secrets(model):
        return ".".join(place)
    known = set(_all_keys(model))
    return ".".join(part if part in known or _is_word(part) else "..." for part in place)


def shown_syntax(kind: str, text: str, *, secret: bool) -> str:
    """Return how to call an alias, an anchor or a tag: each may be a secret that was not quoted."""
    if secret:
        return f"{'an' if kind[0] == 'a' else 'a'} {kind}"
    return f"the {kind} '{text}'"


def shown_key(key: str, model: type[BaseModel] | None) -> str:
    """Return how to call a key that a mapping has twice."""
    if model is not None and holds_secrets(model) and key not in set(_all_keys(model)):
        return "a key"
    return f"the key '{key}'"


def shown_unknown(place: Sequence[str], known: Sequence[str], model: type[BaseModel]) -> str:
    """Return how to call a key that is not one of `known`, and what was expected instead."""
    key, above = place[-1], shown_place(place[:-1], model)
    near = difflib.get_close_matches(key, known, 1, _NEAR if holds_secrets(model) else 0.6)
    expected = f"expected '{near[0]}'" if near else "expected one of " + ", ".join(known)
    if holds_secrets(model) and not (near and _MISTYPED.fullmatch(key)):
        return f"found an unknown key{f' in {above!r}' if above else ''}, {expected}"
    return f"found the unknown key '{'.'.join(filter(None, (above, key)))}', {expected}"


def shown_problem(problem: str, *, secret: bool) -> str:
    """Return what the YAML parser says; it quotes only marks of the language."""
    return _QUOTED.sub("something", problem) if secret else problem


def shown_value(value: object, *, secret: bool = False, complaint: str = "") -> str:
    """Return a wrong value, or what kind of thing it is; `complaint` is pydantic's word for what is wrong."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value)
    if secret and not (complaint.startswith(_OF_NO_TEXT) and len(str(value)) <= _HARMLESS):
        return "a text" if isinstance(value, str) else "a number"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _is_word(part: str) -> bool:
    return _WORD.fullmatch(part) is not None or _INDEX.fullmatch(part) is not None


def _all_keys(model: type[BaseModel]) -> Iterator[str]:
    yield from keys_of(model)
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            if inner is not model:
                yield from _all_keys(inner)
