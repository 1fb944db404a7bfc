"""The YAML of one file of tool tables to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from agent_exec.policy.table import TableError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_table_file(text: bytes, name: str) -> Mapping[str, Any]:
    """What stands in `text`.

    YAML lets the last of two equal keys win, without a word: half of a table would be gone.

    Raises:
        TableError: It is no YAML or no mapping, or has a key twice or one that is no string;
            the message has the line.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
        if not isinstance(root, yaml.MappingNode):
            raise TableError(f"{name}: a file of tables is a mapping")
        _check_keys(root, name)
        content: Mapping[str, Any] = yaml.load(text, _LOADER)
    except yaml.YAMLError as error:
        raise TableError(f"{name}: {error}") from None
    return content


def _check_keys(root: yaml.Node, name: str) -> None:
    waiting = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            _check_mapping(node, name)
            waiting += [value for _, value in node.value]


def _check_mapping(node: yaml.MappingNode, name: str) -> None:
    keys: set[str] = set()
    for key, _ in node.value:
        where = f"{name}:{key.start_mark.line + 1}"
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if key.tag != "tag:yaml.org,2002:str":
            raise TableError(f"{where}: put {key.value!r} in quotes; YAML takes it for no text")
        if key.value in keys:
            raise TableError(f"{where}: {key.value} stands there twice")
        keys.add(key.value)
