"""The text of a policy file to plain values that are right, or an error that says where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agent_exec._version import __version__
from agent_exec.errors import PolicyError
from agent_exec.policy.file import (
    ID_WORD,
    PATH_WORD,
    PATH_WORDS,
    PLACE_WORD,
    PLACE_WORDS,
    SEARCH_WORD,
    SEARCH_WORDS,
    VERSION,
    PolicyFile,
)
from agent_exec.policy.source import Location, Source, known, place

_DEEPEST = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_QUOTE = "put it in quotes"


def read_policy(text: bytes, path: str, shown: str | None = None) -> Source:
    """The content of one file, checked.

    Args:
        text: UTF-8.
        path: Of the file.
        shown: Its name in messages; `path` when not given.

    Raises:
        PolicyError: With file, line and column of everything that is wrong.
    """
    name = path if shown is None else shown
    content, marks = _read_yaml(text, name)
    if not isinstance(content, dict):
        raise PolicyError(f"{name}:1:1: a policy is a mapping that begins with 'version: 1'")
    if "version" in content:
        _check_version(content["version"], place(name, marks, ("version",)))
    try:
        model = PolicyFile.model_validate(content)
    except ValidationError as error:
        raise PolicyError("\n".join(_messages(error, marks, name))) from None
    source = Source(path, model.model_dump(exclude_unset=True), marks, name)
    wrong = [f"{source.where(*at)}: {_path(at)}: {message}" for at, message in _meaning(source)]
    if wrong:
        raise PolicyError("\n".join(wrong))
    return source


def _meaning(source: Source) -> Iterable[tuple[Location, str]]:
    """What types do not say."""
    env = source.content.get("env") or {}
    if "PATH" in (env.get("set") or {}):
        yield ("env", "set", "PATH"), "programs.path is the PATH of every child"
    for index, pattern in enumerate(source.content.get("redact") or []):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            yield ("redact", index), f"no regular expression: {error}"


def _path(at: Location) -> str:
    return ".".join(map(str, at)) or "the file"


def _check_version(version: object, where: str) -> None:
    if type(version) is int and version == VERSION:
        return
    hint = f"write version: {VERSION}"
    if type(version) is int and version > VERSION:
        hint = f"a later release than agent-exec {__version__} reads it, this one reads {VERSION}"
    raise PolicyError(f"{where}: version {version!r}: {hint}")


def _read_yaml(text: bytes, name: str) -> tuple[object, dict[Location, tuple[int, int]]]:
    reader = _Reader(name)
    try:
        node = yaml.compose(text.decode("utf-8"), Loader=_LOADER)
        content = None if node is None else reader.value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = "1:1" if mark is None else f"{mark.line + 1}:{mark.column + 1}"
        raise PolicyError(f"{name}:{at}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise PolicyError(f"{name}:1:1: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{name}:{line}:1: this is no UTF-8") from None
    except RecursionError:
        raise PolicyError(f"{name}:1:1: nested too deeply for a policy") from None
    return content, reader.marks


class _Reader:
    """What nodes say. Aliases are refused: a file may not grow by being read."""

    def __init__(self, name: str) -> None:
        self.marks: dict[Location, tuple[int, int]] = {}
        self._name = name
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, at: Location) -> object:
        """What `node` says; it stands at `at`."""
        self.marks.setdefault(at, (node.start_mark.line + 1, node.start_mark.column + 1))
        if id(node) in self._seen:
            raise self._error(node, "a policy has no aliases (*name); write it out")
        self._seen.add(id(node))
        if len(at) > _DEEPEST:
            raise self._error(node, "nested too deeply for a policy")
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, at))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*at, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _items(self, mapping: yaml.MappingNode, at: Location) -> Iterable[tuple[str, object]]:
        taken = set()
        for key_node, value_node in mapping.value:
            key = self._scalar(key_node)
            if not isinstance(key, str):
                raise self._error(key_node, f"a key is a string; put {key!r} in quotes")
            if key in taken:
                raise self._error(key_node, f"{key} stands there twice")
            taken.add(key)
            mark = key_node.start_mark
            self.marks[*at, key] = (mark.line + 1, mark.column + 1)
            yield key, self.value(value_node, (*at, key))

    def _scalar(self, node: yaml.Node) -> object:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a word is wanted here")
        if node.tag == "tag:yaml.org,2002:merge":
            raise self._error(node, "a policy has no merge keys (<<); name its base in extends")
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except ValueError as error:
            raise self._error(node, f"{node.value!r}: {error}; put it in quotes") from None
        if isinstance(value, str) and "\0" in value:
            raise self._error(node, "holds a NUL, which no program or file system can be given")
        return value

    def _error(self, node: yaml.Node, message: str) -> PolicyError:
        mark = node.start_mark
        return PolicyError(f"{self._name}:{mark.line + 1}:{mark.column + 1}: {message}")


def _messages(
    error: ValidationError, marks: Mapping[Location, tuple[int, int]], name: str
) -> Iterable[str]:
    """One for each thing that is wrong, in the order of the file."""
    problems: dict[Location, list[str]] = {}
    for problem in error.errors(include_url=False):
        at = known(tuple(problem["loc"]), marks)
        problems.setdefault(at, []).append(_message(problem, at))
    for at in sorted(problems, key=lambda each: marks[each]):
        where = _path(at)
        messages = list(dict.fromkeys(problems[at]))
        # Where several types may stand, each complains; what YAML did explains it.
        explained = [message for message in messages if _QUOTE in message]
        for message in explained or messages:
            yield f"{place(name, marks, at)}: {where}: {message}"


def _message(problem: Any, at: Location) -> str:  # noqa: ANN401 - pydantic's dictionary
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        key = str(problem["loc"][-1])
        keys = _keys(at[:-1])
        near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(keys))}"
        return f"there is no key {key}{hint}"
    if kind == "missing":
        return f"{problem['loc'][-1]} is missing"
    if kind in ("string_type", "literal_error") and not isinstance(value, (str, dict, list)):
        return f"YAML reads {value!r} here, which is no string; {_QUOTE}"
    if kind == "literal_error":
        words = problem["ctx"]["expected"]
        near = difflib.get_close_matches(str(value), words.split("'"), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{value!r} is not {words}{hint}"
    if kind == "string_pattern_mismatch":
        return f"{value!r} is not {_wanted(problem['ctx']['pattern'])}"
    if kind.startswith("bool"):
        return f"true or false is wanted, not {value!r}"
    if kind == "list_type":
        return f"a list is wanted, not {value!r}"
    return str(problem["msg"][:1].lower() + problem["msg"][1:])


def _wanted(pattern: str) -> str:
    words = {
        PATH_WORD: f"a path: {PATH_WORDS}",
        PLACE_WORD: f"a place: {PLACE_WORDS}",
        SEARCH_WORD: f"a directory: {SEARCH_WORDS}",
        ID_WORD: "an id: small letters, digits, and . _ - between them",
    }
    return words.get(pattern, f"of the form {pattern}")


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
