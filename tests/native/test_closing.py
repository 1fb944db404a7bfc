"""Closing an engine at any moment of its calls' lives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from realproc import Plans, make_engine, make_launcher

from agent_exec.errors import Closed, LaunchError
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(120)


def call(engine: Engine, plan: CallPlan, backend: str) -> str:
    async def main() -> str:
        try:
            return (await engine.run(plan)).ended
        except (Closed, LaunchError) as error:
            return type(error).__name__

    return anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("script", ["sleep 1000", "exit", "missing"])
def test_no_call_outlives_its_engine(backend: str, script: str) -> None:
    """Calls are queued, in launch, running or over when the engine is closed."""
    expected = {"Closed", "exit", "LaunchError"}
    with Plans(make_launcher("vfork")) as plans, ThreadPoolExecutor(4) as pool:
        plan = plans.call(plans.sh(script))
        if script == "missing":
            plan = plans.call(plans.sh("")._replace(argv=(b"x" * 3_000_000,)))  # E2BIG
        for _ in range(25):
            engine = make_engine("native", max_concurrent=2)
            start = threading.Barrier(5)

            def run(engine: Engine = engine, start: threading.Barrier = start) -> str:
                start.wait()
                return call(engine, plan, backend)

            ends = [pool.submit(run) for _ in range(4)]
            start.wait()
            engine.close()
            assert {end.result(timeout=30) for end in ends} <= expected
