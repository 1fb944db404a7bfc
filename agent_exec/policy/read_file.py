"""The text of a policy file to plain values that are right, or an error that says where."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agent_exec.errors import PolicyError
from agent_exec.policy.file import VERSION, PolicyFile

Location = tuple[str | int, ...]
_DEEPEST = 20


def read_policy(text: bytes, name: str) -> Mapping[str, Any]:
    """The content of one file, checked.

    Args:
        text: UTF-8.
        name: Of the file, for messages.

    Raises:
        PolicyError: With file, line and column of everything that is wrong.
    """
    content, marks = _read_yaml(text, name)
    if not isinstance(content, dict):
        raise PolicyError(f"{name}:1:1: a policy is a mapping that begins with 'version: 1'")
    version = content.get("version")
    if "version" in content and version != VERSION:
        line, column = marks[("version",)]
        later = isinstance(version, int) and version > VERSION
        hint = "a later release reads it" if later else f"this release reads {VERSION}"
        raise PolicyError(f"{name}:{line}:{column}: version {version!r}: {hint}")
    try:
        model = PolicyFile.model_validate(content)
    except ValidationError as error:
        raise PolicyError("\n".join(_messages(error, marks, name))) from None
    return model.model_dump(exclude_unset=True)


def _read_yaml(text: bytes, name: str) -> tuple[object, dict[Location, tuple[int, int]]]:
    marks: dict[Location, tuple[int, int]] = {}
    try:
        node = yaml.compose(text.decode("utf-8"), Loader=yaml.SafeLoader)
        content = None if node is None else _value(node, (), marks, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "1:1" if mark is None else f"{mark.line + 1}:{mark.column + 1}"
        raise PolicyError(f"{name}:{place}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise PolicyError(f"{name}:1:1: {error}") from None
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{name}:{line}:1: this is no UTF-8") from None
    except RecursionError:
        raise PolicyError(f"{name}:1:1: nested too deeply for a policy") from None
    return content, marks


def _value(
    node: yaml.Node, at: Location, marks: dict[Location, tuple[int, int]], name: str
) -> object:
    """What a node says. Anchors and aliases are refused: a file may not grow by being read."""
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    if len(at) > _DEEPEST:
        raise PolicyError(f"{name}:{place[0]}:{place[1]}: nested too deeply for a policy")
    marks.setdefault(at, place)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node)
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key, str):
                raise PolicyError(f"{name}:{line}:{column}: a key is a string; quote {key!r}")
            if key in mapping:
                raise PolicyError(f"{name}:{line}:{column}: {key} stands there twice")
            marks[(*at, key)] = (line, column)
            mapping[key] = _value(value_node, (*at, key), marks, name)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*at, index), marks, name) for index, child in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> object:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.MarkedYAMLError(problem="a word is wanted here", problem_mark=node.start_mark)
    return yaml.SafeLoader("").construct_object(node)


def _messages(
    error: ValidationError, marks: Mapping[Location, tuple[int, int]], name: str
) -> Iterable[str]:
    seen = set()
    for problem in error.errors(include_url=False):
        at = _known(problem["loc"], marks)
        line, column = marks[at]
        where = ".".join(map(str, at)) or "the file"
        message = f"{name}:{line}:{column}: {where}: {_message(problem, at)}"
        if message not in seen:
            seen.add(message)
            yield message


def _known(location: Location, marks: Mapping[Location, tuple[int, int]]) -> Location:
    """pydantic adds the names of types where several may stand."""
    at: Location = ()
    for part in location:
        if (*at, part) in marks:
            at = (*at, part)
    return at


def _message(problem: Any, at: Location) -> str:  # noqa: ANN401 - pydantic's dictionary
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        key = str(problem["loc"][-1])
        keys = _keys(at[:-1])
        near = difflib.get_close_matches(key, keys, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(keys))}"
        return f"there is no key {key}{hint}"
    if kind == "missing":
        return f"{problem['loc'][-1]} is missing"
    if kind == "string_type" and not isinstance(value, (dict, list)):
        return f"YAML reads {value!r} here, which is no string; put it in quotes"
    if kind == "literal_error":
        near = difflib.get_close_matches(str(value), problem["ctx"]["expected"].split("'"), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{value!r} is not {problem['ctx']['expected']}{hint}"
    return str(problem["msg"][:1].lower() + problem["msg"][1:])


def _keys(at: Location) -> list[str]:
    """Of the mapping at `at`, as the models have them."""
    model: type[BaseModel] = PolicyFile
    for part in at:
        if isinstance(part, int):
            continue
        annotation = str(model.model_fields[part].annotation)
        for candidate in _entries():
            if candidate.__name__ in annotation:
                model = candidate
                break
        else:
            return []
    return list(model.model_fields)


def _entries() -> list[type[BaseModel]]:
    base = PolicyFile.__mro__[1]
    return sorted(base.__subclasses__(), key=lambda entry: -len(entry.__name__))
