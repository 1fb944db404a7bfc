"""Where the daemon and its clients meet, and where they keep what only they may read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping

from agent_exec.errors import DaemonError
from agent_exec.homes import state_home
from agent_exec.named_tuple import NamedTuple

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from typing import Self

# sockaddr_un.sun_path holds 108 bytes, and the zero after them.
_LONGEST_ADDRESS = 107


class Places(NamedTuple):
    """Absolute paths, for one user."""

    runtime: str
    """The directory of socket and locks; 0700."""
    secrets: str
    """The directory of the token; 0700. No policy lets it be read, no sandbox profile has it."""

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Places:
        """By the XDG directories of `environ`. Nothing is made."""
        state = os.path.join(state_home(environ), "agent_exec")
        runtime = environ.get("XDG_RUNTIME_DIR", "")
        if os.path.isabs(runtime) and os.path.isdir(runtime):
            return cls(os.path.join(runtime, "agent_exec"), os.path.join(state, "secrets"))
        return cls(os.path.join(state, "run"), os.path.join(state, "secrets"))

    @property
    def socket(self) -> str:
        """Of the daemon that takes calls."""
        return os.path.join(self.runtime, "daemon.sock")

    @property
    def lock(self) -> str:
        """Locked by the daemon that listens."""
        return os.path.join(self.runtime, "daemon.lock")

    @property
    def start_lock(self) -> str:
        """Locked by the client that starts one."""
        return os.path.join(self.runtime, "start.lock")

    @property
    def log(self) -> str:
        """What the daemon had to say on stderr since it was started."""
        return os.path.join(self.runtime, "daemon.log")

    @property
    def token(self) -> str:
        """What both sides prove that they can read."""
        return os.path.join(self.secrets, "daemon.token")


class Folder:
    """An open directory that nobody but us can change. Closed by leaving the block.

    Sockets are named beneath its descriptor where their path is too long for the kernel.

    Raises:
        DaemonError: It is somebody else's, or open to others; ``not_running`` when it is not
            there and is not to be made.
    """

    def __init__(self, path: str, *, make: bool) -> None:
        try:
            if make:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                _make_private(path)
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            code = "not_running" if isinstance(error, FileNotFoundError) else "not_safe"
            raise DaemonError(_words(error, path), code) from None
        found = os.fstat(self.fd)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(self.fd)
            raise DaemonError(
                f"{path} has to belong to you, with mode 0700: others could take the "
                f"daemon's place; remove it, or set XDG_RUNTIME_DIR",
                "not_safe",
            )
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def address(self, name: str) -> str:
        """Of a socket in it; good while this is open."""
        path = os.path.join(self.path, name)
        if len(os.fsencode(path)) <= _LONGEST_ADDRESS or sys.platform != "linux":
            return path
        return f"/proc/self/fd/{self.fd}/{name}"


def _words(error: OSError, path: str) -> str:
    where = path if error.filename is None else os.fsdecode(error.filename)
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{where} is no directory; move it away"
    return f"{where}: {error.strerror}"


def _make_private(path: str) -> None:
    """Make the directory `path`, 0700, if it is not there."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
