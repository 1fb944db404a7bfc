"""Parked children: a file that nobody writes to, a process that does nothing, and its end."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from realproc import is_alive, run_host, wait_until

from agent_exec.errors import Closed, TemplateError
from agent_exec.launch import native
from agent_exec.launch.park import Parker
from agent_exec.template.cache import TemplateCache
from agent_exec.template.template import Template

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def parker() -> Iterator[Parker]:
    made = Parker()
    yield made
    made.close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return Path(shutil.copy("/bin/true", tmp_path / "program"))


def parked(path: Path, parker: Parker) -> Template:
    template = Template.create(str(path), credentials=native.credentials())
    template.hold_by(parker)
    return template


def refusal(path: Path) -> str | None:
    """What a writer is told; None when it may write."""
    try:
        path.open("r+b").close()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


def children() -> list[int]:
    """Of every thread of ours, zombies too."""
    tasks = Path("/proc/self/task").iterdir()
    found = []
    for task in tasks:
        with suppress(FileNotFoundError):  # a thread that has just ended
            found += [int(pid) for pid in (task / "children").read_text().split()]
    return found


def test_writers_are_refused_as_long_as_the_template_is_open(program: Path, parker: Parker) -> None:
    before = refusal(program)
    with parked(program, parker):
        during = refusal(program)
        with pytest.raises(OSError, match=os.strerror(errno.ETXTBSY)):
            os.truncate(program, 0)
        done = subprocess.run([program], check=False)
    assert (before, during, refusal(program), done.returncode) == (None, "ETXTBSY", None, 0)


def test_a_new_file_may_be_renamed_over_it(program: Path, parker: Parker) -> None:
    """As package managers do."""
    with parked(program, parker):
        new = Path(shutil.copy("/bin/false", program.with_name("new")))
        new.rename(program)
        assert refusal(program) is None


def test_the_child_holds_nothing_and_stands_still(program: Path, parker: Parker) -> None:
    """Neither our pipes, nor our directory, nor our terminal; and no signal wakes it."""
    pipe = os.pipe()
    os.set_inheritable(pipe[1], True)
    with parked(program, parker):
        (pid,) = children()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT, signal.SIGTRAP):
            os.kill(pid, signum)
        folder = Path(f"/proc/{pid}")
        status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
        held = list((folder / "fd").iterdir())
        found = status["State"], status["NoNewPrivs"], held, os.readlink(folder / "cwd")
        session, us = os.getsid(pid), os.getsid(0)
    for fd in pipe:
        os.close(fd)
    assert found == ("t (tracing stop)", "1", [], "/")
    assert session == pid != us
    assert int(status["TracerPid"]) != os.getpid(), "the main thread may end before the template"


def test_it_ends_with_the_thread_that_made_it(program: Path) -> None:
    """So with its process, however that ends: the kernel sees to it."""
    pids = []
    fd = os.open(program, os.O_PATH)
    thread = threading.Thread(target=lambda: pids.append(native.park(fd)))
    thread.start()
    thread.join()
    os.close(fd)
    ((pid, pidfd, *_),) = pids
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    assert ended is not None
    assert (ended.si_pid, ended.si_code, ended.si_status) == (pid, os.CLD_KILLED, signal.SIGKILL)
    assert refusal(program) is None


HOST = """
    import shutil
    from agent_exec.launch import native
    from agent_exec.launch.park import Parker
    from agent_exec.template.template import Template
    def parked(path):
        template = Template.create(path, credentials=native.credentials())
        template.hold_by(parker)
        return template
    def writable(path):
        try:
            open(path, "r+b").close()
        except OSError:
            return False
        return True
    program = shutil.copy("/bin/true", sys.argv[1])
    parker = Parker()
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit()"])
def test_it_ends_with_a_host_that_closes_nothing(tmp_path: Path, end: str) -> None:
    script = f"""
    template = parked(program)
    print(*Belongings.now().children, flush=True)
    {end}
    """
    done = run_host("", HOST + script, str(tmp_path), check=False)
    wait_until(lambda: not is_alive(int(done.stdout)))
    assert done.stderr == ""


def test_a_host_that_waits_for_any_child_takes_nothing_from_us(tmp_path: Path) -> None:
    """It meets neither the stop nor, before the template is closed, an end."""
    script = """
    import threading
    met, over = [], threading.Event()
    def wait_for_any():
        while not over.is_set():
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                continue
            if pid:
                met.append(status)
    thread = threading.Thread(target=wait_for_any)
    thread.start()
    for _ in range(50):
        with parked(program):
            assert not writable(program)
    over.set()
    thread.join()
    print(writable(program), {status for status in met if status not in (9, 0x057f)})
    parker.close()
    """
    assert run_host("", HOST + script, str(tmp_path)).stdout == "True set()\n"


@pytest.mark.parametrize("disposition", ["SIG_IGN", "SIG_DFL"])
def test_a_host_that_ignores_its_children(tmp_path: Path, disposition: str) -> None:
    script = f"""
    signal.signal(signal.SIGCHLD, signal.{disposition})
    signal.signal(signal.SIGTRAP, signal.SIG_IGN)
    with parked(program):
        print(writable(program))
    print(writable(program))
    parker.close()
    """
    assert run_host("", HOST + script, str(tmp_path)).stdout == "False\nTrue\n"


