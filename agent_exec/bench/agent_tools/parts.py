"""Where the time of one call goes, when nothing else runs: tool by tool.

Nobody can look into a call and see its parts. They are differences of whole times, measured in
turn: of the C floor with a program that does nothing, with the tool that has nothing to do, and
with the tool itself; of agents whose back end does nothing, and of agents with the back end.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent_exec.bench.agent_tools.back_ends import BASE, NOTHING, TOOL
from agent_exec.bench.agent_tools.corpus import PATH, Corpus
from agent_exec.bench.agent_tools.rounds import Measures, Tell
from agent_exec.bench.agent_tools.tasks import Expected, run_once
from agent_exec.bench.failure import Failure, reason_of
from agent_exec.bench.launch.methods.floor import Floor
from agent_exec.bench.launch.programs import Program, Workbench, prepare

SHOWN = (BASE, TOOL)
"""Back ends whose calls are taken apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSample:
    """The whole times of one tool in one round, medians of some calls. Microseconds.

    `whole_us` has None for a back end that was not to be had, or whose calls went wrong.
    """

    round: int
    tool: str
    idle_us: float
    """The floor, with a program that does nothing."""
    started_us: float
    """The floor, with the tool that has nothing to do."""
    worked_us: float
    """The floor, with the tool itself."""
    agents_us: float
    """The agents, when the back end does nothing."""
    whole_us: Mapping[str, float | None]
    """The agents, by back end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFigure:
    """One call of one tool by one back end, taken apart: medians over rounds. Microseconds.

    The parts sum to the whole, if `is_whole`. They do not where the back end runs something
    else than the floor did, and quicker: ``bash -c`` without bash; or where the machine was busy.
    """

    tool: str
    back_end: str
    whole_us: float
    agents_us: float
    """The runtime's messages."""
    back_end_us: float
    """Of the back end, beyond what the floor needs."""
    launch_us: float
    """The floor's launch of a program that does nothing."""
    start_us: float
    """What the tool takes to start."""
    work_us: float
    """What the tool takes for its task."""

    @property
    def is_whole(self) -> bool:
        """Whether the parts are those of this call."""
        return self.back_end_us >= 0


class PartBench:
    """Measures whole times. Compiles the floor into `folder`.

    Raises:
        Unsupported: There is no C compiler, or nothing may be executed in `folder`.
    """

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        folder.mkdir()
        compiled = prepare(folder)
        self._tiny = compiled.programs[0]
        self._corpus = corpus
        self._floor = Floor(_at(compiled, corpus))

    def measure(
        self,
        crews: Mapping[str, Measures],
        expected: Sequence[Expected],
        *,
        rounds: int,
        calls: int,
        tell: Tell,
    ) -> Iterator[PartSample | Failure]:
        """All tools that can be started with nothing to do; a failure where a whole time is.

        Args:
            crews: That of `NOTHING`, and those that are to be taken apart.
        """
        for number in range(1, rounds + 1):
            tell(f"parts of a call: round {number} of {rounds}")
            for place, each in enumerate(expected):
                if each.task.minimal:
                    try:
                        yield self._sample(crews, each, place, number, calls)
                    except Exception as error:
                        yield Failure(f"{each.task.name}: {reason_of(error)}")

    def _sample(
        self,
        crews: Mapping[str, Measures],
        each: Expected,
        place: int,
        number: int,
        calls: int,
    ) -> PartSample:
        def agents_us(back_end: str) -> float | None:
            batch = crews[back_end].measure([place] * calls, 1, 1)
            return None if isinstance(batch, Failure) else batch.percentile_us(50)

        idle_us = self._floor_us(self._tiny, calls)
        started_us = self._floor_us(self._program(each.task.minimal), calls)
        worked_us = self._floor_us(self._program(each.task.argv), calls)
        bare_us = agents_us(NOTHING)
        assert bare_us is not None
        return PartSample(
            round=number,
            tool=each.task.name,
            idle_us=idle_us,
            started_us=started_us,
            worked_us=worked_us,
            agents_us=bare_us,
            whole_us={name: agents_us(name) for name in crews if name != NOTHING},
        )

    def _floor_us(self, program: Program, calls: int) -> float:
        return self._floor.measure(program, calls, 1).p50_us

    def _program(self, argv: Sequence[str]) -> Program:
        answer = run_once(argv, self._corpus)
        path = shutil.which(argv[0], path=PATH)
        assert path is not None
        return Program(
            name=argv[0],
            argv=(os.path.realpath(path), *argv[1:]),
            stdout=answer.stdout.encode(),
            stderr=answer.stderr.encode(),
        )


def _at(compiled: Workbench, corpus: Corpus) -> Workbench:
    return replace(compiled, worktree=corpus.worktree, env=corpus.env)


def part_figures_of(samples: Sequence[PartSample]) -> list[PartFigure]:
    """One figure for every tool and back end that has a sample."""
    figures = []
    for tool in dict.fromkeys(sample.tool for sample in samples):
        of_tool = [sample for sample in samples if sample.tool == tool]
        idle_us = statistics.median(sample.idle_us for sample in of_tool)
        worked_us = max(idle_us, statistics.median(sample.worked_us for sample in of_tool))
        started_us = statistics.median(sample.started_us for sample in of_tool)
        started_us = min(max(idle_us, started_us), worked_us)
        agents_us = statistics.median(sample.agents_us for sample in of_tool)
        for back_end in dict.fromkeys(name for sample in of_tool for name in sample.whole_us):
            wholes = [us for sample in of_tool if (us := sample.whole_us[back_end]) is not None]
            if wholes:
                whole_us = statistics.median(wholes)
                figures.append(
                    PartFigure(
                        tool=tool,
                        back_end=back_end,
                        whole_us=whole_us,
                        agents_us=agents_us,
                        back_end_us=whole_us - agents_us - worked_us,
                        launch_us=idle_us,
                        start_us=started_us - idle_us,
                        work_us=worked_us - started_us,
                    )
                )
    return figures
