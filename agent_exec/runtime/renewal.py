"""What the policy says when a program under a spawn template has been replaced."""

from __future__ import annotations

import errno

from agent_exec.errors import TemplateError
from agent_exec.model.decision import Decision, Route, Ruling, Verdict, strictest
from agent_exec.template.cache import TemplateCache

_RULE = "templates.on_update"

MOST_RENEWALS = 64
"""Of the templates of one launch: programs may be replaced while they are being replaced. Where 16
calls wait for a processor and an update comes every 13 ms, two of three launches are too late."""


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


class Updates:
    """Makes a decision stricter when a program of it was replaced since it was last run.

    Args:
        on_update: ``templates.on_update`` of the policy.
        cache: Whose templates tell.
    """

    def __init__(self, on_update: str, cache: TemplateCache) -> None:
        self._on_update = on_update
        self._cache = cache

    def judge(self, decision: Decision) -> Decision:
        """The decision, or a stricter one. Only of programs that we start ourselves."""
        if self._on_update == "recreate" or decision.route is not Route.DIRECT:
            return decision
        commands = tuple([self._ruling(ruling) for ruling in decision.commands])
        reasons = [
            now.because[-1]
            for before, now in zip(decision.commands, commands, strict=True)
            if now is not before
        ]
        if not reasons:
            return decision
        verdict = strictest(decision.verdict, *[ruling.verdict for ruling in commands])
        kept = decision.because if verdict is decision.verdict else ()
        return decision._replace(verdict=verdict, commands=commands, because=(*kept, *reasons))

    def _ruling(self, ruling: Ruling) -> Ruling:
        program = ruling.program
        if ruling.of is not None or program is None or not self._cache.is_stale(program):
            return ruling
        verdict, because = on_stale(self._on_update, TemplateError(program, errno.ESTALE))
        # Without a name, no pattern is offered that would cover later updates, too.
        return ruling._replace(
            verdict=strictest(ruling.verdict, verdict),
            rules=(*ruling.rules, _RULE),
            because=(*ruling.because, because),
            name=(),
        )
