"""Change one thing in a JSON text, and leave every other byte as it is.

Comments and trailing commas are read over, as settings of editors and agents have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from agent_exec import InvalidCall

Key = str | int

_SPACE = re.compile(r"(?:[ \t\r\n\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null')
_INDENT = re.compile(r"\n([ \t]+)\S")
_MOST_DEEP = 100


class _Node(NamedTuple):
    start: int
    end: int
    value: Any
    children: tuple[tuple[Key, int, _Node], ...] = ()
    """Key, where the member begins (its name, or itself), and the value."""


def read(text: str, name: str) -> Any:  # noqa: ANN401 - JSON is anything
    """The content of `text`.

    Raises:
        InvalidCall: With the line of what is wrong; `name` is whose text it is.
    """
    return _parse(text, name).value


def put(text: str, path: Sequence[Key], value: object, name: str) -> str:
    """`text` with `value` at `path`, where nothing is yet.

    Args:
        text: With an object at the top; empty is an empty object.
        path: Keys of objects, which are made where they are missing. A last one that is an
            int stands for a place at the end of an array, which is made, too.
        value: JSON.
        name: Whose text it is, for messages.

    Raises:
        InvalidCall: The text is no JSON, or has something else than an object or array on
            the way.
    """
    node = _parse(text if text.strip() else "{}\n", name)
    text = text if text.strip() else "{}\n"
    depth = 0
    rest = list(path)
    while rest:
        wanted = list if isinstance(rest[0], int) else dict
        if not isinstance(node.value, wanted):
            where = ".".join(str(key) for key in path[:depth]) or "the top"
            kind = "an array" if wanted is list else "an object"
            raise InvalidCall(f"{name}: at {where} is {node.value!r:.60}, and not {kind}")
        found = [child for key, _, child in node.children if key == rest[0]]
        if not found or len(rest) == 1:
            break
        node, depth = found[0], depth + 1
        rest.pop(0)
    for key in reversed(rest[1:]):
        value = [value] if isinstance(key, int) else {key: value}
    return _insert(text, node, depth, rest[0], value)


def replace(text: str, path: Sequence[Key], value: object, name: str) -> str:
    """`text` with `value`, in one line, instead of what is at `path`.

    Raises:
        InvalidCall: The text is no JSON.
        KeyError: There is nothing.
    """
    node = _parse(text, name)
    for key in path:
        node = _child(node, key)[1]
    return text[: node.start] + _dumped(value) + text[node.end :]


def drop(text: str, path: Sequence[Key], name: str) -> str:
    """`text` without what is at `path`, and the comma that belonged to it.

    Raises:
        InvalidCall: The text is no JSON.
        KeyError: There is nothing.
    """
    node = _parse(text, name)
    for key in path[:-1]:
        node = _child(node, key)[1]
    keys = [key for key, _, _ in node.children]
    if path[-1] not in keys:
        raise KeyError(path[-1])
    at = keys.index(path[-1])
    _, start, child = node.children[at]
    if at > 0:
        return text[: node.children[at - 1][2].end] + text[child.end :]
    if len(keys) > 1:
        return text[:start] + text[node.children[1][1] :]
    return text[: node.start + 1] + text[node.end - 1 :]


def _insert(text: str, node: _Node, depth: int, key: Key, value: object) -> str:
    match = _INDENT.search(text)
    indent = match[1] if match else "  "
    newline = "\r\n" if "\r\n" in text else "\n"
    start = "" if isinstance(key, int) else f"{_dumped(key)}: "
    in_one_line = bool(node.children) and "\n" not in text[node.start : node.end]
    if in_one_line:
        added = start + _dumped(value)
        at = node.children[-1][2].end
        return f"{text[:at]}, {added}{text[at:]}"
    shown = _dumped(value, indent)
    inner = newline + indent * (depth + 1)
    added = inner + start + shown.replace("\n", inner)
    if node.children:
        at = node.children[-1][2].end
        return f"{text[:at]},{added}{text[at:]}"
    return f"{text[: node.start + 1]}{added}{newline}{indent * depth}{text[node.end - 1 :]}"


def _dumped(value: object, indent: str | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Half of a character can stand in JSON as an escape only.
    return text.encode("utf-8", "backslashreplace").decode()


def _child(node: _Node, key: Key) -> tuple[int, _Node]:
    for found, start, child in node.children:
        if found == key:
            return start, child
    raise KeyError(key)


def _parse(text: str, name: str) -> _Node:
    try:
        node = _value(text, _space(text, 0), 0)
        end = _space(text, node.end)
        if end != len(text):
            raise _WrongError(end)
    except _WrongError as wrong:
        line = text.count("\n", 0, wrong.at) + 1
        raise InvalidCall(f"{name}:{line}: no JSON; correct it first") from None
    return node


class _WrongError(Exception):
    def __init__(self, at: int) -> None:
        self.at = at


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _value(text: str, at: int, depth: int) -> _Node:
    if depth > _MOST_DEEP:
        raise _WrongError(at)
    opened = text[at : at + 1]
    if opened in ("{", "["):
        return _container(text, at, depth, is_object=opened == "{")
    return _scalar(text, at)


def _scalar(text: str, at: int) -> _Node:
    match = _SCALAR.match(text, at)
    if match is None:
        raise _WrongError(at)
    try:
        return _Node(at, match.end(), json.loads(match[0]))
    except ValueError:
        raise _WrongError(at) from None


def _container(text: str, at: int, depth: int, *, is_object: bool) -> _Node:
    start = at
    children: list[tuple[Key, int, _Node]] = []
    at = _space(text, at + 1)
    closing = "}" if is_object else "]"
    while text[at : at + 1] != closing:
        begin = at
        key: Key = len(children)
        if is_object:
            named = _scalar(text, at)
            at = _space(text, named.end)
            if not isinstance(named.value, str) or text[at : at + 1] != ":":
                raise _WrongError(at)
            key, at = named.value, _space(text, at + 1)
        child = _value(text, at, depth + 1)
        children.append((key, begin, child))
        at = _space(text, child.end)
        if text[at : at + 1] == ",":
            at = _space(text, at + 1)
        elif text[at : at + 1] != closing:
            raise _WrongError(at)
    plain: Any = [child.value for _, _, child in children]
    if is_object:
        plain = {key: child.value for key, _, child in children}
    return _Node(start, at + 1, plain, tuple(children))
