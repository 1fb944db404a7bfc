"""A call as plain data, and its result: here by the backend of this process."""

import asyncio
import os

from agent_exec import BackendCall, Chunk, LocalBackend


async def main() -> None:
    worktree = os.getcwd()
    backend = LocalBackend(worktrees=(worktree,), policies=("default",))
    call = BackendCall(worktree=worktree, arguments={"argv": ["cat", "greeting.txt"]})
    done = await backend.run(call)
    print(done.node, done.result["status"], done.result["stdout"]["head"], end="")
    async with backend.stream(call) as events:
        async for event in events:
            if isinstance(event, Chunk):
                print(event.stream, event.data)
    await backend.aclose()


asyncio.run(main())
