"""The file system, as shell text asks for it: by globs, cd and test."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence


class RealPlaces:
    """See `agent_exec.shell.builtins.state.Places`."""

    def enter(self, path: str) -> int:
        """0, or the errno with which chdir(2) would fail."""
        try:
            if not os.path.isdir(path):
                os.stat(path)
                return errno.ENOTDIR
        except OSError as error:
            return error.errno or errno.EIO
        return 0 if os.access(path, os.X_OK, effective_ids=True) else errno.EACCES

    def real(self, path: str) -> str:
        """Without links."""
        return os.path.realpath(path)

    def status(self, path: str, *, follow: bool) -> os.stat_result | None:
        """Of stat(2) or lstat(2)."""
        try:
            return os.stat(path, follow_symlinks=follow)
        except OSError:
            return None

    def access(self, path: str, mode: int) -> bool:
        """Of faccessat(2) with the effective ids."""
        return os.access(path, mode, effective_ids=True)


class FilesOf:
    """What globs see from the directory `cwd`; see `agent_exec.shell.glob.Files`."""

    def __init__(self, cwd: str) -> None:
        self._cwd = cwd

    def names(self, folder: str) -> Sequence[str]:
        """What it holds; empty if it cannot be read."""
        try:
            return os.listdir(os.path.join(self._cwd, folder))
        except OSError:
            return ()

    def exists(self, path: str) -> bool:
        """Also a link to nothing."""
        return os.path.lexists(os.path.join(self._cwd, path))

    def is_folder(self, path: str) -> bool:
        """Or a link to one."""
        return os.path.isdir(os.path.join(self._cwd, path))
