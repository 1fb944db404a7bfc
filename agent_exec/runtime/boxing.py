"""Bubblewrap as it is found on this machine, and tried."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Sequence

from agent_exec.errors import AgentExecError, TemplateError, Unsupported
from agent_exec.launch.select import select_general, why_not_vfork
from agent_exec.model.action import Action
from agent_exec.model.plan import Executable, SpawnPlan
from agent_exec.model.rights import Rights
from agent_exec.sandbox import landlock
from agent_exec.sandbox.access import Places
from agent_exec.sandbox.available import best
from agent_exec.sandbox.box import Box
from agent_exec.sandbox.filters import filter_maker, why_no_filter
from agent_exec.sandbox.limits import Bounds
from agent_exec.sandbox.profile import Cell, Sandbox
from agent_exec.sandbox.protected import Protected
from agent_exec.sandbox.told import read_told
from agent_exec.template.template import Template

_NAME = "bwrap"
DEFAULT_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64")
_MOST_SAID = 500


class PinnedBwrap:
    """Bubblewrap, opened once; opened again when the file is another, or the process.

    Safe from any thread.

    Args:
        path: As `find_bwrap` gives it.
        credentials: What the launcher says of us.
    """

    def __init__(self, path: str, credentials: Callable[[], bytes]) -> None:
        self._path = path
        self._credentials = credentials
        # Plans that were made with those before the last may still have to be launched.
        self._templates: list[Template] = []
        self._lock = threading.Lock()

    def executable(self) -> Executable:
        """As it is now.

        Raises:
            TemplateError: It is gone, or others than root may write it by now.
        """
        with self._lock:
            credentials = self._credentials()
            last = self._templates[-1] if self._templates else None
            if last is None or not _is_good(last, credentials):
                reason = why_not_trusted(self._path)
                if reason is not None:
                    raise TemplateError(self._path, errno.EACCES, reason)
                last = Template.create(self._path, credentials=credentials)
                self._templates.append(last)
            return last.executable

    def close(self) -> None:
        """Let it go. Idempotent."""
        with self._lock:
            while self._templates:
                self._templates.pop().close()


def find_bwrap(path: Sequence[str], worktree: str | None) -> str:
    """The bubblewrap that may be used, absolute.

    It is started without a sandbox, so it has to be root's.

    Args:
        path: Where names of programs are looked up.
        worktree: Where they are not; None: nobody works anywhere yet.

    Raises:
        Unsupported: There is none; the message says what is wrong with the one that there is.
    """
    within = None if worktree is None else f"{worktree.rstrip('/')}/"
    for folder in path:
        found = os.path.join(folder, _NAME)
        real = os.path.realpath(found)
        if within is not None and (found.startswith(within) or real.startswith(within)):
            continue
        if os.path.isabs(folder) and os.access(found, os.X_OK) and os.path.isfile(found):
            reason = why_not_trusted(real)
            if reason is not None:
                raise Unsupported(f"{found} is not used: {reason}")
            return real
    raise Unsupported(f"there is no {_NAME} in {':'.join(path)}")


def why_not_trusted(program: str) -> str | None:
    """Why others than root could have changed a program; None when they could not."""
    path = program
    while True:
        try:
            status = os.lstat(path)
        except OSError as error:
            return f"{path}: {os.strerror(error.errno or errno.EIO)}"
        if status.st_uid != 0:
            return f"{path} does not belong to root"
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode):
            return f"{path} can be written by others than root"
        if path == "/":
            return None
        path = os.path.dirname(path)


def make_box(path: Sequence[str], worktree: str | None) -> Box:
    """One for the calls of a tool, not yet tried.

    Raises:
        Unsupported: It cannot be had; the message says why.
    """
    why_not = why_not_vfork() or why_no_filter()
    if why_not is None and not landlock.version():
        why_not = "the kernel has no Landlock, or it is not enabled"
    make = filter_maker()
    if why_not is not None or make is None:
        raise Unsupported(f"bubblewrap is an addition to Landlock and seccomp: {why_not}")
    from agent_exec.launch.native import IMAGE  # noqa: PLC0415 - there is none everywhere

    image = os.path.realpath(IMAGE)
    if not os.access(image, os.X_OK):
        raise Unsupported(f"{image} cannot be executed")
    program = PinnedBwrap(find_bwrap(path, worktree), select_general("vfork").credentials)
    return Box(program, image, make.inside, landlock.version())


def why_not_boxed(box: Box, tmp_folders: Sequence[str]) -> str | None:
    """Run a program that does nothing in it; None when that works.

    Args:
        box: Stays the caller's.
        tmp_folders: Of `Sandbox`.
    """
    true = shutil.which("true", path=os.pathsep.join(DEFAULT_PATH))
    if true is None:
        return "there is no program called true"
    from agent_exec.launch.sandboxing import CORE  # noqa: PLC0415 - there is none everywhere

    sandbox = Sandbox(
        best(filter_maker()),
        Bounds(),
        Places(DEFAULT_PATH, (), frozenset()),
        core=CORE,
        tmp_folders=tmp_folders,
        protected=Protected("/", ()),
    )
    sandbox.box = box
    try:
        cell = sandbox.enter(None)
        try:
            return _tried(cell, true)
        finally:
            cell.leave(alone=True)
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    except AgentExecError as error:
        return str(error)
    finally:
        sandbox.box = None
        sandbox.close()


def _tried(cell: Cell, true: str) -> str | None:
    launcher = select_general("vfork")
    said = os.memfd_create("bwrap", os.MFD_CLOEXEC)
    try:
        with Template.create(true, credentials=launcher.credentials()) as template:
            rights = Rights(read=_SYSTEM, programs=(true,))
            stage = SpawnPlan(
                executable=template.executable,
                argv=(b"true",),
                actions=(Action.dup2(said, 1), Action.dup2(said, 2)),
                session=True,
                reset_signals=True,
                confinement=cell.confinement(rights, template.executable),
            )
            plan, told = cell.boxed(stage, rights)
            child = launcher.spawn(plan)
        os.waitpid(child.pid, 0)
        if child.pidfd is not None:
            os.close(child.pidfd)
        found = read_told(told)
        if found.status == 0:
            return None
        text = os.pread(said, _MOST_SAID, 0).decode(errors="replace").strip()
        if found.failed is not None:
            text = f"{os.strerror(found.failed[1])} at step {found.failed[0]}"
        return text or f"true ended with {found.status}"
    finally:
        os.close(said)


def _is_good(template: Template, credentials: bytes) -> bool:
    if template.executable.credentials != credentials:
        return False
    try:
        template.check()
    except TemplateError:
        return False
    return True
