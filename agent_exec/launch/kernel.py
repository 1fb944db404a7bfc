"""The `kernel` launcher: the two system calls of the `spawn_template` RFC, where a kernel has them.

What the calls cannot do, another launcher does, one plan at a time: `Child.launcher` says which.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from agent_exec.errors import LaunchError, Step
from agent_exec.launch import kernel_abi as abi
from agent_exec.launch import kernel_errors, kernel_plan, pinned
from agent_exec.launch.base import Launcher
from agent_exec.launch.kernel_template import KernelTemplate
from agent_exec.launch.system_call import SystemCall
from agent_exec.model.action import OpenHow
from agent_exec.model.child import Child
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Executable, SpawnPlan

_FORKED_AND_NO_EXEC = 0x40  # PF_FORKNOEXEC, in the flags of /proc/PID/stat
_FLAGS_FIELD = 6  # of those after the name


class KernelLauncher:
    """Starts children with spawn_template_spawn(2).

    It promises what `Launcher` promises. A template of the kernel's own is made for each
    executable, at `hold` or with its first launch, and goes with `release`, or with the last
    reference to the `Executable`. A child that failed between spawn and exec is reaped, and
    its launch is left to `general`, which tells what failed: the calls do not. Where the
    actions cannot be run twice, the errno is what the status of the child says, at the step
    ``spawn``.

    Thread-safe. In a forked process the templates of the parent are dropped.

    Args:
        call: The border to the kernel.
        general: Starts what the calls cannot.

    Source:
        The RFC's cover letter and documentation, v1. Its v1 frees memory that a child
        still uses when the parent is killed (SIGKILL) in the middle of a spawn.
    """

    name = LauncherName.KERNEL

    def __init__(self, call: SystemCall, general: Launcher) -> None:
        self._call = call
        self._calls = abi.CALLS[os.uname().machine]
        self._general = general
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._held: MutableMapping[Executable, KernelTemplate] = WeakKeyDictionary()

    def credentials(self) -> bytes:
        """As those of the general launcher."""
        return self._general.credentials()

    def hold(self, executable: Executable) -> None:
        """Have the kernel make its template now, and keep writers from the file from now on.

        What is no program for the calls (a script, a format of binfmt_misc) is left to the
        general launcher.

        Raises:
            TemplateError: Why the kernel refuses: ETXTBSY, EACCES, EMFILE, ...
        """
        try:
            self._template(executable)
        except OSError as error:
            number = error.errno or errno.EIO
            if number != errno.ENOEXEC and number not in kernel_errors.REFUSED:
                raise kernel_errors.create_refusal(executable, number) from error

    def release(self, executable: Executable) -> None:
        """Let the kernel's template go; a launch that is in flight still has it."""
        with self._lock:
            self._held.pop(executable, None)

    def why_not(self, plan: SpawnPlan) -> str | None:
        """Why the general launcher would start this one; None: the kernel will be asked to."""
        return kernel_plan.why_not(plan, is_path_only=kernel_plan.is_path_only)

    def spawn(self, plan: SpawnPlan) -> Child:
        """Start the child of `plan`; see `agent_exec.launch.base.Launcher`."""
        if self.why_not(plan) is not None:
            return self._general.spawn(plan)
        opened = [action.arg.path for action in plan.actions if isinstance(action.arg, OpenHow)]
        for word in (*plan.argv, *plan.envp, *opened):
            if b"\0" in word:
                raise ValueError(f"embedded NUL: {word!r}")
        executable = plan.executable
        pinned.check(executable, self.credentials())
        try:
            template = self._template(executable)
        except OSError:  # the general launcher tells what is wrong, if anything is
            return self._general.spawn(plan)
        try:
            pid, pidfd = template.spawn(
                plan.argv, plan.envp, kernel_plan.actions_of(plan), inherit_fds=plan.inherit_fds
            )
        except OSError as error:
            number = error.errno or errno.EIO
            if number in kernel_errors.REFUSED:
                return self._general.spawn(plan)
            raise kernel_errors.spawn_refusal(executable, number) from error
        failed = _setup_failure(template, pid, pidfd)
        if failed is None:
            return Child(pid, pidfd, self.name)
        os.close(pidfd)
        if not kernel_plan.is_repeatable(plan):
            raise LaunchError(executable.name, Step.SPAWN, failed)
        return self._general.spawn(plan)

    def _template(self, executable: Executable) -> KernelTemplate:
        if self._pid != os.getpid():
            self._start_afresh()
        with self._lock:
            held = self._held.get(executable)
        if held is not None:
            return held
        made = self._make(executable)
        with self._lock:
            return self._held.setdefault(executable, made)

    def _make(self, executable: Executable) -> KernelTemplate:
        if executable.path is not None:
            made = KernelTemplate.create(self._call, self._calls, path=executable.path)
            # The kernel has looked at the path after we did.
            pinned.check(executable, executable.credentials)
            return made
        if not kernel_plan.is_path_only(executable.fd):
            return KernelTemplate.create(self._call, self._calls, execfd=executable.fd)
        fd = os.open(f"/proc/self/fd/{executable.fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return KernelTemplate.create(self._call, self._calls, execfd=fd)
        finally:
            os.close(fd)

    def _start_afresh(self) -> None:
        """In a forked process, whose copy of the lock may be held for ever."""
        self._lock, self._held, self._pid = threading.Lock(), WeakKeyDictionary(), os.getpid()


def _setup_failure(template: KernelTemplate, pid: int, pidfd: int) -> int | None:
    """The errno of a child that ended before it was the program, and is reaped now."""
    with suppress(ChildProcessError):  # reaped by somebody else, whose it is
        ended = template.ended(pidfd, reap=False)
        if ended is not None:
            failed = kernel_errors.setup_errno(ended, has_execed=_has_execed(pid))
            if failed is not None:
                template.ended(pidfd, reap=True)
            return failed
    return None


def _has_execed(pid: int) -> bool | None:
    """Has a child of ours, not reaped yet, ever executed a program? None: no telling.

    Source:
        proc_pid_stat(5), field 9; PF_FORKNOEXEC is set by fork(2) and cleared by execve(2).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return not int(stat.rpartition(b")")[2].split()[_FLAGS_FIELD]) & _FORKED_AND_NO_EXEC
