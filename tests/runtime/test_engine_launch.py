"""Calls that cannot start: a clear error, and nothing of them is left."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from realproc import Plans, run_host

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.model.action import Action, OpenHow
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(20)

Run = Callable[[CallPlan], Outcome]


@pytest.fixture
def program(tmp_path: Path, probe: Path) -> Path:
    """A program of the test's own, to be spoilt."""
    path = tmp_path / "program"
    path.write_bytes(probe.read_bytes())
    path.chmod(0o755)
    return path


def fails(run: Run, plan: CallPlan) -> tuple[Step, int, int | None, int]:
    with pytest.raises(LaunchError) as raised:
        run(plan)
    return raised.value.step, raised.value.errno, raised.value.action, raised.value.stage


def is_stale(run: Run, plan: CallPlan) -> bool:
    with pytest.raises(TemplateError) as raised:
        run(plan)
    return raised.value.errno == errno.ESTALE


# The program


def test_a_program_that_is_gone_is_stale(run: Run, plans: Plans, program: Path) -> None:
    plan = plans.call(plans.stage(program))
    program.unlink()
    assert is_stale(run, plan)


def test_a_program_that_was_replaced_is_stale(run: Run, plans: Plans, program: Path) -> None:
    plan = plans.call(plans.stage(program))
    other = program.with_name("other")
    other.write_bytes(program.read_bytes())
    other.chmod(0o755)
    other.rename(program)
    assert is_stale(run, plan)


def test_a_directory_is_not_executable(run: Run, plans: Plans, tmp_path: Path) -> None:
    plan = plans.call(plans.stage(tmp_path))
    assert fails(run, plan) == (Step.EXEC, errno.EACCES, None, 0)


def test_a_file_without_the_x_bit_is_not_executable(run: Run, plans: Plans, program: Path) -> None:
    program.chmod(0o644)
    assert fails(run, plans.call(plans.stage(program))) == (Step.EXEC, errno.EACCES, None, 0)


def test_a_foreign_program_is_not_executable(run: Run, plans: Plans, program: Path) -> None:
    image = bytearray(program.read_bytes())
    image[18:20] = b"\x16\x00"  # e_machine: S/390
    program.write_bytes(image)
    assert fails(run, plans.call(plans.stage(program))) == (Step.EXEC, errno.ENOEXEC, None, 0)


def test_a_script_whose_interpreter_is_missing_fails_at_exec(
    run: Run, plans: Plans, program: Path
) -> None:
    program.write_text("#!/nowhere/to/be/found\n")
    assert fails(run, plans.call(plans.stage(program))) == (Step.EXEC, errno.ENOENT, None, 0)


def test_an_argument_list_that_is_too_long_fails_at_exec(run: Run, plans: Plans) -> None:
    plan = plans.call(plans.stage("/bin/true", "x" * (1 << 20)))
    assert fails(run, plan) == (Step.EXEC, errno.E2BIG, None, 0)


@pytest.mark.parametrize("field", ["argv", "envp"])
def test_a_nul_byte_is_refused(run: Run, plans: Plans, field: str) -> None:
    stage = plans.stage("/bin/true", **{field: (b"zero", b"a\0b")})
    with pytest.raises(ValueError, match=r"NUL|null"):
        run(plans.call(plans.stage("/bin/cat"), stage))


