"""The cache of spawn templates: what it keeps, what it lets go, what it never closes early."""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realproc import run_host

from agent_exec.errors import Closed, LaunchError, TemplateError
from agent_exec.model.plan import TemplateUse
from agent_exec.template.cache import CacheStats, Lease, TemplateCache

pytestmark = pytest.mark.timeout(20)

TRUE = Path("/bin/true").read_bytes()


@pytest.fixture
def programs(tmp_path: Path) -> list[str]:
    made = []
    for name in "abcdef":
        path = tmp_path / name
        path.write_bytes(TRUE)
        path.chmod(0o755)
        made.append(str(path))
    return made


def make(worktree: Path, **options: Any) -> TemplateCache:
    return TemplateCache(str(worktree), credentials=lambda: b"us", **options)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TemplateCache]:
    made = make(tmp_path, hot_after=2, max_templates=3)
    yield made
    made.close()


def launch(cache: TemplateCache, program: str) -> TemplateUse:
    with cache.lease(program) as lease:
        return lease.use


def test_a_program_is_hot_after_so_many_launches(cache: TemplateCache, programs: list[str]) -> None:
    uses = [launch(cache, programs[0]) for _ in range(4)]
    assert uses == [TemplateUse.MISS, TemplateUse.MISS, TemplateUse.HIT, TemplateUse.HIT]
    assert cache.stats == CacheStats(hits=2, misses=2, templates=1)


def test_a_cold_template_is_closed_when_it_is_given_back(
    cache: TemplateCache, programs: list[str]
) -> None:
    lease = cache.lease(programs[0])
    fd = lease.template.executable.fd
    lease.release()
    lease.release()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_the_least_recently_used_goes_first(tmp_path: Path, programs: list[str]) -> None:
    cache = make(tmp_path, hot_after=1, max_templates=2)
    a, b, c = programs[:3]
    for program in (a, b, a, c):  # b is the oldest when c comes
        launch(cache, program)
    assert (launch(cache, a), launch(cache, b)) == (TemplateUse.HIT, TemplateUse.MISS)
    assert cache.stats == CacheStats(hits=2, misses=4, evictions=2, templates=2)
    cache.close()


def test_eviction_leaves_a_template_on_loan_open(tmp_path: Path, programs: list[str]) -> None:
    cache = make(tmp_path, hot_after=1, max_templates=1)
    lease = cache.lease(programs[0])
    launch(cache, programs[1])
    assert cache.stats.evictions == 1
    lease.template.check()
    fd = lease.template.executable.fd
    lease.release()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
    cache.close()


def test_closing_leaves_a_template_on_loan_open(tmp_path: Path, programs: list[str]) -> None:
    cache = make(tmp_path, hot_after=1)
    with cache.lease(programs[0]) as lease:
        cache.close()
        lease.template.check()
    assert cache.stats.templates == 0


def replace(program: str) -> None:
    new = Path(program + ".new")
    new.write_bytes(TRUE)
    new.chmod(0o755)
    new.rename(program)


def test_a_stale_template_is_renewed_once_for_all_that_met_it(
    tmp_path: Path, programs: list[str]
) -> None:
    cache = make(tmp_path, hot_after=1)
    launch(cache, programs[0])
    leases = [cache.lease(programs[0]) for _ in range(8)]
    replace(programs[0])
    start = threading.Barrier(8)

    def renew(index: int) -> int:
        start.wait()
        leases[index] = cache.renew(leases[index])
        leases[index].template.check()
        return leases[index].template.executable.fd

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(renew, range(8)))
    assert {lease.use for lease in leases} == {TemplateUse.RECREATED}
    assert (cache.stats.recreations, cache.stats.templates) == (1, 1)
    for lease in leases:
        lease.release()
    assert launch(cache, programs[0]) is TemplateUse.HIT
    cache.close()


def test_every_renewal_of_a_cold_template_is_a_recreation(
    cache: TemplateCache, programs: list[str]
) -> None:
    for count in (1, 2):
        with cache.lease(programs[count]) as lease:
            replace(programs[count])
            with cache.renew(lease) as renewed:
                renewed.template.check()
                assert renewed.use is TemplateUse.RECREATED
        assert cache.stats == CacheStats(misses=count, recreations=count)


def test_renewing_an_evicted_template_is_a_recreation(tmp_path: Path, programs: list[str]) -> None:
    cache = make(tmp_path, hot_after=1, max_templates=1)
    evicted = cache.lease(programs[0])
    launch(cache, programs[1])
    replace(programs[0])
    with cache.renew(evicted) as renewed:
        renewed.template.check()
    assert cache.stats == CacheStats(misses=2, recreations=1, evictions=2, templates=1)
    assert launch(cache, programs[0]) is TemplateUse.HIT
    cache.close()


