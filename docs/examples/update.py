"""A program is replaced while a tool is open: the next call runs the new one."""

import json
import tempfile
from pathlib import Path

import agent_exec

POLICY = """\
version: 1
extends: [open]
templates: {hot_after: 1, on_update: recreate}
"""


def install(path: Path, version: int) -> None:
    """What a package manager does: write a new file, rename it over the old one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(f"#!/bin/sh\necho version {version}\n")
    new.chmod(0o755)
    new.rename(path)


with tempfile.TemporaryDirectory() as folder:
    policy, log = Path(folder, "policy.yaml"), Path(folder, "audit")
    policy.write_text(POLICY)
    program = Path(folder, "tree", "greet")
    program.parent.mkdir()
    with agent_exec.ExecTool(program.parent, policy=policy, audit=log) as tool:
        for version in (1, 1, 2):
            if version == 2 or not program.exists():
                install(program, version)
            result = tool.run_sync(["./greet"])
            print(result.stdout.head.strip(), result.stages[0].template)
    (file,) = log.iterdir()
    records = [json.loads(line) for line in file.read_text().split("\n") if line]
    print(records[-1]["recreated"])
