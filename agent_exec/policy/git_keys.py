"""Which keys of git's configuration can make a command that only reads run something.

Source: git-config(1), of 2.39 to 2.51. What is not listed as harmless is taken for the worst.
"""

from __future__ import annotations

import re

# All keys of these sections, whatever the sub-section.
_HARMLESS_SECTIONS = frozenset(
    {
        *("advice", "apply", "author", "bitmap", "branch", "bundle", "checkout", "clean"),
        *("clone", "color", "column", "commitgraph", "committer", "completion", "fastimport"),
        *("feature", "fetch", "grep", "help", "i18n", "index", "init", "lsrefs"),
        *("maintenance", "notes", "pack", "pull", "push", "rebase", "repack", "rerere", "revert"),
        *("showbranch", "sparse", "splitindex", "stash", "tag", "transfer", "user"),
        *("versionsort", "worktree"),
    }
)
_HARMLESS = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode"
    r"|autocrlf|eol|safecrlf|symlinks|abbrev|quotepath|trustctime|checkstat|preloadindex"
    r"|untrackedcache|compression|loosecompression|packedgitlimit|packedgitwindowsize|bigfilethreshold"
    r"|sharedrepository|commentchar|commentstring|whitespace|fsync|fsyncmethod|createobject"
    r"|multipackindex|commitgraph|sparsecheckout|sparsecheckoutcone|protecthfs|protectntfs"
    r"|longpaths|fscache|warnambiguousrefs|deltabasecachelimit|splitindex|hidedotfiles"
    r"|notesref|usereplacerefs|maxtreedepth|checkroundtripencoding|filesreflocktimeout"
    r"|packedrefstimeout|prefersymlinkrefs|sparsecheckoutpatterns|ignorestat)"
    r"|diff\.(algorithm|autorefreshindex|colormoved|colormovedws|context|dirstat|ignoresubmodules"
    r"|indentheuristic|interhunkcontext|mnemonicprefix|noprefix|relative|renames|renamelimit"
    r"|statgraphwidth|statnamewidth|suppressblankempty|tool|wserrorhighlight"
    r"|wordregex|guitool|srcprefix|dstprefix|trustexitcode)"
    r"|diff\..*\.(binary|wordregex|xfuncname|algorithm|trustexitcode)"
    r"|log\.(abbrevcommit|date|decorate|diffmerges|excludedecoration|follow|graphcolors|mailmap"
    r"|initialdecorationset|showroot)"
    r"|merge\.(conflictstyle|ff|log|renames|renamelimit|stat|tool|directoryrenames|autostash"
    r"|defaulttoupstream|branchdesc|suppressdest|verbosity|verifysignatures|guitool)"
    r"|remote\..*\.(url|pushurl|fetch|push|mirror|prune|prunetags|tagopt|skipdefaultupdate"
    r"|skipfetchall|gh-resolved)|remote\.(pushdefault|default)"
    r"|submodule\..*\.(url|active|branch|ignore|fetchrecursesubmodules|shallow)"
    r"|submodule\.(active|recurse|fetchjobs|propagatebranches|alternatelocation)"
    r"|extensions\.(worktreeconfig|objectformat|compatobjectformat|refstorage|noop"
    r"|preciousobjects|relativeworktrees)"
    r"|commit\.(gpgsign|status|verbose|cleanup)|tag\.(gpgsign|sort|forcesignannotated)"
    r"|format\.(pretty|numbered|signoff|suffix|thread|notes|useautobase)"
    r"|http\.(postbuffer|lowspeedlimit|lowspeedtime|version|sslverify|followredirects|useragent"
    r"|extraheader|proxy)|http\..*\.(extraheader|sslverify|proxy)"
    r"|url\..*\.(insteadof|pushinsteadof)|gitflow\..*|credential\.(username|usehttppath)"
    r"|gpg\.format|receive\.(denycurrentbranch|denydeletes|denynonfastforwards)|github\.user"
    r"|blame\.(blankboundary|coloring|date|showemail|showroot|markunblamablelines|markignoredlines)"
    r"|status\.(relativepaths|short|branch|aheadbehind|displaycommentprefix|renamelimit|renames"
    r"|showstash|showuntrackedfiles)|attr\.tree|mailmap\.blob|safe\.directory"
    r"|gc\.(auto|autodetach|autopacklimit|pruneexpire|worktreepruneexpire|writecommitgraph"
    r"|reflogexpire|reflogexpireunreachable|packrefs|logexpiry|aggressivewindow)"
    r"|fsck\.(?!skiplist).*|lfs\.(repositoryformatversion|url|pushurl|locksverify|allowincompletepush"
    r"|fetchinclude|fetchexclude|concurrenttransfers|skipdownloaderrors)"
    r"|lfs\.https?://.*\.(access|locksverify)|difftool\.prompt|mergetool\.(prompt|keepbackup)",
    re.DOTALL,
)
# We put our own value in their place (see `agent_exec.policy.git_harden`), or only commands
# that run something anyway obey them. Deprecated commands may be aliases (git 2.52).
_OVERRIDDEN = re.compile(
    r"core\.(fsmonitor|hookspath|pager|editor|sshcommand|askpass|fsmonitorhookversion)|pager\..*"
    r"|sequence\.editor|log\.showsignature|gpg\..*|interactive\.difffilter"
    r"|alias\.(?!whatchanged|pack-redundant).*|protocol\..*|credential\..*|filter\..*\.(clean|smudge|process|required)"
    r"|diff\..*\.(textconv|cachetextconv)|difftool\..*|mergetool\..*|man\..*|browser\..*|web\..*|instaweb\..*"
    r"|sendemail\..*|guitool\..*|gui\..*|merge\..*\.(driver|name|recursive)|core\.gitproxy"
    r"|submodule\..*\.update|remote\..*\.(uploadpack|receivepack|vcs|proxy)|tar\..*|trailer\..*"
    r"|uploadpack\..*|uploadarchive\..*|receive\..*|sendpack\..*|svn\..*|svn-remote\..*"
    r"|remote\..*\.(promisor|partialclonefilter)|extensions\.partialclone|promisor\..*"
    r"|status\.submodulesummary|core\.alternaterefscommand|commit\.template|safe\..*|gc\..*",
    re.DOTALL,
)


_FILES = re.compile(
    r"core\.(attributesfile|excludesfile)|blame\.ignorerevsfile|diff\.orderfile|mailmap\.file"
    r"|fsck\.skiplist"
)


def git_key(written: str) -> str:
    """A key as git compares it: section and name in lower case, the sub-section as written."""
    section, dot, name = written.rpartition(".")
    first, inner, sub = section.partition(".")
    return f"{first.lower()}{inner}{sub}{dot}{name.lower()}"


def is_harmless(key: str) -> bool:
    """Can a key, as git writes it (section and name in lower case), not run anything?"""
    return key.partition(".")[0] in _HARMLESS_SECTIONS or _HARMLESS.fullmatch(key) is not None


def is_answered(key: str) -> bool:
    """Does a command that only reads, run hardened, not obey it?"""
    return is_harmless(key) or _OVERRIDDEN.fullmatch(key) is not None


def names_a_file(key: str) -> bool:
    """Is the value of a key a file that a command reads, and of which it may print something?"""
    return _FILES.fullmatch(key) is not None
