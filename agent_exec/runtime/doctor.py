"""What this machine offers to launch programs with."""

from __future__ import annotations

import importlib
import os
import platform
import resource
import select
import shutil
from dataclasses import dataclass
from types import FunctionType

from agent_exec._version import __version__
from agent_exec.errors import AgentExecError, Unsupported
from agent_exec.launch.select import (
    CHOICES,
    select_general,
    select_launcher,
    select_parker,
    why_not_vfork,
)
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.confinement import Confinement
from agent_exec.model.plan import CallPlan, SpawnPlan
from agent_exec.policy.analyse import analyse
from agent_exec.runtime.boxing import DEFAULT_PATH
from agent_exec.runtime.enforcing import what_is_enforced, why_no_bubblewrap
from agent_exec.runtime.kernel import probe_features
from agent_exec.runtime.kill_tier import find_kill_tier
from agent_exec.runtime.stage import Stage
from agent_exec.sandbox import landlock
from agent_exec.sandbox.available import tmp_folders
from agent_exec.sandbox.filters import filter_maker, why_no_filter
from agent_exec.sandbox.tmp import TmpFolders
from agent_exec.template.cache import HOT_AFTER, MAX_TEMPLATES, TemplateCache
from agent_exec.template.template import Template

_TOOLS = ("bash", "sh", "git", "rg", "grep", "sed", "cat", "find", "python3", "node", "bwrap")
# For a call that is over at once.
_PATIENCE_MS = 10_000


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
    """Look at this machine. Launches ``true`` a few times."""
    launcher, choice = _choice()
    program = shutil.which("true")
    return Findings(
        launcher,
        (
            Finding("agent-exec", __version__),
            Finding("python", platform.python_version(), platform.python_implementation()),
            Finding("system", f"{platform.system()} {platform.release()}", platform.machine()),
            _judgement(),
            choice,
            *[_self_test(name, program) for name in CHOICES if name != "auto"],
            *_kernel(),
            _exit_record(program),
            _clone_call(),
            _descriptor_table(program),
            *_kill_tier(launcher),
            *_confinements(program),
            _landlock(program),
            *_bubblewrap(launcher),
            _tmp(),
            _templates(program),
            _deny_write(program),
            *_limits(),
            *[Finding(f"tool {name}", shutil.which(name) or "not found") for name in _TOOLS],
        ),
    )


def examine_launcher(name: str) -> Findings:
    """Try one launcher.

    Raises:
        Unsupported: There is none of that name.
    """
    if name not in CHOICES:
        raise Unsupported(f"{name!r} is not a launcher; choose one of {', '.join(CHOICES)}")
    if name == "auto":
        launcher, choice = _choice()
        return Findings(launcher, (choice,))
    finding = _self_test(name, shutil.which("true"))
    return Findings(name if finding.value == "works" else None, (finding,))


def _judgement() -> Finding:
    """Is what every judgement runs through compiled? See setup.py."""
    if isinstance(analyse, FunctionType):
        return Finding(
            "judgement", "interpreted", "it decides the same as compiled, and takes longer"
        )
    return Finding("judgement", "compiled")


def _choice() -> tuple[str | None, Finding]:
    try:
        name = select_general().name.value
    except AgentExecError as error:
        return None, Finding("launcher", "none", str(error))
    return name, Finding("launcher", name, why_not_vfork() or "")


def _self_test(name: str, program: str | None) -> Finding:
    label = f"launcher {name}"
    if program is None:
        return _not_tried(label)
    try:
        with SpawnTemplate.create(program, launcher=select_launcher(name)) as template:
            child = template.spawn(["true"])
    except AgentExecError as error:
        return Finding(label, "does not work", str(error))
    _, status = os.waitpid(child.pid, 0)
    if child.pidfd is not None:
        os.close(child.pidfd)
    code = os.waitstatus_to_exitcode(status)
    note = f"true ended with {code}"
    if name == "kernel":
        note = f"{note}; for SpawnTemplate: calls of the tool are sessions, which it cannot make"
    return Finding(label, "works" if code == 0 else "does not work", note)


