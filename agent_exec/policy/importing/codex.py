"""Codex's ``prefix_rule`` files to a policy.

They are Starlark, of which only calls with literal arguments are read, by Python's parser of
syntax; nothing is executed.
"""

from __future__ import annotations

import ast
import shlex
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.policy.importing.rules import Collected, Element, Imported

_VERDICTS = {"allow": "allow", "prompt": "ask", "forbidden": "deny"}
_KEYS = ("pattern", "decision", "justification", "match", "not_match")
_MOST_CHARACTERS = 1_000_000


def import_codex(text: str, name: str) -> Imported:
    """A policy with the rules of a file.

    Raises:
        PolicyError: With line and column of what is no Starlark.
    """
    if len(text) > _MOST_CHARACTERS:
        raise PolicyError(f"{name}: longer than {_MOST_CHARACTERS} characters; that is no policy")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise PolicyError(f"{name}:{error.lineno}:{error.offset}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise PolicyError(f"{name}: not to be read: {error}") from None
    collected = Collected("Codex", "ask")
    for statement in tree.body:
        _statement(statement, name, collected)
    return collected.done()


def _statement(statement: ast.stmt, name: str, collected: Collected) -> None:
    where = f"{name}:{statement.lineno}"
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return  # a text by itself says nothing
        case ast.Expr(value=ast.Call(func=ast.Name(id="prefix_rule"), args=[]) as call):
            _prefix_rule(call, where, collected)
        case ast.Expr(value=ast.Call(func=ast.Name(id="host_executable"))):
            collected.leave(where, "host_executable: programs.path says where programs are")
        case ast.Expr(value=ast.Call(func=ast.Name(id="network_rule"))):
            collected.leave(where, "network_rule: rules name the network as a whole")
        case _:
            collected.leave(where, "only calls of prefix_rule with named literals are read")


def _prefix_rule(call: ast.Call, where: str, collected: Collected) -> None:
    given: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            given[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            collected.leave(where, f"{keyword.arg} is no literal")
            return
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        collected.leave(where, f"prefix_rule has no {', '.join(unknown)}")
        return
    pattern = _pattern(given.get("pattern"))
    verdict = _VERDICTS.get(str(given.get("decision", "allow")))
    if pattern is None or verdict is None:
        what = "pattern is no list of words" if pattern is None else "its decision is unknown"
        collected.leave(where, what)
        return
    justification = given.get("justification")
    collected.add(
        verdict,
        " ".join(each if isinstance(each, str) else "|".join(each) for each in pattern),
        command=pattern,
        because=justification if isinstance(justification, str) and justification else None,
        examples=_examples(given),
    )


def _pattern(value: object) -> list[Element] | None:
    if not isinstance(value, list | tuple) or not value:
        return None
    pattern: list[Element] = []
    for each in value:
        if isinstance(each, str) and each:
            pattern.append(each)
        elif (
            isinstance(each, list | tuple)
            and each
            and all(isinstance(word, str) and word for word in each)
        ):
            pattern.append([str(word) for word in each])
        else:
            return None
    return pattern


def _examples(given: dict[str, Any]) -> dict[str, list[str]]:
    examples: dict[str, list[str]] = {}
    for key in ("match", "not_match"):
        for each in given.get(key) or []:
            if isinstance(each, str) and each:
                examples.setdefault(key, []).append(each)
            elif isinstance(each, list | tuple) and each and all(isinstance(w, str) for w in each):
                examples.setdefault(key, []).append(shlex.join(each))
    return examples
