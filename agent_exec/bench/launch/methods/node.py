"""Node's `execFile`: exec_file.js, one process for all batches."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from contextlib import ExitStack
from importlib.resources import as_file, files

from agent_exec.bench.launch.drive import warm_up_launches
from agent_exec.bench.launch.measured import Batch
from agent_exec.bench.launch.methods.base import UnavailableError
from agent_exec.bench.launch.programs import Program, Workbench, WrongResultError


class Node:
    """Asks a resident Node for batches."""

    def __init__(self, bench: Workbench) -> None:
        node = shutil.which("node")
        if node is None:
            raise UnavailableError("there is no node on PATH")
        self._bench = bench
        self._holds = ExitStack()
        script = self._holds.enter_context(as_file(files("agent_exec.bench") / "exec_file.js"))
        self._process = self._holds.enter_context(
            subprocess.Popen(
                [node, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )

    def measure(self, program: Program, launches: int, in_flight: int) -> Batch:
        task = {
            "argv": program.argv,
            "cwd": self._bench.worktree,
            "env": dict(self._bench.env),
            "stdout": base64.b64encode(program.stdout).decode(),
            "stderr": base64.b64encode(program.stderr).decode(),
            "launches": launches,
            "in_flight": in_flight,
            "warm_up": warm_up_launches(in_flight),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WrongResultError("node ended by itself")
        measured = json.loads(line)
        if "error" in measured:
            raise WrongResultError(measured["error"])
        return Batch.of(in_flight, **measured)

    def close(self) -> None:
        """End of input ends the script."""
        self._holds.close()
