"""Scripts of GNU sed: their commands, and the files and programs that these name.

Understood: every address and command of 4.9. A script that GNU sed would not accept, or that
its releases read differently, is unknown. Each piece (-e) is read by itself: a piece that
cannot end where it ends is unknown. Source: compile_program in sed/compile.c, 4.9.
"""

from __future__ import annotations

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.meaning import Meaning, on, unknown
from agent_exec.regex import regex

_BLANK = " \t"
_SPACE = " \t\n\v\f\r"
# As most are; what is said of them below takes many times as long.
_PLAIN_SCRIPT = regex(r"(?:(?:[0-9]+|\$)(?:,(?:[0-9]+|\$))?)?[=dDFgGhHnNpPxz]")
_NUMBER = regex(r"[0-9]+")
_LABEL = regex(r"[ \t]*([A-Za-z0-9_.:-]*)")
_PLAIN = "=dDFgGhHnNpPzx"
_MAY_HAVE_NUMBER = "qQlL"
_TEXT = "aic"
_FILES = {"r": EffectKind.READ, "R": EffectKind.READ, "w": EffectKind.WRITE, "W": EffectKind.WRITE}


class _ScriptError(Exception):
    """Says why."""


def sed(text: str) -> Meaning:
    """What a script does beyond its input and its output."""
    return Meaning() if _PLAIN_SCRIPT.fullmatch(text) else read_script(text)


def read_script(text: str) -> Meaning:
    """The same, sign by sign."""
    script = _Script(text)
    try:
        script.run()
    except _ScriptError as reason:
        return Meaning((*script.effects, *unknown(f"a sed script: {reason}").effects))
    return Meaning(tuple(script.effects))


