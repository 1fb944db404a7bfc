"""Policy files from disk: read, checked, merged, built.

What is shipped was checked when the wheel was built; only somebody's own file needs pydantic,
which takes longer to import than a whole check should.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.policy.build import build
from agent_exec.policy.load_tables import shipped
from agent_exec.policy.merge import merge
from agent_exec.policy.policy import Policy
from agent_exec.policy.source import Source

SHIPPED = ("read-only", "default", "workspace", "strict", "open")
COMPILED = "policies.json"
"""The shipped policies in one file; made when the wheel is built."""
_MOST_BYTES = 1024 * 1024
_MOST_FILES = 64


def load_policy(name: str | os.PathLike[str], *, worktree: str) -> Policy:
    """A policy by a shipped name, or by its path.

    Args:
        name: One of `SHIPPED`; what has a slash or ends in .yaml is a path.
        worktree: Absolute, without links.

    Raises:
        PolicyError: There is none of that name; it cannot be read, or is wrong: the message
            says where, and what would be right.
    """
    text = os.fspath(name)
    sources = load_sources(text)
    _check(sources)
    return build(
        text,
        merge(sources),
        worktree=worktree,
        environ=os.environ,
        network_said=_network_said(sources),
    )


def _network_said(sources: Sequence[Source]) -> str:
    """Where ``sandbox.network`` stands that counts."""
    for source in reversed(sources):
        word = (source.content.get("sandbox") or {}).get("network")
        if word is not None:
            return f"{source.where('sandbox', 'network')}: sandbox.network is {word}"
    return "sandbox.network"


def load_merged(name: str) -> dict[str, Any]:
    """What `load_policy` builds from, for showing it. Raises as that."""
    sources = load_sources(name)
    _check(sources)
    return merge(sources)


def load_sources(name: str) -> Sequence[Source]:
    """The files of a policy, those that it extends before it. Raises as `load_policy`."""
    found: dict[str, Source] = {}
    _load(name, os.curdir, (), found, name)
    return tuple(found.values())


def is_path(name: str) -> bool:
    """Is that the path of a policy, and no shipped name?"""
    return "/" in name or name.endswith((".yaml", ".yml"))


def _load(
    name: str, folder: str, below: tuple[str, ...], found: dict[str, Source], where: str
) -> None:
    """Put the file `name` into `found`, after those that it extends.

    Args:
        name: As somebody names it.
        folder: Where a relative path begins.
        below: Who extends it, outermost first.
        found: The files so far, by their identity.
        where: Who names it, for messages.
    """
    identity = name
    if is_path(name):
        identity = os.path.realpath(os.path.join(folder, os.path.expanduser(name)))
    if identity in below:
        circle = " extends ".join((*below[below.index(identity) :], identity))
        raise PolicyError(f"{where}: extends goes in a circle: {circle}")
    if identity in found:
        return
    if len(below) > _MOST_FILES:
        raise PolicyError(f"{where}: extends more than {_MOST_FILES} files, one after another")
    source = _read(identity, name, where) if is_path(name) else _shipped(name, where)
    for index, base in enumerate(source.content.get("extends", [])):
        place = source.where("extends", index)
        _load(_from(source.shown, base), folder, (*below, identity), found, place)
    found[identity] = source


def _from(file: str, base: str) -> str:
    """How a base that `file` names is named from where `file` is."""
    if not is_path(base) or base.startswith(("~", "/")):
        return base
    found = os.path.normpath(os.path.join(os.path.dirname(file), base))
    return found if "/" in found else f"./{found}"


def _shipped(name: str, where: str) -> Source:
    if name not in SHIPPED:
        at = "" if where == name else f"{where}: "
        raise PolicyError(
            f"{at}there is no policy {name!r}; shipped are {', '.join(SHIPPED)}, "
            f"and a file of your own is named by its path: ./{name}.yaml"
        )
    folder = shipped()
    compiled = os.path.join(folder, COMPILED)
    if os.path.isfile(compiled):
        with open(compiled, "rb") as file:
            policies: dict[str, Mapping[str, Any]] = json.load(file)
        return Source(name, policies[name], {}, name)
    return _read(os.path.join(folder, f"{name}.yaml"), name, name)._replace(name=name)


def _read(path: str, shown: str, where: str) -> Source:
    # The reader of files needs pydantic and YAML.
    from agent_exec.policy.read_file import read_policy  # noqa: PLC0415

    at = "" if where == shown else f"{where}: "
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(f"{at}{shown}: {reason}") from None
    if len(text) > _MOST_BYTES:
        raise PolicyError(f"{at}{shown}: larger than {_MOST_BYTES} bytes; that is no policy")
    return read_policy(text, path, shown)


def _check(sources: Sequence[Source]) -> None:
    """Refuse files whose examples disagree; the shipped ones are held to theirs by a test."""
    own = [source for source in sources if source.name not in SHIPPED]
    if any(rule.get("examples") for source in own for rule in source.content.get("rules", [])):
        from agent_exec.policy.examples import check_examples  # noqa: PLC0415 - not for all

        check_examples(own)
