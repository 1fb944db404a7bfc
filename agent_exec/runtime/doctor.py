"""What this machine offers to launch programs with."""

from __future__ import annotations

import importlib
import os
import platform
import resource
import shutil
from dataclasses import dataclass

from agent_exec._version import __version__
from agent_exec.errors import AgentExecError
from agent_exec.launch.select import CHOICES, select_launcher, why_not_vfork
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.runtime.kill_tier import find_kill_tier

_TOOLS = ("bash", "sh", "git", "rg", "grep", "sed", "cat", "find", "python3", "node", "bwrap")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact: what it is called, what is the case, and what follows, if anything."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was found; `launcher` is the one ``auto`` takes, None when none works."""

    launcher: str | None
    facts: tuple[Finding, ...]

    def to_json(self) -> dict[str, object]:
        """Names to values, notes beside them."""
        return {
            "launcher": self.launcher,
            "facts": {
                fact.name: {"value": fact.value, "note": fact.note or None} for fact in self.facts
            },
        }

    def as_text(self) -> str:
        """A line per fact."""
        width = max(len(fact.name) for fact in self.facts)
        lines = [
            f"{fact.name:<{width}}  {fact.value}" + (f"  ({fact.note})" if fact.note else "")
            for fact in self.facts
        ]
        return "\n".join(lines)


def examine() -> Findings:
    """Look at this machine. Launches ``true`` once through each launcher."""
    launcher, choice = _choice()
    return Findings(
        launcher,
        (
            Finding("agent-exec", __version__),
            Finding("python", platform.python_version(), platform.python_implementation()),
            Finding("system", f"{platform.system()} {platform.release()}", platform.machine()),
            choice,
            *[_self_test(name) for name in CHOICES if name != "auto"],
            _clone_call(),
            *_kill_tier(launcher),
            *_limits(),
            *[Finding(f"tool {name}", shutil.which(name) or "not found") for name in _TOOLS],
        ),
    )


def _choice() -> tuple[str | None, Finding]:
    try:
        name = select_launcher("auto").name.value
    except AgentExecError as error:
        return None, Finding("launcher", "none", str(error))
    return name, Finding("launcher", name, why_not_vfork() or "")


def _self_test(name: str) -> Finding:
    label = f"launcher {name}"
    program = shutil.which("true")
    if program is None:
        return Finding(label, "not tried", "there is no program called true")
    try:
        with SpawnTemplate.create(program, launcher=select_launcher(name)) as template:
            child = template.spawn(["true"])
    except AgentExecError as error:
        return Finding(label, "does not work", str(error))
    _, status = os.waitpid(child.pid, 0)
    if child.pidfd is not None:
        os.close(child.pidfd)
    code = os.waitstatus_to_exitcode(status)
    return Finding(label, "works" if code == 0 else "does not work", f"true ended with {code}")


def _clone_call() -> Finding:
    try:
        native = importlib.import_module("agent_exec.launch.native")
    except ImportError as error:
        return Finding("clone call", "none", str(error))
    call = native.clone_call()
    return Finding("clone call", call, "" if call == "clone3" else "clone3 is refused here")


def _kill_tier(launcher: str | None) -> list[Finding]:
    try:
        tier = find_kill_tier(launcher or "auto")
    except AgentExecError as error:
        return [Finding("kill tier", "none", str(error))]
    return [
        Finding("kill tier", tier.name, tier.why),
        Finding("guardian", tier.guardian, tier.guardian_why),
    ]


def _limits() -> list[Finding]:
    names = {"open files": resource.RLIMIT_NOFILE, "processes": resource.RLIMIT_NPROC}
    return [
        Finding(f"limit {name}", _limit(resource.getrlimit(which)[0]))
        for name, which in names.items()
    ]


def _limit(value: int) -> str:
    return "none" if value == resource.RLIM_INFINITY else str(value)
