"""What bash makes of a text: the argument vectors of the commands it would run.

Nothing runs: bash is in a sandbox without network where it can write to one folder, no
program is found, every builtin is off, and a handler records what was looked for. Texts must
not name a program by a path, or bash runs it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from agent_exec.model.script import Joint, Operator, Redirection, Script, SimpleCommand
from agent_exec.shell.expand import Field, Scope, expand, expand_all
from agent_exec.shell.glob import expand_pattern
from agent_exec.shell.reading import read

Argv = tuple[str, ...]

TREE = (
    *("a", "b", "b.py", "c.txt", ".hidden", "o", "x", "sp ace", "é.py", "-n", "[a]", "1"),
    *("src/", "src/main.py", "src/util.c", "src/.dot", "src/deep/", "src/deep/x.py", "Z.txt"),
    *("empty/", "e-f", "e/", "e/f.py", "tests/", "tests/test_a.py"),
)
"""What is in the folder where a text runs; directories end in a slash."""

VARIABLES = {"V": "value", "EMPTY": "", "WORDS": "two words", "STAR": "*.py", "DIR": "src"}
HERE = Path(__file__).parent
_HERE_TEXTS = (Operator.HERE_DOCUMENT, Operator.HERE_STRING)
_DUPLICATIONS = (Operator.DUPLICATE_IN, Operator.DUPLICATE_OUT)


_SANDBOX = ("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/")


def why_no_oracle() -> str | None:
    """What this machine lacks for an `Oracle`."""
    for name in ("bash", "bwrap", "gcc"):
        if shutil.which(name) is None:
            return f"needs {name}"
    tried = subprocess.run([*_SANDBOX, "true"], check=False, capture_output=True)
    return None if tried.returncode == 0 else "bubblewrap does not work here"


class NotComparable(Exception):
    """The oracle has nothing to say about a text."""


class Tree:
    """`TREE` in memory, and what redirections add to it."""

    def __init__(self) -> None:
        self._all = set(TREE)

    def add(self, name: str) -> None:
        self._all.add(name)

    def names(self, folder: str) -> Sequence[str]:
        folder = _plain(folder)
        inside = (path[len(folder) :] for path in self._all if path.startswith(folder))
        return sorted({rest.split("/")[0] for rest in inside} - {""}, reverse=True)

    def exists(self, path: str) -> bool:
        return _plain(path) in self._all or self.is_folder(path)

    def is_folder(self, path: str) -> bool:
        plain = _plain(path).rstrip("/")
        return plain == "" or f"{plain}/" in self._all


def _plain(path: str) -> str:
    """`path` without what stays in place."""
    if path.startswith("/") or ".." in path.split("/"):
        raise NotComparable(path)
    return path.replace("./", "") if path.startswith("./") else path


class Oracle:
    """A bash in a sandbox. `folder` is new and empty, and the only one that it can write to."""

    def __init__(self, folder: Path) -> None:
        argvdump = folder / "argvdump"
        source = HERE.parent / "programs" / "argvdump.c"
        subprocess.run(["gcc", "-O1", "-o", argvdump, source], check=True)
        self.cwd = str(folder / "cwd")
        variables = {**VARIABLES, "LC_ALL": "C.UTF-8", "HOME": str(folder / "home")}
        self.scope = Scope.of_call(variables, self.cwd)
        bash = shutil.which("bash") or "bash"
        orders = {"folder": str(folder), "bash": bash, "tree": TREE, "environment": variables}
        (folder / "orders.json").write_text(json.dumps(orders))
        self._driver = subprocess.Popen(
            [
                *(*_SANDBOX, "--dev", "/dev", "--proc", "/proc"),
                *("--bind", str(folder), str(folder)),
                *(sys.executable, "-I", str(HERE / "oracle_driver.py"), str(folder)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._driver.communicate()

    def bash(self, text: str) -> list[Argv]:
        """In no order: the stages of a pipeline have none."""
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        print(json.dumps(text), file=self._driver.stdin, flush=True)
        return sorted(tuple(argv) for argv in json.loads(self._driver.stdout.readline()))

    def ours(self, text: str) -> list[Argv]:
        """The same by our reading, when every command ends with 0.

        Raises:
            NotComparable: We leave it to bash; or bash would find files that are not in the
                folder, or run what is named by a path.
        """
        script = read(text, self.scope).script
        if script is None:
            raise NotComparable(text)
        return sorted(_Run(self.scope, script).commands())


class _Run:
    """What a script runs, if every command ends with 0 and does nothing."""

    def __init__(self, scope: Scope, script: Script) -> None:
        self._scope = scope
        self._script = script
        self._tree = Tree()

    def commands(self) -> Iterator[Argv]:
        status = 0
        for joint, pipeline in self._script.items:
            if (joint is Joint.AND and status != 0) or (joint is Joint.OR and status == 0):
                continue
            alone = len(pipeline.commands) == 1
            scope = self._scope._replace(status=status)
            for command in pipeline.commands:
                fields = expand_all(command.words, scope)
                if not alone and _touches_files(command, fields):
                    raise NotComparable("stages that see each other's files, or not")
                argv = [
                    word for field in fields for word in expand_pattern(field, self._tree, scope)
                ]
                if argv and "/" in argv[0]:
                    raise NotComparable("a program that is there")
                status = 0
                if not all(self._opens(redirection) for redirection in command.redirections):
                    status = 1
                elif argv:
                    yield tuple(argv)
            if pipeline.negated:
                status = 0 if status else 1

    def _opens(self, redirection: Redirection) -> bool:
        operator = redirection.operator
        if operator in (*_HERE_TEXTS, *_DUPLICATIONS):
            return True
        field = expand(redirection.target, self._scope)
        name = field.text if field is not None else ""
        if name == "/dev/null":
            return True
        if "/" in name or name in (".", "..") or self._tree.is_folder(name):
            raise NotComparable("a file elsewhere")
        if operator is Operator.READ:
            return self._tree.exists(name)
        self._tree.add(name)
        return True


def _touches_files(command: SimpleCommand, fields: Sequence[Field]) -> bool:
    inward = (*_HERE_TEXTS, *_DUPLICATIONS)
    files = any(redirection.operator not in inward for redirection in command.redirections)
    targets = [redirection.target.literal for redirection in command.redirections]
    return (files and targets != ["/dev/null"]) or any(field.is_pattern for field in fields)
