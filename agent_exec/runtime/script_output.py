"""Where the builtins of a text write, and what is said of its commands."""

from __future__ import annotations

import os
from contextlib import suppress

from agent_exec.model.call import ToolCall
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import Limits, Spill
from agent_exec.runtime.gather import Gathered
from agent_exec.runtime.redirect import ERRORS, OUTPUT
from agent_exec.runtime.script_values import Said, Steps, Write
from agent_exec.runtime.spill import OutputFile

Files = tuple[OutputFile | None, OutputFile | None]


class ScriptOutput:
    """The standard output and errors of a whole text.

    Args:
        call: Says which of them are descriptors of the caller.
        limits: Of what is kept of the others.
        files: Where the whole of them goes.
    """

    def __init__(self, call: ToolCall, limits: Limits, files: Files) -> None:
        self.out = Gathered(limits.head_bytes, limits.tail_bytes)
        self.err = Gathered(limits.head_bytes, limits.tail_bytes)
        self._call = call
        self._files = files

    def take(self, outcome: Outcome, *, captured: bool) -> None:
        """What programs have written; their output only where it is the text's own."""
        if captured:
            self.out.add(outcome.stdout)
        self.err.add(outcome.stderr)

    def rest(self) -> tuple[Spill | None, Spill | None]:
        """Of the files, for the next programs."""
        return _rest(self._files[0], self.out), _rest(self._files[1], self.err)

    def write(self, said: Said, fd: int, data: bytes) -> Steps:
        """What a builtin writes to its `fd`.

        Raises:
            OSError: That is a file, and cannot be written.
        """
        target = said.opened.targets[fd]
        if target == OUTPUT and said.piped:
            said.pipe += data
        elif target == OUTPUT:
            yield from self._give(self._call.stdout, self.out, self._files[0], data)
        elif target == ERRORS:
            yield from self._give(self._call.stderr, self.err, self._files[1], data)
        elif target is not None:
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]

    def complain(self, said: Said, message: str, *, lined: bool = True) -> Steps:
        """What bash says of a command, on the errors of that command."""
        where = f"line {said.line}: " if lined else ""
        with suppress(OSError):  # as bash, which has nowhere to say it
            yield from self.write(said, 2, os.fsencode(f"bash: {where}{message}\n"))

    def tell(self, message: str) -> Steps:
        """What bash says on its own errors."""
        yield from self._give(self._call.stderr, self.err, self._files[1], os.fsencode(message))

    def _give(
        self, fd: int | None, gathered: Gathered, file: OutputFile | None, data: bytes
    ) -> Steps:
        if fd is not None:
            yield Write(fd, data)
            return
        gathered.write(data)
        if file is not None:
            gathered.copy_out(file.spill, data)


def _rest(file: OutputFile | None, gathered: Gathered) -> Spill | None:
    """What is left of the cap of an output file."""
    if file is None:
        return None
    return Spill(fd=file.spill.fd, cap=max(0, file.spill.cap - gathered.spilled))
