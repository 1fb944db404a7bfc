"""A result as a model gets it: cut to what it wants, without secrets, as text too."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from agent_exec.model.call import Keep, ToolCall
from agent_exec.model.outcome import Ended
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.schema.redact import Redactor
from agent_exec.schema.text import as_text

MODEL_BYTES = 32 * 1024
"""Of each output that a model gets, where its call does not say."""
_KEPT_S = 7 * 24 * 3600.0
_UNEXPANDED = frozenset("*?$")
_ANY = ToolCall()


class Presenter:
    """Prepares results of one tool for a model. Safe from any thread.

    Args:
        redact: Takes secrets out.
        folder: Where outputs go that are longer than what the model gets.
    """

    def __init__(self, redact: Redactor, folder: str) -> None:
        self._redact = redact
        self._folder = folder
        self._swept = False

    def present(
        self, result: ToolResult, call: ToolCall | None = None, hints: Sequence[str] = ()
    ) -> ToolResult:
        """`result` with `ToolResult.text`.

        Args:
            result: As it came about.
            call: What was asked for; None where that was not understood.
            hints: What was taken for something else than it said.
        """
        notices = [*hints, *result.notices]
        if call is not None and _may_be_unexpanded(call, result):
            notices.append(
                "no shell expands *, ?, $ or ~ in argv; send command for that, as shell text"
            )
        wanted = _ANY if call is None else call
        stdout = self._cut(result.stdout, wanted, result.id, "stdout", notices)
        stderr = self._cut(result.stderr, wanted, result.id, "stderr", notices)
        shown = self._without_secrets(result, notices)
        if stdout is not shown.stdout or stderr is not shown.stderr:
            shown = shown._replace(stdout=stdout, stderr=stderr)
        return shown._replace(text=as_text(shown))

    def session(self, result: ToolResult, hints: Sequence[str] = ()) -> ToolResult:
        """The same of a part of a session, without secrets already; or of a list of them."""
        if result.text is not None:
            out = result.stdout._replace(head=self._redact(result.stdout.head))
            return result._replace(stdout=out, text=self._redact(result.text))
        shown = self._without_secrets(result, (*hints, *result.notices))
        return shown._replace(text=as_text(shown))

    def _without_secrets(self, result: ToolResult, notices: Sequence[str]) -> ToolResult:
        """All but the outputs."""
        error, reason = result.error, result.route_reason
        stages = tuple([self._stage(stage) for stage in result.stages])
        if not notices and error is None and reason is None and stages == result.stages:
            return result
        return result._replace(
            stages=stages,
            error=None if error is None else self._redact(error),
            route_reason=None if reason is None else self._redact(reason),
            notices=tuple([self._redact(notice) for notice in notices]),
        )

    def _stage(self, stage: StageResult) -> StageResult:
        argv = tuple([self._redact(word) for word in stage.argv])
        return stage if argv == stage.argv else stage._replace(argv=argv)

    def _cut(
        self, output: Output, call: ToolCall, id_: str, name: str, notices: list[str]
    ) -> Output:
        if output.dropped:
            output = output._replace(
                head=self._redact.head(output.head), tail=self._redact.tail(output.tail)
            )
        elif not (output.head or output.tail):
            return output
        else:
            shown = self._redact(output.head)
            if shown != output.head or output.tail:
                output = output._replace(head=shown, tail="")
        most = MODEL_BYTES if call.output_bytes is None else call.output_bytes
        if len(output.head) + len(output.tail) <= most and call.keep is Keep.BOTH:
            return output
        if output.dropped:
            head, tail = _ends(output.head, output.tail, most, call.keep)
            left = output.head[len(head) :] + output.tail[: len(output.tail) - len(tail)]
        else:
            head, tail = _ends(output.head, output.head, most, call.keep)
            if len(head) + len(tail) >= len(output.head):
                return output
            output = output._replace(file=self._kept(output, f"{id_}.{name}.txt", notices))
            left = output.head[len(head) : len(output.head) - len(tail)]
        dropped = output.dropped + len(left.encode("utf-8", "replace"))
        return output._replace(head=head, tail=tail, dropped=dropped)

    def _kept(self, output: Output, name: str, notices: list[str]) -> str | None:
        """The whole of it in a file, which the model may read bit by bit."""
        if output.file is not None:
            return output.file
        path = os.path.join(self._folder, name)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            self._sweep()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(path, flags, 0o600), "wb") as file:
                file.write(output.head.encode("utf-8", "replace"))
        except OSError as error:
            notices.append(f"the whole output could not be kept: {error.strerror}")
            return None
        return path

    def _sweep(self) -> None:
        """Remove what nobody will come back to."""
        if self._swept:
            return
        self._swept = True
        oldest = time.time() - _KEPT_S
        for entry in os.scandir(self._folder):
            with suppress(FileNotFoundError):  # another tool sweeps, too
                if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < oldest:
                    os.unlink(entry.path)


def _ends(head: str, tail: str, most: int, keep: Keep) -> tuple[str, str]:
    """The beginning of `head` and the end of `tail`; a character counts as a byte."""
    at_end = {Keep.HEAD: 0, Keep.BOTH: most // 2, Keep.TAIL: most}[keep]
    return head[: most - at_end], tail[max(0, len(tail) - at_end) :] if at_end else ""


def _may_be_unexpanded(call: ToolCall, result: ToolResult) -> bool:
    if result.ended is not Ended.EXIT or not result.status:
        return False
    words = [word for argv in call.stages for word in argv[1:]]
    return any(word.startswith("~/") or not _UNEXPANDED.isdisjoint(word) for word in words)
