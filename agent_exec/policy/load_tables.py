"""Read the shipped tool tables. See `agent_exec.policy.tables`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_exec.policy.table_source import TableError
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
        TableError: One is no YAML, or no mapping.
    """
    import yaml  # noqa: PLC0415 - an installation has the compiled tables

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.load(path.read_bytes(), loader)
        except yaml.YAMLError as error:
            raise TableError(f"{path.name}: {error}") from None
        if not isinstance(content, dict):
            raise TableError(f"{path.name}: a file of tables is a mapping")
        files[path.name] = content
    return files
