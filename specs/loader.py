"""YAML file -> typed document; a mistake is one line: file, line, what was found, what was expected."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Document = TypeVar("Document", bound=BaseModel)

MAX_BYTES = 4_000_000
MAX_DEPTH = 40
_SHOWN = 80  # characters of a wrong value in a message

# libyaml's parser where it is built in: ten times faster, same language.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # its base is chosen above
    """Safe YAML whose plain words are texts unless YAML 1.2 says otherwise.

    So 2011-06-15 is no date, 0900 no octal number and `no` no falsehood, as an editor shows them.
    """


_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _first in (
    ("null", r"(null|Null|NULL|~|)", ("n", "N", "~", "")),
    ("bool", r"(true|True|TRUE|false|False|FALSE)", tuple("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]{0,17})", tuple("-+0123456789")),
    (
        "float",
        r"[-+]?[0-9]{1,17}(\.[0-9]{0,17}([eE][-+]?[0-9]{1,3})?|[eE][-+]?[0-9]{1,3})",
        tuple("-+0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_form})\Z"), _first)


class SpecError(Exception):
    """A mistake in a YAML file; the text is one line that a user can act on."""


def load(path: Path, model: type[Document]) -> Document:
    """Read `path` safely as one `model`; raises SpecError if it is not what `model` describes."""
    return parse(read_text(path), model, str(path))


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file; raises SpecError if that cannot be had."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise SpecError(f"{path}: is a folder; a YAML file was expected") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise SpecError(f"{path}: found more than {MAX_BYTES} bytes, expected a smaller file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{content[error.start]:02x}"
        raise SpecError(f"{path}:{line}: found {found}, expected UTF-8 text") from None


def parse(text: str, model: type[Document], name: str) -> Document:
    """Like `load`, of a text that is called `name` in messages."""
    node, data = _read(text, name)
    if node is None or not isinstance(data, dict):
        keys = ", ".join(_keys(model))
        raise SpecError(f"{name}:1: found {_show(data)}, expected a mapping with the keys {keys}")
    try:
        return model.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecError(_explain(error, node, model, name)) from None


def plain(path: Path) -> Any:
    """Read `path` as safely as `load`, but without a model: mappings, lists, texts and numbers."""
    return _read(read_text(path), str(path))[1]


def _read(text: str, name: str) -> tuple[yaml.Node | None, Any]:
    try:
        _refuse_unused_syntax(text, name)
        reader = _Loader(text)
        try:
            node = reader.get_single_node()
            _refuse_repeated_keys(node, name)
            return node, reader.construct_document(node) if node is not None else None
        finally:
            reader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(f"{name}:{line}: not YAML: {error.problem or error.context}") from None
    except ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise SpecError(f"{name}:{line}: not YAML: {error.reason}") from None


def _refuse_unused_syntax(text: str, name: str) -> None:
    """Refuse what no file here needs and what costs stack or memory out of proportion to its size.

    Aliases can blow a few lines up to gigabytes, deep nesting overflows the stack of the C parser,
    tags name types to construct. Events come one by one, so nothing is built before it is refused.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(f"{name}:{line}: found the alias '*{event.anchor}', expected the text itself")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise SpecError(f"{name}:{line}: found the anchor '&{event.anchor}', expected none")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise SpecError(f"{name}:{line}: found the tag '{tag}', expected a plain value")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise SpecError(f"{name}:{line}: found nesting deeper than {MAX_DEPTH}, expected less")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_repeated_keys(node: yaml.Node | None, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError(f"{name}:{line}: found a mapping or list as a key, expected a text")
            if key.value in seen:
                raise SpecError(
                    f"{name}:{line}: found the key '{key.value}' again (first in line {seen[key.value]}), "
                    "expected it once"
                )
            seen[key.value] = line
            _refuse_repeated_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, name)


def _explain(error: ValidationError, node: yaml.Node, model: type[BaseModel], name: str) -> str:
    """Word pydantic's first complaint with the line it is about."""
    complaints = error.errors(include_url=False)
    # A mistyped key is both unknown and missing: the first says more.
    first = next((one for one in complaints if one["type"] == "extra_forbidden"), complaints[0])
    place = [str(part) for part in first["loc"]]
    found = locate(node, place)
    kind = first["type"]
    path = ".".join(place)
    if kind == "extra_forbidden":
        known = _keys(_model_at(model, place[:-1]))
        near = difflib.get_close_matches(place[-1], known, 1)
        hint = f"'{near[0]}'" if near else "one of " + ", ".join(known)
        return f"{name}:{found}: found the unknown key '{path}', expected {hint}"
    if kind == "missing":
        where = f" in '{'.'.join(place[:-1])}'" if len(place) > 1 else ""
        return f"{name}:{found}: found no '{place[-1]}'{where}, expected it"
    # A union names the branches it tried after the place: they stand in no file.
    path = ".".join(place[: _depth(node, place)]) or "the document"
    message = first["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{name}:{found}: '{path}': {message}"
    return f"{name}:{found}: '{path}': found {_show(first['input'])}, expected {_expected(message)}"


def _expected(message: str) -> str:
    """Turn pydantic's 'Input should be a valid integer' and its like into what was expected."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message, flags=re.ASCII)
    return message


# What pydantic says, and how an author of YAML says it.
_WORDS = (
    (r" after validation, not \d+$", ""),
    (r"^\w+ should match pattern ", "a text that matches "),
    (r"^\w+ should have ", ""),
    (r"^\w+ should be ", ""),
    (r"^a valid (tuple|list)", "a list"),
    (r"^a valid dictionary", "a mapping"),
    (r"^a valid string", "a text"),
    (r"^a valid (\w+), unable to .*", r"a valid \1"),
)


def _depth(node: yaml.Node, place: list[str]) -> int:
    """Count the leading parts of `place` that stand in the file."""
    for index, part in enumerate(place):
        step = _child(node, part)
        if step is None:
            return index
        node = step[1]
    return len(place)


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
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    text = "a list" if isinstance(value, (list, tuple)) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
