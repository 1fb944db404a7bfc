"""What a call has written so far, for somebody who looks on while it runs.

The engine copies outputs into files that have no name. Who looks on reads them at its own pace:
however slow it is, the call never waits for it.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from typing import Self

from agent_exec.model.plan import Spill
from agent_exec.runtime.spill import OutputFile
from agent_exec.schema.harmless import harmless

MOST_LIVE = 1024 * 1024
"""Bytes of each output that can be looked at while it is written."""
_LONGEST_LINE = 4096
_AT_ONCE = 64 * 1024


class Live:
    """Both outputs of one call. Closed by leaving the block.

    Raises:
        OSError: The descriptors cannot be had (EMFILE, ENFILE).
    """

    def __init__(self) -> None:
        self._stdout = _Stream()
        try:
            self._stderr = _Stream()
        except BaseException:
            self._stdout.close()
            raise
        self._redact: Callable[[str], str] | None = None

    def show_by(self, redact: Callable[[str], str]) -> None:
        """Take secrets out by `redact`. Before, nothing is shown."""
        self._redact = redact

    @property
    def files(self) -> tuple[OutputFile, OutputFile]:
        """Where the engine copies stdout and stderr to; borrowed."""
        return self._stdout.file, self._stderr.file

    def read(self) -> dict[str, str]:
        """What is new since the last time, by the name of the output: whole lines, harmless.

        A line that has not ended is shown once it has, or is long.
        """
        if self._redact is None:
            return {}
        new = {"stdout": self._stdout.read(), "stderr": self._stderr.read()}
        return {name: harmless(self._redact(text)) for name, text in new.items() if text}

    def close(self) -> None:
        """Let go of what was not read."""
        self._stdout.close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Stream:
    def __init__(self) -> None:
        self._fd = _unnamed_file()
        self.file = OutputFile("", Spill(fd=self._fd, cap=MOST_LIVE))
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def read(self) -> str:
        chunk = os.pread(self._fd, _AT_ONCE, self._read)
        self._read += len(chunk)
        text = self._line + self._decoder.decode(chunk)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if len(text) - end > _LONGEST_LINE:
            end = len(text)
        self._line = text[end:]
        return text[:end]

    def close(self) -> None:
        os.close(self._fd)


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("agent_exec-live", os.MFD_CLOEXEC)
    import tempfile  # noqa: PLC0415 - takes longer to import than all else here

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
