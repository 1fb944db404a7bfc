"""The part of the C core that a sandbox uses."""

from __future__ import annotations

from typing import Final

from agent_exec.launch.native import is_empty, make_rule_set, rules_hold
from agent_exec.sandbox.core import Core

CORE: Final = Core(make_rule_set, rules_hold, is_empty)
