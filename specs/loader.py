"""YAML file -> typed document; a mistake is one line with file, line, what was found and what was expected."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Document = TypeVar("Document", bound=BaseModel)

# libyaml's parser where it is built in: ten times faster, same language.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # its base is chosen above
    """Safe YAML in which 2011-06-15 is a text: versions of the API look like dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}


class SpecError(Exception):
    """A mistake in a YAML file; the text is one line that a user can act on."""


def load(path: Path, model: type[Document]) -> Document:
    """Read `path` safely as one `model`.

    Raises:
        SpecError: unreadable, not YAML, a key given twice, or not what `model` describes.
    """
    return parse(read_text(path), model, str(path))


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file; raises SpecError if that cannot be had."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise SpecError(f"{path}: is a folder; a YAML file was expected") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def parse(text: str, model: type[Document], name: str) -> Document:
    """Like `load`, of a text that is called `name` in messages."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            _refuse_repeated_keys(node, name)
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(f"{name}:{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{name}:1: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SpecError(f"{name}:1: nested too deeply") from None
    if not isinstance(data, dict):
        keys = ", ".join(_keys(model))
        raise SpecError(f"{name}:1: found {_show(data)}, expected a mapping with the keys {keys}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError(_explain(error, node, model, name)) from None


def _refuse_repeated_keys(node: yaml.Node | None, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise SpecError(
                    f"{name}:{line}: found the key '{key.value}' again (first in line {seen[key.value]}), "
                    "expected it once"
                )
            if isinstance(key, yaml.ScalarNode):
                seen[key.value] = line
            _refuse_repeated_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, name)


def _explain(error: ValidationError, node: yaml.Node, model: type[BaseModel], name: str) -> str:
    """Word pydantic's first complaint with the line it is about."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    found = locate(node, place)
    path = ".".join(place) or "the document"
    kind = first["type"]
    if kind == "extra_forbidden":
        known = _keys(_model_at(model, place[:-1]))
        near = difflib.get_close_matches(place[-1], known, 1)
        hint = f"'{near[0]}'" if near else "one of " + ", ".join(known)
        return f"{name}:{found}: found the unknown key '{path}', expected {hint}"
    if kind == "missing":
        return f"{name}:{found}: '{path}' is missing"
    expected = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{name}:{found}: '{path}': found {_show(first['input'])}, expected {expected}"


def locate(node: yaml.Node, place: Iterable[str]) -> int:
    """Line (from 1) of the node at `place`, or of the nearest one above it."""
    line = node.start_mark.line + 1
    for part in place:
        step = _child(node, part)
        if step is None:
            break
        line, node = step
    return int(line)


def _child(node: yaml.Node, part: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if getattr(key, "value", None) == part:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        item = node.value[int(part)]
        return item.start_mark.line + 1, item
    return None


def _model_at(model: type[BaseModel], place: list[str]) -> type[BaseModel]:
    """Return the model that describes what stands at `place`, as far as the annotations tell."""
    current: type[BaseModel] = model
    for part in place:
        for name, field in current.model_fields.items():
            if part in {name, field.alias}:
                current = next(iter(_models_in(field.annotation)), current)
    return current


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _show(value: object) -> str:
    text = {None: "nothing", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    if text is None:
        text = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
