"""What the tables of archives, packages, languages and the like say of their programs."""

from __future__ import annotations

import pytest

from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command, Source
from agent_exec.policy.analyse import analyse
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.tables import Tables

Seen = set[tuple[str, str | None]]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def effects_of(tables: Tables, *argv: str, piped: bool = False) -> Seen:
    """Kinds and paths of the effects of a command and of those inside."""
    stdin = Source.PIPE if piped else Source.NOTHING
    found = analyse([Command(argv, None, stdin=stdin)], tables, cwd="/w", variables={})
    return {
        (effect.kind.value, effect.path)
        for each in found
        for effect in each.effects
        if effect.argv is None
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("tar tf a.tar b", {("read", "a.tar")}, id="tar-lists"),
        pytest.param("tar -tvf a.tar", {("read", "a.tar")}, id="tar-lists-bundled"),
        pytest.param("tar --get --to-s -f a.tar", {("read", "a.tar")}, id="tar-abbreviated"),
        pytest.param("tar xOf a.tar b", {("read", "a.tar")}, id="tar-extracts-to-output"),
        pytest.param(
            "tar xf a.tar", {("read", "a.tar"), ("write", ".")}, id="tar-extracts-where-it-is"
        ),
        pytest.param(
            "tar -C /d -xf a.tar", {("read", "a.tar"), ("write", "/d")}, id="tar-extracts-elsewhere"
        ),
        pytest.param(
            "tar cf a.tar b", {("read", "a.tar"), ("write", "a.tar"), ("read", "b")}, id="tar-makes"
        ),
        pytest.param(
            "tar cf a.tar -C /d b",
            {("read", "a.tar"), ("write", "a.tar"), ("read", None)},
            id="tar-makes-of-elsewhere",
        ),
        pytest.param("tar tf h:a.tar", {("network", None), ("execute", None)}, id="tar-of-a-host"),
        pytest.param("tar tf ./h:a.tar", {("read", "./h:a.tar")}, id="tar-of-a-name-with-a-colon"),
        pytest.param("unzip -l a.zip", {("read", "a.zip")}, id="unzip-lists"),
        pytest.param("unzip -p a.zip b", {("read", "a.zip")}, id="unzip-to-output"),
        pytest.param("unzip a.zip -d e", {("read", "a.zip"), ("write", "e")}, id="unzip-into"),
        pytest.param("unzip a.zip", {("read", "a.zip"), ("write", ".")}, id="unzip-here"),
        pytest.param("gzip -dc a.gz", {("read", "a.gz")}, id="gzip-to-output"),
        pytest.param(
            "gzip a", {("read", "a"), ("delete", "a"), ("write", ".")}, id="gzip-takes-the-place"
        ),
        pytest.param("gzip -k a", {("read", "a"), ("write", "a")}, id="gzip-keeps"),
        pytest.param("zcat a.gz b.gz", {("read", "a.gz"), ("read", "b.gz")}, id="zcat"),
        pytest.param("nm -D a.so", {("read", "a.so")}, id="nm"),
        pytest.param("nm @a a.so", {("unknown", None), ("read", "@a"), ("read", "a.so")}, id="at"),
        pytest.param("dpkg -l x", set(), id="dpkg-lists"),
        pytest.param("dpkg -c a.deb", {("read", "a.deb")}, id="dpkg-looks-into-a-package"),
        pytest.param("python3 a.py -x", {("execute", "a.py")}, id="python-runs-a-file"),
        pytest.param("python3 --version", set(), id="python-says-its-version"),
        pytest.param("python3.12 -V", set(), id="python-of-a-version"),
        pytest.param("pip list --format json", set(), id="pip-lists"),
        pytest.param("pip --log l list", {("write", "l")}, id="pip-option-before-its-command"),
        pytest.param("npm ls --depth 0", {("read", ".")}, id="npm-lists"),
        pytest.param("node --check a.js", {("read", "a.js")}, id="node-checks"),
        pytest.param("node a.js", {("execute", "a.js")}, id="node-runs"),
        pytest.param("go list ./...", {("read", ".")}, id="go-lists"),
        pytest.param("gofmt -w a.go", {("read", "a.go"), ("write", "a.go")}, id="gofmt-writes"),
        pytest.param("gofmt -l a.go", {("read", "a.go")}, id="gofmt-lists"),
        pytest.param(
            "openssl x509 -noout -in a.crt", {("read", "a.crt")}, id="openssl-shows-a-certificate"
        ),
        pytest.param(
            "openssl pkey -in org.openssl.engine:/e.so:k",
            {("network", None), ("execute", None)},
            id="openssl-loads-a-library-by-address",
        ),
        pytest.param(
            "openssl dgst a -hmac b",
            {("read", "a"), ("read", "-hmac"), ("read", "b")},
            id="openssl-options-end-at-an-operand",
        ),
        pytest.param("ar t a.a", {("read", "a.a")}, id="ar-lists"),
        pytest.param("man ls", set(), id="man-by-name"),
        pytest.param("man ./a.1", {("read", "./a.1"), ("read", None)}, id="man-of-a-file"),
        pytest.param("black --check a.py", {("read", "a.py")}, id="a-formatter-that-checks"),
        pytest.param(
            "black a.py", {("read", "a.py"), ("write", "a.py")}, id="a-formatter-that-writes"
        ),
    ],
)
def test_a_command_does_what_its_table_says(tables: Tables, line: str, expected: Seen) -> None:
    assert effects_of(tables, *line.split()) == expected


@pytest.mark.parametrize(
    "line",
    [
        "pytest --version",
        "cargo --version",
        "cargo tree --offline",
        "mvn --version",
        "yarn --version",
        "make -n",
        "python3 -m json.tool a",
        "eslint src",
        "mypy src",
        "ldd a",
        "tclsh --version",
        "dotnet --version",
        "npm run build",
        "gdb -batch",
        "vim -es",
    ],
)
def test_what_runs_code_of_the_directory_executes(tables: Tables, line: str) -> None:
    kinds = {kind for kind, _ in effects_of(tables, *line.split())}
    assert kinds & {EffectKind.EXECUTE.value, EffectKind.UNKNOWN.value}


@pytest.mark.parametrize("name", ["python3", "node", "ruby", "php"])
def test_an_interpreter_runs_what_comes_through_a_pipe(tables: Tables, name: str) -> None:
    assert ("execute", None) in effects_of(tables, name, piped=True)
    assert ("execute", None) not in effects_of(tables, name, "--version", piped=True)


def test_a_file_of_the_directory_may_have_the_name_of_an_option(tables: Tables) -> None:
    command = Command(("tar", "-tf", "a.tar", "*"), None, patterns=frozenset({3}))
    (found,) = analyse([command], tables, cwd="/w", variables={})
    assert EffectKind.UNKNOWN in {effect.kind for effect in found.effects}


def test_there_are_tables_for_most_programs_that_agents_use(tables: Tables) -> None:
    assert len(tables.names()) >= 250
