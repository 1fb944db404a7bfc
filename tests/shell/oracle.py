"""What bash makes of a text: the argument vectors of the commands it would run.

Nothing runs: no program is found, every builtin is off, and a handler records what was
looked for. Texts must not hold a slash, or bash runs what it names.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

from agent_exec.model.script import Joint, Kind, Operator, Script, has_pattern
from agent_exec.shell.expand import Scope, expand_all
from agent_exec.shell.parser import parse

BUILTINS = subprocess.run(
    ["bash", "-c", "compgen -b"], check=True, capture_output=True, text=True
).stdout.split()


class NotComparable(Exception):
    """The oracle has nothing to say about a text."""


class Oracle:
    """A bash in `folder`, which holds nothing else."""

    def __init__(self, folder: Path, argvdump: Path) -> None:
        self._bash = shutil.which("bash") or "bash"
        self._cwd = folder / "cwd"
        self._cwd.mkdir()
        self._dump = folder / "dump"
        start = folder / "start.sh"
        off = [name for name in BUILTINS if name not in ("enable", "unset")]
        start.write_text(
            f'command_not_found_handle() {{ {argvdump} "$@"; }}\n'
            "unset BASH_ENV\n"
            + "".join(f"enable -n {name}\n" for name in off)
            + "enable -n unset enable\n"
        )
        self.variables = {"V": "value", "EMPTY": "", "WORDS": "two words"}
        self.home = str(folder / "home")
        self._environment = {
            **self.variables,
            "PATH": "/nonexistent",
            "HOME": self.home,
            "LC_ALL": "C.UTF-8",
            "BASH_ENV": str(start),
            "ARGV_DUMP": str(self._dump),
        }

    def bash(self, text: str) -> list[tuple[str, ...]]:
        """In no order: the stages of a pipeline have none."""
        self._dump.write_bytes(b"")
        subprocess.run(
            [self._bash, "-c", "--", text],
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
            preexec_fn=_bounds,
        )
        for name in os.listdir(self._cwd):
            (self._cwd / name).unlink()
        records = self._dump.read_bytes().split(b"\0\0")[:-1]
        words = [record.split(b"\0") for record in records]
        return sorted(tuple(word[1:].decode() for word in record) for record in words)

    def ours(self, text: str) -> list[tuple[str, ...]]:
        """The same by our reading, when every command ends with 0.

        Raises:
            NeedsBash: We leave it to bash.
            NotComparable: bash would touch files, or run what is named by a path.
        """
        script = parse(text)
        if not _is_comparable(script):
            raise NotComparable(text)
        found: list[tuple[str, ...]] = []
        status = 0
        for joint, pipeline in script.items:
            if (joint is Joint.AND and status != 0) or (joint is Joint.OR and status == 0):
                continue
            for command in pipeline.commands:
                scope = Scope(self.variables, self.home, status)
                argv = tuple(field.text for field in expand_all(command.words, scope))
                if argv and "/" in argv[0]:
                    raise NotComparable(text)
                if argv:
                    found.append(argv)
            status = 1 if pipeline.negated else 0
        return sorted(found)


def _is_comparable(script: Script) -> bool:
    commands = [command for item in script.items for command in item.pipeline.commands]
    inward = (Operator.HERE_DOCUMENT, Operator.HERE_STRING)
    dup = (Operator.DUPLICATE_IN, Operator.DUPLICATE_OUT)
    words = [word for command in commands for word in command.words]
    if any(
        kind is Kind.PLAIN and has_pattern(text) for word in words for kind, text in word.pieces
    ):
        return False
    return all(
        redirection.operator in (*inward, *dup)
        or (redirection.operator is Operator.WRITE and redirection.target.literal == "o")
        for command in commands
        for redirection in command.redirections
    )


def _bounds() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
