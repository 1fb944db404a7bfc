"""The agent-tools benchmark on a small scale, with real agents, workers and tools."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from realproc import is_built

from agent_exec.bench.agent_tools import (
    BACK_END_NAMES,
    AgentBenchOptions,
    render_table,
    run,
    run_agent_benchmark,
)
from agent_exec.bench.agent_tools.corpus import Corpus, make_corpus
from agent_exec.bench.agent_tools.crew import Crew
from agent_exec.bench.agent_tools.measured import Batch
from agent_exec.bench.agent_tools.tasks import (
    PRESETS,
    Expected,
    Task,
    prepare_tasks,
)
from agent_exec.bench.failure import Failure
from agent_exec.errors import Unsupported
from agent_exec.launch.select import why_not_kernel

NO_AGENTS = run.why_no_agents()
pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(NO_AGENTS is not None, reason=str(NO_AGENTS)),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"), "small")


@pytest.fixture(scope="module")
def expected(corpus: Corpus) -> list[Expected]:
    """All that this machine has of the tools and texts."""
    tasks = dict.fromkeys(task for preset in PRESETS.values() for task in preset)
    found, skipped = prepare_tasks(tuple(tasks), corpus)
    assert [line for line in skipped if "there is no" not in line] == []
    assert len(found) >= 10
    return found


@pytest.mark.parametrize("name", BACK_END_NAMES)
def test_every_back_end_gives_the_same_answers(
    corpus: Corpus, expected: Sequence[Expected], name: str
) -> None:
    if name in ("agent_exec", "engine") and not is_built("native"):
        pytest.skip("the native engine is not built")
    with Crew(name, corpus, expected) as crew:
        reason = crew.start(1)
        if name == "engine-kernel" and (why_not := why_not_kernel()) is not None:
            assert reason is not None
            assert why_not in reason
            return
        assert reason is None
        tasks = list(range(len(expected)))
        batch = crew.measure(tasks, 1, 4)
        assert isinstance(batch, Batch), batch
        assert batch.calls == len(expected)
        assert sorted(task for task, _ in batch.latencies_us) == tasks
        assert batch.runtime_cpu_us > 0
        assert batch.children_cpu_us > 0


@pytest.mark.parametrize("name", ["subprocess", "agent_exec-portable"])
def test_a_wrong_answer_voids_the_batch_and_says_what_it_was(
    corpus: Corpus, expected: Sequence[Expected], name: str
) -> None:
    cat = next(each for each in expected if each.task.name == "cat")
    other = Expected(cat.task, replace(cat.answer, stdout="else"))
    with Crew(name, corpus, (cat, other)) as crew:
        batch = crew.measure([0, 1, 0], 1, 1)
        assert isinstance(batch, Failure)
        assert batch.reason.startswith("WrongAnswerError: cat: stdout is ")
        assert isinstance(crew.measure([0, 0], 1, 2), Batch)
        # Of the workers, who were to get hot by it.
        (cold,) = crew.cold
        assert cold.startswith("while it warmed up: WrongAnswerError: cat: stdout is ")


def test_a_call_that_the_policy_refuses_voids_the_batch(corpus: Corpus) -> None:
    touch = Task(name="touch", argv=("touch", "src/new.py"))
    (found,), _ = prepare_tasks((touch,), corpus)
    with Crew("agent_exec-portable", corpus, (found,)) as crew:
        batch = crew.measure([0], 1, 1)
        assert isinstance(batch, Failure)
        assert batch.reason.startswith("Denied: ")


@pytest.mark.parametrize("name", ["subprocess", "agent_exec"])
def test_a_worker_that_is_killed_voids_the_round_and_leaves_nothing(
    tmp_path: Path, name: str
) -> None:
    if name == "agent_exec" and not is_built("native"):
        pytest.skip("the native engine is not built")
    corpus = make_corpus(tmp_path, "small")
    gate = Path(corpus.worktree, "gate")
    gate.write_text("open\n")
    expected, _ = prepare_tasks((Task(name="gate", argv=("cat", "gate")),), corpus)
    with Crew(name, corpus, expected) as crew, ThreadPoolExecutor(1) as thread:
        assert crew.start(2) is None
        gate.unlink()
        os.mkfifo(gate)
        measured = thread.submit(crew.measure, [0], 1, 1)
        writer = os.open(gate, os.O_WRONLY)  # returns when the tool is there to read
        os.kill(crew.pids[0], signal.SIGKILL)
        assert measured.result(30) == Failure("the worker ended by itself (status -9)")
        assert crew.pids == []
        # An error, once nobody holds the other end: the tool is gone, too.
        poll = select.poll()
        poll.register(writer, 0)
        assert poll.poll(10_000) == [(writer, select.POLLERR)]
        os.close(writer)

        gate.unlink()
        gate.write_text("open\n")
        assert isinstance(crew.measure([0, 0], 2, 1), Batch)


def test_a_run_measures_what_was_chosen_and_the_base() -> None:
    told: list[str] = []
    options = AgentBenchOptions.choose(
        rounds=2, calls=6, presets=("shell-text",), splits=("2x8",), only=("anyio",), size="small"
    )
    report = run_agent_benchmark(replace(options, parts=False), tell=told.append)

    assert report.failures == []
    assert {(f.preset, f.split, f.back_end, f.rounds) for f in report.figures} == {
        ("shell-text", "2x8", name, 2) for name in ("subprocess", "anyio")
    }
    assert told[0] == "laying out the sources"
    assert "round 2 of 2: shell-text, 2x8" in told
    assert "Shell text" in render_table(report)


def test_a_run_says_which_rounds_are_void_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker is killed before it can be asked; the others were to get hot, and did not."""
    crews: dict[str, Crew] = {}

    class Watched(Crew):
        def __init__(self, back_end: str, corpus: Corpus, expected: Sequence[Expected]) -> None:
            super().__init__(back_end, corpus, expected)
            crews[back_end] = self

        def start(self, count: int) -> str | None:
            reason = super().start(count)
            if self is crews.get("anyio") and not self.cold:
                self.cold.append("while it warmed up: it rained")
            return reason

    def tell(line: str) -> None:
        told.append(line)
        if line.startswith("round 1 of 2"):
            os.kill(crews["anyio"].pids[0], signal.SIGKILL)

    monkeypatch.setattr(run, "Crew", Watched)
    told: list[str] = []
    options = AgentBenchOptions.choose(
        rounds=2, calls=6, presets=("shell-text",), splits=("2x8",), only=("anyio",), size="small"
    )
    report = run_agent_benchmark(replace(options, parts=False), tell=tell)

    ended = "the worker ended by itself (status -9)"
    assert f"void: anyio: {ended}" in told
    assert report.failures[0] == "anyio: while it warmed up: it rained"
    assert report.failures[1:] == [f"round 1 is void for anyio, shell-text, 2x8: {ended}"]
    assert {(each.back_end, each.rounds) for each in report.figures} == {
        ("subprocess", 2),
        ("anyio", 1),
    }
    assert ended in render_table(report).partition("\nVoid\n")[2]


