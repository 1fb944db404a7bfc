"""``agent-exec log``: the audit log."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

app = typer.Typer(help="The audit log.", no_args_is_help=True, rich_markup_mode=None)

_LOOK_S = 0.2

Folder = Annotated[
    str | None, typer.Option("--folder", help="Of the log; that of the XDG state directory.")
]
VerdictOption = Annotated[str | None, typer.Option("--verdict", help="allow, ask or deny.")]
Program = Annotated[str | None, typer.Option("--program", help="Name or path of a program.")]
Worktree = Annotated[str | None, typer.Option("--worktree", "-w", help="Only of this worktree.")]
AskedBy = Annotated[str | None, typer.Option("--asked-by", help="Only of who asked.")]
Since = Annotated[
    str | None, typer.Option("--since", help="From this time on: 2026-11-23T19:00, UTC.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(
    verdict: VerdictOption = None,
    program: Program = None,
    worktree: Worktree = None,
    asked_by: AskedBy = None,
    since: Since = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as calls are made.")
    ] = False,
    as_json: AsJson = False,
    folder: Folder = None,
) -> None:
    """Print records, the oldest first: one line each, or as they stand with --json."""
    reading = _Reading(folder, verdict, program, worktree, asked_by, since)
    while True:
        for record in reading.records():
            print(json.dumps(record) if as_json else _line(record), flush=follow)
        if not follow:
            break
        time.sleep(_LOOK_S)
    reading.tell_broken()


@app.command()
def stats(
    verdict: VerdictOption = None,
    program: Program = None,
    worktree: Worktree = None,
    asked_by: AskedBy = None,
    since: Since = None,
    as_json: AsJson = False,
    folder: Folder = None,
) -> None:
    """Count records: verdicts, ends, times, what was asked about most."""
    from agent_exec.runtime.audit.stats import stats_of  # noqa: PLC0415

    reading = _Reading(folder, verdict, program, worktree, asked_by, since)
    counted = stats_of(reading.records())
    if as_json:
        print(json.dumps(counted.to_json()))
    else:
        _print_stats(counted.to_json())
    reading.tell_broken()


@app.command()
def replay(
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="A shipped policy, or the path of a file.")
    ],
    verdict: VerdictOption = None,
    program: Program = None,
    worktree: Worktree = None,
    asked_by: AskedBy = None,
    since: Since = None,
    as_json: AsJson = False,
    folder: Folder = None,
) -> None:
    """Judge recorded calls by another policy, and print those whose verdict would change.

    Files, links and programs are looked at as they are today.
    """
    from agent_exec.policy.load import load_sources  # noqa: PLC0415
    from agent_exec.runtime.audit.replay import replay as again  # noqa: PLC0415
    from agent_exec.runtime.checker import Checker  # noqa: PLC0415

    load_sources(policy)  # a policy that is wrong is told once, and not for each call
    reading = _Reading(folder, verdict, program, worktree, asked_by, since)
    counted = {"calls": 0, "changed": 0, "not judged": 0}
    for each in again(reading.records(), lambda place: Checker(place, policy)):
        counted["calls"] += 1
        if each.now is None:
            counted["not judged"] += 1
        if each.now is not None and each.now.value == each.then:
            continue
        counted["changed"] += each.now is not None
        now = None if each.now is None else each.now.value
        if as_json:
            shown = {"id": each.record.get("id"), "then": each.then, "now": now}
            print(json.dumps({**shown, "because": each.because}))
        else:
            print(f"{each.then} -> {now or 'not judged'}: {_line(each.record)} ({each.because})")
    told = ", ".join(f"{count} {name}" for name, count in counted.items())
    typer.echo(f"{told}; judged with the files of today", err=True)
    reading.tell_broken()


class _Reading:
    def __init__(
        self,
        folder: str | None,
        verdict: str | None,
        program: str | None,
        worktree: str | None,
        asked_by: str | None,
        since: str | None,
    ) -> None:
        from agent_exec.runtime.audit.files import audit_folder  # noqa: PLC0415
        from agent_exec.runtime.audit.reader import Filter, LogReader  # noqa: PLC0415

        place = None if worktree is None else os.path.realpath(worktree)
        self._filter = Filter(verdict, program, place, asked_by, since)
        self._reader = LogReader(folder or audit_folder(os.environ))

    def records(self) -> Iterator[dict[str, Any]]:
        return self._reader.read(self._filter)

    def tell_broken(self) -> None:
        if self._reader.broken:
            typer.echo(f"agent-exec: {self._reader.broken} lines were no records", err=True)


def _line(record: dict[str, Any]) -> str:
    import shlex  # noqa: PLC0415

    from agent_exec.schema.harmless import one_line  # noqa: PLC0415

    call = record.get("call") or {}
    stages = call.get("pipeline") or [call.get("argv") or []]
    what = call.get("command") or " | ".join(shlex.join(map(str, argv)) for argv in stages)
    decision = record.get("decision") or {}
    how = record.get("ended")
    if how == "exit":
        how = f"exit {record.get('status')}"
    held = record.get("held_by")
    if held is not None:
        how = f"{how}, held by {'+'.join(map(str, held)) or 'nothing'}"
    who = f" [{record['asked_by']}]" if record.get("asked_by") else ""
    return one_line(f"{record.get('time')} {decision.get('verdict')} {how}{who} {what}")


def _print_stats(shown: dict[str, Any]) -> None:
    from agent_exec.schema.harmless import one_line  # noqa: PLC0415

    print(f"{shown['calls']} calls")
    for name in ("verdicts", "ended", "routes", "answers"):
        counts = ", ".join(f"{key} {count}" for key, count in shown[name].items())
        print(f"{name}: {counts or 'none'}")
    hits = shown["template_hits"]
    print(f"template hits: {'none' if hits is None else f'{hits:.1%}'}")
    for name in ("decide_ms", "wait_ms", "run_ms"):
        spread = shown[name]
        text = "none" if spread is None else f"median {spread[0]} ms, p95 {spread[1]} ms"
        print(f"{name.removesuffix('_ms')}: {text}")
    for name in ("asked", "refused", "programs"):
        print(f"most {name}:" if shown[name] else f"most {name}: none")
        for text, count in shown[name]:
            print(f"  {count:6} {one_line(text)}")
