"""How we launch: the native engine, the portable one, and the whole tool.

Each launch makes its own plan, as a call would; what belongs to a worktree or a policy
(the template, the environment, the directory) is made once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

from agent_exec.bench.launch.drive import AsyncLaunch, Launch
from agent_exec.bench.launch.methods.base import Method, NotHere
from agent_exec.bench.launch.methods.loops import Blocking, OnAsyncio, OnTrio
from agent_exec.bench.launch.programs import Program, Workbench
from agent_exec.launch.base import Launcher
from agent_exec.launch.portable import PortableLauncher
from agent_exec.launch.select import select_launcher, why_not_vfork
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.action import Action
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.engine import Engine

MAX_CONCURRENT = 16


def open_engine_asyncio(bench: Workbench) -> OnAsyncio:
    """`NativeEngine.run` under asyncio."""
    holds = ExitStack()
    return OnAsyncio(_AsyncCalls(_native_engine(holds), _Plans(bench, holds)), holds)


def open_engine_trio(bench: Workbench) -> OnTrio:
    """`NativeEngine.run` under trio."""
    holds = ExitStack()
    return OnTrio(_AsyncCalls(_native_engine(holds), _Plans(bench, holds)), holds)
