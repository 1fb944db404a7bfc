"""Policy files: what is wrong with one is said with its place, and with what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent_exec import __version__
from agent_exec.errors import PolicyError
from agent_exec.model.decision import Verdict
from agent_exec.policy.load import SHIPPED, load_merged, load_policy
from agent_exec.policy.load_tables import shipped
from agent_exec.policy.schema import policy_schema
from agent_exec.policy.show import merged_file, to_yaml

RULE = "rules:\n  - {id: a, verdict: allow, because: x, effects: [read]}\n"


def mistake(folder: Path, text: str | bytes) -> str:
    """What is said of a file with this text, without its folder."""
    file = folder / "p.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PolicyError) as caught:
        load_policy(file, worktree=str(folder))
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "p.yaml:1:1: a policy is a mapping", id="empty"),
        pytest.param("- a", "p.yaml:1:1: a policy is a mapping", id="a-list"),
        pytest.param("default: ask", "p.yaml:1:1: the file: version is missing", id="no-version"),
        pytest.param(
            "version: 2",
            "p.yaml:1:1: version 2: a later release than agent-exec "
            f"{__version__} reads it, this one reads 1",
            id="a-later-version",
        ),
        pytest.param("version: '1'", "p.yaml:1:1: version '1': write version: 1", id="a-word"),
        pytest.param("version: 0", "p.yaml:1:1: version 0: write version: 1", id="version-0"),
        pytest.param("version: true", "version True: write version: 1", id="true-is-not-1"),
        pytest.param(
            "version: 1\ndefalt: ask",
            "p.yaml:2:1: defalt: there is no key defalt; did you mean default?",
            id="a-key-that-comes-near",
        ),
        pytest.param(
            "version: 1\nenv: {xyz: [A]}",
            "p.yaml:2:7: env.xyz: there is no key xyz; there are from_call, inherit, set",
            id="a-key-far-from-any",
        ),
        pytest.param(
            "version: 1\nrules:\n  - id: a\n    verdict: alow\n    because: x",
            "p.yaml:4:5: rules.0.verdict: 'alow' is not 'allow', 'ask' or 'deny'; "
            "did you mean allow?",
            id="a-word-that-comes-near",
        ),
        pytest.param(
            "version: 1\nrules:\n  - {id: a, verdict: ask, because: x, command: [git, log, -1]}",
            "p.yaml:3:59: rules.0.command.2: YAML reads -1 here, which is no string; "
            "put it in quotes",
            id="a-number-for-a-word",
        ),
        pytest.param(
            "version: 1\nenv: {set: {A: no}}",
            "p.yaml:2:13: env.set.A: YAML reads False here, which is no string; put it in quotes",
            id="a-boolean-for-a-word",
        ),
        pytest.param(
            'version: 1\nprograms: {path: [/a, "/b\\0"]}',
            "p.yaml:2:23: holds a NUL, which no program or file system can be given",
            id="a-nul",
        ),
        pytest.param(
            "version: 1\nenv: {set: {no: x}}",
            "p.yaml:2:13: a key is a string; put False in quotes",
            id="a-boolean-for-a-key",
        ),
        pytest.param(
            "version: 1\nroute: {shell: off}",
            "p.yaml:2:9: route.shell: YAML reads False here, which is no string; put it in quotes",
            id="off",
        ),
        pytest.param(
            "version: 1\nrules:\n  - {id: a, verdict: ask, because: x, paths: [src]}",
            "p.yaml:3:47: rules.0.paths.0: 'src' is not a path: worktree, system,",
            id="a-relative-path",
        ),
        pytest.param(
            "version: 1\nrules:\n  - {id: 'A b', verdict: ask, because: x}",
            "p.yaml:3:6: rules.0.id: 'A b' is not an id:",
            id="an-id-with-a-blank",
        ),
        pytest.param(
            "version: 1\nrules:\n  - {verdict: ask, because: x}",
            "p.yaml:3:5: rules.0: id is missing",
            id="no-id",
        ),
        pytest.param(
            "version: 1\nrules: {a: b}", "p.yaml:2:1: rules: a list is wanted", id="no-list"
        ),
        pytest.param(
            "version: 1\ntemplates: {deny_write: maybe}",
            "p.yaml:2:13: templates.deny_write: true or false is wanted, not 'maybe'",
            id="no-boolean",
        ),
        pytest.param(
            "version: 1\ndefault: ask\ndefault: deny",
            "p.yaml:3:1: default stands there twice",
            id="twice",
        ),
        pytest.param("version: 1\nenv: &a {}\nlimits: *a", "p.yaml:", id="an-alias"),
        pytest.param("version: 1\nenv: {<<: {}}", "has no merge keys", id="a-merge-key"),
        pytest.param("version: 1\nenv: {set: {A: [}", "p.yaml:2:", id="no-yaml"),
        pytest.param(b"version: 1\n# \xff", "p.yaml:2:1: this is no UTF-8", id="no-utf-8"),
        pytest.param(b"version: 1\n#\x01", "p.yaml:", id="a-control-character"),
        pytest.param("version: 1\nenv: " + "[" * 3000, "p.yaml:", id="very-deep"),
        pytest.param("version: 1\nenv: " + "{a: " * 40 + "1" + "}" * 40, "too deeply", id="deep"),
        pytest.param(
            "version: 1\nextends: [defautl]",
            "p.yaml:2:11: there is no policy 'defautl'; shipped are",
            id="no-such-base",
        ),
        pytest.param(
            "version: 1\nextends: [./gone.yaml]",
            "p.yaml:2:11: gone.yaml: No such file or directory",
            id="a-base-that-is-not-there",
        ),
        pytest.param(
            "version: 1\nextends: [./p.yaml]",
            "p.yaml:2:11: extends goes in a circle: p.yaml extends p.yaml",
            id="a-circle",
        ),
        pytest.param(
            "version: 1\nextends: [default]\ndisable: [read]",
            "p.yaml:3:11: disable: no rule read is inherited; did you mean reads?",
            id="disabled-and-not-there",
        ),
        pytest.param(
            "version: 1\nextends: [default]\n" + RULE.replace("id: a", "id: reads"),
            "p.yaml:4:6: the id reads is taken; to replace that rule, disable it",
            id="an-id-that-is-taken",
        ),
        pytest.param(
            "version: 1\nenv: {set: {PATH: /x}}",
            "p.yaml:2:13: env.set.PATH: programs.path is the PATH of every child",
            id="path-set",
        ),
        pytest.param(
            "version: 1\nredact: ['a(']",
            "p.yaml:2:10: redact.0: no regular expression",
            id="redact",
        ),
        pytest.param(
            "version: 1\nprograms: {trust: {owners: [no-such-user]}}",
            "programs.trust.owners: there is no user no-such-user",
            id="no-such-user",
        ),
        pytest.param(
            "version: 1\nrules:\n  - id: a\n    effects: [read]\n    verdict: allow\n"
            "    because: x\n    examples:\n      match: [cat a, rm a]\n",
            "p.yaml:8:22: rule a: 'rm a' is not covered, though it is to match: rm deletes a",
            id="an-example-that-does-not-match",
        ),
        pytest.param(
            "version: 1\nrules:\n  - id: a\n    command: [git, push]\n    verdict: ask\n"
            "    because: x\n    examples: {not_match: [git -C x push]}\n",
            "p.yaml:7:28: rule a: 'git -C x push' is covered, though it is not to match",
            id="an-example-that-matches",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert message in mistake(tmp_path, text)


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    said = mistake(tmp_path, "version: 1\ndefalt: ask\nlimits: {timeout_s: x, concurrent: 0}\n")
    assert [line.partition(": ")[0] for line in said.splitlines()] == [
        "p.yaml:2:1",
        "p.yaml:3:10",
        "p.yaml:3:24",
    ]


def test_a_very_large_file_is_no_policy(tmp_path: Path) -> None:
    assert "that is no policy" in mistake(tmp_path, b"version: 1\n" + b"#" * 2_000_000)


def test_aliases_do_not_grow(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "a policy has no aliases" in mistake(tmp_path, "\n".join(["version: 1", *lines]))


def test_a_circle_over_two_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("version: 1\nextends: [./p.yaml]\n")
    said = mistake(tmp_path, "version: 1\nextends: [./b.yaml]\n")
    assert said == "b.yaml:2:11: extends goes in a circle: p.yaml extends b.yaml extends p.yaml"


def test_later_files_add_rules_and_override_words(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "version: 1\nextends: [default]\nlimits: {timeout_s: 5}\nenv: {set: {A: b}}\n"
    )
    file = tmp_path / "p.yaml"
    file.write_text(
        "version: 1\nextends: [./base.yaml, default]\ndisable: [secrets]\ndefault: deny\n"
        "limits: {concurrent: 3}\nenv: {set: {C: d}, from_call: []}\n" + RULE
    )
    merged = load_merged(str(file))
    assert [rule["id"] for rule in merged["rules"]] == ["reads", "a"]
    assert merged["default"] == "deny"
    assert (merged["limits"]["timeout_s"], merged["limits"]["concurrent"]) == (5, 3)
    assert merged["env"]["set"] == {"GIT_PAGER": "cat", "PAGER": "cat", "A": "b", "C": "d"}
    assert merged["env"]["from_call"] == []


def test_a_relative_base_is_relative_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text("version: 1\nextends: [../b.yaml]\n")
    (tmp_path / "b.yaml").write_text("version: 1\ndefault: deny\n")
    policy = load_policy(tmp_path / "sub" / "a.yaml", worktree=str(tmp_path))
    assert policy.default is Verdict.DENY


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shown_is_a_policy_that_says_the_same(name: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(to_yaml(merged_file(name)))
    shown = load_policy(file, worktree=str(tmp_path))
    meant = load_policy(name, worktree=str(tmp_path))
    sandbox = shown.sandbox._replace(network_said=meant.sandbox.network_said)
    assert shown._replace(name=name, sandbox=sandbox) == meant


def test_the_shipped_schema_is_that_of_the_models() -> None:
    text = Path(shipped(), "policy.schema.json").read_text("utf-8")
    assert json.loads(text) == policy_schema()
