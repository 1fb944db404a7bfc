"""Whether an executable is still the one that was pinned, in Python.

For the launchers and engines that are not native; the C core has its own check.
"""

from __future__ import annotations

import errno
import os

from agent_exec.errors import TemplateError
from agent_exec.model.plan import Executable, Identity


def check(executable: Executable, credentials: bytes) -> None:
    """Refuse a template that must not be launched from, here and now.

    Args:
        executable: Its descriptor is borrowed.
        credentials: What `Launcher.credentials()` says now.

    Raises:
        TemplateError: EACCES when it was made by another process or with other
            credentials; ESTALE when the path or the descriptor is not the file it was,
            for whatever reason (the RFC makes no difference).
    """
    if executable.credentials != credentials:
        raise TemplateError(executable.name, errno.EACCES, "made with other credentials")
    try:
        by_fd = Identity.of(os.fstat(executable.fd))
        by_path = by_fd if executable.path is None else Identity.of(os.stat(executable.path))
    except OSError as error:
        raise TemplateError(executable.name, errno.ESTALE, error.strerror or "") from error
    if not by_fd == by_path == executable.identity:
        raise TemplateError(executable.name, errno.ESTALE)
