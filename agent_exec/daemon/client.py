"""A client of the daemon, for one thread: what it imports is little, and it needs no loop.

with Client.connect(start=True) as client:
    result = client.request("call", worktree=".", policy="open", arguments={"argv": ["ls"]})
"""

from __future__ import annotations

# `socket` makes enumerations of all that the system knows: a tenth of the time of a hook.
import _socket as sockets
import os
import struct
from collections.abc import Callable, Mapping
from types import TracebackType

from agent_exec._version import __version__
from agent_exec.daemon.places import Folder, Places
from agent_exec.daemon.protocol import (
    MOST_BYTES,
    PROTOCOL,
    as_line,
    proof,
    read_line,
    read_token,
)
from agent_exec.errors import DaemonError

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from typing import Any, Self, TypeAlias

_CHUNK = 1024 * 1024
_CREDENTIALS = struct.Struct("iII")
# What another daemon, or none, is to be tried for.
_PASSING = frozenset({"not_running", "replaced", "draining"})

Message: TypeAlias = "dict[str, Any]"


class Client:
    """One connection, with one request at a time. Closed by leaving the block.

    When it is closed, or its process ends, what it has asked for is cancelled: the processes
    of its calls are killed.
    """

    def __init__(self, connected: sockets.socket) -> None:
        self._socket = connected
        self._rest = b""
        self._last_id = 0
        self.daemon: Message = {}
        """What the daemon said of itself: ``version``, ``pid``, ``protocol``."""

    @classmethod
    def connect(
        cls,
        *,
        start: bool = False,
        timeout_s: float = 20.0,
        environ: Mapping[str, str] | None = None,
        handshake_s: float = 5.0,
        version: str = __version__,
    ) -> Self:
        """Connect to the daemon of this user.

        Args:
            start: Start one if there is none. Of several clients that do so at once, one does.
            timeout_s: Seconds that a start may take.
            environ: Where the daemon is follows from its XDG variables; ours by default.
            handshake_s: Seconds that a daemon may take for each answer before it is trusted.
            version: Ours. A daemon that is older lets another take its place.

        Raises:
            DaemonError: ``not_running``; ``not_trusted`` when what listens there cannot read
                the token, or takes us for a child of a call.
        """
        environ = os.environ if environ is None else environ
        places = Places.find(environ)
        try:
            return cls._connect(places, handshake_s, version)
        except DaemonError as error:
            if error.code not in _PASSING or not start:
                raise
        # Only somebody who starts a daemon needs it.
        from agent_exec.daemon.start import ensure_daemon  # noqa: PLC0415

        return ensure_daemon(
            places, environ, timeout_s, lambda: cls._connect(places, handshake_s, version)
        )

    @classmethod
    def _connect(cls, places: Places, handshake_s: float, version: str) -> Self:
        with Folder(places.runtime, make=False) as folder:
            connected = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
            try:
                connected.settimeout(handshake_s)
                connected.connect(folder.address(os.path.basename(places.socket)))
                client = cls(connected)
                client._greet(places, version)
            except OSError as error:
                connected.close()
                raise DaemonError(f"no daemon listens: {error}", "not_running") from None
            except DaemonError as error:
                connected.close()
                # It went away while we said hello: as good as none.
                if error.code == "gone":
                    raise DaemonError(str(error), "not_running") from None
                raise
        connected.settimeout(None)
        return client

    def _greet(self, places: Places, version: str) -> None:
        """Let the daemon prove itself, and prove ourselves.

        Raises:
            DaemonError, OSError: See `connect`.
        """
        nonce = os.urandom(16).hex()
        self.daemon = self.request("hello", protocol=PROTOCOL, version=version, nonce=nonce)
        # Read now: a daemon that has just started has made a new one.
        token = read_token(places.token)
        claimed = self.daemon.get("pid")
        pid, nonces = (
            claimed if isinstance(claimed, int) else 0,
            f"{nonce} {self.daemon.get('nonce')}",
        )
        expected = proof(token, "daemon", nonces, pid)
        listener = _pid_of_listener(self._socket)
        if self.daemon.get("proof") != expected or listener not in (None, 0, pid):
            raise DaemonError(
                f"what listens on {places.socket} (pid {listener}) is not the daemon: "
                f"it does not know {places.token}",
                "not_trusted",
            )
        self.request("prove", proof=proof(token, "client", nonces, pid))

    def request(
        self,
        op: str,
        *,
        patience_s: float | None = None,
        on_progress: Callable[[Message], None] | None = None,
        on_question: Callable[[Message], Message] | None = None,
        **fields: object,
    ) -> Message:
        """Ask for one thing and wait for it.

        Args:
            op: See `agent_exec.daemon.connection`.
            patience_s: Seconds to wait for each next word from the daemon; None: for ever.
            on_progress: Gets what the daemon tells of a call that goes on.
            on_question: Answers what an approver is asked (an answer, in JSON), for a
                connection that has registered as one.
            fields: Of the request.

        Raises:
            DaemonError: What the daemon answered, or ``gone``.
        """
        id_ = self.send(op, **fields)
        if patience_s is not None:
            self._socket.settimeout(patience_s)
        while True:
            message = self.receive()
            if message.get("op") == "question":
                if on_question is not None:
                    answer = on_question(message["question"])
                    self.send("answer", question=message["question"]["id"], answer=answer)
            elif message.get("id") != id_:
                if message.get("id") is None and "error" in message:
                    raise _error(message["error"])
            elif "progress" in message:
                if on_progress is not None:
                    on_progress(message["progress"])
            elif "error" in message:
                raise _error(message["error"])
            else:
                result: Message = message["ok"]
                return result

    def send(self, op: str, **fields: object) -> int:
        """Send a request without waiting; its id.

        Raises:
            DaemonError: It is too large, or the daemon has gone.
        """
        self._last_id += 1
        line = as_line({"id": self._last_id, "op": op, **fields})
        if len(line) > MOST_BYTES:
            raise DaemonError(
                f"a request of {len(line)} bytes, of {MOST_BYTES} at most; write long input to "
                "a file and name that",
                "too_large",
            )
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise self._last_words() or DaemonError(
                f"the daemon has gone: {error}", "gone"
            ) from None
        return self._last_id

    def _last_words(self) -> DaemonError | None:
        """Why it has closed the connection, if it said so."""
        try:
            return _error(self.receive().get("error"))
        except DaemonError:
            return None

    def receive(self) -> Message:
        """The next message, whatever it belongs to.

        Raises:
            DaemonError: The daemon has gone, or sends what is none.
        """
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            try:
                chunk = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise DaemonError("the daemon does not answer", "gone") from None
            except OSError as error:
                raise DaemonError(f"the daemon has gone: {error}", "gone") from None
            if not chunk:
                raise DaemonError("the daemon has gone", "gone")
            parts.append(chunk)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return read_line(line)

    def stop(self, timeout_s: float) -> bool:
        """Tell the daemon to finish its calls and end; whether it has, within so many seconds.

        Raises:
            DaemonError: It has gone already.
        """
        from agent_exec.daemon.ending import Ending  # noqa: PLC0415 - most clients only ask

        pid = self.daemon["pid"]
        known = _pid_of_listener(self._socket) == pid
        with Ending(self._socket, pid if known else None) as ending:
            self.request("stop")
            return ending.comes_within(timeout_s)

    def fileno(self) -> int:
        """To wait for what it sends."""
        return self._socket.fileno()

    def close(self) -> None:
        """Leave. Idempotent."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _error(error: object) -> DaemonError:
    if not isinstance(error, dict):
        return DaemonError(f"the daemon has gone: {error}", "gone")
    return DaemonError(str(error.get("message")), str(error.get("code")))


def _pid_of_listener(connected: sockets.socket) -> int | None:
    """Who called listen(2); None where the kernel does not tell.

    Source:
        unix(7), SO_PEERCRED.
    """
    option = getattr(sockets, "SO_PEERCRED", None)
    if option is None:
        return None
    found = connected.getsockopt(sockets.SOL_SOCKET, option, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[0])
