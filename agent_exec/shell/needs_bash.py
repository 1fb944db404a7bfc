"""Why a text cannot be run without bash."""

from __future__ import annotations


class NeedsBash(Exception):  # noqa: N818 - no error: another route is taken
    """Raised while a text is read or planned, before anything has started.

    Attributes:
        reason: What in the text only bash does, in words for people.
        offset: Where it begins, in characters from 0.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason}, at character {offset + 1}")
        self.reason = reason
        self.offset = offset
