"""The code between clone and exec, looked at as the compiler made it.

docs/audit-native.md says what may be called there, and why so little.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "agent_exec" / "_native"
CHILD_STACK = 64 * 1024  # STACK_SIZE of spawn.c, above its guard

pytestmark = pytest.mark.timeout(60)


def compile_alone(folder: Path, name: str, *flags: str) -> Path:
    made = folder / f"{name}.o"
    subprocess.run(
        ["gcc", "-std=gnu11", "-c", "-fPIC", *flags, "-o", made, SOURCES / f"{name}.c"],
        check=True,
        cwd=folder,
    )
    return made


def undefined_symbols(made: Path) -> list[str]:
    listing = subprocess.run(
        ["nm", "--undefined-only", "--format=just-symbols", made],
        check=True,
        capture_output=True,
        text=True,
    )
    return listing.stdout.split()


HARDENING = ("-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fcf-protection")


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("-O0",), id="unoptimised"),
        pytest.param(("-O3",), id="optimised"),
        pytest.param(HARDENING, id="hardened"),
    ],
)
@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("entry", ["ax_guardian_main", "ax_inside_main"]),
        ("guardian", []),
        ("inside", []),
    ],
)
def test_a_program_of_the_module_calls_nothing_but_the_kernel(
    name: str, calls: list[str], tmp_path: Path, flags: tuple[str, ...]
) -> None:
    assert sorted(undefined_symbols(compile_alone(tmp_path, name, *flags))) == calls


@pytest.mark.parametrize("name", ["entry", "guardian", "inside"])
def test_a_program_of_the_module_needs_no_relocation(name: str, tmp_path: Path) -> None:
    """Nobody would do it: there is no loader. What is relative to its own place is none."""
    made = compile_alone(tmp_path, name, "-O2")
    listing = subprocess.run(
        ["readelf", "--relocs", "--wide", made], check=True, capture_output=True, text=True
    ).stdout
    kinds = set(re.findall(r"\bR_[A-Z0-9_]+", listing))
    near = r"R_X86_64_(PC32|PLT32)|R_AARCH64_(PREL32|CALL26|JUMP26|ADR_PREL_.*|ADD_ABS_LO12_NC)"
    assert {kind for kind in kinds if not re.fullmatch(near, kind)} == set()


def test_the_extension_module_runs_as_a_program() -> None:
    """As a guardian, which without its arguments has nothing to do."""
    from agent_exec.launch import native

    assert subprocess.run([native.IMAGE], check=False).returncode == 2


CHILDREN = ("child", "parked")


@pytest.mark.parametrize("child", CHILDREN)
@pytest.mark.parametrize("optimisation", ["-O0", "-O2", "-O3"])
def test_the_child_calls_nothing_but_the_kernel(
    tmp_path: Path, child: str, optimisation: str
) -> None:
    assert undefined_symbols(compile_alone(tmp_path, child, optimisation)) == []


@pytest.mark.parametrize("child", CHILDREN)
def test_distributions_hardening_flags_bring_no_call_into_the_child(
    tmp_path: Path, child: str
) -> None:
    assert undefined_symbols(compile_alone(tmp_path, child, *HARDENING)) == []


@pytest.mark.parametrize("child", CHILDREN)
def test_no_sanitizer_looks_at_the_childs_memory(tmp_path: Path, child: str) -> None:
    """Its shadow memory is the parent's. Constructors run in the parent and may stay."""
    made = compile_alone(tmp_path, child, "-O1", "-fsanitize=address,undefined")
    checks = [
        name
        for name in undefined_symbols(made)
        if name.startswith(("__asan_report", "__asan_stack", "__ubsan", "__asan_handle"))
    ]
    assert checks == []


def test_the_child_needs_a_fraction_of_its_stack(tmp_path: Path) -> None:
    compile_alone(tmp_path, "child", "-O0", "-fstack-usage")
    usage = [int(line.split("\t")[1]) for line in (tmp_path / "child.su").read_text().splitlines()]
    assert 0 < sum(usage) < CHILD_STACK / 8  # every function at once, unoptimised


def test_the_child_does_not_recurse() -> None:
    """So the sum of all frames bounds its stack."""
    text = (SOURCES / "child.c").read_text()
    functions = re.findall(r"^(\w+)\([^;]*?\)\n\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    assert len(functions) > 8
    for position, (_, body) in enumerate(functions):
        later = [name for name, _ in functions[position:]]
        assert [name for name in later if re.search(rf"\b{name}\(", body)] == []


def test_only_the_listed_system_calls_are_made() -> None:
    text = "".join((SOURCES / f"{child}.c").read_text() for child in CHILDREN)
    page = (SOURCES.parents[1] / "docs" / "audit-native.md").read_text()
    called = set(re.findall(r"\bSYS_(\w+)", text))
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"\w+", row)}
    assert called == listed