def _kernel() -> list[Finding]:
    return [
        Finding(
            f"kernel {feature.name}",
            "does not work" if feature.error else "works",
            f"{os.strerror(feature.error)}: {feature.without}" if feature.error else "",
        )
        for feature in probe_features()
    ]


def _exit_record(program: str | None) -> Finding:
    """Have somebody else reap a child, and ask the kernel for what it keeps of it."""
    label = "kernel PIDFD_GET_INFO"
    if program is None:
        return _not_tried(label)
    try:
        with SpawnTemplate.create(program) as template:
            child = template.spawn(["true"])
    except AgentExecError as error:
        return Finding(label, "not tried", str(error))
    os.waitpid(child.pid, 0)
    stage = Stage(child, leads=False)
    known = stage.reap().exit_code == 0
    stage.close()
    lost = "a status that somebody else's wait has taken is lost"
    return Finding(label, "works" if known else "does not work", "" if known else lost)


def _clone_call() -> Finding:
    try:
        native = importlib.import_module("agent_exec.launch.native")
    except ImportError as error:
        return Finding("clone call", "none", str(error))
    call = native.clone_call()
    return Finding("clone call", call, "" if call == "clone3" else "clone3 is refused here")


def _descriptor_table(program: str | None) -> Finding:
    """Run a call on an engine's threads, and ask it whose descriptors these have."""
    label, shared = "descriptor table", "shared with the host"
    why_not = why_not_vfork()
    if why_not is not None:
        return Finding(label, shared, why_not)
    if program is None:
        return _not_tried(label)
    native = importlib.import_module("agent_exec.launch.native")
    core = native.Engine(1, False, None)
    try:
        with SpawnTemplate.create(program) as template:
            port = core.port()
            stage = SpawnPlan(executable=template.executable, argv=(b"true",))
            core.submit(port, CallPlan(stages=(stage,)), None)
            ended = select.poll()
            ended.register(port.fileno(), select.POLLIN)
            ended.poll(_PATIENCE_MS)
            port.take()
        *_, private = core.counts()
    except (AgentExecError, OSError) as error:
        return Finding(label, "not tried", str(error))
    finally:
        core.close()
    if private:
        return Finding(label, "private", "threads of the engine do not have the host's")
    return Finding(label, shared, "the threads of the engine could not leave it")


def _templates(program: str | None) -> Finding:
    """Lease one until it is kept."""
    label = "spawn templates"
    if program is None:
        return _not_tried(label)
    cache = TemplateCache("/", credentials=select_launcher().credentials)
    try:
        for _ in range(HOT_AFTER + 1):
            cache.lease(program).release()
        kept = cache.stats.hits == 1
    except AgentExecError as error:
        return Finding(label, "do not work", str(error))
    finally:
        cache.close()
    note = f"kept from launch {HOT_AFTER} of a program on, {MAX_TEMPLATES} for each worktree"
    return Finding(label, "work" if kept else "do not work", note)


def _deny_write(program: str | None) -> Finding:
    """Hold one that nobody writes to."""
    label = "template deny_write"
    if program is None:
        return _not_tried(label)
    try:
        parker = select_parker()
    except Unsupported as error:
        return Finding(label, "none", str(error))
    try:
        Template.create(program, credentials=b"").hold_by(parker)
    except AgentExecError as error:
        return Finding(label, "does not work", f"{error}: with it no program would be launched")
    finally:
        parker.close()
    return Finding(label, "works", "a parked process for each template, where a policy wants it")


def _not_tried(label: str) -> Finding:
    return Finding(label, "not tried", "there is no program called true")


def _kill_tier(launcher: str | None) -> list[Finding]:
    try:
        tier = find_kill_tier(launcher or "auto")
    except AgentExecError as error:
        return [Finding("kill tier", "none", str(error))]
    whole = "limits.processes and limits.memory_mib are those of a whole call"
    single = "limits.processes counts what the user runs, limits.memory_mib is of each process"
    return [
        Finding("kill tier", tier.name, tier.why),
        Finding(
            "limits by cgroup",
            " and ".join(tier.bounded) or "none",
            whole if len(tier.bounded) > 1 else single,
        ),
        Finding("guardian", tier.guardian, tier.guardian_why),
    ]


