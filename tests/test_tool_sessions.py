"""Background sessions: begun, read, written to and ended, as a model does it. Real processes."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from realproc import PATIENCE_S, is_alive, wait_until
from sessions import DEAF, LEAVES, Model, come, policy, state, talk

from agent_exec import (
    Closed,
    Ended,
    ExecTool,
    ToolResult,
)

HANDLE_LENGTH = 10


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


def said(result: ToolResult) -> str:
    assert result.text is not None
    return result.text


def test_a_session_from_its_start_to_its_end(worktree: Path, anyio_backend: str) -> None:
    async def use(model: Model) -> None:
        first = await model.exec("sh", "-c", "echo ready; read x; echo got $x; echo no >&2; exit 3")
        assert (first.ended, first.status, first.stages) == (Ended.RUNNING, None, ())
        session = state(first)
        assert (session.running, len(session.handle)) == (True, HANDLE_LENGTH)
        await model.until(session.handle, "ready\n")
        await model.write(session.handle, "you\n")
        last = await model.ended(session.handle)
        assert last.stdout.head == "ready\ngot you\nno\n"
        assert (last.ended, last.status) == (Ended.EXIT, 3)
        assert [stage.exit_code for stage in last.stages] == [3]
        assert state(last)._asdict() == {
            "handle": session.handle,
            "running": False,
            "offset": 0,
            "next_offset": 17,
            "dropped": 0,
            "size": 17,
        }
        assert said(last).startswith("exit status 3 after ")
        assert said(last).endswith("(ended); that is all of its output")

    talk(worktree, use, backend=anyio_backend)


def test_what_ends_at_once_is_told_at_once(worktree: Path) -> None:
    async def use(model: Model) -> None:
        result = await model.exec("sh", "-c", "echo no such port >&2; exit 1")
        assert (result.ended, result.status) == (Ended.EXIT, 1)
        assert result.stdout.head == "no such port\n"
        assert state(result).running is False

    # However slow the machine is.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent_exec.runtime.sessions.served.START_S", PATIENCE_S)
        talk(worktree, use)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"argv": ["no-such-program"]}, "no such program"),
        ({"argv": ["./broken"]}, "not started: LaunchError"),
        ({"argv": ["cat"], "cwd": "nowhere"}, "nowhere"),
        ({"argv": ["bash"], "terminal": True, "stdout_file": "x"}, "leave stdout_file"),
        ({"pipeline": [["cat"], ["cat"]], "terminal": True}, "one program"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_does_not_start_is_no_session(
    worktree: Path, fields: dict[str, Any], answer: str
) -> None:
    (worktree / "broken").write_text("#!/no/such/interpreter\n")
    (worktree / "broken").chmod(0o755)

    async def use(model: Model) -> None:
        result = await model.exec(**fields)
        assert answer in said(result)
        assert result.session is None
        assert said(await model.read()).startswith("0 sessions")

    talk(worktree, use)


@pytest.mark.parametrize(
    "fields",
    [
        {"pipeline": [["sh", "-c", "echo a; echo b; sleep 1000"], ["cat"]]},
        {"command": "echo a && sh -c 'echo b; sleep 1000' | cat"},
        {"command": "for x in a b; do echo $x; done; sleep 1000"},
    ],
    ids=["pipeline", "lowered", "bash"],
)
def test_every_form_of_a_call_can_go_on(worktree: Path, fields: dict[str, Any]) -> None:
    async def use(model: Model) -> None:
        session = await model.start(**fields)
        assert await model.until(session, "b\n") == "a\nb\n"
        result = await model.stop(session)
        assert result.ended is Ended.CANCELLED
        assert "it was stopped" in said(result)

    talk(worktree, use)


def test_reads_go_on_where_the_last_ended(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("cat")
        parts = []
        for word in ("one\n", "two\n"):
            result = await model.write(session, word)
            while not result.stdout.head:
                result = await model.read(session, wait_ms=1000)
            parts.append((result.stdout.head, state(result).offset, state(result).next_offset))
        assert parts == [("one\n", 0, 4), ("two\n", 4, 8)]
        again = await model.read(session, offset=2, bytes=4)
        assert (again.stdout.head, state(again).next_offset) == ("e\ntw", 6)
        assert "nothing new" in said(await model.read(session))

    talk(worktree, use)


def test_a_wait_ends_when_there_is_output(worktree: Path, anyio_backend: str) -> None:
    async def use(model: Model) -> None:
        session = await model.start("cat")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                result = await model.read(session, offset=0, wait_ms=300_000)
                assert result.stdout.head == "come\n"
                done.set()

            done = anyio.Event()
            group.start_soon(wait)
            other = Model(model.tool)
            await other.write(session, "come\n")
            with anyio.fail_after(PATIENCE_S):
                await done.wait()

    talk(worktree, use, backend=anyio_backend)


def test_a_wait_ends_with_the_session(worktree: Path, anyio_backend: str) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sh", "-c", "read x")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                result = await model.read(session, wait_ms=300_000)
                assert (result.ended, state(result).running) == (Ended.EXIT, False)
                done.set()

            done = anyio.Event()
            group.start_soon(wait)
            await model.write(session, close=True)
            with anyio.fail_after(PATIENCE_S):
                await done.wait()

    talk(worktree, use, backend=anyio_backend)


def test_a_wait_ends_after_its_time(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sleep", "1000")
        with anyio.fail_after(PATIENCE_S):
            result = await model.read(session, wait_ms=20)
        assert (result.ended, result.stdout.head) == (Ended.RUNNING, "")

    talk(worktree, use)


def test_a_cancelled_wait_leaves_the_session_alone(worktree: Path, anyio_backend: str) -> None:
    async def use(model: Model) -> None:
        session = await model.start("cat")
        with anyio.move_on_after(0.05) as scope:
            await model.read(session, wait_ms=300_000)
        assert scope.cancelled_caught
        await model.write(session, "still\n")
        await model.until(session, "still\n")

    talk(worktree, use, backend=anyio_backend)


def test_more_output_than_is_kept_is_told(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("seq", "100000")
        last = await model.ended(session)
        size = len("".join(f"{n}\n" for n in range(1, 100_001)))
        assert state(last).size == size
        assert (state(last).dropped, state(last).offset) == (size - 4096, size - 4096)
        assert last.stdout.head.endswith("\n99999\n100000\n")
        assert len(last.stdout.head) == 4096
        assert f"{size - 4096} bytes before this are not shown" in said(last)

    talk(worktree, use, output_bytes=4096)


def test_a_slow_reader_gets_all_that_fits(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("seq", "20000")
        await model.ended(session)
        whole, at = "", 0
        while True:
            part = await model.read(session, offset=at, bytes=1000)
            if not part.stdout.head:
                break
            assert state(part).offset == at
            whole += part.stdout.head
            at = state(part).next_offset
        assert whole == "".join(f"{n}\n" for n in range(1, 20_001))

    talk(worktree, use)


def test_who_writes_without_end_is_read_and_can_be_stopped(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("yes")
        before = state(await model.read(session)).size
        with anyio.fail_after(PATIENCE_S):
            while state(await model.read(session)).size < before + 4_000_000:
                pass
        assert (await model.stop(session)).ended is Ended.CANCELLED

    talk(worktree, use)


def test_the_newest_is_shown_of_too_much_that_is_new(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("cat")
        await model.tool.call({"session": session, "close": True}, name="exec_write")
        await model.ended(session)
        session = await model.start("sh", "-c", "read x; seq 1000")
        whole = "".join(f"{n}\n" for n in range(1, 1001))
        with pytest.MonkeyPatch.context() as patch:
            # Nobody reads until it has ended.
            patch.setattr("agent_exec.runtime.sessions.served.START_S", 0.0)
            await model.write(session, "\n")
        await come(lambda: not model.tool.running_sessions)
        last = await model.read(session, bytes=100)
        assert last.stdout.head == whole[-100:]
        assert state(last).dropped + 100 <= len(whole)
        assert (await model.read(session, offset=0, bytes=100)).stdout.head == whole[:100]

    talk(worktree, use)


def test_input_is_given_with_the_call_or_written_later(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("cat", stdin="given\n")
        assert (await model.ended(session)).stdout.head == "given\n"
        session = await model.start("cat")
        result = await model.write(session, "a\n", close=True)
        assert "wrote 2 bytes, and the end of its input" in said(result)
        assert (await model.ended(session)).stdout.head == "a\n"

    talk(worktree, use)


def test_input_that_nobody_reads_is_not_waited_for_without_end(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sleep", "1000")
        result = await model.write(session, "x" * 200_000)
        assert "wrote 65536 bytes of 200000; it reads no more now" in said(result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent_exec.runtime.sessions.session._WRITE_S", 0.05)
        talk(worktree, use)


def test_much_input_arrives_in_order(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sha256sum")
        text = "".join(f"{n}\n" for n in range(200_000))
        result = await model.write(session, text, close=True)
        assert f"wrote {len(text)} bytes" in said(result)
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert (await model.ended(session)).stdout.head.startswith(digest)

    talk(worktree, use)


MISTAKES: list[tuple[str, dict[str, Any], str | None]] = [
    ("exec_read", {"session": "nosuchhand"}, "there is no session 'nosuchhand' of yours"),
    ("exec_read", {"offset": 10_000}, "offset 10000 is beyond the 6 bytes"),
    ("exec_read", {"offset": -1}, "it counts from 0"),
    ("exec_read", {"wait_ms": -1}, "send 0 or more"),
    ("exec_read", {"bytes": 0}, None),
    ("exec_read", {"offset": "many"}, "send offset as a whole number"),
    ("exec_read", {"colour": "red"}, "there is no field"),
    ("exec_write", {"session": "nosuchhand", "text": "a"}, "there is no session"),
    ("exec_write", {}, "there is nothing to write"),
    ("exec_write", {"text": "\ud800"}, "is no character"),
    ("exec_write", {"text": 7}, "send text as a string"),
    ("exec_write", {"rows": 3, "columns": 3}, "has no terminal"),
    ("exec_write", {"rows": 3}, "columns is None"),
    ("exec_write", {"rows": 0, "columns": 99_999}, "rows is 0"),
    ("exec_stop", {"signal": "SIGNONE"}, "there is no signal 'SIGNONE'"),
    ("exec_stop", {"signal": "99"}, "there is no signal"),
    ("exec_stop", {"session": "nosuchhand"}, "there is no session"),
    ("exec_restart", {}, "there is no tool 'exec_restart'"),
]


def test_mistakes_are_answers_and_do_no_harm(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sh", "-c", "echo ready; cat")
        await model.until(session, "ready\n")
        for name, fields, answer in MISTAKES:
            result = await model.tool.call({"session": session, **fields}, name=name)
            if answer is not None:
                assert said(result).startswith("refused: InvalidCall: "), (name, fields)
                assert answer in said(result), (name, fields)
        await model.write(session, "alive\n")
        await model.until(session, "alive\n")

    talk(worktree, use)


def test_a_session_that_has_ended_says_so(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("true")
        await model.ended(session)
        assert "has ended and reads nothing" in said(await model.write(session, "a"))
        assert "has ended; no signal reaches it" in said(await model.stop(session, "SIGINT"))
        assert "it had ended before" in said(await model.stop(session))
        assert (await model.read(session)).status == 0
        session = await model.start("cat")
        await model.write(session, close=True)
        assert "refused" in said(await model.write(session, "a"))

    talk(worktree, use)


def test_handles_belong_to_their_owner(worktree: Path) -> None:
    async def use(model: Model) -> None:
        other = Model(model.tool, "somebody else")
        session = await model.start("cat")
        for refused in (
            await other.read(session),
            await other.write(session, "a"),
            await other.stop(session),
        ):
            assert "of yours here: you have none" in said(refused)
        assert said(await other.read()).startswith("0 sessions")
        assert session in said(await model.read())
        await model.write(session, "alive\n")
        assert await model.until(session, "alive") == "alive\n"
        model.tool.end_sessions("somebody else")
        assert (await model.read(session)).ended is Ended.RUNNING
        model.tool.end_sessions("")
        assert "there is no session" in said(await model.read(session))
        wait_until(lambda: not model.tool.running_sessions)

    talk(worktree, use)


def test_handles_of_another_tool_are_not_there(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("cat")
        with ExecTool(worktree, policy="open") as tool:
            assert "there is no session" in said(await Model(tool).read(session))

    talk(worktree, use)


def test_no_more_than_the_policy_lets(worktree: Path, tmp_path: Path) -> None:
    async def use(model: Model) -> None:
        first = await model.start("sleep", "1000")
        second = await model.start("sleep", "1001")
        refused = await model.exec("sleep", "1002")
        assert "2 sessions run, and no more may at once" in said(refused)
        assert f"stop one with exec_stop: {first} (sleep 1000), {second} (sleep 1001)" in said(
            refused
        )
        foreign = await Model(model.tool, "other").exec("sleep", "1002")
        assert first not in said(foreign)
        assert said(foreign).endswith("no more may at once")
        await model.stop(first)
        await model.start("sleep", "1002")

    talk(worktree, use, policy=policy(tmp_path, max=2))


def test_none_where_the_policy_lets_none(worktree: Path, tmp_path: Path) -> None:
    async def use(model: Model) -> None:
        assert "the policy allows no background sessions" in said(await model.exec("cat"))

    talk(worktree, use, policy=policy(tmp_path, max=0))


def test_what_nobody_reads_is_ended(worktree: Path, tmp_path: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sleep", "1000")
        await come(lambda: not model.tool.running_sessions)
        result = await model.read(session)
        assert result.ended is Ended.CANCELLED
        assert "nobody has read it for 0.5 s" in said(result)

    talk(worktree, use, policy=policy(tmp_path, max=2, idle_s=0.5))


def test_who_waits_for_it_has_not_forgotten_it(worktree: Path, tmp_path: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sleep", "1000")
        result = await model.read(session, wait_ms=1500)
        assert result.ended is Ended.RUNNING

    talk(worktree, use, policy=policy(tmp_path, max=2, idle_s=0.5))


def test_a_time_limit_counts_where_it_is_given(worktree: Path, tmp_path: Path) -> None:
    text = "limits: {timeout_s: 0.05, max_timeout_s: 0.1}\n"

    async def use(model: Model) -> None:
        free = await model.start("sleep", "1000")
        session = await model.start("sleep", "1001", timeout_ms=300)
        last = await model.ended(session)
        assert last.ended is Ended.TIMEOUT
        assert (await model.read(free)).ended is Ended.RUNNING

    talk(worktree, use, policy=policy(tmp_path, text, max=8))


@pytest.mark.parametrize("name", ["SIGINT", "int", "2"])
def test_a_signal_reaches_what_runs(worktree: Path, name: str) -> None:
    async def use(model: Model) -> None:
        script = "trap 'echo caught' INT; echo ready; while :; do sleep 0.01; done"
        session = await model.start("sh", "-c", script)
        await model.until(session, "ready")
        assert f"processes got {name}" in said(await model.stop(session, name))
        await model.until(session, "caught")
        assert (await model.read(session)).ended is Ended.RUNNING

    talk(worktree, use)


def test_a_signal_reaches_no_other_session(worktree: Path) -> None:
    async def use(model: Model) -> None:
        other = await model.start("sleep", "1000")
        session = await model.start("sleep", "1001")
        await model.stop(session, "SIGKILL")
        last = await model.ended(session)
        assert (last.ended, last.stages[0].signal) == (Ended.SIGNAL, "SIGKILL")
        assert (await model.read(other)).ended is Ended.RUNNING

    talk(worktree, use)


def test_stop_ends_what_ignores_sigterm(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sh", "-c", DEAF)
        await model.until(session, "ready")
        with anyio.fail_after(PATIENCE_S):
            assert (await model.stop(session)).ended is Ended.CANCELLED

    talk(worktree, use, grace_s=0.05)


def test_stop_ends_what_has_left_its_session(worktree: Path) -> None:
    async def use(model: Model) -> int:
        session = await model.start("sh", "-c", "setsid sleep 1000 & echo $!; wait")
        pid = int(await model.until(session, "\n"))
        assert is_alive(pid)
        await model.stop(session)
        return pid

    pid = talk(worktree, use)
    wait_until(lambda: not is_alive(pid))


def test_closing_the_tool_ends_all(worktree: Path) -> None:
    async def use(model: Model) -> list[int]:
        pids = []
        for script in (DEAF, "exec sleep 1000", LEAVES.replace("env -i ", "")):
            session = await model.start("sh", "-c", f"echo $$; {script}")
            pids.append(int((await model.until(session, "\n")).split()[0]))
        assert all(map(is_alive, pids))
        return pids

    with ExecTool(worktree, policy="open", grace_s=1000) as tool:
        pids = anyio.run(use, Model(tool))
    assert not any(map(is_alive, pids))


def test_a_wait_ends_when_the_tool_is_closed(worktree: Path, anyio_backend: str) -> None:
    async def main() -> None:
        tool = ExecTool(worktree, policy="open")
        model = Model(tool)
        session = await model.start("sleep", "1000")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                try:
                    result = await model.read(session, wait_ms=300_000)
                except Closed:
                    return
                # It has seen the end of the session first.
                assert result.ended is Ended.CANCELLED

            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            tool.close()
        with pytest.raises(Closed):
            await model.read(session)
        with pytest.raises(Closed):
            await model.exec("cat")

    anyio.run(main, backend=anyio_backend)


def test_a_tool_that_is_dropped_ends_its_sessions(worktree: Path) -> None:
    async def main() -> int:
        model = Model(ExecTool(worktree, policy="open"))
        session = await model.start("sh", "-c", "echo $$; exec sleep 1000")
        return int(await model.until(session, "\n"))

    pid = anyio.run(main)
    gc.collect()
    wait_until(lambda: not is_alive(pid))


def test_eight_at_once_beside_calls(worktree: Path, anyio_backend: str) -> None:
    async def use(model: Model) -> None:
        sessions = [await model.start("cat") for _ in range(8)]

        async def speak(session: str, number: int) -> None:
            for turn in range(5):
                await model.write(session, f"{number}.{turn}\n")
            await model.write(session, close=True)
            whole = (await model.ended(session)).stdout.head
            assert whole == "".join(f"{number}.{turn}\n" for turn in range(5))

        async def call(number: int) -> None:
            result = await model.tool.call({"argv": ["echo", str(number)]})
            assert result.stdout.head == f"{number}\n"

        async with anyio.create_task_group() as group:
            for number, session in enumerate(sessions):
                group.start_soon(speak, session, number)
            for number in range(20):
                group.start_soon(call, number)

    talk(worktree, use, backend=anyio_backend, max_concurrent=2)


def test_the_list_says_how_they_are(worktree: Path) -> None:
    async def use(model: Model) -> None:
        running = await model.start("sleep", "1000")
        ended = await model.start("sh", "-c", "exit 4")
        await model.ended(ended)
        listed = await model.read()
        first, second = listed.stdout.head.splitlines()
        assert first.startswith(f"{running}: running, ")
        assert first.endswith("0 bytes not read: sleep 1000")
        assert f"{ended}: ended (exit status 4)" in second
        assert said(listed).startswith("2 sessions; 8 may run at once\n")

    talk(worktree, use)


SECRET = "hunter2-hunter2-hunter2"


def test_a_secret_in_two_reads_is_not_shown(
    worktree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", SECRET)
    withheld = policy(tmp_path, "env: {inherit: [HOME]}\n", max=8)

    async def use(model: Model) -> None:
        session = await model.start("cat")
        shown = ""
        for part in ("a ", SECRET[:9], SECRET[9:], " b\n"):
            result = await model.write(session, part)
            shown += result.stdout.head
        while not shown.endswith(" b\n"):
            shown += (await model.read(session, wait_ms=100)).stdout.head
        assert shown == "a [redacted] b\n"
        for at in range(2, 2 + len(SECRET)):
            assert "hunter" not in (await model.read(session, offset=at)).stdout.head
        raw = await model.start("echo", SECRET)
        last = await model.ended(raw)
        assert SECRET not in str(last)
        assert SECRET not in said(await model.read())

    talk(worktree, use, policy=withheld)


def test_control_sequences_do_nothing(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("printf", r"\033[31mred\033[0m \033]0;title\007ok\n")
        last = await model.ended(session)
        assert "\x1b" not in said(last)
        assert "output:\nred ok\n" in said(last)

    talk(worktree, use)


def test_the_output_may_go_to_a_file(worktree: Path) -> None:
    async def use(model: Model) -> None:
        session = await model.start("sh", "-c", "echo out; echo err >&2", stdout_file="out.txt")
        assert (await model.ended(session)).stdout.head == "err\n"

    talk(worktree, use)
    assert (worktree / "out.txt").read_text() == "out\n"


def records(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines() if line]


def test_start_and_end_are_recorded(worktree: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def use(model: Model) -> None:
        session = await model.start("sh", "-c", "read x; echo $x")
        assert [each["ended"] for each in records(log)] == ["running"]
        await model.write(session, "abc\n")
        await model.ended(session)
        await model.start("sleep", "1000")
        await model.exec("no-such-program")

    talk(worktree, use, audit=log)
    found = records(log)
    assert [(each["ended"], each["call"]["argv"][0]) for each in found] == [
        ("running", "sh"),
        ("exit", "sh"),
        ("running", "sleep"),
        ("launch_failed", "no-such-program"),
        ("cancelled", "sleep"),
    ]
    begun, ended = found[:2]
    assert begun["id"] == ended["id"]
    assert begun["call"]["background"] is True
    assert ended["bytes"]["stdout"] == len("abc\n")


@pytest.mark.parametrize(
    ("shipped", "fields", "verdict"),
    [
        ("read-only", {"argv": ["tail", "-f", "a.txt"]}, "allow"),
        ("read-only", {"argv": ["touch", "b.txt"]}, "deny"),
        ("read-only", {"argv": ["bash"]}, "deny"),
        ("default", {"argv": ["bash"]}, "ask"),
        ("default", {"argv": ["python3"]}, "ask"),
        ("workspace", {"argv": ["cat"]}, "allow"),
        ("workspace", {"argv": ["less", "a.txt"], "terminal": True}, "ask"),
        ("read-only", {"argv": ["cat"], "terminal": True}, "deny"),
        ("workspace", {"command": "cat a.txt && cat", "terminal": True}, "ask"),
        ("open", {"argv": ["less", "a.txt"], "terminal": True}, "allow"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_sessions_are_judged_with_what_may_be_written_to_them(
    worktree: Path, shipped: str, fields: dict[str, Any], verdict: str
) -> None:
    async def use(model: Model) -> None:
        decision = await model.tool.decide({"background": True, **fields})
        assert decision.verdict.value == verdict, decision.because
        if verdict != "allow":
            assert said(await model.exec(**fields)).startswith("refused")
            assert not model.tool.running_sessions

    talk(worktree, use, policy=shipped)


@pytest.mark.parametrize(
    ("text", "route", "output"),
    [
        ("cat a.txt | cat", "shell", "one\r\n"),
        ("cat a.txt; echo two", "shell", "one\r\ntwo\r\n"),
        ("cd . && echo zero && cat a.txt", "direct", "zero\r\none\r\n"),
        ("echo zero", "direct", "zero\r\n"),
    ],
)
def test_of_several_commands_at_a_terminal_bash_leads(
    worktree: Path, text: str, route: str, output: str
) -> None:
    async def use(model: Model) -> None:
        arguments = {"command": text, "background": True, "terminal": True}
        decision = await model.tool.decide(arguments)
        assert decision.route is not None
        assert decision.route.value == route
        session = await model.start(**arguments)
        assert (await model.ended(session)).stdout.head == output

    talk(worktree, use)


def test_git_is_hardened_as_in_the_foreground(worktree: Path) -> None:
    env = {"HOME": str(worktree), "PATH": os.environ["PATH"]}
    for words in (["init", "-q"], ["config", "core.fsmonitor", "touch pwned; false"]):
        subprocess.run(["git", *words], cwd=worktree, env=env, check=True)

    async def use(model: Model) -> None:
        session = await model.start("git", "status", "--short")
        assert "a.txt" in (await model.ended(session)).stdout.head

    talk(worktree, use, policy="read-only")
    assert not (worktree / "pwned").exists()


def test_decided_now_and_begun_later(worktree: Path) -> None:
    async def use(model: Model) -> None:
        arguments = {"argv": ["cat"], "background": True}
        decision = await model.tool.decide(arguments)
        result = await model.tool.run_decided(decision, owner="me")
        session = state(result).handle
        assert "there is no session" in said(await model.read(session))
        assert (await Model(model.tool, "me").read(session)).ended is Ended.RUNNING

    talk(worktree, use)
