"""Read the shipped tool tables. See `agent_exec.policy.tables`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_exec.policy.tables import Tables

COMPILED = "tools.json"
"""All of ``tools/*.yaml`` in one file; made when the wheel is built, for YAML is slow to read."""


def shipped() -> Path:
    """The folder of what is shipped: policies, and tools beneath.

    Raises:
        FileNotFoundError: The installation is broken.
    """
    package = Path(__file__).parent.parent
    # Installed, then in a checkout.
    for folder in (package / "policies", package.parent / "policies"):
        if (folder / "tools").is_dir():
            return folder
    raise FileNotFoundError(f"agent_exec was installed without its policies: {package}")


def load_tables() -> Tables:
    """The shipped tables.

    Raises:
        TableError: One of them is wrong.
        FileNotFoundError: The installation is broken.
    """
    folder = shipped()
    compiled = folder / COMPILED
    if compiled.is_file():
        files = json.loads(compiled.read_bytes())
    else:
        files = read_tables(folder / "tools")
    builtins = files.pop("builtins.yaml", {})
    environment = files.pop("environment.yaml", {})
    return Tables(files, builtins, environment)


def read_tables(folder: Path) -> dict[str, Mapping[str, Any]]:
    """What stands in the YAML files of `folder`, by file name.

    Raises:
        TableError: One is no YAML or no mapping, or has a key twice or one that is no string.
    """
    # An installation has the compiled tables.
    from agent_exec.policy.read_tables import read_table_file  # noqa: PLC0415

    return {
        path.name: read_table_file(path.read_bytes(), path.name)
        for path in sorted(folder.glob("*.yaml"))
    }
