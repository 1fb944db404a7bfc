"""Variables that are not only data to bash: it computes them, or obeys them."""

from __future__ import annotations

from collections.abc import Mapping

from agent_exec.regex import regex
from agent_exec.shell.needs_bash import NeedsBash

# bash computes these, or sets them when it starts: their value is not that of the environment.
COMPUTED = frozenset(
    {
        *("BASH", "BASHOPTS", "BASHPID", "COLUMNS", "COMP_WORDBREAKS", "DIRSTACK", "EUID"),
        *("EPOCHREALTIME", "EPOCHSECONDS", "FUNCNAME", "GROUPS", "HISTCMD", "HOSTNAME"),
        *("HOSTTYPE", "IFS", "LINENO", "LINES", "MACHTYPE", "OLDPWD", "OPTARG", "OPTERR"),
        *("OPTIND", "OSTYPE", "PIPESTATUS", "PPID", "PS4", "RANDOM", "SECONDS"),
        *("SHELLOPTS", "SHLVL", "SRANDOM", "UID", "_"),
    }
)
# ... and these only where the environment has none.
DEFAULTED = frozenset({"PATH", "PWD", "SHELL", "TERM"})
# In the environment of bash these change how it reads or runs a text, or what its children get.
_OBEYED = frozenset(
    {
        *("BASH_COMPAT", "BASH_ENV", "BASH_XTRACEFD", "BASHOPTS", "CDPATH", "CHILD_MAX", "ENV"),
        *("EXECIGNORE", "FUNCNEST", "GLOBIGNORE", "GLOBSORT", "IFS", "POSIXLY_CORRECT"),
        *("POSIX_PEDANTIC", "SHELLOPTS", "TIMEFORMAT", "BASH_LOADABLES_PATH"),
    }
)
# Set by bash whatever the environment says, so a child would see another value.
_OVERWRITTEN = frozenset(
    {
        *("BASHPID", "DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS"),
        *("HISTCMD", "LINENO", "OPTERR", "OPTIND", "PIPESTATUS", "PPID", "PS4", "RANDOM"),
        *("SECONDS", "SRANDOM", "UID", "BASH"),
    }
)
# Computed, but only for a person at a terminal: a value given to a command arrives there.
_GIVEN_TO_A_COMMAND = frozenset({"COLUMNS", "HOSTNAME", "LINES", "SHELL", "TERM"})
_LOCALE = regex(r"LC_[A-Z]+|LANG|LANGUAGE")
_C_LOCALES = frozenset({"", "C", "POSIX", "C.UTF-8", "C.utf8"})


def check_environment(variables: Mapping[str, str]) -> None:
    """Refuse an environment in which bash is not the bash that we know.

    Raises:
        NeedsBash: A variable changes bash itself.
    """
    for name in variables:
        if name in _OBEYED or name in _OVERWRITTEN or name.startswith(("BASH_", "COMP_")):
            raise NeedsBash(f"the variable {name}, which changes bash", 0)


def check_prefix(name: str, value: str) -> None:
    """Refuse ``NAME=value`` before a command where bash itself would obey it.

    Raises:
        NeedsBash: It would.
    """
    if name in _GIVEN_TO_A_COMMAND or name == "HOME":
        return
    if name in COMPUTED or name in DEFAULTED:
        raise NeedsBash(f"an assignment to {name}, which bash uses", 0)
    _check_any(name, value)


def check_export(name: str, value: str) -> None:
    """Refuse ``export NAME=value`` where bash itself would obey it from there on.

    Raises:
        NeedsBash: It would.
    """
    if name in COMPUTED or name in DEFAULTED or name == "HOME":
        raise NeedsBash(f"an export of {name}, which bash uses", 0)
    _check_any(name, value)


def sorts_by_bytes(variables: Mapping[str, str]) -> bool:
    """Is the order of matches that of their bytes, and a character what UTF-8 says?"""
    return (
        _locale(variables, "LC_COLLATE") in _C_LOCALES
        and _locale(variables, "LC_CTYPE") in _C_LOCALES
    )


def is_utf8(variables: Mapping[str, str]) -> bool:
    """Of the locales that `sorts_by_bytes` knows: does it have characters beyond ASCII?"""
    return _locale(variables, "LC_CTYPE") in ("C.UTF-8", "C.utf8")


def prints_utf8(variables: Mapping[str, str]) -> bool:
    """By its name, does any locale have characters beyond ASCII?"""
    charset, _, _ = _locale(variables, "LC_CTYPE").partition("@")
    return charset.lower().replace("-", "").endswith(".utf8")


def _locale(variables: Mapping[str, str], category: str) -> str:
    return variables.get("LC_ALL") or variables.get(category) or variables.get("LANG", "")


def _check_any(name: str, value: str) -> None:
    if name in _OBEYED or name.startswith(("BASH_", "COMP_")):
        raise NeedsBash(f"an assignment to {name}, which changes bash", 0)
    if _LOCALE.fullmatch(name) and value not in _C_LOCALES:
        raise NeedsBash("a locale that bash may not find", 0)
