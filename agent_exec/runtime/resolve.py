"""call -> request: find the programs and the directory that a call names."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence

from agent_exec.errors import InvalidCall, ProgramNotFound, TemplateError
from agent_exec.model.call import ToolCall
from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command, ExecRequest, FileUse, Source
from agent_exec.policy.eyes import Eyes
from agent_exec.runtime.checks import duration, wrong
from agent_exec.runtime.environment import ChildEnvironment, SearchPath, is_mark
from agent_exec.runtime.mistakes import refuse_shell_syntax, split_line
from agent_exec.shell.reading import Scope, read
from agent_exec.shell.unwrap import unwrap

# What the C core takes (AX_MOST_STAGES).
_MOST_STAGES = 1024
_MOST_FD = 2**31 - 1


def resolve(
    call: ToolCall,
    *,
    id_: str,
    worktree: str,
    environment: ChildEnvironment,
    find_programs: bool = True,
    by_host: bool = False,
    eyes: Eyes | None = None,
) -> ExecRequest:
    """Find everything before anything is started.

    Args:
        call: As it arrived: nothing in it need have the type that it should have.
        id_: The id that the call is to have.
        worktree: Absolute, without links.
        environment: That of the tool; its PATH, or the call's, is where names are looked up.
        find_programs: Without, one that is nowhere is no error.
        by_host: Somebody else runs it, in an environment that is not known here.
        eyes: What looks.

    Raises:
        InvalidCall: No stages, an empty argv, what cannot be given to a program, shell
            syntax where no shell will see it, a value of the wrong type.
        ProgramNotFound: A program is nowhere.
        TemplateError: EACCES: one was named by path, and is a directory or not executable.
    """
    eyes = Eyes() if eyes is None else eyes
    if call.command is None:
        _check_stages(call.stages)
    else:
        _check_text(call.command, call.stages)
    if call.timeout_s is not None:
        duration("timeout_s", call.timeout_s)
    if call.env is not None:
        _check_variables(call.env)
    _check_descriptor("stdout", call.stdout)
    _check_descriptor("stderr", call.stderr)
    if not isinstance(call.keep_output, bool):
        raise wrong("keep_output", call.keep_output, "true or false")
    if call.stdout_file is not None:
        _check_stdout_file(call)
    cwd = worktree if call.cwd is None else _directory(call.cwd, worktree, eyes)
    stdin = _input(call.stdin)
    _check_background(call)
    if call.command is not None:
        return _text_request(call.command, call, id_, cwd, stdin, environment, by_host=by_host)
    if len(call.stages) == 1 and not by_host:
        unwrapped = _unwrapped(call, id_, cwd, stdin, environment)
        if unwrapped is not None:
            return unwrapped
    if call.env and "PATH" in call.env:
        eyes.lose()  # which of its directories lie in the worktree is looked up, too
    path = environment.search_path(call.env or {})
    commands = [_command(argv, cwd, path, eyes, find=find_programs) for argv in call.stages]
    if call.stdout_file is not None:
        commands[-1] = commands[-1]._replace(files=_written(call))
    return ExecRequest(
        id=id_,
        call=call,
        commands=_in_context(commands, call, stdin),
        cwd=cwd,
        stdin=stdin,
    )


def _unwrapped(
    call: ToolCall,
    id_: str,
    cwd: str,
    stdin: bytes | int | None,
    environment: ChildEnvironment,
) -> ExecRequest | None:
    """``bash -lc TEXT`` as the text that it is; None for anything else."""
    given: object = call.stages[0]  # nothing has been checked yet
    if not isinstance(given, tuple) or given[:1] != ("bash",):
        return None
    if not all(isinstance(word, str) for word in given):
        return None
    shell = unwrap(given)
    if shell is None or shell.text is None or shell.unclear is not None:
        return None
    if shell.options or shell.parameters != ("bash",):
        return None
    _check_word(shell.text, "argv")
    request = _text_request(shell.text, call, id_, cwd, stdin, environment)
    if not shell.login:
        return request
    notice = "-l was dropped: no profile is read, the environment is that of the policy"
    return request._replace(notices=(notice,))


def _text_request(
    text: str,
    call: ToolCall,
    id_: str,
    cwd: str,
    stdin: bytes | int | None,
    environment: ChildEnvironment,
    *,
    by_host: bool = False,
) -> ExecRequest:
    """What a shell text would do. Its programs are looked up when they run."""
    variables = {**environment.variables(cwd), **(call.env or {})}
    scope = Scope.of_call(variables, cwd)
    if by_host:
        scope = scope._replace(parameters=None, known=False)
    source, given = _source(call, stdin)
    scope = scope._replace(stdin=source, text=given)
    reading = read(text, scope)
    commands = reading.commands
    if call.stdout_file is not None:
        commands = (*commands, Command((":",), None, files=_written(call), builtin=True))
    if call.env:
        set_by_call = tuple(call.env.items())
        commands = tuple(
            [command._replace(variables=set_by_call + command.variables) for command in commands]
        )
    if call.terminal:
        commands = tuple([command._replace(terminal=True) for command in commands])
    return ExecRequest(
        id=id_,
        call=call,
        commands=commands,
        cwd=cwd,
        stdin=stdin,
        text=text,
        script=reading.script,
        needs_shell=reading.needs_bash,
        complete=reading.complete,
    )


def _source(call: ToolCall, stdin: bytes | int | None) -> tuple[Source, str | None]:
    """Where the first command reads from: what may be written to it later is known to nobody."""
    if call.terminal:
        return Source.OPEN, None
    if isinstance(stdin, bytes):
        return Source.TEXT, stdin.decode("utf-8", "surrogateescape")
    return (Source.NOTHING if stdin is None and not call.background else Source.OPEN), None


def _in_context(
    commands: list[Command], call: ToolCall, stdin: bytes | int | None
) -> tuple[Command, ...]:
    """What is known of how they run, for judging them."""
    variables = tuple(call.env.items()) if call.env else ()
    source, text = _source(call, stdin)
    if source is not Source.NOTHING:
        commands[0] = commands[0]._replace(stdin=source, text=text)
    if call.terminal:
        commands[0] = commands[0]._replace(terminal=True)
    if len(commands) > 1:
        commands[1:] = [command._replace(stdin=Source.PIPE) for command in commands[1:]]
    if variables:
        commands = [command._replace(variables=variables) for command in commands]
    return tuple(commands)


def find_program(name: str, *, cwd: str, path: SearchPath, eyes: Eyes | None = None) -> str:
    """The absolute path of a program.

    A name without a slash is looked up in `path`; one with a slash is relative to `cwd`.
    Links are not followed: the path is kept as found.

    Raises:
        ProgramNotFound, TemplateError: As `resolve`.
    """
    eyes = Eyes() if eyes is None else eyes
    if "/" in name:
        return _named_by_path(os.path.join(cwd, name), eyes)
    found = next(_programs(name, path.folders, eyes), None)
    if found is None:
        raise ProgramNotFound(name, path.folders, tuple(_programs(name, path.inside, eyes)))
    return found


def first_file(name: str, folders: Sequence[str]) -> str | None:
    """What bash tries where `name` is no program in any of `folders`: the first file there."""
    for folder in folders:
        path = f"{folder}/{name}"
        if os.path.exists(path) and not os.path.isdir(path):
            return path
    return None


def _programs(name: str, folders: Sequence[str], eyes: Eyes) -> Iterator[str]:
    for folder in folders:
        candidate = f"{folder}/{name}"
        if eyes.may_execute(candidate) and not _is_directory(candidate, eyes):
            yield candidate


def _is_directory(path: str, eyes: Eyes) -> bool:
    try:
        return stat.S_ISDIR(eyes.stat(path).mode)
    except OSError:
        return False


def _check_stages(stages: Sequence[Sequence[str]]) -> None:
    if not stages:
        raise InvalidCall("a call has at least one stage; send argv such as ['git', 'status']")
    if len(stages) > _MOST_STAGES:
        raise InvalidCall(f"a pipeline has at most {_MOST_STAGES} stages, not {len(stages)}")
    lines = [stage for stage in stages if isinstance(stage, str)]
    if len(lines) > 1:
        raise InvalidCall(
            f"a pipeline is a list of argv, not of words; send argv {lines!r}, "
            f"or pipeline {[split_line(line) for line in lines]!r}"
        )


def by_shell(request: ExecRequest, shell: str) -> ExecRequest:
    """A text that needs a shell, as the one command that runs it.

    ``--``, because a text may begin with a dash; ``bash``, because messages begin with it.
    """
    text = request.text
    assert text is not None, "only a text needs a shell"
    return request._replace(commands=(Command(("bash", "-c", "--", text), shell),))


def _check_text(text: str, stages: Sequence[Sequence[str]]) -> None:
    if stages:
        raise InvalidCall("a call is argv, a pipeline, or a command; send one of them")
    _check_word(text, "command")


def _command(argv: Sequence[str], cwd: str, path: SearchPath, eyes: Eyes, *, find: bool) -> Command:
    def is_program(name: str) -> bool:
        try:
            find_program(name, cwd=cwd, path=path, eyes=eyes)
        except (ProgramNotFound, TemplateError):
            return False
        return True

    if isinstance(argv, str):
        words = split_line(argv)
        refuse_shell_syntax(words, is_program)
        raise InvalidCall(f"argv is a list of words, not one string; send argv {words!r}")
    if not isinstance(argv, tuple):
        raise wrong("argv", argv, "a list of words such as ['git', 'status']")
    if not argv or argv[0] == "":
        raise InvalidCall("argv is empty: its first word is the program")
    if isinstance(argv[0], list | tuple):
        raise InvalidCall(f"argv is a list of words; send pipeline {list(argv)!r}")
    for index, word in enumerate(argv):
        if type(word) is not str or not word.isascii() or "\0" in word:
            _check_word(word, f"argv[{index}]")
    refuse_shell_syntax(argv, is_program)
    if not find:
        return Command(argv, None)
    try:
        program = find_program(argv[0], cwd=cwd, path=path, eyes=eyes)
    except ProgramNotFound:
        words = split_line(argv[0])
        if len(words) == 1:
            raise
        corrected = [*words, *argv[1:]]
        refuse_shell_syntax(corrected, is_program)
        raise InvalidCall(f"no program is called {argv[0]!r}; send argv {corrected!r}") from None
    return Command(argv, program)


def _named_by_path(candidate: str, eyes: Eyes) -> str:
    try:
        status = eyes.stat(candidate)
    except (FileNotFoundError, NotADirectoryError):
        raise ProgramNotFound(candidate) from None
    except OSError as error:
        raise TemplateError(candidate, error.errno or errno.EIO) from None
    if stat.S_ISDIR(status.mode):
        raise TemplateError(candidate, errno.EACCES, "a directory")
    if not eyes.may_execute(candidate):
        raise TemplateError(candidate, errno.EACCES, "not executable")
    return candidate


def _directory(cwd: str | os.PathLike[str], worktree: str, eyes: Eyes) -> str:
    """Without links and dots: it is also the child's PWD, which may have none."""
    path = os.fspath(cwd) if isinstance(cwd, os.PathLike) else cwd
    _check_word(path, "cwd")
    return eyes.realpath(os.path.join(worktree, path))


