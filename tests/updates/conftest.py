"""What the tests of updates share."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from updating import Versions


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Of a program that prints its number; see version.c."""
    program = tmp_path_factory.mktemp("version") / "version"
    source = Path(__file__).parents[1] / "programs" / "version.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", program, source], check=True)
    return Versions(program)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How many updates a storm has."""
    return int(request.config.getoption("--rounds"))
