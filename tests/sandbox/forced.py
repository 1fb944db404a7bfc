"""Run a command with the rights that a test says, as if that had been decided.

As a program it takes a file of rows, JSON lines with ``id``, ``argv``, ``env``, ``files``,
``stdin`` and ``repo_config``, of commands that leave M or another a.txt behind. Each runs in a
place of its own: without a sandbox of ours, as a control; without the right to write; and as if
it had been judged to read only. It prints those that had an effect all the same.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policy.hidden import Hidden, Seen
from policy.hidden_place import fill, installed, is_seen, make_place, run

from agent_exec.errors import TemplateError
from agent_exec.model.action import Action
from agent_exec.model.analysis import Analysed
from agent_exec.model.outcome import LauncherName, Outcome
from agent_exec.model.plan import CallPlan, Limits, SpawnPlan, Stdio
from agent_exec.model.request import Command
from agent_exec.model.rights import Rights
from agent_exec.policy.facts import Program
from agent_exec.policy.load import load_policy
from agent_exec.policy.rights import Granted, rights_of
from agent_exec.runtime.enforcing import enforced_by, make_sandbox
from agent_exec.runtime.environment import SearchPath
from agent_exec.runtime.resolve import find_program
from agent_exec.runtime.select import select_engine
from agent_exec.template.cache import TemplateCache

_FOLDERS = (
    str(Path(sys.executable).parent),
    *("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"),
)
PATH = os.pathsep.join(_FOLDERS)
_LIMITS = Limits(timeout_s=3.0, grace_s=0.1)


class Forced:
    """Runs commands in `worktree` by the sandbox of `policy`.

    Args:
        worktree: Absolute.
        policy: A shipped name or a path.
    """

    def __init__(self, worktree: Path, policy: str | Path = "default") -> None:
        self.worktree = os.path.realpath(worktree)
        self.policy = load_policy(policy, worktree=self.worktree)
        sandbox = make_sandbox(self.policy, enforced_by(LauncherName.VFORK), os.environ)
        assert sandbox is not None
        self.sandbox = sandbox
        self.engine, launcher = select_engine("vfork")
        self._cache = TemplateCache(self.worktree, credentials=launcher.credentials)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.engine.close()
        self._cache.close()
        self.sandbox.close()

    def reader(self, program: str) -> Rights:
        """Those of a command that was judged to read only."""
        found = Analysed(Command((program,), None), None, (os.path.basename(program),), ())
        granted: Granted = (found, Program(program, program, None), [])
        return rights_of(self.policy.sandbox, [granted], direct=True)

    def find(self, name: str) -> str:
        """The program that a command with this first word would run."""
        return find_program(name, cwd=self.worktree, path=SearchPath(_FOLDERS))

    def run(
        self,
        argv: tuple[str, ...],
        rights: Rights | None = None,
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        alone: bool = False,
    ) -> Outcome:
        """Run it with `rights`; of a reader, when there are none.

        Args:
            argv: The command.
            rights: What it may do.
            env: Its variables, over a small environment.
            stdin: Its input.
            alone: Use the temp directory again afterwards.
        """
        program = self.find(argv[0])
        rights = self.reader(program) if rights is None else rights
        lease = self._cache.lease(program)
        cell = self.sandbox.enter(_LIMITS.timeout_s)
        directory = os.open(self.worktree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        variables = {
            "PATH": PATH,
            "HOME": "/nothing",
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "TMPDIR": os.fsdecode(cell.tmp_for(rights, lease.template.executable)),
            **(env or {}),
        }
        try:
            stage = SpawnPlan(
                executable=lease.template.executable,
                argv=tuple(map(os.fsencode, argv)),
                envp=tuple([os.fsencode(f"{name}={value}") for name, value in variables.items()]),
                actions=(Action.fchdir(directory),),
                session=True,
                reset_signals=True,
                die_with_parent=True,
                confinement=cell.confinement(rights, lease.template.executable),
            )
            plan = CallPlan(stages=(stage,), stdin=Stdio.NULL, limits=_LIMITS)
            if stdin is not None:
                plan = plan._replace(stdin=stdin.encode())
            return self.engine.run_sync(plan)
        finally:
            os.close(directory)
            lease.release()
            cell.leave(alone=alone)


def without_write() -> Rights:
    """Everything but to write and the network."""
    return Rights(read=("/",), execute=("/",))


def has_effect(row: Hidden, forced: Forced, *, may_read: bool) -> bool:
    """Does the effect of `row` show, when it is forced to run?

    Args:
        row: Of a table.
        forced: In a place made by `make_place`, which may be used again if it does not.
        may_read: It may read everything, and write nothing; else it is a reader.
    """
    place = Path(forced.worktree)
    config = (place / ".git/config").read_bytes()
    row = fill(row, place)
    argv = ("bash", "-c", row.call) if isinstance(row.call, str) else row.call
    rights = without_write() if may_read else None
    try:
        outcome = forced.run(argv, rights, env=row.env, stdin=row.stdin)
    except TemplateError:  # no program: a row of a text that only bash runs
        return False
    (place / ".git/config").write_bytes(config)
    return is_seen(row, place, outcome.stdout.head + outcome.stderr.head)


def _row(source: Mapping[str, Any]) -> Hidden:
    return Hidden(
        source["id"],
        tuple(source["argv"]),
        Seen.CHANGED if source["id"].startswith(("sed-i", "sed---in")) else Seen.MARK,
        source["env"],
        {
            name + ("*" if text.startswith("#!") else ""): text
            for name, text in source["files"].items()
        },
        "M\n" if source["stdin"] else None,
        config=tuple(source["repo_config"].items()),
    )


def main(file: str) -> None:
    """Print the rows of `file` that had an effect."""
    rows = [_row(json.loads(line)) for line in Path(file).read_text("utf-8").splitlines()]
    shown, effects = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared"
        prepared.mkdir()
        make_place(prepared)
        with Forced(prepared / "here") as forced:
            for number, row in enumerate(row for row in rows if installed(row.call[0])):
                top = Path(folder) / f"{number}"
                shutil.copytree(prepared, top, symlinks=True)
                filled = fill(row, top / "here")
                if not is_seen(filled, top / "here", run(filled, top / "here")):
                    continue
                shown += 1
                seen = [has_effect(row, forced, may_read=each) for each in (True, False)]
                if any(seen):
                    effects += 1
                    print(row.id, *seen)
    print(f"{len(rows)} rows, {shown} have an effect in the control run, {effects} forced")


if __name__ == "__main__":
    main(sys.argv[1])
