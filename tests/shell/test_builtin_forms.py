"""Which forms of builtins run without bash, and which builtins never do."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from agent_exec.shell.builtin_forms import ALWAYS_BASH, is_builtin
from agent_exec.shell.reading import Scope, read

VARIABLES = {"HOME": "/h", "LC_ALL": "C.UTF-8", "A": "1", "E": "é"}
SCOPE = Scope.of_call({**VARIABLES, "PATH": "/usr/bin:/bin"}, "/w")
OURS = (":", "[", "cd", "echo", "exit", "export", "false", "printf", "pwd", "test", "true")


@pytest.mark.parametrize(
    "text",
    [
        *("true", "true x *.py --help", "false", ": $A", "echo", "echo x", "echo -n x", "echo -e"),
        *("echo -ne 'a\\tb'", "echo -x", "echo *", "echo -n *", "echo -E '\\u00e9'", "echo --help"),
        *("echo -nx", "a; echo -$?", "echo '\\u00e9'", "echo é"),
        *(
            "cd",
            "cd d",
            "cd ..",
            "cd -- d",
            "cd 'a b'",
            "cd /",
            "cd a b",
            "pwd",
            "pwd -P",
            "pwd -L",
        ),
        *("exit", "exit 0", "exit 300", "exit -1", "a; exit $?", "export A", "export B=1 C='x y'"),
        *("test", "[ ]", "[ x ]", "[ ! x ]", "[ -f a ]", "[ ! -f a ]", "[ -n '' ]", "[ a = b ]"),
        *("[ a == b ]", "[ a != b ]", "[ ! a = b ]", "[ 1 -eq 2 ]", "[ -1 -lt +2 ]", "test -d d"),
        *("a; [ $? -eq 0 ]", "a; [ $? = 0 ]", "[ '(' = ')' ]", "[ ! = ! ]", "[ -f = -f ]"),
        *("printf x", "printf '%s\\n' a b", "printf '%5d|%-5s|%05d\\n' 1 x -3", "printf '%%'"),
        *(
            "printf '%x %o %X %u' 1 2 3 4",
            "printf '%c' x",
            "printf '%.2s' abc",
            "printf '\\x41\\101'",
        ),
        *("printf '%s' *.py", "printf -- '%s' x", "printf '%s'", "printf '%d'", "printf x y"),
        *("a; printf '%d\\n' $?", "printf '%s é' é"),
        *("command -v ls", "command -v ls nosuch ./x", "command -v 'l s' if cd"),
    ],
)
def test_a_simple_form_runs_without_bash(text: str) -> None:
    reading = read(text, SCOPE)
    assert reading.script is not None, reading.needs_bash
    assert reading.commands[-1].builtin


@pytest.mark.parametrize(
    "text",
    [
        *("echo -e '\\u00e9'", "echo -e x '\\U1F600'", "echo -e *", "echo -en a *.py"),
        *("echo * '\\u00e9'", "echo -n -* -e '\\u00e9'"),
        *("cd -", "cd -P d", "cd ''", "cd //x", "cd d*", "cd -- -", "cd -x", "cd $E*", "a; cd d$?"),
        *("pwd x", "pwd -LP", "pwd *", "exit x", "exit 1 2", "exit 99999999999", "a; exit 1$?"),
        *(
            "export",
            "export -n A",
            "export -p",
            "export UNSET",
            "export 1=2",
            "export A=*",
            "export =1",
        ),
        *("export A+=1", "export A[0]=1", "export LC_ALL=xx", "export IFS=x", "a; export X=$?"),
        *("[ x", "[ -f", "[ -v A ]", "[ -o errexit ]", "[ -t 1 ]", "[ a -a b ]", "[ a -o b ]"),
        *(
            "[ a '<' b ]",
            "[ a '>' b ]",
            "[ a -nt b ]",
            "[ a -ef b ]",
            "[ x -eq 1 ]",
            "[ 1 -eq '' ]",
        ),
        *("[ 1 -eq a[0] ]", "[ -f /dev/fd/0 ]", "[ -e /dev/stdin ]", "[ *.py ]", "[ -f *.py ]"),
        *("[ a b ]", "[ a b c ]", "[ a = b c ]", "[ ! ! x ]", "[ '(' x ')' ]", "[ -R A ]"),
        *("a; [ 1$? -eq 1 ]", "test -f *", "[ 99999999999999999999 -eq 1 ]"),
        *(
            "printf",
            "printf -v x y",
            "printf *",
            "printf '%q' x",
            "printf '%b' x",
            "printf '%f' 1.5",
        ),
        *(
            "printf '%(%F)T'",
            "printf '%*d' 1 2",
            "printf '%d' x",
            "printf '%d' 010",
            "printf '%d' 0x1",
        ),
        *("printf '%x' -1", "printf '%5s' é", "printf '%c' ''", "printf '%c'", "printf '%c' é"),
        *(
            "printf '\\u00e9'",
            "printf '\\c'",
            "printf '%d' *",
            "printf '%s %s' *",
            "printf '%5s' *",
        ),
        *("printf '%'", "printf '%y'", "printf '%ld' 1", "printf '%+s' x", "printf '%.d' 1"),
        *("printf -x", "printf '%d' \"'a\"", "printf '\\8'", 'a; printf "%$?d" 1'),
        *("A=2 echo x", "A=2 cd d", "A=2 true", "A=2 command -v ls"),
        *("command", "command ls", "command -v", "command -V ls", "command -pv ls", "command -v *"),
        *(
            "command -v -- ls",
            "command -v ls ''",
            "command -v %1",
            "a; command -v $?",
            "command -p ls",
        ),
    ],
)
def test_an_odd_form_needs_bash(text: str) -> None:
    reading = read(text, SCOPE)
    assert reading.script is None
    assert reading.needs_bash


@pytest.mark.parametrize("name", sorted(ALWAYS_BASH))
def test_these_builtins_always_need_bash(name: str) -> None:
    assert is_builtin(name)
    for text in (name, f"{name} x", f"'{name}' x", f"a | {name}", f"a && {name} -x"):
        assert read(text, SCOPE).script is None


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_every_builtin_of_bash_is_known() -> None:
    said = subprocess.run(
        ["bash", "-c", "compgen -b"], check=True, capture_output=True, text=True
    ).stdout
    assert [name for name in said.split() if not is_builtin(name)] == []
    assert [name for name in OURS if name not in said.split()] == []


@pytest.mark.parametrize("path", [None, "", "bin:/usr/bin", "/usr/bin:", "~/bin"])
def test_what_a_path_of_relative_directories_leads_to_is_left_to_bash(path: str | None) -> None:
    variables = VARIABLES if path is None else {**VARIABLES, "PATH": path}
    assert read("command -v ls", Scope.of_call(variables, "/w")).script is None
