"""What the system refuses to the daemon or to who starts it is told, and leaves nothing."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_host import Home

from agent_exec.daemon.hook import Asked, rule
from agent_exec.daemon.protocol import make_token
from agent_exec.errors import DaemonError


@pytest.fixture
def no_room() -> Iterator[None]:
    """No file can be written to, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("no_room")
def test_half_a_token_is_none(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        make_token(str(tmp_path / "token"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["start.lock", "daemon.log"])
def test_a_daemon_that_cannot_be_started(home: Home, name: str) -> None:
    path = Path(home.places.runtime) / name
    path.mkdir(parents=True)
    path.parent.chmod(0o700)
    with pytest.raises(DaemonError, match=f"no daemon can be started: {path}: Is a directory"):
        home.connect(start=True)
    asked = Asked(command="ls", cwd=str(home.worktree), worktree=str(home.worktree))
    assert rule(asked, start=True, environ=home.environ).verdict == "allow"


def test_a_daemon_whose_folders_are_none_says_so(home: Home) -> None:
    Path(home.places.secrets).parent.write_text("")
    done = home.cli("daemon")
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert "state/agent_exec is no directory; move it away" in done.stderr
    done = home.cli("daemon", "--foreground")
    assert (done.returncode, done.stderr) == (1, "")
    assert "no directory; move it away" in json.loads(done.stdout)["error"]
