"""Inspect: the commands of an evaluation are judged, and run in a worktree of its own."""

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageTool, ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import bash
from inspect_ai.util import SandboxEnvironmentSpec

from agent_exec.integrations.inspect_ai import AgentExecConfig

# Stands for a real model: it says what it is told to.
outputs = [
    ModelOutput.for_tool_call("mockllm/model", "bash", {"command": "wc -l < greeting.txt"}),
    ModelOutput.for_tool_call("mockllm/model", "bash", {"command": "rm greeting.txt"}),
    ModelOutput.from_content("mockllm/model", "done"),
]
for output in outputs:
    output.usage = ModelUsage()

task = Task(
    dataset=[Sample(input="Count the lines.", files={"greeting.txt": "hello, worktree\n"})],
    solver=[use_tools(bash()), generate()],
    sandbox=SandboxEnvironmentSpec("agent_exec", AgentExecConfig(policy="read-only")),
)
model = get_model("mockllm/model", custom_outputs=outputs)
(log,) = inspect_ai.eval(task, model=model, display="none")
for message in (log.samples or [])[0].messages:
    if isinstance(message, ChatMessageTool):
        print(message.text.strip() or message.error)
