"""Our tables against what installed programs say of their options with --help.

An option whose value is taken for an operand, or an operand for its value, hides what is read
or written. Skips nothing: what is not installed is left out, and some must be there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.tables import Tables

_PROGRAMS = (
    "arch base32 base64 basename basenc b2sum cat chcon chgrp chmod chown cksum comm cp csplit cut "
    "date df dir dircolors dirname du expand factor fmt fold groups head hostid id install join "
    "link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nl nproc numfmt od paste pathchk "
    "pinky pr printenv ptx pwd readlink realpath rm rmdir seq sha1sum sha224sum sha256sum "
    "sha384sum sha512sum shred shuf sleep sort split stat stty sum sync tac tail tee touch tr "
    "truncate tsort tty uname unexpand uniq unlink users vdir wc who whoami "
    "grep sed cmp diff diff3 sdiff patch column hexdump iconv findmnt lsblk strings "
    "free dmesg last pgrep ss more"
)
_GNU = _PROGRAMS.split()
_NAME = r"--[A-Za-z0-9][\w-]*|-[A-Za-z0-9](?=[\s,=\[]|$)"
_VALUE = r"=\[[-+]\]\S+|\[=[^\]]*\]|=<?[A-Za-z]\S*|\s<[^>]*>|\s[A-Z][A-Z0-9]+(?=\s|,|$)"
_ONE = re.compile(rf"({_NAME})({_VALUE})?(?:,\s*|\s(?=--)|$|\s)")
_ALONE = frozenset({"--help", "--version", "--usage"})
# Where --help does not say it in the form that is read here, or says it of another option.
_OTHERWISE = {
    "cut": "-M",
    "numfmt": "-M",
    "du": "--time",
    "ls": "-p --indicator-style",
    "dir": "-p --indicator-style",
    "vdir": "-p --indicator-style",
    "pr": "-C -e -i -n -s -S",
    "stat": "-c",
    "stty": "-F",
    "sort": "-c -C --check",
    "od": "--strings",
    "mktemp": "--tmpdir",
    "sed": "-e -f -l",
    "diff": "-c -C -u -U --context --unified --GTYPE-group-format --LTYPE-line-format",
    "patch": "-v",
    "strings": "-t -n -T -e -U -v -d",
    "free": "-s -c",
    "ss": "-N --net",
}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def _said(program: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Names of each option, and whether it must have a value."""
    text = subprocess.run(
        [program, "--help"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "COLUMNS": "200"},
    )
    for line in (text.stdout + text.stderr).splitlines():
        rest = line.strip()
        if not re.match(r"\s{1,8}-", line):
            continue
        names, has_value = [], False
        while match := _ONE.match(rest):
            names.append(match.group(1))
            has_value = has_value or bool(match.group(2) and not match.group(2).startswith("["))
            rest = rest[match.end() :] if match.group().rstrip() != match.group() else ""
            if not match.group().rstrip().endswith(",") and not rest.startswith("--"):
                break
        if names and _ALONE.isdisjoint(names):
            yield tuple(names), has_value


@pytest.mark.parametrize("program", _GNU)
def test_every_option_is_known_with_its_value(program: str, tables: Tables) -> None:
    table = tables.get(program)
    assert table is not None
    if shutil.which(program) is None:
        return
    wrong = []
    for names, has_value in _said(program):
        for name in names:
            if name in _OTHERWISE.get(program, "").split():
                continue
            option = table.options.get(name)
            if option is None:
                wrong.append(f"{name} is not there")
            elif has_value and not option.values:
                wrong.append(f"{name} has a value")
            elif not has_value and option.values:
                wrong.append(f"{name} has no value")
    assert wrong == []


def test_most_programs_are_installed() -> None:
    assert sum(shutil.which(program) is not None for program in _GNU) > len(_GNU) * 0.8
