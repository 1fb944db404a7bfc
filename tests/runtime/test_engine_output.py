"""What goes into a call and what comes out, for every engine, with and without a loop."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from realproc import Plans, make_launcher, read_probe

from agent_exec.model.action import Action
from agent_exec.model.outcome import Captured, Ended, Outcome
from agent_exec.model.plan import CallPlan, Spill, Stdio
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(20)

Run = Callable[[CallPlan], Outcome]


def ends_of(outcome: Outcome) -> list[tuple[int | None, int | None]]:
    return [(stage.exit_code, stage.signal) for stage in outcome.stages]


def test_a_whole_outcome(run: Run, plans: Plans, engine: Engine) -> None:
    outcome = run(plans.call(plans.sh("echo out; echo err >&2; exit 3")))
    (stage,) = outcome.stages
    assert outcome == Outcome(
        ended=Ended.EXIT,
        launcher=engine.launcher,
        stages=(stage,),
        stdout=Captured(head=b"out\n"),
        stderr=Captured(head=b"err\n"),
        pipe_held=False,
        survivors=(),
        unreaped=(),
        duration_s=outcome.duration_s,
    )
    assert (stage.exit_code, stage.signal) == (3, None)
    assert stage.pid > 0
    assert stage.max_rss_kib > 0
    assert outcome.duration_s > 0


def test_the_engine_names_its_launcher(engine: Engine, engine_name: str) -> None:
    assert engine.launcher == make_launcher(engine_name).name


def test_death_by_signal_is_told_apart_from_an_exit(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("kill -USR1 $$")))
    assert (outcome.ended, ends_of(outcome)) == (Ended.SIGNAL, [(None, signal.SIGUSR1)])


def test_cpu_time_is_told(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done")))
    assert outcome.stages[0].user_s + outcome.stages[0].system_s > 0


# Input


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(0, id="empty"),
        pytest.param(5, id="small"),
        pytest.param(65536, id="a-pipe-full"),
        pytest.param(3_000_001, id="many-pipes-full"),
    ],
)
def test_literal_input_of_any_size_comes_through(run: Run, plans: Plans, size: int) -> None:
    text = bytes(range(256)) * (size // 256 + 1)
    plan = plans.call(plans.stage("/bin/cat"), stdin=text[:size], head_bytes=size, tail_bytes=0)
    outcome = run(plan)
    assert (ends_of(outcome), outcome.stdout) == ([(0, None)], Captured(head=text[:size]))


@pytest.mark.parametrize("program", ["/bin/true", "/usr/bin/head"])
def test_input_that_the_child_does_not_want_is_no_error(
    run: Run, plans: Plans, program: str
) -> None:
    outcome = run(plans.call(plans.stage(program), stdin=b"line\n" * 400_000))
    assert (outcome.ended, ends_of(outcome)) == (Ended.EXIT, [(0, None)])


def test_input_from_a_descriptor_is_handed_on_and_stays_ours(
    run: Run, plans: Plans, tmp_path: Path
) -> None:
    (tmp_path / "input").write_bytes(b"from a file")
    with open(tmp_path / "input", "rb") as file:
        outcome = run(plans.call(plans.stage("/bin/cat"), stdin=file.fileno()))
        assert outcome.stdout.head == b"from a file"
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == len(b"from a file")


def test_no_input_is_an_end_of_file(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.stage("/bin/cat"), stdin=Stdio.NULL))
    assert (ends_of(outcome), outcome.stdout) == ([(0, None)], Captured())


# Output


def test_output_to_a_descriptor_is_not_captured(run: Run, plans: Plans, tmp_path: Path) -> None:
    with open(tmp_path / "both", "wb") as file:
        plan = plans.call(
            plans.sh("echo out; echo err >&2"), stdout=file.fileno(), stderr=file.fileno()
        )
        outcome = run(plan)
    assert (outcome.stdout, outcome.stderr) == (Captured(), Captured())
    assert (tmp_path / "both").read_bytes() == b"out\nerr\n"


def test_output_to_nowhere(run: Run, plans: Plans) -> None:
    plan = plans.call(plans.sh("echo out; echo err >&2"), stdout=Stdio.NULL, stderr=Stdio.NULL)
    outcome = run(plan)
    assert (ends_of(outcome), outcome.stdout, outcome.stderr) == (
        [(0, None)],
        Captured(),
        Captured(),
    )


def test_the_plans_own_actions_come_after_the_pipes(run: Run, plans: Plans) -> None:
    stage = plans.sh("echo out; echo err >&2", actions=(Action.dup2(1, 2),))
    outcome = run(plans.call(stage))
    assert (outcome.stdout.head, outcome.stderr.head) == (b"out\nerr\n", b"")


@pytest.mark.parametrize(
    ("head", "tail", "expected"),
    [
        pytest.param(20, 20, Captured(head=b"0123456789abcdef"), id="all-of-it"),
        pytest.param(16, 0, Captured(head=b"0123456789abcdef"), id="exactly-the-head"),
        pytest.param(6, 10, Captured(head=b"012345", tail=b"6789abcdef"), id="exactly-both"),
        pytest.param(3, 4, Captured(head=b"012", tail=b"cdef", dropped=9), id="middle-dropped"),
        pytest.param(3, 0, Captured(head=b"012", dropped=13), id="head-alone"),
        pytest.param(0, 3, Captured(tail=b"def", dropped=13), id="tail-alone"),
        pytest.param(0, 0, Captured(dropped=16), id="none"),
    ],
)
def test_head_and_tail_are_kept_and_the_rest_is_counted(
    run: Run, plans: Plans, head: int, tail: int, expected: Captured
) -> None:
    stage = plans.stage("/usr/bin/printf", "0123456789abcdef")
    assert run(plans.call(stage, head_bytes=head, tail_bytes=tail)).stdout == expected


def test_megabytes_of_output_are_kept_at_both_ends(run: Run, plans: Plans) -> None:
    stage = plans.sh("seq 1 600000")
    whole = "".join(f"{number}\n" for number in range(1, 600001)).encode()
    outcome = run(plans.call(stage, head_bytes=100_000, tail_bytes=70_001))
    assert outcome.stdout == Captured(
        head=whole[:100_000], tail=whole[-70_001:], dropped=len(whole) - 170_001
    )


@pytest.mark.parametrize("cap", [0, 5, 1_000_000, 4_000_000])
def test_the_whole_output_goes_to_a_file_up_to_a_cap(
    run: Run, plans: Plans, tmp_path: Path, cap: int
) -> None:
    whole = "".join(f"{number}\n" for number in range(1, 300001)).encode()
    with open(tmp_path / "spill", "wb") as file:
        plan = plans.call(
            plans.sh("seq 1 300000 >&2"),
            head_bytes=3,
            tail_bytes=3,
            stderr_spill=Spill(fd=file.fileno(), cap=cap),
        )
        outcome = run(plan)
    kept = whole[:cap]
    assert (tmp_path / "spill").read_bytes() == kept
    assert outcome.stderr == Captured(
        head=whole[:3], tail=whole[-3:], dropped=len(whole) - 6, spilled=len(kept)
    )


def test_what_a_long_call_says_is_read_while_it_runs(
    run: Run, plans: Plans, tmp_path: Path
) -> None:
    # It ends when its first words are in the file, and says no more before that.
    script = 'echo first; until grep -q first "$0"; do :; done; echo last'
    with open(tmp_path / "spill", "wb") as file:
        stage = plans.stage("/bin/sh", "-c", script, file.name)
        outcome = run(plans.call(stage, stdout_spill=Spill(fd=file.fileno(), cap=100)))
    assert (outcome.ended, outcome.stdout.head) == (Ended.EXIT, b"first\nlast\n")


def test_a_program_may_fill_its_pipes_at_once_after_one_that_said_little_and_one_that_did(
    run: Run, plans: Plans
) -> None:
    little = plans.call(plans.sh("echo little"))
    much = plans.call(plans.sh("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"))
    for plan, said in ((little, (7, 0)), (much, (300_000,) * 2), (much, (300_000,) * 2)):
        outcome = run(plan)
        assert (outcome.ended, len(outcome.stdout.head), len(outcome.stderr.head)) == (
            Ended.EXIT,
            *said,
        )


def test_a_file_that_takes_no_more_is_reported_and_the_call_goes_on(run: Run, plans: Plans) -> None:
    with open("/dev/full", "wb") as file:
        plan = plans.call(
            plans.stage("/bin/echo", "text"), stdout_spill=Spill(fd=file.fileno(), cap=100)
        )
        outcome = run(plan)
    assert outcome.stdout == Captured(head=b"text\n", spill_errno=errno.ENOSPC)
    assert ends_of(outcome) == [(0, None)]


# Pipelines


def test_stages_are_joined_and_share_stderr(run: Run, plans: Plans) -> None:
    plan = plans.call(
        plans.sh("cat; echo one >&2; exit 1"),
        plans.sh("tr a-z A-Z; exit 2"),
        plans.sh("cat; echo three >&2; exit 3"),
        stdin=b"text",
    )
    outcome = run(plan)
    assert ends_of(outcome) == [(1, None), (2, None), (3, None)]
    assert outcome.stdout.head == b"TEXT"
    assert sorted(outcome.stderr.head.split()) == [b"one", b"three"]
    assert outcome.ended is Ended.EXIT


def test_the_last_stage_says_how_the_call_ended(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("exit 1"), plans.sh("kill -KILL $$")))
    assert (outcome.ended, ends_of(outcome)) == (
        Ended.SIGNAL,
        [(1, None), (None, signal.SIGKILL)],
    )


def test_a_stage_whose_reader_has_gone_dies_of_sigpipe_as_in_a_shell(
    run: Run, plans: Plans
) -> None:
    plan = plans.call(plans.stage("/usr/bin/yes"), plans.stage("/usr/bin/head", "-1"))
    outcome = run(plan)
    assert ends_of(outcome) == [(None, signal.SIGPIPE), (0, None)]
    assert outcome.stdout == Captured(head=b"y\n")


def test_a_long_pipeline_passes_everything_on(run: Run, plans: Plans) -> None:
    stages = [plans.stage("/bin/cat") for _ in range(12)]
    text = b"0123456789" * 50_000
    outcome = run(plans.call(*stages, stdin=text))
    assert (ends_of(outcome), outcome.stdout) == ([(0, None)] * 12, Captured(head=text))


# What the child finds


def test_the_child_finds_nothing_of_ours(run: Run, plans: Plans, probe: Path) -> None:
    inheritable = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    outcome = run(plans.call(plans.stage(probe, "word", envp=(b"A=1",))))
    os.close(inheritable)
    child = read_probe(outcome.stdout.head.decode())
    assert {key: child[key] for key in child if key not in ("execfn", "cwd", "leads_session")} == {
        "argc": "2",
        "argv0": "probe",
        "argv1": "word",
        "env": "A=1",
        "comm": "probe",
        "leads_group": "1",
        "terminal": "0",
        "descriptors": "0 1 2",
        "blocked": "",
        "ignored": "",
    }


def test_the_child_works_where_the_plan_says(run: Run, plans: Plans, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    outcome = run(plans.call(plans.stage("/bin/pwd", actions=(Action.fchdir(folder),))))
    os.close(folder)
    assert outcome.stdout.head == os.fsencode(tmp_path) + b"\n"
