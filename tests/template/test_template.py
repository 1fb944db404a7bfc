"""One template: what it makes of words and actions, what it is called, when it closes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from realproc import run_host

from agent_exec.errors import TemplateError
from agent_exec.launch.base import Launcher
from agent_exec.launch.portable import PortableLauncher
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.action import Action, ActionType, OpenHow
from agent_exec.template.cache import Lease, TemplateCache
from agent_exec.template.template import Template

pytestmark = pytest.mark.timeout(20)

TRUE = "/bin/true"


def make() -> Template:
    return Template.create(TRUE, credentials=b"us")


def interrupt(name: str, at: int, do: Callable[[], object], body: Callable[[], object]) -> bool:
    """Run `body`, and `do` before the instruction `at` of the function `name`, if it has so many.

    As if the thread had been interrupted there, and another one had got its turn.
    """
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if frame.f_code.co_name != name or seen > at:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen > at:
                do()
        return trace

    before = sys.gettrace()
    # CPython 3.12 looks whether any frame has this when it is told to trace, and not later.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        body()
    finally:
        sys.settrace(before)
    return seen > at


# Words

WORDS: dict[str, tuple[Any, Any, str]] = {
    "argv-empty": ([], None, "argv is empty"),
    "argv-text": ("true", None, "'true' is one word"),
    "argv-bytes": (b"true", None, "b'true' is one word"),
    "argv-nul": (["a", "b\0c"], None, "a NUL in"),
    "argv-number": (["a", 1], None, "int"),
    "argv-lone-surrogate": (["\ud800"], None, "surrogates not allowed"),
    "argv-number-alone": (3, None, "not iterable"),
    "envp-text": (["a"], "A=b", "'A=b' is one word"),
    "envp-nul-in-a-word": (["a"], ["A=b\0c"], "a NUL in"),
    "envp-nul-in-a-name": (["a"], {"A\0": "b"}, "a NUL in"),
    "envp-nul-in-a-value": (["a"], {"A": "b\0"}, "a NUL in"),
    "envp-empty-name": (["a"], {"": "b"}, "b'' is no name of a variable"),
    "envp-name-with-equals-sign": (["a"], {"A=B": "c"}, "b'A=B' is no name of a variable"),
    "envp-word-without-equals-sign": (["a"], ["A"], "b'A' is not NAME=value"),
    "envp-word-without-a-name": (["a"], ["=b"], "b'=b' is not NAME=value"),
    "envp-number": (["a"], {"A": 1}, "int"),
    "envp-lone-surrogate": (["a"], {"A": "\ud800"}, "surrogates not allowed"),
}


@pytest.mark.parametrize("row", WORDS)
def test_words_that_no_child_could_be_given_are_refused(row: str) -> None:
    argv, envp, reason = WORDS[row]
    with make() as template, pytest.raises(TemplateError, match=reason) as caught:
        template.plan(argv, envp)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("envp", "words"),
    [
        pytest.param(None, (), id="none"),
        pytest.param({"A": "b=c", "D": ""}, (b"A=b=c", b"D="), id="mapping"),
        pytest.param({b"A": b"\xff"}, (b"A=\xff",), id="mapping-of-bytes"),
        pytest.param(["A=b=c", b"D="], (b"A=b=c", b"D="), id="words"),
        pytest.param({"A": "\udcff"}, (b"A=\xff",), id="surrogate-that-stands-for-a-byte"),
    ],
)
def test_an_environment_is_a_mapping_or_words(envp: Any, words: tuple[bytes, ...]) -> None:
    with make() as template:
        assert template.plan(["true"], envp).envp == words


# Actions

ACTIONS: dict[str, tuple[Any, str]] = {
    "no-action": ((0, 0, 1, 0, None), "no Action"),
    "none": (None, "no Action"),
    "type-is-text": (Action("DUP2"), "type is no 32-bit number"),  # type: ignore[arg-type]
    "fd-is-text": (Action(ActionType.CLOSE, fd="3"), "fd is no 32-bit number"),  # type: ignore[arg-type]
    "fd-of-40-bits": (Action.close(2**40), "fd is no 32-bit number"),
    "newfd-of-32-bits": (Action.dup2(1, 2**31), "newfd is no 32-bit number"),
    "flags-of-40-bits": (Action(ActionType.DUP2, flags=2**40), "flags is no 32-bit number"),
    "path-is-text": (Action.open(0, OpenHow("/dev/null")), "the path is not bytes"),  # type: ignore[arg-type]
    "path-is-none": (Action.open(0, OpenHow(None)), "the path is not bytes"),  # type: ignore[arg-type]
    "open-flags-of-70-bits": (Action.open(0, OpenHow(b"x", 2**70)), "flags that open"),
    "open-flags-of-32-bits": (Action.open(0, OpenHow(b"x", 2**31)), "flags that open"),
    "open-flags-negative": (Action.open(0, OpenHow(b"x", -1)), "flags that open"),
    "open-mode-of-70-bits": (Action.open(0, OpenHow(b"x", mode=2**70)), "a mode above"),
    "open-mode-of-13-bits": (Action.open(0, OpenHow(b"x", mode=0o10000)), "a mode above"),
    "resolve-of-65-bits": (Action.open(0, OpenHow(b"x", resolve=2**64)), "no 64-bit number"),
    "resolve-negative": (Action.open(0, OpenHow(b"x", resolve=-1)), "no 64-bit number"),
    "signal-is-text": (Action(ActionType.SIGMASK, arg=frozenset({"HUP"})), "signals are 1 to 64"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("row", ACTIONS)
def test_actions_that_do_not_fit_are_refused(row: str) -> None:
    action, reason = ACTIONS[row]
    with make() as template, pytest.raises(TemplateError, match=f"action 0: .*{reason}") as caught:
        template.plan(["true"], {}, [action])
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("field", ["flags", "mode", "resolve"])
@pytest.mark.parametrize("value", [2**64, 2**70, -1])
def test_the_c_core_cuts_no_number(field: str, value: int) -> None:
    """Should a plan reach it that was not validated."""
    how = OpenHow(b"/dev/null", **{field: value})
    launcher = VforkLauncher()
    with SpawnTemplate.create(TRUE, launcher=launcher) as template:
        plan = template.plan(["true"])._replace(actions=(Action.open(0, how),))
        with pytest.raises(OverflowError):
            launcher.spawn(plan)


def test_a_launcher_cuts_no_path(launcher: Launcher) -> None:
    """Should a plan reach it that was not validated."""
    with SpawnTemplate.create(TRUE, launcher=launcher) as template:
        opened = Action.open(1, OpenHow(b"/dev/null\0.txt"))
        with pytest.raises(ValueError, match=r"NUL|null"):
            launcher.spawn(template.plan(["true"])._replace(actions=(opened,)))


# Names


def test_a_descriptor_is_called_by_the_callers_number(launcher: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(Path(TRUE).read_bytes())
    path.chmod(0o755)
    fd = os.open(path, os.O_RDONLY)
    try:
        with SpawnTemplate.create(fd, launcher=launcher) as template:
            assert template.executable.fd != fd
            path.chmod(0o700)
            with pytest.raises(TemplateError) as caught:
                template.spawn(["true"])
            assert (template.name, caught.value.path) == (f"descriptor {fd}",) * 2
    finally:
        os.close(fd)


# Lifetime


def test_two_threads_that_close_a_template_close_it_once() -> None:
    for at in count():
        template = make()
        if not interrupt("close", at, template.close, template.close):  # EBADF if twice
            break
    assert at > 5


@pytest.mark.parametrize("function", ["release", "_give_back"])
def test_two_threads_that_release_a_lease_release_it_once(tmp_path: Path, function: str) -> None:
    cache = TemplateCache(str(tmp_path), hot_after=1, credentials=lambda: b"us")
    lock = cache._lock
    kept = cache.lease(TRUE)
    for at in count():
        lease = cache.lease(TRUE)

        def release(lease: Lease = lease) -> None:
            if not lock.locked():  # else the other thread would wait
                lease.release()

        if not interrupt(function, at, release, lease.release):
            break
    assert at > 5
    cache.close()
    kept.template.check()
    kept.release()


def test_a_launcher_that_cannot_tell_who_we_are_leaves_no_descriptor() -> None:
    class Failing(PortableLauncher):
        def credentials(self) -> bytes:
            raise OSError(errno.ENOMEM, "no memory for so many groups")

    with pytest.raises(OSError, match="so many groups"):
        SpawnTemplate.create(TRUE, launcher=Failing())


# The launcher


def test_the_best_launcher_is_found_out_once() -> None:
    script = """
    from agent_exec.launch import native
    from agent_exec.launch.spawn_template import SpawnTemplate
    spawn, spawned = native.spawn, []
    native.spawn = lambda plan: (spawned.append(plan.argv), spawn(plan))[1]
    for _ in range(2):
        with SpawnTemplate.create("/bin/true") as template:
            print(template.launcher.name, spawned)
    """
    assert run_host("vfork", script).stdout.splitlines() == ["vfork [(b'probe',)]"] * 2


@pytest.mark.parametrize(
    ("exhausted", "reason"),
    [
        pytest.param("os.open = lambda *_: open_none()", "no descriptor left", id="descriptors"),
        pytest.param(
            "native.spawn = lambda _: (-1, -1, 1, errno.EAGAIN, -1)", "spawn failed", id="processes"
        ),
    ],
)
def test_a_launcher_that_could_not_be_tried_is_tried_again(exhausted: str, reason: str) -> None:
    script = f"""
    import errno
    from agent_exec.launch import native
    from agent_exec.launch.select import select_launcher, why_not_vfork
    def open_none():
        raise OSError(errno.EMFILE, "no descriptor left")
    before = os.open, native.spawn
    {exhausted}
    print("it could not be tried" in why_not_vfork(), {reason!r} in why_not_vfork())
    print(select_launcher().name)
    os.open, native.spawn = before
    print(why_not_vfork(), select_launcher().name)
    """
    found = run_host("vfork", script).stdout.splitlines()
    assert found == ["True True", "portable", "None vfork"]
