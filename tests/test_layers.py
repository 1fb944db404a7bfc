"""The rules between the parts that an import graph cannot say.

The rest are import-linter contracts in pyproject.toml. The files read are those of the
package under test, wherever it is installed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent_exec

PACKAGE = Path(agent_exec.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

STARTERS = frozenset(
    {
        *("os." + name for name in ("fork", "forkpty", "kill", "killpg", "popen", "system")),
        *("os." + name for name in ("posix_spawn", "posix_spawnp")),
        *("os.exec" + suffix for suffix in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
        *("os.spawn" + suffix for suffix in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
        *("signal." + name for name in ("pidfd_send_signal", "pthread_kill", "raise_signal")),
        *("asyncio." + name for name in ("create_subprocess_exec", "create_subprocess_shell")),
        *("anyio." + name for name in ("open_process", "run_process")),
        *("trio." + name for name in ("open_process", "run_process")),
    }
)
STARTING_PARTS = ("launch", "runtime", "bench")

CONTAINERS = frozenset(
    {
        *("bytearray", "dict", "list", "set"),
        *("Counter", "OrderedDict", "defaultdict", "deque", "count", "local"),
        *("WeakKeyDictionary", "WeakSet", "WeakValueDictionary"),
        *("Condition", "Event", "Lock", "RLock", "Semaphore", "ContextVar"),
    }
)
MUTATORS = frozenset(
    {
        *("add", "append", "clear", "discard", "extend", "insert", "pop", "popitem"),
        *("remove", "reverse", "setdefault", "sort", "update"),
    }
)


def processes_touched(tree: ast.AST) -> Iterator[str]:
    """What in `tree` starts or signals a process, as ``module.function``."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                names = [f"{module}.{name}"]
            case ast.ImportFrom(module=str(module), names=imported):
                names = [f"{module}.{alias.name}" for alias in imported]
            case _:
                names = []
        yield from STARTERS.intersection(names)


def imports_native(tree: ast.AST) -> bool:
    """Whether `tree` imports the C core, by whatever form."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=imported):
                names = [alias.name for alias in imported]
            case ast.ImportFrom(module=str(module), names=imported):
                names = [module, *(f"{module}.{alias.name}" for alias in imported)]
            case _:
                names = []
        if any(f"{name}.".startswith("agent_exec._native.") for name in names):
            return True
    return False


def _is_container(value: ast.expr | None) -> bool:
    match value:
        case ast.Dict() | ast.List() | ast.Set():
            return True
        case ast.DictComp() | ast.ListComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in CONTAINERS
        case _:
            return False


def _is_table(value: ast.expr | None) -> bool:
    match value:
        case ast.Dict(keys=items) | ast.List(elts=items) | ast.Set(elts=items):
            return bool(items)
        case _:
            return isinstance(value, ast.DictComp | ast.ListComp | ast.SetComp)


def _module_assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        yield target.id, value
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                yield name, value


def _changed_in_place(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
                if method in MUTATORS:
                    yield name
            case ast.AugAssign(target=ast.Name(id=name)):
                yield name


def module_state(tree: ast.Module) -> Iterator[str]:
    """The names in `tree` that can hold state for the whole process.

    A table in capitals that is filled where it is written and never changed is none.
    """
    changed = set(_changed_in_place(tree))
    for name, value in _module_assignments(tree):
        if name == "__all__" or not _is_container(value):
            continue
        if not _is_table(value) or name in changed or not name.isupper():
            yield name
    for node in ast.walk(tree):
        match node:
            case ast.Global(names=names):
                yield from names
            case ast.FunctionDef(name=name, decorator_list=decorators):
                for decorator in decorators:
                    called = decorator.func if isinstance(decorator, ast.Call) else decorator
                    if ast.unparse(called).split(".")[-1] in {"cache", "lru_cache"}:
                        yield name


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def _id(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "path", [path for path in MODULES if _part(path) not in STARTING_PARTS], ids=_id
)
def test_only_launch_and_runtime_start_or_signal_processes(path: Path) -> None:
    assert list(processes_touched(_tree(path))) == []


@pytest.mark.parametrize("path", [path for path in MODULES if _part(path) != "launch"], ids=_id)
def test_only_launch_imports_the_c_core(path: Path) -> None:
    assert not imports_native(_tree(path))


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_a_module_holds_no_mutable_state(path: Path) -> None:
    assert list(module_state(_tree(path))) == []


@pytest.mark.parametrize(
    ("source", "touched"),
    [
        pytest.param("import os\nos.kill(1, 9)", ["os.kill"], id="call"),
        pytest.param("from os import fork as f", ["os.fork"], id="imported-by-name"),
        pytest.param("start = anyio.run_process", ["anyio.run_process"], id="not-called"),
        pytest.param("child.kill()", [], id="a-method-of-ours"),
        pytest.param("signal.Signals(9).name", [], id="the-name-of-a-signal"),
    ],
)
def test_what_starts_or_signals_a_process_is_seen(source: str, touched: list[str]) -> None:
    assert list(processes_touched(ast.parse(source))) == touched


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        pytest.param("import agent_exec._native", True, id="import"),
        pytest.param("from agent_exec._native import spawn", True, id="from-it"),
        pytest.param("from agent_exec import _native", True, id="from-the-package"),
        pytest.param("from agent_exec.launch import native", False, id="the-wrapper"),
    ],
)
def test_an_import_of_the_c_core_is_seen(source: str, imports: bool) -> None:
    assert imports_native(ast.parse(source)) is imports


@pytest.mark.parametrize(
    ("source", "state"),
    [
        pytest.param("_cache = {}", ["_cache"], id="empty-dict"),
        pytest.param("CACHE: dict[str, int] = dict()", ["CACHE"], id="called-and-annotated"),
        pytest.param("_LOCK = threading.Lock()", ["_LOCK"], id="lock"),
        pytest.param("STEPS = {1: 'exec'}", [], id="table"),
        pytest.param("steps = {1: 'exec'}", ["steps"], id="table-in-lower-case"),
        pytest.param("S = {1: 2}\ndef f():\n    S[3] = 4", ["S"], id="table-written-to"),
        pytest.param("S = [1]\ndef f():\n    S.append(2)", ["S"], id="table-grown"),
        pytest.param("N = 0\ndef f():\n    global N\n    N = 1", ["N"], id="global"),
        pytest.param("@functools.cache\ndef f(): ...", ["f"], id="cache"),
        pytest.param("@lru_cache(maxsize=1)\ndef f(): ...", ["f"], id="lru-cache"),
        pytest.param("__all__ = ['a']", [], id="exports"),
    ],
)
def test_module_state_is_seen(source: str, state: list[str]) -> None:
    assert list(module_state(ast.parse(source))) == state
