"""What a command does, and where it would have been allowed, in words for people."""

from __future__ import annotations

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.policy.coverage import Seen, is_on_files
from agent_exec.policy.policy import Policy


def shown(found: Analysed) -> str:
    """A command by the name that it was called by, which is one of several in its table."""
    if not found.name:
        return "a redirection"
    called = found.command.argv[0].rpartition("/")[2]
    return " ".join([called, *[word for word in found.name[1:] if word[:1] != "("]])


_VERBS = {
    EffectKind.READ: "reads",
    EffectKind.WRITE: "writes",
    EffectKind.DELETE: "deletes",
    EffectKind.EXECUTE: "runs",
    EffectKind.NETWORK: "uses the network",
    EffectKind.STATE: "changes more than files",
    EffectKind.PRIVILEGE: "gains or changes rights",
    EffectKind.UNKNOWN: "may do anything",
}


def says(seen: Seen) -> str:
    """What an effect is, in words for people."""
    effect = seen.effect
    text = _VERBS[effect.kind]
    if is_on_files(effect.kind):
        if effect.path is None:
            text += "" if effect.because else " what nobody can name beforehand"
        else:
            text += f" {effect.path}"
            elsewhere = [real for real in seen.real if real != seen.named]
            text += f" ({elsewhere[0]})" if elsewhere else ""
    return f"{text}: {effect.because}" if effect.because else text


def hint(policy: Policy, seen: Seen) -> str:
    """Where the same would be allowed."""
    kind = seen.effect.kind
    if not is_on_files(kind) or seen.named is None:
        return ""
    places = [
        word
        for rule in policy.allows
        if rule.command is None and rule.paths is not None
        if rule.effects is None or kind in rule.effects
        for word in rule.paths.words
    ]
    return f"; allowed beneath {', '.join(dict.fromkeys(places))}" if places else ""
