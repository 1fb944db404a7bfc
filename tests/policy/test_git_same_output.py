"""In a harmless repository git says the same, hardened or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from policy.git_place import enter, make_repository, sh
from policy.judging import Bench

from agent_exec.model.decision import Verdict

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")

_COMMANDS = """
status
status -sb
status --porcelain=v2 --branch
status --ignored
diff
diff --stat HEAD~1
diff --cached
diff --name-only HEAD
diff --word-diff
diff --no-index a.txt b.bin
log
log --oneline --graph --decorate --all
log -p -2
log --format=%H%x09%an%x09%s -1
log --stat -- a.txt
log -S two --oneline
show
show HEAD:a.txt
show --stat HEAD~1
show v1
blame HEAD a.txt
blame -s a.txt
blame -L 1,1 --porcelain a.txt
annotate HEAD a.txt
grep -n two
grep -c e -- a.txt
grep one HEAD~1
ls-files
ls-files -s
ls-files --others --exclude-standard
ls-files -m
ls-tree -r HEAD
rev-parse HEAD
rev-parse --show-toplevel
rev-parse --abbrev-ref HEAD
rev-list --count HEAD
describe --tags --always --dirty
describe --all
branch
branch --list
branch -av
branch --show-current
branch --contains HEAD~1
tag
tag -n
tag -l v*
stash list
stash show
stash show -p
cat-file -p HEAD
cat-file -t HEAD
cat-file --batch-all-objects --batch-check
shortlog -sn HEAD
reflog
reflog -1
remote -v
config --list --local
config user.name
config --get-regexp user
worktree list
for-each-ref
for-each-ref --format=%(refname:short) --sort=-creatordate
show-ref
symbolic-ref HEAD
name-rev HEAD
merge-base HEAD HEAD~1
show-branch
cherry HEAD~1
count-objects -v
check-ignore -v x.log
check-attr -a a.txt
fsck
whatchanged -1
diff-tree --name-only -r HEAD
diff-files
diff-index HEAD
submodule status
notes list
bisect log
var GIT_AUTHOR_IDENT
version
verify-pack
""".strip().splitlines()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = make_repository(tmp_path_factory.mktemp("harmless"))
    sh(
        """
        git tag -a v1 -m one HEAD~1; git branch other; git checkout -q -- b.bin
        echo stashed > a.txt; git stash -q; echo changed >> a.txt; echo '*.log' > .gitignore
        touch x.log new; git remote add origin https://example.org/x.git
        git init -q -b main sub; git -C sub -c user.name=x -c user.email=x commit -q \
            --allow-empty -m s
        git add sub 2> /dev/null; git commit -qm sub; touch sub/untracked
        git config alias.st status; git config core.autocrlf input; git config color.ui auto
        git config branch.main.remote origin; git config branch.main.merge refs/heads/main
        """,
        here,
    )
    return here


@pytest.fixture(scope="module")
def bench(here: Path) -> Bench:
    return Bench("default", here)


@pytest.mark.parametrize("words", _COMMANDS)
def test_git_says_the_same_hardened(words: str, here: Path, bench: Bench) -> None:
    argv = ("git", *words.split())
    decision = bench.judge(argv)
    assert decision.verdict is Verdict.ALLOW, decision.because
    variables = dict(decision.commands[0].variables)
    assert "GIT_CONFIG_COUNT" in variables
    plain = enter(here, argv, {"GIT_AUTHOR_DATE": "1 +0000"})
    assert enter(here, argv, {"GIT_AUTHOR_DATE": "1 +0000", **variables}) == plain
