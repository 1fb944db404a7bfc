"""What many records say together."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

from agent_exec.named_tuple import NamedTuple

_MOST = 10


class Stats(NamedTuple):
    """Of some records. Times in milliseconds: median and 95th percentile; None of nothing."""

    calls: int
    verdicts: dict[str, int]
    ended: dict[str, int]
    routes: dict[str, int]
    answers: dict[str, int]
    template_hits: float | None
    """Share of the stages whose template was in the cache."""
    decide_ms: tuple[float, float] | None
    wait_ms: tuple[float, float] | None
    """Of calls that somebody was asked about."""
    run_ms: tuple[float, float] | None
    """Of calls that ran."""
    asked: tuple[tuple[str, int], ...]
    """Why calls were asked about, the most frequent first."""
    refused: tuple[tuple[str, int], ...]
    programs: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return dict(self._asdict())


def stats_of(records: Iterable[dict[str, Any]]) -> Stats:
    """Count records."""
    count = _Count()
    for record in records:
        count.add(record)
    return count.done()


class _Count:
    def __init__(self) -> None:
        self.calls = 0
        self.counters: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("verdicts", "ended", "routes", "answers", "asked", "refused", "programs")
        }
        self.templates: Counter[bool] = Counter()
        self.times: dict[str, list[float]] = {"decide_ms": [], "wait_ms": [], "run_ms": []}

    def add(self, record: dict[str, Any]) -> None:
        if record.get("ended") == "running":
            return  # a session, which counts at its end
        decision = record.get("decision") or {}
        verdict = str(decision.get("verdict", "none"))
        ended = str(record.get("ended"))
        self.calls += 1
        self.counters["verdicts"][verdict] += 1
        self.counters["ended"][ended] += 1
        self.counters["routes"][str(decision.get("route"))] += 1
        because = "; ".join(map(str, decision.get("because") or ()))
        if verdict == "ask":
            self.counters["asked"][because] += 1
        answer = record.get("answer")
        if answer:
            self.counters["answers"][str(answer.get("reply"))] += 1
        if ended == "refused":
            self.counters["refused"][because or str(record.get("error"))] += 1
        for command in decision.get("commands") or ():
            self.counters["programs"][str((command.get("argv") or ["?"])[0])] += 1
        for template in record.get("templates") or ():
            if template is not None:
                self.templates[template == "hit"] += 1
        self._times(record.get("times") or {}, asked=bool(answer), ran=bool(record.get("launcher")))

    def _times(self, times: dict[str, Any], *, asked: bool, ran: bool) -> None:
        for name, counts in (("decide_ms", True), ("wait_ms", asked), ("run_ms", ran)):
            value = times.get(name)
            if counts and isinstance(value, int | float):
                self.times[name].append(float(value))

    def done(self) -> Stats:
        stages = self.templates.total()
        most = {name: tuple(counter.most_common(_MOST)) for name, counter in self.counters.items()}
        return Stats(
            calls=self.calls,
            verdicts=dict(most["verdicts"]),
            ended=dict(most["ended"]),
            routes=dict(most["routes"]),
            answers=dict(most["answers"]),
            template_hits=round(self.templates[True] / stages, 4) if stages else None,
            decide_ms=_spread(self.times["decide_ms"]),
            wait_ms=_spread(self.times["wait_ms"]),
            run_ms=_spread(self.times["run_ms"]),
            asked=most["asked"],
            refused=most["refused"],
            programs=most["programs"],
        )


def _spread(values: list[float]) -> tuple[float, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return round(statistics.median(ordered), 3), round(p95, 3)