def test_a_forked_process_lets_go_of_what_it_inherited(tmp_path: Path) -> None:
    script = """
    template = parked(program)
    pid = os.fork()
    if pid == 0:
        template.close()
        own = parked(program)
        held = len(Belongings.now().children)
        own.close()
        parker.close()
        print(held, writable(program), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    print(writable(program))
    template.close()
    print(writable(program))
    parker.close()
    """
    done = run_host("", HOST + script, str(tmp_path))
    assert done.stdout == "1 False\nFalse\nTrue\n"


@pytest.mark.parametrize("number", ["EPERM", "ENOSYS"])
def test_where_nothing_may_be_traced_it_is_said_and_there_is_no_template(
    tmp_path: Path, number: str
) -> None:
    script = f"""
    from agent_exec.errors import LaunchError
    ptrace = {{"x86_64": 101, "aarch64": 117}}[os.uname().machine]
    refuse_system_calls([ptrace], errno.{number})
    try:
        parked(program)
    except LaunchError as error:
        print(error.step, errno.errorcode[error.errno], error.reason)
    print(writable(program), Belongings.now().children)
    parker.close()
    """
    done = run_host("", "    import errno\n" + HOST + script, str(tmp_path))
    said = "no child can be parked on it, which templates.deny_write needs: nothing may be traced"
    assert done.stdout == f"spawn {number} {said} here\nTrue frozenset()\n"


def test_a_writer_that_was_first_is_not_held_off(program: Path, parker: Parker) -> None:
    with program.open("r+b"):
        template = Template.create(str(program), credentials=b"", busy=True)
        with pytest.raises(TemplateError) as raised:
            template.hold_by(parker)
    assert raised.value.errno == errno.ETXTBSY
    with pytest.raises(TemplateError):
        template.executable  # noqa: B018 - closed


def test_what_cannot_be_executed_is_refused_without_a_trace(tmp_path: Path, parker: Parker) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(Path("/bin/true").read_bytes()[:200])
    broken.chmod(0o755)
    with pytest.raises(TemplateError) as raised:
        parked(broken, parker)
    assert (raised.value.errno, children()) == (errno.ENOEXEC, [])


def test_a_script_is_pinned_and_not_held(tmp_path: Path, parker: Parker) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with parked(script, parker):
        assert (refusal(script), children()) == (None, [])


def test_a_set_user_id_program_gains_nothing(program: Path, parker: Parker) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs to be root")
    os.chown(program, 65534, 65534)
    program.chmod(0o4755)
    with parked(program, parker):
        (pid,) = children()
        assert (Path(f"/proc/{pid}").stat().st_uid, refusal(program)) == (0, "ETXTBSY")


def test_an_unreadable_program_is_held_too(program: Path, parker: Parker) -> None:
    program.chmod(0o111)
    with parked(program, parker):
        program.chmod(0o700)
        assert refusal(program) == "ETXTBSY"


def test_many_threads_hold_many_files_and_nothing_is_left(tmp_path: Path, parker: Parker) -> None:
    paths = [Path(shutil.copy("/bin/true", tmp_path / str(n))) for n in range(8)]

    def hold(path: Path) -> list[str | None]:
        seen = []
        for _ in range(5):
            with parked(path, parker):
                seen.append(refusal(path))
        return seen

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(hold, paths)) == [["ETXTBSY"] * 5] * 8
    assert children() == []
    assert {refusal(path) for path in paths} == {None}


def test_after_close_there_is_none(program: Path, parker: Parker) -> None:
    template = parked(program, parker)
    parker.close()
    assert (refusal(program), children()) == (None, [])
    template.close()
    with pytest.raises(Closed):
        parked(program, parker)


def test_a_number_that_is_no_descriptor() -> None:
    *_, error = native.park(999)
    assert error == errno.EBADF
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        native.park(-1)


# In the cache


def test_the_cache_holds_what_it_keeps_until_it_lets_go(tmp_path: Path, parker: Parker) -> None:
    """By eviction, by an update, by its end; and those of one launch for that long."""
    one, two = (Path(shutil.copy("/bin/true", tmp_path / name)) for name in ("one", "two"))
    cache = TemplateCache(
        str(tmp_path), hot_after=2, max_templates=1, credentials=lambda: b"", holder=parker
    )
    with cache.lease(str(one)):
        assert refusal(one) == "ETXTBSY"
    assert refusal(one) is None
    cache.lease(str(one)).release()
    assert refusal(one) == "ETXTBSY"
    for _ in range(2):
        cache.lease(str(two)).release()
    assert (refusal(one), refusal(two)) == (None, "ETXTBSY")
    new = Path(shutil.copy("/bin/false", tmp_path / "new"))
    old = tmp_path / "old"
    os.link(two, old)
    new.rename(two)
    with cache.renew(cache.lease(str(two))):
        assert (refusal(old), refusal(two)) == (None, "ETXTBSY")
    cache.close()
    assert (refusal(two), children()) == (None, [])


def test_not_an_instruction_of_the_program_has_run(program: Path, parker: Parker) -> None:
    """Its loader's first would have been to map the C library."""
    with parked(program, parker):
        (pid,) = children()
        maps = Path(f"/proc/{pid}/maps").read_text()
    assert str(program) in maps
    assert "libc.so" not in maps
