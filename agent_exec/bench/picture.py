"""Charts as files; needs matplotlib."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from agent_exec.errors import Unsupported

_DPI = 150


def why_no_chart() -> str | None:
    """Why nothing could be drawn; None when it can. To be asked before a long run."""
    if importlib.util.find_spec("matplotlib") is None:
        return "a chart needs matplotlib, which is not installed (pip install agent-exec[bench])"
    return None


def new_picture(width: float, height: float) -> Any:  # noqa: ANN401 - matplotlib's Figure
    """An empty figure of so many inches.

    Raises:
        Unsupported: matplotlib is not installed.
    """
    reason = why_no_chart()
    if reason is not None:
        raise Unsupported(reason)
    matplotlib = importlib.import_module("matplotlib.figure")
    return matplotlib.Figure(figsize=(width, height), layout="constrained")


def save_picture(
    picture: Any,  # noqa: ANN401 - matplotlib's Figure, which may not be installed
    path: Path,
) -> tuple[Path, Path]:
    """Write `path` with the suffix .png, and again with .svg; return both paths.

    Raises:
        OSError: A file cannot be written.
    """
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    for file in (png, svg):
        picture.savefig(file, dpi=_DPI)
    return png, svg
