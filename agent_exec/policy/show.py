"""Policies as text, for people: merged, or made from the settings of another program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from agent_exec.errors import PolicyError
from agent_exec.policy.importing.rules import Imported
from agent_exec.policy.importing.select import import_policy
from agent_exec.policy.load import load_merged

_MOST_BYTES = 4 * 1024 * 1024


def merged_file(name: str) -> dict[str, Any]:
    """A policy with everything that it inherits, as one file. Raises PolicyError."""
    return {"version": 1, **load_merged(name)}


def imported_file(path: str, kind: str) -> Imported:
    """A policy from the settings of another program.

    Raises:
        PolicyError: The file cannot be read, or is none of that program.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    if len(text) > _MOST_BYTES:
        raise PolicyError(f"{path}: larger than {_MOST_BYTES} bytes")
    return import_policy(text, path, kind)


def to_yaml(content: Mapping[str, Any]) -> str:
    """The text of a policy file."""
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Lists of words on one line; no aliases, which a policy may not have."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - of the base class
        """Always."""
        return True


def _list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    flat = not any(isinstance(each, dict) for each in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)


_Dumper.add_representer(list, _list)
