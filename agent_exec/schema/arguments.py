"""The arguments of the tools that a model calls: the one source of their schemas.

Every field is required and may be null, which is how the strict modes of all vendors say
optional. Descriptions are for the model; they are all that it knows of the tool.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

Text = StrictStr
Argv = Annotated[list[Text], Field(min_length=1)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Arguments):
    name: Text
    value: Text


class OutputLimits(_Arguments):
    keep: Annotated[
        Literal["both", "head", "tail"] | None,
        Field(description="Which end of an output that is too long: both (default), head, tail."),
    ] = None
    bytes: Annotated[
        StrictInt | None, Field(description="Bytes of each output; less than the tool's limit.")
    ] = None


class ExecArguments(_Arguments):
    """Runs a program, or several joined by pipes, and returns what it printed and how it ended."""

    argv: Annotated[
        Argv | None,
        Field(
            description="Program and arguments, verbatim, no shell: "
            '["rg", "-n", "TODO", "src"]. The usual form.'
        ),
    ] = None
    pipeline: Annotated[
        Annotated[list[Argv], Field(min_length=1)] | None,
        Field(
            description='Several argv, joined by pipes: [["rg", "-n", "TODO"], ["head", "-20"]].'
        ),
    ] = None
    command: Annotated[
        Text | None,
        Field(
            description="Shell text, where you need &&, globs or redirections: "
            '"cd src && ls *.py". Runs without a shell where that is the same.'
        ),
    ] = None
    cwd: Annotated[
        Text | None,
        Field(description="Directory, relative to the worktree. Default: the worktree."),
    ] = None
    stdin: Annotated[Text | None, Field(description="Literal input for the program.")] = None
    env: Annotated[
        list[Variable] | None, Field(description="Variables to set for this call only.")
    ] = None
    timeout_ms: Annotated[
        StrictInt | None, Field(description="Milliseconds until it is ended.")
    ] = None
    background: Annotated[
        StrictBool | None,
        Field(
            description="true: return at once with a session; go on with exec_read, exec_write, "
            "exec_stop. For servers and watchers."
        ),
    ] = None
    terminal: Annotated[
        StrictBool | None,
        Field(description="With background: give it a terminal (PTY), for interactive programs."),
    ] = None
    stdout_file: Annotated[
        Text | None, Field(description="Write the output to this file instead of returning it.")
    ] = None
    append: Annotated[
        StrictBool | None, Field(description="With stdout_file: add to the file.")
    ] = None
    output: Annotated[OutputLimits | None, Field(description="How much output to return.")] = None
    justification: Annotated[
        Text | None,
        Field(description="One sentence for the person who may be asked: what this is for."),
    ] = None


class ReadArguments(_Arguments):
    """Reads what a background session has written since an offset; waits for more if asked to."""

    session: Annotated[
        Text | None, Field(description="The session that exec returned. null: list the sessions.")
    ] = None
    offset: Annotated[
        StrictInt | None,
        Field(description="Byte of its output to read from. null: what is new."),
    ] = None
    wait_ms: Annotated[
        StrictInt | None,
        Field(description="Wait so long at most until there is something. Default: do not wait."),
    ] = None
    bytes: Annotated[StrictInt | None, Field(description="At most so many bytes.")] = None


class WriteArguments(_Arguments):
    """Writes to the input of a background session."""

    session: Annotated[Text, Field(description="The session that exec returned.")]
    text: Annotated[
        Text | None, Field(description='Literal text; end a line with "\\n". "\\u0003" is Ctrl-C.')
    ] = None
    close: Annotated[StrictBool | None, Field(description="true: end of input.")] = None
    rows: Annotated[StrictInt | None, Field(description="New height of its terminal.")] = None
    columns: Annotated[StrictInt | None, Field(description="New width of its terminal.")] = None


class StopArguments(_Arguments):
    """Ends a background session and everything that it started; or sends it a signal."""

    session: Annotated[Text, Field(description="The session that exec returned.")]
    signal: Annotated[
        Text | None,
        Field(description='Only send this signal, such as "SIGINT". null: end it.'),
    ] = None


TOOLS: dict[str, type[BaseModel]] = {
    "exec": ExecArguments,
    "exec_read": ReadArguments,
    "exec_write": WriteArguments,
    "exec_stop": StopArguments,
}
