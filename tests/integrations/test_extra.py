"""What a user reads whose framework is missing, or of a version that no adapter was tested with."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from agent_exec.integrations.common.extra import EXTRAS, needs

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
EXAMPLE = "pydantic-ai"


def module_of(extra: str) -> str:
    return f"agent_exec.integrations.{extra.replace('-', '_')}"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_installs_what_its_adapter_wants(extra: str) -> None:
    wanted = [str(requirement) for requirement in EXTRAS[extra]]
    assert PROJECT["project"]["optional-dependencies"][extra] == wanted


def version_is(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    def found(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)


@pytest.mark.parametrize("version", ["2.68", "2.68.0", "2.70.1", "2.999.0rc1"])
def test_a_version_that_is_known(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    version_is(monkeypatch, version)
    with needs(EXAMPLE):
        pass


@pytest.mark.parametrize(
    ("version", "said"),
    [
        pytest.param(None, "pydantic-ai-slim is not installed", id="missing"),
        pytest.param("2.67.9", "pydantic-ai-slim 2.67.9 is installed", id="too-old"),
        pytest.param("3.0.0", "pydantic-ai-slim 3.0.0 is installed", id="too-new"),
        pytest.param("3.0.0b1", "pydantic-ai-slim 3.0.0b1 is installed", id="pre-release"),
        pytest.param("unknown", "pydantic-ai-slim unknown is installed", id="no-version"),
    ],
)
def test_any_other_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, version: str | None, said: str
) -> None:
    version_is(monkeypatch, version)
    with pytest.raises(ImportError) as caught, needs(EXAMPLE):
        pass
    wanted = "pydantic-ai-slim>=2.68,<3: pip install 'agent-exec[pydantic-ai]'"
    assert str(caught.value) == f"{said}; this adapter needs {wanted}"


def test_what_a_framework_itself_lacks_is_said_the_same_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version_is(monkeypatch, "2.68")
    said = "No module named 'no_such_module'; this adapter needs "
    with pytest.raises(ImportError, match=said), needs(EXAMPLE):
        importlib.import_module("no_such_module")


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_adapter_is_imported_with_its_extra_or_not_at_all(extra: str) -> None:
    """In a process of its own, which finds no distribution of any framework."""
    program = f"""
from importlib import metadata
def version(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = version
try:
    import {module_of(extra)}
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout.endswith(f"pip install 'agent-exec[{extra}]'\n")
    assert done.stdout.count("\n") == 1
