"""Many clients at once: nothing is lost, nothing crossed, and the memory stays as it is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from daemon_host import Home

CLIENTS = 64
CALLS = int(os.environ.get("AGENT_EXEC_DAEMON_CALLS", "1024"))
"""In all; each starts a process. `.ci/run hosts` makes ten thousand."""
_UNANSWERED = 8

pytestmark = pytest.mark.timeout(60 + CALLS / 100)


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def many_calls(home: Home, number: int, count: int) -> int:
    """One client, several requests in flight; how many answers were the right ones."""
    where = {"worktree": str(home.worktree), "policy": "open"}
    right, sent = 0, {}
    with home.connect() as client:
        for place in range(count + _UNANSWERED):
            if place < count:
                word = f"{number}-{place}"
                sent[client.send("call", arguments={"argv": ["echo", word]}, **where)] = word
            if place >= _UNANSWERED or place >= count:
                if not sent:
                    break
                answer = client.receive()
                word = sent.pop(answer["id"])
                right += answer["ok"]["stdout"]["head"] == f"{word}\n"
        while sent:
            answer = client.receive()
            right += answer["ok"]["stdout"]["head"] == f"{sent.pop(answer['id'])}\n"
    return right


def round_of(home: Home, calls: int) -> int:
    with ThreadPoolExecutor(CLIENTS) as pool:
        each, rest = divmod(calls, CLIENTS)
        rights = [
            pool.submit(many_calls, home, number, each + (number < rest))
            for number in range(CLIENTS)
        ]
        return sum(right.result() for right in rights)


def test_sixty_four_clients_get_what_they_asked_for_and_nothing_grows(home: Home) -> None:
    daemon = home.serve()
    half = CALLS // 2
    # Caches fill, and so do the heaps of the threads: of ten thousand calls in the first five.
    assert round_of(home, half) == half
    before, open_before = resident_kib(daemon.pid), descriptors(daemon.pid)
    assert round_of(home, half) == half
    with home.connect() as client:
        status = client.request("status")
    assert (status["connections"], status["in_flight"]) == (1, 1)
    assert descriptors(daemon.pid) <= open_before + 1
    # Of ten thousand calls, a kibibyte that each left behind would show.
    assert resident_kib(daemon.pid) < before + 5 * 1024
