"""The file that takes the output of a call instead of its caller."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from agent_exec.errors import LaunchError, Step
from agent_exec.model.decision import Grant
from agent_exec.model.script import Operator
from agent_exec.runtime.open_file import open_file


@contextmanager
def stdout_to_file(grant: Grant) -> Iterator[Grant]:
    """The same grant, with the file that its call names for an output.

    Raises:
        LaunchError: At step stdio, when it cannot be opened. Nothing has started.
    """
    request = grant.request
    call = request.call
    assert call.stdout_file is not None
    operator = Operator.APPEND if call.append else Operator.WRITE
    try:
        fd = open_file(call.stdout_file, request.cwd, operator)
    except OSError as error:
        raise LaunchError(call.stdout_file, Step.STDIO, error.errno or errno.EIO) from None
    try:
        yield grant._replace(request=request._replace(call=call._replace(stdout=fd)))
    finally:
        os.close(fd)
