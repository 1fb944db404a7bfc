"""Our reading of shell text against bash's: an exact oracle, on texts that nobody chose."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from shell.oracle import NotComparable, Oracle

from agent_exec.shell.needs_bash import NeedsBash

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash"),
]

# fmt: off
TOKENS = (
    "a", "b", "-x", "'q r'", '"s t"', "$V", "${V}", "$EMPTY", '"$EMPTY"', "$WORDS", '"$WORDS"',
    "$NONE", "$?", "\\ ", "\\$", "\\\n", "~", "~a", "a=~", "x=1", "x=$V", "x+=1", "{a,b}", "{}",
    "a{b", "{a..c}", "%1", "'%'", "=", "a=b", "!", "!", "&&", "||", ";", "|", "|&", "&", "\n",
    " ", " ", "\t", ">o", "2>&1", "1>&2", ">&2", "&>o", "<<<", "<<E\n", "<<'E'\n", "<<-E\n",
    "\nE\n", "E", "#", "# c", "if", "then", "fi", "while", "do", "done", "{", "}", "(", ")",
    "[[", "]]", "time", "coproc", "function", "in", "case", "esac", "$(a)", "`a`", "$((1))",
    '"', "'", "\\", "$'x'", '$"x"', "$", "$1", "$$", "<", ">", "2", "0", "1", ";;", "echo",
    "cd", "true", "exit", "eval", "a[", "a[0]=1", "<(a)", "$[1]", '"$(a)"', '"a\\\nb"',
    '"\\$V"', '"\\a"', ":", "é", "~+", "{fd}>o", "b:~", "--p=~", "\r", "a#b", "''", '""',
    '"\'"', '\'"\'', "*", "?", "[",
)
# fmt: on

WRITTEN = (
    "rg -n 'TODO|FIXME' src | head -5",
    "cd src && ls -la || echo none; pwd",
    "git log --format='%h %s' -n 3 2>&1 | cat",
    "cat <<'END' | wc -l\n$V `x` \\\nEND\necho after",
    "cat <<-E\n\t\ttabs\n\tE\necho x",
    "cat <<A <<'B'; echo z\n1\nA\n2\nB\ntail",
    "grep -r \"it's $V\" --include='*.py' .",
    "find . -name '*.c' -o -name \"*.h\" | xargs -n1 echo",
    "A=1 B=$V env | sort",
    "! grep -q x y && echo absent",
    "! true || echo negated",
    "echo a#b # comment",
    "echo \\# not",
    "printf '%s\\n' \"$WORDS\" '' \"\" $EMPTY end",
    "$EMPTY echo first-word-vanishes",
    "echo $V$V \"${V}x\" '$V' \\$V",
    "echo HEAD@{1} stash@{0} {} a{b c} {x",
    "echo ~ ~/x a=~/b c=~ x~ \\~ '~' --p=~/q",
    "one |& two 2>&1 | three",
    "echo one\n\n  echo two ;\n echo three",
    "echo a &&\n\n echo b |\n cat",
    "echo l\\\nong wo\\\nrds",
    "echo \"two\nlines\" 'and\nmore'",
    "x --a=b -c=d e==f =g",
    "echo $ $. $/ a$ \"$\" '$'",
    "echo status $? then $?; ! a; echo $?",
    "echo é ü 日本 \u00a0x",
    ":",
    "",
    "   # nothing",
)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    folder = tmp_path_factory.mktemp("oracle")
    source = Path(__file__).parents[1] / "programs" / "argvdump.c"
    subprocess.run(["gcc", "-O1", "-o", folder / "argvdump", source], check=True)
    return Oracle(folder, folder / "argvdump")


@pytest.mark.parametrize("text", WRITTEN)
def test_a_text_as_agents_write_it_is_read_as_bash_reads_it(oracle: Oracle, text: str) -> None:
    assert oracle.ours(text) == oracle.bash(text)


@pytest.mark.parametrize("seed", range(4))
def test_no_soup_of_tokens_is_read_otherwise_than_bash_reads_it(oracle: Oracle, seed: int) -> None:
    random_ = random.Random(seed)
    compared = 0
    for _ in range(2500):
        tokens = [random_.choice(TOKENS) for _ in range(random_.randint(1, 9))]
        text = "".join(token + random_.choice(("", "", " ", " ", " ")) for token in tokens)
        try:
            ours = oracle.ours(text)
        except (NeedsBash, NotComparable):
            continue
        assert ours == oracle.bash(text), text
        compared += 1
    assert compared > 250  # else the soup says nothing
