"""What is done to a child between its actions and its exec."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confined import EXECUTE, READ_DIR, READ_FILE, make_filter, rule_set, seccomp_modes
from realproc import Plans, make_engine, make_launcher, output_of, run_host

from agent_exec.errors import LaunchError, Step, Unsupported
from agent_exec.launch.portable import PortableLauncher
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.action import Action, OpenHow
from agent_exec.model.confinement import Confinement, Filter, Rlimit
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(30)

Run = Callable[[CallPlan], Outcome]
READING = EXECUTE | READ_FILE | READ_DIR
ENGINES = ("native", "thread-vfork")


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def say(run: Run, plans: Plans, script: str, confinement: Confinement, **fields: Any) -> str:
    """What a confined shell says. Asked often enough for its spawner to have the filter."""
    plan = plans.call(plans.sh(script, confinement=confinement, **fields))
    for _ in range(3):
        outcome = run(plan)
        assert outcome.stages[0].exit_code == 0, outcome.stderr
    return outcome.stdout.head.decode()


def status_of(text: str) -> dict[str, str]:
    return {
        name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines())
    }


def test_umask_nice_and_limits_are_the_childs_and_not_ours(run: Run, plans: Plans) -> None:
    before = os.umask(0o22), os.getpriority(os.PRIO_PROCESS, 0)
    os.umask(before[0])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)
    confinement = Confinement(
        no_new_privs=False,
        rlimits=(
            Rlimit(resource.RLIMIT_NOFILE, 20, 30),
            Rlimit(resource.RLIMIT_CORE, 0, 0),
            Rlimit(resource.RLIMIT_CPU, 7, resource.RLIM_INFINITY),
        ),
        nice=3,
        umask=0o27,
    )
    script = "umask; nice; ulimit -n; ulimit -Hn; ulimit -c; ulimit -t"
    said = say(run, plans, script, confinement).split()
    assert said == ["0027", str(before[1] + 3), "20", "30", "0", "7"]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits[0]
    assert resource.getrlimit(resource.RLIMIT_CORE) == limits[1]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before[1]
    assert os.umask(before[0]) == before[0]


@pytest.mark.parametrize("with_filter", [False, True], ids=["no-filter", "filter"])
@pytest.mark.parametrize("with_landlock", [False, True], ids=["no-landlock", "landlock"])
def test_each_part_is_applied_with_and_without_the_others(
    run: Run, plans: Plans, tmp_path: Path, with_filter: bool, with_landlock: bool
) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    script = (
        'grep -E "Seccomp:|NoNewPrivs" /proc/self/status; (echo x > "$1") 2>/dev/null; echo w:$?'
    )
    script = script.replace("$1", str(victim))
    with rule_set(root=READING) as fd:
        confinement = Confinement(
            landlock=fd if with_landlock else None,
            filter=make_filter() if with_filter else None,
            no_new_privs=with_filter or with_landlock,
        )
        said = status_of(say(run, plans, script, confinement))
    assert said["Seccomp"] == ("2" if with_filter else "0")
    assert said["NoNewPrivs"] == str(int(with_filter or with_landlock))
    assert (said["w"] != "0") == with_landlock
    assert (victim.read_text() == "") == with_landlock


def test_actions_still_have_the_rights_of_the_host(run: Run, plans: Plans, tmp_path: Path) -> None:
    """A file that a call names for its output is the plan's choice, not the program's."""
    made = tmp_path / "made"
    how = OpenHow(os.fsencode(made), os.O_WRONLY | os.O_CREAT, 0o600)
    with rule_set(root=READING) as fd:
        confinement = Confinement(landlock=fd, filter=make_filter())
        say(run, plans, "echo written", confinement, actions=(Action.open(1, how),))
    assert made.read_text() == "written\n"


def test_a_landlock_descriptor_does_not_reach_the_program(run: Run, plans: Plans) -> None:
    with rule_set(root=READING) as fd:
        confinement = Confinement(landlock=fd, filter=make_filter())
        said = say(run, plans, "ls -l /proc/self/fd", confinement)
    assert "landlock" not in said


@pytest.mark.parametrize("number", [0, 1, 2, 40])
def test_no_action_can_take_the_place_of_the_rule_set(number: int, tmp_path: Path) -> None:
    """It is wanted after the actions, whatever number the host has for it."""
    script = """
    import os, sys
    sys.path.insert(0, sys.argv[2])
    from confined import *
    number = int(sys.argv[1])
    launcher = make_launcher("native")
    with Plans(launcher) as plans, rule_set(root=EXECUTE | READ_FILE | READ_DIR) as fd:
        read, write = os.pipe()
        saved = os.dup(2)
        os.dup2(fd, number, inheritable=False)
        actions = (Action.dup2(write, 1), Action.dup2(write, 2), Action.dup2(write, number),
                   Action.close_range(3, 2**31 - 1))
        plan = plans.sh("(echo x > $1) 2>&-; exit $?", sys.argv[3], actions=actions,
                        confinement=Confinement(landlock=number))
        child = launcher.spawn(plan)
        end = finish(child)
        os.dup2(saved, 2)
        sys.exit(0 if end[1] != 0 else 9)
    """
    target = tmp_path / "target"
    prelude = "from agent_exec.model.confinement import Confinement\n"
    tests = str(Path(__file__).parents[1])
    lines = "\n".join(line[4:] for line in script.splitlines())
    run_host("native", prelude + lines, str(number), tests, str(target))
    assert not target.exists()


def failure_of(run: Run, plan: CallPlan) -> LaunchError:
    errors = []
    for _ in range(3):
        with pytest.raises(LaunchError) as caught:
            run(plan)
        errors.append(caught.value)
    assert {(error.step, error.errno, str(error)) for error in errors} == {
        (errors[0].step, errors[0].errno, str(errors[0]))
    }
    return errors[0]


def bad_confinements() -> dict[str, tuple[Confinement, int]]:
    jump_out = b"\x05\x00\x00\x00\xff\xff\x00\x00"
    return {
        "rlimit-unknown": (Confinement(rlimits=(Rlimit(999, 1, 1),)), errno.EINVAL),
        "rlimit-inverted": (
            Confinement(rlimits=(Rlimit(resource.RLIMIT_NOFILE, 9, 8),)),
            errno.EINVAL,
        ),
        "filter-that-is-none": (
            Confinement(filter=Filter(jump_out, (1, 2))),
            errno.EINVAL,
        ),
        "landlock-flags": (Confinement(landlock=0, landlock_flags=1 << 31), errno.EINVAL),
        "landlock-of-another-kind": (Confinement(landlock=0), errno.EBADFD),
        "landlock-not-open": (Confinement(landlock=987), errno.EBADF),
    }


@pytest.mark.parametrize("kind", bad_confinements())
def test_what_cannot_be_applied_fails_the_launch_and_nothing_runs(
    run: Run, plans: Plans, tmp_path: Path, kind: str
) -> None:
    confinement, number = bad_confinements()[kind]
    null = os.open("/dev/null", os.O_RDONLY)
    if confinement.landlock == 0:
        confinement = confinement._replace(landlock=null)
    ran = tmp_path / "ran"
    plan = plans.call(plans.sh('touch "$1"', str(ran), confinement=confinement))
    error = failure_of(run, plan)
    os.close(null)
    assert (error.step, error.errno) == (Step.SANDBOX, number)
    assert "could not be confined" in str(error)
    assert not ran.exists()


def test_a_profile_that_forbids_the_program_is_said_in_words(run: Run, plans: Plans) -> None:
    with rule_set(etc=READING) as fd:
        plan = plans.call(plans.sh("echo ran", confinement=Confinement(landlock=fd)))
        error = failure_of(run, plan)
    assert (error.step, error.errno) == (Step.EXEC, errno.EACCES)
    assert "confined by Landlock" in str(error)
    assert "right to execute" in error.reason


def test_the_words_are_for_landlock_alone(run: Run, plans: Plans, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    plan = plans.call(plans.stage(program, confinement=Confinement()))
    assert failure_of(run, plan).reason == ""


@pytest.mark.parametrize(
    "confinement",
    [
        Confinement(landlock=3, no_new_privs=False),
        Confinement(filter=Filter(bytes(8), (1, 2)), no_new_privs=False),
        Confinement(filter=Filter(b"", (1, 2))),
        Confinement(filter=Filter(bytes(7), (1, 2))),
        Confinement(filter=Filter(bytes(8 * 4097), (1, 2))),
        Confinement(landlock=-1),
        Confinement(rlimits=(Rlimit(resource.RLIMIT_CPU, -2, 1),)),
    ],
    ids=["landlock-privs", "filter-privs", "empty", "odd", "long", "negative", "limit"],
)
def test_what_makes_no_sense_is_a_value_error(
    run: Run, plans: Plans, confinement: Confinement
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - by the core, in its words
        run(plans.call(plans.sh("echo ran", confinement=confinement)))


def test_the_portable_launcher_refuses_rather_than_run_open() -> None:
    launcher = PortableLauncher()
    with Plans(launcher) as plans, pytest.raises(Unsupported, match="vfork"):
        launcher.spawn(plans.sh("echo ran", confinement=Confinement(no_new_privs=False)))


def test_a_launcher_without_an_engine_confines_as_well(tmp_path: Path) -> None:
    launcher = VforkLauncher()
    script = 'grep -E "Seccomp:|NoNewPrivs" /proc/self/status; touch "$1" 2>&-; echo w:$?'
    with Plans(launcher) as plans, rule_set(root=READING) as fd:
        confinement = Confinement(landlock=fd, filter=make_filter())
        said = status_of(
            output_of(launcher, plans.sh(script, str(tmp_path), confinement=confinement))
        )
    assert (said["Seccomp"], said["NoNewPrivs"], said["w"]) == ("2", "1", "1")
    assert set(seccomp_modes().values()) == {0}


def test_a_pipeline_of_different_filters_has_each_where_it_belongs() -> None:
    engine: Engine = make_engine("native")
    strict, wide = make_filter(), make_filter(write=True, network=True)
    with Plans(make_launcher("native")) as plans:
        touch = 'touch -c -d @1 /tmp 2>/dev/null; echo "$0 $?"; cat'
        stages = [
            plans.sh(touch, confinement=Confinement(filter=one) if one else None)
            for one in (strict, None, wide)
        ]
        for _ in range(3):
            said = engine.run_sync(plans.call(*stages)).stdout.head.decode().splitlines()
            assert [line.split()[1] == "0" for line in said] == [True, True, False]
    engine.close()
