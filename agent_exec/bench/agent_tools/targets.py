"""What the tool is to be worth to agents, and whether it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agent_exec.bench.agent_tools.back_ends import BASE, TOOL
from agent_exec.bench.agent_tools.figures import p99, ratios_of, runtime_cpu, throughput
from agent_exec.bench.agent_tools.measured import Batch
from agent_exec.bench.agent_tools.options import SPLITS
from agent_exec.bench.agent_tools.rounds import Sample
from agent_exec.bench.spread import Spread
from agent_exec.bench.target import Target

THREAD = "subprocess-thread"
_ONE_PROCESS = str(SPLITS[0])
_QUICK_TOOLS = "no-interpreters"


def judge(samples: Sequence[Sample]) -> list[Target]:
    """Every target, in the order in which they are stated, judged on the median of the rounds."""
    return [*_quick_tools(samples), *_all_tools(samples), *_cpu(samples), *_texts(samples)]


def _ratio(
    samples: Sequence[Sample],
    preset: str,
    split: str,
    other: str,
    measure: Callable[[Batch], float] = throughput,
) -> float | None:
    ratios = ratios_of(samples, preset, split, TOOL, other, measure)
    return Spread.of(ratios).median if ratios else None


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else (ratio - 1) * 100


def _quick_tools(samples: Sequence[Sample]) -> Iterable[Target]:
    for other, limit in ((BASE, 70), (THREAD, 25)):
        yield Target.at_least(
            f"{_QUICK_TOOLS}, {_ONE_PROCESS}: calls/s over {other}",
            limit,
            _percent(_ratio(samples, _QUICK_TOOLS, _ONE_PROCESS, other)),
            "% more",
        )
    for other, limit in ((BASE, 20), (THREAD, 10)):
        by_split = {
            str(split): ratio
            for split in SPLITS
            if (ratio := _ratio(samples, _QUICK_TOOLS, str(split), other)) is not None
        }
        worst = min(by_split, key=lambda split: by_split[split], default=None)
        is_whole = len(by_split) == len(SPLITS)
        which = f" ({worst})" if worst is not None and is_whole else ""
        yield Target.at_least(
            f"{_QUICK_TOOLS}, worst of the splits{which}: calls/s over {other}",
            limit,
            _percent(min(by_split.values())) if is_whole else None,
            "% more",
        )


def _all_tools(samples: Sequence[Sample]) -> Iterable[Target]:
    yield Target.at_least(
        f"all tools, {_ONE_PROCESS}: calls/s over {BASE}",
        5,
        _percent(_ratio(samples, "all", _ONE_PROCESS, BASE)),
        "% more",
    )
    yield Target.at_most(
        f"all tools, {_ONE_PROCESS}: p99 of a call against {BASE}",
        1,
        _ratio(samples, "all", _ONE_PROCESS, BASE, p99),
        "x",
    )


def _cpu(samples: Sequence[Sample]) -> Iterable[Target]:
    yield Target.at_most(
        f"{_QUICK_TOOLS}, {_ONE_PROCESS}: CPU of the runtime a call, against {BASE}",
        0.5,
        _ratio(samples, _QUICK_TOOLS, _ONE_PROCESS, BASE, runtime_cpu),
        "x",
    )


def _texts(samples: Sequence[Sample]) -> Iterable[Target]:
    yield Target.at_least(
        f"shell-text, {_ONE_PROCESS}: calls/s of lowered text over bash -c by {BASE}",
        60,
        _percent(_ratio(samples, "shell-text", _ONE_PROCESS, BASE)),
        "% more",
    )
