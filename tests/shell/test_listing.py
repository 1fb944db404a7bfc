"""What can be found in a text that only bash runs."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shell.argv_oracle import TOKENS

from agent_exec.model.request import Command, Source
from agent_exec.shell.listing import list_commands
from agent_exec.shell.reading import Scope, read

SCOPE = Scope.of_call({"HOME": "/h", "V": "value", "LC_ALL": "C.UTF-8"}, "/w")


def listed(text: str) -> tuple[Command, ...]:
    commands = list_commands(text, SCOPE)
    assert not any(command.certain for command in commands)
    return commands


def argvs(text: str) -> list[str]:
    return [" ".join(command.argv) for command in listed(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("echo $(rm x)", ["rm x"], id="substitution"),
        pytest.param("echo `rm x`", ["rm x"], id="backticks"),
        pytest.param('echo "a $(b "$(rm x)")"', ["rm x"], id="nested-in-quotes"),
        pytest.param("cat <(rm x) >(rm y)", ["rm x", "rm y"], id="process-substitution"),
        pytest.param("cat <<E\n$(rm x)\nE", ["rm x"], id="here-document"),
        pytest.param("cat <<E; rm x\n$(a)\nE", ["rm x"], id="behind-a-here-document"),
        pytest.param("cat <<< $(rm x)", ["rm x"], id="here-string"),
        pytest.param("x=$(rm x)", ["rm x"], id="assignment"),
        pytest.param("x=(1 $(rm x))", ["rm x"], id="array"),
        pytest.param("(rm x)", ["rm x"], id="subshell"),
        pytest.param("{ rm x; }", ["rm x"], id="group"),
        pytest.param("f() { rm x; }; f", ["rm x"], id="function"),
        pytest.param("if a; then rm x; else rm y; fi", ["rm x", "rm y"], id="if"),
        pytest.param("for i in a; do rm x; done", ["rm x"], id="for"),
        pytest.param("while rm x; do rm y; done", ["rm x", "rm y"], id="while"),
        pytest.param("case a in b) rm x;; esac", ["rm x"], id="case"),
        pytest.param("rm x & rm y", ["rm x", "rm y"], id="background"),
        pytest.param("time rm x", ["rm x"], id="time"),
        pytest.param("time -p rm x", ["rm x"], id="time-p"),
        pytest.param("coproc rm x", ["rm x"], id="coproc"),
        pytest.param("! ! rm x", ["rm x"], id="negated-twice"),
        pytest.param("$NONE rm x $(a)", ["rm x $(a)"], id="a-first-word-that-vanishes"),
        pytest.param("$(a) rm x", ["rm x"], id="a-substitution-that-vanishes"),
        pytest.param("r''m \\x $(a)", ["rm x $(a)"], id="quotes"),
        pytest.param("find . -{delete,print} $(a)", ["find . -delete -print $(a)"], id="braces"),
        pytest.param("find . $'-del\\x65te' $(a)", ["find . -delete $(a)"], id="ansi-quotes"),
        pytest.param("find . -del\\\nete $(a)", ["find . -delete $(a)"], id="continued-word"),
        pytest.param("find . >o -delete $(a)", ["find . -delete $(a)"], id="behind-a-redirection"),
        pytest.param("# no \\\nrm x $(a)", ["rm x $(a)"], id="comments-do-not-continue"),
        pytest.param("x=rm; $x y $(a)", ["rm y $(a)"], id="a-variable-of-the-text"),
        pytest.param("rm $V $(a)", ["rm value $(a)"], id="a-variable-of-the-environment"),
        pytest.param("[ -v 'a[$(rm x)]' ]", ["[ -v a[$(rm x)] ]"], id="test"),
        pytest.param("[[ -f x ]]; a &", ["[[ -f x ]]"], id="double-brackets"),
        pytest.param("export P=x; a &", ["export P=x"], id="export"),
        pytest.param("P=x; a", ["declare P=x"], id="bare-assignment"),
        pytest.param("unset P; a &", ["unset P"], id="unset"),
        pytest.param("eval 'rm x'; a &", ["eval rm x"], id="eval"),
        pytest.param("rm x\nfoo (", ["rm x"], id="before-a-mistake"),
        pytest.param("foo ( \nrm x", ["rm x"], id="behind-a-mistake"),
        pytest.param("rm x\r\nrm y\r\n", ["rm x", "rm y"], id="carriage-returns"),
        pytest.param("\r# 'a'`rm x`", ["rm x"], id="no-comment-behind-a-carriage-return"),
        pytest.param("rm x \ud800", ["rm x \ufffd"], id="invalid-text"),
        pytest.param(
            "rm é日本 $(rm '🎉 ü')", ["rm é日本 $(rm 🎉 ü)", "rm 🎉 ü"], id="beyond-ascii"
        ),
    ],
)
def test_a_command_is_found(text: str, found: list[str]) -> None:
    everything = argvs(text)
    assert [argv for argv in found if argv not in everything] == []


@pytest.mark.parametrize(
    ("text", "files"),
    [
        pytest.param("a $(b) >x 2>>y", ["write x", "write y"], id="of-a-command"),
        pytest.param("if a; then b; fi >x", ["write x"], id="of-a-compound-command"),
        pytest.param("{ a; } <x", ["read x"], id="input"),
        pytest.param("(a) <>x", ["read x", "write x"], id="both"),
        pytest.param("a <>x $(b)", ["read x", "write x"], id="both-of-a-command"),
        pytest.param("a | b $(c) >x", ["write x"], id="of-a-pipeline"),
        pytest.param("a $(b) >/dev/null 2>&1", [], id="nothing"),
        pytest.param("a $(b) &>'x y'", ["write x y"], id="quoted"),
        pytest.param('a >&"$(b)"', ["write $(b)"], id="computed"),
        pytest.param("> x; a &", ["write x"], id="alone"),
    ],
)
def test_redirections_are_found(text: str, files: list[str]) -> None:
    found = {f"{use.kind.value} {use.path}" for command in listed(text) for use in command.files}
    assert found == set(files)


def test_prefixes_inputs_and_pipes_are_found() -> None:
    commands = listed('PAGER="x" git log $(a) | bash <<< "rm x"; b | cat &')
    by_name = {command.argv[0]: command for command in commands}
    git, bash, cat = by_name["git"], by_name["bash"], by_name["cat"]
    assert git.variables == (("PAGER", "x"),)
    assert (bash.stdin, bash.text) == (Source.TEXT, "rm x\n")
    assert (cat.stdin, cat.builtin) == (Source.PIPE, False)


def test_a_text_in_which_nothing_is_found_is_no_harmless_text() -> None:
    for text in ("(" * 40_000, "a|" * 600 + "(", "))", "<Esc><i>"):
        reading = read(text, SCOPE)
        assert (reading.script, reading.commands, reading.complete) == (None, (), False)


def test_the_grammar_is_loaded_only_for_texts_that_need_bash() -> None:
    code = (
        "import sys; from agent_exec.shell.reading import Scope, read;"
        "scope = Scope.of_call({}, '/'); print(read('a | b', scope).complete,"
        " 'tree_sitter' in sys.modules, read('a &', scope).complete, 'tree_sitter' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout.split() == ["True", "False", "False", "True"]


def test_nothing_is_kept_of_a_text_that_was_read() -> None:
    text = f"for i in a; do echo '{'x' * 20_000}'; done"
    list_commands(text, SCOPE)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            assert list_commands(text, SCOPE)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < len(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\U00093d89rE>>o{\U00058d15&\U000e019b\u010e\ub77c-f", id="in-a-redirection"),
        pytest.param(
            "\ud0bf\u126f\U00015eb7\u0184\x0fx{\U000a298e\U00058a74<<-E\n)", id="in-braces"
        ),
    ],
)
def test_characters_beyond_the_tables_of_the_grammar_do_no_harm(text: str) -> None:
    for _ in range(20):
        listed(text)


@given(st.text(st.characters(), max_size=60))
def test_no_text_breaks_the_listing(text: str) -> None:
    listed(text)


@given(st.lists(st.sampled_from(TOKENS), max_size=20).map(" ".join))
def test_no_soup_breaks_the_listing(text: str) -> None:
    listed(text)