def test_a_renewal_never_gets_a_template_that_is_stale_again(
    tmp_path: Path, programs: list[str]
) -> None:
    """Two calls meet a stale template; before the second renews it, there is another update."""
    cache = make(tmp_path, hot_after=1)
    first, second = cache.lease(programs[0]), cache.lease(programs[0])
    replace(programs[0])
    cache.renew(first).release()
    replace(programs[0])
    with cache.renew(second) as renewed, cache.lease(programs[0]) as later:
        renewed.template.check()
        assert later.template is renewed.template
    assert (cache.stats.recreations, cache.stats.templates) == (2, 1)
    cache.close()


def test_a_renewal_never_gets_a_template_of_other_credentials(
    tmp_path: Path, programs: list[str]
) -> None:
    who = [b"before"]
    cache = TemplateCache(str(tmp_path), hot_after=2, credentials=lambda: who[0])
    cold = cache.lease(programs[0])
    launch(cache, programs[0])  # now in the cache, for those we were
    who[0] = b"after"
    with cache.renew(cold) as renewed:
        assert renewed.template.executable.credentials == b"after"
    cache.close()


def test_threads_that_make_the_same_template_at_once_share_one(
    tmp_path: Path, programs: list[str]
) -> None:
    cache, meanwhile = interrupted(tmp_path)
    meanwhile.append(lambda: cache.lease(programs[0]))
    with cache.lease(programs[0]) as ours:
        (rival,) = meanwhile
        with rival as theirs:
            assert ours.template is theirs.template
        ours.template.check()
        assert cache.stats == CacheStats(misses=2, templates=1)
    assert launch(cache, programs[0]) is TemplateUse.HIT
    cache.close()


def test_a_thread_that_made_another_template_meanwhile_keeps_its_own(
    tmp_path: Path, programs: list[str]
) -> None:
    cache, meanwhile = interrupted(tmp_path)

    def lease_and_replace() -> Lease:
        made = cache.lease(programs[0])
        replace(programs[0])
        return made

    meanwhile.append(lease_and_replace)
    with cache.lease(programs[0]) as ours:
        (rival,) = meanwhile
        with rival as theirs, cache.lease(programs[0]) as later:
            assert ours.template is not theirs.template
            assert later.template is theirs.template
        ours.template.check()
    assert cache.stats == CacheStats(hits=1, misses=2, templates=1)
    cache.close()


def interrupted(worktree: Path) -> tuple[TemplateCache, list[Any]]:
    """A cache that is interrupted while it makes a template, once.

    What is in the list is called then, and replaced by what it returns.
    """
    meanwhile: list[Any] = []

    def credentials() -> bytes:
        if meanwhile and callable(meanwhile[0]):
            do = meanwhile.pop()
            meanwhile.append(do())
        return b"us"

    return TemplateCache(str(worktree), hot_after=1, credentials=credentials), meanwhile


def test_a_closed_cache_lends_nothing(tmp_path: Path, programs: list[str]) -> None:
    cache = make(tmp_path, hot_after=1)
    held = cache.lease(programs[0])
    fd = held.template.executable.fd
    cache.close()
    for ask in (
        lambda: cache.lease(programs[0]),
        lambda: cache.renew(held),
        cache.directory,
    ):
        with pytest.raises(Closed):
            ask()
    with pytest.raises(OSError, match="Bad file"):  # the renewal has released it all the same
        os.fstat(fd)


def test_a_cache_that_closes_while_a_template_is_made_does_not_keep_it(
    tmp_path: Path, programs: list[str]
) -> None:
    cache, meanwhile = interrupted(tmp_path)
    meanwhile.append(cache.close)
    with cache.lease(programs[0]) as lease:
        lease.template.check()
        assert cache.stats.templates == 0
        fd = lease.template.executable.fd
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_renewing_a_program_that_is_gone_fails_and_keeps_nothing(
    tmp_path: Path, programs: list[str]
) -> None:
    cache = make(tmp_path, hot_after=1)
    lease = cache.lease(programs[0])
    Path(programs[0]).unlink()
    with pytest.raises(TemplateError) as caught:
        cache.renew(lease)
    assert caught.value.errno == errno.ENOENT
    assert cache.stats == CacheStats(misses=1)
    cache.close()


