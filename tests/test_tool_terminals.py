"""Sessions with a terminal: what programs find there, and what keys do. Real processes."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import pytest
from realproc import PATIENCE_S, is_alive, wait_until
from sessions import Model, state, talk

from agent_exec import Ended, ExecTool, Unsupported

_ASKS = """
import os, signal, sys, termios
print([os.isatty(fd) for fd in (0, 1, 2)], os.ttyname(0) == os.ttyname(2))
print(os.get_terminal_size(), os.getsid(0) == os.getpid() == os.tcgetpgrp(0))
print(open('/dev/tty').fileno() > 2, os.environ.get('TERM'))
signal.signal(signal.SIGWINCH, lambda *_: print(os.get_terminal_size(), flush=True))
print('ready', flush=True)
while True:
    line = sys.stdin.readline()
    print('line', repr(line), flush=True)
    if not line:
        break
"""


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "asks.py").write_text(_ASKS)
    return folder


ASKS = ("python3", "asks.py")


def test_a_terminal_is_one(worktree: Path, anyio_backend: str) -> None:
    async def use(model: Model) -> None:
        session = await model.start(*ASKS, terminal=True, env=[{"name": "TERM", "value": "vt100"}])
        found = (await model.until(session, "ready")).splitlines()
        assert found[0] == "[True, True, True] True"
        assert found[1] == "os.terminal_size(columns=80, lines=24) True"
        assert found[2] == "True vt100"

    talk(worktree, use, backend=anyio_backend)


def test_a_terminal_has_a_name_where_nothing_says_one(
    worktree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TERM", raising=False)

    async def use(model: Model) -> None:
        session = await model.start(*ASKS, terminal=True)
        assert "True xterm-256color" in await model.until(session, "ready")

    talk(worktree, use)


def test_without_one_there_is_none(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sh", "-c", "test -t 0 || test -t 1 || : </dev/tty")
        assert (await model.ended(session)).status != 0

    talk(worktree, use)


def test_a_new_size_is_told(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start(*ASKS, terminal=True)
        await model.until(session, "ready")
        result = await model.write(session, rows=50, columns=132)
        assert "its terminal has 50 rows and 132 columns now" in (result.text or "")
        await model.until(session, "os.terminal_size(columns=132, lines=50)")

    talk(worktree, use)


def test_lines_are_echoed_and_end_of_input_is_a_key(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start(*ASKS, terminal=True)
        await model.until(session, "ready")
        await model.write(session, "hé\n")
        await model.until(session, "line 'hé\\n'")
        await model.write(session, close=True)
        last = await model.ended(session)
        assert last.status == 0
        assert "hé\r\nline 'hé\\n'\r\n" in last.stdout.head
        assert "line ''" in last.stdout.head

    talk(worktree, use)


def test_text_that_is_given_is_typed(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start(*ASKS, terminal=True, stdin="first\n")
        await model.until(session, "line 'first\\n'")
        await model.write(session, "second\n")
        await model.until(session, "line 'second\\n'")

    talk(worktree, use)


@pytest.mark.parametrize("how", ["key", "signal"])
def test_ctrl_c_reaches_who_is_in_the_foreground(worktree: Path, how: str) -> None:
    async def use(model: Model) -> None:
        session = await model.start("bash", "--norc", "-i", terminal=True)
        await model.write(session, "PS1='> '; echo $((1 + 1)); sh -c 'echo re''ady; sleep 1000'\n")
        await model.until(session, "ready")
        if how == "key":
            await model.write(session, "\x03")
        else:
            await model.stop(session, "SIGINT")
        await model.write(session, "echo sta''tus $?\n")
        await model.until(session, "status 130")
        await model.write(session, "exit 7\n")
        assert (await model.ended(session)).status == 7

    talk(worktree, use)


def test_stop_ends_all_jobs_of_a_terminal(worktree: Path) -> None:
    async def use(model: Model) -> list[int]:
        session = await model.start("bash", "--norc", "-i", terminal=True)
        await model.write(session, "trap '' HUP TERM; nohup sleep 1000 & echo pid $!.\n")
        await model.until(session, ".\r\n")
        await model.write(session, "sh -c 'setsid sleep 1000 & echo pid $!.; wait'\n")
        found: set[str] = set()
        with anyio.fail_after(PATIENCE_S):
            while len(found) < 2:
                text = (await model.read(session, offset=0, wait_ms=50)).stdout.head
                found = set(re.findall(r"pid (\d+)\.", text))
        assert all(is_alive(int(pid)) for pid in found)
        assert (await model.stop(session)).ended is Ended.CANCELLED
        return [int(pid) for pid in found]

    pids = talk(worktree, use, grace_s=0.1)
    wait_until(lambda: not any(map(is_alive, pids)))


def test_all_that_was_written_before_the_end_is_read(worktree: Path) -> None:
    async def use(model: Model) -> None:
        for _ in range(5):
            session = await model.start("seq", "3000", terminal=True)
            last = await model.ended(session)
            assert last.stdout.head.endswith("\r\n2999\r\n3000\r\n")
            assert state(last).size == len("".join(f"{n}\r\n" for n in range(1, 3001)))

    talk(worktree, use)


def test_redirections_of_a_text_come_after_the_terminal(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start(command="cd . && tty <asks.py >out.txt", terminal=True)
        await model.ended(session)
        assert (worktree / "out.txt").read_text() == "not a tty\n"

    talk(worktree, use)


def test_the_portable_launcher_has_no_terminals(worktree: Path) -> None:
    async def use(model: Model) -> None:
        refused = await model.exec("cat", terminal=True)
        assert "a terminal needs Linux and the launcher vfork" in (refused.text or "")
        session = await model.start("cat")
        await model.write(session, "plain\n")
        await model.until(session, "plain\n")
        with pytest.raises(Unsupported):
            await model.tool.start(["cat"], terminal=True)
        await model.stop(session)

    talk(worktree, use, launcher="portable")


def test_the_host_keeps_its_own_terminal(worktree: Path) -> None:
    """What a session gets as its terminal does not become ours."""

    async def main() -> None:
        before = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[4]
        async with (
            ExecTool(worktree, policy="open") as tool,
            await tool.start(["cat"], terminal=True),
        ):
            pass
        assert Path("/proc/self/stat").read_text().rpartition(")")[2].split()[4] == before

    anyio.run(main)
