"""One run of the benchmark, from laying out the sources to the report."""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from agent_exec.bench import machine
from agent_exec.bench.agent_tools.back_ends import BASE, NOTHING
from agent_exec.bench.agent_tools.corpus import Corpus, make_corpus
from agent_exec.bench.agent_tools.crew import Crew
from agent_exec.bench.agent_tools.options import AgentBenchOptions
from agent_exec.bench.agent_tools.parts import SHOWN, PartBench, PartSample
from agent_exec.bench.agent_tools.report import AgentBenchReport
from agent_exec.bench.agent_tools.rounds import Sample, Tell, time_calls
from agent_exec.bench.agent_tools.tasks import PRESETS, prepare_tasks
from agent_exec.bench.failure import Failure
from agent_exec.bench.linked import WorkerLostError
from agent_exec.errors import Unsupported

# Of the parts of a call: each call is one at a time, and a round has some of every tool.
_PART_CALLS = 20


def run_agent_benchmark(options: AgentBenchOptions, *, tell: Tell) -> AgentBenchReport:
    """Measure what `options` say. `tell` takes progress, a line at a time.

    A call that fails or gives a wrong answer, and a worker that ends, void the batch and are in the
    report's `failures`; the others go on.

    Raises:
        Unsupported: This is not Linux, AutoGen Core is not installed or another generation of
            it is, there is no git, or none of the tools.
    """
    if sys.platform != "linux":
        raise Unsupported(
            "the agent-tools benchmark is for Linux: its floor is made of Linux calls"
        )
    reason = why_no_agents()
    if reason is not None:
        raise Unsupported(reason)
    started, began_s = datetime.now(UTC), time.monotonic()
    here, load_before = machine.look(), machine.load_average()
    with tempfile.TemporaryDirectory(prefix="agent-exec-bench-") as folder:
        tell("laying out the sources")
        run = Run(Path(folder), options, tell)
        run.measure()
    return AgentBenchReport(
        started=started,
        duration_s=time.monotonic() - began_s,
        machine=here,
        load_before=load_before,
        load_after=machine.load_average(),
        options=options,
        tools=tuple(run.tools),
        samples=tuple(run.samples),
        part_samples=tuple(run.part_samples),
        skipped=tuple(run.skipped),
        lost=tuple(run.lost),
    )


def why_no_agents() -> str | None:
    """Why there is nothing to run agents with; None when there is."""
    wanted = "autogen-core>=0.7.5,<0.8 (pip install agent-exec[bench-agents])"
    if importlib.util.find_spec("autogen_core") is None:
        return f"the benchmark's agents need {wanted}"
    found = version("autogen-core")
    if not found.startswith("0.7."):
        return f"the benchmark's agents need {wanted}; installed is {found}"
    return None


class Run:
    """Measures in `folder`, and keeps what it finds.

    `skipped` and `lost` are lines for the report: what could not be measured here, and
    what broke apart from single samples.

    Raises:
        Unsupported: There is no git, or none of the tools.
    """

    def __init__(self, folder: Path, options: AgentBenchOptions, tell: Tell) -> None:
        self._folder = folder
        self._options = options
        self._tell = tell
        self._order = random.Random(options.seed)
        self.samples: list[Sample] = []
        self.part_samples: list[PartSample] = []
        self.skipped: list[str] = []
        self.lost: list[str] = []
        self._corpus: Corpus = make_corpus(folder, options.size)
        wanted = {task: None for preset in options.presets for task in PRESETS[preset]}
        self._expected, missing = prepare_tasks(tuple(wanted), self._corpus)
        for line in missing:
            self._skip(line)
        self._presets = self._places()

    @property
    def tools(self) -> list[str]:
        """The names of the tasks, by their places."""
        return [each.task.name for each in self._expected]

    def measure(self) -> None:
        """Everything that the options say, in the order of the report."""
        with self._crews() as crews:
            self.samples.extend(
                time_calls(
                    crews,
                    self._presets,
                    self._options.chosen_splits,
                    rounds=self._options.rounds,
                    calls=self._options.calls,
                    order=self._order,
                    tell=self._tell,
                )
            )
            if self._options.parts:
                self._measure_parts(crews)

    def _places(self) -> Mapping[str, Sequence[int]]:
        """The tasks of each preset, by their places."""
        place = {each.task: number for number, each in enumerate(self._expected)}
        presets = {
            name: [place[task] for task in PRESETS[name] if task in place]
            for name in self._options.presets
        }
        if not any(presets.values()):
            raise Unsupported(f"none of the tools is to be had: {'; '.join(self.skipped)}")
        return {name: tasks for name, tasks in presets.items() if tasks}

    @contextmanager
    def _crews(self) -> Iterator[dict[str, Crew]]:
        """One crew, with all its workers, for each back end that is to be had."""
        count = max(split.processes for split in self._options.chosen_splits)
        with ExitStack() as holds:
            crews: dict[str, Crew] = {}
            for name in dict.fromkeys((BASE, *self._options.back_ends)):
                crew = holds.enter_context(Crew(name, self._corpus, self._expected))
                if self._is_up(crew, name, count):
                    crews[name] = crew
            yield crews
            for name, crew in crews.items():
                self._tell_cold(name, crew)

    def _is_up(self, crew: Crew, name: str, count: int) -> bool:
        self._tell(f"starting {count} workers with {name}")
        try:
            reason = crew.start(count)
        except WorkerLostError as lost:
            self.lost.append(f"{name}: {lost}")
            return False
        if reason is not None:
            self._skip(f"{name}: {reason}")
        return reason is None

    def _tell_cold(self, name: str, crew: Crew) -> None:
        for line in dict.fromkeys(crew.cold):
            self.lost.append(f"{name}: {line}")
            self._tell(f"void: {name}: {line}")

    def _measure_parts(self, crews: Mapping[str, Crew]) -> None:
        try:
            bench = PartBench(self._folder / "floor", self._corpus)
        except Unsupported as reason:
            self._skip(f"parts of a call: {reason}")
            return
        with Crew(NOTHING, self._corpus, self._expected) as nothing:
            if not self._is_up(nothing, NOTHING, 1):
                return
            shown = {name: crews[name] for name in SHOWN if name in crews}
            for sample in bench.measure(
                {NOTHING: nothing, **shown},
                self._expected,
                rounds=max(3, self._options.rounds // 2),
                calls=_PART_CALLS,
                tell=self._tell,
            ):
                if isinstance(sample, Failure):
                    self.lost.append(f"parts of a call: {sample.reason}")
                else:
                    self.part_samples.append(sample)
            self._tell_cold(NOTHING, nothing)

    def _skip(self, line: str) -> None:
        self.skipped.append(line)
        self._tell(f"skipped {line}")