def _check_background(call: ToolCall) -> None:
    if call.terminal and not call.background:
        raise InvalidCall("a terminal is for programs that go on: send background: true with it")
    if call.terminal and len(call.stages) > 1:
        raise InvalidCall("a terminal has one program: send argv, or command with the pipeline")
    if call.terminal and call.stdout_file is not None:
        raise InvalidCall("the output goes to the terminal; leave stdout_file or terminal out")
    if call.background and isinstance(call.stdin, int):
        raise InvalidCall("a session has an input of its own; leave stdin out, or give the text")


def _input(stdin: str | bytes | int | None) -> bytes | int | None:
    if stdin is None or isinstance(stdin, bytes):
        return stdin
    if isinstance(stdin, str):
        try:
            return stdin.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise InvalidCall(f"stdin: {error.object[error.start]!r} is no character") from None
    if not _is_descriptor(stdin):
        raise wrong("stdin", stdin, "text, bytes, an open descriptor (from 0 on), or left out")
    return stdin


def _check_descriptor(name: str, value: object) -> None:
    if value is not None and not _is_descriptor(value):
        raise wrong(name, value, "an open descriptor (from 0 on), or left out to be captured")


def _check_stdout_file(call: ToolCall) -> None:
    _check_word(call.stdout_file, "stdout_file")
    if not call.stdout_file:
        raise InvalidCall("stdout_file is empty; name a file, or leave it out")


def _written(call: ToolCall) -> tuple[FileUse, ...]:
    assert call.stdout_file is not None
    return (FileUse(EffectKind.WRITE, call.stdout_file),)


def _is_descriptor(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_FD


def _check_variables(env: Mapping[str, str]) -> None:
    if not isinstance(env, Mapping):
        raise wrong("env", env, "names with their values, such as {'CI': '1'}")
    for name, value in env.items():
        _check_word(name, "env")
        _check_word(value, f"env, {name}")
        if not name or "=" in name:
            raise InvalidCall(f"env: no variable can be called {name!r}")
        if is_mark(name):
            raise InvalidCall(f"env: {name} is the tool's own; leave it out")


def _check_word(word: object, where: str) -> None:
    if not isinstance(word, str):
        text = str(word) if isinstance(word, int | float | os.PathLike) else None
        raise wrong(where, word, "a string" if text is None else f"a string, such as {text!r}")
    if "\0" in word:
        raise InvalidCall(f"{where}: {word!r} holds a NUL, which no program can be given")
    if not word.isascii():
        try:
            os.fsencode(word)
        except UnicodeEncodeError:
            raise InvalidCall(f"{where}: {word!r} is no text that has bytes") from None
