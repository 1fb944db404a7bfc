"""Calls on the nodes of a Ray cluster: `RayBackend`. Needs the extra ``ray``."""

from agent_exec.integrations.common.extra import needs

with needs("ray"):
    from agent_exec.integrations.ray.backend import RayBackend

__all__ = ["RayBackend"]
