"""What the RFC's calls answer, in our words; and which plans are asked of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.launch.kernel_abi import Ended
from agent_exec.launch.kernel_errors import create_refusal, setup_errno, spawn_refusal
from agent_exec.launch.kernel_plan import actions_of, is_repeatable, why_not
from agent_exec.model.action import Action, OpenHow
from agent_exec.model.confinement import Confinement
from agent_exec.model.plan import Executable, Identity, SpawnPlan

EXECUTABLE = Executable(
    fd=5,
    path=b"/bin/x",
    identity=Identity.of(os.stat("/")),
    script=False,
    credentials=b"",
)
PLAN = SpawnPlan(executable=EXECUTABLE, argv=(b"x",))
KILLED, EXITED = os.CLD_KILLED, os.CLD_EXITED


@pytest.mark.parametrize(
    "number", [errno.ETXTBSY, errno.EACCES, errno.ENOENT, errno.EMFILE, errno.ENOMEM]
)
def test_a_template_that_is_not_made(number: int) -> None:
    refusal = create_refusal(EXECUTABLE, number)
    assert (refusal.path, refusal.errno) == ("/bin/x", number)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EACCES])
def test_a_template_that_is_not_spawned_from(number: int) -> None:
    refusal = spawn_refusal(EXECUTABLE, number)
    assert isinstance(refusal, TemplateError)
    assert (refusal.path, refusal.errno) == ("/bin/x", number)


@pytest.mark.parametrize(
    "number",
    [errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINVAL, errno.EFAULT],
)
def test_a_child_that_is_not_made(number: int) -> None:
    refusal = spawn_refusal(EXECUTABLE, number)
    assert isinstance(refusal, LaunchError)
    assert (refusal.step, refusal.errno, refusal.action) == (Step.SPAWN, number, None)


@pytest.mark.parametrize(
    ("code", "status", "has_execed", "expected"),
    [
        pytest.param(KILLED, 127, False, errno.ENOENT, id="v1-not-found"),
        pytest.param(KILLED, 126, False, errno.EACCES, id="v1-not-executable"),
        pytest.param(KILLED, 1, False, errno.EIO, id="v1-anything-else"),
        pytest.param(KILLED, 1, True, None, id="program-got-sighup"),
        pytest.param(KILLED, 127, None, errno.ENOENT, id="no-such-signal-127"),
        pytest.param(KILLED, 126, None, errno.EACCES, id="no-such-signal-126"),
        pytest.param(KILLED, 1, None, None, id="sighup-or-failure"),
        pytest.param(EXITED, 127, False, errno.ENOENT, id="mended-127"),
        pytest.param(EXITED, 126, False, errno.EACCES, id="mended-126"),
        pytest.param(EXITED, 1, False, errno.EIO, id="mended-1"),
        pytest.param(EXITED, 127, True, None, id="program-exits-127"),
        pytest.param(EXITED, 127, None, None, id="perhaps-program-exits-127"),
        pytest.param(EXITED, 0, True, None, id="program-is-through"),
        pytest.param(KILLED, 9, False, None, id="killed-by-somebody-before-its-exec"),
    ],
)
def test_the_status_of_a_child(
    code: int, status: int, has_execed: bool | None, expected: int | None
) -> None:
    assert setup_errno(Ended(4711, code, status), has_execed=has_execed) == expected


def beneath(fd: int) -> Callable[[int], bool]:
    """Only `fd` was opened with O_PATH."""
    return lambda asked: asked == fd


PATH_ONLY = OpenHow(b"/", os.O_PATH)


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        pytest.param(PLAN, None, id="plain"),
        pytest.param(PLAN._replace(inherit_fds=True), None, id="inherit-fds"),
        pytest.param(PLAN._replace(reset_signals=True), None, id="signals-reset"),
        pytest.param(PLAN._replace(session=True), "session", id="session"),
        pytest.param(PLAN._replace(die_with_parent=True), "death", id="dies-with-parent"),
        pytest.param(PLAN._replace(confinement=Confinement()), "confines", id="confined"),
        pytest.param(
            PLAN._replace(actions=(Action.close(9),) * 256), None, id="as-many-actions-as-may-be"
        ),
        pytest.param(
            PLAN._replace(actions=(Action.close(9),) * 255, reset_signals=True),
            "256",
            id="too-many-with-those-for-the-signals",
        ),
        pytest.param(PLAN._replace(actions=(Action.fchdir(8),)), None, id="fchdir"),
        pytest.param(PLAN._replace(actions=(Action.fchdir(7),)), "O_PATH", id="fchdir-o-path"),
        pytest.param(PLAN._replace(actions=(Action.dup2(7, 8),)), None, id="dup2-o-path"),
        pytest.param(PLAN._replace(actions=(Action.dup2(7, 7),)), "O_PATH", id="dup2-itself"),
        pytest.param(
            PLAN._replace(actions=(Action.dup2(7, 8), Action.fchdir(8))), "O_PATH", id="copied"
        ),
        pytest.param(
            PLAN._replace(actions=(Action.dup2(8, 7), Action.fchdir(7))), None, id="replaced"
        ),
        pytest.param(
            PLAN._replace(actions=(Action.open(8, PATH_ONLY), Action.fchdir(8))),
            "O_PATH",
            id="opened-o-path",
        ),
        pytest.param(
            PLAN._replace(actions=(Action.open(7, OpenHow(b"/")), Action.fchdir(7))),
            None,
            id="opened-for-reading",
        ),
    ],
)
def test_which_plans_the_calls_cannot_do(plan: SpawnPlan, word: str | None) -> None:
    reason = why_not(plan, is_path_only=beneath(7))
    assert (reason is None) if word is None else (reason is not None and word in reason)


def test_fresh_signals_are_actions_before_the_others() -> None:
    mask = Action.sigmask({2})
    assert actions_of(PLAN._replace(reset_signals=True, actions=(mask,))) == (
        Action.sigdefault(range(1, 65)),
        Action.sigmask(()),
        mask,
    )
    assert actions_of(PLAN._replace(actions=(mask,))) == (mask,)


@pytest.mark.parametrize(
    ("flags", "repeatable"),
    [
        pytest.param(os.O_RDONLY, True, id="read"),
        pytest.param(os.O_WRONLY | os.O_CREAT | os.O_TRUNC, True, id="truncate"),
        pytest.param(os.O_WRONLY | os.O_CREAT | os.O_EXCL, False, id="must-be-new"),
    ],
)
def test_what_may_be_done_twice(flags: int, repeatable: bool) -> None:
    plan = PLAN._replace(actions=(Action.close(1), Action.open(1, OpenHow(b"x", flags))))
    assert is_repeatable(plan) is repeatable
