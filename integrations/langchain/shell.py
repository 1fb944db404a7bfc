"""The shell middleware of LangChain without its shell: each of its commands is judged."""

from __future__ import annotations

import os
import queue
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from langchain.agents.middleware import ShellToolMiddleware
from langchain.agents.middleware.shell_tool import BaseExecutionPolicy

from agent_exec import ExecTool, Question, ToolResult
from agent_exec.integrations.common.asking import NOT_ASKED
from agent_exec.integrations.langchain.interrupting import call_sync

_DESCRIPTION = (
    "Run a shell command in the worktree. A policy decides what may run; a refusal says why and "
    "what to do instead. Each command runs by itself: a `cd` that stands alone is kept for later "
    "ones, variables and functions are not. Its input is empty."
)
_MARKER = re.compile(r"printf '(?P<marker>\w+) %s\\n' \$\?\n")
"""What the middleware writes behind a command, to see in the output where it has ended."""
_BYTES = 1 << 20
_NOT_RUN = 126


def shell_middleware(
    tool: ExecTool,
    *,
    interrupt: bool = True,
    **options: Any,  # noqa: ANN401 - as they have them
) -> ShellToolMiddleware[Any, Any]:
    """``create_agent(model, middleware=[shell_middleware(tool)])``: its tool ``shell``.

    Args:
        tool: Stays the caller's to close.
        interrupt: False: what the policy asks about is for the approver of `tool`.
        options: More of `ShellToolMiddleware`, such as ``tool_name``.
    """
    return ShellToolMiddleware(
        **{
            "workspace_root": tool.worktree,
            "tool_description": _DESCRIPTION,
            "execution_policy": JudgedExecutionPolicy(tool=tool, interrupt=interrupt),
            **options,
        }
    )


@dataclass(kw_only=True)
class JudgedExecutionPolicy(BaseExecutionPolicy):
    """No shell is started: what the middleware writes to one is run by a tool, text by text.

    A text runs without a shell where that is exactly the same, and is judged like any call. What
    the policy asks about interrupts the graph, as with `exec_tools`.
    """

    tool: ExecTool
    """Stays the caller's to close."""
    interrupt: bool = True
    """False: what the policy asks about is for the approver of `tool`."""

    def spawn(
        self, *, workspace: Path, env: Mapping[str, str], command: Sequence[str]
    ) -> subprocess.Popen[str]:
        """What the middleware takes for a shell.

        Raises:
            ValueError: It is to be another program, or to work outside of the worktree.
        """
        if os.path.basename(command[0]) not in ("bash", "sh"):
            raise ValueError(f"{shlex.join(command)}: texts are read as bash reads them")
        worktree = Path(self.tool.worktree)
        if not workspace.resolve().is_relative_to(worktree.resolve()):
            raise ValueError(f"workspace_root is {workspace}; it has to be in {worktree}")
        return cast("subprocess.Popen[str]", _NoShell(self._run, str(workspace), env))

    def _run(self, arguments: Mapping[str, Any]) -> ToolResult | Question:
        timeout_ms = max(1, round(self.command_timeout * 1000))
        given = {**arguments, "timeout_ms": timeout_ms}
        return call_sync(self.tool, given, may_interrupt=self.interrupt)


class _NoShell:
    """As much of `subprocess.Popen` as the middleware uses."""

    def __init__(
        self,
        run: Callable[[Mapping[str, Any]], ToolResult | Question],
        workspace: str,
        env: Mapping[str, str],
    ) -> None:
        self.pid = os.getpid()
        self.stdin = self
        self.stdout = _Lines()
        self.stderr = _Lines()
        self._run = run
        self._folder = workspace
        self._env = [{"name": name, "value": value} for name, value in env.items()]
        self._text = ""
        self._status: int | None = None

    def write(self, text: str) -> None:
        """A command, or the marker behind it: then it runs, to its end."""
        if self._status is not None:
            raise BrokenPipeError("the shell has ended")
        if found := _MARKER.fullmatch(text):
            command, self._text = self._text, ""
            self._tell(found["marker"], *self._ran(command))
        else:
            self._text += text

    def flush(self) -> None:
        """Without a marker, it is the ``exit`` of the middleware."""
        if self._text:
            self.kill()

    def close(self) -> None:
        """Nothing is left of it."""

    def poll(self) -> int | None:
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            raise subprocess.TimeoutExpired("shell", timeout or 0.0)
        return self._status

    def kill(self) -> None:
        """Nothing runs between two commands."""
        if self._status is None:
            self._status = 0
            self.stdout.put("")
            self.stderr.put("")

    def _ran(self, command: str) -> tuple[str, str, int]:
        """Both outputs, and the status."""
        folder = _folder_of(command)
        if folder is not None:
            target = os.path.normpath(os.path.join(self._folder, folder))
            # As bash says it; whether one may is the question of what is run there.
            if not os.path.isdir(target):
                return "", f"cd: {folder}: No such directory\n", 1
            self._folder = target
            return "", "", 0
        done = self._run(
            {
                "command": command,
                "cwd": self._folder,
                "env": self._env or None,
                "output": {"keep": "both", "bytes": _BYTES},
            }
        )
        if isinstance(done, Question):
            return "", f"{NOT_ASKED}\n", _NOT_RUN
        if done.error is not None:
            return "", f"{done.text}\n", _NOT_RUN
        outputs = [f"{each.head}{each.tail}" for each in (done.stdout, done.stderr)]
        return outputs[0], outputs[1], _NOT_RUN if done.status is None else done.status

    def _tell(self, marker: str, out: str, err: str, status: int) -> None:
        self.stderr.put_lines(err)
        # The two are read by two threads; what comes after the marker may be overlooked.
        self.stderr.wait_taken()
        self.stdout.put_lines(out)
        self.stdout.put(f"{marker} {status}\n")


class _Lines:
    """An output, for one thread that reads it line by line."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._is_reading = False

    def put(self, line: str) -> None:
        self._lines.put(line)

    def put_lines(self, text: str) -> None:
        for line in text.splitlines(keepends=True):
            self._lines.put(line)

    def wait_taken(self) -> None:
        """Until the reader has done with every line, and asks for another."""
        self._lines.join()

    def readline(self) -> str:
        if self._is_reading:
            self._lines.task_done()
        self._is_reading = True
        return self._lines.get()


def _folder_of(command: str) -> str | None:
    """Where a `cd` that stands alone goes to."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    is_plain = len(words) == len(["cd", "folder"]) and words[0] == "cd"
    # What bash would expand is for bash.
    return words[1] if is_plain and not re.search(r"[$`~*?\[\n\\-]", command.strip()) else None
