"""The index of a git repository to the repositories inside that it names (submodules).

Source: gitformat-index(5), versions 2 to 4.
"""

from __future__ import annotations

import struct

_LINK = 0o160000
_DIRECTORY = 0o040000
_SPARSE = b"sdir"
_LINK_MODE = struct.pack(">I", _LINK)
_MODE_AT = 24
_BEFORE_NAME = 40
"""Bytes of an entry before the name of its object."""
_EXTENDED = 0x4000
MOST_BYTES = 128 * 1024 * 1024
"""Of an index; a larger one is not read."""


def inner_repositories(content: bytes, *, hash_size: int) -> tuple[bytes, ...] | None:
    """Paths of the entries that are repositories; None where the index is not understood.

    Args:
        content: Of the file ``index``; empty where there is none.
        hash_size: Bytes of an object's name: 20, or 32 with extensions.objectFormat=sha256.
    """
    # Most have none: then no entry needs to be read. What a sparse directory holds is not told.
    if _LINK_MODE not in content and _SPARSE not in content:
        return ()
    try:
        return tuple(_links(content, hash_size))
    except (struct.error, ValueError):
        return None


def _links(content: bytes, hash_size: int) -> list[bytes]:
    signature, version, count = struct.unpack_from(">4sII", content)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError(version)
    links: list[bytes] = []
    at, name = 12, b""
    for _ in range(count):
        begin = at
        (mode,) = struct.unpack_from(">I", content, at + _MODE_AT)
        at += _BEFORE_NAME + hash_size
        (flags,) = struct.unpack_from(">H", content, at)
        at += 4 if version >= 3 and flags & _EXTENDED else 2
        kept = 0
        if version == 4:
            cut, at = _number(content, at)
            kept = len(name) - cut
            if kept < 0:
                raise ValueError(cut)
        end = content.index(b"\0", at)
        name = name[:kept] + content[at:end]
        at = end + 1 if version == 4 else end + 8 - (end - begin) % 8
        if mode == _DIRECTORY:
            raise ValueError(name)
        if mode == _LINK:
            links.append(name)
    return links


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of variable length as pack files have it, and where it ends."""
    value = content[at : at + 1] or b"\x80"
    number = value[0] & 0x7F
    while value[0] & 0x80:
        at += 1
        value = content[at : at + 1]
        if not value:
            raise ValueError(at)
        number = ((number + 1) << 7) | (value[0] & 0x7F)
    return number, at + 1
