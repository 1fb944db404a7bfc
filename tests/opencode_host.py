"""A real opencode with a scripted model: one server, and sessions in projects of the test."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from daemon_host import Home, home_in

PATIENCE_S = 120.0
"""It takes some seconds to start, and more where others work, too."""
_T = TypeVar("_T")
_QUIET = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "SHARE", "DEFAULT_PLUGINS")
MODEL = Path(__file__).parent / "programs" / "scripted_model.py"


def find_opencode() -> str | None:
    """The program: where ``AGENT_EXEC_OPENCODE`` says, or the PATH."""
    return os.environ.get("AGENT_EXEC_OPENCODE") or shutil.which("opencode")


@dataclass
class Opencode:
    """One ``opencode serve``."""

    home: Home
    url: str
    model_log: Path

    def asked(self, method: str, path: str, body: object = None, *, directory: Path) -> Any:
        """One request of its HTTP API."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", "x-opencode-directory": str(directory)},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def session(self, project: Path) -> Session:
        """A new one in `project`."""
        made = self.asked("POST", "/session", {}, directory=project)
        return Session(self, project, made["id"])

    def requests(self) -> list[dict[str, Any]]:
        """What the model was asked, oldest first."""
        return [json.loads(line) for line in self.model_log.read_text().splitlines()[1:]]


@dataclass
class Session:
    """One session; the model does what its prompts say."""

    opencode: Opencode
    project: Path
    id: str
    asked_for: int = 0
    """Calls that the model was told to make."""

    def prompt(self, *calls: tuple[str, dict[str, Any]]) -> None:
        """Let the model make these calls at once; does not wait."""
        self.asked_for += len(calls)
        text = json.dumps([{"name": name, "arguments": given} for name, given in calls])
        body = {"parts": [{"type": "text", "text": text}]}
        self._asked("POST", f"/session/{self.id}/prompt_async", body)

    def call(self, name: str, **given: Any) -> dict[str, Any]:
        """Let it make one call, and wait for its end: the state of the tool part."""
        self.prompt((name, given))
        return self.ended()

    def ended(self) -> dict[str, Any]:
        """The state of the last call, once it has ended."""

        def last() -> dict[str, Any] | None:
            states = self.states()
            begun = len(states) == self.asked_for
            return states[-1] if begun and _has_ended(states[-1]) else None

        return self.wait(last)

    def question(self) -> dict[str, Any]:
        """What it asks, once it does."""
        return self.wait(lambda: next(iter(self.questions()), None))

    def questions(self) -> list[dict[str, Any]]:
        found = self._asked("GET", "/permission")
        return [one for one in found if one["sessionID"] == self.id]

    def reply(self, reply: str, message: str | None = None) -> dict[str, Any]:
        """Answer what it asks; the question."""
        question = self.question()
        body = {"reply": reply} | ({} if message is None else {"message": message})
        self._asked("POST", f"/permission/{question['id']}/reply", body)
        return question

    def abort(self) -> None:
        self._asked("POST", f"/session/{self.id}/abort")

    def delete(self) -> None:
        self._asked("DELETE", f"/session/{self.id}")

    def states(self) -> list[dict[str, Any]]:
        """Of all tool calls, oldest first."""
        messages = self._asked("GET", f"/session/{self.id}/message")
        parts = [part for message in messages for part in message["parts"]]
        return [part["state"] for part in parts if part["type"] == "tool"]

    def read_by_model(self) -> str:
        """What the model got as the result of the last call, once it did."""

        def result() -> str | None:
            last = self.states()[-1]
            said = last.get("output") or last.get("error")
            for request in self.opencode.requests():
                for message in request["messages"]:
                    if message["role"] == "tool" and said and said in message["content"]:
                        return str(message["content"])
            return None

        return self.wait(result)

    def wait(self, look: Callable[[], _T | None]) -> _T:
        """The first thing that `look` finds."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := look()):
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.05)
        return found

    def _asked(self, method: str, path: str, body: object = None) -> Any:
        return self.opencode.asked(method, path, body, directory=self.project)


@contextmanager
def opencode_in(folder: Path, program: str) -> Iterator[Opencode]:
    """A server, its model and its daemon, until the end of the block."""
    with home_in(folder) as home:
        log = folder / "model.log"
        with (
            log.open("wb") as said,
            _running([sys.executable, str(MODEL)], stdout=said, cwd=folder, env=home.environ),
        ):
            port = _until(lambda: re.match(r"(\d+)\n", log.read_text()))[1]
            _configure(home, int(port))
            serve_log = folder / "serve.log"
            with (
                serve_log.open("wb") as out,
                _running(
                    [program, "serve", "--hostname", "127.0.0.1", "--port", "0"],
                    stdout=out,
                    stderr=out,
                    cwd=home.worktree,
                    env=_environ(home),
                ),
            ):
                url = _until(lambda: re.search(r"http://[\d.]+:\d+", serve_log.read_text()))[0]
                yield Opencode(home, url, log)


@contextmanager
def _running(argv: list[str], **options: Any) -> Iterator[None]:
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _environ(home: Home) -> dict[str, str]:
    paths = {f"XDG_{name}_HOME": str(home.folder / "home" / name) for name in ("DATA", "CACHE")}
    paths["XDG_CONFIG_HOME"] = str(home.folder / "home" / ".config")
    quiet = {f"OPENCODE_DISABLE_{name}": "1" for name in _QUIET}
    return home.environ | paths | quiet


def _configure(home: Home, port: int) -> None:
    """The user's own configuration: nothing but the model."""
    model = {"name": "scripted", "tool_call": True, "limit": {"context": 32000, "output": 4000}}
    settings = {
        "$schema": "https://opencode.ai/config.json",
        "autoupdate": False,
        "share": "disabled",
        "model": "local/scripted",
        "small_model": "local/scripted",
        "enabled_providers": ["local"],
        "provider": {
            "local": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Local",
                "options": {"baseURL": f"http://127.0.0.1:{port}/v1", "apiKey": "none"},
                "models": {"scripted": model},
            }
        },
    }
    folder = home.folder / "home" / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.json").write_text(json.dumps(settings))


def _has_ended(state: dict[str, Any]) -> bool:
    return state["status"] in ("completed", "error")


def _until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.05)
    return found
