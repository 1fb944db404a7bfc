"""The C floor: floor.c, one process for each batch."""

from __future__ import annotations

import json
import subprocess
import tempfile

from agent_exec.bench.launch.drive import warm_up_launches
from agent_exec.bench.launch.measured import Batch
from agent_exec.bench.launch.programs import Program, Workbench, WrongResultError


class Floor:
    """Runs the compiled floor and reads what it measured."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def measure(self, program: Program, launches: int, in_flight: int) -> Batch:
        with tempfile.NamedTemporaryFile() as stdout, tempfile.NamedTemporaryFile() as stderr:
            for file, content in ((stdout, program.stdout), (stderr, program.stderr)):
                file.write(content)
                file.flush()
            counts = (launches, in_flight, warm_up_launches(in_flight))
            done = subprocess.run(
                [
                    self._bench.floor,
                    *map(str, counts),
                    self._bench.worktree,
                    stdout.name,
                    stderr.name,
                    *program.argv,
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=dict(self._bench.env),
                check=False,
            )
        if done.returncode != 0:
            raise WrongResultError(done.stderr.decode(errors="replace").strip())
        measured = json.loads(done.stdout)
        return Batch.of(in_flight, **measured)

    def close(self) -> None:
        """Nothing is held."""
