"""What the tests with real processes share: plans, engines, hosts, and what is left over.

Also imported by the scripts that `run_host` starts, which play the host program.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio

from agent_exec.launch.base import Launcher
from agent_exec.launch.portable import PortableLauncher
from agent_exec.model.action import Action
from agent_exec.model.child import Child
from agent_exec.model.outcome import LauncherName, Outcome
from agent_exec.model.plan import CallPlan, Executable, Identity, Limits, SpawnPlan
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.thread_engine import ThreadEngine
from agent_exec.template.holder import Holder

if find_spec("agent_exec._native") is not None:
    # Here and not at first use: a host of a test may fork by then, or may no longer read them.
    from fake_kernel import FakeKernel

    import agent_exec.runtime.asyncio_port
    import agent_exec.runtime.trio_port  # noqa: F401
    from agent_exec.launch.kernel import KernelLauncher
    from agent_exec.launch.vfork import VforkLauncher
    from agent_exec.runtime.native_engine import NativeEngine

ENGINES = ("native", "thread-vfork", "thread-portable")
IN_CGROUPS = "native-cgroup"
"""The native engine with a cgroup for each call; see `why_no_cgroups`."""
LAUNCHERS = ("vfork", "kernel", "portable")
"""`kernel` runs on a fake kernel."""
TOOL_LAUNCHERS = ("vfork", "portable")
"""Those that start the sessions of a tool."""
RUNNERS = ("sync", "asyncio", "trio")
PATIENCE_S = 10.0
"""How long a test waits for what has to happen."""

_NEEDS = {
    "native": "agent_exec.runtime.native_engine",
    IN_CGROUPS: "agent_exec.runtime.native_engine",
    "thread-vfork": "agent_exec.launch.vfork",
    "vfork": "agent_exec.launch.vfork",
    "kernel": "agent_exec.launch.vfork",
}


def is_built(name: str) -> bool:
    """Whether the engine or launcher `name` is part of this installation."""
    needs = _NEEDS.get(name)
    return needs is None or (
        find_spec(needs) is not None and find_spec("agent_exec._native") is not None
    )


def make_launcher(name: str) -> Launcher:
    """The launcher that `name`, of a launcher or an engine, stands for."""
    if name.endswith("portable"):
        return PortableLauncher()
    if name == "kernel":
        return KernelLauncher(FakeKernel().call, VforkLauncher())
    return VforkLauncher()


def make_engine(name: str, **options: int) -> Engine:
    """The engine `name`; the caller closes it."""
    if name.startswith("thread"):
        return ThreadEngine(make_launcher(name), **options)
    return NativeEngine(
        cgroups=name == IN_CGROUPS, max_concurrent=options.get("max_concurrent", 16)
    )


def why_no_cgroups() -> str | None:
    """Why a call cannot have a cgroup of its own on this machine; None when it can."""
    if not is_built("native"):
        return "the C core is not built"
    engine = NativeEngine(cgroups=True)
    works, why_not = engine.containment()
    engine.close()
    return None if works else why_not


def run_with(engine: Engine, runner: str, plan: CallPlan) -> Outcome:
    """Run one call the way `runner` says: blocking, or on an event loop of its own."""
    if runner == "sync":
        return engine.run_sync(plan)
    return anyio.run(engine.run, plan, backend=runner)


class Plans:
    """Makes plans, and owns the descriptors of their executables."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._pinned: list[Executable] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for executable in self._pinned:
            if isinstance(self._launcher, Holder):
                self._launcher.release(executable)
            os.close(executable.fd)

    def pin(self, path: str | Path, *, by_descriptor: bool = False) -> Executable:
        """A template for `path`, or for the file that it names now."""
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        script = False
        with suppress(OSError), open(path, "rb") as file:
            script = file.read(2) == b"#!"
        made = Executable(
            fd=fd,
            path=None if by_descriptor else os.fsencode(path),
            identity=Identity.of(os.fstat(fd)),
            script=script,
            credentials=self._launcher.credentials(),
        )
        self._pinned.append(made)
        return made

    def stage(
        self, program: str | Path | Executable, *words: str | bytes, **fields: Any
    ) -> SpawnPlan:
        """One child, in a session where the launcher makes any; argv[0] is the program's name."""
        executable = program if isinstance(program, Executable) else self.pin(program)
        argv0 = os.path.basename(executable.path or b"program")
        given: dict[str, Any] = {
            "argv": (argv0, *(os.fsencode(word) for word in words)),
            "envp": (b"PATH=/usr/bin:/bin",),
            "session": self._launcher.name is not LauncherName.KERNEL,
            "reset_signals": True,
        }
        return SpawnPlan(executable=executable, **(given | fields))

    def sh(self, script: str, *words: str, **fields: Any) -> SpawnPlan:
        """A child that is ``sh -c script``, with `words` as $1 and so on."""
        return self.stage("/bin/sh", "-c", script, "sh", *words, **fields)

    def call(self, *stages: SpawnPlan, **fields: Any) -> CallPlan:
        """A call; the names of `Limits` may be given beside those of `CallPlan`."""
        limits = {key: fields.pop(key) for key in tuple(fields) if hasattr(Limits(), key)}
        return CallPlan(stages=stages, limits=Limits(**limits), **fields)


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what nothing announces. Fails after `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether `pid` is a process that has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # or reaped once it was open
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


def start_daemon(call: Callable[..., object], *arguments: object) -> None:
    """Make a call on a thread that the interpreter does not wait for at its end.

    What it raises then is not printed: CPython ends with a fatal error when such a thread
    is just writing to stderr.
    """
    threading.excepthook = lambda _: None
    threading.Thread(target=call, args=arguments, daemon=True).start()


@contextmanager
def doomed(pid: int) -> Iterator[int]:
    """A pidfd of a process that a test was told to keep; it is ended afterwards."""
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
        wait_until(lambda: not is_alive(pid))


def own_cgroup() -> Path | None:
    """The cgroup v2 that this process is in, as a directory; None where there is none."""
    words = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mounts = [word[1] for word in words if word[2] == "cgroup2"]
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return Path(mounts[0], paths[0]) if mounts and paths else None


def own_cgroups(pid: int) -> list[Path]:
    """The cgroups that the engines of process `pid` have made below ours."""
    folder = own_cgroup()
    return [] if folder is None else list(folder.glob(f"agent_exec-{pid}-*"))


def guardians_of(pid: int) -> list[int]:
    """The guardians whose owner is the process `pid`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            if path.read_bytes().startswith(b"agent-exec-guardian\0%d\0" % pid):
                found.append(int(path.parent.name))
    return found


@dataclass(frozen=True)
class Belongings:
    """What this process holds that a call might have left behind."""

    descriptors: frozenset[tuple[str, str]]
    """(number, what it is), over all threads: some have a table of their own."""
    threads: frozenset[int]
    children: frozenset[int]
    """Zombies too."""
    cgroups: frozenset[str]

    @classmethod
    def now(cls) -> Belongings:
        descriptors: set[tuple[str, str]] = set()
        children: set[int] = set()
        threads = {int(name) for name in os.listdir("/proc/self/task")} - _threads_of_trio()
        for thread in threads:
            task = Path(f"/proc/self/task/{thread}")
            with suppress(FileNotFoundError):  # a thread that has just ended
                children.update(int(pid) for pid in (task / "children").read_text().split())
                for name in os.listdir(task / "fd"):
                    with suppress(FileNotFoundError):  # that of the listing
                        descriptors.add((name, os.readlink(task / "fd" / name)))
        cgroups = frozenset(path.name for path in own_cgroups(os.getpid()))
        return cls(frozenset(descriptors), frozenset(threads), frozenset(children), cgroups)

    def more_than(self, before: Belongings) -> dict[str, frozenset[Any]]:
        """What is here and was not before."""
        added = {
            "descriptors": self.descriptors - before.descriptors,
            "threads": self.threads - before.threads,
            "children": self.children - before.children,
            "cgroups": self.cgroups - before.cgroups,
        }
        return {kind: what for kind, what in added.items() if what}


def _threads_of_trio() -> set[int | None]:
    """Its idle workers, which it keeps for ten seconds."""
    return {thread.native_id for thread in threading.enumerate() if thread.name.startswith("Trio ")}


_LOOKS_PER_COLLECTION = 20  # collecting takes a tenth of a second here; most is gone before


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Fail if the block leaves a descriptor, thread, child or cgroup behind.

    A joined thread may be in /proc for an instant longer, hence the patience.
    """
    before = Belongings.now()
    yield
    deadline = time.monotonic() + 2.0
    looks = 0
    while left := Belongings.now().more_than(before):
        assert time.monotonic() < deadline, f"left behind: {left}"
        looks += 1
        if looks % _LOOKS_PER_COLLECTION == 0:
            gc.collect()
        time.sleep(0.001)


_HOST = """
import os, sys
sys.path.insert(0, {tests!r})
from realproc import *
ENGINE = {engine!r}
"""


def run_host(
    engine: str,
    script: str,
    *arguments: str,
    check: bool = True,
    wrapper: tuple[str, ...] = (),
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run `script` as a host program of its own, with everything of this module and ENGINE.

    For what cannot be done to the process that runs the tests: its limits, its signals,
    its end.
    """
    prelude = _HOST.format(tests=str(Path(__file__).parent), engine=engine)
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", prelude + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 1.5,
        check=False,
        **options,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def finish(child: Child) -> tuple[int, int]:
    """Reap `child` and close its pidfd; how it ended: si_code and si_status of waitid(2)."""
    assert child.pidfd is not None
    ended = os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
    os.close(child.pidfd)
    assert ended is not None
    return ended.si_code, ended.si_status


def output_of(launcher: Launcher, plan: SpawnPlan) -> str:
    """What the child of `plan` writes to its stdout; it must exit with 0."""
    read_end, write_end = os.pipe()
    try:
        wired = plan._replace(actions=(Action.dup2(write_end, 1), *plan.actions))
        child = launcher.spawn(wired)
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    with os.fdopen(read_end, errors="surrogateescape") as output:
        text = output.read()
    assert finish(child) == (os.CLD_EXITED, 0)
    return text


def read_probe(text: str) -> dict[str, str]:
    """The lines of the probe program, by name."""
    return dict(line.partition(" ")[::2] for line in text.splitlines())


def refuse_system_calls(numbers: list[int], error: int) -> None:
    """From now on these are answered by `error`, in every thread; there is no way back.

    What an old container's seccomp profile does. seccomp(2), seccomp_data.nr.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    load, jump_if_equal, answer = 0x20, 0x15, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | error
    code = [(load, 0, 0, 0)]
    code += [(jump_if_equal, len(numbers) - n, 0, number) for n, number in enumerate(numbers)]
    code += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    filters = b"".join(struct.pack("=HBBI", *one) for one in code)
    buffer = ctypes.create_string_buffer(filters)
    program = struct.pack("@HxxxxxxP", len(code), ctypes.addressof(buffer))
    seccomp = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    no_new_privs, filter_mode, all_threads = 38, 1, 1
    assert libc.prctl(no_new_privs, 1, 0, 0, 0) == 0
    assert libc.syscall(seccomp, filter_mode, all_threads, program) == 0, ctypes.get_errno()
