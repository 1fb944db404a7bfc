"""How a daemon begins, makes way, and ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from daemon_host import Home
from realproc import is_alive, wait_until

from agent_exec import DaemonError
from agent_exec.daemon.client import Client

pytestmark = pytest.mark.timeout(40)


def waiting_call(home: Home, client: Client, name: str = "fifo") -> Path:
    """A call that ends when something is written to the fifo that is returned; it has begun."""
    fifo, began = home.worktree / name, home.worktree / f"{name}.began"
    os.mkfifo(fifo)
    client.send(
        "call",
        worktree=str(home.worktree),
        policy="open",
        arguments={"argv": ["sh", "-c", f"touch {began}; cat {fifo}"]},
    )
    wait_until(began.exists)
    return fifo


def test_a_call_gives_its_result_and_the_text_for_a_model(served: Home) -> None:
    (served.worktree / "a").write_text("hello\n")
    with served.connect() as client:
        result = served.call(client, "cat", "a")
    assert (result["stdout"]["head"], result["ended"], result["status"]) == ("hello\n", "exit", 0)
    assert "hello" in result["text"]


def test_without_a_daemon_a_client_says_so(home: Home) -> None:
    with pytest.raises(DaemonError) as caught:
        home.connect()
    assert caught.value.code == "not_running"


def test_of_many_clients_that_start_a_daemon_one_does(home: Home) -> None:
    at_once = threading.Barrier(6)

    def start() -> object:
        at_once.wait()
        with home.connect(start=True) as client:
            return client.daemon["pid"]

    with ThreadPoolExecutor(6) as pool:
        pids = {future.result() for future in [pool.submit(start) for _ in range(6)]}
    assert len(pids) == 1
    assert home.running() == [*pids]


def test_a_daemon_that_a_client_starts_is_nobodys_child_and_outlives_it(home: Home) -> None:
    script = (
        "from agent_exec.daemon.client import Client\n"
        "with Client.connect(start=True) as client: print(client.daemon['pid'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=home.environ, capture_output=True, check=True
    )
    with home.connect() as client:
        assert client.daemon["pid"] == int(done.stdout)
        parent = Path(f"/proc/{int(done.stdout)}/stat").read_text().rpartition(")")[2].split()[1]
        assert int(parent) != os.getpid()


def test_after_kill_9_no_child_is_left_and_the_next_call_starts_another(home: Home) -> None:
    with home.connect(start=True) as client:
        first = client.daemon["pid"]
        script = "echo $$ > pid; trap '' TERM; sleep 1000 & echo $! >> pid; wait"
        client.send(
            "call",
            worktree=str(home.worktree),
            policy="open",
            arguments={"argv": ["sh", "-c", script]},
        )
        pids = home.worktree / "pid"
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        os.kill(first, signal.SIGKILL)
        left = [int(pid) for pid in pids.read_text().split()]
        wait_until(lambda: not any(map(is_alive, left)))
        with pytest.raises(DaemonError) as caught:
            client.receive()
        assert caught.value.code == "gone"
    assert Path(home.places.socket).exists()
    with home.connect(start=True) as client:
        assert client.daemon["pid"] != first
        assert home.call(client, "true")["status"] == 0


def test_a_stale_socket_is_replaced(home: Home) -> None:
    os.mkdir(home.places.runtime, 0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(home.places.socket)
    with home.connect(start=True) as client:
        assert home.call(client, "true")["status"] == 0


def test_a_socket_in_a_directory_with_a_long_name_works(home: Home) -> None:
    long = home.folder / ("x" * 120)
    long.mkdir(mode=0o700)
    (home.folder / "run").rename(long / "run")
    (home.folder / "run").symlink_to(long / "run")
    environ = home.environ | {"XDG_RUNTIME_DIR": str(long / "run")}
    with Client.connect(start=True, environ=environ) as client:
        pid = client.daemon["pid"]
        client.request("stop")
    wait_until(lambda: not is_alive(pid))


def test_who_stops_a_daemon_can_wait_for_the_end_of_its_process(home: Home) -> None:
    with home.connect(start=True) as client:
        home.call(client, "true")
        pid = client.daemon["pid"]
        assert client.stop(30.0)
        assert not is_alive(pid)


def test_without_a_pidfd_the_end_of_the_connection_is_waited_for(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "no pidfds")

    with home.connect(start=True) as client:
        pid = client.daemon["pid"]
        monkeypatch.setattr(os, "pidfd_open", refused)
        assert client.stop(30.0)
        with pytest.raises(DaemonError) as caught:
            client.receive()
        assert caught.value.code == "gone"
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("has_pidfds", [True, False])
def test_a_daemon_that_does_not_end_is_not_waited_for_beyond_the_time(
    home: Home, monkeypatch: pytest.MonkeyPatch, has_pidfds: bool
) -> None:
    daemon = home.serve()
    with home.connect() as client, home.connect() as other:
        fifo = waiting_call(home, other)
        if not has_pidfds:
            monkeypatch.delattr(os, "pidfd_open")
            monkeypatch.setattr(sys, "platform", "other")
        assert not client.stop(0.01)
        monkeypatch.undo()
        fifo.write_text("done")
        assert other.receive()["ok"]["stdout"]["head"] == "done"
    assert daemon.wait() == 0


def test_a_second_daemon_ends_at_once_and_leaves_the_first_alone(home: Home) -> None:
    home.serve()
    done = home.cli("daemon", "--foreground")
    assert (done.returncode, "there is a daemon already" in done.stdout) == (1, True)
    with home.connect() as client:
        assert home.call(client, "true")["status"] == 0


def test_sigterm_lets_calls_end_and_takes_no_new_ones(home: Home) -> None:
    daemon = home.serve()
    with home.connect() as client:
        fifo = waiting_call(home, client)
        daemon.terminate()
        wait_until(lambda: not Path(home.places.socket).exists())
        with pytest.raises(DaemonError) as caught:
            home.connect()
        assert caught.value.code == "not_running"
        late = client.send(
            "call", worktree=str(home.worktree), policy="open", arguments={"argv": ["true"]}
        )
        refused = client.receive()
        assert (refused["id"], refused["error"]["code"]) == (late, "draining")
        fifo.write_text("done")
        assert client.receive()["ok"]["stdout"]["head"] == "done"
    assert daemon.wait() == 0


def test_sigterm_kills_what_does_not_end(home: Home) -> None:
    daemon = home.serve("drain_s=0.05")
    with home.connect() as client:
        waiting_call(home, client)
        daemon.terminate()
        assert daemon.wait() == 0


def test_it_leaves_when_nobody_is_there(home: Home) -> None:
    daemon = home.serve("idle_s=0.05")
    assert daemon.wait() == 0
    assert not Path(home.places.socket).exists()


def test_it_stays_as_long_as_a_client_is_there(home: Home) -> None:
    daemon = home.serve("idle_s=0.2")
    with home.connect() as client:
        # Five times the time after which it would leave, told by its own clock.
        while client.request("status")["uptime_s"] < 1.0:
            assert home.call(client, "sleep", "0.3")["status"] == 0
    assert daemon.wait() == 0


def test_an_old_daemon_makes_way_for_a_newer_client_and_finishes_its_calls(home: Home) -> None:
    old = home.serve("version='0.0.1'")
    with home.connect(version="0.0.1") as before:
        fifo = waiting_call(home, before)
        with home.connect(start=True) as after:
            assert after.daemon["pid"] != old.pid
            assert home.call(after, "true")["status"] == 0
            fifo.write_text("done")
            assert before.receive()["ok"]["stdout"]["head"] == "done"
    assert old.wait() == 0


def test_an_older_client_is_served_by_a_newer_daemon(home: Home) -> None:
    home.serve("version='9.0'")
    with home.connect() as client:
        assert client.daemon["version"] == "9.0"
        assert home.call(client, "true")["status"] == 0


def test_the_commands_start_show_and_stop_it(home: Home) -> None:
    assert home.cli("daemon", "--status").returncode == 1
    started = home.cli("daemon")
    assert '"draining": null' in started.stdout
    assert home.cli("daemon", "--status").returncode == 0
    assert home.cli("daemon", "--stop").returncode == 0
    wait_until(lambda: not home.running())
    assert home.cli("daemon", "--stop").stderr == "no daemon runs\n"
