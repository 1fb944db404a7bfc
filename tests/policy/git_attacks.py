"""Repositories that make git run something, and commands that are to read only.

`prepare` is a text for sh that runs in a repository with the committed files a.txt and
b.bin, of which a.txt was changed and has other times than the index says. {mark} is the file
whose being there shows that something ran; {run} a program that makes it.
"""

from __future__ import annotations

from typing import NamedTuple


class Attack(NamedTuple):
    """One repository, one command."""

    id: str
    prepare: str
    argv: tuple[str, ...]
    allowed: bool = True
    """Hardened; else it is asked about."""
    terminal: bool = False
    """Shows on a terminal only."""
    since: tuple[int, int] = (0, 0)
    """The version of git that first does it."""


_CLEAN = "echo '* filter=x' > .gitattributes; git config filter.x.clean 'touch {mark};cat'"
_TEXTCONV = "echo '* diff=x' > .gitattributes; git config diff.x.textconv 'touch {mark};cat'"
_SIGNED = """
{ git cat-file commit HEAD | sed '/^$/,$d'
printf 'gpgsig -----BEGIN PGP SIGNATURE-----\\n \\n x\\n'
printf ' -----END PGP SIGNATURE-----\\n\\nm\\n'; } > c
git update-ref refs/heads/main $(git hash-object -t commit -w c)
git config gpg.program {run}
"""
_PARTIAL = """
git config core.repositoryformatversion 1; git config extensions.partialclone origin
git config remote.origin.promisor true
rm -f .git/objects/$(git rev-parse HEAD:b.bin | sed 's,..,&/,')
"""
_NESTED = """
git init -q sub; cd sub; git config user.name x; git config user.email x@x
echo one > s.txt; git add -A; git commit -qm s; cd ..; git add sub; git commit -qm sub
echo two > sub/s.txt; cd sub
"""
_MERGED = """
echo '* merge=x' > .gitattributes; git config merge.x.driver 'touch {mark};true'
git checkout -q -b other; echo 1 > a.txt; git commit -qam other; git checkout -q -
echo 2 > a.txt; git commit -qam here; git merge -q other >/dev/null || true
echo 3 > a.txt; git commit -qam merged
"""
_STATUS = ("git", "status", "--short")

