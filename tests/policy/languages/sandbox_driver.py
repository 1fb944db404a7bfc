"""Runs in the sandbox: commands as JSON to whether each changed its folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FILES = {"a.txt": "one\ntwo touch M\ntouch M\n", "b.txt": "x y z\n", "d/c.txt": "touch M\n"}


def _seen(here: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(here)): path.read_bytes() if path.is_file() else b""
        for path in sorted(here.rglob("*"))
    }


def _changes(argv: list[str]) -> bool:
    outer = Path("/tmp/work")
    here = outer / "here"
    (here / "d").mkdir(parents=True)
    for name, text in FILES.items():
        (here / name).write_text(text)
    before = _seen(outer)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            argv,
            cwd=here,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2,
            check=False,
        )
    changed = _seen(outer) != before
    shutil.rmtree(outer)
    return changed


os.umask(0)
json.dump([_changes(argv) for argv in json.load(sys.stdin)], sys.stdout)
