"""How many services there are, and for how long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from realproc import guardians_of

from agent_exec import InvalidCall
from agent_exec.daemon.service import ToolService
from agent_exec.daemon.services import Services


class Fake:
    """A service that only knows whether it was closed."""

    def __init__(self, worktree: str, policy: str) -> None:
        self.key = (worktree, policy)
        self.busy = False
        self.closed = False

    def is_idle(self) -> bool:
        return not self.busy

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def run(test: Callable[[Services, list[Fake]], Awaitable[None]], **options: Any) -> None:
    """Run `test` with services, and all that were made."""
    made: list[Fake] = []

    def make(worktree: str, policy: str) -> Any:
        made.append(Fake(worktree, policy))
        return made[-1]

    async def body() -> None:
        services = Services(make, **options)
        await test(services, made)
        services.close()
        assert all(fake.closed for fake in made)

    asyncio.run(body())


def test_requests_at_once_share_one(tmp_path: Path) -> None:
    async def test(services: Services, made: list[Fake]) -> None:
        async def use() -> None:
            async with services.use(str(tmp_path), "open"):
                await asyncio.sleep(0)

        await asyncio.gather(*(use() for _ in range(20)))
        assert len(made) == 1

    run(test)


def test_the_one_that_was_not_used_for_longest_is_closed(tmp_path: Path) -> None:
    async def test(services: Services, made: list[Fake]) -> None:
        for name in ("open", "default", "open", "strict"):
            async with services.use(str(tmp_path), name):
                pass
        assert [(fake.key[1], fake.closed) for fake in made] == [
            ("open", False),
            ("default", True),
            ("strict", False),
        ]

    run(test, most=2)


def test_one_in_use_is_not_closed(tmp_path: Path) -> None:
    async def test(services: Services, made: list[Fake]) -> None:
        async with services.use(str(tmp_path), "open"):
            async with services.use(str(tmp_path), "default"):
                pass
            services.sweep()
            assert [fake.closed for fake in made] == [False, True]
        services.sweep()
        assert made[0].closed

    run(test, most=0)


def test_one_with_something_running_is_not_closed(tmp_path: Path) -> None:
    async def test(services: Services, made: list[Fake]) -> None:
        async with services.use(str(tmp_path), "open"):
            made[0].busy = True
        services.sweep()
        assert (made[0].closed, services.all_idle()) == (False, False)
        made[0].busy = False
        services.sweep()
        assert made[0].closed

    run(test, idle_s=0.0)


def test_a_call_goes_on_with_the_policy_that_it_began_with(tmp_path: Path) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text("version: 1\n")

    async def test(services: Services, made: list[Fake]) -> None:
        async with services.use(str(tmp_path), str(policy)):
            policy.write_text("version: 1\ndefault: deny\n")
            async with services.use(str(tmp_path), str(policy)):
                assert len(made) == 2
            assert not made[0].closed
        assert (made[0].closed, made[1].closed) == (True, False)

    run(test)


def test_a_link_that_leads_elsewhere_is_another_policy(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("version: 1\n")
    link = tmp_path / "p.yaml"
    link.symlink_to("one.yaml")

    async def test(services: Services, made: list[Fake]) -> None:
        async with services.use(str(tmp_path), str(link)):
            pass
        link.unlink()
        link.symlink_to("two.yaml")
        async with services.use(str(tmp_path), str(link)):
            assert len(made) == 2

    run(test)


@pytest.mark.parametrize(
    ("worktree", "policy"),
    [
        pytest.param("relative", "open", id="relative-worktree"),
        pytest.param(None, "open", id="no-worktree"),
        pytest.param("/\0", "open", id="nul"),
        pytest.param("/", "./p.yaml", id="relative-policy"),
        pytest.param("/", 7, id="no-policy"),
    ],
)
def test_what_names_none_is_refused(worktree: object, policy: object) -> None:
    async def test(services: Services, made: list[Fake]) -> None:
        with pytest.raises(InvalidCall):
            async with services.use(worktree, policy):
                pass
        assert made == []

    run(test)


def test_there_is_a_guardian_before_the_first_call(tmp_path: Path) -> None:
    before = guardians_of(os.getpid())
    service = ToolService(str(tmp_path), "open")
    try:
        assert len(guardians_of(os.getpid())) == len(before) + 1
    finally:
        service.close()
