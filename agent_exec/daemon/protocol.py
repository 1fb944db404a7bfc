"""What travels between the daemon and its clients: one JSON object a line, both ways.

A request is ``{"id", "op", ...}``; its answer ``{"id", "ok": {...}}`` or ``{"id", "error": {"code",
"message"}}``. Before the answer there may be ``{"id", "progress": {...}}``. What the daemon asks
of an approver has an ``op`` and no ``id``.

The first two requests are ``hello`` and ``prove``, by which each side shows the other that it
can read the token, which is never sent. What the daemon proves names its pid, so that nobody
can stand between.
"""

from __future__ import annotations

import errno
import json
import os
import stat

from agent_exec.errors import DaemonError

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from hashlib import sha256
    from typing import Any
else:
    # `hashlib` loads all of OpenSSL. The first is CPython's own of 3.12, the second of 3.11.
    try:
        from _sha2 import sha256
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256

PROTOCOL = 1
MOST_BYTES = 64 * 1024 * 1024
"""Of one line. Longer input of a call belongs into a file."""
MOST_BYTES_BEFORE = 4096
"""Of one line of somebody who has proved nothing yet."""
_TOKEN_BYTES = 32
_BLOCK_BYTES = 64
_INNER = bytes([byte ^ 0x36 for byte in range(256)])
_OUTER = bytes([byte ^ 0x5C for byte in range(256)])


def as_line(message: dict[str, Any]) -> bytes:
    """One message as it is sent."""
    # Bytes that are no UTF-8 are lone surrogates; JSON can write them as escapes only.
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def read_line(line: bytes) -> dict[str, Any]:
    """The message of one line.

    Raises:
        DaemonError: It is none.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DaemonError(f"no JSON: {error}", "bad_request") from None
    if not isinstance(message, dict):
        raise DaemonError("a message is one JSON object a line", "bad_request")
    return message


def can_be_named(path: str) -> bool:
    """Is that a name which a file system can have? JSON can hold others."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def early_id(beginning: bytes) -> int | str | None:
    """The id of a request whose line is too long to read, where it comes first."""
    import re  # noqa: PLC0415 - a client has no use for it

    found = re.match(rb'\s*\{\s*"id"\s*:\s*(\d{1,18}|"[^"\\]{1,64}")', beginning)
    return None if found is None else json.loads(found.group(1))


def proof(token: bytes, side: str, nonces: str, pid: int) -> str:
    """What only somebody with `token` can say, for this connection alone."""
    # HMAC, RFC 2104, of a key that is no longer than a block.
    key = token.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(key.translate(_INNER) + f"{side} {nonces} {pid}".encode()).digest()
    return sha256(key.translate(_OUTER) + inner).hexdigest()


def read_token(path: str) -> bytes:
    """The token.

    Raises:
        DaemonError: There is none, or others could have read or written it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        code = "not_running" if isinstance(error, FileNotFoundError) else "not_safe"
        raise DaemonError(f"{path}: {error.strerror}", code) from None
    try:
        found = os.fstat(fd)
        if found.st_uid != os.geteuid() or found.st_mode & (0o077 | ~0o7777) != stat.S_IFREG:
            raise DaemonError(f"{path} has to be a file of yours with mode 0600", "not_safe")
        token = os.read(fd, _TOKEN_BYTES + 1)
    finally:
        os.close(fd)
    if len(token) != _TOKEN_BYTES:
        raise DaemonError(f"{path} is no token; stop the daemon and remove it", "not_safe")
    return token


def make_token(path: str) -> bytes:
    """A new token in the file `path`, in place of any other, at once and whole.

    Raises:
        OSError: It cannot be written.
    """
    token = os.urandom(_TOKEN_BYTES)
    draft = f"{path}.{os.getpid()}"
    if os.path.lexists(draft):
        os.unlink(draft)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            written = os.write(fd, token)
        finally:
            os.close(fd)
        if written < len(token):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        os.replace(draft, path)
    except BaseException:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise
    return token


def version_key(version: str) -> tuple[int, ...]:
    """To compare versions by: their numbers."""
    import re  # noqa: PLC0415 - as above

    return tuple([int(part) for part in re.findall(r"\d{1,9}", version)[:8]])