def _confinements(program: str | None) -> list[Finding]:
    """Start a program that does nothing, with each of what confines it."""
    make = filter_maker()
    why_no_seccomp = why_no_filter()
    filter_ = None if make is None else make(False, False, 0)
    return [
        _confined("no_new_privs", program, Confinement(), None),
        _confined("seccomp filter", program, Confinement(filter=filter_), why_no_seccomp),
    ]


def _landlock(program: str | None) -> Finding:
    """Start a program that does nothing in a domain that lets it do so."""
    label, abi = "landlock", landlock.version()
    if not abi:
        return Finding(
            label, "none", "the kernel has none, or it is not enabled: no file is withheld"
        )
    if program is None:
        return _not_tried(label)
    from agent_exec.launch.native import make_rule_set  # noqa: PLC0415 - absent on some systems

    attribute = landlock.attribute(abi, network=False, signal=False)
    all_of_it = landlock.rules({"/": landlock.READING | landlock.EXECUTE})
    try:
        rule_set, _ = make_rule_set(attribute, all_of_it, landlock.OF_FILES, -1, 0)
        try:
            found = _confined(label, program, Confinement(landlock=rule_set), None)
        finally:
            os.close(rule_set)
    except OSError as error:
        return Finding(label, "does not work", str(error))
    if found.value != "works":
        return found
    lacks = [
        *([] if abi >= landlock.SCOPE_SINCE else ["signals and abstract sockets"]),
        *([] if abi >= landlock.NET_SINCE else ["TCP"]),
    ]
    return Finding(label, f"version {abi}", f"without {', '.join(lacks)}" if lacks else "")


def _tmp() -> Finding:
    """Make a temp directory."""
    label = "temp directories of calls"
    folders = TmpFolders(*tmp_folders(os.environ))
    try:
        made = folders.make()
    except OSError as error:
        return Finding(label, "do not work", str(error))
    finally:
        folders.close()
    return Finding(label, "work", os.path.dirname(os.path.dirname(made)))


def _bubblewrap(launcher: str | None) -> list[Finding]:
    """Run a program that does nothing in it; then what a policy may require here."""
    why_not = why_no_bubblewrap(DEFAULT_PATH, None)
    met = what_is_enforced(launcher or "auto", cgroup=True)
    if why_not is None and {"landlock", "seccomp"} <= met:
        met |= {"bubblewrap"}
    note = "what sandbox.require of a policy may list, so that nothing is asked about for its sake"
    return [
        Finding("bubblewrap", "works" if why_not is None else "does not work", why_not or ""),
        Finding("sandbox.require", ", ".join(sorted(met)) or "nothing", note),
    ]


def _confined(
    label: str, program: str | None, confinement: Confinement, why_not: str | None
) -> Finding:
    why_not = why_not_vfork() or why_not
    if why_not is not None:
        return Finding(label, "does not work", why_not)
    if program is None:
        return _not_tried(label)
    launcher = select_launcher("vfork")
    try:
        with SpawnTemplate.create(program, launcher=launcher) as template:
            plan = SpawnPlan(
                executable=template.executable, argv=(b"true",), confinement=confinement
            )
            child = launcher.spawn(plan)
    except AgentExecError as error:
        return Finding(label, "does not work", str(error))
    _, status = os.waitpid(child.pid, 0)
    if child.pidfd is not None:
        os.close(child.pidfd)
    code = os.waitstatus_to_exitcode(status)
    return Finding(label, "works" if code == 0 else "does not work", f"true ended with {code}")


def _limits() -> list[Finding]:
    names = {"open files": resource.RLIMIT_NOFILE, "processes": resource.RLIMIT_NPROC}
    return [
        Finding(f"limit {name}", _limit(resource.getrlimit(which)[0]))
        for name, which in names.items()
    ]


def _limit(value: int) -> str:
    return "none" if value == resource.RLIM_INFINITY else str(value)
