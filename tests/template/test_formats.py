"""What counts as a program, by its first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_exec.template.formats import HEADER_SIZE, Format, look_at

ELF = Path("/bin/true").read_bytes()[:HEADER_SIZE]
NOT_ELF = "neither an ELF program nor a script with #!"
NOT_MACH_O = "neither Mach-O nor a script with #!"


@pytest.mark.parametrize(
    ("system", "header", "problem"),
    [
        pytest.param("linux", ELF, "", id="elf"),
        pytest.param("linux", bytes.fromhex("cffaedfe"), NOT_ELF, id="mach-o-on-linux"),
        pytest.param("linux", b"", "the file is empty", id="empty"),
        pytest.param("darwin", bytes.fromhex("cffaedfe") + bytes(60), "", id="mach-o"),
        pytest.param("darwin", bytes.fromhex("cafebabe00000002"), "", id="fat"),
        pytest.param("darwin", bytes.fromhex("cafebabf00000002"), "", id="fat-64"),
        pytest.param("darwin", ELF, NOT_MACH_O, id="elf-on-darwin"),
        pytest.param("darwin", b"echo no shebang\n", NOT_MACH_O, id="text-on-darwin"),
        pytest.param("darwin", b"", "the file is empty", id="empty-on-darwin"),
    ],
)
def test_a_program_is_what_the_system_executes(system: str, header: bytes, problem: str) -> None:
    assert look_at(header, system) == Format(script=False, problem=problem)


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_a_script_is_one_everywhere(system: str) -> None:
    assert look_at(b"#!/bin/sh\n", system) == Format(script=True, problem="")
