"""Which keys of git's configuration can make a command that only reads run something.

Source: git-config(1), of 2.39 to 2.51. What is not listed as harmless is taken for the worst.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(**lists: str) -> Mapping[str, frozenset[str]]:
    """Names of keys, by their section."""
    return {section: frozenset(names.split()) for section, names in lists.items()}


# All keys of these sections, whatever the sub-section.
_HARMLESS_SECTIONS = frozenset(
    {
        *("advice", "apply", "author", "bitmap", "branch", "bundle", "checkout", "clean"),
        *("clone", "color", "column", "commitgraph", "committer", "completion", "fastimport"),
        *("feature", "fetch", "gitflow", "grep", "help", "i18n", "index", "init", "lsrefs"),
        *("maintenance", "notes", "pack", "pull", "push", "rebase", "repack", "rerere", "revert"),
        *("showbranch", "sparse", "splitindex", "stash", "tag", "transfer", "user"),
        *("versionsort", "worktree"),
    }
)
# Keys without a sub-section.
_HARMLESS = _words(
    attr="tree",
    blame="blankboundary coloring date showemail showroot markunblamablelines markignoredlines",
    commit="gpgsign status verbose cleanup",
    core="repositoryformatversion filemode bare logallrefupdates ignorecase precomposeunicode"
    " autocrlf eol safecrlf symlinks abbrev quotepath trustctime checkstat preloadindex"
    " untrackedcache compression loosecompression packedgitlimit packedgitwindowsize"
    " bigfilethreshold sharedrepository commentchar commentstring whitespace fsync fsyncmethod"
    " createobject multipackindex commitgraph sparsecheckout sparsecheckoutcone protecthfs"
    " protectntfs longpaths fscache warnambiguousrefs deltabasecachelimit splitindex hidedotfiles"
    " notesref usereplacerefs maxtreedepth checkroundtripencoding filesreflocktimeout"
    " packedrefstimeout prefersymlinkrefs sparsecheckoutpatterns ignorestat",
    credential="username usehttppath",
    diff="algorithm autorefreshindex colormoved colormovedws context dirstat ignoresubmodules"
    " indentheuristic interhunkcontext mnemonicprefix noprefix relative renames renamelimit"
    " statgraphwidth statnamewidth suppressblankempty tool wserrorhighlight"
    " wordregex guitool srcprefix dstprefix trustexitcode",
    difftool="prompt",
    extensions="worktreeconfig objectformat compatobjectformat refstorage noop preciousobjects"
    " relativeworktrees",
    format="pretty numbered signoff suffix thread notes useautobase",
    gc="auto autodetach autopacklimit pruneexpire worktreepruneexpire writecommitgraph"
    " reflogexpire reflogexpireunreachable packrefs logexpiry aggressivewindow",
    github="user",
    gpg="format",
    http="postbuffer lowspeedlimit lowspeedtime version sslverify followredirects useragent"
    " extraheader proxy",
    lfs="repositoryformatversion url pushurl locksverify allowincompletepush fetchinclude"
    " fetchexclude concurrenttransfers skipdownloaderrors",
    log="abbrevcommit date decorate diffmerges excludedecoration follow graphcolors mailmap"
    " initialdecorationset showroot",
    mailmap="blob",
    merge="conflictstyle ff log renames renamelimit stat tool directoryrenames autostash"
    " defaulttoupstream branchdesc suppressdest verbosity verifysignatures guitool",
    mergetool="prompt keepbackup",
    receive="denycurrentbranch denydeletes denynonfastforwards",
    remote="pushdefault default",
    safe="directory",
    status="relativepaths short branch aheadbehind displaycommentprefix renamelimit renames"
    " showstash showuntrackedfiles",
    submodule="active recurse fetchjobs propagatebranches alternatelocation",
)
# Keys with one, whatever it is.
_HARMLESS_BELOW = _words(
    diff="binary wordregex xfuncname algorithm trustexitcode",
    http="extraheader sslverify proxy",
    remote="url pushurl fetch push mirror prune prunetags tagopt skipdefaultupdate skipfetchall"
    " gh-resolved",
    submodule="url active branch ignore fetchrecursesubmodules shallow",
    url="insteadof pushinsteadof",
)
_HARMLESS_OF_LFS = frozenset({"access", "locksverify"})
# We put our own value in their place (see `agent_exec.policy.git_harden`), or only commands
# that run something anyway obey them.
_OVERRIDDEN_SECTIONS = frozenset(
    {
        *("browser", "credential", "difftool", "gc", "gpg", "gui", "guitool", "instaweb", "man"),
        *("mergetool", "pager", "promisor", "protocol", "receive", "safe", "sendemail"),
        *("sendpack", "svn", "svn-remote", "tar", "trailer", "uploadarchive", "uploadpack", "web"),
    }
)
_OVERRIDDEN = _words(
    commit="template",
    core="fsmonitor hookspath pager editor sshcommand askpass fsmonitorhookversion gitproxy"
    " alternaterefscommand",
    extensions="partialclone",
    interactive="difffilter",
    log="showsignature",
    sequence="editor",
    status="submodulesummary",
)
_OVERRIDDEN_BELOW = _words(
    diff="textconv cachetextconv",
    filter="clean smudge process required",
    merge="driver name recursive",
    remote="uploadpack receivepack vcs proxy promisor partialclonefilter",
    submodule="update",
)
# Deprecated commands may be aliases (git 2.52).
_COMMANDS_AS_ALIASES = ("whatchanged", "pack-redundant")
_FILES = frozenset(
    {
        *("core.attributesfile", "core.excludesfile", "blame.ignorerevsfile", "diff.orderfile"),
        *("mailmap.file", "fsck.skiplist"),
    }
)


def git_key(written: str) -> str:
    """A key as git compares it: section and name in lower case, the sub-section as written."""
    section, dot, name = written.rpartition(".")
    first, inner, sub = section.partition(".")
    return f"{first.lower()}{inner}{sub}{dot}{name.lower()}"


def is_harmless(key: str) -> bool:
    """Can a key, as git writes it (section and name in lower case), not run anything?"""
    section, _, rest = key.partition(".")
    if section in _HARMLESS_SECTIONS:
        return True
    if section == "fsck":
        return not rest.startswith("skiplist")
    sub, dot, name = rest.rpartition(".")
    if section == "lfs" and sub.startswith(("http://", "https://")):
        return name in _HARMLESS_OF_LFS
    return name in (_HARMLESS_BELOW if dot else _HARMLESS).get(section, ())


def is_answered(key: str) -> bool:
    """Does a command that only reads, run hardened, not obey it?"""
    if is_harmless(key):
        return True
    section, _, rest = key.partition(".")
    if section in _OVERRIDDEN_SECTIONS:
        return True
    if section == "alias":
        return not rest.startswith(_COMMANDS_AS_ALIASES)
    _, dot, name = rest.rpartition(".")
    return name in (_OVERRIDDEN_BELOW if dot else _OVERRIDDEN).get(section, ())


def names_a_file(key: str) -> bool:
    """Is the value of a key a file that a command reads, and of which it may print something?"""
    return key in _FILES
