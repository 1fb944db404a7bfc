"""Files of a worktree, opened one directory after the other: no link leads anywhere else."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read_beneath(root: str, path: str, *, most: int | None = None) -> bytes:
    """The bytes of a file.

    Args:
        root: A directory.
        path: Relative to it, or absolute and beneath it.
        most: Bytes that it may have.

    Raises:
        PermissionError: It is elsewhere, behind a link, no file, or not to be read.
        OverflowError: It has more than `most` bytes.
        OSError: As open(2) and read(2): FileNotFoundError, IsADirectoryError.
    """
    folder, name = _folder_of(root, path, make=False)
    try:
        fd = _opened(name, _READ, folder, path)
    finally:
        os.close(folder)
    with open(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if most is not None and size > most:
            raise OverflowError(f"{path} has {size} bytes, {most} are read at most")
        return file.read()


def write_beneath(root: str, path: str, contents: bytes) -> None:
    """Make a file of `contents`, with the directories that it needs; or replace what is in one.

    Raises as `read_beneath`.
    """
    folder, name = _folder_of(root, path, make=True)
    try:
        fd = _opened(name, _WRITE, folder, path)
    finally:
        os.close(folder)
    with open(fd, "wb") as file:
        os.ftruncate(fd, 0)
        file.write(contents)


def _folder_of(root: str, path: str, *, make: bool) -> tuple[int, str]:
    """A descriptor of the directory that a file is in, and the name that it has there."""
    relative = os.path.normpath(os.path.relpath(path, root) if os.path.isabs(path) else path)
    *parts, name = relative.split(os.sep)
    if ".." in parts or name in ("..", "."):
        raise PermissionError(f"{path} is not beneath the worktree")
    folder = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    for part in parts:
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
            inner = os.open(part, _FOLDER, dir_fd=folder)
        except NotADirectoryError:
            raise _elsewhere(path) from None
        finally:
            os.close(folder)
        folder = inner
    return folder, name


def _opened(name: str, flags: int, folder: int, path: str) -> int:
    try:
        fd = os.open(name, flags, 0o666, dir_fd=folder)
    except IsADirectoryError:
        raise IsADirectoryError(f"{path} is a directory") from None
    except OSError as error:
        # ELOOP of a link; ENXIO of a pipe that nobody reads.
        if type(error) is OSError:
            raise _elsewhere(path) from None
        raise
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(f"{path} is a directory")
        raise _elsewhere(path)
    return fd


def _elsewhere(path: str) -> PermissionError:
    return PermissionError(f"{path} is no file, or behind a link")
