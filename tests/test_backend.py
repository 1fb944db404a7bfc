"""The local backend: real calls, under asyncio and trio."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from realproc import is_alive, wait_until

from agent_exec import (
    BackendCall,
    BackendLost,
    BackendResult,
    Chunk,
    Closed,
    InvalidCall,
    LocalBackend,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def worktree(tmp_path: Path) -> str:
    (tmp_path / "greeting.txt").write_text("hello\n")
    return str(tmp_path)


@pytest.fixture
async def backend(worktree: str) -> AsyncIterator[LocalBackend]:
    made = LocalBackend(
        worktrees=(worktree,), policies=("default", "open"), node="here", options={"audit": False}
    )
    yield made
    await made.aclose()


def call(worktree: str, policy: str = "open", **arguments: Any) -> BackendCall:
    return BackendCall(worktree=worktree, arguments=arguments, policy=policy)


async def test_a_call_and_its_result_are_plain_data(backend: LocalBackend, worktree: str) -> None:
    made = call(worktree, "default", argv=["cat", "greeting.txt"])
    sent = BackendCall.from_json(json.loads(json.dumps(made.to_json())))
    assert sent == made
    with anyio.fail_after(20):
        done = await backend.run(sent)
    result = json.loads(json.dumps(done.result))
    assert (done.node, result["status"], result["stdout"]["head"]) == ("here", 0, "hello\n")
    assert done.text is not None
    assert "hello" in done.text


async def test_a_background_session_goes_on_between_calls(
    backend: LocalBackend, worktree: str
) -> None:
    talks = ["sh", "-c", "echo pid $$; while read x; do echo got $x; done"]
    begun = replace(call(worktree, argv=talks, background=True), owner="me")

    async def go_on(name: str, **arguments: Any) -> BackendResult:
        sent = replace(begun, name=name, arguments={"session": handle, **arguments})
        return await backend.run(BackendCall.from_json(json.loads(json.dumps(sent.to_json()))))

    with anyio.fail_after(30):
        handle = (await backend.run(begun)).result["session"]["handle"]
        read = await go_on("exec_read", offset=0, wait_ms=10_000)
        pid = int(read.result["stdout"]["head"].split()[1])
        await go_on("exec_write", text="a\n")
        while "got a" not in str((await go_on("exec_read", offset=0, wait_ms=1000)).text):
            pass
        others = replace(begun, name="exec_read", arguments={"session": handle}, owner="you")
        assert (await backend.run(others)).result["ended"] == "refused"
        async with backend.stream(others) as events:
            (streamed,) = [event async for event in events]
        assert isinstance(streamed, BackendResult)
        assert "exec_read has no output to stream; use run" in streamed.result["error"]
        assert is_alive(pid)
        await backend.end_sessions("me")
    await anyio.to_thread.run_sync(wait_until, lambda: not is_alive(pid))


async def test_what_a_policy_refuses_is_a_result(backend: LocalBackend, worktree: str) -> None:
    with anyio.fail_after(20):
        done = await backend.run(call(worktree, "default", argv=["touch", "new"]))
        async with backend.stream(call(worktree, "default", argv=["touch", "new"])) as events:
            streamed = [event async for event in events]
    assert done.result["ended"] == "refused"
    (result,) = streamed
    assert isinstance(result, BackendResult)
    assert result.result["ended"] == "refused"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"worktree": "/elsewhere"}, "no worktree '/elsewhere'", id="worktree"),
        pytest.param({"policy": "strict"}, "no policy 'strict'; it has default, open", id="policy"),
    ],
)
async def test_a_place_that_the_backend_does_not_have_is_refused(
    backend: LocalBackend, worktree: str, changed: dict[str, str], words: str
) -> None:
    usual = BackendCall(worktree=worktree, arguments={"argv": ["ls"]})
    wrong = replace(usual, **changed)  # type: ignore[arg-type]
    with pytest.raises(InvalidCall, match=words):
        await backend.run(wrong)
    with pytest.raises(InvalidCall, match=words):
        async with backend.stream(wrong):
            pass


async def test_outputs_are_streamed_while_the_call_runs(
    backend: LocalBackend, worktree: str
) -> None:
    gate = Path(worktree, "gate")
    os.mkfifo(gate)
    text = "echo first; read word < gate; echo $word >&2; exit 3"
    with anyio.fail_after(20):
        async with backend.stream(call(worktree, argv=["sh", "-c", text])) as events:
            assert await anext(events) == Chunk("stdout", b"first\n")
            # It runs: it waits for this.
            await anyio.to_thread.run_sync(gate.write_text, "second\n")
            assert await anext(events) == Chunk("stderr", b"second\n")
            result = await anext(events)
            assert isinstance(result, BackendResult)
            assert result.result["status"] == 3
            assert [event async for event in events] == []


async def test_all_of_a_long_output_is_streamed(backend: LocalBackend, worktree: str) -> None:
    size = 3_000_000
    with anyio.fail_after(30):
        async with backend.stream(call(worktree, argv=["head", "-c", f"{size}", "/dev/zero"])) as e:
            chunks = [event.data async for event in e if isinstance(event, Chunk)]
    assert sum(map(len, chunks)) == size


async def test_a_stream_that_nobody_reads_makes_its_child_wait(
    backend: LocalBackend, worktree: str
) -> None:
    size, done = 5_000_000, Path(worktree, "done")
    says_much = call(worktree, argv=["sh", "-c", f"head -c {size} /dev/zero; touch done"])
    with anyio.fail_after(30):
        async with backend.stream(says_much) as events:
            first = await anext(events)
            assert isinstance(first, Chunk)
            for _ in range(15):
                await backend.run(call(worktree, argv=["true"]))
            assert not done.exists()
            rest = [len(event.data) async for event in events if isinstance(event, Chunk)]
    assert len(first.data) + sum(rest) == size
    assert done.exists()


async def test_a_stream_does_not_wait_for_what_a_call_leaves_behind(worktree: str) -> None:
    backend = LocalBackend(
        worktrees=(worktree,), policies=("open",), options={"audit": False, "survivors": "keep"}
    )
    text = "sleep 1000 & echo $!"
    with anyio.fail_after(20):
        async with backend.stream(call(worktree, argv=["sh", "-c", text])) as events:
            chunk, result = [event async for event in events]
    assert isinstance(chunk, Chunk)
    assert isinstance(result, BackendResult)
    left = int(chunk.data)
    assert result.result["survivors"] == [left]
    pidfd = os.pidfd_open(left)
    os.kill(left, 9)
    with anyio.fail_after(20):
        await anyio.wait_readable(pidfd)
    os.close(pidfd)
    await backend.aclose()


@pytest.mark.parametrize("how", ["run", "stream", "leave"])
async def test_what_is_cancelled_is_ended_with_its_tree(
    backend: LocalBackend, worktree: str, how: str
) -> None:
    fifo = Path(worktree, "fifo")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    waiting = call(worktree, argv=["sh", "-c", "(exec 3>fifo; echo up >&3; sleep 1000) & wait"])

    is_up = anyio.Event()

    async def use() -> None:
        if how == "run":
            await backend.run(waiting)
        else:
            async with backend.stream(waiting) as events:
                if how == "leave":
                    await is_up.wait()
                    return
                async for _ in events:
                    pass

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use)
            await anyio.wait_readable(reader)
            assert os.read(reader, 3) == b"up\n"
            is_up.set()
            if how != "leave":
                tasks.cancel_scope.cancel()
        # End of file: nobody holds the other end any more.
        await anyio.wait_readable(reader)
        assert os.read(reader, 1) == b""
    os.close(reader)


async def test_what_is_raised_beside_a_stream_is_raised_as_it_is(
    backend: LocalBackend, worktree: str
) -> None:
    with anyio.fail_after(20), pytest.raises(LookupError, match="mine"):
        async with backend.stream(call(worktree, argv=["sleep", "1000"])):
            raise LookupError("mine")


async def test_a_closed_backend_takes_no_calls(backend: LocalBackend, worktree: str) -> None:
    await backend.run(call(worktree, argv=["true"]))
    await backend.aclose()
    await backend.aclose()
    with pytest.raises(Closed):
        await backend.run(call(worktree, argv=["true"]))


@pytest.mark.parametrize("arguments", [{"stdout_file": "out"}, {"background": True}], ids=str)
async def test_what_has_no_output_is_not_streamed(
    backend: LocalBackend, worktree: str, arguments: dict[str, Any]
) -> None:
    with anyio.fail_after(20):
        async with backend.stream(call(worktree, argv=["ls"], **arguments)) as events:
            (result,) = [event async for event in events]
    assert isinstance(result, BackendResult)
    assert "use run" in result.result["error"]


async def test_a_loss_survives_pickling() -> None:
    loss = pickle.loads(pickle.dumps(BackendLost("n1", "/w", "it fell")))
    assert (loss.node, loss.worktree, str(loss)) == (
        "n1",
        "/w",
        "lost node n1, which has /w; it fell",
    )
