"""Really run commands, many at once, where they can do no harm; and say which did anything.

One bubblewrap for all: no network, no file system to write to but a temporary one. Each command
works in a folder of its own, which holds ``a.txt`` and a few more files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_DRIVER = Path(__file__).with_name("sandbox_driver.py")


def changed_anything(commands: Sequence[Sequence[str]]) -> list[bool]:
    """Of each command: is there a file more, or less, or another content, after it ran?"""
    done = subprocess.run(
        [
            *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
            *("--ro-bind", str(_DRIVER), "/tmp/driver.py", "--chdir", "/tmp"),
            *("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C.UTF-8"),
            # Not a link in an environment, which may lie beneath what is hidden.
            *(os.path.realpath(sys.executable), "-I", "/tmp/driver.py"),
        ],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    changed: list[bool] = json.loads(done.stdout)
    return changed
