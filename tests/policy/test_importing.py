"""Settings of other programs as policies, with a report of what is not in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent_exec.errors import PolicyError
from agent_exec.policy.importing.rules import Imported
from agent_exec.policy.importing.select import import_policy
from agent_exec.policy.read_file import read_policy
from agent_exec.policy.show import to_yaml


def imported(kind: str, settings: Any) -> Imported:
    text = settings if isinstance(settings, str) else json.dumps(settings)
    made = import_policy(text.encode(), "settings", kind)
    # Whatever comes out is a policy.
    read_policy(to_yaml(made.content).encode(), "made")
    return made


def rules(made: Imported) -> list[tuple[str, Any]]:
    """The verdict, and what it is about."""
    return [
        (
            rule["verdict"],
            rule.get("command") or (rule.get("effects"), rule.get("paths")),
        )
        for rule in made.content.get("rules", [])
    ]


def left(made: Imported) -> list[str]:
    return [line for line in made.report if line.startswith("not carried over")]


def opencode(**bash: str) -> Imported:
    return imported("opencode", {"permission": {"bash": bash}})


class TestOpencode:
    def test_patterns_are_beginnings(self) -> None:
        made = opencode(**{"*": "ask", "git status *": "allow", "rm*": "deny", "git push": "ask"})
        assert made.content["default"] == "ask"
        assert rules(made) == [
            ("allow", ["git", "status"]),
            ("deny", ["rm"]),
            ("ask", ["git", "push"]),
        ]
        assert left(made) == []

    def test_one_word_is_the_default(self) -> None:
        assert imported("opencode", {"permission": "deny"}).content == {
            "version": 1,
            "default": "deny",
        }
        assert imported("opencode", {"permission": {"bash": "allow"}}).content["default"] == "allow"

    def test_comments_and_trailing_commas_are_read(self) -> None:
        text = '{ // a "comment"\n "permission": {"bash": {"a //b *": "deny", /* x */ },}, }'
        assert rules(imported("opencode", text)) == [("deny", ["a", "//b"])]

    def test_a_weaker_pattern_after_a_stricter_one_is_not_carried_over(self) -> None:
        made = opencode(**{"git *": "deny", "git status *": "allow"})
        assert rules(made) == [("deny", ["git"])]
        assert left(made) == [
            (
                "not carried over: permission.bash 'git status *': the stricter 'git *' covers it; "
                "here the strictest rule counts"
            )
        ]

    def test_a_star_after_the_others_ends_them(self) -> None:
        made = opencode(**{"git *": "allow", "*": "deny"})
        assert (rules(made), made.content["default"]) == ([], "deny")
        assert len(left(made)) == 1

    @pytest.mark.parametrize(
        ("pattern", "why"),
        [
            ("git status", "allows these words and no more"),
            ("git * --stat", "to allow, words have to be known"),
            ("git st*us *", "a star within one"),
            ("a && b *", "text of several commands"),
            ("CI=1 npm test *", "variables before a command"),
            ("echo 'a *", "quotes do not close"),
            ("", "names no program"),
        ],
    )
    def test_what_would_loosen_is_not_carried_over(self, pattern: str, why: str) -> None:
        made = opencode(**{pattern: "allow"})
        assert rules(made) == []
        (line,) = left(made)
        assert why in line

    def test_a_gap_may_deny(self) -> None:
        assert rules(opencode(**{"git * --force": "deny"})) == [("deny", ["git", "--force"])]

    def test_other_tools_are_reported(self) -> None:
        made = imported("opencode", {"permission": {"edit": "deny", "webfetch": {"*": "ask"}}})
        assert len(left(made)) == 2


class TestClaudeCode:
    def test_rules_of_commands(self) -> None:
        made = imported(
            "claude-code",
            {
                "permissions": {
                    "allow": ["Bash(npm run test:*)", "Bash(ls *)", "WebFetch(domain:x)"],
                    "ask": ["Bash(git push:*)"],
                    "deny": ["Bash(curl:*)", "Bash(rm -rf /)"],
                    "additionalDirectories": ["../docs"],
                }
            },
        )
        assert rules(made) == [
            ("allow", ["npm", "run", "test"]),
            ("allow", ["ls"]),
            ("ask", ["git", "push"]),
            ("deny", ["curl"]),
            ("deny", ["rm", "-rf", "/"]),
        ]
        assert [line.split(": ")[1] for line in left(made)] == [
            "permissions.allow 'WebFetch(domain:x)'",
            "permissions.additionalDirectories",
        ]

    def test_rules_of_files(self) -> None:
        made = imported(
            "claude-code",
            {
                "permissions": {
                    "deny": ["Read(//etc/ssl/**)", "Edit(~/notes/**)", "Read(./.env)", "Read(//a*)"]
                }
            },
        )
        assert rules(made) == [
            ("deny", (["read"], ["/etc/ssl"])),
            ("deny", (["write", "delete"], ["~/notes"])),
        ]
        assert len(left(made)) == 2

    def test_the_tool_as_a_whole(self) -> None:
        made = imported("claude-code", {"permissions": {"deny": ["Bash"]}})
        assert rules(made) == [("deny", (None, None))]


class TestCodex:
    def test_rules_with_examples(self) -> None:
        made = imported(
            "codex",
            "# comment\n"
            "prefix_rule(\n"
            '    pattern = ["git", ["status", "log"]],\n'
            '    decision = "allow",\n'
            '    justification = "only reads",\n'
            '    match = [["git", "status"], "git log -1"],\n'
            '    not_match = ["git -C x status"],\n'
            ")\n"
            'prefix_rule(pattern=["rm"], decision="forbidden")\n'
            'prefix_rule(pattern=["git", "push"], decision="prompt",\n'
            '    not_match=["git -C x push"])\n',
        )
        assert rules(made) == [
            ("allow", ["git", ["status", "log"]]),
            ("deny", ["rm"]),
            ("ask", ["git", "push"]),
        ]
        first = made.content["rules"][0]
        assert first["because"] == "only reads"
        assert first["examples"] == {
            "match": ["git status", "git log -1"],
            "not_match": ["git -C x status"],
        }
        # Here a rule that asks is read widely.
        assert left(made) == [
            "not carried over: not_match 'git -C x push' of ask-git-push: it is covered here"
        ]

    @pytest.mark.parametrize(
        "statement",
        [
            'x = ["a"]',
            "prefix_rule(pattern=x)",
            'prefix_rule(["a"])',
            'prefix_rule(pattern=["a"], decision="maybe")',
            "prefix_rule(pattern=[])",
            'prefix_rule(pattern=["a", 1])',
            'prefix_rule(pattern=["a"], other=1)',
            '[prefix_rule(pattern=["a"]) for i in "ab"]',
            '__import__("os").system("touch /tmp/never")',
            'prefix_rule(pattern=[__import__("os").name])',
            'host_executable(name="git", paths=["/usr/bin/git"])',
        ],
    )
    def test_what_is_no_rule_is_reported_with_its_line(self, statement: str) -> None:
        made = imported("codex", f"\n{statement}\n")
        assert rules(made) == []
        (line,) = left(made)
        assert line.startswith("not carried over: settings:2: ")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("opencode", "{", "settings:1:2: "),
        ("opencode", "[]", "settings is no JSON object"),
        ("opencode", '{"permission": 1}', "settings: permission is no JSON object"),
        ("claude-code", '{"permissions": []}', "settings: permissions is no JSON object"),
        ("codex", "prefix_rule(", "settings:1:"),
        ("codex", "(" * 5000, "settings"),
        ("other", "", "there is no importer 'other'; there are opencode, claude-code, codex"),
    ],
)
def test_what_cannot_be_read_is_an_error(kind: str, text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        import_policy(text.encode(), "settings", kind)
    assert message in str(caught.value)


def test_no_utf_8_is_an_error() -> None:
    with pytest.raises(PolicyError, match="no UTF-8"):
        import_policy(b"\xff", "settings", "codex")
