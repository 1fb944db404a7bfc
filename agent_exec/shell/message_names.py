"""How bash shows a name in what it says."""

from __future__ import annotations

from collections.abc import Mapping

from agent_exec.shell.names import prints_utf8

_ESCAPES = {
    "\x1b": r"\E",
    "\a": r"\a",
    "\b": r"\b",
    "\t": r"\t",
    "\n": r"\n",
    "\v": r"\v",
    "\f": r"\f",
    "\r": r"\r",
    "\\": r"\\",
    "'": r"\'",
}


def shown_name(name: str, variables: Mapping[str, str]) -> str:
    r"""`name`, or ``$'na\tme'`` where not all of it can be printed.

    Args:
        name: Of a command that is not found, or a directory that cannot be entered.
        variables: The environment, which has the locale.
    """
    if name.isascii() and name.isprintable():
        return name
    characters = prints_utf8(variables)
    if all(_is_printable(char, characters=characters) for char in name):
        return name
    shown = [
        _ESCAPES.get(char) or (char if _is_printable(char, characters=characters) else _octal(char))
        for char in name
    ]
    return f"$'{''.join(shown)}'"


def _is_printable(char: str, *, characters: bool) -> bool:
    if char.isascii() or not characters:
        return " " <= char <= "~"
    if char.isprintable():
        return True
    from unicodedata import category  # noqa: PLC0415 - most names have no such character

    # To iswprint(3) odd spaces, marks of formats and characters for private use are printable.
    return category(char) in ("Zs", "Cf", "Co")


def _octal(char: str) -> str:
    return "".join([f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape")])
