"""The commands inside a text that only bash runs: for rules that deny, and for messages.

tree-sitter's grammar reads most of bash, and errs now and then. So nothing that is listed
here is certain, the list may lack commands, and an empty one says nothing at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import tree_sitter
import tree_sitter_bash

from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command, FileUse, Source
from agent_exec.regex import regex
from agent_exec.shell.builtin_forms import is_builtin
from agent_exec.shell.dequote import dequoted
from agent_exec.shell.expand import Scope
from agent_exec.shell.needs_bash import NeedsBash
from agent_exec.shell.parser import parse
from agent_exec.shell.planning import plan

_LONGEST = 1 << 15  # characters
_MOST_PIPES = 500  # a pipeline takes the grammar the square of its length
_LONGEST_PARSE_S = 0.5
_MOST_COMMANDS = 1000
_MOST_LINES = 200

# A backslash that is not itself escaped, at the end of a line.
_CONTINUATION = regex(r"(?<!\\)((?:\\\\)*)\\\n")
_CONTROL = regex("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = regex("[\ud800-\udfff]")

_HERE_DOCUMENT = regex(r"<<-?[ \t]*[^ \t<>|&;()]+")

_BEYOND_ASCII = regex(r"[^\x00-\x7f]")

# Words before a command that to the grammar are its name.
_BEFORE_A_NAME = frozenset({"!", "time", "coproc", "then", "do", "else", "elif", "if", "while"})
_NO_TARGETS = frozenset({"ERROR", "file_descriptor"})
_EXPANSIONS = frozenset({"simple_expansion", "expansion", "command_substitution"})
_WORDS_OF_A_TEST = frozenset({"word", "string", "raw_string", "concatenation", "number"})
_Path = list[tree_sitter.Node]
_BOTH = (EffectKind.READ, EffectKind.WRITE)
_FILE_KINDS = {"<": (EffectKind.READ,), "<&": (EffectKind.READ,)}


def list_commands(text: str, scope: Scope) -> tuple[Command, ...]:
    """What `text` seems to run, in its order, each once; empty where nothing was found.

    Commands in substitutions, here-documents, compound commands and functions are among
    them, and what seems to be an assignment stands as ``declare NAME=VALUE``.
    """
    if len(text) > _LONGEST or text.count("|") > _MOST_PIPES:
        return ()
    found: dict[Command, None] = {}
    deadline = time.monotonic() + _LONGEST_PARSE_S
    for reading in _readings(text):
        root = _parsed(reading, deadline)
        if root is None:
            return tuple(found)
        lister = _Lister(reading, scope)
        for command in (*lister.commands(root), *_by_line(reading, root, scope)):
            found.setdefault(command)
            if len(found) == _MOST_COMMANDS:
                return tuple(found)
    return tuple(found)


def _readings(text: str) -> Iterable[str]:
    """The text; with its continued lines joined; with its control characters in words.

    The grammar takes some continuations for the ends of words, and a carriage return for a
    blank.
    """
    plain = _SURROGATE.sub("\ufffd", text)
    return dict.fromkeys((plain, _CONTINUATION.sub(r"\1", plain), _CONTROL.sub("_", plain)))


def _parsed(text: str, deadline: float) -> tree_sitter.Node | None:
    """The root of the tree, or None when that takes too long. Its bytes are our characters.

    The grammar's C code looks up characters in tables that end early: with those beyond
    ASCII in a text, some crash the process. All of them are parts of words.
    """
    octets = _BEYOND_ASCII.sub("%", text).encode("ascii")
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))

    def read(offset: int, _point: object) -> bytes:
        # tree_sitter 0.26 never gives back what it gets here. Of a byte there is one object.
        return octets[offset : offset + 1]

    def is_late(_offset: int, _has_error: bool) -> bool:
        return time.monotonic() > deadline

    try:
        tree = parser.parse(read, encoding="utf8", progress_callback=is_late)
    except ValueError:
        return None
    return tree.root_node


def _by_line(text: str, root: tree_sitter.Node, scope: Scope) -> Iterator[Command]:
    """What we read ourselves in single lines, where the grammar is at a loss.

    That is with mistakes (bash runs the lines before one before it sees it), and behind the
    name of a here-document.
    """
    later = scope._replace(status=None)
    for line in text.split("\n")[:_MOST_LINES]:
        if not root.has_error and "<<" not in line:
            continue
        try:
            commands = plan(parse(_HERE_DOCUMENT.sub("", line)), later)
        except NeedsBash:
            continue
        yield from (command._replace(certain=False) for command in commands)


class _Lister:
    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._scope = scope
        # Of the variables that the text sets; a value that is not written out is None.
        self._set: dict[str, str | None] = {}

    def commands(self, root: tree_sitter.Node) -> Iterator[Command]:
        for path in _walk(root):
            node = path[-1]
            match node.type:
                case "command":
                    yield from self._command(path)
                case "test_command":
                    yield self._made(self._test(node), path)
                case "declaration_command" | "unset_command":
                    yield self._made([self._word(child) for child in node.children], path)
                case "variable_assignment" if _is_alone(path):
                    self._remember(node)
                    yield self._made(["declare", self._word(node)], path)
                case "redirected_statement" if _first_type(node) != "command":
                    files = tuple(self._files(node.children))
                    if files:
                        yield self._made([":"], path, files=files)
                case _:
                    pass

    def _command(self, path: _Path) -> Iterator[Command]:
        """The command; and what it would be if its first words were none of it."""
        node, parent = path[-1], path[-2]
        redirections = list(node.children)
        if parent.type == "redirected_statement":
            redirections += parent.children
        files = tuple(self._files(redirections))
        variables: list[tuple[str, str]] = []
        words: list[tree_sitter.Node] = []
        for child in node.children:
            if child.type == "variable_assignment":
                name, _, value = self._word(child).partition("=")
                variables.append((name.rstrip("+"), value))
            elif child.type == "command_name":
                words += child.children
            elif not child.type.endswith("_redirect"):
                words.append(child)
        # The grammar takes words behind a redirection for more of its targets.
        words += [target for child in redirections for target in _targets(child)[1:]]
        text = self._input(redirections)
        argv = [word for child in words for word in self._words(child)]
        vanishes = bool(words) and words[0].type in _EXPANSIONS
        while argv:
            yield self._made(argv, path, files=files, variables=variables, text=text)
            if not vanishes and argv[0] not in _BEFORE_A_NAME:
                return
            vanishes = False
            argv = argv[1:]
            while argv and argv[0].startswith("-"):
                argv = argv[1:]

    def _test(self, node: tree_sitter.Node) -> list[str]:
        words: list[str] = []
        for path in _walk(node):
            inner = path[-1]
            within = len(path) > 1 and path[-2].type in _WORDS_OF_A_TEST
            if not within and (inner.child_count == 0 or inner.type in _WORDS_OF_A_TEST):
                words.append(self._word(inner))
        return words

    def _made(
        self,
        argv: Sequence[str],
        path: _Path,
        *,
        files: tuple[FileUse, ...] = (),
        variables: Sequence[tuple[str, str]] = (),
        text: str | None = None,
    ) -> Command:
        stdin = Source.PIPE if _is_fed(path) else self._scope.stdin
        return Command(
            tuple(argv),
            None,
            self._scope.cwd,
            (*self._scope.exported, *variables),
            files,
            stdin=Source.TEXT if text is not None else stdin,
            text=text,
            builtin=bool(argv) and is_builtin(argv[0]),
            certain=False,
        )

    def _words(self, node: tree_sitter.Node) -> list[str]:
        return dequoted(self._raw(node), self._scope, self._set)

    def _raw(self, node: tree_sitter.Node) -> str:
        return self._text[node.start_byte : node.end_byte]

    def _word(self, node: tree_sitter.Node) -> str:
        return " ".join(self._words(node))

    def _remember(self, node: tree_sitter.Node) -> None:
        name, equals, value = self._word(node).partition("=")
        literal = not any(path[-1].type in _EXPANSIONS for path in _walk(node))
        self._set[name] = value if literal and equals and not name.endswith("+") else None

    def _files(self, nodes: Iterable[tree_sitter.Node]) -> Iterator[FileUse]:
        mistaken = False
        for node in nodes:
            if node.type == "ERROR":
                mistaken = True
            for target in _targets(node)[:1]:
                operator = self._operator(node)
                path = self._word(target)
                digits = operator in (">&", "<&") and (path.isdigit() or path == "-")
                if path == "/dev/null" or digits:
                    continue
                # What the grammar does not know may be `<>`, which it does not.
                both = mistaken or node.has_error
                kinds = _BOTH if both else _FILE_KINDS.get(operator, (EffectKind.WRITE,))
                yield from (FileUse(kind, path) for kind in kinds)

    def _operator(self, node: tree_sitter.Node) -> str:
        signs = (child for child in node.children if child.type[0] in "<>&")
        return next((self._raw(child) for child in signs), ">")

    def _input(self, nodes: Iterable[tree_sitter.Node]) -> str | None:
        """The text of the last here-document or here-string."""
        text = None
        for node in nodes:
            if node.type == "herestring_redirect":
                text = "".join(self._word(child) for child in node.children[1:]) + "\n"
            elif node.type == "heredoc_redirect":
                text = "".join(
                    self._raw(child) for child in node.children if child.type == "heredoc_body"
                )
        return text


def _walk(root: tree_sitter.Node) -> Iterator[list[tree_sitter.Node]]:
    """Every node behind its ancestors, in the order of the text. The list changes under way.

    Without recursion, for texts nest as they like; and never asking a node for its parent,
    which is looked for from the root.
    """
    cursor = root.walk()
    path = [root]
    while True:
        yield path
        if cursor.goto_first_child():
            path.append(_node(cursor))
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            path.pop()
        path[-1] = _node(cursor)


def _node(cursor: tree_sitter.TreeCursor) -> tree_sitter.Node:
    node = cursor.node
    assert node is not None, "the cursor has just moved to it"
    return node


def _targets(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The words of a redirection behind its operator."""
    if node.type != "file_redirect":
        return []
    return [child for child in node.children if child.is_named and child.type not in _NO_TARGETS]


def _first_type(node: tree_sitter.Node) -> str:
    return node.children[0].type if node.child_count else ""


def _is_alone(path: _Path) -> bool:
    """Is an assignment a command of its own?"""
    return path[-2].type not in ("command", "declaration_command")


def _is_fed(path: _Path) -> bool:
    """Does a pipe of the same text end at this command?"""
    for node, inner in zip(path[-2::-1], path[:0:-1], strict=False):
        if node.type == "pipeline" and node.child(0) != inner:
            return True
        if node.type not in ("redirected_statement", "pipeline"):
            return node.type == "heredoc_redirect"
    return False
