"""What a variable does that a call sets."""

from __future__ import annotations

import pytest

from agent_exec.model.effect import EffectKind
from agent_exec.policy.environment import make_environment
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.table import TableError

SHIPPED = load_tables().environment
RUN_OR_LOAD = """
PATH HOME IFS ENV BASH_ENV BASH_FUNC_ls%% SHELLOPTS PS4 PROMPT_COMMAND CDPATH
LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH GIT_PAGER GIT_SSH GIT_SSH_COMMAND
GIT_EXTERNAL_DIFF GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_EXEC_PATH GIT_CONFIG_COUNT
GIT_CONFIG_PARAMETERS GIT_CONFIG_GLOBAL GIT_DIR GIT_WORK_TREE GIT_PROXY_COMMAND
GIT_ASKPASS SSH_ASKPASS SUDO_ASKPASS PAGER MANPAGER LESSOPEN LESSCLOSE LESS EDITOR
VISUAL BROWSER PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PYTHONHOME NODE_OPTIONS
NODE_PATH PERL5OPT PERL5LIB PERL5DB RUBYOPT RUBYLIB npm_config_script_shell
NPM_CONFIG_USERCONFIG CARGO_HOME RUSTC_WRAPPER RUSTC CARGO_TARGET_X_RUNNER MAKEFLAGS
MAKEFILES TAR_OPTIONS RSYNC_RSH XDG_CONFIG_HOME RIPGREP_CONFIG_PATH CURL_HOME WGETRC
GOFLAGS JAVA_TOOL_OPTIONS _JAVA_OPTIONS OPENSSL_CONF TMPDIR AWKPATH http_proxy
HTTPS_PROXY ALL_PROXY
"""


def kinds(name: str, value: str) -> list[str]:
    return [effect.kind.value for effect in SHIPPED.effects(name, value)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LC_ALL", "C"),
        ("LANG", "C.UTF-8"),
        ("NO_COLOR", "1"),
        ("CI", "true"),
        ("TERM", "dumb"),
        ("TZ", "UTC"),
        ("PAGER", "cat"),
        ("GIT_PAGER", ""),
        ("GIT_TERMINAL_PROMPT", "0"),
    ],
)
def test_some_variables_are_harmless(name: str, value: str) -> None:
    assert kinds(name, value) == []


@pytest.mark.parametrize(
    "name",
    RUN_OR_LOAD.split(),
)
def test_what_makes_a_program_run_or_load_something_executes(name: str) -> None:
    assert kinds(name, "/tmp/x") == ["execute"]


@pytest.mark.parametrize(
    "name", ["FOO", "", "lang", "LC_FOO", "NO_COLORS", "LANG ", "LANG\n", "X" * 100_000, "A=B", "é"]
)
def test_any_other_variable_is_unknown(name: str) -> None:
    assert kinds(name, "1") == ["unknown"]


def test_a_value_counts_before_its_name_and_a_longer_pattern_before_a_shorter() -> None:
    rules = make_environment(
        {
            "harmless": ["A_SAFE", "A=x", "LONGER_*"],
            "execute": ["A*", "A", "L*"],
            "read": ["A_B*"],
        },
        "own.yaml",
    )
    found = {
        (name, value): [effect.kind for effect in rules.effects(name, value)]
        for name, value in (("A", "x"), ("A", "y"), ("A_SAFE", ""), ("A_BC", ""), ("LONGER_X", ""))
    }
    assert found == {
        ("A", "x"): [],
        ("A", "y"): [EffectKind.EXECUTE],
        ("A_SAFE", ""): [],
        ("A_BC", ""): [EffectKind.READ],
        ("LONGER_X", ""): [],
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"harmles": ["A"]}, "'harmles' is no kind"),
        ({"execute": "A"}, "a list of names"),
        ({"execute": ["A"], "harmless": ["A"]}, "'A' is no name, or stands there twice"),
        ({"execute": [7]}, "7 is no name"),
    ],
)
def test_a_wrong_rule_says_where_it_is_wrong(source: dict[str, object], message: str) -> None:
    with pytest.raises(TableError, match=message) as raised:
        make_environment(source, "own.yaml")
    assert str(raised.value).startswith("own.yaml")
