"""Files that take the whole of an output."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from agent_exec.errors import LaunchError, Step
from agent_exec.model.plan import Spill
from agent_exec.named_tuple import NamedTuple


class OutputFile(NamedTuple):
    """One open file, mode 0600. Whoever holds it calls `close`."""

    path: str
    spill: Spill

    @classmethod
    def create(cls, folder: str, name: str, cap: int) -> OutputFile:
        """Create `name` in `folder`, which is made (0700) when it is not there.

        Raises:
            LaunchError: At step stdio, when the file cannot be created.
        """
        path = os.path.join(folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise LaunchError(path, Step.STDIO, error.errno or errno.EIO) from None
        return cls(path, Spill(fd=fd, cap=cap))

    def close(self, *, keep: bool) -> None:
        """Close it; remove it too, when the call did not run."""
        os.close(self.spill.fd)
        if not keep:
            with suppress(FileNotFoundError):  # who purges our state has been quicker
                os.unlink(self.path)
