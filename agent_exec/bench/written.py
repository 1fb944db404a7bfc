"""Reports of figures that may have a target: what their tables begin with, and their JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

from agent_exec.bench.machine import Machine


class Figure(Protocol):
    """A frozen dataclass; all fields of it are written."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def target(self) -> float | None:
        """Most that it should be; None: it is there to compare, or to explain others."""
        ...

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        ...


def heading(machine: Machine, load: float) -> str:
    """Where the figures of a table were made."""
    return f"{machine.cpu}, {machine.kernel}, {machine.python}; load {load:.2f}"


def verdict(figure: Figure) -> str:
    """``60 met``; empty without a target."""
    if figure.target is None:
        return ""
    return f"{figure.target:g} {'met' if figure.is_met else 'MISSED'}"


def write_figures(
    path: Path, about: Mapping[str, object], machine: Machine, figures: Sequence[Figure]
) -> None:
    """Write all of a report to `path`, as JSON; `about`: what stands before the figures.

    Raises:
        OSError: `path` cannot be written.
    """
    shown = {
        **about,
        "machine": asdict(machine),
        "figures": [{**asdict(figure), "met": figure.is_met} for figure in figures],
    }
    path.write_text(json.dumps(shown, indent=2) + "\n", "utf-8")
