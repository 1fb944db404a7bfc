"""Ways in which a program is replaced: package managers, copies, links. Nothing of the system's.

Every version of a program prints its number. What a package manager installs into is a folder
of the test.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

_NUMBER = b"@@@@@@@@"
PATIENCE_S = 60.0


class Versions:
    """Makes programs that print a number of eight digits."""

    def __init__(self, compiled: Path) -> None:
        self._image = compiled.read_bytes()
        assert self._image.count(_NUMBER) == 1

    def image(self, number: int) -> bytes:
        """The program that prints `number`."""
        return self._image.replace(_NUMBER, b"%08d" % number)

    def write(self, path: Path, number: int, mode: int = 0o755) -> Path:
        """A new file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.image(number))
        path.chmod(mode)
        return path


def read_number(text: str) -> int:
    """What such a program has printed."""
    assert len(text) == 9, text
    return int(text)


def run(*words: str | Path, env: Mapping[str, str] | None = None) -> None:
    """A command that must succeed."""
    done = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=None if env is None else {**os.environ, **env},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def need(program: str) -> None:
    """Skip the test where there is no such program."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")


class Update:
    """A program that is installed, and installed again.

    Args:
        folder: Of its own.
        versions: Makes the programs.
    """

    reason: str | None = "another file is at its path"
    """What the audit log says after the second time."""
    use = "recreated"

    def __init__(self, folder: Path, versions: Versions) -> None:
        self.folder = folder
        self.versions = versions
        self.path = [folder / "bin"]
        """Where programs are looked up."""
        self.path[0].mkdir(parents=True)

    @property
    def program(self) -> Path:
        return self.path[0] / "vtool"

    def install(self, number: int) -> None:
        """Make it version `number`; visible when this returns."""
        raise NotImplementedError


class Rename(Update):
    """A new file is renamed over the old one."""

    def install(self, number: int) -> None:
        new = self.versions.write(self.folder / "new", number)
        new.rename(self.program)


class Copy(Update):
    """cp(1) writes into the old file."""

    reason = "it was written to"

    def install(self, number: int) -> None:
        run("cp", self.versions.write(self.folder / "new", number), self.program)


class Install(Update):
    """install(1) removes the old file and writes another."""

    def install(self, number: int) -> None:
        run("install", self.versions.write(self.folder / "new", number), self.program)


class Deb(Update):
    """dpkg(1), with a database and a root of its own."""

    mode = 0o755

    def __init__(self, folder: Path, versions: Versions) -> None:
        need("dpkg-deb")
        super().__init__(folder, versions)
        self.root = folder / "root"
        self.path = [self.root / "usr" / "bin"]
        self.path[0].mkdir(parents=True)
        for name in ("info", "updates", "triggers"):
            (self.root / "var" / "lib" / "dpkg" / name).mkdir(parents=True)
        for name in ("status", "available"):
            (self.root / "var" / "lib" / "dpkg" / name).touch()

    def build(self, number: int) -> Path:
        """A package."""
        tree = self.folder / "package"
        shutil.rmtree(tree, ignore_errors=True)
        self.versions.write(tree / "usr" / "bin" / "vtool", number, self.mode)
        control = tree / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text(
            f"Package: vtool\nVersion: {number}\nArchitecture: all\n"
            "Maintainer: nobody <nobody@localhost>\nDescription: prints a number\n"
        )
        package = self.folder / f"vtool_{number}.deb"
        run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, package)
        return package

    def install(self, number: int) -> None:
        run(
            "dpkg",
            f"--root={self.root}",
            f"--log={self.folder / 'dpkg.log'}",
            "--force-not-root,bad-path,script-chrootless",
            "--install",
            self.build(number),
        )


class WheelScript(Update):
    """pip(1) replaces a program of a wheel, in a virtual environment."""

    def __init__(self, folder: Path, versions: Versions) -> None:
        super().__init__(folder, versions)
        self.venv = folder / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", self.venv)
        self.path = [self.venv / "bin"]

    def build(self, number: int) -> Path:
        """A wheel."""
        about = f"vtool-{number}.dist-info"
        files = {
            f"{about}/METADATA": b"Metadata-Version: 2.1\nName: vtool\nVersion: %d\n" % number,
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **self.content(number),
        }
        record = f"{about}/RECORD"
        files[record] = "".join(f"{name},,\n" for name in (*files, record)).encode()
        path = self.folder / f"vtool-{number}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for name, content in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o100755 << 16
                wheel.writestr(info, content)
        return path

    def content(self, number: int) -> dict[str, bytes]:
        """The files of the wheel that are, or become, programs."""
        return {f"vtool-{number}.data/scripts/vtool": self.versions.image(number)}

    def install(self, number: int) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.path[0] / "python")]
        options = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
        run(*pip, "install", *options, "--upgrade", self.build(number))


class WheelEntryPoint(WheelScript):
    """The same with a console script: Python text, whose words change with the version."""

    def content(self, number: int) -> dict[str, bytes]:
        points = b"[console_scripts]\nvtool = vtool_%d:main\n" % number
        return {
            f"vtool-{number}.dist-info/entry_points.txt": points,
            f"vtool_{number}.py": b"def main():\n    print('%08d')\n" % number,
        }


class NpmGlobal(Update):
    """npm(1) replaces a global package, whose program is a link to a script."""

    def __init__(self, folder: Path, versions: Versions) -> None:
        need("npm")
        super().__init__(folder, versions)
        self.prefix = folder / "prefix"
        self.path = [self.prefix / "bin"]

    def build(self, number: int) -> Path:
        """A package, as ``npm pack`` makes it."""
        files = {
            "package/package.json": json.dumps(
                {"name": "vtool", "version": f"{number}.0.0", "bin": {"vtool": "cli.sh"}}
            ).encode(),
            "package/cli.sh": b"#!/bin/sh\necho %08d\n" % number,
        }
        path = self.folder / f"vtool-{number}.0.0.tgz"
        with tarfile.open(path, "w:gz") as package:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(content), 0o755
                package.addfile(info, io.BytesIO(content))
        return path

    def install(self, number: int) -> None:
        run(
            "npm",
            "install",
            "--global",
            f"--prefix={self.prefix}",
            f"--cache={self.folder / 'cache'}",
            "--offline",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            self.build(number),
            env={"HOME": str(self.folder)},
        )


class Alternatives(Update):
    """update-alternatives(1) makes the link lead elsewhere; both programs stay as they are."""

    def __init__(self, folder: Path, versions: Versions) -> None:
        need("update-alternatives")
        super().__init__(folder, versions)

    def install(self, number: int) -> None:
        target = self.versions.write(self.folder / f"vtool-{number}", number)
        for name in ("alt", "admin"):
            (self.folder / name).mkdir(exist_ok=True)
        places: list[str | Path] = [
            "--altdir",
            self.folder / "alt",
            "--admindir",
            self.folder / "admin",
        ]
        words: list[str | Path] = ["update-alternatives", *places, "--log", self.folder / "log"]
        run(*words, "--install", self.program, "vtool", target, "10")
        run(*words, "--set", "vtool", target)


class Shadow(Update):
    """A program of the same name appears earlier on the path."""

    reason = None
    use = "miss"

    def __init__(self, folder: Path, versions: Versions) -> None:
        super().__init__(folder, versions)
        self.path = [folder / f"bin{place}" for place in (1, 2)]
        for place in self.path:
            place.mkdir()
        self._next = len(self.path)

    def install(self, number: int) -> None:
        self._next -= 1
        new = self.versions.write(self.folder / "new", number)
        new.rename(self.path[self._next] / "vtool")


class Interpreter(Update):
    """A script stays, and what its first line names is replaced."""

    reason = None
    use = "hit"

    def install(self, number: int) -> None:
        interpreter = self.folder / "interpreter"
        new = self.versions.write(self.folder / "new", number)
        new.rename(interpreter)
        if not self.program.exists():
            self.program.write_text(f"#!{interpreter}\n")
            self.program.chmod(0o755)


class OtherInterpreter(Update):
    """A script gets another first line."""

    def install(self, number: int) -> None:
        interpreter = self.versions.write(self.folder / f"interpreter-{number}", number)
        new = self.folder / "new"
        new.write_text(f"#!{interpreter}\n")
        new.chmod(0o755)
        new.rename(self.program)


OF_THE_SYSTEM: dict[str, type[Update]] = {
    "rename": Rename,
    "cp": Copy,
    "install": Install,
    "shadow": Shadow,
    "interpreter": Interpreter,
    "other-interpreter": OtherInterpreter,
    "pip-script": WheelScript,
    "pip-entry-point": WheelEntryPoint,
}
FOREIGN: dict[str, type[Update]] = {"dpkg": Deb, "alternatives": Alternatives, "npm": NpmGlobal}
"""Those that need a package manager, which a machine may not have."""
