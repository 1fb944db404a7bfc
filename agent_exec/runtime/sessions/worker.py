"""A thread with an event loop of its own, and the way into it from any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextvars import Context
from typing import Any, TypeVar

import anyio

from agent_exec.errors import Closed
from agent_exec.runtime.flag import Flag

_T = TypeVar("_T")
_END_S = 10.0
"""Longer than an engine takes to give up on what not even SIGKILL ends."""


class Worker:
    """Runs coroutines until `close`. The thread does not keep the interpreter from ending.

    Raises:
        OSError: The descriptors of a loop cannot be had.
    """

    def __init__(self) -> None:
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._serve, name="agent_exec sessions", daemon=True)
        self._closed = False
        self._thread.start()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(_cancel_all())
        self._loop.close()

    def submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run `work` there.

        Raises:
            Closed: It was closed.
        """
        if self._closed:
            work.close()
            raise Closed("the tool is closed")
        # In a context of its own: that of a task of trio's says that this is trio.
        return Context().run(asyncio.run_coroutine_threadsafe, work, self._loop)

    def close(self) -> None:
        """Cancel what still runs and end the thread. From any other. Idempotent."""
        if not self._closed:
            self._closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            # The garbage collector may close us anywhere.
            if threading.current_thread() is not self._thread:
                self._thread.join(_END_S)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def wait_for(future: Future[_T]) -> _T:
    """What `future` comes to, on a thread that may block. Raises what the work does."""
    try:
        return future.result()
    except CancelledError:
        raise Closed("the tool was closed meanwhile") from None


async def result_of(future: Future[_T]) -> _T:
    """The same under asyncio or trio. When cancelled, so is the work."""
    came = Flag()
    future.add_done_callback(lambda _: came.up())
    try:
        await anyio.wait_readable(came.fd)
    except BaseException:
        future.cancel()
        raise
    finally:
        came.close()
    return wait_for(future)
