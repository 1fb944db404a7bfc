"""Which rights follow from what was granted."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy.judging import Bench

from agent_exec.model.decision import Verdict
from agent_exec.model.rights import Rights


@pytest.fixture
def worktree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    (tree / "f").write_text("x")
    return tree


def rights(call: str, worktree: Path, policy: str | Path = "default") -> Rights:
    """Of the first command."""
    found = Bench(policy, worktree).judge(call).commands[0].rights
    assert found is not None
    return found


READERS = ["cat f", "ls -la", "head -5 d/x", "sort f", "find . -name x", "sed -n 1p f", "true"]


@pytest.mark.parametrize("call", READERS)
@pytest.mark.parametrize("policy", ["default", "read-only", "strict", "workspace"])
def test_what_only_reads_may_write_nothing_execute_itself_and_reach_nobody(
    call: str, policy: str, worktree: Path
) -> None:
    found = rights(call, worktree, policy)
    assert found._replace(read=(), programs=()) == Rights(tmp=True)
    assert str(worktree) in found.read
    assert all(not str(worktree.parent / "home").startswith(path) for path in found.read)


TREE = "{tree}"
NOTHING = Rights()
FOLLOWS = {
    "sed -i s/x/y/ f": NOTHING._replace(make=("{tree}/f",), attributes=True),
    "touch d/new": NOTHING._replace(make=("{tree}/d/new",), attributes=True),
    "rm -r d": NOTHING._replace(remove=("{tree}/d",)),
    "mv f d/g": NOTHING._replace(make=("{tree}/d/g",), remove=("{tree}/f",), attributes=True),
    "cat f > g": NOTHING,
    "/bin/kill 5": NOTHING._replace(signal=True, network=True),
    "curl http://x": NOTHING._replace(network=True),
    "./f": NOTHING._replace(write=(TREE,), execute=("{tree}/f",), code=True, attributes=True),
    "chown root f": NOTHING._replace(make=("{tree}/f",), attributes=True),
}


@pytest.mark.parametrize(("call", "more"), FOLLOWS.items(), ids=FOLLOWS.keys())
def test_a_right_follows_from_each_effect(call: str, more: Rights, worktree: Path) -> None:
    def filled(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([path.format(tree=worktree) for path in paths])

    found = rights(call, worktree)
    assert found._replace(read=(), programs=()) == more._replace(
        write=filled(more.write),
        make=filled(more.make),
        remove=filled(more.remove),
        execute=filled(more.execute),
    )
    always = rights("cat f", worktree).read
    assert found.read[: len(always)] == always


def test_a_path_that_was_granted_outside_is_readable(worktree: Path) -> None:
    outside = worktree.parent / "outside"
    outside.write_text("x")
    assert rights(f"cat {outside}", worktree).read[-1] == str(outside)
    (worktree / "link").symlink_to(outside)
    assert rights("cat link", worktree).read[-1] == str(outside)


def test_only_git_may_read_its_settings_at_home(worktree: Path) -> None:
    settings = f"{worktree.parent}/home/.gitconfig"
    assert settings in rights("git status", worktree).read
    assert settings in rights("timeout 5 git status", worktree).read
    assert settings not in rights("cat f", worktree).read


def test_a_path_that_leads_every_process_elsewhere_gives_no_right(worktree: Path) -> None:
    found = rights("cat /proc/self/cwd/x f", worktree)
    assert all(path.startswith("/") for path in found.read)


def test_commands_inside_share_the_rights_of_the_outer_one(worktree: Path) -> None:
    found = rights("timeout 5 env rm f", worktree)
    assert found.remove == (f"{worktree}/f",)
    assert [program.rpartition("/")[2] for program in found.programs] == ["timeout", "env", "rm"]


def test_each_command_of_a_pipeline_has_its_own(worktree: Path) -> None:
    first, second = Bench("default", worktree).judge("cat f | tee d/g").commands
    assert first.rights is not None
    assert second.rights is not None
    assert (first.rights.make, second.rights.make) == ((), (f"{worktree}/d/g",))


def test_a_real_shell_has_those_of_all_its_commands(worktree: Path) -> None:
    decision = Bench("default", worktree).judge("for f in a; do rm d; done; cat /etc/shadow")
    assert decision.rights is not None
    assert decision.rights.code
    assert "/etc/shadow" in decision.rights.read


def test_a_real_shell_opens_the_files_of_redirections_itself(worktree: Path) -> None:
    decision = Bench("default", worktree).judge("kill -0 $$ > /elsewhere/g")
    assert decision.rights is not None
    assert decision.rights.make == ("/elsewhere/g",)


def test_a_redirection_inside_a_shell_that_is_run_needs_a_right(worktree: Path) -> None:
    found = rights("timeout 5 bash -c 'echo x > g'", worktree)
    assert found.make == (f"{worktree}/g",)


def test_nothing_is_withheld_where_everything_may_be_read_and_written(worktree: Path) -> None:
    assert Bench("open", worktree).judge("cat f").commands[0].rights is None


@pytest.mark.parametrize("call", ["curl http://x", "./f; curl http://x", "timeout 5 curl http://x"])
def test_the_network_is_denied_above_the_ceiling(call: str, worktree: Path) -> None:
    rules = "rules: [{id: all, verdict: allow, because: b}]"
    file = worktree.parent / "p.yaml"
    file.write_text(f"version: 1\nsandbox: {{network: deny}}\n{rules}\n")
    decision = Bench(file, worktree).judge(call)
    assert decision.verdict is Verdict.DENY
    assert "p.yaml:2:" in decision.because[0]
    assert "sandbox.network is deny" in decision.because[0]
    unknown = Bench(file, worktree).judge("no-such-program-anywhere")
    assert unknown.commands[0].rights is not None
    assert not unknown.commands[0].rights.network


def test_what_is_always_writable_is_for_everybody(worktree: Path) -> None:
    file = worktree.parent / "p.yaml"
    file.write_text("version: 1\nextends: [default]\nsandbox: {write: [tmp, ~/w]}\n")
    assert rights("cat f", worktree, file).write == (str(worktree.parent / "home/w"),)


def test_no_toolchain_that_is_readable_holds_credentials_or_our_state(worktree: Path) -> None:
    home = worktree.parent / "home"
    for secret in (".cargo/credentials.toml", ".local/state/agent_exec", ".npmrc", ".ssh/id_rsa"):
        for path in rights("cat f", worktree).read:
            assert not f"{home}/{secret}/".startswith(f"{path}/")
