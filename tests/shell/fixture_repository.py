"""A repository with one of everything that a shell treats in its own way.

It is built once, and copied for each run: the same names, contents and times of modification.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_SECONDS = 1_700_000_000  # of every time of modification
_TEXTS = {
    "a.txt": "alpha\nbeta\ngamma\n",
    "b.txt": "beta\ndelta\nalpha\n",
    "empty.txt": "",
    "no_newline.txt": "last line",
    "numbers.txt": "".join(f"{number}\n" for number in range(1, 201)),
    "big.txt": "".join(f"line {number} of a file that fills a pipe\n" for number in range(5000)),
    "data.csv": "name,age,town\nAnn,31,Oslo\nBob,27,Rome\nCid,45,Oslo\nDot,27,Bonn\n",
    "data.json": '{"name": "fixture", "numbers": [1, 2, 3], "inner": {"ok": true}}\n',
    "sp ace.txt": "a name with a space\n",
    "é.txt": "é\n",
    ".hidden": "hidden\n",
    "-n": "a name like an option\n",
    "[a]": "a name like a pattern\n",
    "Z.txt": "capital\n",
    "README.md": "# Fixture\n\nTODO: say more.\n\n## Use\n\nRun `make`.\n",
    "Makefile": "all:\n\t@echo made\n\nfail:\n\t@exit 3\n",
    "src/main.py": 'import util\n\n\ndef f():\n    # TODO: greet\n    print("main")\n\n\nf()\n',
    "src/util.py": "def add(a, b):\n    return a + b  # FIXME\n",
    "src/lib/deep.c": "int main(void) { return 0; } /* TODO */\n",
    "src/lib/deep.h": "int deep(void);\n",
    "src/.dot": "dot\n",
    "tests/test_util.py": "from src.util import add\n\n\ndef test():\n    assert add(1, 2) == 3\n",
    "docs/guide.md": "# Guide\n\nTODO\nerror: none\nERROR: one\n",
    "logs/app.log": "".join(
        f"2024-01-{day:02} {'ERROR' if day % 5 == 0 else 'INFO'} request {day}\n"
        for day in range(1, 29)
    ),
    "sub/inner.txt": "inner\n",
    "sub/deeper/x.txt": "x\n",
    "unreadable.txt": "nobody reads this\n",
    "closed/file.txt": "nor this\n",
    "readonly.txt": "read only\n",
    "noexec.sh": "#!/bin/sh\necho not executable\n",
    "untracked.txt": "git does not know this\n",
}
_PROGRAMS = {
    "run.sh": '#!/bin/sh\necho "run: $*"\necho "errors" >&2\nexit 3\n',
    "env.py": "#!/usr/bin/env python3\nimport sys\nprint(len(sys.argv), *sys.argv[1:])\n",
    "die.sh": '#!/bin/sh\nkill -"$1" $$\n',
    "where.sh": '#!/bin/sh\necho "$PWD $OLDPWD"\n/bin/pwd -P\n',
    "noshebang": 'echo "no interpreter: $0 $*"\n',
    "badinterpreter": "#!/nonexistent/interpreter -x\necho never\n",
    "emptyprogram": "",
    "sub/tool": "#!/bin/sh\necho tool in sub\n",
}
_LINKS = {
    "link.txt": "a.txt",
    "dangling": "nowhere",
    "loop": "loop",
    "dirlink": "sub",
    "sub/up": "..",
    "etc": "/etc",
}
_MODES = {"unreadable.txt": 0o000, "readonly.txt": 0o444, "closed": 0o000}
_CHANGED = {"b.txt": "beta\ndelta\nalpha\nepsilon\n"}


def build(folder: Path) -> None:
    """Make the repository in `folder`, which is new. Its odd modes come with `copy`."""
    for name, text in (_TEXTS | _PROGRAMS).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755 if name in _PROGRAMS else 0o644)
    (folder / "bytes.bin").write_bytes(bytes(range(256)))
    (folder / "garbage").write_bytes(b"\x00\x01\x02\x03 not a program\n")
    (folder / "garbage").chmod(0o755)
    (folder / "empty").mkdir()
    for name, target in _LINKS.items():
        (folder / name).symlink_to(target)
    _commit(folder)
    for name, text in _CHANGED.items():
        (folder / name).write_text(text)
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (_SECONDS, _SECONDS), follow_symlinks=False)


def copy(pristine: Path, folder: Path) -> None:
    """Make what `folder` holds the same as `pristine`."""
    clear(folder)
    subprocess.run(["cp", "-a", f"{pristine}/.", str(folder)], check=True)
    for name, mode in _MODES.items():
        (folder / name).chmod(mode)


def clear(folder: Path, *, keep: str | None = None) -> None:
    """Take everything out of `folder` but `keep`, whatever its modes."""
    folder.chmod(0o755)
    for entry in list(os.scandir(folder)):
        if entry.name == keep:
            continue
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            continue
        os.chmod(entry.path, 0o755)
        for parent, folders, _ in os.walk(entry.path):
            for name in folders:
                inner = Path(parent, name)
                if not inner.is_symlink():
                    inner.chmod(0o755)
        shutil.rmtree(entry.path)


def _commit(folder: Path) -> None:
    stamp = f"{_SECONDS} +0000"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": stamp,
        "GIT_COMMITTER_DATE": stamp,
    }
    identity = ("-c", "user.name=Fixture", "-c", "user.email=fixture@example.org")
    for arguments in (
        ("init", "-q", "--template=", "-b", "main"),
        ("add", "a.txt"),
        ("commit", "-q", "-m", "First"),
        ("add", "b.txt", "src", "docs", "README.md", "sub", "data.csv"),
        ("commit", "-q", "-m", "Second: sources and documents"),
        ("tag", "v1"),
        ("branch", "other"),
        ("pack-refs", "--all"),
        ("gc", "-q"),
    ):
        subprocess.run(
            ["git", *identity, *arguments], cwd=folder, env=environment, check=True, timeout=60
        )
