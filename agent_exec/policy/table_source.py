"""The words of `policies/tools/*.yaml` to tables. See docs/guides/add-a-tool-table.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.table import (
    Mode,
    Operand,
    Operands,
    Option,
    Role,
    Syntax,
    Table,
    TableError,
    operands_of,
)

_KEYS = frozenset(
    {
        *("also", "versioned", "syntax", "numeric", "plus", "negatable", "old_style"),
        *("dash", "stops", "separate", "response_files", "follows"),
        *("assignments", "keys", "alone", "flags", "values", "optional", "options", "operands"),
        *("none", "effects", "anything", "stdin", "modes", "commands", "default"),
        *("commands_alone", "otherwise", "language"),
    }
)
_OPTION_KEYS = frozenset(
    {"value", "values", "optional", "effects", "operands", "because", "follows"}
)
_OPERAND_KEYS = frozenset({"role", "unless", "if", "effects", "absent"})
_MODE_KEYS = frozenset({"if", "unless", "input", "operands", "none", "effects", "values"})

# Keys that `Table` has, too, by what stands there.
_SWITCHES = frozenset(
    {
        *("numeric", "negatable", "dash", "old_style", "stops", "separate", "response_files"),
        *("assignments", "follows"),
    }
)
_AS_THEY_ARE = frozenset({"default", "otherwise", "language"})
_ROLES = frozenset({"plus", "stdin"})
_EFFECTS = frozenset({"none", "effects"})
_SYNTAX_WORDS = {each.value: each for each in Syntax}
_ROLE_WORDS = {each.value: each for each in Role}
_DATA = (Role.DATA,)
_KIND_WORDS = {each.value: each for each in EffectKind}

_Member = TypeVar("_Member", Syntax, Role, EffectKind)


class Shared:
    """What many tables have alike, made once: half of all options, and most effects."""

    def __init__(self) -> None:
        self.flags: dict[str, Option] = {}
        self.values: dict[str, Option] = {}
        self.optional: dict[str, Option] = {}
        self.effects: dict[str, Effect] = {}


def make_table(
    name: str,
    source: Mapping[str, Any],
    where: str,
    *,
    alone: Sequence[str] = ("--help", "--version"),
    shared: Shared | None = None,
) -> Table:
    """The table that `source` describes.

    Args:
        name: Of the program or sub-command.
        source: As it stands in the YAML.
        where: For messages: the file, and the keys that led here.
        alone: `Table.alone` where `source` does not say it.
        shared: Of the tables that are kept together.

    Raises:
        TableError: Something in it has no meaning.
    """
    _known(source, _KEYS, where)
    if shared is None:
        shared = Shared()
    spellings = _spellings(_options(source, shared, where), where)
    # Most tables say little: what is not there costs nothing.
    said: dict[str, Any] = {}
    for key, value in source.items():
        if key in _SWITCHES:
            said[key] = bool(value)
        elif key in _EFFECTS:
            said[key] = _effects(value, shared, f"{where}.{key}")
        elif key in _ROLES:
            said[key] = None if value is None else _role(value, f"{where}.{key}")
        elif key in _AS_THEY_ARE:
            said[key] = value
    if source.get("anything") is not None:
        said["anything"] = _effects(source["anything"], shared, f"{where}.anything")
    if "keys" in source:
        said["keys"] = _roles(source["keys"], f"{where}.keys")
    if "alone" in source:
        alone = _words(source["alone"], f"{where}.alone")
    if "operands" in source:
        said["operands"] = _operands(source["operands"], spellings, shared, f"{where}.operands")
    if "modes" in source:
        said["modes"] = tuple(
            _mode(mode, spellings, shared, f"{where}.modes[{index}]")
            for index, mode in enumerate(source["modes"])
        )
    if source.get("commands") is not None:
        said["commands"] = _commands(
            source["commands"],
            f"{where}.commands",
            _words(source.get("commands_alone", ["--help"]), f"{where}.commands_alone"),
            shared,
        )
    return Table(
        name=name,
        syntax=_member(_SYNTAX_WORDS, source.get("syntax", "gnu"), f"{where}.syntax"),
        options=spellings,
        longs=tuple(sorted([spelling for spelling in spellings if spelling.startswith("--")])),
        alone=frozenset(alone),
        **said,
    )


def names_of(name: str, source: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """What the program is called: `name`, and what stands under ``also``."""
    if not isinstance(source, Mapping):
        raise TableError(f"{where}: a table is a mapping, not {source!r}")
    return (name, *_words(source["also"], f"{where}.also")) if "also" in source else (name,)


def _commands(
    source: Mapping[str, Any], where: str, alone: Sequence[str], shared: Shared
) -> Mapping[str, Table]:
    tables: dict[str, Table] = {}
    for key, table in source.items():
        place = f"{where}.{key}"
        if not isinstance(table, Mapping):
            raise TableError(f"{place}: a table is a mapping, not {table!r}")
        names = [name.strip() for name in str(key).split(",")]
        content = {"commands_alone": list(alone), **table}
        made = make_table(names[0], content, place, alone=alone, shared=shared)
        for name in (*names, *_words(table.get("also", []), f"{place}.also")):
            if name in tables:
                raise TableError(f"{place}: {name} stands there more than once")
            tables[name] = made if name == made.name else made._replace(name=name)
    return tables


def _options(source: Mapping[str, Any], shared: Shared, where: str) -> list[Option]:
    options: list[Option] = []
    if "flags" in source:
        options += _simple(source["flags"], shared.flags, (), None, f"{where}.flags")
    if "values" in source:
        options += _simple(source["values"], shared.values, _DATA, None, f"{where}.values")
    if "optional" in source:
        place = f"{where}.optional"
        options += _simple(source["optional"], shared.optional, (), Role.DATA, place)
    for key, detail in (source.get("options") or {}).items():
        place = f"{where}.options.{key}"
        options.append(_option(_spelled(key, place), detail or {}, shared, place))
    return options


def _simple(
    source: object,
    made: dict[str, Option],
    values: tuple[Role, ...],
    attached: Role | None,
    where: str,
) -> list[Option]:
    """Options that only their names tell apart."""
    options = []
    for word in _list(source, where):
        text = str(word)
        option = made.get(text)
        if option is None:
            option = made[text] = Option(_spelled(text, where), values, attached)
        options.append(option)
    return options


def _spelled(text: object, where: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if name[:1] != "-" or name == "-":
            raise TableError(f"{where}: {name!r} is no option; it has no dash")
    return names


def _spellings(options: Sequence[Option], where: str) -> Mapping[str, Option]:
    spellings = {spelling: option for option in options for spelling in option.names}
    if len(spellings) != sum([len(option.names) for option in options]):
        counted = Counter(spelling for option in options for spelling in option.names)
        twice = sorted(spelling for spelling, count in counted.items() if count > 1)
        raise TableError(f"{where}: {', '.join(twice)} stands there more than once")
    return spellings


def _option(
    names: tuple[str, ...], source: Mapping[str, Any], shared: Shared, where: str
) -> Option:
    if not isinstance(source, Mapping):
        raise TableError(f"{where}: an option is a mapping such as {{value: read}}")
    _known(source, _OPTION_KEYS, where)
    values = source.get("values", [source["value"]] if "value" in source else [])
    optional = source.get("optional")
    operands = source.get("operands")
    return Option(
        names,
        values=tuple([_role(role, where) for role in values]),
        attached=None if optional is None else _role(optional, where),
        effects=_effects(source["effects"], shared, where) if "effects" in source else (),
        operands=None if operands is None else _role(operands, where),
        because=source.get("because", ""),
        follows=bool(source.get("follows", False)),
    )


def _operands(
    source: Sequence[Any], spellings: Mapping[str, Option], shared: Shared, where: str
) -> Operands:
    specs = tuple([_operand(each, spellings, shared, where) for each in _list(source, where)])
    if sum(spec.repeats for spec in specs) > 1:
        raise TableError(f"{where}: only one of the operands may repeat")
    return operands_of(specs)


def _operand(
    source: object, spellings: Mapping[str, Option], shared: Shared, where: str
) -> Operand:
    if isinstance(source, str):
        return Operand(_role(source.removesuffix("*"), where), repeats=source.endswith("*"))
    if not isinstance(source, Mapping):
        raise TableError(f"{where}: an operand is a role or a mapping, not {source!r}")
    _known(source, _OPERAND_KEYS, where)
    role = str(source.get("role", ""))
    return Operand(
        _role(role.removesuffix("*"), where),
        repeats=role.endswith("*"),
        unless=_firsts(source.get("unless", []), spellings, where),
        given=_firsts(source.get("if", []), spellings, where),
        effects=_effects(source.get("effects", []), shared, where),
        absent=_effects(source.get("absent", []), shared, where),
    )


def _mode(
    source: Mapping[str, Any], spellings: Mapping[str, Option], shared: Shared, where: str
) -> Mode:
    _known(source, _MODE_KEYS, where)
    values = {}
    for key, role in (source.get("values") or {}).items():
        for first in _firsts([key], spellings, where):
            values[first] = tuple(_role(each, where) for each in _list_of(role))
    operands, none, effects = source.get("operands"), source.get("none"), source.get("effects")
    return Mode(
        _firsts(source.get("if", []), spellings, where),
        unless=_firsts(source.get("unless", []), spellings, where),
        operands=None if operands is None else _operands(operands, spellings, shared, where),
        none=None if none is None else _effects(none, shared, where),
        effects=None if effects is None else _effects(effects, shared, where),
        values=values,
        input=bool(source.get("input", False)),
    )


def _firsts(words: Iterable[str], spellings: Mapping[str, Option], where: str) -> frozenset[str]:
    firsts = set()
    for word in words:
        for spelling in _names(word):
            if spelling not in spellings:
                raise TableError(f"{where}: there is no option {spelling}")
            firsts.add(spellings[spelling].names[0])
    return frozenset(firsts)


def _effects(source: object, shared: Shared, where: str) -> tuple[Effect, ...]:
    effects = []
    for text in _list(source, where):
        if not isinstance(text, str):
            raise TableError(f"{where}: an effect is a kind, or a kind and a path: {text!r}")
        effect = shared.effects.get(text)
        if effect is None:
            kind, _, path = text.partition(" ")
            effect = Effect(_member(_KIND_WORDS, kind, where), path or None)
            shared.effects[text] = effect
        effects.append(effect)
    return tuple(effects)


def _roles(source: Mapping[str, str], where: str) -> Mapping[str, Role]:
    return {str(key): _role(role, where) for key, role in source.items()}


def _role(word: object, where: str) -> Role:
    return _member(_ROLE_WORDS, word, where)


def _member(members: Mapping[str, _Member], word: object, where: str) -> _Member:
    member = members.get(str(word))
    if member is None:
        raise TableError(f"{where}: {word!r} is none of {', '.join(members)}")
    return member


def _names(text: object) -> tuple[str, ...]:
    return tuple([name.strip() for name in str(text).split(",")])


def _list(source: object, where: str) -> Sequence[Any]:
    if not isinstance(source, list):
        raise TableError(f"{where}: a list is wanted, not {source!r}")
    return source


def _list_of(source: object) -> Sequence[Any]:
    return source if isinstance(source, list) else [source]


def _words(source: object, where: str) -> Sequence[str]:
    words = _list(source, where)
    for word in words:
        if not isinstance(word, str):
            raise TableError(f"{where}: {word!r} is no string; quote it")
    return words


def _known(source: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    if not keys.issuperset(source):
        unknown = sorted(map(str, source.keys() - keys))
        raise TableError(
            f"{where}: there is no {', '.join(unknown)}; there are {', '.join(sorted(keys))}"
        )
