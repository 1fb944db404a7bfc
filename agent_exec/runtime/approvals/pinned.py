"""The templates of programs that somebody has approved: of these files, or of none."""

from __future__ import annotations

import errno

from agent_exec.errors import Denied, TemplateError
from agent_exec.model.decision import Grant, Verdict
from agent_exec.runtime.approvals.asking import refusal
from agent_exec.runtime.approvals.identity import identity_text
from agent_exec.runtime.renewal import on_stale
from agent_exec.template.cache import Lease, TemplateCache


def lease_approved(cache: TemplateCache, program: str, grant: Grant, on_update: str) -> Lease:
    """The template of `program`; where it was approved, of the file that was.

    One that was kept from before what was approved is replaced, as the policy says.

    Raises:
        Denied: Another file is there now; or the policy wants no replaced programs.
        TemplateError, Closed: As `TemplateCache.lease`.
    """
    lease = cache.lease(program)
    approved = grant.programs.get(program)
    if approved is None or _is(lease, approved):
        return lease
    error = TemplateError(program, errno.ESTALE)
    verdict, because = on_stale(on_update, error)
    if verdict is Verdict.DENY:
        lease.release()
        raise refusal(grant.decision._replace(verdict=verdict, because=(because,)))
    lease = cache.renew(lease)
    if _is(lease, approved):
        return lease
    lease.release()
    raise Denied(f"it is no longer what was approved: {error}", grant.decision)


def _is(lease: Lease, approved: str) -> bool:
    return identity_text(lease.template.executable.identity) == approved
