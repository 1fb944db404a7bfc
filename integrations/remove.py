"""``agent-exec uninstall``: every install taken back, and our own files removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import import_module

from agent_exec import AgentExecError, DaemonError, InvalidCall
from agent_exec.daemon.client import Client
from agent_exec.daemon.places import Places
from agent_exec.integrations import installed

_END_S = 15.0


def remove_all(*, purge: bool) -> Iterator[str]:
    """Do it; what was done, line by line.

    Raises:
        InvalidCall: Something could not be taken back; the rest was. Nothing is purged then.
    """
    failed: list[str] = []
    for change in reversed(installed.changes()):
        try:
            if done := installed.undo(change, take_back_of(change.host)):
                yield done
        except AgentExecError as error:
            failed.append(str(error))
    if failed:
        raise InvalidCall("; ".join(failed))
    if purge:
        yield from _purge()


def take_back_of(host: str) -> installed.TakeBack:
    """How `host` removes our entries from a file that was changed since.

    It is the `take_back` of its module `settings`.

    Raises:
        InvalidCall: There is no such host.
    """
    try:
        module = import_module(f"agent_exec.integrations.{host.replace('-', '_')}.settings")
    except ImportError:
        raise InvalidCall(
            f"this release knows no host {host!r:.60}; use the release that has installed it"
        ) from None
    take_back: installed.TakeBack = module.take_back
    return take_back


def _purge() -> Iterator[str]:
    places = Places.find(os.environ)
    try:
        with Client.connect() as client:
            # Its last records would bring back what is removed here.
            if client.stop(_END_S):
                yield "stopped the daemon"
            else:
                yield "the daemon ends when its calls have; then remove what it leaves once more"
    except DaemonError as error:
        if error.code not in ("not_running", "draining"):
            yield f"the daemon was not stopped: {error}"
    state = os.path.dirname(places.secrets)
    if os.path.lexists(state):
        # An install that has begun meanwhile is waited for; its record is not removed.
        with installed.nothing():
            _remove(state)
        yield f"removed {state}"
    if os.path.lexists(places.runtime):
        _remove(places.runtime)
        yield f"removed {places.runtime}"


def _remove(folder: str) -> None:
    """All of it; somebody else may remove parts of it meanwhile.

    Raises:
        InvalidCall: Something of it stays.
    """

    def gone_is_well(_call: object, _path: str, info: tuple[type, BaseException, object]) -> None:
        if not isinstance(info[1], FileNotFoundError):
            raise info[1]

    try:
        shutil.rmtree(folder, onerror=gone_is_well)
    except OSError as error:
        raise InvalidCall(
            f"{folder} could not be removed: {error}; end what still uses it (an agent, a host), "
            "then run `agent-exec uninstall --purge` again"
        ) from None