def test_a_template_of_other_credentials_is_refused(run: Run, plans: Plans, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    how = OpenHow(os.fsencode(marker), os.O_WRONLY | os.O_CREAT, 0o600)
    stage = plans.stage("/bin/true", actions=(Action.open(1, how),))
    foreign = stage.executable.but(credentials=bytes(len(stage.executable.credentials)))
    with pytest.raises(TemplateError) as raised:
        run(plans.call(stage, stage._replace(executable=foreign)))
    assert raised.value.errno == errno.EACCES
    assert not marker.exists()


# Where it works, and what it is given


def test_a_directory_that_vanished_is_worked_in_all_the_same(
    run: Run, plans: Plans, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    folder = os.open(gone, os.O_RDONLY | os.O_DIRECTORY)
    gone.rmdir()
    outcome = run(plans.call(plans.stage("/bin/true", actions=(Action.fchdir(folder),))))
    os.close(folder)
    assert outcome.stages[0].exit_code == 0


@pytest.mark.parametrize(
    ("action", "step", "number"),
    [
        pytest.param(Action.fchdir(999), Step.CWD, errno.EBADF, id="cwd-closed"),
        pytest.param(Action.close(999), Step.STDIO, errno.EBADF, id="close-closed"),
        pytest.param(Action.dup2(999, 1), Step.STDIO, errno.EBADF, id="dup2-closed"),
        pytest.param(
            Action.open(1, OpenHow(b"/nowhere/to/be/found")),
            Step.STDIO,
            errno.ENOENT,
            id="open-missing",
        ),
    ],
)
def test_an_action_that_fails_is_told_by_its_place_in_the_plan(
    run: Run, plans: Plans, action: Action, step: Step, number: int
) -> None:
    first = Action.sigmask(())
    plan = plans.call(plans.stage("/bin/cat"), plans.stage("/bin/true", actions=(first, action)))
    assert fails(run, plan) == (step, number, 1, 1)


@pytest.mark.parametrize("field", ["stdin", "stdout", "stderr"])
def test_a_descriptor_of_the_call_that_is_not_open(run: Run, plans: Plans, field: str) -> None:
    plan = plans.call(plans.stage("/bin/true"), **{field: 999})
    assert fails(run, plan) == (Step.STDIO, errno.EBADF, None, 0)


@pytest.mark.parametrize("field", ["stdin", "stdout", "stderr"])
def test_a_number_that_is_no_descriptor(run: Run, plans: Plans, field: str) -> None:
    plan = plans.call(plans.stage("/bin/true"), **{field: -1})
    with pytest.raises(ValueError, match="-1 is not a descriptor"):
        run(plan)


# Pipelines


def test_a_stage_that_fails_takes_those_before_it_along(
    run: Run, plans: Plans, program: Path
) -> None:
    """They are killed with what they started, and reaped; see conftest.py."""
    program.write_text("#!/nowhere/to/be/found\n")
    script = "trap '' TERM; sleep 1000 & while :; do sleep 1000; done"
    plan = plans.call(plans.sh(script), plans.sh(script), plans.stage(program))
    assert fails(run, plan) == (Step.EXEC, errno.ENOENT, None, 2)


def test_every_template_is_looked_at_before_anything_starts(
    run: Run, plans: Plans, program: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    how = OpenHow(os.fsencode(marker), os.O_WRONLY | os.O_CREAT, 0o600)
    first = plans.stage("/bin/true", actions=(Action.open(1, how),))
    plan = plans.call(first, plans.stage(program))
    program.unlink()
    assert is_stale(run, plan)
    assert not marker.exists()


def test_the_engine_goes_on_after_a_failure(
    run: Run, engine: Engine, plans: Plans, program: Path
) -> None:
    plan = plans.call(plans.stage(program))
    program.unlink()
    for _ in range(20):
        assert is_stale(run, plan)
    assert run(plans.call(plans.stage("/bin/echo", "on"))).stdout.head == b"on\n"


def test_a_mount_that_has_become_noexec_makes_a_template_stale(
    engine_name: str, runner: str, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs to be root, to mount")
    script = """
        import shutil, subprocess
        from agent_exec.errors import TemplateError
        def mount(*words):
            subprocess.run(["mount", *words], check=True)
        mount("-t", "tmpfs", "tmpfs", sys.argv[2])
        program = shutil.copy("/bin/true", sys.argv[2])
        engine = make_engine(ENGINE)
        with Plans(make_launcher(ENGINE)) as plans:
            plan = plans.call(plans.stage(program))
            print(run_with(engine, sys.argv[1], plan).stages[0].exit_code)
            mount("-o", "remount,noexec", sys.argv[2])
            try:
                run_with(engine, sys.argv[1], plan)
            except TemplateError as error:
                print(os.strerror(error.errno))
        engine.close()
    """
    done = run_host(engine_name, script, runner, str(tmp_path), wrapper=("unshare", "--mount"))
    assert done.stdout == "0\nStale file handle\n"
