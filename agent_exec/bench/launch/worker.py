"""The process in which methods are measured: answers requests until its link is closed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeAlias

from agent_exec.bench.failure import Failure, reason_of
from agent_exec.bench.launch.ballast import Ballast, load
from agent_exec.bench.launch.belongings import count_belongings
from agent_exec.bench.launch.measured import Batch, Belongings, LoopTime
from agent_exec.bench.launch.methods import open_method
from agent_exec.bench.launch.methods.base import Method, OnLoop, UnavailableError
from agent_exec.bench.launch.programs import Program, Workbench


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a worker."""

    bench: Workbench
    methods: tuple[str, ...]
    ballast: Ballast = Ballast.NONE


@dataclass(frozen=True, slots=True)
class Ready:
    """The answer: the methods that cannot be offered, with the reasons."""

    skipped: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MeasureBatch:
    """Answered with a `Batch`."""

    method: str
    program: Program
    launches: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class MeasureLoop:
    """Answered with a `LoopTime`, or None for a method without a loop of its own."""

    method: str
    program: Program
    launches: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class CountBelongings:
    """Answered with `Belongings`."""


Request: TypeAlias = MeasureBatch | MeasureLoop | CountBelongings
Answer: TypeAlias = Batch | LoopTime | Belongings | Failure | None


def serve(fd: int) -> None:
    """Be a worker. `fd` is our end of the link, and ours to close."""
    os.set_inheritable(fd, False)
    with Connection(fd) as link, ExitStack() as holds:
        setup: Setup = link.recv()
        if setup.ballast is not Ballast.DESCRIPTORS_AFTER:
            load(setup.ballast, holds)
        methods: dict[str, Method] = {}
        skipped: dict[str, str] = {}
        for name in setup.methods:
            try:
                methods[name] = open_method(name, setup.bench)
                holds.callback(methods[name].close)
            except UnavailableError as reason:
                skipped[name] = str(reason)
        if setup.ballast is Ballast.DESCRIPTORS_AFTER:
            load(setup.ballast, holds)
        link.send(Ready(skipped))
        with suppress(EOFError, ConnectionError):  # nobody asks any more
            while True:
                link.send(_answer(methods, link.recv()))


def _answer(methods: Mapping[str, Method], request: Request) -> Answer:
    if isinstance(request, CountBelongings):
        return count_belongings()
    method = methods[request.method]
    try:
        if isinstance(request, MeasureBatch):
            return method.measure(request.program, request.launches, request.in_flight)
        if not isinstance(method, OnLoop):
            return None
        return method.loop_time(request.program, request.launches, request.in_flight)
    except Exception as error:
        return Failure(reason_of(error))
