"""What an installation contains, and what a build agrees to make."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import sysconfig
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest

import agent_exec
from agent_exec import cli
from agent_exec.policy.compile_tables import compile_tables
from agent_exec.policy.load_tables import read_tables

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed() -> Distribution:
    try:
        found = distribution("agent-exec")
    except PackageNotFoundError:
        pytest.skip("agent_exec is imported from a checkout, not installed")
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("agent_exec is installed in editable form")
    return found


@pytest.fixture(scope="module")
def setup_py() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_py", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files_of(installed: Distribution) -> set[str]:
    files = {str(file) for file in installed.files or ()}
    return {file for file in files if not file.endswith(".pyc")}


def place_of(module: str) -> str:
    return module.replace(".", "/")


def test_the_version_is_written_once(installed: Distribution) -> None:
    assert installed.version == agent_exec.__version__


def test_the_command_is_the_cli(installed: Distribution) -> None:
    (command,) = [entry for entry in installed.entry_points if entry.group == "console_scripts"]
    assert command.name == "agent-exec"
    assert command.load() is cli.as_process


def test_an_installation_is_one_package_and_one_command(installed: Distribution) -> None:
    tops = {file.split("/")[0] for file in files_of(installed)} - {".."}
    assert tops == {"agent_exec", f"agent_exec-{installed.version}.dist-info"}
    outside = [file for file in files_of(installed) if file.startswith("..")]
    assert [Path(file).name for file in outside] == ["agent-exec"]


def test_data_is_installed_with_the_code(installed: Distribution) -> None:
    bench = ROOT / "agent_exec" / "bench"
    sources = {path for suffix in ("*.c", "*.js") for path in bench.rglob(suffix)}
    expected = {path.relative_to(ROOT).as_posix() for path in sources}
    scripts = (ROOT / "integrations").rglob("*.js")
    expected |= {f"agent_exec/{path.relative_to(ROOT).as_posix()}" for path in scripts}
    expected |= {"agent_exec/py.typed", "agent_exec/_native.pyi"}
    expected |= {f"agent_exec-{installed.version}.dist-info/licenses/LICENSE"}
    assert expected - files_of(installed) == set()


def test_policies_are_installed_as_they_stand_and_compiled(installed: Distribution) -> None:
    folder = ROOT / "policies"
    written = {f"agent_exec/{path.relative_to(ROOT)}" for path in folder.rglob("*.*")}
    compiled = {"agent_exec/policies/policies.json", "agent_exec/policies/tools.txt"}
    assert {file for file in files_of(installed) if file.startswith("agent_exec/policies/")} == (
        written | compiled
    )
    made = Path(str(installed.locate_file("agent_exec/policies/tools.txt"))).read_text("utf-8")
    assert made == compile_tables(read_tables(str(folder / "tools")))


def test_sources_of_the_c_core_are_not_installed(installed: Distribution) -> None:
    assert [file for file in files_of(installed) if "/_native/" in file] == []


@pytest.mark.skipif(sys.platform != "linux", reason="the C core is for Linux")
def test_one_wheel_serves_every_python(installed: Distribution, setup_py: ModuleType) -> None:
    wheel = installed.read_text("WHEEL") or ""
    (tag,) = [line.split()[1] for line in wheel.splitlines() if line.startswith("Tag:")]
    assert tag.startswith("cp311-abi3-")
    assert "agent_exec/_native.abi3.so" in files_of(installed)
    sources = {f"{place_of(f'agent_exec.{name}')}.py" for name in setup_py.COMPILED}
    assert sources - files_of(installed) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="modules are compiled on Linux")
def test_modules_are_compiled_for_the_python_that_built_them(
    installed: Distribution, setup_py: ModuleType
) -> None:
    group = f"{place_of(setup_py.COMPILED_GROUP)}__mypyc"
    (suffix,) = {file.removeprefix(group) for file in files_of(installed) if file.startswith(group)}
    names = [f"agent_exec.{name}" for name in setup_py.COMPILED]
    assert {file for file in files_of(installed) if file.endswith(suffix)} == {
        f"{place}{suffix}" for place in (group, *map(place_of, names))
    }
    ours = suffix == sysconfig.get_config_var("EXT_SUFFIX")
    for name in names:
        loaded = str(importlib.import_module(name).__file__)
        assert loaded.endswith(suffix if ours else ".py")


def test_a_build_takes_nothing_that_an_earlier_one_has_compiled(
    setup_py: ModuleType, tmp_path: Path
) -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    earlier, core = tmp_path / "policy" / f"judge{suffix}", tmp_path / "_native.abi3.so"
    earlier.parent.mkdir()
    for file in (earlier, core):
        file.touch()
    command = setup_py.BuildExtensions(importlib.import_module("setuptools").Distribution())
    command.build_lib = str(tmp_path)
    command.run()
    assert (earlier.exists(), core.exists()) == (False, True)


def test_what_is_needed_at_run_time_is_little(installed: Distribution) -> None:
    needed = [line for line in installed.requires or () if "extra ==" not in line]
    assert sorted(line.split(">=")[0] for line in needed) == [
        *("anyio", "pydantic", "pyyaml", "tree-sitter", "tree-sitter-bash", "typer")
    ]


@pytest.mark.parametrize(
    ("system", "implementation", "free_threaded", "refused"),
    [
        pytest.param("linux", "cpython", False, None, id="linux"),
        pytest.param("darwin", "cpython", False, None, id="macos"),
        pytest.param("win32", "cpython", False, "Windows", id="windows"),
        pytest.param("linux", "cpython", True, "free-threaded", id="free-threaded"),
        pytest.param("linux", "pypy", False, "pypy", id="pypy"),
    ],
)
def test_a_build_that_could_not_work_is_refused(
    setup_py: ModuleType, system: str, implementation: str, free_threaded: bool, refused: str | None
) -> None:
    reason = setup_py.refusal(system, implementation, free_threaded=free_threaded)
    assert reason is None if refused is None else refused in reason


@pytest.mark.parametrize(
    ("system", "machine", "built"),
    [
        pytest.param("linux", "x86_64", True, id="x86-64"),
        pytest.param("linux", "aarch64", True, id="arm64"),
        pytest.param("linux", "riscv64", False, id="another-machine"),
        pytest.param("linux", "x86_64 with 32 bits", False, id="32-bit-python"),
        pytest.param("darwin", "arm64", False, id="macos"),
    ],
)
def test_the_c_core_is_built_where_it_works(
    setup_py: ModuleType, system: str, machine: str, built: bool
) -> None:
    extensions = setup_py.native_extensions(system, machine, ROOT)
    assert [extension.name for extension in extensions] == ["agent_exec._native"] * built


def test_a_build_without_the_c_sources_fails_where_they_belong(
    setup_py: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="no C sources"):
        setup_py.native_extensions("linux", "x86_64", tmp_path)