def test_counting_launches_is_bounded(tmp_path: Path) -> None:
    """A program must be asked for again before so many others have been."""
    cache = make(tmp_path, hot_after=2, max_templates=1)
    names = [str(tmp_path / f"p{n}") for n in range(10)]
    for name in names:
        Path(name).write_bytes(TRUE)
        Path(name).chmod(0o755)
        launch(cache, name)
    launch(cache, names[0])  # forgotten: its second launch counts as the first
    assert launch(cache, names[0]) is TemplateUse.MISS
    assert launch(cache, names[0]) is TemplateUse.HIT
    cache.close()


FORKING = """
    from agent_exec.model.plan import TemplateUse
    from agent_exec.template.cache import TemplateCache
    cache = TemplateCache("/", hot_after=1, credentials=lambda: b"us")
    def launch():
        with cache.lease("/bin/true") as lease:
            return lease.use
    launch()
"""


def test_a_forked_child_finds_an_empty_cache() -> None:
    script = """
    cache.directory()
    pid = os.fork()
    if pid == 0:
        same = launch() is TemplateUse.MISS and cache.directory().fd >= 3
        os._exit(7 if same else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), launch())
    """
    assert run_host("", FORKING + script).stdout == f"7 {TemplateUse.HIT}\n"


def test_a_forked_child_has_a_lock_of_its_own() -> None:
    """Another thread, which the child does not have, may have held it."""
    script = """
    with cache._lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            launch()
            os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert run_host("", FORKING + script).stdout == "7\n"


def test_a_cache_leaves_nothing_in_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks for forks stay for ever."""
    hooks: list[object] = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hook: hooks.append(hook))
    gone = weakref.ref(make(tmp_path))
    assert (gone(), hooks) == (None, [])


def test_the_worktrees_descriptor_is_kept(cache: TemplateCache, tmp_path: Path) -> None:
    directory = cache.directory()
    assert cache.directory() is directory
    assert os.path.samestat(os.fstat(directory.fd), tmp_path.stat())


def test_a_worktree_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    worktree = tmp_path / "tree"
    worktree.mkdir()
    cache = make(worktree)
    old = cache.directory()
    worktree.rename(tmp_path / "moved")
    with pytest.raises(LaunchError) as caught:
        cache.directory()
    assert (caught.value.step, caught.value.errno) == ("cwd", errno.ENOENT)
    worktree.mkdir()
    new = cache.directory()
    assert os.path.samestat(os.fstat(new.fd), worktree.stat())
    assert os.path.samestat(os.fstat(old.fd), (tmp_path / "moved").stat())  # still for its calls
    cache.close()


def test_a_replaced_worktree_is_closed_when_no_call_starts_in_it(tmp_path: Path) -> None:
    worktree = tmp_path / "tree"
    worktree.mkdir()
    cache = make(worktree)
    fds = [cache.directory().fd]
    for number in range(5):
        worktree.rename(tmp_path / f"old{number}")
        worktree.mkdir()
        fds.append(cache.directory().fd)
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fds[-2])
    cache.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fds[-1])


def test_bounds_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make(tmp_path, max_templates=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.integers(0, 5), max_size=40), hot=st.integers(1, 3), most=st.integers(1, 4)
)
def test_the_cache_does_what_a_simple_model_does(
    tmp_path: Path, programs: list[str], asked: list[int], hot: int, most: int
) -> None:
    cache = make(tmp_path, hot_after=hot, max_templates=most)
    kept: list[int] = []
    launches = dict.fromkeys(range(6), 0)  # the bound on counts is beyond six programs
    for index in asked:
        launches[index] += index not in kept
        if index in kept:
            expected = TemplateUse.HIT
            kept.remove(index)
            kept.append(index)
        else:
            expected = TemplateUse.MISS
            if launches[index] >= hot:
                kept = [*kept, index][-most:]
        assert launch(cache, programs[index]) is expected
        assert cache.stats.templates == len(kept)
    cache.close()


def test_threads_and_evictions_never_meet_a_closed_template(
    tmp_path: Path, programs: list[str]
) -> None:
    cache = make(tmp_path, hot_after=1, max_templates=2)

    def work(seed: int) -> None:
        for step in range(200):
            with cache.lease(programs[(seed + step) % 6]) as lease:
                lease.template.check()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert cache.stats.templates == 2
    cache.close()


def test_a_program_that_somebody_has_open_for_writing_is_left_to_the_launch(
    tmp_path: Path,
) -> None:
    """It may be a descriptor that a fork in the wrong moment has copied: a launch waits for it."""
    program = tmp_path / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    cache = TemplateCache(str(tmp_path), hot_after=1, credentials=lambda: b"")
    with program.open("ab"), cache.lease(str(program)) as lease:
        assert lease.template.name == str(program)
    cache.close()
