"""A blocking call in a host with very many descriptors is left to the engine's threads."""

from __future__ import annotations

import pytest
from realproc import run_host

pytestmark = pytest.mark.timeout(30)

PRELUDE = """
    import threading
    from agent_exec.errors import Closed
    engine = make_engine("native")
    spare = [os.open("/", os.O_PATH) for _ in range(600)]
    plans = Plans(make_launcher("vfork"))
"""


def test_outcomes_are_the_same() -> None:
    script = (
        PRELUDE
        + """
    plan = plans.call(plans.sh("cat; echo err >&2; exit 3"), stdin=b"x" * 200_000)
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(engine.run_sync(plan))) for _ in range(20)
    ]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    ends = {(o.ended.value, o.stages[0].exit_code, len(o.stdout.head)) for o in outcomes}
    print(ends)
    engine.close()
    """
    )
    assert run_host("native", script).stdout == "{('exit', 3, 200000)}\n"


def test_an_interrupt_ends_the_call() -> None:
    script = (
        PRELUDE
        + """
    read_end, write_end = os.pipe()
    def interrupt():
        os.read(read_end, 9)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    threading.Thread(target=interrupt).start()
    try:
        engine.run_sync(plans.call(plans.sh("echo ready >&2; exec sleep 1000"), stderr=write_end))
    except KeyboardInterrupt:
        print("interrupted", Belongings.now().children == frozenset())
    engine.close()
    """
    )
    assert run_host("native", script).stdout == "interrupted True\n"


def test_closing_the_engine_ends_the_call() -> None:
    script = (
        PRELUDE
        + """
    read_end, write_end = os.pipe()
    def close():
        os.read(read_end, 9)
        engine.close()
    threading.Thread(target=close).start()
    try:
        engine.run_sync(plans.call(plans.sh("echo ready >&2; exec sleep 1000"), stderr=write_end))
    except Closed:
        print("closed", Belongings.now().children == frozenset())
    """
    )
    assert run_host("native", script).stdout == "closed True\n"
