"""What a launch may cost, and whether it did. Pure.

The targets are for the tiny static program: the less a program does, the more of the time
is the launcher's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.figures import (
    BallastFigure,
    LoopFigure,
    MemoryFigure,
    ratios_of,
)
from agent_exec.bench.launch.methods import FLOOR
from agent_exec.bench.launch.rounds import Sample
from agent_exec.bench.spread import Spread
from agent_exec.bench.target import Target, Verdict

PROGRAM = "tiny"
LOOP_IN_FLIGHT = 16

# Kept per launch: the smallest block that malloc gives is 32 bytes with its header on
# glibc, so whatever is kept for every fourth call is seen.
_BYTES_PER_LAUNCH = 8.0
_BLOCKS_PER_LAUNCH = 0.01
# Below this, a page or two of the allocator's own are more than that.
_ENOUGH_LAUNCHES = 20_000


def judge(
    samples: Sequence[Sample],
    loops: Sequence[LoopFigure],
    ballast: Sequence[BallastFigure],
    memory: Sequence[MemoryFigure],
) -> list[Target]:
    """Every target, in the order in which they are stated, judged on its median."""
    return [
        *_timing(samples),
        *_loop(loops),
        *_tool(samples),
        *(_ballast(kind, ballast) for kind in Ballast if kind is not Ballast.NONE),
        *_memory(memory),
    ]


def _median(values: Sequence[float]) -> float | None:
    return Spread.of(values).median if values else None


def _x_floor(samples: Sequence[Sample], method: str, in_flight: int) -> float | None:
    return _median(ratios_of(samples, PROGRAM, in_flight, method, FLOOR))


def _times_faster(samples: Sequence[Sample], method: str, than: str) -> float | None:
    return _median(ratios_of(samples, PROGRAM, 16, than, method))


def _timing(samples: Sequence[Sample]) -> Iterable[Target]:
    for method, loop in (("engine-asyncio", "asyncio"), ("engine-trio", "trio")):
        name = f"async launch through the engine ({loop})"
        yield Target.at_most(f"{name}, 1 in flight", 1.35, _x_floor(samples, method, 1), "x floor")
        yield Target.at_most(
            f"{name}, 16 in flight", 0.85, _x_floor(samples, method, 16), "x floor"
        )
    for peer in ("anyio", "asyncio"):
        yield Target.at_least(
            f"async launch through the engine (asyncio), 16 in flight, against {peer}",
            4,
            _times_faster(samples, "engine-asyncio", peer),
            "x faster",
        )
    for in_flight, limit in ((1, 1.15), (16, 0.75)):
        yield Target.at_most(
            f"blocking launch, {in_flight} in flight",
            limit,
            _x_floor(samples, "engine-blocking", in_flight),
            "x floor",
        )


def _loop(loops: Sequence[LoopFigure]) -> Iterable[Target]:
    of = {figure.method: figure.wall_us.median for figure in loops}
    yield Target.at_most(
        "event-loop thread time per launch, 16 in flight", 20, of.get("engine-asyncio"), "µs"
    )


def _tool(samples: Sequence[Sample]) -> Iterable[Target]:
    yield Target.at_most(
        "ExecTool.run, template hit, whole call, 1 in flight",
        2,
        _x_floor(samples, "tool-asyncio", 1),
        "x floor",
    )
    yield Target.at_least(
        "ExecTool.run, 16 in flight, against anyio.run_process",
        2.5,
        _times_faster(samples, "tool-asyncio", "anyio"),
        "x faster",
    )


def _ballast(kind: Ballast, figures: Sequence[BallastFigure]) -> Target:
    ours = [
        figure
        for figure in figures
        if figure.ballast is kind and figure.method.startswith(("engine", "tool"))
    ]
    worst = max(ours, key=lambda figure: figure.ratio.median, default=None)
    which = "" if worst is None else f" (worst: {worst.method}, {worst.in_flight} in flight)"
    return Target.at_most(
        f"{kind.words}{which}", 1.15, None if worst is None else worst.ratio.median, "x without"
    )


def _memory(figures: Sequence[MemoryFigure]) -> Iterable[Target]:
    wanted = "no descriptor, child, thread or byte more"
    if not figures:
        yield Target(
            figure="memory per finished call kept",
            wanted=wanted,
            measured="-",
            verdict=Verdict.NOT_MEASURED,
        )
    for figure in figures:
        before, after = figure.before, figure.after
        bytes_per_launch = (after.rss_bytes - before.rss_bytes) / figure.launches
        blocks_per_launch = (after.python_blocks - before.python_blocks) / figure.launches
        counts_kept = (
            after.descriptors <= before.descriptors
            and after.children <= before.children
            and after.threads <= before.threads
        )
        bytes_kept = bytes_per_launch < _BYTES_PER_LAUNCH and blocks_per_launch < _BLOCKS_PER_LAUNCH
        if counts_kept and figure.launches < _ENOUGH_LAUNCHES:
            verdict = Verdict.NOT_MEASURED
        else:
            verdict = Verdict.MET if counts_kept and bytes_kept else Verdict.MISSED
        yield Target(
            figure=f"kept after {figure.launches} launches by {figure.method}",
            wanted=wanted,
            measured=(
                f"{after.descriptors - before.descriptors:+d} descriptors, "
                f"{after.children - before.children:+d} children, "
                f"{after.threads - before.threads:+d} threads, "
                f"{bytes_per_launch:+.1f} bytes a launch"
            ),
            verdict=verdict,
        )
