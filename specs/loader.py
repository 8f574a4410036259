"""YAML file -> typed document; a mistake is one line: file, line, what was found, what was expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.reader import ReaderError

from specs.shown import (
    holds_secrets,
    keys_of,
    models_in,
    shown_key,
    shown_place,
    shown_problem,
    shown_syntax,
    shown_unknown,
    shown_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Document = TypeVar("Document", bound=BaseModel)

MAX_BYTES = 4_000_000
MAX_DEPTH = 40

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
    node, data = _read(text, name, model)
    if node is None or not isinstance(data, dict):
        found, keys = shown_value(data, secret=holds_secrets(model)), ", ".join(keys_of(model))
        raise SpecError(f"{name}:1: found {found}, expected a mapping with the keys {keys}")
    try:
        return model.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecError(_explain(error, node, model, name)) from None


def plain(path: Path) -> Any:
    """Read `path` as safely as `load`, but without a model: mappings, lists, texts and numbers."""
    return _read(read_text(path), str(path))[1]


def _read(text: str, name: str, model: type[BaseModel] | None = None) -> tuple[yaml.Node | None, Any]:
    secret = model is not None and holds_secrets(model)
    try:
        _refuse_unused_syntax(text, name, secret=secret)
        reader = _Loader(text)
        try:
            node = reader.get_single_node()
            _refuse_repeated_keys(node, name, model)
            return node, reader.construct_document(node) if node is not None else None
        finally:
            reader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = shown_problem(str(error.problem or error.context), secret=secret)
        raise SpecError(f"{name}:{line}: not YAML: {problem}") from None
    except ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise SpecError(f"{name}:{line}: not YAML: {error.reason}") from None


def _refuse_unused_syntax(text: str, name: str, *, secret: bool) -> None:
    """Refuse what no file here needs and what costs stack or memory out of proportion to its size.

    Aliases can blow a few lines up to gigabytes, deep nesting overflows the stack of the C parser,
    tags name types to construct. Events come one by one, so nothing is built before it is refused.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            found = shown_syntax("alias", f"*{event.anchor}", secret=secret)
            raise SpecError(f"{name}:{line}: found {found}, expected the text itself")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            found = shown_syntax("anchor", f"&{event.anchor}", secret=secret)
            raise SpecError(f"{name}:{line}: found {found}, expected none")
        tag = getattr(event, "tag", None)
        if tag is not None:
            found = shown_syntax("tag", tag, secret=secret)
            raise SpecError(f"{name}:{line}: found {found}, expected a plain value")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise SpecError(f"{name}:{line}: found nesting deeper than {MAX_DEPTH}, expected less")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_repeated_keys(node: yaml.Node | None, name: str, model: type[BaseModel] | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError(f"{name}:{line}: found a mapping or list as a key, expected a text")
            if key.value in seen:
                raise SpecError(
                    f"{name}:{line}: found {shown_key(key.value, model)} again (first in line {seen[key.value]}), "
                    "expected it once"
                )
            seen[key.value] = line
            _refuse_repeated_keys(value, name, model)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, name, model)


def _explain(error: ValidationError, node: yaml.Node, model: type[BaseModel], name: str) -> str:
    """Word pydantic's first complaint with the line it is about."""
    complaints = error.errors(include_url=False)
    # A mistyped key is both unknown and missing: the first says more.
    first = next((one for one in complaints if one["type"] == "extra_forbidden"), complaints[0])
    place = [str(part) for part in first["loc"]]
    found = locate(node, place)
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{name}:{found}: {shown_unknown(place, keys_of(_model_at(model, place[:-1])), model)}"
    if kind == "missing":
        where = f" in '{shown_place(place[:-1], model)}'" if len(place) > 1 else ""
        return f"{name}:{found}: found no '{place[-1]}'{where}, expected it"
    # A union names the branches it tried after the place: they stand in no file.
    path = shown_place(place[: _depth(node, place)], model) or "the document"
    message = first["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{name}:{found}: '{path}': {message}"
    value = shown_value(first["input"], secret=holds_secrets(model), complaint=kind)
    return f"{name}:{found}: '{path}': found {value}, expected {_expected(message)}"


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
                current = next(iter(models_in(field.annotation)), current)
    return current
