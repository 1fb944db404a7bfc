from __future__ import annotations

import sys

import pytest

from agent_exec.bench.launch.programs import Workbench, prepare

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The compiled floor and programs."""
    return prepare(tmp_path_factory.mktemp("bench"))
