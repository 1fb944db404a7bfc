"""The JSON Schema of policy files, for editors."""

from __future__ import annotations

from typing import Any

from agent_exec.policy.file import PolicyFile


def policy_schema() -> dict[str, Any]:
    """As ``policies/policy.schema.json`` has it."""
    schema = PolicyFile.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A policy of agent_exec",
        "description": "What the commands of a coding agent may do.",
    }