ATTACKS = (
    Attack("fsmonitor", "git config core.fsmonitor 'touch {mark};false'", _STATUS),
    Attack("fsmonitor-diff", "git config core.fsmonitor 'touch {mark};false'", ("git", "diff")),
    Attack(
        "fsmonitor-ls-files",
        "git config core.fsmonitor 'touch {mark};false'",
        ("git", "ls-files", "-m"),
    ),
    *(
        Attack(
            f"env-takes-variables-away-{name}",
            "git config core.fsmonitor 'touch {mark};false'",
            ("env", *words, *_STATUS),
            allowed=False,
        )
        for name, words in (
            ("all", ("-i",)),
            ("all-dash", ("-",)),
            ("one", ("-u", "GIT_CONFIG_COUNT")),
            ("one-long", ("--uns=GIT_CONFIG_COUNT",)),
            ("twice", ("LC_ALL=C", "env", "-vi")),
            ("in-a-shell", ("sh", "-c", "env -i git status #")),
        )
    ),
    Attack("merge-driver-shown", _MERGED, ("git", "log", "--remerge-diff"), since=(2, 35)),
    Attack(
        "merge-driver-by-configuration",
        f"{_MERGED}git config log.diffMerges remerge",
        ("git", "log", "-m", "-p"),
        since=(2, 35),
    ),
    Attack("clean-filter-status", _CLEAN, _STATUS),
    Attack("clean-filter-diff", _CLEAN, ("git", "diff", "--stat")),
    Attack("clean-filter-modified-files", _CLEAN, ("git", "ls-files", "--modified")),
    Attack("clean-filter-describe", _CLEAN, ("git", "describe", "--always", "--dirty")),
    Attack(
        "clean-filter-disguised",
        _CLEAN,
        ("git", "-C", ".", "--no-pager", "status", "--porc", "--", ":/b.bin"),
    ),
    Attack(
        "clean-filter-written-diff",
        _CLEAN,
        ("git", "diff", "--output=out"),
        allowed=False,
    ),
    Attack(
        "clean-filter-named-in-info",
        "echo '* filter=x' > .git/info/attributes; git config filter.x.clean 'touch {mark};cat'",
        _STATUS,
    ),
    Attack(
        "clean-filter-attributes-file",
        "echo '* filter=x' > att; git config core.attributesFile att;"
        " git config filter.x.clean 'touch {mark};cat'",
        _STATUS,
    ),
    Attack(
        "clean-filter-strange-name",
        "echo '* filter=a.b=c' > .gitattributes;"
        " git config 'filter.a.b=c.clean' 'touch {mark};cat'",
        _STATUS,
    ),
    Attack(
        "process-filter",
        "echo '* filter=x' > .gitattributes; git config filter.x.process 'touch {mark};cat'",
        _STATUS,
    ),
    Attack(
        "smudge-filter-archive",
        "echo '* filter=x' > .gitattributes; git config filter.x.smudge 'touch {mark};cat';"
        " git add .gitattributes; git commit -qm x",
        ("git", "archive", "HEAD"),
        allowed=False,
    ),
    Attack("textconv-show", _TEXTCONV, ("git", "show", "HEAD")),
    Attack("textconv-diff", _TEXTCONV, ("git", "diff")),
    Attack("textconv-log", _TEXTCONV, ("git", "log", "-p")),
    Attack("textconv-pickaxe", _TEXTCONV, ("git", "log", "-Sone", "--oneline")),
    Attack("textconv-blame", _TEXTCONV, ("git", "blame", "a.txt")),
    Attack("textconv-stash", _TEXTCONV + "; git stash -q", ("git", "stash", "list", "-p")),
    Attack("external-diff", "git config diff.external {run}", ("git", "diff"), allowed=False),
    Attack(
        "diff-driver",
        "echo '* diff=x' > .gitattributes; git config diff.x.command {run}",
        ("git", "diff"),
        allowed=False,
    ),
    Attack("pager", "git config core.pager 'touch {mark};cat'", ("git", "log"), terminal=True),
    Attack(
        "pager-of-a-command",
        "git config pager.status 'touch {mark};cat'",
        ("git", "status"),
        terminal=True,
    ),
    Attack("gpg-format", _SIGNED, ("git", "log", "--format=%G?", "-1")),
    Attack(
        "gpg-format-configured",
        _SIGNED + "git config format.pretty %G?",
        ("git", "log", "-1"),
    ),
    Attack(
        "gpg-format-of-a-kind",
        _SIGNED + "git config --unset gpg.program; git config gpg.openpgp.program {run}",
        ("git", "log", "--format=%G?", "-1"),
    ),
    Attack("gpg-show-signature", _SIGNED + "git config log.showSignature true", ("git", "show")),
    Attack(
        "hook-index-change",
        "cp {run} .git/hooks/post-index-change",
        ("git", "diff", "--stat"),
    ),
    Attack(
        "hooks-path",
        "mkdir h; cp {run} h/post-index-change; git config core.hooksPath h",
        _STATUS,
    ),
    Attack(
        "bare-repository",
        "git init -q --bare in; git -C in config core.fsmonitor 'touch {mark};false';"
        " git -C in config core.bare false; git -C in config core.worktree ..",
        ("git", "-C", "in", "status"),
        allowed=False,
    ),
    Attack(
        "bare-repository-linked-head",
        "git init -q --bare in; git -C in config core.fsmonitor 'touch {mark};false';"
        " git -C in config core.bare false; git -C in config core.worktree ..;"
        " ln -sf refs/heads/none in/HEAD",
        ("git", "-C", "in", "status"),
        allowed=False,
    ),
    Attack(
        "git-file",
        "mv .git d; echo 'gitdir: d' > .git; " + _CLEAN,
        _STATUS,
    ),
    Attack(
        "git-file-odd-name",
        "cp -r .git 'd'; mv .git 'd '; printf 'gitdir: d \\n' > .git; " + _CLEAN,
        _STATUS,
    ),
    Attack(
        "empty-git-directory",
        _CLEAN + "; mkdir -p sub/.git; touch sub/s; git add -f sub/s 2> /dev/null;"
        " git commit -qm s; echo x >> sub/s",
        ("git", "-C", "sub", "status"),
        allowed=False,
    ),
    Attack(
        "configuration-of-the-work-tree",
        "git config extensions.worktreeConfig true;"
        " git config --worktree core.fsmonitor 'touch {mark};false';"
        " echo '* filter=x' > .gitattributes;"
        " git config --worktree filter.x.clean 'touch {mark};cat'",
        _STATUS,
    ),
    Attack(
        "linked-work-tree",
        _CLEAN + "; git worktree add -q ../w 2> /dev/null; cp .gitattributes ../w;"
        " echo x > ../w/a.txt",
        ("git", "-C", "../w", "status", "--short"),
        allowed=False,
    ),
    Attack(
        "included",
        "git config include.path ../i; echo '* filter=x' > .gitattributes;"
        " git config -f i filter.x.clean 'touch {mark};cat'",
        _STATUS,
        allowed=False,
    ),
    Attack(
        "included-if",
        "git config includeIf.gitdir:/.path ../i; echo '* filter=x' > .gitattributes;"
        " git config -f i filter.x.clean 'touch {mark};cat'",
        _STATUS,
        allowed=False,
    ),
    Attack(
        "inner-repository-filter",
        _NESTED + _CLEAN,
        _STATUS,
    ),
    Attack(
        "inner-repository-fsmonitor",
        _NESTED + "git config core.fsmonitor 'touch {mark};false'",
        ("git", "diff", "--stat"),
    ),
    Attack(
        "inner-repository-newer-index",
        _NESTED + _CLEAN + "; cd ..; git update-index --index-version 4",
        _STATUS,
    ),
    Attack(
        "inner-repository-included",
        _NESTED + "git config include.path ../i; echo '* filter=x' > .gitattributes;"
        " git config -f .git/i x.y z; git config -f i filter.x.clean 'touch {mark};cat';"
        " mv i .git/../i; git config include.path ../i",
        _STATUS,
        allowed=False,
    ),
    Attack(
        "split-index",
        _NESTED + _CLEAN + "; cd ..; git update-index --split-index",
        _STATUS,
        allowed=False,
    ),
    Attack(
        "inner-diff",
        _NESTED + "git config diff.external {run}; git commit -qam s2; cd ..;"
        " git config diff.submodule diff",
        ("git", "diff"),
        allowed=False,
    ),
    Attack(
        "inner-diff-asked-for",
        _NESTED + "git config diff.external {run}; git commit -qam s2; cd ..",
        ("git", "diff", "--submodule=diff"),
        allowed=False,
    ),
    Attack(
        "missing-object-upload-pack",
        _PARTIAL + "git config remote.origin.url $PWD;"
        " git config remote.origin.uploadpack 'touch {mark};git-upload-pack'",
        ("git", "cat-file", "-p", "HEAD:b.bin"),
    ),
    Attack(
        "missing-object-helper",
        _PARTIAL + "git config remote.origin.url 'ext::sh -c touch% {mark}';"
        " git config protocol.ext.allow always",
        ("git", "show", "HEAD:b.bin"),
    ),
    Attack(
        "missing-object-ssh",
        _PARTIAL + "git config remote.origin.url ssh://x/y;"
        " git config core.sshCommand 'touch {mark};false'",
        ("git", "log", "-p"),
    ),
    Attack(
        "alternate-references",
        "git init -q --bare ../alt; git -C ../alt config user.name x;"
        " echo $PWD/../alt/objects > .git/objects/info/alternates;"
        " git config core.alternateRefsCommand 'touch {mark};true'",
        ("git", "log", "--alternate-refs"),
        allowed=False,
    ),
    Attack("alias", "git config alias.st '!touch {mark}'", ("git", "st"), allowed=False),
    Attack(
        "manual",
        "git config man.viewer x; git config man.x.cmd 'touch {mark};true'",
        ("git", "status", "--help"),
        allowed=False,
    ),
    Attack(
        "archive-format",
        "git config tar.x.command 'touch {mark};cat'",
        ("git", "archive", "--format=x", "HEAD"),
        allowed=False,
    ),
    Attack(
        "archive-format-by-name",
        "git config tar.x.command 'touch {mark};cat'",
        ("git", "archive", "-oout.x", "HEAD"),
        allowed=False,
    ),
    Attack(
        "merge-driver",
        "git commit -qam two; git checkout -q -b other HEAD~1; echo three > a.txt;"
        " git commit -qam three; echo '* merge=x' > .git/info/attributes;"
        " git config merge.x.driver 'touch {mark};true'",
        ("git", "merge-tree", "--write-tree", "main", "other"),
        allowed=False,
        since=(2, 38),
    ),
    Attack(
        "editor-of-the-configuration",
        "git config core.editor {run}",
        ("git", "config", "--edit"),
        allowed=False,
    ),
    Attack(
        "editor-of-the-configuration-in-words",
        "git config core.editor {run}",
        ("git", "config", "edit"),
        allowed=False,
        since=(2, 46),
    ),
    Attack(
        "branch-hook",
        "cp {run} .git/hooks/reference-transaction",
        ("git", "branch", "other"),
        allowed=False,
    ),
    Attack(
        "upload-pack-of-a-remote",
        "git config remote.origin.url .; git config remote.origin.uploadpack 'touch {mark};false'",
        ("git", "ls-remote"),
        allowed=False,
    ),
    Attack(
        "word-that-looks-like-a-directory",
        _CLEAN + "; git init -q status",
        ("git", "--namespace", "-C", "status"),
    ),
    Attack(
        "key-cut-off",
        "printf '[diff \"external\\0\"]\\n\\tbinary = {run}\\n' >> .git/config",
        ("git", "diff"),
        allowed=False,
    ),
)
