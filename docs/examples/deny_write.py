"""Keep everybody from writing to a program while its template lives."""

import errno
import shutil
import tempfile
from pathlib import Path

import agent_exec

POLICY = """
version: 1
extends: [open]
templates: {hot_after: 1, deny_write: true}
"""


def overwrite(path: Path) -> str:
    """What ``cp`` over a program does, and what it is told."""
    try:
        path.open("r+b").close()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "written"


with tempfile.TemporaryDirectory() as folder:
    policy, tree = Path(folder, "policy.yaml"), Path(folder, "tree")
    policy.write_text(POLICY)
    tree.mkdir()
    program = Path(shutil.copy("/bin/echo", tree / "say"))
    with agent_exec.ExecTool(tree, policy=policy) as tool:
        print("before:", overwrite(program))
        tool.run_sync(["./say", "hello"])
        print("while it lives:", overwrite(program))
        Path(shutil.copy("/bin/echo", tree / "new")).rename(program)
        print("after an update:", tool.run_sync(["./say", "hello"]).stages[0].template)
    print("closed:", overwrite(program))
