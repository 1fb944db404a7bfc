"""A result as a model reads it: what it needs to go on, and no more."""

from __future__ import annotations

from agent_exec.model.decision import Route, Verdict
from agent_exec.model.outcome import Ended
from agent_exec.model.result import Output, ToolResult
from agent_exec.schema.harmless import harmless, looks_binary, one_line

_KINDS = (
    ("\x7fELF", "an ELF program"),
    ("\ufffdPNG", "a PNG image"),
    ("PK\x03\x04", "a zip archive"),
    ("%PDF-", "a PDF"),
    ("\x1f\ufffd", "gzip data"),
    ("SQLite format 3", "an SQLite database"),
)
_LONGEST_WORD = 200


def as_text(result: ToolResult) -> str:
    """The status in words, both outputs with what was left out of them, and notices."""
    if result.error is not None:
        lines = [_refused(result)]
    else:
        lines = [_status(result)]
        if result.route is Route.SHELL:
            lines.append(f"run by a shell: {one_line(result.route_reason or 'as asked')}")
        lines += _stages(result)
        lines += _output("stdout" if result.session is None else "output", result.stdout)
        lines += _output("stderr", result.stderr)
        if not result.stdout.size and not result.stderr.size and result.session is None:
            lines.append("no output")
        if result.session is not None and not result.stdout.head:
            lines.append("nothing new")
    if result.session is not None:
        lines.append(_session(result))
    if result.pipe_held:
        lines.append("a process that it left still held an output: there may have been more")
    if result.survivors:
        lines.append(f"{len(result.survivors)} processes that it left behind were dealt with")
    if result.unreaped:
        lines.append(f"not even SIGKILL ended: {', '.join(map(str, result.unreaped))}")
    lines += [f"note: {one_line(notice)}" for notice in result.notices]
    return "\n".join(lines)


def _refused(result: ToolResult) -> str:
    error = harmless(result.error or "")
    if result.ended is Ended.LAUNCH_FAILED:
        return f"not started: {error}"
    word = "refused" if result.verdict is not Verdict.ASK else "refused, nobody has approved it"
    return f"{word}: {error}"


def _status(result: ToolResult) -> str:
    took = f"after {duration(result.duration_ms)}"
    if result.ended is Ended.RUNNING:
        return f"running in the background for {duration(result.duration_ms)}"
    if result.ended is Ended.TIMEOUT:
        return f"timed out {took}, and was ended"
    if result.ended is Ended.CANCELLED:
        return f"cancelled {took}, and ended"
    last = result.stages[-1] if result.stages else None
    if result.ended is Ended.SIGNAL and last is not None and last.signal is not None:
        return f"ended by {last.signal} {took}"
    if result.status is None:
        return f"ended {took}; its exit status is not known"
    return f"exit status {result.status} {took}"


def _stages(result: ToolResult) -> list[str]:
    """Of a pipeline, the stages before the last that failed."""
    said = []
    for number, stage in enumerate(result.stages[:-1], 1):
        how = stage.signal or (f"exit status {stage.exit_code}" if stage.exit_code else None)
        if how is not None and how != "SIGPIPE":
            said.append(f"stage {number} ({_word(stage.argv[0])}): {how}")
    return said


def _output(name: str, output: Output) -> list[str]:
    if not output.size:
        return []
    where = "" if output.file is None else f"; the whole of it is in {one_line(output.file)}"
    if looks_binary(output.head):
        kind = next((f", {kind}" for begin, kind in _KINDS if output.head.startswith(begin)), "")
        return [f"{name}: {output.size} bytes that are no text{kind}, not shown{where}"]
    lines = [f"{name}:", harmless(output.head).removesuffix("\n")]
    if output.dropped:
        lines.append(f"[{output.dropped} bytes left out{where}]")
    elif where:
        lines.append(f"[{where.removeprefix('; ')}]")
    if output.tail:
        lines.append(harmless(output.tail).removesuffix("\n"))
    return [line for line in lines if line]


def _session(result: ToolResult) -> str:
    session = result.session
    assert session is not None
    gone = f", {session.dropped} bytes before this are not shown" if session.dropped else ""
    if session.running:
        where = f"go on with exec_read, offset {session.next_offset}"
    elif session.next_offset < session.size:
        where = f"go on with exec_read, offset {session.next_offset} of {session.size}"
    else:
        where = "that is all of its output"
    return f"session {session.handle} ({'running' if session.running else 'ended'}{gone}); {where}"


def duration(milliseconds: float) -> str:
    """A time as people read it."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s"


def _word(word: str) -> str:
    shown = one_line(word)
    return shown if len(shown) <= _LONGEST_WORD else f"{shown[:_LONGEST_WORD]}..."
