"""The same on a Ray cluster: the call goes to the node that has the worktree."""

import asyncio
import os


async def main() -> None:
    import ray

    from agent_exec import BackendCall, BackendLost
    from agent_exec.integrations.ray import RayBackend

    ray.init()
    worktree = os.getcwd()
    here = ray.get_runtime_context().get_node_id()
    backend = RayBackend({worktree: here}, policies=("default",))
    call = BackendCall(worktree=worktree, arguments={"argv": ["cat", "greeting.txt"]})
    try:
        done = await backend.run(call)
        print(done.node == here, done.result["status"], done.result["stdout"]["head"], end="")
    except BackendLost as lost:
        print("whether it ran is not known:", lost)
    await backend.aclose()


if __name__ == "__main__":
    asyncio.run(main())
