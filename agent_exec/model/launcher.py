"""The name of what spawns."""

from __future__ import annotations

from enum import StrEnum


class LauncherName(StrEnum):
    """What spawns."""

    VFORK = "vfork"
    KERNEL = "kernel"
    PORTABLE = "portable"
    BUILTIN = "builtin"
    """Nothing was spawned: done by ourselves."""
