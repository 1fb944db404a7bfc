"""Inside the sandbox: a text per line of standard input, its argument vectors per line out.

    python -I oracle_driver.py FOLDER

It imports nothing of ours: where the package lies may not be seen from in here.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

_PROCESSES = 400


def main(folder: Path) -> None:
    orders = json.loads((folder / "orders.json").read_text())
    # Of all that this starts.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES, _PROCESSES))
    start = folder / "start.sh"
    start.write_text(_start(orders["bash"], folder / "argvdump"))
    dump = folder / "dump"
    environment = {
        **orders["environment"],
        "PATH": "/nonexistent",
        "BASH_ENV": str(start),
        "ARGV_DUMP": str(dump),
    }
    for line in sys.stdin:
        dump.write_bytes(b"")
        _plant(folder / "cwd", orders["tree"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["bash", "-c", "--", json.loads(line)],
                executable=orders["bash"],
                cwd=folder / "cwd",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=20,
                check=False,
            )
        print(json.dumps(_vectors(dump.read_bytes())), flush=True)


def _start(bash: str, argvdump: Path) -> str:
    builtins = subprocess.run(
        [bash, "-c", "compgen -b"], check=True, capture_output=True, text=True
    ).stdout.split()
    off = [name for name in builtins if name not in ("enable", "unset")]
    lines = [
        "ulimit -t 2",
        f'command_not_found_handle() {{ {argvdump} "$@"; }}',
        "unset BASH_ENV",
        f"enable -n {' '.join(off)}",
        "enable -n unset enable",
    ]
    return "\n".join(lines) + "\n"


def _plant(cwd: Path, tree: list[str]) -> None:
    """The same files for every text."""
    if cwd.exists() and {path.name for path in cwd.iterdir()} == {
        name.split("/")[0] for name in tree
    }:
        return
    shutil.rmtree(cwd, ignore_errors=True)
    cwd.mkdir()
    for name in tree:
        path = cwd / name
        path.mkdir(parents=True, exist_ok=True) if name.endswith("/") else path.touch()


def _vectors(records: bytes) -> list[list[str]]:
    vectors = [record.split(b"\0") for record in records.split(b"\0\0")[:-1]]
    return [[word[1:].decode("utf-8", "surrogateescape") for word in argv] for argv in vectors]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