class _Script:
    def __init__(self, text: str) -> None:
        self.effects: list[Effect] = []
        self._text = text
        self._at = 0

    def run(self) -> None:
        while True:
            while self._here() in (*_SPACE, ";"):
                self._at += 1
            if self._here() is None:
                return
            self._addresses()
            self._command()

    def _here(self) -> str | None:
        return self._text[self._at] if self._at < len(self._text) else None

    def _next(self) -> str | None:
        char = self._here()
        self._at += 1
        return char

    def _skip_blanks(self) -> None:
        while self._here() in (" ", "\t"):
            self._at += 1

    def _addresses(self) -> None:
        if self._address():
            self._skip_blanks()
            if self._here() == ",":
                self._at += 1
                self._skip_blanks()
                if not self._address():
                    raise _ScriptError("no address after the comma")
                self._skip_blanks()
        if self._here() == "!":
            self._at += 1
            self._skip_blanks()

    def _address(self) -> bool:
        char = self._here()
        if char in ("/", "\\"):
            self._at += 1
            self._delimited(char if char == "/" else self._next(), regex=True)
            while self._here() in (*_BLANK, "I", "M"):
                self._at += 1
        elif char == "$":
            self._at += 1
        elif char in ("+", "~"):
            self._at += 1
            self._skip_blanks()
            self._number()
        elif char is not None and char in "0123456789":
            self._number()
            self._skip_blanks()
            if self._here() == "~":
                self._at += 1
                self._skip_blanks()
                self._number()
        else:
            return False
        return True

    def _number(self) -> None:
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            raise _ScriptError("no number where one belongs")
        self._at = match.end()

    def _delimited(self, delimiter: str | None, *, regex: bool) -> None:
        """Up to `delimiter`, which a bracket expression of a `regex` hides."""
        if delimiter is None or delimiter in "\n\\" or not delimiter.isascii():
            raise _ScriptError("a delimiter that cannot be one")
        while True:
            char = self._next()
            if char == delimiter:
                return
            if char == "\\":
                char = self._next()
            elif char == "[" and regex:
                self._bracket()
            elif char == "\n":
                char = None
            if char is None:
                raise _ScriptError("a text without its end")

    def _bracket(self) -> None:
        """To the end of a bracket expression, as snarf_char_class in sed/compile.c."""
        if self._here() == "^":
            self._at += 1
        if self._here() == "]":
            self._at += 1
        # 0: outside of [: :], [. .] and [= =]; 1: after a bracket; 2: inside; 3: after a sign
        # that may be the last one inside.
        state = 0
        sign: str | None = None
        while True:
            char = self._next()
            if char is None or char == "\n":
                raise _ScriptError("brackets without their end")
            if char == "[":
                state = state or 1
                continue
            if char in ".:=" and state == 1:
                sign, state = char, 2
                continue
            if state == 2 and char == sign:
                state = 3
                continue
            if char == "]" and state in (0, 1):
                return
            state = 0 if char == "]" and state == 3 else state & ~1

    def _command(self) -> None:
        command = self._next()
        if command is None or command in ";\n":
            raise _ScriptError("an address without a command")
        if command == "#":
            self._line()
        elif command == "{":
            pass
        elif command == "}" or command in _PLAIN:
            self._end()
        elif command in _MAY_HAVE_NUMBER:
            self._skip_blanks()
            match = _NUMBER.match(self._text, self._at)
            self._at = match.end() if match else self._at
            self._end()
        elif command in ":btTv":
            self._label(command)
        elif command in _TEXT:
            self._text_lines()
        elif command in _FILES:
            self._file(command)
        elif command == "e":
            self._do(EffectKind.EXECUTE, None, "the command e of sed runs a program")
            self._text_lines()
        elif command == "y":
            delimiter = self._next()
            self._delimited(delimiter, regex=False)
            self._delimited(delimiter, regex=False)
            self._end()
        elif command == "s":
            delimiter = self._next()
            self._delimited(delimiter, regex=True)
            self._delimited(delimiter, regex=False)
            self._flags()
        else:
            raise _ScriptError(f"there is no command {command}")

    def _end(self) -> None:
        self._skip_blanks()
        char = self._here()
        if char in (";", "\n"):
            self._at += 1
        elif char not in (None, "}", "#"):
            raise _ScriptError(f"{char} where a command ends")

    def _label(self, command: str) -> None:
        """Releases differ in what ends a label: only one that all read alike is understood."""
        match = _LABEL.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        if command == ":" and not match.group(1):
            raise _ScriptError("a label without a name")
        self._skip_blanks()
        char = self._here()
        if char == "}":
            after = self._text[self._at + 1 : self._at + 2]
            if after not in ("", "\n", ";", "}"):
                raise _ScriptError("a label that may go on")
        elif char in (";", "\n"):
            self._at += 1
        elif char is not None:
            raise _ScriptError("a label with other signs in it")

    def _text_lines(self) -> None:
        """The text of a, i, c and e: up to a newline that no backslash precedes."""
        self._skip_blanks()
        if self._here() == "\\":
            self._at += 1
            begin = self._at
            self._skip_blanks()
            if self._here() == "\n":
                if self._at > begin:
                    raise _ScriptError("blanks after the backslash before a text")
                self._at += 1
            else:
                self._at = begin - 1
        while True:
            char = self._next()
            if char == "\\":
                char = self._next()
            elif char == "\n":
                return
            if char is None:
                return

    def _line(self) -> str:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line = self._text[self._at : end]
        self._at = end
        return line

    def _file(self, command: str) -> None:
        self._skip_blanks()
        name = self._line()
        if not name:
            raise _ScriptError(f"{command} without a file")
        self._do(_FILES[command], name, f"the command {command} of sed")

    def _flags(self) -> None:
        while True:
            char = self._here()
            if char is not None and char in "iImMpg0123456789 \t":
                self._at += 1
            elif char == "e":
                self._at += 1
                self._do(EffectKind.EXECUTE, None, "s///e runs what it makes as a program")
            elif char == "w":
                self._at += 1
                self._file("w")
                return
            else:
                self._end()
                return

    def _do(self, kind: EffectKind, path: str | None, because: str) -> None:
        # A file of that name: sed takes no dash for its output.
        self.effects += on(kind, "./-" if path == "-" else path, because)
