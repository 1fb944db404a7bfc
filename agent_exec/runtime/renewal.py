"""What the policy says when a program under a spawn template has been replaced."""

from __future__ import annotations

import errno

from agent_exec.errors import TemplateError
from agent_exec.model.decision import Verdict


def on_stale(on_update: str, error: TemplateError) -> tuple[Verdict, str]:
    """Whether a new template may be made in place of one that a launcher refused, and why not.

    Args:
        on_update: ``templates.on_update`` of the policy.
        error: ESTALE: the program is another file now, or has changed. Else it is we who have
            changed, which no policy speaks of.
    """
    if error.errno != errno.ESTALE or on_update == "recreate":
        return Verdict.ALLOW, ""
    verdict = Verdict.ASK if on_update == "ask" else Verdict.DENY
    return verdict, (
        f"{error.path} has been replaced or changed since it was last run, "
        f"and templates.on_update of the policy is {on_update}"
    )
