"""Decide what a build of agent_exec contains; everything else is in pyproject.toml.

The C core is built where it works: CPython on Linux, x86-64 and arm64; with it, some modules are
compiled by mypyc. Other POSIX systems get the portable launcher alone. A build that could not work
at all stops with the reason.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

import yaml
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

LIMITED_API = "0x030b0000"  # CPython 3.11
NATIVE_MACHINES = ("aarch64", "arm64", "x86_64")
COMPILED = (
    *("policy.analyse", "policy.argv", "policy.compiled_tables", "policy.coverage"),
    *("policy.decide", "policy.environment", "policy.eyes", "policy.facts", "policy.git_harden"),
    *("policy.judge", "policy.look", "policy.look_path", "policy.look_program", "policy.operands"),
    *("policy.options", "policy.paths", "policy.quiet", "policy.rights", "policy.seen"),
    *("policy.tables", "shell.expand", "shell.lexer", "shell.names", "shell.parser"),
    "shell.reading",
)
"""What every judgement runs through; see docs/contributing.md, "Compiled modules"."""
COMPILED_GROUP = "agent_exec._compiled"


def refusal(system: str, implementation: str, *, free_threaded: bool) -> str | None:
    """Why agent_exec cannot be built here; None when it can."""
    if system == "win32":
        return "agent_exec does not support Windows; it runs on Linux, and with less on macOS"
    if implementation != "cpython":
        return f"agent_exec needs CPython, this is {implementation}"
    if free_threaded:
        return (
            "agent_exec does not support free-threaded CPython yet: "
            "use the ordinary build of the same version"
        )
    return None


def native_extensions(system: str, machine: str, root: Path) -> list[Extension]:
    """The C core where it works; an empty list elsewhere.

    Raises:
        FileNotFoundError: It belongs here and its sources are missing.
    """
    if system != "linux" or machine not in NATIVE_MACHINES:
        return []
    folder = root / "agent_exec" / "_native"
    sources = sorted(path.relative_to(root).as_posix() for path in folder.glob("*.c"))
    if not sources:
        raise FileNotFoundError(f"no C sources in {folder}")
    return [
        Extension(
            "agent_exec._native",
            sources=sources,
            depends=sorted(path.relative_to(root).as_posix() for path in folder.glob("*.h")),
            define_macros=[("Py_LIMITED_API", LIMITED_API)],
            extra_compile_args=[
                "-std=gnu11",
                "-O2",
                "-pthread",
                "-fvisibility=hidden",
                "-Wall",
                "-Wextra",
            ],
            extra_link_args=["-pthread"],
            py_limited_api=True,
        )
    ]


def compiled_modules(build: str) -> list[Extension]:
    """`COMPILED`, for this CPython alone; it writes their C into the folder `build`.

    Every other CPython finds no extension of its own beside the sources, and runs these.
    """
    from mypyc.build import mypycify  # noqa: PLC0415 - an sdist is made without it

    paths = [f"agent_exec/{name.replace('.', '/')}.py" for name in COMPILED]
    # What is wrong with the types is said where they are checked, with all that they need.
    mypy = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    made = mypycify(
        [*mypy, f"--cache-dir={os.devnull}", *paths],
        # -O2 takes half as long again, for code that is no faster here.
        opt_level="1",
        debug_level="0",
        group_name=COMPILED_GROUP,
        target_dir=build,
    )
    # Or the end of the process takes seconds to give back all that mypy knows.
    gc.freeze()
    return made


class BuildExtensions(build_ext):
    """Builds the C core and, but for an editable install, what is compiled.

    An editable install runs the sources as they are edited. AGENT_EXEC_COMPILE=0 leaves them to
    the interpreter in any build.
    """

    def run(self) -> None:
        if not self.inplace:
            self._remove_compiled()
        core = self.distribution.ext_modules
        if core and not self.inplace and os.environ.get("AGENT_EXEC_COMPILE") != "0":
            # Not before: an sdist asks for the sources of what there is, and has no use for these.
            self.distribution.ext_modules = [*core, *compiled_modules(self.build_temp)]
            self.reinitialize_command(self)
            self.ensure_finalized()
        super().run()

    def _remove_compiled(self) -> None:
        """What an earlier build in this folder has compiled: it would hide newer sources."""
        for made in Path(self.build_lib).rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
            made.unlink()


def compile_policies(folder: Path) -> dict[str, object]:
    """What stands in the YAML files of `folder`, by policy; see policy/load.py."""
    return {
        path.stem: yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for path in sorted(folder.glob("*.yaml"))
    }


def compile_tools(folder: Path) -> str:
    """What stands in the YAML files of `folder`; see policy/compiled_tables.py."""
    # A build does not find what it builds by itself.
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from agent_exec.policy.compile_tables import compile_tables  # noqa: PLC0415
        from agent_exec.policy.load_tables import read_tables  # noqa: PLC0415
    finally:
        sys.path.pop(0)
    return compile_tables(read_tables(str(folder)))


class BuildWithPolicies(build_py):
    """Installs ``policies/`` as ``agent_exec/policies``, with all of it in two files more.

    YAML takes longer to read than a whole check may.
    """

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            add_policies(Path(self.build_lib) / "agent_exec" / "policies")


def add_policies(target: Path) -> None:
    """Put ``policies/`` into the folder `target`, and what was compiled of it."""
    root = Path(__file__).parent / "policies"
    shutil.copytree(root, target, dirs_exist_ok=True)
    policies = json.dumps(compile_policies(root), ensure_ascii=False, separators=(",", ":"))
    (target / "policies.json").write_text(policies, "utf-8")
    (target / "tools.txt").write_text(compile_tools(root / "tools"), "utf-8")


class PlatformWheel(bdist_wheel):
    """Without the C core the wheel is still for this system only.

    A wheel for any system would hide the one with the C core from an installer on Linux.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, system = super().get_tag()
        return (python, abi, system) if self.distribution.ext_modules else ("py3", "none", system)


if __name__ == "__main__":
    reason = refusal(
        sys.platform,
        sys.implementation.name,
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    )
    if reason is not None:
        raise SystemExit(reason)
    bits = 64 if sys.maxsize > 2**32 else 32
    machine = platform.machine() if bits == 64 else f"{platform.machine()} with 32 bits"
    setup(
        ext_modules=native_extensions(sys.platform, machine, Path(__file__).parent),
        cmdclass={
            "bdist_wheel": PlatformWheel,
            "build_ext": BuildExtensions,
            "build_py": BuildWithPolicies,
        },
        options={"bdist_wheel": {"py_limited_api": "cp311"}},
    )
