"""Where and with what a measurement was made."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from agent_exec._version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts without which a time means nothing."""

    kernel: str
    architecture: str
    cpu: str
    cpus: int
    """That this process may use."""
    memory_mib: int
    libc: str
    python: str
    versions: dict[str, str]
    """Of this package, the peers and the tools, as far as they are here."""


def look() -> Machine:
    """The facts of this machine."""
    here = os.uname()
    versions = {"agent-exec": __version__}
    for package in ("anyio", "trio", "uvloop", "autogen-core"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    for tool in ("node", "bash", "cc", "git", "rg"):
        path = shutil.which(tool)
        if path is not None:
            versions[tool] = _first_line([path, "--version"])
    return Machine(
        kernel=f"{here.sysname} {here.release}",
        architecture=here.machine,
        cpu=_proc_value("/proc/cpuinfo", "model name"),
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=int(_proc_value("/proc/meminfo", "MemTotal").split()[0]) >> 10,
        libc=" ".join(platform.libc_ver()).strip() or "unknown",
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        versions=versions,
    )


def load_average() -> float:
    """The load of the last minute."""
    return os.getloadavg()[0]


def _first_line(command: list[str]) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return (done.stdout or done.stderr).partition("\n")[0]


def _proc_value(path: str, name: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return "unknown"
