"""Whatever becomes of the owner of sessions, nothing of them is left. Real owners, real ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from realproc import PATIENCE_S, is_alive, own_cgroups, wait_until

from agent_exec.runtime.environment import is_mark

# An owner with three sessions, of which it prints the processes: one that ignores SIGTERM, one
# whose child has left its session, and one at a terminal.
_OWNER = """
import os, re, sys, threading, time
import anyio
sys.path.insert(0, {tests!r})
from sessions import DEAF, Model
from agent_exec import ExecTool

async def begin(tool):
    model, found = Model(tool), []

    async def one(script, terminal=False):
        session = await model.start("sh", "-c", script, terminal=terminal)
        found.extend(re.findall(r"pid (\\d+)\\.", await model.until(session, "all")))

    async with anyio.create_task_group() as group:
        group.start_soon(one, f"echo pid $$.; echo all; {{DEAF}}")
        group.start_soon(one, "echo pid $$.; setsid sleep 1000 & echo pid $!.; echo all; wait")
        group.start_soon(one, "echo pid $$.; echo all; exec sleep 1000", True)
    print(*found, flush=True)

tool = ExecTool({worktree!r}, policy="open", containment={containment!r})
{end}
"""
_ENDS = {
    "returns": "anyio.run(begin, tool)",
    "closes": "anyio.run(begin, tool); tool.close(); sys.exit(0)",
    "in a thread": """
        done = threading.Thread(target=anyio.run, args=(begin, tool))
        done.start()
        done.join()
    """,
    "os._exit": "anyio.run(begin, tool); os._exit(0)",
    "waits": "anyio.run(begin, tool); time.sleep(1000)",
    "on a loop": """
        async def main():
            await begin(tool)
            await anyio.sleep_forever()
        anyio.run(main)
    """,
}


@contextmanager
def owner(tmp_path: Path, end: str, containment: str = "auto") -> Iterator[subprocess.Popen[str]]:
    script = _OWNER.format(
        tests=str(Path(__file__).parent),
        worktree=str(tmp_path),
        containment=containment,
        end=textwrap.dedent(_ENDS[end]),
    )
    environ = {name: value for name, value in os.environ.items() if not is_mark(name)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environ
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def pids(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    found = [int(word) for word in process.stdout.readline().split()]
    assert len(found) == 4
    return found


@pytest.mark.parametrize("end", ["returns", "closes", "in a thread", "os._exit"])
def test_an_owner_that_ends_takes_its_sessions_along(tmp_path: Path, end: str) -> None:
    with owner(tmp_path, end) as process:
        found = pids(process)
        process.wait(PATIENCE_S)
        wait_until(lambda: not any(map(is_alive, found)))
        wait_until(lambda: not own_cgroups(process.pid))


@pytest.mark.parametrize(
    ("end", "signum", "containment"),
    [
        ("waits", signal.SIGKILL, "auto"),
        ("on a loop", signal.SIGKILL, "session"),
        ("on a loop", signal.SIGTERM, "auto"),
    ],
)
def test_an_owner_that_is_killed_leaves_nothing(
    tmp_path: Path, end: str, signum: int, containment: str
) -> None:
    with owner(tmp_path, end, containment) as process:
        found = pids(process)
        assert all(map(is_alive, found))
        process.send_signal(signum)
        process.wait(PATIENCE_S)
        wait_until(lambda: not any(map(is_alive, found)))
