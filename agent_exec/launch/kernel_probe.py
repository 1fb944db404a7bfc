"""Whether this kernel has the two calls of the `spawn_template` RFC.

Found out when this module is imported, so once in a process.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from agent_exec.launch import kernel_abi as abi
from agent_exec.launch.kernel_template import KernelTemplate
from agent_exec.launch.system_call import SystemCall, system_call

_SELF: Final = b"/proc/self/exe"


def why_not_kernel(call: SystemCall) -> str | None:
    """Why the two calls cannot be used; None when they can.

    A call with a size of 0 comes first: it does nothing, whatever call the number is.
    Only after the answer of the RFC to that (EINVAL) is a template asked for, of the program
    that we run, and looked at.
    """
    calls = abi.CALLS.get(os.uname().machine)
    if sys.platform != "linux" or calls is None:
        return "the calls are used on Linux on x86-64 and arm64 only"
    answer = call(abi.CREATE, 0, 0)
    if answer != -errno.EINVAL:
        return f"this kernel has no spawn_template_create: {_words(answer)}"
    try:
        KernelTemplate.create(call, calls, path=_SELF)
    except OSError as error:
        return f"this kernel makes no spawn templates: {error.strerror}"
    return None


def _words(answer: int) -> str:
    return os.strerror(-answer) if answer < 0 else f"number {abi.CREATE} is another call"


WHY_NOT: Final = why_not_kernel(system_call)
