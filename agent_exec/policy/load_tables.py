"""Read the shipped tool tables. See `agent_exec.policy.tables`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from agent_exec.policy.compiled_tables import compiled_tables
from agent_exec.policy.tables import Tables

COMPILED = "tools.txt"
"""All of ``tools/*.yaml`` in one file; made when the wheel is built, for YAML is slow to read."""


def shipped() -> str:
    """The folder of what is shipped: policies, and tools beneath.

    Raises:
        FileNotFoundError: The installation is broken.
    """
    package = os.path.dirname(os.path.dirname(__file__))
    # Installed, then in a checkout.
    for above in (package, os.path.dirname(package)):
        folder = os.path.join(above, "policies")
        if os.path.isdir(os.path.join(folder, "tools")):
            return folder
    raise FileNotFoundError(f"agent_exec was installed without its policies: {package}")


def load_tables() -> Tables:
    """The shipped tables.

    Raises:
        TableError: One of them is wrong.
        FileNotFoundError: The installation is broken.
    """
    folder = shipped()
    compiled = os.path.join(folder, COMPILED)
    if os.path.isfile(compiled):
        with open(compiled, "rb") as file:
            return compiled_tables(file.read().decode())
    # An installation has the compiled tables.
    from agent_exec.policy.written_tables import written_tables  # noqa: PLC0415

    return written_tables(read_tables(os.path.join(folder, "tools")))


def read_tables(folder: str) -> dict[str, Mapping[str, Any]]:
    """What stands in the YAML files of `folder`, by file name.

    Raises:
        TableError: One is no YAML or no mapping, or has a key twice or one that is no string.
    """
    from agent_exec.policy.read_tables import read_table_file  # noqa: PLC0415

    files = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".yaml"):
            with open(os.path.join(folder, name), "rb") as file:
                files[name] = read_table_file(file.read(), name)
    return files