def test_the_parts_of_every_tool_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tuple(task for task in PRESETS["all"] if task.name in ("cat", "stat"))
    monkeypatch.setattr(run, "PRESETS", {**PRESETS, "all": tools})
    monkeypatch.setattr(run, "_PART_CALLS", 3)
    options = AgentBenchOptions.choose(
        rounds=1, calls=2, presets=("all",), splits=("1x16",), only=("engine",), size="small"
    )
    report = run_agent_benchmark(options, tell=lambda _: None)

    assert report.failures == []
    assert [(f.tool, f.back_end) for f in report.part_figures] == [
        ("cat", "subprocess"),
        ("stat", "subprocess"),
    ]
    assert all(figure.launch_us > 0 and figure.agents_us > 0 for figure in report.part_figures)


def test_a_tool_that_is_missing_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    cat = next(task for task in PRESETS["all"] if task.name == "cat")
    gone = Task(name="gone", argv=("no-such-tool-anywhere", "x"))
    fails = Task(name="fails", argv=("cat", "no-such-file"))
    monkeypatch.setattr(run, "PRESETS", {**PRESETS, "all": (gone, cat, fails)})
    told: list[str] = []
    options = AgentBenchOptions.choose(
        rounds=1, calls=1, presets=("all",), splits=("1x16",), only=("anyio",), size="small"
    )
    report = run_agent_benchmark(replace(options, parts=False), tell=told.append)

    assert report.tools == ("cat",)
    assert report.skipped[0].startswith("gone: there is no no-such-tool-anywhere in ")
    assert report.skipped[1].startswith("fails: exit status 1: ")
    assert f"skipped {report.skipped[0]}" in told


def test_without_a_tool_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Task(name="gone", argv=("no-such-tool-anywhere", "x"))
    monkeypatch.setattr(run, "PRESETS", {"all": (gone,)})
    with pytest.raises(Unsupported, match="none of the tools is to be had: gone: "):
        run_agent_benchmark(AgentBenchOptions(presets=("all",)), tell=lambda _: None)
